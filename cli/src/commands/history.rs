//! `nsm history`.

use common::store::Store;
use lifecycle::{Entry, Uid};

use crate::{
    failure::Failure,
    reach::{Reach, uids},
    screen::Screen,
    view::chronicle::{self, Chronicle},
};

/// How many entries are read at once.
const PAGE: usize = 500;

pub(super) async fn history(reach: &Reach<'_>, screen: &Screen, namespace: &str) -> Result<(), Failure> {
    let settings = reach.settings()?;
    let store = reach.store(&settings).await?;
    let mut all = Vec::new();
    for uid in uids(&*store, namespace).await?.iter().rev() {
        all.extend(Chronicle::of(entries(&*store, uid).await?));
    }
    screen.answer(&all, |width| chronicle::text(&all, reach.now(), width))
}

async fn entries(store: &dyn Store, uid: &Uid) -> Result<Vec<Entry>, Failure> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let page = store.history(uid, all.last().map_or(0, |entry| entry.seq), PAGE).await?;
        let full = page.len() == PAGE;
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}
