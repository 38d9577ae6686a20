//! Taking in a changed configuration while the process runs.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::sync::watch;
use tracing::{info, warn};

use super::{Settings, Source, layers::File};

/// How often the files are looked at. They are read whole, for a ConfigMap changes by a link to another directory.
const EVERY: Duration = Duration::from_secs(2);

/// Follows a configuration. The receiver holds what is good now, `first` to begin with; the future looks for changes
/// until every receiver is gone. A change that is refused is logged, once, and what is good stays.
///
/// A change counts when two looks in a row saw the same: half of a file that is being written may be valid too.
pub fn watch(source: Source, first: Settings) -> (watch::Receiver<Arc<Settings>>, impl Future<Output = ()>) {
    let (sender, receiver) = watch::channel(Arc::new(first));
    (receiver, follow(source, sender))
}

async fn follow(source: Source, sender: watch::Sender<Arc<Settings>>) {
    let mut taken: Option<Vec<File>> = None;
    let mut seen: Option<Vec<File>> = None;
    let mut refused = None;
    let mut looks = tokio::time::interval(EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = sender.closed() => return,
            _ = looks.tick() => {}
        }
        let reader = source.clone();
        // Files on a network may hang, so this is not done on a thread that others wait for.
        let Ok(files) = tokio::task::spawn_blocking(move || reader.files()).await else { return };
        if taken.as_ref() == Some(&files) {
            seen = None;
        } else if seen.as_ref() == Some(&files) {
            take(&source, &files, &sender, &mut refused);
            taken = seen.take();
        } else {
            seen = Some(files);
        }
    }
}

fn take(source: &Source, files: &[File], sender: &watch::Sender<Arc<Settings>>, refused: &mut Option<String>) {
    match source.check(files) {
        Ok(settings) => {
            *refused = None;
            let old = sender.borrow().clone();
            if old.raw == settings.raw {
                return;
            }
            info!(config = %settings.hash, "the configuration changed and was taken in, hash {}", settings.hash);
            for key in old.waiting_for_restart(&settings) {
                warn!(key, "`{key}` changed, which takes hold at the next start");
            }
            sender.send_replace(Arc::new(settings));
        }
        Err(error) => {
            let text = error.to_string();
            if refused.as_ref() != Some(&text) {
                warn!("the configuration changed and was not taken in, the last good one stays: {text}");
                *refused = Some(text);
            }
        }
    }
}
