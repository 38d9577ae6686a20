//! The benchmark: what Namespace Manager costs a real control plane and the machine it runs on, and how soon it acts.
//!
//! For each number of namespaces a control plane of its own is started, filled and left to settle. Then, in this order:
//! the requests of everybody while nsm does not run ([`requests`]), a bare LIST ([`floor`]), the start of nsm until
//! everything is adopted and mirrored ([`start`]), a time at rest ([`rest`]), a hundred namespaces that expire within a
//! minute ([`expiry`]), and, with nsm stopped, bare PATCHes and DELETEs, and how long nobody leads when a leader ends ([`handover`]); then, on another control plane, a sweep over
//! namespaces with workloads in them ([`sweep`]). So each figure stands beside the floor that the same
//! servers on the same machine set in the same run, and the ratio of the two outlives the machine.
//!
//! It measures and judges nothing: what is to be reached is printed beside what was, and no test depends on it.

pub mod cluster;
mod crowd;
mod expiry;
mod floor;
mod handover;
mod ledger;
mod report;
mod requests;
mod rest;
mod scene;
mod start;
pub mod sweep;
mod usage;

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;

pub use report::{cluster_table, table};

/// What is measured unless it is said otherwise.
pub const SIZES: [usize; 4] = [50, 200, 1_000, 5_000];

/// How long a status stands on a namespace before the DELETE, in the configuration that is measured.
const VISIBLE_FOR: Duration = Duration::from_secs(5);

/// What begins the annotations of nsm.
const PREFIX: &str = "manager.cicd.skao.int/";

/// A whole run.
#[derive(Debug, Serialize)]
pub struct Run {
    pub began: Timestamp,
    pub took_seconds: f64,
    /// By git, where there is one.
    pub commit: Option<String>,
    pub processors: usize,
    pub rest_seconds: f64,
    pub sizes: Vec<Size>,
    /// The same program in pods, where that was measured.
    pub cluster: Vec<cluster::Size>,
}

/// Everything measured with so many namespaces.
#[derive(Debug, Serialize)]
pub struct Size {
    pub namespaces: usize,
    /// The average number of processes that ran or waited for a processor during the last minute, when it began and when
    /// it ended. The benchmark's own servers are among them.
    pub load: [f64; 2],
    pub start: start::Start,
    pub rest: rest::Rest,
    pub expiry: expiry::Expiry,
    pub floors: floor::Floors,
    pub sweep: sweep::Sweep,
    /// From SIGTERM until nsm has ended.
    pub end_seconds: f64,
    pub handover: handover::HandOver,
}

/// Measures one process with each of `sizes`, and the installation in a cluster with each of `in_cluster`; at rest for so long.
///
/// # Errors
/// The control plane, nsm or the release do not do what they are expected to.
pub async fn run(sizes: &[usize], in_cluster: &[usize], rest: Duration) -> Result<Run> {
    let began = Timestamp::now();
    let mut measured = Vec::new();
    for &namespaces in sizes {
        measured.push(measure(namespaces, rest).await?);
    }
    let cluster = if in_cluster.is_empty() { Vec::new() } else { cluster::run(in_cluster, rest).await? };
    Ok(Run {
        began,
        took_seconds: Timestamp::now().duration_since(began).as_secs_f64(),
        commit: usage::commit(),
        processors: std::thread::available_parallelism()?.get(),
        rest_seconds: rest.as_secs_f64(),
        sizes: measured,
        cluster,
    })
}

async fn measure(namespaces: usize, length: Duration) -> Result<Size> {
    let say = |what: &str| eprintln!("{namespaces} namespaces: {what}");
    let load = usage::load()?;
    let scene = scene::Scene::new().await?;
    crowd::create(&scene, namespaces).await?;

    say("the servers at rest, without nsm");
    let idle = requests::Window::during(length).await;
    let list = floor::list(&scene).await?;

    say("start of nsm");
    let (mut manager, start) = start::measure(&scene, namespaces).await?;
    say("at rest");
    let rest = rest::measure(&scene, &mut manager, length).await?;
    say("100 namespaces expire within a minute");
    let expiry = expiry::measure(&scene, &mut manager).await?;
    let memory = usage::Memory::of(manager.id())?;
    let end_seconds = manager.stop().await?.as_secs_f64();

    say("bare requests");
    let patch = floor::patch(&scene, namespaces).await?;
    let delete = floor::delete(&scene, namespaces).await?;

    say("two controllers, of which one leads");
    let handover = handover::measure(&scene).await?;

    let audit = scene.plane.audit()?;
    let sweep = sweep::measure(namespaces).await?;
    Ok(Size {
        namespaces,
        load: [load, usage::load()?],
        start: start.with_requests(&audit),
        rest: rest.with_requests(&audit, &idle),
        expiry: expiry.with_requests(&audit, memory)?,
        floors: floor::Floors { list, patch, delete },
        sweep,
        end_seconds,
        handover,
    })
}
