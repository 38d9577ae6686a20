//! `nsm ls`.

use api::queries::listing::{self, Line, ListQuery, Listing};
use common::{
    config::Settings,
    store::{Store, StoreError},
};
use jiff::Timestamp;
use lifecycle::{Uid, record::Phase};

use crate::{
    args::{Format, Which},
    context::CliContext,
    failure::{Code, Failure},
    output::Output,
    view::{
        listing::{Shape, names, table},
        results,
    },
};

pub(super) async fn ls(reach: &CliContext<'_>, screen: &Output, which: &Which) -> Result<(), Failure> {
    let now = reach.now();
    let mut listing = read(reach, which.all, now).await?;
    listing.items.retain(|line| which.is_for(line));
    listing.items.sort_by(|a, b| (&a.name, a.created, &a.uid).cmp(&(&b.name, b.created, &b.uid)));
    let lines = &listing.items;
    let shape = Shape { all: which.all, wide: screen.format() == Format::Wide };
    screen.answer(lines, |width| match (lines.is_empty(), screen.format()) {
        (true, _) => String::new(),
        (false, Format::Name) => names(lines),
        (false, Format::Table | Format::Wide | Format::Json | Format::Yaml) => table(lines, shape, now).text(width),
    })?;
    if lines.is_empty() && (which.names.is_empty() || !which.is_for_any()) {
        let unmanaged = match (which.is_for_any(), which.all) {
            (true, true) => Some(0),
            (true, false) => Some(read(reach, true, now).await?.items.iter().filter(|line| is_released(line)).count()),
            (false, _) => None,
        };
        screen.note(&results::nothing_listed(unmanaged));
    }
    results::halted(&listing, now).iter().for_each(|note| screen.note(note));
    let missing: Vec<_> = which.names.iter().filter(|name| !lines.iter().any(|line| line.name == **name)).collect();
    match missing.first() {
        Some(name) if which.is_for_any() => Err(Failure::new(Code::NotFound, results::not_listed(name, which.all))),
        _ => Ok(()),
    }
}

async fn read(reach: &CliContext<'_>, all: bool, now: Timestamp) -> Result<Listing, Failure> {
    match reach.remote()? {
        Some(api) => api.namespaces(all).await,
        None => {
            let settings = reach.settings()?;
            let store = reach.store(&settings).await?;
            Ok(whole(&*store, &settings, &ListQuery { all, ..ListQuery::default() }, now).await?)
        }
    }
}

fn is_released(line: &Line) -> bool {
    line.phase == Phase::Released
}

impl Which {
    /// Whether nothing but names says which.
    fn is_for_any(&self) -> bool {
        self.status.is_empty() && self.owner.is_none() && self.policy.is_none()
    }

    fn is_for(&self, line: &Line) -> bool {
        let is = |asked: Option<&str>, found: Option<&str>| asked.is_none() || asked == found;
        (self.names.is_empty() || self.names.contains(&line.name))
            && (self.status.is_empty() || self.status.contains(&line.status))
            && is(self.owner.as_deref(), line.owner.as_deref())
            && is(self.policy.as_deref(), line.policy.as_deref())
    }
}

/// Every page, as one.
async fn whole(
    store: &dyn Store,
    settings: &Settings,
    asked: &ListQuery,
    now: Timestamp,
) -> Result<Listing, StoreError> {
    let mut items = Vec::new();
    let mut after: Option<Uid> = None;
    loop {
        let mut page = listing::listing(store, settings, asked, after.as_ref(), listing::MAX_ITEMS, now).await?;
        items.append(&mut page.items);
        match page.next {
            Some(next) => after = Some(Uid::new(next)),
            None => return Ok(Listing { items, ..page }),
        }
    }
}
