//! The answer of `nsm why`.

use std::fmt::Write as _;

use anstyle::Style;
use api::queries::why::{GoesWith, Ownership, Shown, Stands, Why};
use jiff::Timestamp;
use lifecycle::{
    Condition, GuardKind, Status, Truth,
    record::Phase,
    termination::{DeletionStalled, RemainingPods},
    time::human_text,
};

use super::{
    describe,
    listing::NOT_CHECKED,
    table::{BAD, CARE, GOOD, STRONG, tone},
    time_format::{both, relative},
};

/// The answer for a terminal. `all`: also the checks that hold nothing back.
pub(crate) fn text(why: &Why, all: bool, now: Timestamp) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{STRONG}{}{STRONG:#}  uid {}", why.name, why.uid);
    let mut say = |key: &str, value: String| {
        let _ = writeln!(out, "  {key:<9} {value}");
    };
    let since = why.since.map_or(String::new(), |since| format!(", since {}", both(since, now)));
    match why.phase {
        Phase::Managed => {
            let style = tone(why.status);
            say("status", format!("{style}{}{style:#}{since}", why.status));
        }
        Phase::New => say("status", "not adopted".to_owned()),
        Phase::Released => say("status", "no longer managed".to_owned()),
        Phase::Gone => say("status", format!("gone; its last status was {}{since}", why.status)),
    }
    if why.phase == Phase::Managed && why.status == Status::Unknown {
        say("because", format!("it is new and {NOT_CHECKED}"));
    } else if !why.reason.is_empty() {
        say("because", why.reason.clone());
    }
    if let Some(policy) = &why.policy {
        say(
            "policy",
            format!("`{policy}`{}", why.mode.map_or(String::new(), |mode| format!(", mode {}", describe::mode(mode)))),
        );
    }
    if let Some(name) = &why.owner {
        say("owner", why.ownership.as_ref().map_or_else(|| name.clone(), |found| owner(name, found)));
    }
    if let Some(created) = why.created {
        say("created", both(created, now));
    }
    match (&why.deadline, why.created) {
        (Some(deadline), Some(created)) => {
            let given = describe::lifetime(created, deadline);
            say("end", format!("{}; it was given {given}", describe::end(Some(deadline))));
        }
        (deadline, _) => say("end", describe::end(deadline.as_ref())),
    }
    say(
        "next",
        match why.next.at {
            Some(at) => format!("{}, {}", why.next.what, both(at, now)),
            None => why.next.what.clone(),
        },
    );
    section(&mut out, "still there", why.ending.iter().flat_map(ending));
    section(&mut out, "evidence", why.evidence.iter().map(|condition| evidence(condition, now)));
    let asked = why.goes_with.iter().map(|it| goes_with(it, now));
    section(&mut out, "pipeline", asked.chain(why.pipeline.iter().map(|condition| evidence(condition, now))));
    section(&mut out, "what holds its deletion back", checks(why, all, now).into_iter());
    let care = |text: &String| format!("{CARE}!{CARE:#} {text}");
    section(&mut out, "what its owner wrote", why.malformed.iter().map(care));
    section(&mut out, "notes", why.notes.iter().map(care));
    out
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    for (at, line) in lines.enumerate() {
        if at == 0 {
            let _ = writeln!(out, "\n{STRONG}{title}{STRONG:#}");
        }
        let _ = writeln!(out, "  {line}");
    }
}

fn owner(name: &str, found: &Ownership) -> String {
    let email =
        found.email.as_deref().filter(|email| *email != name).map_or(String::new(), |email| format!(" <{email}>"));
    let slack = found.slack.as_ref().map_or(String::new(), |id| format!(" (Slack {id})"));
    let kind = if found.from.is_label() { "label" } else { "annotation" };
    let when = if found.live { "" } else { ", as it was at adoption" };
    format!("{name}{email}{slack}, by the {kind} `{}`{when}", found.key)
}

