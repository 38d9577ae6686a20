//! What `nsm ls` says comes next, and what `nsm why` says holds a deletion back.

use std::collections::BTreeSet;

use api::queries::{
    listing::Line,
    next_step::Halt,
    why::{GoesWith, Shown, Stands, Why},
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    GuardKind, Keys, LiveObject, Mode, Namespace, ObjectGuardKind, Policies, Record, Status, Uid, Verdict,
    event::{FailReason, SkipReason},
    guards::{PROMISE_MARGIN, guards, object_guards},
    keys::StoreIdentity,
    pipeline::CiSystem,
    policy::{Common, HealthSources, RawPolicy},
    record::{Damage, Phase},
};
use serde_json::{Value, json};

use super::{
    super::{
        fixtures::{adopted, at, changed, namespace, record},
        listing, why,
    },
    Part,
};

type Entries = Vec<(&'static str, &'static str, Value)>;

const NOW: &str = "13:00:00";

pub(super) fn parts() -> Vec<Part> {
    vec![
        Part { title: "nsm ls: what comes next, by status", lines: by_status() },
        Part { title: "nsm ls: what comes next, in other states", lines: states() },
        Part { title: "nsm ls: what comes next, after an attempt", lines: attempts() },
        Part { title: "nsm why: what holds a deletion back, by the record", lines: checks() },
        Part { title: "nsm why: what holds a deletion back, by the namespace itself", lines: object_checks() },
        Part { title: "nsm why: whole pages", lines: pages() },
    ]
}

fn next(policies: &Policies, entries: &[(&str, &str, Value)], halt: Option<Halt>, now: Timestamp) -> String {
    let line = Line::of(&record(entries), &policies.keys, policies.iter().next(), halt, now);
    listing::next(&line, now)
}

/// The history that leads to a status, whose next step is due at this time of the day.
fn into(policies: &Policies, status: Status, due: &str) -> Entries {
    let from = |status: Status| match status {
        Status::Unknown => None,
        Status::Ok | Status::Unstable | Status::Stale | Status::Cancelled | Status::Superseded => Some("ok"),
        Status::Failing => Some("unstable"),
        Status::Failed => Some("failing"),
    };
    let mut entries = vec![adopted(policies)];
    if let Some(from) = from(status) {
        let (time, kind, mut data) = changed("12:00:00", from, status.as_str(), "a reason");
        data["finalize_at"] = json!(at(due));
        let shown = ("12:00:01", "StatusShown", json!({"of": 2}));
        entries.extend([(time, kind, data), shown]);
    }
    entries
}

fn by_status() -> Vec<(String, String)> {
    let keeps = json!({"on": {"stale": {"delete": false}, "failed": {"delete": false}, "cancelled": {"delete": false},
        "superseded": {"delete": false}}});
    let ways = [
        ("enforce", Mode::Enforce, json!({})),
        ("observe", Mode::Observe, json!({})),
        ("no deletion", Mode::Enforce, keeps),
    ];
    let mut lines = Vec::new();
    for status in Status::ALL {
        for (way, mode, more) in &ways {
            let policies = under(*mode, more);
            // Before the end of its life; what leads to a deletion by itself is past it.
            let (now, due) = match status {
                Status::Unknown | Status::Ok | Status::Unstable | Status::Failing => ("11:00:00", "11:30:00"),
                Status::Failed | Status::Stale | Status::Cancelled | Status::Superseded => (NOW, "12:30:00"),
            };
            lines.push((format!("{status}, {way}"), next(&policies, &into(&policies, status, due), None, at(now))));
        }
    }
    lines
}

