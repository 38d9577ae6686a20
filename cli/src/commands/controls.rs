//! `nsm stop`, `nsm resume` and `nsm approve`: the controls people set for all namespaces.

use std::{convert::Infallible, sync::OnceLock, time::Duration};

use api::{
    Approved,
    queries::controls::{self, StopState},
};
use common::{
    cluster::{Cluster, bind},
    config::{Refused, Settings},
    heartbeat,
    stop::{Dependency, EmergencyStop, Unchanged, gone},
    store::{Store, StoreError},
};
use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use lifecycle::Actor;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    client::ApiClient,
    context::{CliContext, local_user},
    failure::{Code, Failure},
    output::Output,
    view::results,
};

/// Delay before a note tells the waiting user what is in force already.
const NOTE_DELAY: Duration = Duration::from_secs(2);

/// How long the switch has before a client of the cluster is built all the same. What follows, a login by a plugin and a
/// request, has to fit into half a stop.
const HEAD_START: Duration = Duration::from_secs(2);

/// Timeout of the check whether any process works on the store.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// A stop at the API.
pub(super) async fn stop_at(api: &ApiClient, screen: &Output, reason: Option<String>) -> Result<(), Failure> {
    told_to_stop(screen, &api.stop(reason).await?)
}

/// A stop beside the store that these settings name.
pub(super) async fn stop(
    reach: &CliContext<'_>,
    (settings, refused): (&Settings, Option<&Refused>),
    screen: &Output,
    reason: Option<String>,
) -> Result<(), Failure> {
    let mut recorded = activate(reach, settings, screen, reason).await?;
    if let Some(why) = refused.and_then(no_policy) {
        recorded.failed.push(format!("whether the apiserver is to refuse by itself is not known: {why}"));
    }
    told_to_stop(screen, &recorded)
}

fn told_to_stop(screen: &Output, recorded: &StopState) -> Result<(), Failure> {
    screen.answer(recorded, |_| results::stopped(recorded))?;
    if recorded.is_whole() { Ok(()) } else { Err(Failure::new(Code::Failed, results::stopped_in_part(recorded))) }
}

/// The end of a stop at the API.
pub(super) async fn resume_at(api: &ApiClient, screen: &Output, reason: Option<String>) -> Result<(), Failure> {
    told_to_resume(screen, &api.resume(reason).await?)
}

/// The end of a stop beside the store that these settings name.
pub(super) async fn resume(
    reach: &CliContext<'_>,
    (settings, refused): (&Settings, Option<&Refused>),
    screen: &Output,
    reason: Option<String>,
) -> Result<(), Failure> {
    told_to_resume(screen, &take_back(reach, settings, reason).await?)?;
    match refused.and_then(no_policy) {
        None => Ok(()),
        Some(why) => Err(Failure::new(
            Code::Failed,
            format!("whether the apiserver refuses by itself still is not known: {why}"),
        )),
    }
}

/// Why it is not known which admission policy is bound by a stop, if so.
fn no_policy(refused: &Refused) -> Option<&'static str> {
    refused.concerns("guard").then_some("`guard` of the configuration is wrong")
}

fn told_to_resume(screen: &Output, recorded: &StopState) -> Result<(), Failure> {
    screen.answer(recorded, |_| results::resumed(recorded))
}

pub(super) async fn approve(reach: &CliContext<'_>, screen: &Output, period: SignedDuration) -> Result<(), Failure> {
    let recorded = match reach.remote()? {
        Some(api) => {
            let period = format!("{}s", period.as_secs_f64());
            api.approve(&Approved { period: Some(period), store: false }).await?
        }
        None => {
            let store = reach.store(&reach.settings()?).await?;
            controls::approve(&*store, &me(), period, reach.now()).await?
        }
    };
    screen.answer(&recorded, |_| results::approved(&recorded))?;
    if recorded.mismatch.is_some() {
        screen.note(results::APPROVED_IN_VAIN);
    }
    Ok(())
}

