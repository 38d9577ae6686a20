//! `nsm stop`, `nsm resume` and `nsm approve`: what people decree for all namespaces.

use std::{convert::Infallible, time::Duration};

use api::{
    Approved,
    answers::decree::{self, Decreed},
};
use common::{
    clock::Clock,
    cluster::{Cluster, bind},
    config::Settings,
    stop::Switchboard,
    store::SharedStore,
};
use jiff::SignedDuration;
use lifecycle::Actor;
use tokio::time::sleep;

use crate::{
    failure::{Code, Failure},
    reach::{Reach, local_user},
    screen::Screen,
    view::moment::both,
};

/// After how long somebody who waits is told what holds already.
const TOLD_AFTER: Duration = Duration::from_secs(2);

pub(super) async fn stop(reach: &Reach<'_>, screen: &Screen, reason: Option<String>) -> Result<(), Failure> {
    let decreed = match reach.remote()? {
        Some(api) => api.stop(reason).await?,
        None => {
            let edges = Edges::find(reach, Some(screen)).await?;
            decree::stop(&edges.board(), reason).await?
        }
    };
    screen.answer(&decreed, |_| {
        let fenced = match decreed.fenced.as_slice() {
            [] => "none was under way".to_owned(),
            names => format!("what was under way was cut off: {}", names.join(", ")),
        };
        format!("all deletions are stopped until `nsm resume`; {fenced}\n")
    })?;
    if decreed.is_whole() {
        return Ok(());
    }
    let uncut = |which: &String| format!("a deletion that was under way could not be cut off: {which}");
    let wrong: Vec<_> = decreed.failed.iter().cloned().chain(decreed.not_fenced.iter().map(uncut)).collect();
    Err(Failure::new(Code::Failed, format!("the stop holds, but:\n  {}", wrong.join("\n  "))))
}

pub(super) async fn resume(reach: &Reach<'_>, screen: &Screen, reason: Option<String>) -> Result<(), Failure> {
    let decreed = match reach.remote()? {
        Some(api) => api.resume(reason).await?,
        None => {
            let edges = Edges::find(reach, None).await?;
            decree::resume(&edges.board(), reason).await?
        }
    };
    screen.answer(&decreed, |_| match (&decreed.ended, decreed.unbound) {
        (Some(stop), _) => format!("deletions go on; {} had stopped them {}\n", stop.by, both(stop.at, decreed.at)),
        (None, true) => "deletions go on; only the apiserver had refused them\n".to_owned(),
        (None, false) => "nothing was stopped\n".to_owned(),
    })
}

pub(super) async fn approve(reach: &Reach<'_>, screen: &Screen, period: SignedDuration) -> Result<(), Failure> {
    let decreed = match reach.remote()? {
        Some(api) => {
            let period = format!("{}s", period.as_secs_f64());
            api.approve(&Approved { period: Some(period), store: false }).await?
        }
        None => {
            let store = reach.store(&reach.settings()?).await?;
            decree::approve(&*store, &me(), period, reach.now()).await?
        }
    };
    screen.answer(&decreed, |_| {
        let until = decreed.until.unwrap_or(decreed.at);
        format!("until {} deletions may go beyond the wave, within the budget\n", both(until, decreed.at))
    })?;
    if decreed.doubt.is_some() {
        screen.note("this store is in doubt, and nothing is deleted until `nsm approve --store`");
    }
    Ok(())
}

pub(super) async fn vouch(reach: &Reach<'_>, screen: &Screen) -> Result<(), Failure> {
    let decreed: Decreed = match reach.remote()? {
        Some(api) => api.approve(&Approved { period: None, store: true }).await?,
        None => {
            let store = reach.store(&reach.settings()?).await?;
            decree::vouch(&*store, &me(), reach.now()).await?
        }
    };
    screen.answer(&decreed, |_| match &decreed.doubt {
        Some(doubt) => {
            let why = doubt.why.as_deref().unwrap_or_default();
            format!("this store counts as the right one; it was doubted over {why}\n")
        }
        None => "nobody doubts this store; nothing was changed\n".to_owned(),
    })
}

/// The store and the cluster, each as far as it is there, and who decrees.
struct Edges {
    settings: Settings,
    store: Result<SharedStore, String>,
    cluster: Result<Cluster, String>,
    actor: Actor,
    clock: Clock,
}

impl Edges {
    /// Whoever is to stop tells on which screen: then the apiserver refuses from the first moment on, however long the store
    /// takes to answer.
    async fn find(reach: &Reach<'_>, stops: Option<&Screen>) -> Result<Self, Failure> {
        let settings = reach.settings()?;
        let cluster = reach.cluster().await.map_err(|failure| failure.text);
        let store = match (stops, &settings.guard.stop_policy, &cluster) {
            (Some(screen), Some(policy), Ok(cluster)) => tokio::select! {
                store = reach.store(&settings) => store,
                never = refuse(cluster, policy, screen) => match never {},
            },
            _ => reach.store(&settings).await,
        };
        let store = match store {
            Ok(store) => Ok(store),
            // The other half of a stop can be thrown all the same.
            Err(failure) if settings.guard.stop_policy.is_some() => Err(failure.text),
            Err(failure) => return Err(failure),
        };
        Ok(Self { settings, store, cluster, actor: me(), clock: reach.clock() })
    }

    fn board(&self) -> Switchboard<'_> {
        Switchboard {
            store: self.store.as_deref().map_err(Clone::clone),
            cluster: self.cluster.as_ref().map_err(Clone::clone),
            keys: &self.settings.policies.keys,
            policy: self.settings.guard.stop_policy.as_deref(),
            actor: &self.actor,
            clock: &self.clock,
        }
    }
}

/// Has the apiserver refuse, and says so to whoever still waits. Whether it does is found out by the stop itself, which asks
/// for it again.
async fn refuse(cluster: &Cluster, policy: &str, screen: &Screen) -> Infallible {
    if bind(cluster, policy).await.is_ok() {
        sleep(TOLD_AFTER).await;
        screen.note("the apiserver refuses all deletions by now; the store is waited for to know what was under way");
    }
    std::future::pending().await
}

fn me() -> Actor {
    Actor::person(&local_user())
}