/// What holds its end, pods first: while one is left, the conditions say nothing of what else is.
fn ending(held: &DeletionStalled) -> Vec<String> {
    let pods = match &held.pods {
        RemainingPods::Counted { in_all: 0, .. } => None,
        RemainingPods::Counted { .. } | RemainingPods::Unknown(_) => Some(held.pods.to_string()),
    };
    let finalizers = held.finalizers.iter().map(|finalizer| format!("it has the finalizer `{finalizer}`"));
    let all: Vec<_> =
        pods.into_iter().chain(held.conditions.iter().map(ToString::to_string)).chain(finalizers).collect();
    if all.is_empty() { vec!["nothing says what holds it".to_owned()] } else { all }
}

fn evidence(condition: &Condition, now: Timestamp) -> String {
    let (sign, style) = match condition.truth {
        Truth::True => ("true", GOOD),
        Truth::False => ("false", STRONG),
        Truth::Unknown => ("unknown", CARE),
    };
    format!("{style}{sign:<8}{style:#} {}, seen {}", condition.reason, both(condition.observed_at, now))
}

fn goes_with(it: &GoesWith, now: Timestamp) -> String {
    let GoesWith { what, system, answered_at } = it;
    let asked = answered_at.map_or_else(
        || format!("{system} has not answered for it yet"),
        |at| format!("{system} answered for it last at {}", both(at, now)),
    );
    format!("{what}: {asked}")
}

/// What holds it back, and of the rest how much there is, unless `all` is asked for.
fn checks(why: &Why, all: bool, now: Timestamp) -> Vec<String> {
    let is_told = |guard: &&Shown| all || guard.verdict != Stands::Clear;
    let mut lines: Vec<_> = why.guards.iter().filter(is_told).map(|guard| shown(guard, now)).collect();
    let more = match why.guards.len() - lines.len() {
        0 => return lines,
        1 => "1 check holds".to_owned(),
        more => format!("{more} checks hold"),
    };
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines.push(format!("({more} nothing back; `nsm why {} --all` shows them)", why.name));
    lines
}

pub(crate) fn shown(guard: &Shown, now: Timestamp) -> String {
    let (sign, style) = match guard.verdict {
        Stands::Clear => ("✓", GOOD),
        Stands::Waits => ("…", CARE),
        // Most namespaces are well, which is nothing bad.
        Stands::Refuses if guard.name == GuardKind::Status.as_str() => ("–", Style::new()),
        Stands::Refuses => ("✗", BAD),
    };
    let until = match guard.until {
        None => String::new(),
        Some(until) if guard.why.contains(&human_text(until)) => format!(" ({})", relative(until, now)),
        Some(until) => format!(", until {}", both(until, now)),
    };
    format!("{style}{sign}{style:#} {:<15} {}{until}", guard.name, guard.why)
}

#[cfg(test)]
mod tests {
    use api::queries::next_step::outlook;
    use lifecycle::{Mode, guards, ownership::Source};
    use serde_json::json;

    use super::{
        super::fixtures::{adopted, at, changed, policies, record},
        *,
    };

    /// The answer without colours.
    fn plain(why: &Why, now: &str) -> String {
        anstream::adapter::strip_str(&text(why, true, at(now))).to_string()
    }

    #[test]
    fn every_check_is_told_with_what_it_waits_for() {
        let policies = policies(Mode::Enforce, &json!({"visible_for": "1h"}));
        let policy = policies.iter().next().unwrap();
        let shown = ("12:00:00", "StatusShown", json!({"of": 2}));
        let record = record(&[adopted(&policies), changed("12:00:00", "ok", "stale", "it is old"), shown]);
        let now = at("12:30:00");
        let evidence =
            vec![Condition { truth: Truth::True, reason: "it is old".to_owned(), observed_at: at("12:00:00") }];
        let mut why = Why::of(&record, &policies.keys, evidence, outlook(Some(policy), &record, None, now), now);
        why.guards = guards(policy, &record, now).into_iter().map(Shown::from).collect();
        why.notes.push("the cluster was not asked".to_owned());
        insta::assert_snapshot!(plain(&why, "12:30:00"));
    }

