//! The store's suite.

mod claims;
mod controls;
mod crashes;
mod forgetting;
mod heartbeats;
mod histories;
mod mongo;
mod notes;
mod observations;
mod races;
mod snapshots;
mod sqlite;
mod tails;

use common::{
    history::token,
    store::{self, Access, Claim, Inserted, OpenError, SharedStore, Store},
};
use jiff::{Timestamp, ToSpan};
use lifecycle::{Actor, Entry, Event, Uid, event::Protected};
use serde_json::Value;

/// A new, empty store, and what a later version of this program might have put into it.
pub(crate) trait Bench {
    /// Every handle opened from it, in this process or another, is of the same store.
    fn url(&self) -> String;

    async fn plant_entry(&self, document: &Value);

    async fn plant_snapshot(&self, document: &Value);

    async fn plant_observation(&self, uid: &Uid, document: &Value);

    async fn open(&self) -> SharedStore {
        opened(&self.url(), &Access::default()).await
    }
}

/// The whole suite, for an adapter and what makes its [`Bench`].
macro_rules! suite {
    ($adapter:ident, $bench:path) => {
        $crate::store::suite! { @ $adapter, $bench,
            histories {
                an_entry_is_read_as_it_was_written
                the_first_entry_with_a_number_stays
                a_repeated_append_was_written
                a_history_is_read_in_order_and_by_pages
                histories_are_apart
                a_kind_of_a_later_version_is_kept_to_the_byte
                a_field_of_a_later_version_does_not_hinder_reading
                an_entry_may_weigh_so_much_and_no_more
                a_name_that_came_back_leads_to_both_uids
                another_handle_sees_what_was_written
                a_ping_is_answered
            }
            tails {
                the_tail_is_ordered_by_place
                the_tail_goes_on_after_a_place_among_equal_instants
                the_tail_begins_at_an_instant
                the_later_of_both_bounds_counts
            }
            snapshots {
                a_snapshot_is_read_as_it_was_put
                a_snapshot_moves_only_forward
                a_snapshot_of_another_fold_is_ignored
                a_snapshot_of_another_fold_is_replaced
                snapshots_are_listed_by_uid_and_by_pages
                an_unreadable_snapshot_is_none_and_makes_no_page_short
                uids_are_listed_by_whichever_process_folded_and_by_pages
            }
            claims {
                a_claim_is_read_as_it_was_made
                a_number_is_claimed_once
                a_repeated_claim_was_made
                groups_and_kinds_are_apart
                claims_are_read_by_number_and_by_pages
                the_last_claim_has_the_highest_number
            }
            observations {
                what_was_observed_last_is_read_as_it_was_put
                what_a_later_version_observed_does_not_hinder_reading
            }
            notes {
                the_last_note_is_read_as_it_was_put
                old_notes_are_forgotten_by_pages
            }
            heartbeats {
                the_last_heartbeat_of_each_instance_is_kept
                a_heartbeat_is_forgotten_and_may_come_again
            }
            forgetting {
                a_history_is_forgotten_with_its_snapshot_and_no_other_is
                a_long_history_is_forgotten_too
                a_snapshot_of_another_fold_is_forgotten_too
                a_number_of_a_forgotten_history_can_be_used_again
                windows_that_are_over_are_forgotten_by_pages
                controls_are_not_forgotten
            }
            races {
                many_writers_of_one_history_lose_nothing_and_leave_no_gap
                of_concurrent_claims_each_number_has_one_winner
                of_appends_at_once_each_gets_its_own_answer
                two_processes_write_one_history
            }
            controls {
                a_store_knows_one_cluster
                a_marker_is_reported_once_and_answered_by_who_trusts_the_store
            }
            crashes {
                a_killed_writer_leaves_what_was_acknowledged
            }
        }
    };
    (@ $adapter:ident, $bench:path, $($group:ident { $($test:ident)* })*) => {
        mod $adapter {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    $crate::store::$group::$test(&$bench()).await;
                }
            )*)*
        }
    };
}
pub(crate) use suite;

/// How often a store that is late is called again. Each time it takes seconds.
const TRIES: usize = 40;

/// No numbers.
const NONE: [u64; 0] = [];

/// An instant some seconds into the tests' time.
fn at(second: u64) -> Timestamp {
    let start: Timestamp = "2026-08-17T09:50:41.915Z".parse().unwrap();
    start + i64::try_from(second).unwrap().seconds()
}

fn actor() -> Actor {
    Actor::role("collector", "test")
}

/// Some entry, of an own writer.
fn entry(uid: &str, seq: u64) -> Entry {
    let event = Event::Protected(Protected { on: seq % 2 == 1 });
    Entry {
        uid: Uid::new(uid),
        seq,
        at: at(seq),
        actor: actor(),
        name: format!("name-of-{uid}"),
        token: token(),
        event,
    }
}

async fn append(store: &dyn Store, entries: &[Entry]) {
    for entry in entries {
        assert_eq!(appended(store, entry).await, Inserted::Written, "{entry:?}");
    }
}

/// The outcome of an append. A server that has no time for it answers too late, which the port tells in time: then the same is asked for
/// again, as everybody does.
async fn appended(store: &dyn Store, entry: &Entry) -> Inserted {
    for _ in 0..TRIES {
        if let Some(inserted) = in_time(store.append(entry).await) {
            return inserted;
        }
    }
    panic!("the store is out of reach");
}

/// As [`appended`], of a claim.
async fn claimed(store: &dyn Store, claim: &Claim) -> Inserted {
    for _ in 0..TRIES {
        if let Some(inserted) = in_time(store.claim(claim).await) {
            return inserted;
        }
    }
    panic!("the store is out of reach");
}

/// A store, which may answer late while it is opened.
async fn opened(url: &str, access: &Access) -> SharedStore {
    for _ in 0..TRIES {
        match store::open_with(url, access).await {
            Err(OpenError::Store(error)) if error.is_worth_another_try() => {}
            other => return other.unwrap(),
        }
    }
    panic!("the store is out of reach");
}

/// The answer of a store, unless it is to be asked again.
fn in_time<T>(answer: store::Result<T>) -> Option<T> {
    match answer {
        Err(error) if error.is_worth_another_try() => None,
        other => Some(other.unwrap()),
    }
}

async fn history(store: &dyn Store, uid: &str) -> Vec<Entry> {
    store.history(&Uid::new(uid), 0, usize::MAX).await.unwrap()
}

fn places(entries: &[Entry]) -> Vec<(&str, u64)> {
    entries.iter().map(|entry| (entry.uid.as_str(), entry.seq)).collect()
}

fn seqs(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq).collect()
}
