//! The answer of `nsm status`: the whole on one page.

use std::cmp::Ordering;

use common::{
    heartbeat::{JobRetry, Outage},
    status::{ChannelLine, Collector, ControlInForce, Controller, Overview},
};
use jiff::Timestamp;
use lifecycle::{Status, channel::ChannelState};

use super::{
    describe,
    table::{BAD, CARE, GOOD, STRONG, tone},
    time_format::{age, both, relative},
};

/// The way out where the store may not be the right one.
const APPROVE: &str = "once you know that it is, run `nsm approve --store`";

/// The page as text. `window` says how long a window of the budget is.
pub(crate) fn text(page: &Overview, window: &str) -> String {
    let now = page.at;
    let mut lines = Vec::new();
    let mut line = |name: &str, text: String| lines.push(format!("{STRONG}{name:<14}{STRONG:#}{text}\n"));
    line("mode", describe::mode(page.mode).to_owned());
    line("configuration", configuration(page));
    line("deletions", deletions(page));
    if let Some(approval) = &page.approval {
        line("approved", format!("unannounced deletions beyond their limit, by {}", control(approval, now)));
    }
    all(&mut line, "controllers", page.controllers.iter().map(|it| controller(it, now)), "none has reported");
    let retries = page.controllers.iter().flat_map(|it| it.retries.iter().map(|retry| (&it.role, retry)));
    for (role, retry) in retries {
        line("retry", format!("{CARE}{role}{CARE:#}: {}", job_retry(retry, now)));
    }
    all(
        &mut line,
        "collectors",
        page.collectors.iter().map(|it| collector(it, now)),
        "none has reported, so nothing is watched",
    );
    for outage in &page.outages {
        let Outage { source, since, why } = outage;
        line(
            "outage",
            format!(
                "{BAD}{source}{BAD:#} since {}; what rests on it does not change until it is over: {why}",
                both(*since, now)
            ),
        );
    }
    for channel in &page.channels {
        line("notices", self::channel(channel, now));
    }
    if page.wait_for_evidence > 0 {
        line(
            "waiting",
            format!("{CARE}{}{CARE:#} until evidence can be read again", counted(page.wait_for_evidence, "deletion")),
        );
    }
    if page.marker_mismatches > 0 {
        line(
            "mismatches",
            format!(
                "{BAD}{}{BAD:#} not deleted, for the annotation `record` and the history do not agree; once you know that \
                 this store is the right one, run `nsm approve --store`",
                counted(page.marker_mismatches, "namespace")
            ),
        );
    }
    line("workers", workers(page));
    line("namespaces", namespaces(page));
    let (budget, unannounced) = (&page.budget, &page.unannounced);
    line(
        "budget",
        format!(
            "{} of {} deletions used, {} of {} unannounced ones; counted per {window}, anew {}",
            budget.used,
            budget.limit,
            unannounced.used,
            unannounced.limit,
            relative(budget.next, now)
        ),
    );
    let under_way = page.under_way.iter().map(|it| {
        let since = age(it.since, now);
        format!("`{}` by `{}` for {since} (entry {})", it.namespace, it.holder, it.entry)
    });
    all(&mut line, "under way", under_way, "nothing");
    let stuck = page.stuck.iter().map(|it| {
        let since = both(it.since, now);
        format!("{BAD}{}{BAD:#}, since {since}: {}", it.namespace, it.why)
    });
    all(&mut line, "stuck", stuck, "nothing");
    for (what, listed, total) in [
        ("under way", page.under_way.len() as u64, page.under_way_in_all),
        ("stuck", page.stuck.len() as u64, page.stuck_in_all),
    ] {
        if total > listed {
            line("", format!("and {} more {what}", total - listed));
        }
    }
    lines.concat()
}

/// One line each, the name before the first alone.
fn all(line: &mut impl FnMut(&str, String), name: &str, texts: impl Iterator<Item = String>, none: &str) {
    let mut name = name;
    let mut any = false;
    for text in texts {
        line(std::mem::take(&mut name), text);
        any = true;
    }
    if !any {
        line(name, none.to_owned());
    }
}

fn configuration(page: &Overview) -> String {
    let it = &page.configuration;
    match (&it.in_force, it.since) {
        (Some(hash), Some(since)) if *hash == it.here => format!("{hash}, in force since {}", both(since, page.at)),
        (Some(hash), _) => format!("{hash} is in force, {CARE}and this command has another one, {}{CARE:#}", it.here),
        (None, _) => format!("{CARE}none is in force yet{CARE:#}, so nothing is deleted"),
    }
}