    #[test]
    fn what_holds_nothing_back_is_counted_unless_it_is_asked_for() {
        let policies = policies(Mode::Enforce, &json!({}));
        let policy = policies.iter().next().unwrap();
        let record = record(&[adopted(&policies), changed("08:00:02", "unknown", "ok", "it is young")]);
        let now = at("09:00:00");
        let mut why = Why::of(&record, &policies.keys, Vec::new(), outlook(Some(policy), &record, None, now), now);
        why.guards = guards(policy, &record, now).into_iter().map(Shown::from).collect();
        let told = |why: &Why| {
            let text = anstream::adapter::strip_str(&text(why, false, now)).to_string();
            text.split_once("what holds its deletion back\n").unwrap().1.to_owned()
        };
        assert_eq!(
            told(&why),
            "  – status          its status is ok, which is no reason to delete it under policy `ci`\n  \
             (11 checks hold nothing back; `nsm why ci-42 --all` shows them)\n"
        );
        why.guards.retain(|guard| guard.verdict == Stands::Clear);
        why.guards.truncate(1);
        assert_eq!(told(&why), "  nothing\n  (1 check holds nothing back; `nsm why ci-42 --all` shows them)\n");
        why.guards.clear();
        assert!(!text(&why, false, now).contains("holds its deletion back"));
    }

    #[test]
    fn the_pipeline_it_goes_with_is_named_with_when_its_ci_system_answered() {
        let told = |answered_at| {
            let it = GoesWith { what: "pipeline 3 of project 7".into(), system: "GitLab".into(), answered_at };
            goes_with(&it, at("10:00:00"))
        };
        assert_eq!(told(None), "pipeline 3 of project 7: GitLab has not answered for it yet");
        assert_eq!(
            told(Some(at("09:59:00"))),
            "pipeline 3 of project 7: GitLab answered for it last at 2026-08-17 09:59:00 UTC (1 minute ago)"
        );
    }

    #[test]
    fn what_is_still_there_says_why_pods_first() {
        let told = |data| ending(&serde_json::from_value(data).unwrap());
        let remaining = json!({"condition": "NamespaceContentRemaining", "reason": "SomeResourcesRemain",
            "message": "Some resources are remaining: configmaps. has 1 resource instances"});
        let pods = json!({"counted": {"first": ["web-0"], "in_all": 1}});
        assert_eq!(
            told(json!({"pods": pods, "conditions": [remaining], "finalizers": ["x/y"]})),
            [
                "1 pod is left: `web-0`",
                "NamespaceContentRemaining: Some resources are remaining: configmaps. has 1 resource instances",
                "it has the finalizer `x/y`",
            ]
        );
        let none = json!({"counted": {"first": [], "in_all": 0}});
        assert_eq!(told(json!({"pods": none})), ["nothing says what holds it"]);
        assert_eq!(told(json!({"pods": {"unknown": "403"}})), ["whether pods are left is not known: 403"]);
    }

    #[test]
    fn an_owner_is_told_with_the_key_and_the_ways_to_them() {
        let found = |from, key: &str, email: Option<&str>, slack: Option<&str>| {
            let own = |text: &str| text.to_owned();
            Ownership { from, key: own(key), email: email.map(own), slack: slack.map(own), live: true }
        };
        let slack = found(Source::NotificationAddress, "ci/notificationAddress", None, Some("U1"));
        assert_eq!(owner("Anna", &slack), "Anna (Slack U1), by the annotation `ci/notificationAddress`");
        let mail = found(Source::AuthorEmail, "ci/authorEmail", Some("a@b"), None);
        assert_eq!(owner("a@b", &mail), "a@b, by the annotation `ci/authorEmail`");
        let team = Ownership { live: false, ..found(Source::Team, "ci/team", None, None) };
        assert_eq!(owner("blue", &team), "blue, by the label `ci/team`, as it was at adoption");
    }

    #[test]
    fn what_is_gone_is_told_shortly() {
        let policies = policies(Mode::Enforce, &json!({}));
        let record = record(&[adopted(&policies), ("12:00:00", "Gone", json!({}))]);
        let now = at("12:30:00");
        let why = Why::of(&record, &policies.keys, Vec::new(), outlook(None, &record, None, now), now);
        insta::assert_snapshot!(plain(&why, "12:30:00"));
    }
}
