//! The races of an election, with an apiserver that answers as late as a story wants, in paused time.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{clock::Clock, cluster::Cluster, config::Source, context::Context, http_client::HttpClient, queue, store};

const LEASE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(50);

/// One Lease, and how long it takes to answer: a request counts at once, or never where the server is `frozen`.
#[derive(Clone, Debug, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lease: Option<Value>,
    version: u64,
    delay: Duration,
    frozen: bool,
}

impl Server {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    fn holder(&self) -> String {
        self.with(|state| text(state.lease.as_ref().map(|lease| &lease["spec"]["holderIdentity"])))
    }

    /// Somebody else patches the Lease, without a condition, as the crate does.
    fn is_taken_by(&self, name: &str) {
        self.with(|state| state.patch(&json!({"spec": {"holderIdentity": name}})));
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let method = request.method().clone();
        let bytes = request.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let delay = self.with(|state| state.delay);
        if self.with(|state| state.frozen) {
            std::future::pending::<()>().await;
        }
        let (code, answer) = self.with(|state| match method {
            Method::POST => {
                state.patch(&body);
                (StatusCode::CREATED, state.lease.clone().unwrap())
            }
            Method::PATCH if state.is_stale(&body) => (StatusCode::CONFLICT, status(409)),
            Method::PATCH => {
                state.patch(&body);
                (StatusCode::OK, state.lease.clone().unwrap())
            }
            _ => match &state.lease {
                Some(lease) => (StatusCode::OK, lease.clone()),
                None => (StatusCode::NOT_FOUND, status(404)),
            },
        });
        sleep(delay).await;
        Ok(Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap())
    }
}

impl State {
    fn is_stale(&self, body: &Value) -> bool {
        let wanted = &body["metadata"]["resourceVersion"];
        wanted.as_str().is_some_and(|wanted| wanted != self.version.to_string())
    }

    fn patch(&mut self, body: &Value) {
        self.version += 1;
        let lease = self.lease.get_or_insert_with(|| json!({"metadata": {"name": "lease"}, "spec": {}}));
        for (key, value) in body["spec"].as_object().unwrap() {
            lease["spec"][key] = value.clone();
        }
        lease["metadata"]["resourceVersion"] = self.version.to_string().into();
    }
}

