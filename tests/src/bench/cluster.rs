//! The cluster profile: the same program as its users install it, in pods, with two replicas of each controller, a broker and
//! a store behind it.
//!
//! The cluster is one for all numbers of namespaces, which are added to, so a later figure does not pay for a start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

use super::expiry::Spread;
use super::requests::{Verbs, Window};
use super::usage::Memory;
use super::{PREFIX, VISIBLE_FOR, crowd};
use crate::product::Build;
use crate::{AuditEvent, Installation, accepted_namespace_deletes, eventually};

/// What is measured unless it is said otherwise.
pub const SIZES: [usize; 3] = [50, 200, 1_000];

/// The parts that ask the apiserver, each as a user of its own.
pub(super) const PARTS: [&str; 5] = ["collect-controller", "action-controller", "collector", "action", "api"];
/// How many expire in the churn, and within how long.
const COUNT: u32 = 100;
const FIRST: Duration = Duration::from_secs(30);
const SPREAD: Duration = Duration::from_secs(60);
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// Everything measured with so many namespaces.
#[derive(Debug, Serialize)]
pub struct Size {
    pub namespaces: usize,
    /// From the creation of the namespaces until each shows its status.
    pub mirrored_seconds: f64,
    pub rest: Phase,
    pub churn: Phase,
    /// From the deadline in the record to the arrival of the accepted DELETE, of a hundred that expire within a minute.
    pub deadline_to_delete: Spread,
    /// Of the two pods that lead, together.
    pub leaders: Leaders,
}

/// What happened in a window of time.
#[derive(Debug, Default, Serialize)]
pub struct Phase {
    pub seconds: f64,
    /// Requests per minute by part and verb.
    pub requests: BTreeMap<String, BTreeMap<String, f64>>,
    /// Pods of ours that were started, per hour.
    pub pods_per_hour: f64,
}

/// The memory of the pods that lead, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Leaders {
    pub rss: u64,
    pub pss: u64,
}

/// Measures with each of `sizes`, in rising order; at rest for so long.
///
/// # Errors
/// The cluster or the release do not do what they are expected to.
pub async fn run(sizes: &[usize], rest: Duration) -> Result<Vec<Size>> {
    let say = |what: &str| eprintln!("cluster: {what}");
    say("starting a node, and installing the release");
    let directory = tempfile::tempdir()?;
    let home = Installation::prepare_with(&Build::Release.image(directory.path())?).await?;
    let mut values = home.values()?;
    let config = &mut values["config"];
    config["mode"] = json!("enforce");
    config["budget"] = json!({"at_least": 100_000, "unannounced": {"at_least": 100_000}});
    config["workers"] = json!({"min": 1, "max": 4});
    config["policies"] = json!([{
        "name": "bench",
        "match": {"all": [{"labels": {"bench": "crowd"}}]},
        "ttl": "7d",
        "visible_for": format!("{}s", VISIBLE_FOR.as_secs()),
        "checks": {"health": "off"},
    }]);
    home.release(&values).await?;
    let mut measured = Vec::new();
    let mut there = 0;
    for &namespaces in sizes {
        say(&format!("{namespaces} namespaces"));
        let began = Timestamp::now();
        crowd::create_more(&home.cluster.client().await?, there..namespaces.max(there)).await?;
        there = there.max(namespaces);
        are_mirrored(&home, there).await?;
        let mirrored_seconds = seconds(began, Timestamp::now());

        say("at rest");
        sleep(Duration::from_secs(15)).await;
        let resting = Window::during(rest).await;
        let leaders = leaders(&home).await?;

        say("100 namespaces expire within a minute");
        let from = Timestamp::now();
        let lifetimes: Vec<_> = (0..COUNT).map(|number| FIRST + SPREAD * number / (COUNT - 1)).collect();
        crowd::create_short_lived(&home.cluster.client().await?, &format!("short-of-{namespaces}"), &lifetimes).await?;
        let deadline_to_delete = deletions(&home, from).await?;
        let churning = Window::since(from);

        let audit = home.cluster.plane().audit()?;
        measured.push(Size {
            namespaces,
            mirrored_seconds,
            rest: Phase::of(&resting, &audit),
            churn: Phase::of(&churning, &audit),
            deadline_to_delete,
            leaders,
        });
    }
    Ok(measured)
}

