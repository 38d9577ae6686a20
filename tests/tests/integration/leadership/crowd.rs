//! Fifty candidates for one lease that expired a while ago, in this process.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, ensure};
use common::cluster::Cluster;
use common::config::Source;
use common::context::Context;
use common::leadership::lead;
use common::process::Running;
use common::{clock::Clock, http_client::HttpClient, liveness::Liveness, queue, store};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use testbed::{ControlPlane, HANG, User, eventually};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const CANDIDATES: usize = 50;

/// Long enough for the first of them to lead while all others connect.
const LEASE: &str = "15s";

/// Who leads now, and the most that ever did at a time.
#[derive(Debug, Default)]
struct Seats {
    taken: BTreeSet<String>,
    most: usize,
}

/// They all begin at once. One leads; when it is asked to end, another does; never two.
pub(crate) async fn contend() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    let cluster = Cluster::connect(Some(plane.kubeconfig(User::ADMIN)?), None).await?;
    let name = format!("crowd-{:08x}", rand::random::<u32>());
    let leases: Api<Lease> = Api::namespaced(cluster.client.clone(), "default");
    let long_ago = "2020-01-01T00:00:00.000000Z";
    let expired = json!({
        "metadata": {"name": format!("{name}-tester")},
        "spec": {"holderIdentity": "gone", "acquireTime": long_ago, "renewTime": long_ago, "leaseDurationSeconds": 6, "leaseTransitions": 1},
    });
    leases.create(&PostParams::default(), &serde_json::from_value(expired)?).await?;

    let directory = tempfile::tempdir()?;
    let variables = [
        ("HOME".to_owned(), directory.path().display().to_string()),
        ("NSM__LEADERSHIP__NAME".to_owned(), name),
        ("NSM__LEADERSHIP__LEASE".to_owned(), LEASE.to_owned()),
    ];
    let settings = Source::new(None, variables).load()?;
    let context = Context {
        store: store::open(&settings.store.url).await?,
        queue: queue::open(&settings.queue.url).await?,
        cluster,
        clock: Clock::system(),
        http: HttpClient::system(),
        liveness: Liveness::default(),
        settings: watch::channel(Arc::new(settings)).1,
        instance: String::new(),
    };
    let seats = Arc::new(Mutex::new(Seats::default()));
    let mut crowd = JoinSet::new();
    let mut cancels = Vec::new();
    for number in 0..CANDIDATES {
        let instance = format!("candidate-{number}");
        // Each has connections of its own, as processes have.
        let cluster = Cluster::connect(Some(plane.kubeconfig(User::ADMIN)?), None).await?;
        let context = Context { instance, cluster, liveness: Liveness::default(), ..context.clone() };
        let running = Running { context, cancel: CancellationToken::new() };
        cancels.push(running.cancel.clone());
        let seats = Arc::clone(&seats);
        crowd.spawn(lead("tester", running, move |running| async move {
            let seat = Seat::take(seats, running.context.instance);
            running.cancel.cancelled().await;
            drop(seat);
            Ok(())
        }));
    }

    let mut led = BTreeSet::new();
    for _ in 0..3 {
        let leader = eventually("another leads", HANG, async || {
            let seats = seats.lock().expect("nobody panics while holding it");
            let leader = seats.taken.first().cloned().context("nobody leads")?;
            ensure!(!led.contains(&leader), "`{leader}` leads still");
            Ok(leader)
        })
        .await?;
        let number: usize = leader.trim_start_matches("candidate-").parse()?;
        cancels[number].cancel();
        led.insert(leader);
    }
    let most = seats.lock().expect("nobody panics while holding it").most;
    ensure!(most == 1, "{most} led at a time");
    cancels.iter().for_each(CancellationToken::cancel);
    tokio::time::timeout(HANG, crowd.join_all()).await.context("they do not end")?;
    Ok(())
}

/// Taken while its work runs, whatever way that ends.
struct Seat(Arc<Mutex<Seats>>, String);

impl Seat {
    fn take(seats: Arc<Mutex<Seats>>, name: String) -> Self {
        {
            let mut seats = seats.lock().expect("nobody panics while holding it");
            seats.taken.insert(name.clone());
            seats.most = seats.most.max(seats.taken.len());
        }
        Self(seats, name)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.lock().expect("nobody panics while holding it").taken.remove(&self.1);
    }
}
