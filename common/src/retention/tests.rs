use lifecycle::{
    Actor, Entry, Event, Mode,
    event::{Adopted, Gone, PolicyRef, Protected},
    record::{FOLD_VERSION, Snapshot},
};
use serde_json::json;

use super::*;
use crate::{
    history::{load, token},
    store::{Claim, Heartbeat, Inserted, SharedStore, temporary},
};

const DAYS: SignedDuration = SignedDuration::from_hours(24);

/// So many days after 1 January.
fn day(day: i32) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + DAYS * day
}

fn adopted() -> Event {
    let terms = PolicyRef { policy: "p".into(), policy_hash: "h".into(), mode: Mode::Enforce };
    Event::Adopted(Adopted { terms, created: day(0), ci: Vec::new(), deadline: None, again: false, deleted_before: 0 })
}

fn gone() -> Event {
    Event::Gone(Gone {})
}

/// Writes a history, each entry a day after the one before it, and the snapshot of it.
async fn history(store: &SharedStore, uid: &str, from: i32, events: Vec<Event>) -> Record {
    let mut record = Record::new(Uid::new(uid));
    for (event, at) in events.into_iter().zip(from..) {
        let (actor, seq) = (Actor::role("collector", "test"), record.head + 1);
        let entry = Entry { uid: Uid::new(uid), seq, at: day(at), actor, name: uid.to_owned(), token: token(), event };
        assert_eq!(store.append(&entry).await.unwrap(), Inserted::Written);
        record.fold(&entry);
    }
    store.put_snapshot(&record).await.unwrap();
    record
}

async fn uids(store: &SharedStore) -> Vec<String> {
    store.uids(None, 99).await.unwrap().iter().map(ToString::to_string).collect()
}

/// Ten days are remembered, and it is the hundredth.
async fn pruned(store: &SharedStore) -> Pruned {
    prune(&**store, DAYS * 10, day(100)).await.unwrap()
}

#[tokio::test]
async fn who_is_gone_for_longer_is_forgotten_and_nobody_else() {
    let (_directory, store) = temporary().await;
    history(&store, "gone", 80, vec![adopted(), gone()]).await;
    history(&store, "gone-lately", 89, vec![adopted(), gone()]).await;
    history(
        &store,
        "gone-and-told-late",
        80,
        vec![adopted(), gone(), gone(), gone(), gone(), gone(), gone(), gone(), gone(), gone(), gone()],
    )
    .await;
    history(&store, "alive", 0, vec![adopted()]).await;
    history(&store, "back", 0, vec![adopted(), gone(), adopted()]).await;
    assert_eq!(pruned(&store).await.histories, 1);
    assert_eq!(uids(&store).await, ["alive", "back", "gone-and-told-late", "gone-lately"]);
    assert_eq!(store.history(&Uid::new("gone"), 0, 9).await.unwrap(), []);
    assert_eq!(pruned(&store).await, Pruned::default(), "it is safe to repeat");
}

#[tokio::test]
async fn what_cannot_be_read_is_left_to_a_person() {
    let (_directory, store) = temporary().await;
    let later = Event::Unrecognised { kind: "Slept".into(), data: json!({}) };
    history(&store, "later", 0, vec![adopted(), later, gone()]).await;
    assert_eq!(pruned(&store).await.histories, 0);
    assert_eq!(uids(&store).await, ["later"]);
}

/// The snapshot is the last to go, so it alone is left of a process that died while forgetting.
#[tokio::test]
async fn what_was_cut_short_is_finished() {
    let (_directory, store) = temporary().await;
    let record = history(&store, "u", 0, vec![adopted(), Event::Protected(Protected { on: true }), gone()]).await;
    store.forget(&record.uid).await.unwrap();
    history(&store, "u", 0, vec![adopted()]).await;
    store.put_snapshot(&record).await.unwrap();
    assert_eq!(load(&*store, &record.uid).await.unwrap(), record, "it reads as gone, and whole");
    assert_eq!(pruned(&store).await.histories, 1);
    assert_eq!(uids(&store).await, [""; 0]);
}

