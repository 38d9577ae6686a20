//! Ends a process that is stalled: one that neither keeps its lease nor finds the time to stop.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use tokio::time::Instant;
use tracing::error;

/// A thread of its own, for it is needed when all others are busy. Fed until it is dropped; dropped, it sleeps.
#[derive(Debug)]
pub(super) struct Watchdog(Sender<std::time::Instant>);

impl Watchdog {
    /// Watches over a lease that ends at `until`. So long after that it ends the process.
    pub(super) fn start(until: Instant, grace: Duration) -> Self {
        Self::start_with(until, grace, || {
            error!("the lease ran out and this process did not stop by itself");
            std::process::exit(1);
        })
    }

    fn start_with(until: Instant, grace: Duration, bite: impl FnOnce() + Send + 'static) -> Self {
        let (feed, fed) = channel();
        let watchdog = Self(feed);
        watchdog.feed(until);
        thread::spawn(move || {
            let Ok(mut until) = fed.recv() else { return };
            loop {
                let left = (until + grace).saturating_duration_since(std::time::Instant::now());
                match fed.recv_timeout(left) {
                    Ok(later) => until = later,
                    Err(RecvTimeoutError::Timeout) => return bite(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        watchdog
    }

    /// The lease was kept, until then.
    pub(super) fn feed(&self, until: Instant) {
        // It is gone once it bit.
        let _ = self.0.send(until.into_std());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn watched(until: Instant) -> (Watchdog, impl Fn() -> bool) {
        let bitten = Arc::new(AtomicBool::new(false));
        let bite = Arc::clone(&bitten);
        let watchdog =
            Watchdog::start_with(until, Duration::from_millis(50), move || bite.store(true, Ordering::SeqCst));
        (watchdog, move || bitten.load(Ordering::SeqCst))
    }

    fn wait(condition: impl Fn() -> bool) -> bool {
        let until = std::time::Instant::now() + Duration::from_secs(180);
        while !condition() && std::time::Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        condition()
    }

    #[test]
    fn it_bites_who_is_stalled_and_no_other() {
        // Both that are not to bite would do so before the other.
        let soon = Instant::now() + Duration::from_secs(3);
        let (fed, spared) = watched(soon);
        fed.feed(soon + LONG);
        let (left, asleep) = watched(soon);
        drop(left);
        let (_stalled, bitten) = watched(soon + Duration::from_millis(500));
        assert!(wait(bitten));
        assert!(!spared() && !asleep());
    }
}
