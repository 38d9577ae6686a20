//! `nsm stop` and `nsm resume` where nobody said where the store is: each context has one, and the one that runs may be of
//! another context than the present one.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use common::{
    config::{Settings, former_default_store, is_default_store},
    controls::{self, Stop},
    store::{
        self, Access,
        hold::{self, Holder},
    },
};
use futures::future::join_all;
use jiff::Timestamp;
use lifecycle::Actor;
use tokio::time::timeout;

use crate::{
    failure::{Code, Failure},
    reach::{Reach, local_user},
    screen::Screen,
};

use super::switch;

/// How long a store may take that somebody holds locked: all are asked at once, so that `nsm stop` ends within its time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Stops all deletions of the present context, and of every default store that a live process holds.
pub(super) async fn stop(reach: &Reach<'_>, screen: &Screen, reason: Option<String>) -> Result<(), Failure> {
    if let Some(api) = reach.remote()? {
        return switch::stop_at(&api, screen, reason).await;
    }
    let settings = settings(reach, screen)?;
    let others = others(reach, &settings);
    // Files that somebody left behind are no process.
    let is_held = others.iter().any(|(_, holder)| holder.is_some());
    let is_there = !is_held || settings.store.file().is_none_or(Path::exists);
    let (failed, own) = tokio::join!(stop_all(&others, reason.as_deref(), reach.now()), async {
        if is_there { switch::stop(reach, &settings, screen, reason.clone()).await } else { Ok(()) }
    });
    for (store, holder) in &others {
        if !failed.iter().any(|(other, _)| other == store) {
            let process = holder.map_or(String::new(), |it| format!(", of process {}", it.pid));
            screen.note(&format!(
                "deletions are stopped in the store `{}`{process}, too; what was under way there was not cut off",
                store.display()
            ));
        }
    }
    if failed.is_empty() {
        return own;
    }
    let lines: Vec<_> = failed.iter().map(|(store, why)| format!("`{}`: {why}", store.display())).collect();
    let elsewhere = format!("not everything that runs here is stopped:\n  {}", lines.join("\n  "));
    Err(match own {
        Ok(()) => Failure::new(Code::Failed, elsewhere),
        Err(own) => Failure::new(own.code, format!("{}\n{elsewhere}", own.text)),
    })
}

/// Takes the stop of the present context back, and names every other default store in use that is stopped: somebody may have
/// meant that one alone.
pub(super) async fn resume(reach: &Reach<'_>, screen: &Screen, reason: Option<String>) -> Result<(), Failure> {
    if let Some(api) = reach.remote()? {
        return switch::resume_at(&api, screen, reason).await;
    }
    let settings = settings(reach, screen)?;
    let others = others(reach, &settings);
    let own = switch::resume(reach, &settings, screen, reason).await;
    let stopped = join_all(others.iter().map(async |(path, _)| {
        let asking = async {
            let store = store::open_with(&url(path), &Access::default()).await.ok()?;
            controls::stopped(&*store).await.ok()?
        };
        timeout(PATIENCE, asking).await.ok()?.map(|decree| (path, decree))
    }));
    for (path, stop) in stopped.await.into_iter().flatten() {
        screen.note(&format!(
            "deletions are still stopped in the store `{}`, by {} since {}; to take that back, too: \
             NSM__STORE__URL='{}' nsm resume",
            path.display(),
            stop.actor,
            stop.at,
            url(path)
        ));
    }
    own
}

fn url(store: &Path) -> String {
    format!("sqlite:{}", store.display())
}

/// The default stores in use, but that of the present context: those that a live process holds, and that of earlier versions,
/// which held no lock, where somebody has it open. None where it is said which store is meant.
fn others(reach: &Reach<'_>, settings: &Settings) -> Vec<(PathBuf, Option<Holder>)> {
    let directory = reach.source().default_stores().filter(|_| settings.store.is_default);
    let mut held = directory.map_or_else(Vec::new, |directory| hold::held_in(&directory, is_default_store));
    let own = settings.store.file();
    held.retain(|(store, _)| own != Some(store.as_path()));
    let former = own.filter(|_| settings.store.is_default).and_then(former_default_store);
    let former = former.filter(|former| former.exists() && hold::is_open(former));
    if let Some(former) = former.filter(|former| held.iter().all(|(store, _)| store != former)) {
        held.push((former, None));
    }
    held
}

/// What a stop needs of the configuration. A mistake in the rest of it does not keep anybody from stopping.
fn settings(reach: &Reach<'_>, screen: &Screen) -> Result<Settings, Failure> {
    let (settings, refused) = reach.source().load_for_stop().map_err(|refused| {
        let failure = Failure::from(refused);
        let text = format!(
            "nothing was changed: where the store is cannot be known. {}\nTo go on all the same, name the store alone: \
             CONFIG_PATH= NSM__STORE__URL=… nsm stop",
            failure.text
        );
        Failure { text, ..failure }
    })?;
    if let Some(refused) = refused {
        screen.note(&format!("{refused}\nThis does not concern where the store is, so the command goes on"));
    }
    Ok(settings)
}

/// Throws the stop in each of these. Returns where it is not known to be thrown, and why.
async fn stop_all(
    stores: &[(PathBuf, Option<Holder>)],
    reason: Option<&str>,
    now: Timestamp,
) -> Vec<(PathBuf, String)> {
    let stop = Stop { on: true, reason: reason.map(str::to_owned) };
    let actor = Actor::person(&local_user());
    let thrown = join_all(stores.iter().map(async |(path, _)| {
        let throwing = async {
            let store = store::open_with(&url(path), &Access::default()).await.map_err(|error| error.to_string())?;
            controls::set_stop(&*store, &actor, &stop, now).await.map_err(|error| error.to_string())
        };
        let thrown = timeout(PATIENCE, throwing).await;
        let thrown = thrown.unwrap_or_else(|_| Err(format!("it did not answer within {} s", PATIENCE.as_secs())));
        thrown.err().map(|why| (path.clone(), why))
    }));
    thrown.await.into_iter().flatten().collect()
}
