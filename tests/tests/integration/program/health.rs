//! Namespaces whose alerts fire: what they become, who is told, and that no outage moves them.

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use rusqlite::OptionalExtension;
use serde_json::{Value, json};
use testbed::audit_checker::Entry;
use testbed::receiver::{Answer, Receiver};
use testbed::relay::Relay;
use testbed::{Prometheus, eventually};

use crate::program::harness::{Demo, LATER, NO_DELETE, SOON, World, now, story, until};

/// The alert that always fires.
fn watchdog() -> Value {
    json!({"alert": "Watchdog", "expr": "vector(1)", "labels": {"severity": "none"}})
}

/// An alert that fires for this namespace.
fn down(demo: &Demo) -> Value {
    json!({
        "alert": "Down", "expr": "vector(1)", "labels": {"namespace": demo.name, "severity": "critical"},
        "annotations": {"runbook_url": "https://example.org/down"},
    })
}

/// From now on the alert fires for these namespaces, and for no other.
async fn fail(prometheus: &Prometheus, demos: &[&Demo]) -> Result<()> {
    let rules: Vec<_> = std::iter::once(watchdog()).chain(demos.iter().map(|demo| down(demo))).collect();
    prometheus.set_rules(&rules).await
}

/// Judged by this Prometheus, as often as this.
fn judged_by(prometheus: &Prometheus, every: &str, checks: Value) -> impl FnOnce(&mut Value) + use<> {
    let (url, every) = (prometheus.url(), every.to_owned());
    move |config| {
        config["prometheus"] = json!({"url": url, "warm_up": "0s"});
        config["health"]["check_every"] = json!(every);
        config["policies"][0]["checks"] = checks;
    }
}

/// Waits until it has this status.
async fn becomes(demo: &Demo, status: &str) -> Result<Entry> {
    demo.records("StatusChanged", |entry| entry.text("to") == Some(status)).await
}