fn deletions(page: &Overview) -> String {
    match (&page.stop, &page.mismatch, &page.hold) {
        (Some(stop), _, _) => format!("{BAD}stopped{BAD:#} by {}", control(stop, page.at)),
        (None, Some(mismatch), _) => {
            let found = control(mismatch, page.at);
            format!("{BAD}none, for this store may not be the right one{BAD:#}, found by {found}; {APPROVE}")
        }
        (None, None, Some(hold)) => format!("{BAD}held{BAD:#} by {}", control(hold, page.at)),
        (None, None, None) => format!("{GOOD}not stopped{GOOD:#}"),
    }
}

fn control(it: &ControlInForce, now: Timestamp) -> String {
    let until = it.until.map_or(String::new(), |until| format!(", until {}", both(until, now)));
    let why = it.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
    format!("{} at {}{until}{why}", it.by, both(it.at, now))
}

fn controller(it: &Controller, now: Timestamp) -> String {
    format!(
        "{} `{}` has led for {}, {}{}",
        it.role,
        it.instance,
        age(it.since, now),
        jobs(it.running, it.wanted),
        heartbeat(it.alive, it.last_heartbeat, now)
    )
}

fn jobs(running: u64, wanted: u64) -> String {
    match running.cmp(&wanted) {
        Ordering::Equal if running == 0 => "no job running or needed".to_owned(),
        Ordering::Equal => format!("{} running", counted(running, "job")),
        Ordering::Less => format!("{running} of {} running", counted(wanted, "job")),
        Ordering::Greater => format!("{} running, {wanted} needed", counted(running, "job")),
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn collector(it: &Collector, now: Timestamp) -> String {
    let shard = match (it.shard, it.of) {
        (Some(shard), Some(of)) => format!("shard {shard} of {of}: "),
        _ => String::new(),
    };
    format!(
        "{shard}`{}`, running for {}{}",
        it.instance,
        age(it.since, now),
        heartbeat(it.alive, it.last_heartbeat, now)
    )
}

fn heartbeat(alive: bool, at: Timestamp, now: Timestamp) -> String {
    if alive { String::new() } else { format!(", {BAD}not heard of for {}{BAD:#}", age(at, now)) }
}

fn job_retry(it: &JobRetry, now: Timestamp) -> String {
    let times = if it.times == 1 { "once".to_owned() } else { format!("{} times in {}", it.times, age(it.since, now)) };
    let next = if it.not_before > now { format!("; next try {}", relative(it.not_before, now)) } else { String::new() };
    let what = match it.reason.as_str() {
        "failed" => "jobs fail,",
        "refused" => "jobs are refused,",
        "pending" => "a job does not begin,",
        "unreachable" => "the job backend does not answer,",
        other => other,
    };
    format!("{what} {times}: {}{next}", it.what)
}

fn channel(it: &ChannelLine, now: Timestamp) -> String {
    let since = it.since.map_or(String::new(), |since| format!(" since {}", both(since, now)));
    let why = it.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
    let answer = it.answer.as_ref().map_or(String::new(), |answer| format!(": {answer}"));
    let state = match it.state {
        ChannelState::Working => format!("{GOOD}works{GOOD:#}"),
        ChannelState::Failing => format!("{CARE}fails{CARE:#}{since}{why}{answer}"),
        ChannelState::Broken => format!("{BAD}broken{BAD:#}{since}, so owners are not told{why}{answer}"),
    };
    let some = |count: u64, what: &str| if count == 0 { String::new() } else { format!("; {count} {what}") };
    let (waiting, undeliverable) = (some(it.waiting, "on their way"), some(it.undeliverable, "could not be delivered"));
    format!("{}: {state}{waiting}{undeliverable}", it.channel)
}

fn workers(page: &Overview) -> String {
    let it = page.workers;
    let dead = if it.dead > 0 { format!(", {CARE}{} dead{CARE:#}", it.dead) } else { String::new() };
    let backlog = page.backlog.map_or(String::new(), |backlog| format!("; {} in the queue", counted(backlog, "task")));
    format!("{} busy, {} idle{dead}{backlog}", it.working, it.waiting)
}

fn namespaces(page: &Overview) -> String {
    let some = |status: &Status| page.namespaces.get(status).filter(|count| **count > 0);
    let each = Status::ALL.into_iter().filter_map(|status| {
        let tone = tone(status);
        some(&status).map(|count| format!("{count} {tone}{status}{tone:#}"))
    });
    let each: Vec<_> = each.collect();
    if each.is_empty() {
        "none is managed".to_owned()
    } else {
        format!("{} managed: {}", page.managed, each.join(", "))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use common::status::{Configuration, StuckLine, UnderWay, Use, WorkerCount};
    use lifecycle::{Actor, Mode, Uid};

    use super::{super::fixtures::at, *};

    #[test]
    fn jobs_are_counted_in_words_that_hold() {
        let told =
            [(0, 0), (1, 1), (2, 2), (1, 3), (0, 1), (1, 0), (3, 1)].map(|(running, wanted)| jobs(running, wanted));
        assert_eq!(
            told,
            [
                "no job running or needed",
                "1 job running",
                "2 jobs running",
                "1 of 3 jobs running",
                "0 of 1 job running",
                "1 job running, 0 needed",
                "3 jobs running, 1 needed",
            ]
        );
    }

    /// A day on which nothing is wrong.
    pub(crate) fn calm() -> Overview {
        Overview {
            at: at("10:04:00"),
            mode: Mode::Enforce,
            configuration: Configuration {
                in_force: Some("c0ffee".into()),
                since: Some(at("08:00:00")),
                here: "c0ffee".into(),
            },
            stop: None,
            approval: None,
            mismatch: None,
            hold: None,
            controllers: vec![Controller {
                role: "action-controller".into(),
                instance: "pod-a.1".into(),
                since: at("08:00:00"),
                last_heartbeat: at("10:03:50"),
                alive: true,
                running: 1,
                wanted: 1,
                retries: Vec::new(),
            }],
            collectors: vec![Collector {
                instance: "pod-c.1".into(),
                since: at("09:50:00"),
                last_heartbeat: at("10:03:50"),
                alive: true,
                shard: Some(0),
                of: Some(2),
            }],
            outages: Vec::new(),
            channels: Vec::new(),
            checks: BTreeMap::new(),
            deleted: BTreeMap::new(),
            workers: WorkerCount { working: 1, waiting: 0, dead: 0 },
            backlog: Some(3),
            namespaces: BTreeMap::from([(Status::Ok, 40), (Status::Stale, 2)]),
            managed: 42,
            under_way: Vec::new(),
            under_way_in_all: 0,
            stuck: Vec::new(),
            stuck_in_all: 0,
            wait_for_evidence: 0,
            marker_mismatches: 0,
            budget: Use { used: 4, limit: 20, next: at("10:10:00") },
            unannounced: Use { used: 0, limit: 10, next: at("10:10:00") },
        }
    }

    fn plain(page: &Overview) -> String {
        anstream::adapter::strip_str(&text(page, "ten minutes")).to_string()
    }

    #[test]
    fn a_calm_day_fits_a_few_lines() {
        insta::assert_snapshot!(plain(&calm()));
    }

    #[test]
    fn deletions_that_are_held_are_told_with_why_unless_somebody_stopped_them() {
        let mut page = calm();
        let control = |why: &str| {
            let (by, at) = (Actor::role("action-controller", "pod-a.1"), at("10:00:00"));
            Some(ControlInForce { by, at, why: Some(why.to_owned()), until: None })
        };
        page.hold = control("the deletions of `ci-1` do not end");
        let deletions = |page: &Overview| {
            let text = plain(page);
            text.lines().find(|line| line.starts_with("deletions")).unwrap().to_owned()
        };
        let held = deletions(&page);
        assert!(held.contains("held by action-controller/pod-a.1"), "{held}");
        assert!(held.ends_with(": the deletions of `ci-1` do not end"), "{held}");
        page.stop = control("a look");
        assert!(deletions(&page).contains("stopped by"), "{}", deletions(&page));
    }

    #[test]
    fn what_is_wrong_is_told_with_since_when_and_why() {
        let by = Actor::person("bob");
        let mut page = calm();
        page.stop =
            Some(ControlInForce { by: by.clone(), at: at("10:00:00"), why: Some("maintenance".into()), until: None });
        page.approval = Some(ControlInForce { by, at: at("09:30:00"), why: None, until: Some(at("10:30:00")) });
        page.configuration.here = "decaf".into();
        page.controllers[0].alive = false;
        page.controllers[0].retries = vec![JobRetry {
            reason: "refused".into(),
            what: "exceeded quota".into(),
            since: at("09:54:00"),
            times: 4,
            not_before: at("10:04:08"),
        }];
        page.collectors.clear();
        let (source, why) = ("prometheus".into(), "it does not answer".into());
        page.outages = vec![Outage { source, since: at("10:01:00"), why }];
        page.channels = vec![ChannelLine {
            channel: "webhook".into(),
            state: ChannelState::Broken,
            since: Some(at("09:44:00")),
            why: Some("it answered 401 Unauthorized".into()),
            answer: Some("invalid_token".into()),
            waiting: 5,
            undeliverable: 1,
        }];
        page.wait_for_evidence = 2;
        page.workers.dead = 2;
        page.under_way = vec![UnderWay {
            namespace: "ci-1".into(),
            uid: Uid::new("u1"),
            entry: 7,
            holder: "action/pod-w.1".into(),
            since: at("10:03:58"),
            until: at("10:04:43"),
        }];
        page.under_way_in_all = 1;
        let why = "it has been due since 2026-08-17 09:30:00 UTC, and nothing was tried yet".into();
        page.stuck = vec![StuckLine { namespace: "ci-2".into(), uid: Uid::new("u2"), since: at("09:45:00"), why }];
        page.stuck_in_all = 3;
        insta::assert_snapshot!(plain(&page));
    }
}
