//! `nsm stop`, `nsm resume` and `nsm approve`: what people decree for all namespaces.

use api::{
    Approved,
    answers::decree::{self, Decreed},
};
use common::{clock::Clock, cluster::Cluster, config::Settings, stop::Switchboard, store::SharedStore};
use jiff::SignedDuration;
use lifecycle::Actor;

use crate::{
    failure::{Code, Failure},
    reach::{Reach, local_user},
    screen::Screen,
    view::moment::both,
};

pub(super) async fn stop(reach: &Reach<'_>, screen: &Screen, reason: Option<String>) -> Result<(), Failure> {
    let decreed = match reach.remote()? {
        Some(api) => api.stop(reason).await?,
        None => {
            let edges = Edges::find(reach).await?;
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
            let edges = Edges::find(reach).await?;
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
    async fn find(reach: &Reach<'_>) -> Result<Self, Failure> {
        let settings = reach.settings()?;
        let store = match &settings.guard.stop_policy {
            // The other half of a stop can be thrown all the same, and waits for nothing.
            Some(_) => reach.store_at_once(&settings).await.map_err(|failure| failure.text),
            None => Ok(reach.store(&settings).await?),
        };
        let cluster = reach.cluster().await.map_err(|failure| failure.text);
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

fn me() -> Actor {
    Actor::person(&local_user())
}
