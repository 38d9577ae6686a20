//! The way to the store.

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use common::store::{
    Claim, ClaimKind, EntryPosition, Heartbeat, Inserted, Observed, Result, SharedStore, SourceCacheEntry, Store,
    StoreError,
};
use jiff::Timestamp;
use lifecycle::{Entry, Event, Record, Uid};
use tokio::time::sleep;

use super::{Edge, Fate};
use crate::scenario::{Moment, Way, When};

/// The port's deadline.
const DEADLINE: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(crate) struct StoreEdge {
    pub(crate) edge: Edge,
    pub(crate) inner: SharedStore,
}

impl StoreEdge {
    /// Asks something that changes nothing.
    async fn ask<T>(&self, what: &str, answer: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let (fate, number) = self.edge.set_out(Way::Store, what, false).await;
        let answer = match fate {
            Fate::Fine => answer.await,
            Fate::Refused | Fate::Answered(_) | Fate::Lost | Fate::Garbled => Err(away(what)),
            Fate::Late(_) | Fate::Hangs => {
                sleep(DEADLINE).await;
                Err(away(what))
            }
        };
        self.edge.came_back(number).await;
        answer
    }

    /// Writes something, at most once.
    async fn write<T: Send + 'static>(
        &self,
        what: &str,
        write: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (fate, number) = self.edge.set_out(Way::Store, what, true).await;
        // What a store has begun to write it writes, whoever dies meanwhile.
        let tasks = &self.edge.world.tasks;
        let answer = match fate {
            Fate::Fine => tasks.spawn(write).await.unwrap_or_else(|_| Err(away(what))),
            Fate::Refused | Fate::Answered(_) => Err(away(what)),
            Fate::Lost | Fate::Garbled => {
                let _ = tasks.spawn(write).await;
                Err(away(what))
            }
            Fate::Late(by) => {
                tasks.spawn(async move {
                    sleep(by).await;
                    let _ = write.await;
                });
                sleep(DEADLINE).await;
                Err(away(what))
            }
            Fate::Hangs => {
                sleep(DEADLINE).await;
                Err(away(what))
            }
        };
        self.edge.came_back(number).await;
        answer
    }
}

fn away(what: &str) -> StoreError {
    StoreError::Unavailable { doing: what.to_owned(), why: "the story wants it so".to_owned() }
}

/// What a fact is, to whom it matters.
const fn moment(fact: &Event) -> Option<Moment> {
    match fact {
        Event::ActionIntended(_) => Some(Moment::Intent),
        Event::ActionDone(_) | Event::ActionFailed(_) => Some(Moment::Outcome),
        _ => None,
    }
}

#[async_trait]
impl Store for StoreEdge {
    async fn append(&self, entry: &Entry) -> Result<Inserted> {
        let (world, inner, who, entry) = (self.edge.world.clone(), self.inner.clone(), self.edge.who, entry.clone());
        let what = format!("append {} {} to `{}` ({})", entry.seq, entry.event.kind(), entry.name, entry.uid);
        self.write(&what, async move {
            let special = moment(&entry.event);
            world.step(Moment::Append, &entry.name, When::Before);
            if let Some(moment) = special {
                world.step(moment, &entry.name, When::Before);
            }
            let inserted = inner.append(&entry).await?;
            if inserted == Inserted::Written {
                let kind = entry.event.kind();
                world.tell(
                    &who.name(),
                    &format!("{} {kind} `{}` ({}) {}", entry.seq, entry.name, entry.uid, gist(&entry.event)),
                );
                world.count(&format!("entry: {kind}"));
                world.judge().entry(&world, who, &entry);
            }
            world.step(Moment::Append, &entry.name, When::After);
            if let Some(moment) = special {
                world.step(moment, &entry.name, When::After);
            }
            Ok(inserted)
        })
        .await
    }

    async fn history(&self, uid: &Uid, after: u64, limit: usize) -> Result<Vec<Entry>> {
        self.ask("read a history", self.inner.history(uid, after, limit)).await
    }

    async fn tail(&self, from: Timestamp, after: Option<&EntryPosition>, limit: usize) -> Result<Vec<Entry>> {
        self.ask("read the tail", self.inner.tail(from, after, limit)).await
    }

    async fn uids_named(&self, name: &str, limit: usize) -> Result<Vec<Uid>> {
        self.ask("find uids", self.inner.uids_named(name, limit)).await
    }

    async fn put_note(&self, note: &SourceCacheEntry) -> Result<()> {
        let (inner, note) = (self.inner.clone(), note.clone());
        self.write("put a note", async move { inner.put_note(&note).await }).await
    }

    async fn note(&self, about: &str) -> Result<Option<SourceCacheEntry>> {
        self.ask("read a note", self.inner.note(about)).await
    }

    async fn forget_notes(&self, before: Timestamp, limit: usize) -> Result<usize> {
        let inner = self.inner.clone();
        self.write("forget notes", async move { inner.forget_notes(before, limit).await }).await
    }