pub(super) async fn trust_store(reach: &CliContext<'_>, screen: &Output) -> Result<(), Failure> {
    let recorded: StopState = match reach.remote()? {
        Some(api) => api.approve(&Approved { period: None, store: true }).await?,
        None => {
            let store = reach.store(&reach.settings()?).await?;
            controls::trust_store(&*store, &me(), reach.now()).await?
        }
    };
    screen.answer(&recorded, |_| results::trusted(&recorded))
}

/// A stop beside the store. The switch is written before a client of the cluster is built, which may run a plugin that logs
/// in; a store that lets itself be waited for holds the other half up for [`HEAD_START`].
async fn activate(
    reach: &CliContext<'_>,
    settings: &Settings,
    screen: &Output,
    reason: Option<String>,
) -> Result<StopState, Failure> {
    let (switched, actor, clock) = (CancellationToken::new(), me(), reach.clock());
    // Of what went wrong with the store.
    let code = OnceLock::new();
    let policy = settings.guard.stop_policy.as_deref();
    let cluster = {
        let switched = switched.clone();
        let cluster = async move {
            let _ = timeout(HEAD_START, switched.cancelled()).await;
            reach.cluster().await.map_err(|failure| failure.text)
        };
        cluster.boxed().shared()
    };
    let store = {
        let (cluster, code) = (cluster.clone(), &code);
        let store = async move {
            reach.store(settings).await.map_err(|failure| {
                let _ = code.set(failure.code);
                failure.text
            })
        };
        let store = async move {
            // Where the other half of the stop can be activated, the apiserver refuses however long the store takes.
            let Some(policy) = policy else { return store.await };
            tokio::select! {
                store = store => store,
                never = refuse(cluster, policy, screen) => match never {},
            }
        };
        store.boxed().shared()
    };
    let (keys, actor, clock) = (&settings.policies.keys, &actor, &clock);
    let board = EmergencyStop { store, cluster, keys, policy, actor, clock, switched };
    let unchanged = |why: Unchanged| Failure { code: code.get().copied().unwrap_or(Code::OutOfReach), ..why.into() };
    let recorded = controls::stop(&board, reason).await.map_err(unchanged)?;
    if let Ok(store) = board.store.clone().await
        && let Ok(Ok(false)) = timeout(ANSWER_TIMEOUT, is_anybody_here(&*store, clock.now())).await
    {
        screen.note(
            "nobody who works on this store was heard of lately; if something runs, it uses another store: see `nsm status`, \
             and `store.url` of its configuration",
        );
    }
    Ok(recorded)
}

/// Whether somebody who works on a store was heard of lately.
async fn is_anybody_here(store: &dyn Store, now: Timestamp) -> Result<bool, StoreError> {
    let heartbeats = store.heartbeats(heartbeat::MAX_HEARTBEATS).await?;
    Ok(heartbeats.iter().any(|heartbeat| heartbeat::is_alive(heartbeat.at, now)))
}

async fn take_back(reach: &CliContext<'_>, settings: &Settings, reason: Option<String>) -> Result<StopState, Failure> {
    let (actor, clock) = (me(), reach.clock());
    let store = match reach.store(settings).await {
        Err(failure) if settings.guard.stop_policy.is_none() => return Err(failure),
        store => store.map_err(|failure| failure.text),
    };
    let cluster = async { reach.cluster().await.map_err(|failure| failure.text) };
    let board = EmergencyStop {
        store: gone(store),
        cluster: cluster.boxed().shared(),
        keys: &settings.policies.keys,
        policy: settings.guard.stop_policy.as_deref(),
        actor: &actor,
        clock: &clock,
        switched: CancellationToken::new(),
    };
    Ok(controls::resume(&board, reason).await?)
}

/// Has the apiserver refuse, and says so to the user who still waits. Whether it does is found out by the stop itself, which asks
/// for it again.
async fn refuse(cluster: Dependency<'_, Cluster>, policy: &str, screen: &Output) -> Infallible {
    if let Ok(cluster) = cluster.await
        && bind(&cluster, policy).await.is_ok()
    {
        sleep(NOTE_DELAY).await;
        screen.note("the apiserver refuses all deletions by now; the store is waited for to know what was under way");
    }
    std::future::pending().await
}

fn me() -> Actor {
    Actor::person(&local_user())
}
