//! The hold of deletions, as it stands in the store: one state for all processes, no matter which leads.
//!
//! [`lifecycle::hold`] decides on it; a controller that leads writes it, and workers read it.

use jiff::Timestamp;
use lifecycle::{Actor, hold::Hold};

use crate::{
    controls::{self, ControlRecord},
    store::{Inserted, Result, Store},
};

const GROUP: &str = "hold";

/// The last word about the hold, whether it stands or not.
///
/// # Errors
/// When the store is out of reach or damaged.
pub async fn last(store: &dyn Store) -> Result<Option<ControlRecord<Hold>>> {
    controls::last(store, GROUP).await
}

/// The hold in force, if there is one.
///
/// # Errors
/// When the store is out of reach: then nothing destructive may be done either.
pub async fn in_force(store: &dyn Store) -> Result<Option<ControlRecord<Hold>>> {
    Ok(last(store).await?.filter(|control| control.body.stands()))
}

/// Writes the next word, which follows on the one of this number (0: on none). [`Inserted::Taken`]: somebody else wrote
/// meanwhile, and it is to be decided anew.
///
/// # Errors
/// When it is not known to be durable.
pub async fn follow(store: &dyn Store, actor: &Actor, after: u64, hold: &Hold, now: Timestamp) -> Result<Inserted> {
    store.claim(&controls::claim(GROUP, after + 1, actor, hold, now)).await
}

#[cfg(test)]
mod tests {
    use lifecycle::{
        Uid,
        hold::{HeldBy, HoldEnd},
        termination::SharedCause,
    };

    use super::*;
    use crate::store::{open, temporary};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn hold() -> Hold {
        Hold {
            cause: SharedCause { condition: "NamespaceDeletionDiscoveryFailure".to_owned(), group: None },
            message: "no".to_owned(),
            namespaces: vec![HeldBy { uid: Uid::new("u"), name: "ci-1".to_owned() }],
            ended: None,
        }
    }

    #[tokio::test]
    async fn every_process_knows_the_last_state_and_not_who_wrote_it() {
        let (directory, store) = temporary().await;
        assert_eq!(last(&*store).await.unwrap(), None);
        let me = Actor::role("action-controller", "a");
        assert_eq!(follow(&*store, &me, 0, &hold(), at(1)).await.unwrap(), Inserted::Written);
        drop(store);
        let store = open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        let known = in_force(&*store).await.unwrap().unwrap();
        assert_eq!((known.number, known.at, &known.body), (1, at(1), &hold()));
        let over = Hold { ended: Some(HoldEnd::Gone("ci-1".to_owned())), ..hold() };
        assert_eq!(follow(&*store, &me, 0, &over, at(2)).await.unwrap(), Inserted::Taken, "of two one comes first");
        assert_eq!(follow(&*store, &me, 1, &over, at(2)).await.unwrap(), Inserted::Written);
        assert_eq!(in_force(&*store).await.unwrap(), None);
        assert_eq!(last(&*store).await.unwrap().unwrap().body, over);
    }
}
