//! Whether the name of a namespace is made anew again and again: known once, when it is adopted.

use common::{
    history::load,
    store::{Store, StoreError},
};
use jiff::Timestamp;
use lifecycle::{Action, Namespace, record::RECREATED_WITHIN, time::saturating_add};
use tracing::warn;

/// The most that are counted: from three on, how many they are tells nobody more.
const MAX_COUNTED: usize = 20;

/// How many namespaces of the name of this one we deleted within the hour before `now`.
///
/// Costs one read of an index where nobody bore the name, and one record for each who bore it within the hour, and the one
/// before them. A namespace that is older itself costs nothing: the one that bore its name ended before it began.
///
/// A life whose history cannot be read counts as none of them: nobody else's adoption waits for a person to mend it.
///
/// # Errors
/// When the store is out of reach.
pub(crate) async fn deleted_before(
    store: &dyn Store,
    namespace: &Namespace,
    now: Timestamp,
) -> Result<u32, StoreError> {
    let from = saturating_add(now, -RECREATED_WITHIN);
    let mut count = 0;
    // Each ended before the next one began.
    let mut ended_by = namespace.created;
    if ended_by < from {
        return Ok(count);
    }
    // Its own history may have begun, where it is adopted again.
    let named = readable(store.uids_named(&namespace.name, MAX_COUNTED + 1).await)?.unwrap_or_default();
    for uid in named.iter().filter(|uid| **uid != namespace.uid).take(MAX_COUNTED) {
        if ended_by < from {
            break;
        }
        let Some(record) = readable(load(store, uid).await)? else { continue };
        count += u32::from(record.done.is_some_and(|done| done.action == Action::Delete && done.at >= from));
        ended_by = record.created.unwrap_or(ended_by);
    }
    Ok(count)
}

/// What was read; `None`: it cannot be, however often it is tried.
fn readable<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.is_worth_another_try() => Err(error),
        Err(error) => {
            warn!("how often namespaces of a name were deleted is not known in full: {error}");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use common::{
        history::append_named,
        store::{SharedStore, open},
    };
    use lifecycle::{
        Actor, Event, Mode, Record, Status, Uid,
        event::{ActionDone, ActionIntended, Adopted, Gone, NoticeState, PolicyRef},
    };
    use tempfile::TempDir;

    use super::*;
    use crate::fixture::turns::{Scene, with_marker};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    /// A namespace `ci-a` of this uid, created at this minute.
    fn namespace(uid: &str, minute: i64) -> Namespace {
        Namespace { name: "ci-a".to_owned(), created: at(minute), ..with_marker(uid, "") }
    }

    async fn store() -> (TempDir, SharedStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        (directory, store)
    }

    /// `ci-a` lived from one minute to the other; we deleted it, or somebody else did.
    async fn lived(store: &dyn Store, uid: &str, minutes: (i64, i64), by_us: bool) {
        let mut record = Record::new(Uid::new(uid));
        let terms = PolicyRef { policy: "ci".into(), policy_hash: "h".into(), mode: Mode::Enforce };
        let (created, ci) = (at(minutes.0), Vec::new());
        let adopted = Adopted { terms, created, ci, deadline: None, again: false, deleted_before: 0 };
        let intended = ActionIntended {
            action: Action::Delete,
            cause_seq: 1,
            attempt: 1,
            holder: "action/a".to_owned(),
            until: at(minutes.1),
            resource_version: "7".to_owned(),
            cause: Status::Stale,
            decision: String::new(),
            evidence: Vec::new(),
            evidence_at: at(minutes.1),
            slot: String::new(),
            unannounced: None,
            config: String::new(),
            mode: Mode::Enforce,
            notice: NoticeState::NoChannel,
        };
        let deleted =
            [Event::ActionIntended(Box::new(intended)), Event::ActionDone(ActionDone { of: 2, observed: false })];
        let ending = deleted.into_iter().filter(|_| by_us).chain([Event::Gone(Gone {})]);
        let events = [(created, Event::Adopted(adopted))].into_iter().chain(ending.map(|event| (at(minutes.1), event)));
        for (time, event) in events {
            append_named(store, &mut record, "ci-a", &Actor::person("me"), event, time).await.unwrap();
        }
    }

    #[tokio::test]
    async fn those_are_counted_that_we_deleted_within_the_hour() {
        let (_directory, store) = store().await;
        let count = async |namespace: Namespace, minute| deleted_before(&*store, &namespace, at(minute)).await.unwrap();
        assert_eq!(count(namespace("new", 0), 0).await, 0, "nobody bore its name");
        for (uid, minutes, by_us) in
            [("a", (0, 10), true), ("b", (11, 20), true), ("c", (21, 30), false), ("d", (31, 40), true)]
        {
            lived(&*store, uid, minutes, by_us).await;
        }
        assert_eq!(count(namespace("new", 41), 41).await, 3);
        assert_eq!(count(namespace("new", 41), 70).await, 3);
        assert_eq!(count(namespace("new", 41), 71).await, 2, "the first was deleted more than an hour ago");
        assert_eq!(count(namespace("new", 90), 90).await, 1);
        assert_eq!(count(namespace("new", 101), 101).await, 0);
        assert_eq!(count(namespace("new", 41), 102).await, 0, "it is older than that itself");
        assert_eq!(count(namespace("d", 41), 41).await, 2, "its own deletion is not one before it");
        assert_eq!(count(Namespace { name: "ci-b".into(), ..namespace("new", 41) }, 41).await, 0);
    }

    #[tokio::test]
    async fn a_life_that_cannot_be_read_counts_as_none_of_them() {
        let (directory, store) = store().await;
        for (uid, minutes) in [("a", (0, 10)), ("b", (11, 20)), ("c", (21, 30))] {
            lived(&*store, uid, minutes, true).await;
        }
        let file = rusqlite::Connection::open(directory.path().join("nsm.db")).unwrap();
        file.execute("UPDATE entries SET document = '{' WHERE uid = 'b'", []).unwrap();
        assert!(!load(&*store, &Uid::new("b")).await.unwrap_err().is_worth_another_try());
        assert_eq!(deleted_before(&*store, &namespace("new", 31), at(31)).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn no_more_are_counted_than_tell_something() {
        let (_directory, store) = store().await;
        for number in 0..30 {
            lived(&*store, &format!("u{number:02}"), (number, number + 1), true).await;
        }
        assert_eq!(deleted_before(&*store, &namespace("new", 31), at(31)).await.unwrap(), 20);
    }

    /// The name of a namespace is looked up when it is adopted, and at no other turn.
    #[tokio::test]
    async fn who_comes_back_again_and_again_is_told_of_at_adoption_and_asked_for_once() {
        for (lives, told) in [(2, vec![]), (3, vec!["Recreated".to_owned()])] {
            let mut scene = Scene::new().await;
            for number in 0..lives {
                lived(&*scene.store.inner, &format!("u{number}"), (number, number + 1), true).await;
            }
            let lookups = |asked: Vec<&'static str>| asked.into_iter().filter(|it| *it == "uids_named").count();
            let born = || namespace("new", 10);
            assert_eq!(lookups(scene.turn(born()).await), 1);
            assert_eq!(scene.events(), told);
            let record = load(&*scene.store.inner, &Uid::new("new")).await.unwrap();
            assert_eq!(i64::from(record.deleted_before), lives);
            assert_eq!(record.comes_back(at(11)).is_some(), lives == 3);
            for _ in 0..3 {
                scene.sleep(60);
                assert_eq!(lookups(scene.turn(born()).await), 0);
            }
            assert_eq!(scene.events(), told, "once");
        }
    }
}
