//! Throwing the stop: the switch in the store and the binding in the apiserver, then a fence for everything that may
//! still be on its way, then the word that it holds (docs/design/protocol.md sections 2 and 3).

use std::time::Duration;

use futures::{
    FutureExt as _, StreamExt as _,
    future::{self, BoxFuture, Shared},
    stream,
};
use jiff::SignedDuration;
use lifecycle::{Actor, Event, Keys, Record, Uid, time::saturating_add};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    cluster::{Cluster, Fenced, bind, fence, unbind},
    controls::{self, ControlRecord, Stop},
    history::{Appended, append, load},
    identity,
    store::{EntryPosition, Result, SharedStore, Store},
};

/// How far back the histories are searched for open intents that no snapshot shows yet.
const SEARCHED: SignedDuration = SignedDuration::from_mins(15);

/// How many snapshots or entries are read at once.
const PAGE: usize = 500;

/// How often an outcome is written again under the next number when somebody else's entry came first.
const TRIES: usize = 8;

/// How many namespaces are fenced at the same time: a worker that was frozen may wake at any moment.
const CONCURRENCY: usize = 16;

/// How long each half of a stop may take, the way there included.
const HALF_TIMEOUT: Duration = Duration::from_secs(13);

/// How long a stop may take, with the fences: the caller that activates it waits for an answer, and may activate it again.
const STOP_TIMEOUT: Duration = Duration::from_millis(14_500);

/// The way to the store or to the cluster: it is gone once, when there is something to do, and may lead nowhere.
pub type Dependency<'a, T> = Shared<BoxFuture<'a, std::result::Result<T, String>>>;

/// A way that was gone already.
pub fn gone<'a, T: Clone + Send + 'a>(to: std::result::Result<T, String>) -> Dependency<'a, T> {
    future::ready(to).boxed().shared()
}

/// Where a stop is activated and released, and by whom. What is out of reach says why.
#[derive(Debug)]
pub struct EmergencyStop<'a> {
    pub store: Dependency<'a, SharedStore>,
    pub cluster: Dependency<'a, Cluster>,
    pub keys: &'a Keys,
    /// The admission policy that refuses all deletions; `None` where no policy is installed.
    pub policy: Option<&'a str>,
    pub actor: &'a Actor,
    pub clock: &'a Clock,
    /// Cancelled as soon as it is known whether the switch is written.
    pub switched: CancellationToken,
}

/// A stop that holds, by the switch, by the binding, or by both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activated {
    /// What could not be done, and why: with this not empty the stop holds by one half alone, or what was under way is
    /// not known.
    pub failed: Vec<String>,
    /// Namespaces whose open intents can no longer be carried out.
    pub fenced: Vec<String>,
    /// Namespaces whose deletion had been accepted before the stop.
    pub accepted: Vec<String>,
    /// Namespaces that may still be deleted by a request sent before the stop, and why nobody knows.
    pub unfenced: Vec<(String, String)>,
}

/// What was in force before deletions went on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    pub stop: Option<ControlRecord<Stop>>,
    /// Whether the admission policy was bound.
    pub was_bound: bool,
}

/// Why nothing is stopped, or why deletions stay stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unchanged(String);