impl Phase {
    fn of(window: &Window, audit: &[AuditEvent]) -> Self {
        let per_minute = window.per_minute();
        let requests = PARTS.map(|part| {
            let verbs: Verbs = window.verbs(audit, Some(&Installation::user(part)));
            (part.to_owned(), verbs.into_iter().map(|(verb, count)| (verb, count as f64 * per_minute)).collect())
        });
        let is_pod_of_ours = |event: &&AuditEvent| {
            event.verb == "create"
                && event.code().is_some_and(|code| code < 300)
                && event.object_ref.as_ref().is_some_and(|object| {
                    object.resource.as_deref() == Some("pods")
                        && object.subresource.is_none()
                        && object.namespace.as_deref() == Some(Installation::HOME)
                })
        };
        let pods = audit.iter().filter(is_pod_of_ours).filter(|event| window.has(event.received_at)).count();
        Self { seconds: 60.0 / per_minute, requests: requests.into(), pods_per_hour: pods as f64 * per_minute * 60.0 }
    }
}

/// Waits until so many namespaces show a status.
async fn are_mirrored(home: &Installation, count: usize) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(home.cluster.client().await?);
    let key = format!("{PREFIX}status");
    eventually("all namespaces show their status", START_TIMEOUT, async || {
        let listed = namespaces.list_metadata(&ListParams::default().labels("bench=crowd")).await?;
        let shown = listed.iter().filter(|namespace| namespace.annotations().contains_key(&key)).count();
        ensure!(shown >= count, "{shown} of {count} do");
        Ok(())
    })
    .await
}

/// Waits for the deletion of all that were made since `from` to expire.
async fn deletions(home: &Installation, from: Timestamp) -> Result<Spread> {
    let user = Installation::user("action");
    eventually("those that expired are deleted", START_TIMEOUT, async || {
        let deletes = accepted_namespace_deletes(&home.cluster.plane().audit()?);
        let arrived: BTreeMap<_, _> = deletes
            .into_iter()
            .filter(|delete| delete.user == user && delete.received_at >= from)
            .map(|delete| (delete.namespace, delete.received_at))
            .collect();
        ensure!(arrived.len() >= COUNT as usize, "{} of {COUNT} are", arrived.len());
        let ledger = home.ledger().await?;
        let mut late = Vec::new();
        for entry in ledger.histories.values().flat_map(|history| history.of_kind("Adopted")) {
            let Some(at) = arrived.get(&entry.name) else { continue };
            let deadline = entry.data.pointer("/deadline/at").and_then(serde_json::Value::as_str);
            let deadline: Timestamp = deadline.with_context(|| format!("`{}` has no deadline", entry.name))?.parse()?;
            late.push(seconds(deadline, *at));
        }
        ensure!(late.len() == arrived.len(), "the store knows {} of {}", late.len(), arrived.len());
        Ok(Spread::of(late))
    })
    .await
}

/// The processes of the pods that hold the leases.
async fn leaders(home: &Installation) -> Result<Leaders> {
    let leases: Api<Lease> = Api::namespaced(home.cluster.client().await?, Installation::HOME);
    let pods: Api<Pod> = Api::namespaced(home.cluster.client().await?, Installation::HOME);
    let mut all = Leaders::default();
    for controller in ["collect-controller", "action-controller"] {
        let lease = leases.get(&format!("{}-{controller}", Installation::RELEASE)).await?;
        let holder = lease.spec.and_then(|spec| spec.holder_identity).context("nobody leads")?;
        let pod = holder.split('.').next().context("a holder is a pod")?;
        let uid = pods.get(pod).await?.uid().context("a pod has a uid")?;
        let memory = Memory::of(process(controller, &uid)?)?;
        all.rss += memory.rss;
        all.pss += memory.pss;
    }
    Ok(all)
}

/// The process of this program in the pod with this uid, by its control group.
fn process(program: &str, pod: &str) -> Result<u32> {
    for entry in std::fs::read_dir("/proc")? {
        let path: PathBuf = entry?.path();
        let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
        let read = |file: &str| std::fs::read_to_string(path.join(file)).unwrap_or_default();
        if read("cgroup").contains(pod) && read("cmdline").contains(program) {
            return Ok(pid);
        }
    }
    anyhow::bail!("no process `{program}` of pod {pod}")
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}
