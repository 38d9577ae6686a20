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
        let files = match tokio::task::spawn_blocking(move || reader.files()).await {
            Ok(files) => files,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_at_its_end) => return,
            },
        };
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

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{process::captured, timings::Timings};

    /// Changes what is at `path`, and tells what is in force and what was logged once it was looked at often enough.
    async fn after(path: &Path, changes: &[fn(&Path)]) -> (u32, String) {
        let source = Source::new(Some(path.to_owned()), [("HOME".to_owned(), "/home/someone".to_owned())]);
        let timings = Timings::parse("promise_margin=2s").unwrap();
        let source = source.with_timings(timings);
        let first = source.load().unwrap();
        let (log, _guard) = captured();
        let (receiver, following) = watch(source, first);
        let changing = async {
            for change in changes {
                tokio::time::sleep(EVERY * 5).await;
                change(path);
            }
            tokio::time::sleep(EVERY * 5).await;
        };
        tokio::select! {
            () = following => unreachable!("a receiver is left"),
            () = changing => {}
        }
        assert_eq!(receiver.borrow().timings, timings, "a reload keeps them");
        let max = receiver.borrow().workers.max;
        (max, log.text())
    }

    fn write(path: &Path, max: &str) {
        fs::write(path, format!("workers: {{max: {max}}}\n")).unwrap();
    }

    fn file(dir: &tempfile::TempDir) -> std::path::PathBuf {
        let path = dir.path().join("a.yaml");
        write(&path, "1");
        path
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_taken_in() {
        let dir = tempfile::tempdir().unwrap();
        let (max, log) = after(&file(&dir), &[|path| write(path, "2")]).await;
        assert_eq!(max, 2);
        assert_eq!(log.matches("was taken in").count(), 1, "{log}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_bad_change_leaves_the_last_good_one_and_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        let (max, log) =
            after(&file(&dir), &[|path| write(path, "2"), |path| write(path, "x"), |path| write(path, "y")]).await;
        assert_eq!(max, 2);
        assert_eq!(log.matches("WARN").count(), 2, "{log}");
        assert!(log.contains("a.yaml:1: `workers.max`: it must be a whole number, 0 or more, and is the text `x`"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_vanished_leaves_the_last_good_one() {
        let dir = tempfile::tempdir().unwrap();
        let (max, log) = after(&file(&dir), &[|path| fs::remove_file(path).unwrap(), |path| write(path, "3")]).await;
        assert_eq!(max, 3);
        assert_eq!(log.matches("there is no such file").count(), 1, "{log}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_config_map_that_was_exchanged_is_taken_in() {
        let dir = tempfile::tempdir().unwrap();
        for (version, max) in [("..1", "1"), ("..2", "2")] {
            fs::create_dir(dir.path().join(version)).unwrap();
            write(&dir.path().join(version).join("a.yaml"), max);
        }
        std::os::unix::fs::symlink("..1", dir.path().join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/a.yaml", dir.path().join("a.yaml")).unwrap();
        let swap: fn(&Path) = |dir| {
            std::os::unix::fs::symlink("..2", dir.join("..new")).unwrap();
            fs::rename(dir.join("..new"), dir.join("..data")).unwrap();
        };
        assert_eq!(after(dir.path(), &[swap]).await.0, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_setting_that_waits_for_the_next_start_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let (max, log) = after(&file(&dir), &[|path| fs::write(path, "telemetry: {log: debug}\n").unwrap()]).await;
        assert_eq!(max, 4);
        assert!(log.contains("`telemetry.log` changed, which takes hold at the next start"), "{log}");
    }
}