#[tokio::test]
async fn what_goes_on_failing_is_told_and_deleted_and_what_recovers_stays() {
    let prometheus = Prometheus::start(&[watchdog()]).await.unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(204)).await.unwrap();
    let (url, checks) = (receiver.url(), json!({"settling_period": "2s", "grace_period": "8s"}));
    let patient = json!({"settling_period": "2s", "grace_period": "1h"});
    let judged_by = judged_by(&prometheus, "1s", checks);
    let configure = move |config: &mut Value| {
        judged_by(config);
        config["notices"] = json!({"webhook": {"url": url}});
        config["policies"][0]["on"] = json!({"failed": {"grace": "0"}});
        // What recovers has all the time that takes.
        let mut other = config["policies"][0].clone();
        other["name"] = json!("patient");
        other["match"]["all"][0]["labels"]["patient"] = json!("yes");
        other["checks"] = patient;
        config["policies"].as_array_mut().expect("a list").insert(0, other);
    };
    story(configure, async |world| {
        let name = format!("mended-{}", world.name);
        let mended = world.namespace_named(&name, &[world.label(), ("patient", "yes")], &[]).await?;
        let [lost, well] = [world.namespace(&[]).await?, world.namespace(&[]).await?];
        let _nsm = world.start().await?;
        for demo in [&lost, &mended, &well] {
            demo.shows("failing_resources", "[]").await?;
            demo.shows("status", "ok").await?;
        }
        fail(&prometheus, &[&lost, &mended]).await?;
        let shown = mended.shows("status", "failing").await?;
        ensure!(shown["status_timeframe"] == "1 hour", "{shown:?}");
        let failing: Value = serde_json::from_str(&shown["failing_resources"])?;
        let labels = json!({"alertname": "Down", "namespace": mended.name, "severity": "critical"});
        let expected = json!([{"labels": labels, "annotations": {"runbook_url": "https://example.org/down"}}]);
        ensure!(failing == expected, "{failing}");
        fail(&prometheus, &[&lost]).await?;
        mended.shows("status", "ok").await?;
        mended.shows("failing_resources", "[]").await?;

        let failed = becomes(&lost, "failed").await?;
        ensure!(failed.text("reason").is_some_and(|why| why.contains("the alert `Down` fires")), "{failed:?}");
        let sent = lost.records("NoticeSent", |_| true).await?;
        let post = receiver.posts().into_iter().find(|post| post.text("namespace") == lost.name);
        let post = post.context("its owner was told")?;
        ensure!((post.text("about"), post.text("status")) == ("failed", "failed"), "{post:?}");
        ensure!(post.text("reason").contains("the alert `Down` fires"), "{post:?}");
        let why = world.nsm_ok(&["why", &lost.name]).await?;
        ensure!(why.contains("the alert `Down` fires"), "{why}");

        lost.is_deleted().await?;
        let intended = lost.records("ActionIntended", |_| true).await?;
        ensure!(intended.seq > sent.seq && intended.text("cause") == Some("failed"), "{intended:?}");
        ensure!(intended.data["evidence"].to_string().contains("the alert `Down` fires"), "{intended:?}");
        mended.lives().await?;
        well.lives().await?;
        ensure!(lost.statuses()? == ["ok", "unstable", "failing", "failed"], "{:?}", lost.statuses());
        ensure!(mended.statuses()? == ["ok", "unstable", "failing", "ok"], "{:?}", mended.statuses());
        ensure!(well.statuses()? == ["ok"], "{:?}", well.statuses());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn while_prometheus_is_away_nothing_changes_and_its_time_does_not_count() {
    let prometheus = Prometheus::start(&[watchdog()]).await.unwrap();
    let checks = json!({"settling_period": "0", "grace_period": "12s"});
    story(judged_by(&prometheus, "1s", checks), async |world| {
        let lost = world.namespace(&[]).await?;
        fail(&prometheus, &[&lost]).await?;
        let nsm = world.start().await?;
        let failing = becomes(&lost, "failing").await?;
        prometheus.kill();
        nsm.says("the health of namespaces is not known").await?;
        let away = now();
        // Its grace period is over by the clock, and what needs no Prometheus goes on.
        world.witness().await?;
        until(away + SignedDuration::from_secs(14)).await?;
        world.witness().await?;
        ensure!(lost.statuses()?.last().is_some_and(|last| last == "failing"), "{:?}", lost.statuses());
        let page = eventually("the outage shows", LATER, async || {
            let page = world.nsm_ok(&["status"]).await?;
            ensure!(page.contains("prometheus since"), "{page}");
            Ok(page)
        });
        page.await?;
        let away = now().duration_since(away);
        prometheus.restart().await?;
        nsm.says("tells of the health of namespaces again").await?;
        let failed = becomes(&lost, "failed").await?;
        // Had that time counted, its grace period would have been over then.
        let counted = failed.at.duration_since(failing.at) - away;
        ensure!(counted > SignedDuration::from_secs(6), "{counted:#} counted, {away:#} away: {failing:?} {failed:?}");
        lost.is_deleted().await
    })
    .await;
}

#[tokio::test]
async fn what_recovered_since_is_not_deleted_although_nobody_judged_it_anew() {
    let prometheus = Prometheus::start(&[watchdog()]).await.unwrap();
    let judged_by = judged_by(&prometheus, "1h", json!({"settling_period": "0", "grace_period": "0"}));
    let configure = move |config: &mut Value| {
        judged_by(config);
        config["policies"][0]["visible_for"] = json!("1s");
        config["telemetry"]["log"] = json!("info,actions=debug");
    };
    story(configure, async |world| {
        world.begin_stopped().await?;
        let mended = world.namespace(&[]).await?;
        fail(&prometheus, &[&mended]).await?;
        fires(&prometheus, true).await?;
        let nsm = world.start().await?;
        let mend = async || {
            fail(&prometheus, &[]).await?;
            fires(&prometheus, false).await
        };
        world.changed_before_its_deletion(&mended, mend).await?;
        nsm.says(&format!("`{}` is not deleted now: no alert fires", mended.name)).await?;
        mended.lives().await?;
        ensure!(mended.history()?.of_kind("ActionIntended").next().is_none(), "{:?}", mended.kinds());
        fail(&prometheus, &[&mended]).await?;
        mended.is_deleted().await
    })
    .await;
}

/// Waits until more than the watchdog fires, or no more than that.
async fn fires(prometheus: &Prometheus, expected: bool) -> Result<()> {
    eventually(&format!("the alert fires: {expected}"), SOON, async || {
        let alerts = prometheus.alerts().await?;
        let fires = alerts.iter().any(|(name, state)| name == "Down" && state == "firing");
        ensure!(fires == expected, "{alerts:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn who_takes_over_goes_on_with_the_timers() {
    let prometheus = Prometheus::start(&[watchdog()]).await.unwrap();
    let checks = json!({"settling_period": "0", "grace_period": "1h"});
    story(judged_by(&prometheus, "3s", checks), async |world| {
        let lost = world.namespace(&[]).await?;
        fail(&prometheus, &[&lost]).await?;
        let mut first = world.start().await?;
        let failing = becomes(&lost, "failing").await?;
        eventually("some of its time is counted", LATER, async || {
            let until = looked_until(world)?.context("no collector has looked yet")?;
            ensure!(
                until.duration_since(failing.at) >= SignedDuration::from_secs(6),
                "{until}, failing since {}",
                failing.at
            );
            Ok(())
        })
        .await?;
        first.process().terminate(SOON).await?;
        let before = observed(world, &lost)?.context("it is written down")?;
        ensure!(before.counted() >= SignedDuration::from_secs(3), "{before:?}");

        // More than two looks are missing.
        until(before.looked_at + SignedDuration::from_secs(7)).await?;
        let _second = world.start().await?;
        let after = eventually("it is looked at again", SOON, async || {
            let after = observed(world, &lost)?.context("it is written down")?;
            ensure!(after.looked_at > before.looked_at, "{after:?}");
            Ok(after)
        });
        let after = after.await?;
        ensure!(after.counted() >= before.counted(), "{before:?} {after:?}");
        ensure!(
            after.status_since > before.status_since,
            "the time in between counts for nothing: {before:?} {after:?}"
        );
        Ok(())
    })
    .await;
}

/// What is written down of the health of a namespace.
#[derive(Debug, serde::Deserialize)]
struct Streak {
    status_since: jiff::Timestamp,
    looked_at: jiff::Timestamp,
}

impl Streak {
    /// How long the status is known to have stood.
    fn counted(&self) -> SignedDuration {
        self.looked_at.duration_since(self.status_since)
    }
}

/// Until when a collector has looked without a break, as its heartbeats tell while it runs.
fn looked_until(world: &World) -> Result<Option<jiff::Timestamp>> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(world.store(), flags)?;
    let query = "SELECT max(json_extract(document, '$.body.looked.until')) FROM heartbeats";
    let until = store.query_row(query, [], |row| row.get::<_, Option<String>>(0))?;
    Ok(until.map(|until| until.parse()).transpose()?)
}

fn observed(world: &World, demo: &Demo) -> Result<Option<Streak>> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(world.store(), flags)?;
    let query = "SELECT document FROM observations WHERE uid = ?1";
    let document = store.query_row(query, [&demo.uid], |row| row.get::<_, String>(0)).optional()?;
    let Some(document) = document else { return Ok(None) };
    let mut document: Value = serde_json::from_str(&document)?;
    Ok(Some(serde_json::from_value(document["health"].take())?))
}

#[tokio::test]
async fn what_has_failed_waits_by_name_while_nobody_can_look_again() {
    let prometheus = Prometheus::start(&[watchdog()]).await.unwrap();
    // No other source may stand in for it.
    let checks = json!({"health": "prometheus", "settling_period": "0", "grace_period": "0"});
    let judged_by = judged_by(&prometheus, "1s", checks);
    let configure = move |config: &mut Value| {
        judged_by(config);
        config["policies"][0]["visible_for"] = json!("15s");
        config["telemetry"]["log"] = json!("info,actions=debug");
    };
    story(configure, async |world| {
        let lost = world.namespace(&[]).await?;
        fail(&prometheus, &[&lost]).await?;
        let nsm = world.start().await?;
        becomes(&lost, "failed").await?;
        prometheus.kill();
        let skipped = lost.is_skipped("evidence").await?;
        ensure!(skipped.text("detail").is_some_and(|why| why.contains("Prometheus cannot be reached")), "{skipped:?}");
        let why = world.nsm_ok(&["why", &lost.name]).await?;
        ensure!(why.contains("it waits to be deleted: it is not known since"), "{why}");
        let page: Value = serde_json::from_str(&world.nsm_ok(&["status", "-o", "json"]).await?)?;
        ensure!((&page["wait_for_evidence"], &page["stuck"]) == (&json!(1), &json!([])), "{page}");

        // It is looked at again and again, and that is written down once.
        let words = format!("`{}` is not deleted now: Prometheus cannot be reached", lost.name);
        eventually("it is looked at again", LATER, async || {
            let log = nsm.log();
            ensure!(log.matches(&words).count() > 1, "{log}");
            Ok(())
        })
        .await?;
        lost.lives().await?;
        prometheus.restart().await?;
        lost.is_deleted().await?;
        let history = lost.history()?;
        ensure!(history.of_kind("ActionSkipped").count() == 1, "{:?}", lost.kinds());
        ensure!(lost.statuses()?.last().is_some_and(|last| last == "failed"), "{:?}", lost.statuses());
        Ok(())
    })
    .await;
}

/// A namespace has one turn in a sweep, and not one before its look and one after. Where a source does not answer, its turn
/// comes all the same.
#[tokio::test]
async fn a_sweep_judges_when_it_has_looked_and_without_an_answer_too() {
    let prometheus = Prometheus::start(&[watchdog()]).await.unwrap();
    let relay = Relay::start(prometheus.port()).await.unwrap();
    relay.freeze();
    let judged_by = judged_by(&prometheus, "1s", json!({"health": "prometheus"}));
    let url = format!("http://127.0.0.1:{}", relay.port());
    let configure = move |config: &mut Value| {
        judged_by(config);
        config["prometheus"]["url"] = json!(url);
    };
    story(configure, async |world| {
        let demo = world.namespace(&[("ttl", "1s")]).await?;
        world.is_over(std::slice::from_ref(&demo), 1).await?;
        let began = now();
        world.sweep(NO_DELETE).await?;
        ensure!(demo.kinds() == ["Adopted", "StatusChanged"] && demo.statuses()? == ["stale"], "{:?}", demo.kinds());
        let adopted = demo.history()?.of_kind("Adopted").next().context("it is managed")?.at;
        ensure!(adopted.duration_since(began) > SignedDuration::from_secs(9), "{adopted}, begun {began}");
        ensure!(demo.ours().await?["status"] == "stale", "{:?}", demo.ours().await?);
        Ok(())
    })
    .await;
}