fn states() -> Vec<(String, String)> {
    let policies = under(Mode::Enforce, &json!({}));
    let stale = || into(&policies, Status::Stale, "12:00:00");
    let said = |entries: Entries| next(&policies, &entries, None, at(NOW));
    let with = |more: &[(&'static str, &'static str, Value)]| said([stale(), more.to_vec()].concat());
    let halt = |halt: Halt| next(&policies, &stale(), Some(halt), at(NOW));
    let mut lines = every!(Halt {
        Halt::Stop => [("a stop", halt(Halt::Stop))],
        Halt::Mismatch => [("a store that may be another", halt(Halt::Mismatch))],
        Halt::Hold => [("deletions that do not end", halt(Halt::Hold))],
    });
    lines.extend(every!(Phase {
        Phase::New => [("nothing recorded", said(Vec::new()))],
        Phase::Managed => [("managed, and its life is over", said(stale()))],
        Phase::Released => [("no policy any more", with(&[("12:30:00", "Released", json!({"why": "no policy applies"}))]))],
        Phase::Gone => [("gone", with(&[("12:30:00", "Gone", json!({}))]))],
    }));
    let unread = with(&[("12:30:00", "Painted", json!({}))]);
    let gap = {
        let mut record = record(&stale());
        record.damage = Some(Damage::Gap(3));
        let line = Line::of(&record, &policies.keys, policies.iter().next(), None, at(NOW));
        listing::next(&line, at(NOW))
    };
    lines.extend(every!(Damage {
        Damage::Gap(_) => [("a history with a gap", gap)],
        Damage::Unrecognised { .. } => [("a history of a later version", unread)],
    }));
    let unknown_policy = Line::of(&record(&stale()), &policies.keys, None, None, at(NOW));
    let mut endless = adopted(&policies);
    endless.2["deadline"] = Value::Null;
    let mut again = adopted(&policies);
    again.2["deleted_before"] = json!(4);
    again.2["created"] = json!(at("12:30:00"));
    lines.extend([
        ("a policy that this configuration lacks", listing::next(&unknown_policy, at(NOW))),
        ("no end", said(vec![endless, changed("12:00:00", "unknown", "ok", "well")])),
        ("a name that comes back", said(vec![again])),
        ("protected", with(&[("12:30:00", "Protected", json!({"on": true}))])),
        ("kept", with(&[keep("12:30:00", "15:00:00")])),
        ("an attempt under way", with(&[intended(4)])),
        ("deleted", with(&[intended(4), ("12:59:01", "ActionDone", json!({"of": 4, "observed": false}))])),
        ("observed already", {
            let policies = under(Mode::Observe, &json!({}));
            let would = ("12:30:00", "DryRun", json!({"action": "delete", "decision": "d"}));
            next(&policies, &[into(&policies, Status::Stale, "12:00:00"), vec![would]].concat(), None, at(NOW))
        }),
    ]);
    named(lines)
}

fn attempts() -> Vec<(String, String)> {
    let policies = under(Mode::Enforce, &json!({}));
    let after = |kind: &'static str, data: Value| {
        let entries =
            [into(&policies, Status::Stale, "12:00:00"), vec![intended(4), ("12:59:01", kind, data)]].concat();
        next(&policies, &entries, None, at(NOW))
    };
    let skipped = |why: SkipReason| {
        let again = (why == SkipReason::Budget).then(|| at("13:10:00"));
        let data = json!({"of": 4, "action": "delete", "why": why, "detail": "DETAIL", "not_before": again});
        [(format!("skipped, {}", why.as_str()), after("ActionSkipped", data))]
    };
    let failed = |why: FailReason, name: &str| {
        let data = json!({"of": 4, "action": "delete", "why": why, "detail": "DETAIL", "not_before": at("13:02:00")});
        [(format!("failed, {name}"), after("ActionFailed", data))]
    };
    let mut lines = every!(SkipReason {
        SkipReason::Stopped => skipped(SkipReason::Stopped),
        SkipReason::Budget => skipped(SkipReason::Budget),
        SkipReason::Unannounced => skipped(SkipReason::Unannounced),
        SkipReason::Busy => skipped(SkipReason::Busy),
        SkipReason::Evidence => skipped(SkipReason::Evidence),
        SkipReason::Changed => skipped(SkipReason::Changed),
        SkipReason::Unverified => skipped(SkipReason::Unverified),
        SkipReason::Abandoned => skipped(SkipReason::Abandoned),
        SkipReason::Held => skipped(SkipReason::Held),
    });
    lines.extend(every!(FailReason {
        FailReason::Refused => failed(FailReason::Refused, "refused"),
        FailReason::TooManyRequests => failed(FailReason::TooManyRequests, "too many requests"),
        FailReason::Fenced => failed(FailReason::Fenced, "fenced"),
        FailReason::Gone => failed(FailReason::Gone, "gone"),
    }));
    lines
}