#[tokio::test]
async fn a_snapshot_of_an_earlier_version_does_not_keep_a_history() {
    let (directory, store) = temporary().await;
    let record = history(&store, "u", 0, vec![adopted(), gone()]).await;
    let earlier = serde_json::to_string(&Snapshot { fold: FOLD_VERSION - 1, record }).unwrap();
    let file = rusqlite::Connection::open(directory.path().join("nsm.db")).unwrap();
    file.execute("UPDATE snapshots SET fold = fold - 1, document = ?1", [earlier]).unwrap();
    assert_eq!(pruned(&store).await.histories, 1);
    assert_eq!(uids(&store).await, [""; 0]);
}

#[tokio::test]
async fn what_an_earlier_version_folded_is_folded_anew() {
    let (directory, store) = temporary().await;
    let record = history(&store, "u", 0, vec![adopted()]).await;
    let file = rusqlite::Connection::open(directory.path().join("nsm.db")).unwrap();
    file.execute("UPDATE snapshots SET fold = fold - 1", []).unwrap();
    assert_eq!(store.snapshot(&record.uid).await.unwrap(), None);
    assert_eq!(pruned(&store).await.histories, 0);
    assert_eq!(store.snapshot(&record.uid).await.unwrap(), Some(record));
}

#[tokio::test]
async fn two_at_once_and_many_pages_forget_the_same() {
    let (_directory, store) = temporary().await;
    for number in 0..1_100 {
        history(&store, &format!("u{number:04}"), 0, vec![adopted(), gone()]).await;
    }
    history(&store, "v", 0, vec![adopted()]).await;
    let (one, other) = tokio::join!(pruned(&store), pruned(&store));
    assert!(one.histories + other.histories >= 1_100, "{one:?} {other:?}");
    assert_eq!(uids(&store).await, ["v"]);
}

#[tokio::test]
async fn windows_that_are_over_are_forgotten_and_controls_never() {
    let (_directory, store) = temporary().await;
    let claim = |kind, at: Timestamp, number| Claim {
        kind,
        group: Window::of(at, Timings::default().budget_window).start().to_string(),
        number,
        at,
        actor: Actor::person("me"),
        token: token(),
        body: json!({}),
    };
    for number in 0..700 {
        store.claim(&claim(ClaimKind::Slots, day(1), number)).await.unwrap();
    }
    for kind in [ClaimKind::Slots, ClaimKind::Unannounced, ClaimKind::Controls] {
        store.claim(&claim(kind, day(2), 1)).await.unwrap();
        store.claim(&claim(kind, day(95), 1)).await.unwrap();
    }
    assert_eq!(pruned(&store).await.slots, 702);
    let last = async |kind, at: Timestamp| {
        store
            .last_claim(kind, &Window::of(at, Timings::default().budget_window).start().to_string())
            .await
            .unwrap()
            .is_some()
    };
    for kind in [ClaimKind::Slots, ClaimKind::Unannounced, ClaimKind::Controls] {
        assert!(last(kind, day(95)).await, "{kind:?}");
        assert_eq!(last(kind, day(2)).await, kind == ClaimKind::Controls, "{kind:?}");
    }
}

#[tokio::test]
async fn heartbeats_of_the_dead_go_also_beyond_a_page_of_them() {
    let (_directory, store) = temporary().await;
    let heartbeat = |id: String, at| Heartbeat { id, role: "r".into(), started: at, at, body: json!({}) };
    for number in 0..600 {
        store.heartbeat(&heartbeat(format!("dead-{number}"), day(98))).await.unwrap();
    }
    store.heartbeat(&heartbeat("zoe".into(), day(100))).await.unwrap();
    let sweeps = Heartbeat { body: json!({"until": day(101)}), ..heartbeat("sweep-0".into(), day(98)) };
    store.heartbeat(&sweeps).await.unwrap();
    assert_eq!(pruned(&store).await.heartbeats, 600);
    let left = store.heartbeats(9).await.unwrap();
    assert_eq!(left.iter().map(|heartbeat| heartbeat.id.as_str()).collect::<Vec<_>>(), ["sweep-0", "zoe"]);
}

#[tokio::test]
async fn a_day_is_remembered_whatever_is_configured() {
    let (_directory, store) = temporary().await;
    history(&store, "u", 98, vec![adopted(), gone()]).await;
    let prune = async |now| prune(&*store, SignedDuration::ZERO, now).await.unwrap().histories;
    assert_eq!(prune(day(100)).await, 0);
    assert_eq!(prune(day(101)).await, 1);
}
