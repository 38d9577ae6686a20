//! `nsm ls`.

use common::controls;

use crate::{
    failure::Failure,
    reach::{Reach, snapshots},
    screen::Screen,
    view::{listing, moment::both},
};

pub(super) async fn ls(reach: &Reach<'_>, screen: &Screen, all: bool) -> Result<(), Failure> {
    let settings = reach.settings()?;
    let store = reach.store(&settings).await?;
    let now = reach.now();
    let stopped = controls::stopped(&*store).await?;
    let mut records = snapshots(&*store).await?;
    records.retain(|record| all || record.is_managed());
    records.sort_by(|a, b| (&a.name, a.created, &a.uid).cmp(&(&b.name, b.created, &b.uid)));
    let lines: Vec<_> = records
        .iter()
        .map(|record| {
            let policy = record.terms.as_ref().and_then(|terms| settings.policies.named(&terms.policy));
            listing::Line::of(record, policy, stopped.is_some(), now)
        })
        .collect();
    screen.answer(
        &lines,
        |width| {
            if lines.is_empty() { String::new() } else { listing::table(&lines, now).text(width) }
        },
    )?;
    if lines.is_empty() {
        screen.note("nothing is managed; `nsm config check` tells what the policies are");
    }
    if let Some(stop) = stopped {
        let reason = stop.body.reason.map_or(String::new(), |reason| format!(": {reason}"));
        screen.note(&format!("all deletions are stopped, by {} {}{reason}", stop.actor, both(stop.at, now)));
    }
    if let Some(doubt) = controls::doubt(&*store).await? {
        let why = &doubt.body.why;
        screen.note(&format!("nothing is deleted, this store is in doubt since {}: {why}", both(doubt.at, now)));
    }
    Ok(())
}