/// Each check with each verdict that was brought about, and none that was not.
fn checks() -> Vec<(String, String)> {
    let plain = under(Mode::Enforce, &json!({"visible_for": "1h"}));
    let (observing, telling) = (under(Mode::Observe, &json!({})), checking(Mode::Enforce, &json!({}), true));
    let mut found: BTreeSet<(GuardKind, u8, String)> = BTreeSet::new();
    let mut see = |policies: &Policies, record: &Record, now: &str| {
        let policy = policies.iter().next().unwrap();
        for guard in guards(policy, record, at(now)) {
            found.insert((guard.kind, order(guard.verdict), said(&Shown::from(guard), now)));
        }
    };
    let stale = |policies: &Policies| into(policies, Status::Stale, "12:00:00");
    let with = |policies: &Policies, more: &[(&'static str, &'static str, Value)]| {
        record(&[stale(policies), more.to_vec()].concat())
    };
    for policies in [&plain, &observing, &telling] {
        for status in Status::ALL {
            see(policies, &record(&into(policies, status, "12:30:00")), "13:30:00");
        }
    }
    see(&plain, &with(&plain, &[]), "12:30:00");
    see(&plain, &record(&[adopted(&plain), changed("12:00:00", "ok", "stale", "old")]), NOW);
    let not_shown = ("12:00:01", "StatusNotShown", json!({"of": 2, "why": "the apiserver answered 422"}));
    see(&plain, &record(&[adopted(&plain), changed("12:00:00", "ok", "stale", "old"), not_shown]), NOW);
    see(&plain, &record(&[]), NOW);
    let other = ("12:30:00", "PolicyChanged", json!({"policy": "other", "policy_hash": "h", "mode": "enforce"}));
    see(&plain, &with(&plain, &[other]), NOW);
    for (kind, data) in [
        ("Protected", json!({"on": true})),
        ("Gone", json!({})),
        ("Released", json!({"why": "no policy applies"})),
        ("Painted", json!({})),
        (
            "RecordMarkerMismatched",
            json!({"marker": "2.9.u1", "why": "its annotation `record` is of another store (epoch 2)", "epoch": 3}),
        ),
    ] {
        see(&plain, &with(&plain, &[("12:30:00", kind, data)]), NOW);
    }
    let mut gap = with(&plain, &[]);
    gap.damage = Some(Damage::Gap(3));
    see(&plain, &gap, NOW);
    let mut kept = with(&plain, &[keep("12:30:00", "15:00:00")]);
    see(&plain, &kept, NOW);
    see(&plain, &kept, "15:30:00");
    kept.kept.as_mut().unwrap().until = None;
    see(&plain, &kept, NOW);
    see(&plain, &with(&plain, &[intended(4)]), "12:59:10");
    see(&plain, &with(&plain, &[intended(4)]), NOW);
    see(&plain, &with(&plain, &[intended(4), ("12:59:01", "ActionDone", json!({"of": 4, "observed": false}))]), NOW);
    let refused = json!({"of": 4, "action": "delete", "why": "refused", "detail": "403", "not_before": at("13:05:00")});
    let refused = with(&plain, &[intended(4), ("12:59:01", "ActionFailed", refused)]);
    see(&plain, &refused, NOW);
    see(&plain, &refused, "13:30:00");
    let notice = json!({"about": "stale", "deadline": at("12:00:00"), "promise": at("14:00:00"), "channel": "webhook"});
    let notice = ("12:10:00", "NoticeIntended", notice);
    see(&telling, &with(&telling, std::slice::from_ref(&notice)), NOW);
    let sent = ("12:11:00", "NoticeSent", json!({"of": 4}));
    see(&telling, &with(&telling, &[notice.clone(), sent]), "14:30:00");
    let undelivered = ("12:11:00", "NoticeUndeliverable", json!({"of": 4, "why": "410"}));
    see(&telling, &with(&telling, &[notice, undelivered]), NOW);
    for kind in GuardKind::ALL {
        let has = |is_clear: bool| found.iter().any(|(it, order, _)| *it == kind && (*order == 0) == is_clear);
        assert!(has(true) && has(false), "{} is not shown both ways", kind.as_str());
    }
    found.into_iter().map(|(kind, _, text)| (kind.as_str(), text)).fold(Vec::new(), together)
}

fn object_checks() -> Vec<(String, String)> {
    let policies = under(Mode::Enforce, &json!({}));
    let policy = policies.iter().next().unwrap();
    let record = record(&into(&policies, Status::Stale, "12:00:00"));
    let store_identity = StoreIdentity { epochs: [3].into(), began: None, trusted_before_epoch: 0 };
    let well = namespace(&policies.keys, &[]);
    let mut found: BTreeSet<(ObjectGuardKind, u8, String)> = BTreeSet::new();
    let mut see = |namespace: &Namespace, policy_now| {
        let fresh = LiveObject { namespace, policy: policy_now, store_identity: &store_identity };
        for guard in object_guards(policy, &record, &fresh, at(NOW)) {
            found.insert((guard.kind, order(guard.verdict), said(&Shown::from(guard), NOW)));
        }
    };
    see(&well, Some(policy));
    see(&well, None);
    let others = under(Mode::Enforce, &json!({"name": "other"}));
    see(&well, others.iter().next());
    see(&Namespace { uid: Uid::new("u2"), ..well.clone() }, Some(policy));
    see(&Namespace { deleted: Some(at("12:50:00")), ..well }, Some(policy));
    for (key, value) in [
        ("protect", "true"),
        ("keep_until", "2026-08-17T15:00:00Z"),
        ("keep_until", "2026-08-17T12:30:00Z"),
        ("record", "garbage"),
        ("record", "7.1.u1"),
        ("record", "3.9.u1"),
    ] {
        see(&namespace(&policies.keys, &[(key, value)]), Some(policy));
    }
    for kind in ObjectGuardKind::ALL {
        let has = |is_clear: bool| found.iter().any(|(it, order, _)| *it == kind && (*order == 0) == is_clear);
        assert!(has(true) && has(false), "{} is not shown both ways", kind.as_str());
    }
    found.into_iter().map(|(kind, _, text)| (kind.as_str(), text)).fold(Vec::new(), together)
}