    async fn put_observation(&self, uid: &Uid, observed: &Observed) -> Result<()> {
        let (inner, uid, observed) = (self.inner.clone(), uid.clone(), observed.clone());
        self.write("put an observation", async move { inner.put_observation(&uid, &observed).await }).await
    }

    async fn observation(&self, uid: &Uid) -> Result<Option<Observed>> {
        self.ask("read an observation", self.inner.observation(uid)).await
    }

    async fn put_snapshot(&self, record: &Record) -> Result<()> {
        let (inner, record) = (self.inner.clone(), record.clone());
        self.write("put a snapshot", async move { inner.put_snapshot(&record).await }).await
    }

    async fn snapshot(&self, uid: &Uid) -> Result<Option<Record>> {
        self.ask("read a snapshot", self.inner.snapshot(uid)).await
    }

    async fn snapshots(&self, after: Option<&Uid>, limit: usize) -> Result<Vec<Record>> {
        self.ask("list snapshots", self.inner.snapshots(after, limit)).await
    }

    async fn uids(&self, after: Option<&Uid>, limit: usize) -> Result<Vec<Uid>> {
        self.ask("list uids", self.inner.uids(after, limit)).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Inserted> {
        let (world, inner, who, claim) = (self.edge.world.clone(), self.inner.clone(), self.edge.who, claim.clone());
        let what = format!("claim {} {} {}", claim.kind.as_str(), claim.group, claim.number);
        self.write(&what, async move {
            world.step(Moment::Claim, "", When::Before);
            let inserted = inner.claim(&claim).await?;
            if inserted == Inserted::Written {
                let (kind, body) = (claim.kind.as_str(), &claim.body);
                world.tell(&who.name(), &format!("claims {kind} {} {} {body}", claim.group, claim.number));
                world.judge().claim(&claim);
            }
            world.step(Moment::Claim, "", When::After);
            Ok(inserted)
        })
        .await
    }

    async fn claims(&self, kind: ClaimKind, group: &str, from: u64, limit: usize) -> Result<Vec<Claim>> {
        self.ask("read claims", self.inner.claims(kind, group, from, limit)).await
    }

    async fn last_claim(&self, kind: ClaimKind, group: &str) -> Result<Option<Claim>> {
        self.ask("read the last claim", self.inner.last_claim(kind, group)).await
    }

    async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<()> {
        let (inner, heartbeat) = (self.inner.clone(), heartbeat.clone());
        self.write("heartbeat", async move { inner.heartbeat(&heartbeat).await }).await
    }

    async fn heartbeats(&self, limit: usize) -> Result<Vec<Heartbeat>> {
        self.ask("read heartbeats", self.inner.heartbeats(limit)).await
    }

    async fn remove_heartbeat(&self, id: &str) -> Result<()> {
        let (inner, id) = (self.inner.clone(), id.to_owned());
        self.write("forget a heartbeat", async move { inner.remove_heartbeat(&id).await }).await
    }

    async fn forget(&self, uid: &Uid) -> Result<()> {
        let (inner, uid) = (self.inner.clone(), uid.clone());
        self.write("forget a history", async move { inner.forget(&uid).await }).await
    }

    async fn forget_claims(&self, kind: ClaimKind, before: &str, limit: usize) -> Result<usize> {
        let (inner, before) = (self.inner.clone(), before.to_owned());
        self.write("forget claims", async move { inner.forget_claims(kind, &before, limit).await }).await
    }

    async fn ping(&self) -> Result<()> {
        self.ask("ping", self.inner.ping()).await
    }
}

/// What a line of the story says of a fact.
fn gist(fact: &Event) -> String {
    match fact {
        Event::StatusChanged(change) => format!("{} -> {}: {}", change.from, change.to, change.reason),
        Event::DeadlineMoved(moved) => {
            format!("{:?} by {:?}", moved.deadline.as_ref().map(|it| it.at.to_string()), moved.why)
        }
        Event::Kept(kept) => format!("until {:?}", kept.until.map(|at| at.to_string())),
        Event::Protected(protected) => format!("{}", protected.on),
        Event::NoticeIntended(notice) => format!("for {}, promises {}", notice.deadline, notice.promise),
        Event::ActionIntended(intended) => format!("version {}, slot {}", intended.resource_version, intended.slot),
        Event::ActionDone(done) => format!("of {}{}", done.of, if done.observed { ", as seen" } else { "" }),
        Event::ActionSkipped(skipped) => format!("of {:?}, {}: {}", skipped.of, skipped.why.as_str(), skipped.detail),
        Event::ActionFailed(failed) => format!("of {}: {:?}, {}", failed.of, failed.why, failed.detail),
        Event::PolicyChanged(terms) => format!("{} {:?}", terms.policy, terms.mode),
        _ => String::new(),
    }
}
