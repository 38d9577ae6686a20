//! Which of the alerts count, and for whom.

use std::collections::HashMap;

use common::config::PrometheusSettings;
use jiff::Timestamp;

use super::{
    alert::{Failing, bounded},
    answer::{Seen, State, Unclear},
};

/// The most alerts of one namespace that are kept whole; of others is known since when they fire.
pub(super) const MAX_ALERTS: usize = 50;

/// The longest name of a namespace (RFC 1123): an alert about a longer one is about nothing.
const MAX_NAME_LENGTH: usize = 63;

/// The label that names the namespace of an alert, unless another is set; and where Prometheus puts what an exporter said of it
/// when it names the exporter's own there (`honor_labels: false`).
const NAMESPACE: &str = "namespace";
const EXPORTED: &str = "exported_namespace";

/// What an answer says of all namespaces.
#[derive(Clone, Debug)]
pub(super) struct Sifted {
    /// Why it proves nothing that no alert fires, if so.
    pub(super) silence: Result<(), String>,
    /// By name.
    pub(super) namespaces: HashMap<String, Alerts>,
}

/// What an answer says of the namespaces of one name, the one that is there and those that were.
#[derive(Clone, Debug, Default)]
pub(super) struct Alerts {
    /// With the instant since when, the newest first: at most [`MAX_ALERTS`].
    pub(super) firing: Vec<(Timestamp, Failing)>,
    /// The others that fire.
    pub(super) older: Vec<Timestamp>,
    /// Since when the newest alert is pending that may have fired before Prometheus was started.
    pub(super) pending: Option<Timestamp>,
    /// Why it is not to be told whether something fires, if so.
    pub(super) unclear: Option<String>,
}

/// Keeps what counts, by namespace: what is about none, or nobody's, is left behind.
pub(super) fn sift(settings: &PrometheusSettings, seen: &[Seen], now: Timestamp) -> Sifted {
    let watchdog = watchdog(settings, seen);
    let mut namespaces: HashMap<String, Alerts> = HashMap::new();
    for seen in seen.iter().filter(|seen| counts(settings, seen)) {
        if seen.state == State::Inactive || (seen.state == State::Pending && !may_have_fired(settings, watchdog, seen))
        {
            continue;
        }
        let Some(name) = about(settings, seen).filter(|name| name.len() <= MAX_NAME_LENGTH) else { continue };
        let alerts = namespaces.entry(name.to_owned()).or_default();
        match seen.state {
            State::Firing => alerts.firing.push((seen.since, Failing::new(&seen.labels, &seen.annotations))),
            State::Pending => alerts.pending = alerts.pending.max(Some(seen.since)),
            State::Unclear(why) => alerts.unclear = Some(unclear(why, label(seen, "alertname").unwrap_or_default())),
            State::Inactive => {}
        }
    }
    for alerts in namespaces.values_mut() {
        alerts.firing.sort_unstable_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.cmp(y)));
        alerts.older =
            alerts.firing.split_off(alerts.firing.len().min(MAX_ALERTS)).into_iter().map(|(at, _)| at).collect();
    }
    Sifted { silence: silence(settings, watchdog, now), namespaces }
}

/// Since when the alert that always fires does. Of several, which several Prometheus may have, the youngest: what that
/// one cannot see yet is not known.
fn watchdog(settings: &PrometheusSettings, seen: &[Seen]) -> Option<Timestamp> {
    let name = settings.watchdog.as_deref()?;
    let is_it = |seen: &&Seen| seen.state == State::Firing && label(seen, "alertname") == Some(name);
    seen.iter().filter(is_it).filter(|seen| is_ours(settings, seen)).map(|seen| seen.since).max()
}

fn silence(settings: &PrometheusSettings, watchdog: Option<Timestamp>, now: Timestamp) -> Result<(), String> {
    let Some(name) = settings.watchdog.as_deref() else { return Ok(()) };
    let Some(since) = watchdog else {
        return Err(format!(
            "the alert `{name}`, which always fires, is missing, so that its rules may be missing too"
        ));
    };
    if settings.query.is_none() && now.duration_since(since) < settings.warm_up {
        let warm_up = lifecycle::duration::text(settings.warm_up);
        return Err(format!("Prometheus has evaluated its rules for less than {warm_up} so far"));
    }
    Ok(())
}

/// Whether an alert is pending since Prometheus was started. One whose rule waits for less than ten minutes
/// (`--rules.alert.for-grace-period`) begins to wait afresh then, though it fired before; one that waits for longer fires
/// again after two evaluations.
fn may_have_fired(settings: &PrometheusSettings, watchdog: Option<Timestamp>, seen: &Seen) -> bool {
    // What tells the value of an expression does not tell since when.
    let start = watchdog.filter(|_| settings.query.is_none());
    start.is_some_and(|start| seen.since.duration_since(start) <= settings.warm_up)
}

/// Whether an alert is one that says something is wrong.
fn counts(settings: &PrometheusSettings, seen: &Seen) -> bool {
    let Some(name) = label(seen, "alertname") else { return false };
    let severity = label(seen, "severity").unwrap_or_default();
    settings.watchdog.as_deref() != Some(name)
        && is_ours(settings, seen)
        && !settings.ignore_severities.contains(severity)
        && (severity == "critical" || !settings.allow.contains(name))
}

/// The namespace that an alert is about. Where the label is the usual one, and that names the namespace of the exporter, what
/// the exporter said itself stands in another.
fn about<'a>(settings: &PrometheusSettings, seen: &'a Seen) -> Option<&'a str> {
    let exported = || label(seen, EXPORTED).filter(|_| settings.namespace_label == NAMESPACE);
    label(seen, &settings.namespace_label).map(|name| exported().unwrap_or(name))
}

fn unclear(why: Unclear, alert: &str) -> String {
    match why {
        Unclear::State => {
            format!("the alert `{}` of Prometheus is in a state that is not known", bounded(alert).escape_debug())
        }
        Unclear::Value => "the query of Prometheus gives a value that is no number".to_owned(),
    }
}

/// Whether an alert is one of this cluster.
fn is_ours(settings: &PrometheusSettings, seen: &Seen) -> bool {
    settings.cluster.as_ref().is_none_or(|(name, value)| label(seen, name) == Some(value))
}

/// To Prometheus an empty label is none.
fn label<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    seen.labels.get(name).map(String::as_str).filter(|value| !value.is_empty())
}