impl EmergencyStop<'_> {
    /// Activates the stop. When it returns and names nothing failed or unfenced, no deletion of this program will be
    /// accepted until the stop is released (docs/design/protocol.md S13). Safe to repeat. It takes less than 15 s,
    /// whatever hangs: what took too long is named.
    ///
    /// A worker that wrote its intent before the stop was activated is found here and fenced; one that writes it
    /// afterwards reads the switch once more before it sends. One that does neither meets the binding.
    ///
    /// # Errors
    /// When neither half is known to hold.
    pub async fn activate(&self, reason: Option<String>) -> std::result::Result<Activated, Unchanged> {
        let begin = Instant::now();
        let switching = async {
            let switched = in_time(begin + HALF_TIMEOUT, self.switch_on(reason)).await;
            self.switched.cancel();
            switched
        };
        let binding = async {
            let policy = self.policy?;
            Some(in_time(begin + HALF_TIMEOUT, self.bind(policy)).await)
        };
        let (switched, bound) = tokio::join!(switching, binding);
        let mut activated = Activated::default();
        match (&switched, &bound) {
            (Err(why), Some(Ok(()))) => {
                activated.failed.push(format!(
                    "the switch is not known to be written, and what was under way was not searched for, so the stop \
                     rests on the admission policy alone: {why}"
                ));
                return Ok(activated);
            }
            (Err(why), None) => return Err(Unchanged(format!("nothing is known to be stopped: {why}"))),
            (Err(why), Some(Err(also))) => {
                return Err(Unchanged(format!("nothing is known to be stopped: {why}; {also}")));
            }
            (Ok(_), Some(Err(why))) => {
                activated
                    .failed
                    .push(format!("the apiserver does not refuse by itself, the stop rests on the switch: {why}"));
            }
            (Ok(_), None | Some(Ok(()))) => {}
        }
        if let Ok(store) = switched {
            self.fence_all(&*store, &mut activated, begin + STOP_TIMEOUT).await;
        }
        Ok(activated)
    }

    /// Takes the stop back: the binding first, so that no worker runs into it. Safe to repeat.
    ///
    /// # Errors
    /// When deletions are not known to go on; what is left of the stop holds.
    pub async fn release(&self, reason: Option<String>) -> std::result::Result<Released, Unchanged> {
        let stays = |why: String| Unchanged(format!("deletions stay stopped: {why}"));
        let store = self.store.clone().await.map_err(stays)?;
        let was_bound = match self.policy {
            None => false,
            Some(policy) => {
                let cluster = self.cluster.clone().await.map_err(stays)?;
                unbind(&cluster, policy).await.map_err(|error| stays(error.to_string()))?
            }
        };
        let failed = |error: &dyn std::error::Error| {
            let half = if was_bound { "the admission policy is no longer bound, but " } else { "" };
            stays(format!("{half}the switch could not be released: {error}"))
        };
        let stop = controls::stopped(&*store).await.map_err(|error| failed(&error))?;
        if stop.is_some() {
            let off = Stop { on: false, reason };
            controls::set_stop(&*store, self.actor, &off, self.clock.now()).await.map_err(|error| failed(&error))?;
        }
        Ok(Released { stop, was_bound })
    }

    async fn switch_on(&self, reason: Option<String>) -> std::result::Result<SharedStore, String> {
        let store = self.store.clone().await?;
        let on = Stop { on: true, reason };
        controls::set_stop(&*store, self.actor, &on, self.clock.now()).await.map_err(|error| error.to_string())?;
        Ok(store)
    }

    async fn bind(&self, policy: &str) -> std::result::Result<(), String> {
        let cluster = self.cluster.clone().await?;
        bind(&cluster, policy).await.map_err(|error| error.to_string())
    }

    async fn fence_all(&self, store: &dyn Store, activated: &mut Activated, until: Instant) {
        let open = async { open_intents(store, self.clock).await.map_err(|error| error.to_string()) };
        let open = match in_time(until, open).await {
            Ok(open) => open,
            Err(why) => return activated.failed.push(format!("what was under way is not known: {why}")),
        };
        let close = |record: Record| async move {
            let name = record.name.clone();
            let closed = in_time(until, self.close(store, record)).await;
            (name, closed)
        };
        let mut closing = stream::iter(open).map(close).buffer_unordered(CONCURRENCY);
        while let Some((name, closed)) = closing.next().await {
            match closed {
                Ok(true) => activated.accepted.push(name),
                Ok(false) => activated.fenced.push(name),
                Err(why) => activated.unfenced.push((name, why)),
            }
        }
        activated.accepted.sort();
        activated.fenced.sort();
        activated.unfenced.sort();
    }

    /// Fences an open intent and writes its outcome: whether its deletion had been accepted, or why it may still be
    /// carried out.
    async fn close(&self, store: &dyn Store, mut record: Record) -> std::result::Result<bool, String> {
        let Some(open) = record.open.clone() else { return Ok(false) };
        let cluster = self.cluster.clone().await?;
        let proof = fence(&cluster, &record.name, &record.uid, self.keys, open.seq, &open.intended).await;
        let proof = proof.map_err(|error| error.to_string())?;
        if proof == Fenced::Gone {
            // In another cluster it never was.
            identity::still_answers(store, &cluster).await.map_err(|error| error.to_string())?;
        }
        let event = proof.outcome(open.seq, &open.intended);
        let accepted = matches!(event, Event::ActionDone(_));
        for _ in 0..TRIES {
            if record.open.as_ref().is_none_or(|still| still.seq != open.seq) {
                break;
            }
            // The fence stands, no matter who writes down what it proved.
            match append(store, &mut record, self.actor, event.clone(), self.clock.now()).await {
                Ok(Appended::Written) => {
                    let _ = store.put_snapshot(&record).await;
                }
                Ok(Appended::Conflict) => match load(store, &record.uid).await {
                    Ok(newer) => record = newer,
                    Err(_) => break,
                },
                Err(_) => break,
            }
        }
        Ok(accepted)
    }
}

