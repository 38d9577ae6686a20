//! The gauge of every managed namespace's status, under the names that dashboards already know, and those of the whole; and
//! what this process counts.

use axum::http::StatusCode;
use common::{
    config::Settings,
    exposition::Format,
    status,
    store::{Result, Store},
};
use jiff::Timestamp;
use lifecycle::{Record, Uid, pipeline::CiSystem};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// How many snapshots are read at once.
const PAGE_SIZE: usize = 500;

/// The labels of `namespace_manager_ns_status`, in the order of the page; what is not known reads `unknown`.
type Labels = Vec<(&'static str, String)>;

/// Webhooks by the system that sent them and what came of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks(Family<Vec<(&'static str, &'static str)>, Counter>);

impl Hooks {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help =
            "Webhooks of CI systems: accepted, ignored, refused (what they say is not taken), failed (it could not be)";
        registry.register("namespace_manager_hooks", help, self.0.clone());
    }

    /// Counts one, by how it was answered.
    pub(crate) fn answered(&self, system: CiSystem, status: StatusCode) {
        let outcome = match status {
            StatusCode::NO_CONTENT => "ignored",
            status if status.is_success() => "accepted",
            status if status.is_client_error() => "refused",
            _ => "failed",
        };
        self.0.get_or_create(&vec![("system", system.as_str()), ("outcome", outcome)]).inc();
    }
}

/// The metrics, from the store as it is now.
///
/// # Errors
/// When the store is out of reach.
pub(crate) async fn text(store: &dyn Store, settings: &Settings, format: Format, now: Timestamp) -> Result<String> {
    let statuses = Family::<Labels, Gauge>::default();
    let mut after: Option<Uid> = None;
    loop {
        let page = store.snapshots(after.as_ref(), PAGE_SIZE).await?;
        for record in page.iter().filter(|record| record.is_managed()) {
            statuses.get_or_create(&labels(record)).set(record.status.gauge());
        }
        match page.last() {
            Some(last) if page.len() == PAGE_SIZE => after = Some(last.uid.clone()),
            _ => break,
        }
    }
    let mut registry = Registry::default();
    let help = "Status of a managed namespace: ok 0, stale 1, failing 2, failed 3, unstable 4, cancelled 5, \
                superseded 6, unknown -1";
    registry.register("namespace_manager_ns_status", help, statuses);
    status::register(&status::overview(store, settings, now).await?, &settings.timings, &mut registry);
    Ok(format.encode(&registry))
}

fn labels(record: &Record) -> Labels {
    let of = |key| record.ci(key).unwrap_or("unknown").to_owned();
    vec![
        ("environment", of("environmentTier")),
        ("project", of("project")),
        ("team", of("team")),
        ("user", of("author")),
        ("pipelineId", of("pipelineId")),
        ("projectId", of("projectId")),
        ("namespace", record.name.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use common::{config::Source, store::Heartbeat};
    use lifecycle::{Status, event::Pair, record::Phase};
    use serde_json::json;

    use super::*;

    fn settings() -> Settings {
        Source::new(None, [("HOME".to_owned(), "/home/someone".to_owned())]).load().unwrap()
    }

    #[tokio::test]
    async fn a_managed_namespace_shows_its_status_under_the_known_names() {
        let directory = tempfile::tempdir().unwrap();
        let store =
            common::store::open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        let mut record = Record::new(Uid::new("u"));
        (record.name, record.phase, record.status, record.head) = ("ci-1".into(), Phase::Managed, Status::Stale, 1);
        record.ci = vec![Pair { k: "team".into(), v: "blue".into() }];
        store.put_snapshot(&record).await.unwrap();
        let mut gone = Record::new(Uid::new("v"));
        (gone.name, gone.phase, gone.head) = ("ci-2".into(), Phase::Gone, 1);
        store.put_snapshot(&gone).await.unwrap();

        let text = text(&*store, &settings(), Format::Classic, Timestamp::UNIX_EPOCH).await.unwrap();

        let line = "namespace_manager_ns_status{environment=\"unknown\",project=\"unknown\",team=\"blue\",\
                    user=\"unknown\",pipelineId=\"unknown\",projectId=\"unknown\",namespace=\"ci-1\"} 1\n";
        assert!(text.contains(line), "{text}");
        assert!(!text.contains("ci-2"), "{text}");
    }

    #[tokio::test]
    async fn the_counts_of_live_heartbeats_are_shown() {
        let directory = tempfile::tempdir().unwrap();
        let store =
            common::store::open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        let now: Timestamp = "2026-08-17T10:00:00Z".parse().unwrap();
        let heartbeat = async |role: &str, id: &str, last: &str, body| {
            let (id, role, at) = (format!("{role}/{id}"), role.to_owned(), last.parse().unwrap());
            store.heartbeat(&Heartbeat { id, role, started: Timestamp::UNIX_EPOCH, at, body }).await.unwrap();
        };
        let (lately, long_ago) = ("2026-08-17T09:59:00Z", "2026-08-17T09:58:00Z");
        heartbeat("action-controller", "p.1", lately, json!({"deleted": {"stale": 3, "failed": 0}})).await;
        heartbeat("action-controller", "p.0", long_ago, json!({"deleted": {"stale": 8}})).await;
        heartbeat("collect-controller", "k.1", lately, json!({"running": 1})).await;
        let checks = json!({"shard": 0, "of": 1, "slot": null, "watched": 1, "checks": {"known": 5, "unknown": 2}});
        heartbeat("collector", "c.1", lately, checks).await;

        let text = text(&*store, &settings(), Format::OpenMetrics, now).await.unwrap();

        let of = |family: &str| -> Vec<_> {
            let start = format!("namespace_manager_{family}_total");
            text.lines().filter_map(|line| line.strip_prefix(&start)).collect()
        };
        let mut deleted = of("ns_delete");
        deleted.sort_unstable();
        assert_eq!(deleted, ["{owner=\"p.1\",status=\"failed\"} 0", "{owner=\"p.1\",status=\"stale\"} 3"]);
        let mut checks = of("ns_check");
        checks.sort_unstable();
        assert_eq!(checks, ["{owner=\"c.1\",result=\"failure\"} 2", "{owner=\"c.1\",result=\"success\"} 5"]);
    }

    #[tokio::test]
    async fn before_the_first_namespace_there_is_an_answer() {
        let directory = tempfile::tempdir().unwrap();
        let store =
            common::store::open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        let text = text(&*store, &settings(), Format::Classic, Timestamp::UNIX_EPOCH).await.unwrap();
        assert!(text.contains("\nnamespace_manager_managed 0\n"), "{text}");
    }
}
