//! The stories' own store answers as the embedded adapter does, to the same questions in the same order.

use std::fmt::Debug;

use common::store::{Claim, ClaimKind, EntryPosition, Heartbeat, SharedStore, Store, open};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{Actor, Entry, Event, Record, Uid, event::Protected, record::Phase};
use serde_json::json;

use crate::{chance::Dice, memory_store::MemoryStore};

/// How many questions are asked, in each of so many orders.
const QUESTIONS: u64 = 300;
const ORDERS: u64 = 8;

#[tokio::test]
async fn the_stories_store_answers_as_the_embedded_one() {
    for order in 0..ORDERS {
        let directory = tempfile::tempdir().unwrap();
        let sqlite = open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        let (memory_store, mut dice): (SharedStore, _) =
            (std::sync::Arc::new(MemoryStore::default()), Dice::new(order, "agrees"));
        for number in 0..QUESTIONS {
            let question = Question::of(&mut dice);
            let (ours, theirs) = (question.ask(&*memory_store).await, question.ask(&*sqlite).await);
            assert_eq!(ours, theirs, "question {number} of order {order}: {question:?}");
        }
    }
}

#[derive(Debug)]
enum Question {
    Append(Box<Entry>),
    History(Uid, u64, usize),
    Tail(Timestamp, Option<EntryPosition>, usize),
    Named(String, usize),
    Put(Box<Record>),
    Snapshot(Uid),
    Snapshots(Option<Uid>, usize),
    Uids(Option<Uid>, usize),
    Claim(Claim),
    Claims(ClaimKind, String, u64, usize),
    Last(ClaimKind, String),
    Heartbeat(Heartbeat),
    Heartbeats(usize),
    ForgetBeat(String),
    Forget(Uid),
    ForgetClaims(ClaimKind, String, usize),
}

impl Question {
    fn of(dice: &mut Dice) -> Self {
        let uid = Uid::new(dice.one_of(&["a", "b", "c"]));
        let seq = dice.between(1, 12);
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(dice.one_of(&[0, 3, 5, 5, 8, 13]));
        let limit = dice.one_of(&[1, 2, 3, 6]);
        let kind = dice.one_of(&[ClaimKind::Slots, ClaimKind::Unannounced, ClaimKind::Controls]);
        let group = dice.one_of(&["x", "y"]).to_owned();
        // Few tokens, so that some writes are another's and some one's own again.
        let token = dice.one_of(&["t", "u", "v"]).to_owned();
        let name = dice.one_of(&["n", "m"]).to_owned();
        let actor = Actor::person("me");
        match dice.below(19) {
            0..4 => {
                let fact = Event::Protected(Protected { on: seq.is_multiple_of(2) });
                Self::Append(Box::new(Entry { uid, seq, at, actor, name, token, event: fact }))
            }
            4 => Self::History(uid, dice.below(12), limit),
            5 => {
                let after = dice.happens(500).then_some(EntryPosition { at, uid, seq });
                Self::Tail(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(5), after, limit)
            }
            6 => Self::Named(name, limit),
            7 => {
                let mut record = Record::new(uid);
                (record.head, record.phase, record.name) = (seq, Phase::Managed, name);
                Self::Put(Box::new(record))
            }
            8 => Self::Snapshot(uid),
            9 => Self::Snapshots(dice.happens(500).then_some(uid), limit),
            10 => Self::Claim(Claim { kind, group, number: seq, at, actor, token, body: json!({ "uid": uid }) }),
            11 => Self::Claims(kind, group, seq, limit),
            12 => Self::Last(kind, group),
            13 => Self::Heartbeat(Heartbeat { id: name, role: "r".to_owned(), started: at, at, body: json!(seq) }),
            14 => Self::Heartbeats(limit),
            15 => Self::ForgetBeat(name),
            16 => Self::Forget(uid),
            17 => Self::Uids(dice.happens(500).then_some(uid), limit),
            _ => Self::ForgetClaims(kind, group, limit),
        }
    }

    async fn ask(&self, store: &dyn Store) -> String {
        match self {
            Self::Append(entry) => told(store.append(entry).await),
            Self::History(uid, after, limit) => told(store.history(uid, *after, *limit).await),
            Self::Tail(from, after, limit) => told(store.tail(*from, after.as_ref(), *limit).await),
            Self::Named(name, limit) => told(store.uids_named(name, *limit).await),
            Self::Put(record) => told(store.put_snapshot(record).await),
            Self::Snapshot(uid) => told(store.snapshot(uid).await),
            Self::Snapshots(after, limit) => told(store.snapshots(after.as_ref(), *limit).await),
            Self::Uids(after, limit) => told(store.uids(after.as_ref(), *limit).await),
            Self::Claim(claim) => told(store.claim(claim).await),
            Self::Claims(kind, group, from, limit) => told(store.claims(*kind, group, *from, *limit).await),
            Self::Last(kind, group) => told(store.last_claim(*kind, group).await),
            Self::Heartbeat(heartbeat) => told(store.heartbeat(heartbeat).await),
            Self::Heartbeats(limit) => told(store.heartbeats(*limit).await),
            Self::ForgetBeat(id) => told(store.remove_heartbeat(id).await),
            Self::Forget(uid) => told(store.forget(uid).await),
            // What is refused says where, which differs.
            Self::ForgetClaims(kind, before, limit) => told(store.forget_claims(*kind, before, *limit).await.ok()),
        }
    }
}

fn told(answer: impl Debug) -> String {
    format!("{answer:?}")
}
