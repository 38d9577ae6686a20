//! What `nsm status` and `nsm workers` say.

use common::{
    heartbeat::{CurrentTask, JobRetry, Outage},
    status::{ChannelLine, ControlInForce, Overview, StuckLine, UnderWay, Use, WorkerLine},
};
use lifecycle::{Actor, Mode, Uid, channel::ChannelState};

use super::{
    super::{fixtures::at, status, workers},
    Part,
};

pub(super) fn parts() -> Vec<Part> {
    vec![
        Part { title: "nsm status: a calm day", lines: vec![("all is well".to_owned(), text(&status::tests::calm()))] },
        Part { title: "nsm status: the lines that change", lines: states() },
        Part { title: "nsm workers", lines: workers() },
    ]
}

fn text(page: &Overview) -> String {
    anstream::adapter::strip_str(&status::text(page, "ten minutes")).to_string()
}

/// The lines of a day that a calm one does not have.
fn changed(change: impl FnOnce(&mut Overview)) -> String {
    let calm = text(&status::tests::calm());
    let mut day = status::tests::calm();
    change(&mut day);
    let lines: Vec<_> =
        text(&day).lines().filter(|line| !calm.lines().any(|it| it == *line)).map(str::to_owned).collect();
    lines.join("\n")
}

fn control(by: Actor, why: &str) -> ControlInForce {
    ControlInForce { by, at: at("10:00:00"), why: Some(why.to_owned()), until: None }
}

/// By the field that says it: one that is added has to be listed.
fn states() -> Vec<(String, String)> {
    let role = || Actor::role("collector", "pod-c.1");
    let mut lines = Vec::new();
    let mut say = |state: &str, change: fn(&mut Overview)| lines.push((state.to_owned(), changed(change)));
    let Overview {
        at: _,
        mode: _,
        configuration: _,
        stop: _,
        approval: _,
        mismatch: _,
        hold: _,
        controllers: _,
        collectors: _,
        outages: _,
        channels: _,
        checks: _,
        deleted: _,
        workers: _,
        backlog: _,
        namespaces: _,
        managed: _,
        under_way: _,
        under_way_in_all: _,
        stuck: _,
        stuck_in_all: _,
        wait_for_evidence: _,
        marker_mismatches: _,
        budget: _,
        unannounced: _,
    } = status::tests::calm();
    say("mode observe", |day| day.mode = Mode::Observe);
    say("no configuration in force", |day| day.configuration.in_force = None);
    say("another configuration in force", |day| day.configuration.here = "decaf".to_owned());
    say("an approval", |day| {
        day.approval = Some(ControlInForce {
            by: Actor::person("bob"),
            at: at("09:30:00"),
            why: None,
            until: Some(at("10:30:00")),
        });
    });
    say("no controller", |day| day.controllers.clear());
    say("a controller that ended", |day| day.controllers[0].alive = false);
    say("no job is needed", |day| (day.controllers[0].running, day.controllers[0].wanted) = (0, 0));
    say("a job too few", |day| (day.controllers[0].running, day.controllers[0].wanted) = (1, 2));
    say("a job too many", |day| (day.controllers[0].running, day.controllers[0].wanted) = (1, 0));
    say("no collector", |day| day.collectors.clear());
    say("a collector that ended", |day| day.collectors[0].alive = false);
    say("an outage", |day| {
        let (source, why) = ("prometheus".to_owned(), "Prometheus cannot be reached: connection refused".to_owned());
        day.outages = vec![Outage { source, since: at("10:01:00"), why }];
    });
    say("deletions that wait for evidence", |day| day.wait_for_evidence = 2);
    say("a namespace whose record does not agree", |day| day.marker_mismatches = 1);
    say("dead workers", |day| day.workers.dead = 2);
    say("a backlog that nobody knows", |day| day.backlog = None);
    say("nothing managed", |day| {
        day.namespaces.clear();
        day.managed = 0;
    });
    say("a budget that is used up", |day| {
        day.budget = Use { used: 20, limit: 20, next: at("10:10:00") };
        day.unannounced = Use { used: 10, limit: 10, next: at("10:10:00") };
    });
    say("an attempt under way, and more than are listed", |day| {
        let (namespace, uid, holder) = ("ci-1".to_owned(), Uid::new("u1"), "action/pod-w.1".to_owned());
        day.under_way =
            vec![UnderWay { namespace, uid, entry: 7, holder, since: at("10:03:58"), until: at("10:04:43") }];
        day.under_way_in_all = 3;
    });
    say("something stuck, and more than is listed", |day| {
        let why = "it has been due since 2026-08-17 09:30:00 UTC, and nothing was tried yet".to_owned();
        day.stuck = vec![StuckLine { namespace: "ci-2".to_owned(), uid: Uid::new("u2"), since: at("09:45:00"), why }];
        day.stuck_in_all = 3;
    });
    lines.push(("a stop".to_owned(), changed(|day| day.stop = Some(control(Actor::person("bob"), "maintenance")))));
    let other = "namespace `ci-7`: its annotation `record` is of another store (epoch 2)";
    lines.push(("a store that may be another".to_owned(), changed(|day| day.mismatch = Some(control(role(), other)))));
    let hold = "the deletions of `ci-1` were accepted and do not end";
    lines.push(("a hold".to_owned(), changed(|day| day.hold = Some(control(role(), hold)))));
    for (reason, what) in [
        ("failed", "job `action-1` ended with exit code 1"),
        ("refused", "exceeded quota"),
        ("pending", "job `action-1` has not begun: no image"),
        ("unreachable", "the apiserver does not answer"),
    ] {
        let retry = JobRetry {
            reason: reason.to_owned(),
            what: what.to_owned(),
            since: at("09:54:00"),
            times: 4,
            not_before: at("10:04:08"),
        };
        lines.push((format!("jobs {reason}"), changed(|day| day.controllers[0].retries = vec![retry])));
    }
    let channel = |state: ChannelState, name: &str| {
        let why = (state != ChannelState::Working).then(|| "it answered 401 Unauthorized".to_owned());
        let answer = why.as_ref().map(|_| "invalid_token".to_owned());
        let since = why.as_ref().map(|_| at("09:44:00"));
        let line =
            ChannelLine { channel: "webhook".to_owned(), state, since, why, answer, waiting: 5, undeliverable: 1 };
        [(format!("a channel that {name}"), changed(|day| day.channels = vec![line]))]
    };
    lines.extend(every!(ChannelState {
        ChannelState::Working => channel(ChannelState::Working, "works"),
        ChannelState::Failing => channel(ChannelState::Failing, "fails"),
        ChannelState::Broken => channel(ChannelState::Broken, "is broken"),
    }));
    lines
}

fn workers() -> Vec<(String, String)> {
    let line = |alive, doing, admission_error| WorkerLine {
        instance: "pod-w.1".to_owned(),
        since: at("09:00:00"),
        last_heartbeat: at("09:59:50"),
        alive,
        doing,
        done: 12,
        failed: 1,
        config: "c".to_owned(),
        admission_error,
    };
    let doing =
        CurrentTask { task: "u1/delete/3".to_owned(), namespace: Some("ci-1".to_owned()), since: at("09:59:48") };
    let why = "the admission policy `nsm-mark` is not in force".to_owned();
    [
        ("busy", line(true, Some(doing), None)),
        ("idle", line(true, None, None)),
        ("without its admission policy", line(true, None, Some(why))),
        ("dead", line(false, None, None)),
    ]
    .map(|(state, line)| (state.to_owned(), workers::table(&[line], at("10:00:00")).text(None)))
    .into()
}