fn pages() -> Vec<(String, String)> {
    let policies = under(Mode::Enforce, &json!({}));
    let policy = policies.iter().next().unwrap();
    let page = |entries: &[(&str, &str, Value)], all: bool, now: &str| {
        let record = record(entries);
        let next = api::queries::next_step::outlook(Some(policy), &record, None, at(now));
        let mut why = Why::of(&record, &policies.keys, Vec::new(), next, at(now));
        if record.phase == Phase::Managed {
            why.guards = guards(policy, &record, at(now)).into_iter().map(Shown::from).collect();
            why.goes_with = vec![GoesWith {
                what: "pipeline 300 of project 7".to_owned(),
                system: "GitLab".to_owned(),
                answered_at: Some(at("08:00:05")),
            }];
        }
        why::text(&why, all, at(now))
    };
    let stale = into(&policies, Status::Stale, "12:00:00");
    let gone = [stale.clone(), vec![("12:30:00", "Gone", json!({}))]].concat();
    named(vec![
        ("just adopted", page(&[adopted(&policies)], false, "08:00:10")),
        ("ok", page(&into(&policies, Status::Ok, "12:00:00"), false, "12:00:10")),
        ("stale", page(&stale, false, NOW)),
        ("stale, with every check", page(&stale, true, NOW)),
        ("gone", page(&gone, false, NOW)),
    ])
}

/// One policy that checks everything, so that every status leads to a deletion that may, and what more is said of it.
fn under(mode: Mode, more: &Value) -> Policies {
    checking(mode, more, false)
}

/// The same; `has_channel`: owners are told.
fn checking(mode: Mode, more: &Value, has_channel: bool) -> Policies {
    let mut raw = json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": "4h", "visible_for": "0",
        "checks": {"superseded": {}}});
    raw.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let raw: RawPolicy = serde_json::from_value(raw).unwrap();
    let sources = HealthSources { prometheus: true, kubernetes: true, every: SignedDuration::from_secs(30) };
    let (keys, ci, promise_margin) = (Keys::default(), &[CiSystem::Gitlab][..], PROMISE_MARGIN);
    Policies::new(&[raw], &Common { mode, keys, exclude: &[], has_channel, sources, ci, promise_margin }).unwrap()
}

fn named(lines: Vec<(&'static str, String)>) -> Vec<(String, String)> {
    lines.into_iter().map(|(state, said)| (state.to_owned(), said)).collect()
}

/// All that one check says under its name.
fn together(mut lines: Vec<(String, String)>, (name, text): (&'static str, String)) -> Vec<(String, String)> {
    match lines.last_mut().filter(|(last, _)| last == name) {
        Some((_, so_far)) => *so_far = format!("{so_far}\n{text}"),
        None => lines.push((name.to_owned(), text)),
    }
    lines
}

fn said(guard: &Shown, now: &str) -> String {
    let sign = match guard.verdict {
        Stands::Clear => "clear",
        Stands::Waits => "waits",
        Stands::Refuses => "refuses",
    };
    let line = why::shown(guard, at(now));
    let line = anstream::adapter::strip_str(&line).to_string();
    let text = line.split_once(&guard.name).map_or(line.clone(), |(_, text)| text.trim().to_owned());
    format!("{sign:<8}{text}")
}

const fn order(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Clear => 0,
        Verdict::Waits(_) => 1,
        Verdict::Refuses => 2,
    }
}

fn keep(time: &'static str, until: &str) -> (&'static str, &'static str, Value) {
    let until = at(until);
    let data =
        json!({"requested": until, "until": until, "first_seen": at("12:30:00"), "by": "alice", "reason": "a demo"});
    (time, "Kept", data)
}

/// Entry 4, by which a deletion is under way until 12:59:45.
fn intended(attempt: u64) -> (&'static str, &'static str, Value) {
    let data = json!({"action": "delete", "cause_seq": 2, "attempt": attempt - 3, "holder": "action/pod-w.1",
        "until": at("12:59:45"), "resource_version": "7", "cause": "stale", "decision": "it is old", "evidence": [],
        "evidence_at": at("12:59:00"), "slot": "s/1", "unannounced": null, "config": "c", "mode": "enforce", "notice": "no_channel"});
    ("12:59:00", "ActionIntended", data)
}
