//! `nsm stop` and `nsm resume` where nobody said where the store is: each context has one, and the one that runs may be of
//! another context than the present one.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use common::{
    config::{Refused, Settings, former_default_store, is_default_store},
    controls::{self as records, Stop},
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
    context::{CliContext, local_user},
    failure::{Code, Failure},
    output::Output,
};

use super::controls;

/// How long a store may take that somebody holds locked: all are asked at once, so that `nsm stop` ends within its time.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Stops all deletions of the present context, and of every default store that a live process holds.
pub(super) async fn stop(reach: &CliContext<'_>, screen: &Output, reason: Option<String>) -> Result<(), Failure> {
    if let Some(api) = reach.remote()? {
        return controls::stop_at(&api, screen, reason).await;
    }
    let (settings, refused) = match reach.source().load_for_stop() {
        Ok(found) => found,
        Err(refused) => return stop_the_held(reach, screen, reason, &refused).await,
    };
    if let Some(refused) = &refused {
        goes_on(screen, refused);
    }
    let others = others(reach, &settings);
    // Files that somebody left behind are no process.
    let is_held = others.iter().any(|(_, holder)| holder.is_some());
    let is_there = !is_held || settings.store.file().is_none_or(Path::exists);
    let (failed, own) = tokio::join!(stop_all(&others, reason.as_deref(), reach.now()), async {
        if is_there {
            controls::stop(reach, (&settings, refused.as_ref()), screen, reason.clone()).await
        } else {
            Ok(())
        }
    });
    together(own, tell(screen, &others, &failed))
}

/// Stops what runs here without saying where its store is: where that is said, it is not known now.
async fn stop_the_held(
    reach: &CliContext<'_>,
    screen: &Output,
    reason: Option<String>,
    refused: &Refused,
) -> Result<(), Failure> {
    let held = held_by_default(reach);
    let failed = stop_all(&held, reason.as_deref(), reach.now()).await;
    together(Err(unknown_store(refused, "stop")), tell(screen, &held, &failed))
}

/// Tells people where the stop holds besides. Returns where it does not.
fn tell(screen: &Output, others: &[(PathBuf, Option<Holder>)], failed: &[(PathBuf, String)]) -> Option<String> {
    for (store, holder) in others {
        if !failed.iter().any(|(other, _)| other == store) {
            let process = holder.map_or(String::new(), |it| format!(", of process {}", it.pid));
            screen.note(&format!(
                "deletions are stopped in the store `{}`{process}, too; what was under way there was not cut off",
                store.display()
            ));
        }
    }
    let lines: Vec<_> = failed.iter().map(|(store, why)| format!("`{}`: {why}", store.display())).collect();
    (!lines.is_empty()).then(|| format!("not everything that runs here is stopped:\n  {}", lines.join("\n  ")))
}

fn together(own: Result<(), Failure>, elsewhere: Option<String>) -> Result<(), Failure> {
    match (own, elsewhere) {
        (own, None) => own,
        (Ok(()), Some(elsewhere)) => Err(Failure::new(Code::Failed, elsewhere)),
        (Err(own), Some(elsewhere)) => Err(Failure::new(own.code, format!("{}\n{elsewhere}", own.text))),
    }
}

/// Takes the stop of the present context back, and names every other default store in use that is stopped: somebody may have
/// meant that one alone.
pub(super) async fn resume(reach: &CliContext<'_>, screen: &Output, reason: Option<String>) -> Result<(), Failure> {
    if let Some(api) = reach.remote()? {
        return controls::resume_at(&api, screen, reason).await;
    }
    let (settings, refused) = reach.source().load_for_stop().map_err(|refused| unknown_store(&refused, "resume"))?;
    if let Some(refused) = &refused {
        goes_on(screen, refused);
    }
    let others = others(reach, &settings);
    let own = controls::resume(reach, (&settings, refused.as_ref()), screen, reason).await;
    let stopped = join_all(others.iter().map(async |(path, _)| {
        let asking = async {
            let store = store::open_with(&url(path), &Access::default()).await.ok()?;
            records::stopped(&*store).await.ok()?
        };
        timeout(STOP_TIMEOUT, asking).await.ok()?.map(|control| (path, control))
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
fn others(reach: &CliContext<'_>, settings: &Settings) -> Vec<(PathBuf, Option<Holder>)> {
    let mut held = if settings.store.is_default { held_by_default(reach) } else { Vec::new() };
    let own = settings.store.file();
    held.retain(|(store, _)| own != Some(store.as_path()));
    let former = own.filter(|_| settings.store.is_default).and_then(former_default_store);
    let former = former.filter(|former| former.exists() && hold::is_open(former));
    if let Some(former) = former.filter(|former| held.iter().all(|(store, _)| store != former)) {
        held.push((former, None));
    }
    held
}

/// All default stores that a live process holds.
fn held_by_default(reach: &CliContext<'_>) -> Vec<(PathBuf, Option<Holder>)> {
    let directory = reach.source().default_stores();
    directory.map_or_else(Vec::new, |directory| hold::held_in(&directory, is_default_store))
}

/// Tells what is wrong, where that does not matter here.
fn goes_on(screen: &Output, refused: &Refused) {
    screen.note(&format!("{refused}\nThis does not concern where the store is, so the command goes on"));
}

/// That a stop in the wrong store stops nothing.
fn unknown_store(refused: &Refused, command: &str) -> Failure {
    let text = format!(
        "where the store is cannot be known, so nothing was changed there: {refused}\nTo go on all the same, name the store \
         in place of the configuration, without `--config`, and the policy where `guard.stop_policy` names one:\n  \
         CONFIG_PATH= NSM__STORE__URL=… NSM__GUARD__STOP_POLICY=… nsm {command}"
    );
    Failure::new(Code::Configuration, text)
}

/// Activates the stop in each of these. Returns where it may not be active, and why.
async fn stop_all(
    stores: &[(PathBuf, Option<Holder>)],
    reason: Option<&str>,
    now: Timestamp,
) -> Vec<(PathBuf, String)> {
    let stop = Stop { on: true, reason: reason.map(str::to_owned) };
    let actor = Actor::person(&local_user());
    let activated = join_all(stores.iter().map(async |(path, _)| {
        let activating = async {
            let store = store::open_with(&url(path), &Access::default()).await.map_err(|error| error.to_string())?;
            records::set_stop(&*store, &actor, &stop, now).await.map_err(|error| error.to_string())
        };
        let activated = timeout(STOP_TIMEOUT, activating).await;
        let activated =
            activated.unwrap_or_else(|_| Err(format!("it did not answer within {} s", STOP_TIMEOUT.as_secs())));
        activated.err().map(|why| (path.clone(), why))
    }));
    activated.await.into_iter().flatten().collect()
}
