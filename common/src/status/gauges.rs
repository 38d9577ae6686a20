//! The page as gauges, for alerts: what `nsm status` shows to people, Prometheus sees all the time. With the counters that
//! ride on heartbeats.

use lifecycle::channel::ChannelState;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{ChannelLine, Overview};
use crate::{heartbeat::CheckCounts, timings::Timings};

/// Registers what the page says. Every gauge is there, also where it is 0: an alert must not wait for its first failure.
pub fn register(page: &Overview, timings: &Timings, registry: &mut Registry) {
    let window = timings.budget_window_text();
    let mut gauge = |name: &str, help: &str, value: u64| {
        let gauge = Gauge::<i64>::default();
        gauge.set(whole(value));
        registry.register(format!("namespace_manager_{name}"), help, gauge);
    };
    let differs = page.configuration.in_force.as_ref() != Some(&page.configuration.here);
    gauge("stopped", "Whether all deletions are stopped", page.stop.is_some().into());
    let help = "Whether deletions wait because those that were accepted do not end, for a reason that holds all";
    gauge("deletions_held", help, page.hold.is_some().into());
    gauge("store_mismatch", "Whether the store may be another one than before", page.mismatch.is_some().into());
    gauge(
        "marker_mismatches",
        "Namespaces whose record marker does not agree with their history, and which are therefore not deleted",
        page.marker_mismatches,
    );
    gauge("configuration_differs", "Whether another configuration is in force than the one here", differs.into());
    gauge("managed", "Namespaces that are managed", page.managed);
    gauge("under_way", "Deletions under way", page.under_way_in_all);
    gauge("budget_used", &format!("Deletions in these {window}"), page.budget.used);
    gauge("budget_limit", &format!("Deletions that are allowed in these {window}"), page.budget.limit);
    gauge("unannounced_used", &format!("Deletions that nobody foretold in these {window}"), page.unannounced.used);
    gauge(
        "unannounced_limit",
        &format!("Deletions that nobody foretold and that are allowed in these {window}"),
        page.unannounced.limit,
    );
    let collectors = page.collectors.iter().filter(|it| it.alive).count();
    gauge("collectors", "Collectors that were heard of lately", collectors.try_into().unwrap_or(u64::MAX));

    let outages = Family::<Vec<(&str, String)>, Gauge>::default();
    for outage in &page.outages {
        outages.get_or_create(&vec![("source", outage.source.clone())]).set(1);
    }
    registry.register("namespace_manager_source_outage", "A source of evidence that cannot be read", outages);

    let mut of_channels = |name: &str, help: &str, value: fn(&ChannelLine) -> u64| {
        let family = Family::<Vec<(&str, String)>, Gauge>::default();
        for line in &page.channels {
            family.get_or_create(&vec![("channel", line.channel.clone())]).set(whole(value(line)));
        }
        registry.register(format!("namespace_manager_{name}"), help, family);
    };
    let is_broken = |line: &ChannelLine| u64::from(line.state == ChannelState::Broken);
    of_channels("channel_outage", "Whether no notice gets through on a channel", is_broken);
    of_channels("notices_waiting", "Notices that are tried, and have not arrived yet", |line| line.waiting);
    let help = "Namespaces of whose deletion their owners could not be told";
    of_channels("notices_undeliverable", help, |line| line.undeliverable);

    let checks = Family::<Vec<(&str, String)>, Counter>::default();
    for (owner, of_owner) in &page.checks {
        for (result, count) in [("success", of_owner.known), ("failure", of_owner.unknown)] {
            let labels = vec![("owner", owner.clone()), ("result", result.to_owned())];
            checks.get_or_create(&labels).inc_by(count);
        }
    }
    registry.register("namespace_manager_ns_check", CheckCounts::HELP, checks);

    let contested = Family::<Vec<(&str, String)>, Counter>::default();
    for (owner, of_owner) in &page.checks {
        contested.get_or_create(&vec![("owner", owner.clone())]).inc_by(of_owner.contested);
    }
    registry.register("namespace_manager_annotations_contested", CheckCounts::CONTESTED_HELP, contested);

    let deleted = Family::<Vec<(&str, String)>, Counter>::default();
    for (owner, of_owner) in &page.deleted {
        for (status, count) in of_owner {
            deleted.get_or_create(&vec![("owner", owner.clone()), ("status", status.clone())]).inc_by(*count);
        }
    }
    let help = "Deletions that were accepted, by the status that led to them";
    registry.register("namespace_manager_ns_delete", help, deleted);

    let retries = Family::<Vec<(&str, &str)>, Gauge>::default();
    for role in ["collect-controller", "action-controller"] {
        let of_role = page.controllers.iter().filter(|it| it.role == role && it.alive);
        let count = of_role.map(|it| it.retries.len()).sum::<usize>().try_into().unwrap_or(u64::MAX);
        retries.get_or_create(&vec![("role", role)]).set(whole(count));
    }
    registry.register("namespace_manager_job_troubles", "What keeps Jobs from being as they should", retries);
}

fn whole(value: u64) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}