fn status(code: u16) -> Value {
    json!({"kind": "Status", "status": "Failure", "reason": "", "message": "", "code": code})
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A candidate that does nothing but lead.
struct Candidate {
    tasks: JoinSet<anyhow::Result<()>>,
    cancel: CancellationToken,
    leads: Arc<Mutex<bool>>,
    liveness: Liveness,
}

impl Candidate {
    async fn start(server: &Server, instance: &str) -> Self {
        Self::start_behind(server, instance, Arc::default()).await
    }

    /// One that reaches the server for as long as it is not `cut_off`.
    async fn start_behind(server: &Server, instance: &str, cut_off: Arc<AtomicBool>) -> Self {
        let server = server.clone();
        let service = tower::service_fn(move |request| {
            let (server, cut_off) = (server.clone(), Arc::clone(&cut_off));
            async move {
                if cut_off.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                server.answer(request).await
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let settings = Source::new(None, [("HOME".to_owned(), dir.path().display().to_string())]).load().unwrap();
        let running = Running {
            context: Context {
                store: store::open(&settings.store.url).await.unwrap(),
                queue: queue::open("memory:").await.unwrap(),
                cluster: Cluster::through(service),
                clock: Clock::system(),
                http: HttpClient::system(),
                liveness: Liveness::default(),
                settings: tokio::sync::watch::channel(Arc::new(settings)).1,
                instance: instance.to_owned(),
            },
            cancel: CancellationToken::new(),
        };
        let (cancel, leads) = (running.cancel.clone(), Arc::new(Mutex::new(false)));
        let liveness = running.context.liveness.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(lead("tester", running, {
            let leads = Arc::clone(&leads);
            move |running| async move {
                let leading = Leading::begin(leads);
                running.cancel.cancelled().await;
                drop(leading);
                Ok(())
            }
        }));
        Self { tasks, cancel, leads, liveness }
    }

    fn leads(&self) -> bool {
        *self.leads.lock().unwrap()
    }

    async fn ends(&mut self) -> Result<(), String> {
        self.tasks.join_next().await.unwrap().unwrap().map_err(|error| error.to_string())
    }
}

/// Whatever way it ends, the work is over then.
struct Leading(Arc<Mutex<bool>>);

impl Leading {
    fn begin(leads: Arc<Mutex<bool>>) -> Self {
        *leads.lock().unwrap() = true;
        Self(leads)
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = false;
    }
}

/// Lets time pass in small steps, as long as a condition does not hold. Returns how long that was.
async fn pass_until(condition: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LEASE * 100, "it never came to be");
        sleep(STEP).await;
    }
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_first_leads_and_when_asked_to_end_leaves_the_lease_to_the_next() {
    let server = Server::default();
    let mut one = Candidate::start(&server, "one").await;
    assert!(pass_until(|| one.leads()).await < LEASE / 2);
    let two = Candidate::start(&server, "two").await;
    sleep(LEASE * 3).await;
    assert!(one.leads() && !two.leads());
    one.cancel.cancel();
    assert_eq!(one.ends().await, Ok(()));
    assert!(pass_until(|| two.leads()).await <= LEASE / 2);
}

/// Wherever between two renewals it dies.
#[tokio::test(start_paused = true)]
async fn another_leads_within_two_leases_after_the_leader_died() {
    for part in 0..5 {
        let server = Server::default();
        let one = Candidate::start(&server, "one").await;
        pass_until(|| one.leads()).await;
        let two = Candidate::start(&server, "two").await;
        sleep(LEASE + LEASE / MAX_READS / 5 * part).await;
        assert!(one.leads() && !two.leads());
        drop(one);
        let waited = pass_until(|| two.leads()).await;
        assert!(waited <= LEASE * 2, "it waited {waited:?}");
    }
}

/// One that reaches nobody stops by itself, and by then no other leads.
#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_has_stopped_when_another_leads_within_two_leases() {
    let (server, cut_off) = (Server::default(), Arc::new(AtomicBool::new(false)));
    let mut one = Candidate::start_behind(&server, "one", Arc::clone(&cut_off)).await;
    pass_until(|| one.leads()).await;
    let two = Candidate::start(&server, "two").await;
    sleep(LEASE).await;
    cut_off.store(true, Ordering::Relaxed);
    let waited = pass_until(|| two.leads()).await;
    assert!(waited <= LEASE * 2, "it waited {waited:?}");
    assert!(!one.leads());
    assert!(one.ends().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_renewal_is_not_answered_stops_within_its_lease() {
    let server = Server::default();
    let mut one = Candidate::start(&server, "one").await;
    pass_until(|| one.leads()).await;
    server.with(|state| state.frozen = true);
    assert!(pass_until(|| !one.leads()).await <= LEASE + STEP);
    assert_eq!(one.ends().await, Err("`one` no longer leads: its lease could not be kept for 10 s".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_renewal_is_answered_too_late_every_time_stops_too() {
    let server = Server::default();
    let mut one = Candidate::start(&server, "one").await;
    pass_until(|| one.leads()).await;
    server.with(|state| state.delay = Duration::from_secs(4));
    assert!(pass_until(|| !one.leads()).await <= LEASE + STEP);
    assert!(one.ends().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_comes_back_with_another_holder_is_no_renewal() {
    let server = Server::default();
    let mut one = Candidate::start(&server, "one").await;
    pass_until(|| one.leads()).await;
    // It reads its own name, is slow to renew, and meanwhile another writes over it.
    server.with(|state| state.delay = Duration::from_millis(1_000));
    sleep(LEASE / MAX_READS + Duration::from_millis(500)).await;
    server.is_taken_by("two");
    assert!(pass_until(|| !one.leads()).await <= LEASE / MAX_READS * 2);
    assert_eq!(one.ends().await, Err("`one` no longer leads: `two` does".to_owned()));
    assert_eq!(server.holder(), "two");
}

#[tokio::test(start_paused = true)]
async fn who_is_written_over_before_it_was_confirmed_never_leads() {
    let server = Server::default();
    let one = Candidate::start(&server, "one").await;
    pass_until(|| server.holder() == "one").await;
    server.is_taken_by("two");
    sleep(LEASE / 2).await;
    assert!(!one.leads());
}

#[tokio::test(start_paused = true)]
async fn who_was_slow_to_take_the_lease_waits_until_any_other_must_have_noticed() {
    let server = Server::default();
    server.with(|state| state.delay = Duration::from_millis(800));
    let one = Candidate::start(&server, "one").await;
    let began = Instant::now();
    pass_until(|| one.leads()).await;
    assert!(began.elapsed() >= LEASE, "it led after {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lease_without_sense_is_mended_and_taken() {
    for spec in [json!({}), json!({"holderIdentity": "gone"}), json!({"holderIdentity": "gone", "renewTime": null})] {
        let server = Server::default();
        server.with(|state| state.patch(&json!({"spec": spec})));
        let one = Candidate::start(&server, "one").await;
        assert!(pass_until(|| one.leads()).await <= LEASE / 2, "{spec}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_one_whose_clock_was_ahead_is_free_when_nobody_renews_it() {
    let server = Server::default();
    let spec = json!({
        "holderIdentity": "gone", "acquireTime": "2999-01-01T00:00:00.000000Z", "renewTime": "2999-01-01T00:00:00.000000Z",
        "leaseDurationSeconds": 10, "leaseTransitions": 3,
    });
    server.with(|state| state.patch(&json!({"spec": spec})));
    let one = Candidate::start(&server, "one").await;
    let waited = pass_until(|| one.leads()).await;
    assert!(LEASE < waited && waited <= LEASE * 2, "it waited {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_with_a_loop_that_is_stalled_lets_another_lead() {
    let server = Server::default();
    let mut one = Candidate::start(&server, "one").await;
    pass_until(|| one.leads()).await;
    let _stalled = one.liveness.watch("planner", Duration::from_secs(30));
    assert_eq!(one.ends().await, Err("`one` no longer leads: the planner has not turned for 91 s".to_owned()));
}