/// What comes of something, if it comes in time.
async fn in_time<T>(
    until: Instant,
    something: impl Future<Output = std::result::Result<T, String>>,
) -> std::result::Result<T, String> {
    let late = |_| Err("it took too long and was given up".to_owned());
    timeout_at(until, something).await.unwrap_or_else(late)
}

/// Every record with an open intent: those whose snapshot shows one, and those whose history got one lately.
async fn open_intents(store: &dyn Store, clock: &Clock) -> Result<Vec<Record>> {
    let mut candidates = std::collections::BTreeSet::new();
    let mut after: Option<Uid> = None;
    loop {
        let page = store.snapshots(after.as_ref(), PAGE).await?;
        candidates.extend(page.iter().filter(|record| record.open.is_some()).map(|record| record.uid.clone()));
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.uid.clone()),
            _ => break,
        }
    }
    let from = saturating_add(clock.now(), -SEARCHED);
    let mut after: Option<EntryPosition> = None;
    loop {
        let page = store.tail(from, after.as_ref(), PAGE).await?;
        let begun = page.iter().filter(|entry| matches!(entry.event, Event::ActionIntended(_)));
        candidates.extend(begun.map(|entry| entry.uid.clone()));
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(EntryPosition::of(last)),
            _ => break,
        }
    }
    let mut open = Vec::new();
    for uid in candidates {
        let record = load(store, &uid).await?;
        if record.open.is_some() {
            open.push(record);
        }
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use lifecycle::Entry;
    use serde_json::json;

    use super::*;
    use crate::store::temporary;

    /// What comes of a stop where the cluster hangs, and the store too if there is none, after how many seconds.
    async fn activate(
        store: Option<SharedStore>,
        policy: Option<&str>,
    ) -> (std::result::Result<Activated, Unchanged>, u64) {
        let (keys, actor, clock) = (Keys::default(), Actor::person("me"), Clock::system());
        let board = EmergencyStop {
            store: store.map_or_else(|| future::pending().boxed().shared(), |store| gone(Ok(store))),
            cluster: future::pending().boxed().shared(),
            keys: &keys,
            policy,
            actor: &actor,
            clock: &clock,
            switched: CancellationToken::new(),
        };
        tokio::time::pause();
        let begin = Instant::now();
        let activated = board.activate(None).await;
        assert!(board.switched.is_cancelled(), "those who wait for the switch wait no longer");
        (activated, begin.elapsed().as_secs())
    }

    const LATE: &str = "it took too long and was given up";

    #[tokio::test]
    async fn a_cluster_that_hangs_is_named_and_the_switch_is_written() {
        let (_directory, store) = temporary().await;
        let (activated, seconds) = activate(Some(store.clone()), Some("guard")).await;
        let expected = format!("the apiserver does not refuse by itself, the stop rests on the switch: {LATE}");
        assert_eq!(activated.unwrap().failed, [expected]);
        assert!(seconds < 15, "{seconds}");
        assert!(controls::stopped(&*store).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn where_both_hang_nothing_is_known_to_be_stopped() {
        let (activated, seconds) = activate(None, Some("guard")).await;
        let expected = Unchanged(format!("nothing is known to be stopped: {LATE}; {LATE}"));
        assert_eq!((activated, seconds), (Err(expected), 13));
    }

    #[tokio::test]
    async fn what_cannot_be_fenced_in_time_is_named() {
        let (_directory, store) = temporary().await;
        let now = jiff::Timestamp::from_second(4_000_000_000).unwrap();
        let adopted = json!({
            "policy": "ci", "policy_hash": "0", "mode": "enforce", "created": now, "ci": [], "deadline": null,
        });
        let intended = json!({
            "action": "delete", "cause_seq": 1, "attempt": 1, "holder": "action/a", "until": now, "resource_version": "5",
            "cause": "stale", "decision": "it is old", "evidence": [], "evidence_at": now, "slot": "w/1", "unannounced": null,
            "config": "h", "mode": "enforce", "notice": "no_channel",
        });
        for (seq, kind, data) in [(1, "Adopted", adopted), (2, "ActionIntended", intended)] {
            let entry: Entry = serde_json::from_value(json!({
                "uid": "u", "seq": seq, "at": now, "actor": "collector/a", "name": "ci-42", "token": format!("t{seq}"),
                "kind": kind, "data": data,
            }))
            .unwrap();
            store.append(&entry).await.unwrap();
        }
        let (activated, seconds) = activate(Some(store), None).await;
        assert_eq!(activated.unwrap().unfenced, [("ci-42".to_owned(), LATE.to_owned())]);
        assert!(seconds < 15, "{seconds}");
    }
}
