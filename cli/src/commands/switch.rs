//! `nsm stop`, `nsm resume` and `nsm approve`: what people decree for all namespaces.

use std::collections::BTreeSet;

use common::{
    cluster::{Cluster, fence},
    config::Settings,
    controls::{self, Stop},
    history::{Appended, append, load},
    store::{Place, Store},
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{Actor, Fact, Uid, time::saturating_add};
use serde::Serialize;

use crate::{
    failure::{Code, Failure},
    reach::{Reach, local_user, snapshots},
    screen::Screen,
    view::moment::both,
};

/// How far back an attempt may have begun that still runs. Its own time is less than a minute.
const LOOK_BACK: SignedDuration = SignedDuration::from_mins(15);

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// How often an outcome is written again under the next number when somebody else's entry came first.
const TRIES: usize = 16;

/// What was decreed.
#[derive(Debug, Serialize)]
struct Decreed {
    /// `stop`, `resume`, `approve` or `vouch`.
    decree: &'static str,
    by: Actor,
    at: Timestamp,
    /// Until when an approval holds.
    until: Option<Timestamp>,
    /// The namespaces whose deletion was under way, and can no longer happen by it.
    fenced: Vec<String>,
    /// Those whose deletion may still happen, and why.
    not_fenced: Vec<String>,
}

pub(super) async fn stop(reach: &Reach<'_>, screen: &Screen, reason: Option<String>) -> Result<(), Failure> {
    let settings = reach.settings()?;
    let store = reach.store(&settings).await?;
    let mut decreed = Decreed::new("stop", reach.now());
    controls::set_stop(&*store, &decreed.by, &Stop { on: true, reason }, decreed.at).await?;
    // From here on nobody begins another attempt; those that began are fenced (safety.md section 2).
    decreed.fence_all(reach, &settings, &*store).await?;
    screen.answer(&decreed, |_| {
        let fenced = match decreed.fenced.as_slice() {
            [] => "none was under way".to_owned(),
            names => format!("what was under way was cut off: {}", names.join(", ")),
        };
        format!("all deletions are stopped until `nsm resume`; {fenced}\n")
    })?;
    if decreed.not_fenced.is_empty() {
        return Ok(());
    }
    let list = decreed.not_fenced.join("\n  ");
    let text = format!("the stop is written, but a deletion that was under way could not be cut off:\n  {list}");
    Err(Failure::new(Code::Failed, text))
}

pub(super) async fn resume(reach: &Reach<'_>, screen: &Screen, reason: Option<String>) -> Result<(), Failure> {
    let store = reach.store(&reach.settings()?).await?;
    let decreed = Decreed::new("resume", reach.now());
    let stopped = controls::stopped(&*store).await?;
    if stopped.is_some() {
        controls::set_stop(&*store, &decreed.by, &Stop { on: false, reason }, decreed.at).await?;
    }
    screen.answer(&decreed, |_| match &stopped {
        Some(stop) => {
            format!("deletions go on; {} had stopped them {}\n", stop.actor, both(stop.at, decreed.at))
        }
        None => "nothing was stopped\n".to_owned(),
    })
}

pub(super) async fn approve(reach: &Reach<'_>, screen: &Screen, period: SignedDuration) -> Result<(), Failure> {
    let store = reach.store(&reach.settings()?).await?;
    let mut decreed = Decreed::new("approve", reach.now());
    let until = controls::approve(&*store, &decreed.by, period, decreed.at).await?;
    decreed.until = Some(until);
    screen.answer(&decreed, |_| {
        format!("until {} deletions may go beyond the wave, within the budget\n", both(until, decreed.at))
    })?;
    if controls::doubt(&*store).await?.is_some() {
        screen.note("this store is in doubt, and nothing is deleted until `nsm approve --store`");
    }
    Ok(())
}

pub(super) async fn vouch(reach: &Reach<'_>, screen: &Screen) -> Result<(), Failure> {
    let store = reach.store(&reach.settings()?).await?;
    let decreed = Decreed::new("vouch", reach.now());
    let doubt = controls::vouch(&*store, &decreed.by, decreed.at).await?;
    screen.answer(&decreed, |_| match &doubt {
        Some(doubt) => format!(
            "this store counts as the right one; it was doubted over `{}`: {}\n",
            doubt.body.namespace, doubt.body.why
        ),
        None => "nobody doubts this store; nothing was changed\n".to_owned(),
    })
}

impl Decreed {
    fn new(decree: &'static str, at: Timestamp) -> Self {
        let by = Actor::person(&local_user());
        Self { decree, by, at, until: None, fenced: Vec::new(), not_fenced: Vec::new() }
    }

    async fn fence_all(&mut self, reach: &Reach<'_>, settings: &Settings, store: &dyn Store) -> Result<(), Failure> {
        let uids = under_way(store, self.at).await?;
        if uids.is_empty() {
            return Ok(());
        }
        let cluster = reach.cluster().await.map_err(|failure| failure.text);
        for uid in uids {
            let name = load(store, &uid).await?.name;
            let fenced = match &cluster {
                Ok(cluster) => cut_off(store, cluster, settings, &uid, &self.by, self.at).await,
                Err(why) => Err(why.clone()),
            };
            match fenced {
                Ok(true) => self.fenced.push(name),
                Ok(false) => {}
                Err(why) => self.not_fenced.push(format!("{name}: {why}")),
            }
        }
        Ok(())
    }
}

/// The namespaces with an attempt under way.
async fn under_way(store: &dyn Store, now: Timestamp) -> Result<BTreeSet<Uid>, Failure> {
    let open = snapshots(store).await?.into_iter().filter(|record| record.open.is_some());
    let mut suspected: BTreeSet<Uid> = open.map(|record| record.uid).collect();
    // Snapshots may lag.
    let mut after: Option<Place> = None;
    loop {
        let page = store.tail(saturating_add(now, -LOOK_BACK), after.as_ref(), PAGE).await?;
        let begun = page.iter().filter(|entry| matches!(entry.fact, Fact::ActionIntended(_)));
        suspected.extend(begun.map(|entry| entry.uid.clone()));
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(Place::of(last)),
            _ => break,
        }
    }
    let mut found = BTreeSet::new();
    for uid in suspected {
        if load(store, &uid).await?.open.is_some() {
            found.insert(uid);
        }
    }
    Ok(found)
}

/// Fences the open attempt on a namespace and closes it by what the fence proved. `false`: it had ended by itself.
async fn cut_off(
    store: &dyn Store,
    cluster: &Cluster,
    settings: &Settings,
    uid: &Uid,
    actor: &Actor,
    now: Timestamp,
) -> Result<bool, String> {
    let said = |error: &dyn std::error::Error| error.to_string();
    let mut record = load(store, uid).await.map_err(|error| said(&error))?;
    let Some(open) = record.open.clone() else { return Ok(false) };
    let keys = &settings.policies.keys;
    let proof =
        fence(cluster, &record.name, uid, keys, open.seq, &open.intended).await.map_err(|error| said(&error))?;
    let outcome = proof.outcome(open.seq, &open.intended);
    let done = matches!(outcome, Fact::ActionDone(_));
    for _ in 0..TRIES {
        if record.open.as_ref().is_none_or(|still| still.seq != open.seq) {
            break;
        }
        match append(store, &mut record, actor, outcome.clone(), now).await.map_err(|error| said(&error))? {
            Appended::Written => break,
            Appended::Conflict => record = load(store, uid).await.map_err(|error| said(&error))?,
        }
    }
    if done { Err("its deletion had been accepted before the stop".to_owned()) } else { Ok(true) }
}
