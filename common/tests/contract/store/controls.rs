//! Control records, in each store alike: whose cluster it is, and which record markers stand against it.

use common::{
    controls::{self, MarkerReport},
    history::{Appended, append_named},
    identity::hold_to,
};
use lifecycle::{Event, Record, Uid, event::RecordMarkerMismatched};

use super::{Bench, actor, at};

pub(crate) async fn a_store_knows_one_cluster(bench: &impl Bench) {
    let (store, other) = (bench.open().await, bench.open().await);
    let (a, b) = (Uid::new("cluster-a"), Uid::new("cluster-b"));
    let me = actor();
    let (first, second) = tokio::join!(hold_to(&*store, &a, &me, at(1)), hold_to(&*other, &b, &me, at(1)));
    let held = [first.unwrap().is_ok(), second.unwrap().is_ok()];
    assert!(held[0] != held[1], "{held:?}");
    let known = controls::cluster(&*store).await.unwrap().unwrap();
    assert_eq!(known, if held[0] { a.clone() } else { b.clone() });
    let rebuilt = if held[0] { b } else { a };
    assert_eq!(controls::approve_cluster(&*store, &me, &rebuilt, at(2)).await.unwrap(), Some(known));
    assert_eq!(hold_to(&*other, &rebuilt, &me, at(3)).await.unwrap(), Ok(()));
}

pub(crate) async fn a_marker_is_reported_once_and_answered_by_who_trusts_the_store(bench: &impl Bench) {
    let (store, me) = (bench.open().await, actor());
    let epoch = controls::begin_epoch(&*store, &me, at(0)).await.unwrap();
    let report = MarkerReport { uid: Uid::new("u"), namespace: "ci-1".to_owned() };
    for _ in 0..2 {
        assert_eq!(controls::report_marker(&*store, &me, &report, at(1)).await.unwrap(), ["ci-1"]);
    }
    let mut record = Record::new(Uid::new("u"));
    let mismatch =
        RecordMarkerMismatched { marker: "9.9.u".to_owned(), why: "this store lost entries".to_owned(), epoch };
    let event = Event::RecordMarkerMismatched(mismatch);
    assert_eq!(append_named(&*store, &mut record, "ci-1", &me, event, at(2)).await.unwrap(), Appended::Written);
    store.put_snapshot(&record).await.unwrap();
    let trusted = controls::trust_store(&*store, &me, at(3)).await.unwrap().unwrap();
    assert_eq!((trusted.mismatch, trusted.namespaces), (None, vec!["ci-1".to_owned()]));
    assert_eq!(controls::trust_store(&*store, &me, at(4)).await.unwrap(), None);
}
