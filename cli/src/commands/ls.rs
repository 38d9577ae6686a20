//! `nsm ls`.

use api::answers::listing::{self, Asked, Listing};
use common::{
    config::Settings,
    store::{Store, StoreError},
};
use jiff::Timestamp;
use lifecycle::Uid;

use crate::{
    failure::Failure,
    reach::Reach,
    screen::Screen,
    view::{listing::table, moment::both},
};

pub(super) async fn ls(reach: &Reach<'_>, screen: &Screen, all: bool) -> Result<(), Failure> {
    let now = reach.now();
    let mut listing = match reach.remote()? {
        Some(api) => api.namespaces(all).await?,
        None => {
            let settings = reach.settings()?;
            let store = reach.store(&settings).await?;
            whole(&*store, &settings, &Asked { all, ..Asked::default() }, now).await?
        }
    };
    listing.items.sort_by(|a, b| (&a.name, a.created, &a.uid).cmp(&(&b.name, b.created, &b.uid)));
    let lines = &listing.items;
    screen.answer(lines, |width| if lines.is_empty() { String::new() } else { table(lines, all, now).text(width) })?;
    if lines.is_empty() {
        screen.note("nothing is managed; `nsm config check` tells what the policies are");
    }
    if let Some(stop) = listing.stop {
        let reason = stop.why.map_or(String::new(), |why| format!(": {why}"));
        screen.note(&format!("all deletions are stopped, by {} {}{reason}", stop.by, both(stop.at, now)));
    }
    if let Some(doubt) = listing.doubt {
        let why = doubt.why.unwrap_or_default();
        screen.note(&format!("nothing is deleted, this store is in doubt since {}: {why}", both(doubt.at, now)));
    }
    Ok(())
}

/// Every page, as one.
async fn whole(store: &dyn Store, settings: &Settings, asked: &Asked, now: Timestamp) -> Result<Listing, StoreError> {
    let mut items = Vec::new();
    let mut after: Option<Uid> = None;
    loop {
        let mut page = listing::listing(store, settings, asked, after.as_ref(), listing::MOST, now).await?;
        items.append(&mut page.items);
        match page.next {
            Some(next) => after = Some(Uid::new(next)),
            None => return Ok(Listing { items, ..page }),
        }
    }
}
