//! Throwing the stop: the switch first, then a fence for everything that may still be on its way, then the word that
//! it holds (safety.md section 2).

use jiff::SignedDuration;
use lifecycle::{Actor, Keys, Record, Uid, time::saturating_add};

use crate::{
    clock::Clock,
    cluster::{Cluster, fence},
    controls::{self, Stop},
    history::{Appended, append, load},
    store::{Place, Result, Store},
};

/// How far back the histories are searched for open intents that no snapshot shows yet.
const SEARCHED: SignedDuration = SignedDuration::from_mins(15);

/// How many snapshots or entries are read at once.
const PAGE: usize = 500;

/// How often an outcome is written again under the next number when somebody else's entry came first.
const TRIES: usize = 8;

/// What the stop found under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thrown {
    /// Namespaces whose open intents are closed now.
    pub fenced: Vec<String>,
    /// Namespaces that may still be deleted by a request sent before the stop, and why nobody knows.
    pub unfenced: Vec<(String, String)>,
}

/// Throws the stop. When it returns and names nothing unfenced, no deletion of this program will be accepted until the
/// stop is taken back (safety.md S13).
///
/// A worker that wrote its intent before the switch was thrown is found here and fenced; one that writes it afterwards
/// reads the switch once more before it sends.
///
/// # Errors
/// When the switch is not known to be durable, or the intents could not be read: throw it again.
pub async fn throw(
    store: &dyn Store,
    cluster: &Cluster,
    keys: &Keys,
    actor: &Actor,
    reason: Option<String>,
    clock: &Clock,
) -> Result<Thrown> {
    controls::set_stop(store, actor, &Stop { on: true, reason }, clock.now()).await?;
    let mut thrown = Thrown::default();
    for mut record in open_intents(store, clock).await? {
        match close(store, cluster, keys, actor, &mut record, clock).await? {
            Ok(()) => thrown.fenced.push(record.name),
            Err(why) => thrown.unfenced.push((record.name, why)),
        }
    }
    Ok(thrown)
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
    let mut after: Option<Place> = None;
    loop {
        let page = store.tail(from, after.as_ref(), PAGE).await?;
        candidates.extend(page.iter().map(|entry| entry.uid.clone()));
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(Place::of(last)),
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

/// Fences an open intent and writes its outcome. The inner error says why it may still be carried out.
async fn close(
    store: &dyn Store,
    cluster: &Cluster,
    keys: &Keys,
    actor: &Actor,
    record: &mut Record,
    clock: &Clock,
) -> Result<std::result::Result<(), String>> {
    let Some(open) = record.open.clone() else {
        return Ok(Ok(()));
    };
    let proof = match fence(cluster, &record.name, &record.uid, keys, open.seq, &open.intended).await {
        Ok(proof) => proof,
        Err(trouble) => return Ok(Err(trouble.to_string())),
    };
    let fact = proof.outcome(open.seq, &open.intended);
    for _ in 0..TRIES {
        if record.open.as_ref().is_none_or(|still| still.seq != open.seq) {
            break;
        }
        match append(store, record, actor, fact.clone(), clock.now()).await? {
            Appended::Written => {
                let _ = store.put_snapshot(record).await;
            }
            Appended::Conflict => *record = load(store, &record.uid).await?,
        }
    }
    // The fence stands, whoever writes down what it proved.
    Ok(Ok(()))
}
