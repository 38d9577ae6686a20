use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;

/// A namespace of ten minutes that is deleted as it should be: its entries are numbered from 1 by their place.
struct Story {
    entries: Vec<Value>,
    claims: Vec<Value>,
    deletes: Vec<NamespaceDelete>,
    alive: bool,
    faults: Faults,
}

const ADOPTED: usize = 0;
const OK: usize = 1;
const STALE: usize = 2;
const INTENDED: usize = 3;
const DONE: usize = 4;
const WINDOW: &str = "2026-01-01T00:10:00Z";

fn at(second: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

fn entry(second: i64, kind: &str, data: Value) -> Value {
    json!({"uid": "u", "at": at(second), "actor": "role/test", "name": "demo", "kind": kind, "data": data})
}

fn claim(kind: &str, group: &str, number: u64, body: Value) -> Value {
    json!({"kind": kind, "group": group, "number": number, "at": WINDOW, "actor": "role/test", "body": body})
}

fn delete(second: i64) -> NamespaceDelete {
    NamespaceDelete {
        audit_id: "a".to_owned(),
        user: "worker".to_owned(),
        namespace: "demo".to_owned(),
        uid: Some("u".to_owned()),
        resource_version: Some("7".to_owned()),
        received_at: at(second),
        answered_at: at(second),
        annotations: BTreeMap::new(),
    }
}

fn good() -> Story {
    let deadline = json!({"at": at(600), "by": {"source": "policy"}});
    let intended = json!({
        "action": "delete", "resource_version": "7", "mode": "enforce", "evidence_at": at(600),
        "slot": format!("{WINDOW}/1"), "unannounced": null, "cause": "stale", "notice": "no_channel",
    });
    Story {
        entries: vec![
            entry(0, "Adopted", json!({"mode": "enforce", "created": at(0), "deadline": deadline})),
            entry(0, "StatusChanged", json!({"from": "unknown", "to": "ok"})),
            entry(600, "StatusChanged", json!({"from": "ok", "to": "stale"})),
            entry(601, "ActionIntended", intended),
            entry(603, "ActionDone", json!({"of": 4, "observed": false})),
            entry(610, "Gone", json!({})),
        ],
        claims: vec![claim("slots", WINDOW, 0, json!({"limit": 1})), claim("slots", WINDOW, 1, json!({"uid": "u"}))],
        deletes: vec![delete(602)],
        alive: false,
        faults: Faults::default(),
    }
}

impl Story {
    fn data(&mut self, entry: usize) -> &mut Value {
        &mut self.entries[entry]["data"]
    }

    fn insert(&mut self, before: usize, second: i64, kind: &str, data: Value) {
        let intended = self.entries.iter().position(|entry| entry["kind"] == "ActionIntended");
        self.entries.insert(before, entry(second, kind, data));
        // Where it moved the intent, that has the next number now.
        if intended.is_some_and(|intended| before <= intended)
            && let Some(done) = self.entries.iter_mut().find(|entry| entry["kind"] == "ActionDone")
            && let Some(of) = done["data"].get_mut("of")
        {
            *of = json!(of.as_u64().unwrap() + 1);
        }
    }

    fn run(self) -> Run {
        let mut entries: Vec<Value> = self.entries;
        for (number, entry) in entries.iter_mut().enumerate().filter(|(_, entry)| entry.get("seq").is_none()) {
            entry["seq"] = json!(number + 1);
        }
        let read = |values: Value| serde_json::from_value(values).unwrap();
        let claims = serde_json::from_value(json!(self.claims)).unwrap();
        Run {
            ledger: Ledger::of(read(json!(entries)), claims),
            deletes: self.deletes,
            user: "worker".to_owned(),
            alive: self.alive.then(|| "u".to_owned()).into_iter().collect(),
            faults: self.faults,
            timings: Timings::RELEASE,
        }
    }
}

/// Checks which rules a story breaks.
#[track_caller]
fn check(rules: &[&str], change: impl FnOnce(&mut Story)) {
    let mut story = good();
    change(&mut story);
    let found = judge(&story.run());
    let mut broken: Vec<_> = found.iter().map(|violation| violation.rule).collect();
    broken.dedup();
    assert_eq!(broken, rules, "{found:#?}");
}

#[test]
fn a_good_story_is_good() {
    check(&[], |_| {});
}

#[test]
fn s1_a_deletion_carries_both_preconditions() {
    check(&["S1", "S11"], |story| story.deletes[0].uid = None);
    check(&["S1", "S11"], |story| story.deletes[0].resource_version = None);
}

#[test]
fn s2_a_uid_is_deleted_once() {
    check(&["S2", "S6"], |story| story.deletes.push(delete(602)));
}

#[test]
fn s2_system_names_are_nobodys() {
    check(&["S2"], |story| {
        story.deletes[0].namespace = "kube-demo".to_owned();
        story.entries.iter_mut().for_each(|entry| entry["name"] = json!("kube-demo"));
    });
}

#[test]
fn s2_only_what_is_managed_and_not_protected_is_deleted() {
    check(&["S2"], |story| story.insert(INTENDED, 600, "Released", json!({})));
    check(&["S2"], |story| story.insert(INTENDED, 600, "Protected", json!({"on": true})));
    check(&[], |story| {
        story.insert(INTENDED, 600, "Protected", json!({"on": true}));
        story.insert(INTENDED + 1, 600, "Protected", json!({"on": false}));
    });
}

#[test]
fn s2_nothing_is_deleted_while_observing() {
    check(&["S2"], |story| story.data(ADOPTED)["mode"] = json!("observe"));
    check(&["S2"], |story| story.data(INTENDED)["mode"] = json!("observe"));
}

#[test]
fn s3_a_deletion_is_announced_with_its_resource_version_before() {
    check(&["S3", "S11"], |story| story.data(INTENDED)["resource_version"] = json!("6"));
    check(&["S3", "S11"], |story| story.deletes[0].received_at = at(600));
    check(&["S3"], |story| story.entries.clear());
}

#[test]
fn s4_a_deletion_comes_soon_after_its_intent_and_not_after_its_end() {
    check(&["S4"], |story| {
        story.deletes[0].received_at = at(622);
        story.entries[DONE]["at"] = json!(at(630));
    });
    check(&["S4"], |story| story.deletes[0].received_at = at(604));
    check(&["S4"], |story| story.data(INTENDED)["evidence_at"] = json!(at(540)));
}

#[test]
fn s1_the_cause_is_the_status_and_one_that_leads_to_a_deletion() {
    check(&["S1", "S7"], |story| story.data(INTENDED)["cause"] = json!("failed"));
    check(&["S1", "S7"], |story| {
        story.data(STALE)["to"] = json!("unstable");
        story.data(INTENDED)["cause"] = json!("unstable");
    });
}

#[test]
fn s7_what_failed_was_not_foretold_however_long_its_deadline_stood() {
    check(&["S7"], |story| {
        let to = |from: &str, to: &str| json!({"from": from, "to": to});
        story.data(STALE).clone_from(&to("ok", "unstable"));
        story.insert(INTENDED, 600, "StatusChanged", to("unstable", "failing"));
        story.insert(INTENDED + 1, 600, "StatusChanged", to("failing", "failed"));
        story.data(INTENDED + 2)["cause"] = json!("failed");
        story.data(DONE + 2)["of"] = json!(6);
    });
}

#[test]
fn s4_nobody_judges_while_an_intent_is_open() {
    check(&["S4"], |story| story.insert(DONE, 602, "StatusChanged", json!({"from": "stale", "to": "unknown"})));
}

#[test]
fn s5_what_is_kept_is_not_deleted() {
    check(&["S5"], |story| story.insert(INTENDED, 600, "Kept", json!({"requested": "x", "until": at(900)})));
    check(&[], |story| story.insert(INTENDED, 600, "Kept", json!({"requested": "x", "until": at(601)})));
}

#[test]
fn s5_what_stands_on_the_namespace_counts_whatever_the_history_knows() {
    let carries = |rules: &[&str], key: &str, value: &str| {
        check(rules, |story| {
            story.deletes[0].annotations.insert(format!("manager.cicd.skao.int/{key}"), value.to_owned());
        });
    };
    for key in ["protect", "Protected", "protection"] {
        carries(&["S5"], key, "");
    }
    carries(&["S5"], "keep-until", &at(900).to_string());
    carries(&["S5"], "keepUntil", "2999-12-31");
    carries(&[], "keep-until", &at(601).to_string());
    carries(&["S5"], "expires_at", "2999-12-31");
    carries(&[], "expires_at", "2000-12-31");
    carries(&[], "TTL", "1h");
    carries(&["S5"], "keep_until", &at(900).to_string());
    carries(&[], "keep_until", &at(601).to_string());
    carries(&["S5"], "expires_at", &at(900).to_string());
    carries(&[], "expires_at", &at(601).to_string());
    carries(&["S5"], "ttl", "1h");
    carries(&["S5"], "ttl", "10m30s");
    carries(&[], "ttl", "10m");
    carries(&[], "status", "stale");
    check(&[], |story| {
        let annotations = &mut story.deletes[0].annotations;
        annotations.insert("manager.cicd.skao.int/ttl".to_owned(), "1h".to_owned());
        annotations.insert("manager.cicd.skao.int/expires_at".to_owned(), at(600).to_string());
    });
}

#[test]
fn s6_each_deletion_has_a_slot_of_its_own_in_its_window() {
    check(&["S6"], |story| story.claims[0]["body"] = json!({"limit": 0}));
    check(&["S6"], |story| story.claims[1]["body"] = json!({"uid": "other"}));
    check(&["S6"], |story| story.data(INTENDED)["slot"] = json!("2026-01-01T00:00:00Z/1"));
    check(&["S6"], |story| story.data(INTENDED)["slot"] = json!("nonsense"));
}

#[test]
fn s7_what_nobody_could_foresee_needs_a_slot_or_an_approval() {
    let late = |story: &mut Story| story.entries[ADOPTED]["at"] = json!(at(301));
    check(&["S7"], late);
    check(&["S7"], |story| {
        late(story);
        story.data(INTENDED)["unannounced"] = json!("approved by person/eve (1)");
    });
    check(&[], |story| {
        late(story);
        story.data(INTENDED)["unannounced"] = json!("approved by person/eve (1)");
        story.claims.push(claim("controls", "approval", 1, json!({"until": at(900)})));
    });
    check(&[], |story| {
        late(story);
        story.data(INTENDED)["unannounced"] = json!(format!("{WINDOW}/1"));
        story.claims.push(claim("unannounced", WINDOW, 0, json!({"limit": 1})));
        story.claims.push(claim("unannounced", WINDOW, 1, json!({"uid": "u"})));
    });
}

#[test]
fn s7_what_was_recorded_while_observing_was_not_foretold() {
    check(&["S7"], |story| {
        story.data(ADOPTED)["mode"] = json!("observe");
        story.insert(STALE, 400, "PolicyChanged", json!({"mode": "enforce"}));
    });
}

/// Its owner is told by entry 3, and it is deleted a minute after what was promised.
fn warn(story: &mut Story) {
    for (entry, second) in [(INTENDED, 660), (DONE, 662), (DONE + 1, 670)] {
        story.entries[entry]["at"] = json!(at(second));
    }
    story.deletes[0].received_at = at(660);
    story.deletes[0].answered_at = at(661);
    story.data(INTENDED)["evidence_at"] = json!(at(659));
    story.data(INTENDED)["notice"] = json!({"promised": at(600)});
    story.insert(STALE, 200, "NoticeIntended", notice(600));
    story.insert(STALE + 1, 201, "NoticeSent", json!({"of": 3}));
}

/// As [`warn`], but the notice could not be delivered, which the deletion says, and waits its turn in the limit for.
fn give_up(story: &mut Story) {
    warn(story);
    story.entries[STALE + 1]["kind"] = json!("NoticeUndeliverable");
    says(story, INTENDED + 2, "undelivered", 600);
    story.data(INTENDED + 2)["unannounced"] = json!(format!("{WINDOW}/1"));
    story.claims.push(claim("unannounced", WINDOW, 0, json!({"limit": 1})));
    story.claims.push(claim("unannounced", WINDOW, 1, json!({"uid": "u"})));
}

/// Lets the intent at this place say of the owner that this second was promised.
fn says(story: &mut Story, intent: usize, word: &str, second: i64) {
    story.data(intent)["notice"] = json!({word: at(second)});
}

/// A notice that promises the time until this second, when the deletion falls due.
fn notice(second: i64) -> Value {
    json!({"about": "stale", "deadline": at(second), "promise": at(second), "channel": "webhook"})
}

fn moved(second: i64, why: &str) -> Value {
    json!({"deadline": {"at": at(second), "by": {"source": "policy"}}, "why": why})
}

#[test]
fn s9_a_deletion_comes_a_minute_after_what_was_promised() {
    check(&[], warn);
    check(&["S9"], |story| {
        warn(story);
        story.data(STALE)["promise"] = json!(at(601));
        story.data(INTENDED + 2)["notice"] = json!({"promised": at(601)});
    });
    // Also where another one promised less later, and where the channel was taken away since.
    check(&["S9"], |story| {
        warn(story);
        story.insert(STALE, 199, "NoticeIntended", notice(601));
        story.data(STALE + 2)["of"] = json!(4);
        story.data(INTENDED + 3)["notice"] = json!({"promised": at(601)});
    });
    check(&["S9"], |story| {
        warn(story);
        story.data(STALE)["promise"] = json!(at(601));
        story.data(INTENDED + 2)["notice"] = json!("no_channel");
        story.insert(STALE + 2, 400, "PolicyChanged", json!({"mode": "enforce"}));
    });
}

#[test]
fn s9_what_a_deletion_says_of_its_owner_is_true() {
    check(&["S9"], |story| drop(story.data(INTENDED).as_object_mut().unwrap().remove("notice")));
    check(&["S9"], |story| story.data(INTENDED)["notice"] = json!({"promised": at(300)}));
    check(&["S9"], |story| {
        warn(story);
        story.data(INTENDED + 2)["notice"] = json!({"promised": at(599)});
    });
    check(&["S9"], |story| {
        warn(story);
        story.data(STALE)["about"] = json!("failed");
    });
    check(&["S9"], |story| {
        warn(story);
        story.data(INTENDED + 2)["notice"] = json!("no_channel");
    });
    check(&[], |story| {
        warn(story);
        story.data(INTENDED + 2)["notice"] = json!("no_channel");
        story.insert(STALE + 2, 400, "PolicyChanged", json!({"mode": "enforce"}));
    });
}

#[test]
fn s9_nothing_is_deleted_before_it_is_known_whether_its_owner_was_told() {
    check(&["S9"], |story| {
        warn(story);
        story.entries[STALE + 1]["kind"] = json!("Kept");
    });
    check(&[], give_up);
}

#[test]
fn s9_what_left_late_promises_a_later_time() {
    let late = |story: &mut Story, second: i64| {
        warn(story);
        story.data(STALE + 1)["promise"] = json!(at(second));
        says(story, INTENDED + 2, "promised", second);
    };
    check(&["S9"], |story| late(story, 601));
    check(&[], |story| late(story, 600));
}

#[test]
fn s9_who_was_not_told_is_not_said_to_be_told() {
    check(&["S9"], |story| {
        give_up(story);
        says(story, INTENDED + 2, "promised", 600);
    });
    check(&["S9"], |story| {
        give_up(story);
        story.entries[STALE + 1]["kind"] = json!("NoticeSent");
    });
}

#[test]
fn s7_what_was_announced_to_nobody_needs_a_slot() {
    check(&["S7"], |story| {
        give_up(story);
        story.data(INTENDED + 2)["unannounced"] = Value::Null;
    });
}

#[test]
fn s9_its_owner_alone_takes_a_promise_back() {
    let promised_more = |story: &mut Story, why: &str| {
        give_up(story);
        story.entries[STALE + 1]["kind"] = json!("NoticeSent");
        says(story, INTENDED + 2, "undelivered", 599);
        story.data(STALE)["promise"] = json!(at(700));
        story.insert(STALE + 2, 202, "DeadlineMoved", moved(599, why));
        story.insert(STALE + 3, 203, "NoticeIntended", notice(599));
        story.insert(STALE + 4, 204, "NoticeUndeliverable", json!({"of": 6}));
    };
    check(&[], |story| promised_more(story, "owner"));
    check(&["S9", "S12"], |story| promised_more(story, "policy"));
}

#[test]
fn s12_one_notice_tells_of_one_thing_once() {
    check(&["S12"], |story| {
        warn(story);
        story.insert(STALE + 2, 202, "NoticeSent", json!({"of": 3}));
    });
    check(&["S12"], |story| {
        warn(story);
        story.insert(STALE + 2, 202, "NoticeSent", json!({"of": 2}));
    });
    // The second was intended before anybody knew of the first, and both came through.
    check(&["S12"], |story| {
        warn(story);
        story.insert(STALE + 1, 200, "NoticeIntended", notice(600));
        story.insert(STALE + 3, 202, "NoticeSent", json!({"of": 4}));
    });
}

#[test]
fn s12_owners_are_told_of_a_status_twice_an_hour_at_most() {
    let again = |story: &mut Story, second: i64, between: Option<(&str, Value)>| {
        warn(story);
        story.entries.truncate(STALE + 2);
        story.deletes.clear();
        if let Some((kind, data)) = between {
            story.insert(STALE + 2, 202, kind, data);
        }
        let (end, seq) = (story.entries.len(), story.entries.len() + 1);
        story.insert(end, second, "NoticeIntended", notice(5_000));
        story.insert(end + 1, second, "NoticeSent", json!({"of": seq}));
    };
    check(&["S12"], |story| again(story, 200 + 1_799, Some(("DeadlineMoved", moved(5_000, "policy")))));
    check(&[], |story| again(story, 200 + 1_800, Some(("DeadlineMoved", moved(5_000, "policy")))));
    check(&["S12"], |story| again(story, 400, Some(("DeadlineMoved", moved(599, "policy")))));
    check(&[], |story| again(story, 400, Some(("DeadlineMoved", moved(599, "owner")))));
    check(&["S12"], |story| again(story, 400, None));
}

#[test]
fn s10_a_history_has_no_gap_and_moves_along_the_edges() {
    check(&["S10"], |story| story.entries[DONE + 1]["seq"] = json!(7));
    check(&["S10"], |story| *story.data(OK) = json!({"from": "unknown", "to": "failing"}));
    check(&["S10"], |story| story.data(STALE)["from"] = json!("unknown"));
}

#[test]
fn s11_an_intent_has_one_outcome_and_it_is_true() {
    check(&["S11"], |story| drop(story.entries.drain(DONE..)));
    check(&["S11"], |story| drop(story.deletes.drain(..)));
    check(&["S11"], |story| story.entries[DONE]["kind"] = json!("ActionFailed"));
    check(&["S11"], |story| story.entries.insert(DONE + 1, entry(604, "ActionDone", json!({"of": 4}))));
}

#[test]
fn s11_what_was_seen_to_end_was_deleted_by_somebody() {
    let observed = |story: &mut Story| {
        story.deletes.clear();
        story.data(DONE)["observed"] = json!(true);
    };
    check(&[], observed);
    check(&["S11"], |story| {
        observed(story);
        story.alive = true;
    });
}

#[test]
fn an_apiserver_that_is_disturbed_tells_less() {
    check(&[], |story| {
        story.deletes.clear();
        story.faults.killed = true;
    });
    check(&[], |story| {
        story.deletes[0].received_at = at(622);
        story.entries[DONE]["at"] = json!(at(630));
        story.faults.frozen = SignedDuration::from_secs(30);
    });
}
