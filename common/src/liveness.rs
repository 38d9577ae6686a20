//! What a process shows of itself: the liveness of its loops, and its metrics.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::exposition::Format;

/// A loop that did not turn for so many of its periods is stalled (ARCHITECTURE.md "What always holds").
const PERIODS: u32 = 3;

/// The liveness and metrics of one process, shared by all that runs in it.
#[derive(Clone, Default)]
pub struct Liveness(Arc<Shared>);

#[derive(Default)]
struct Shared {
    loops: Mutex<Vec<Loop>>,
    registry: Mutex<Registry>,
}

/// A loop that is watched.
#[derive(Debug)]
struct Loop {
    id: u64,
    name: &'static str,
    period: Duration,
    turned: Instant,
}

/// By this a loop tells that it turned. Dropped, the loop is over, and nobody waits for its turns any more.
#[must_use = "dropped, the loop is not watched"]
#[derive(Debug)]
pub struct Ticker {
    liveness: Liveness,
    id: u64,
}

/// A loop that is stalled, and for how long it has not turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StalledLoop {
    pub name: &'static str,
    pub since: Duration,
}

impl Liveness {
    /// Watches a loop from now on, which is to turn at least once in each `period`.
    pub fn watch(&self, name: &'static str, period: Duration) -> Ticker {
        let mut loops = self.loops();
        let id = loops.last().map_or(0, |last| last.id + 1);
        loops.push(Loop { id, name, period, turned: Instant::now() });
        Ticker { liveness: self.clone(), id }
    }

    /// The loop that is stalled, if one is: the first of them.
    #[must_use]
    pub fn stuck(&self) -> Option<StalledLoop> {
        let loops = self.loops();
        let stalled = loops.iter().find(|it| it.turned.elapsed() > it.period * PERIODS)?;
        Some(StalledLoop { name: stalled.name, since: stalled.turned.elapsed() })
    }

    /// Lets a role register what it counts, under names that no other has.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.registry())
    }

    /// All metrics of the process.
    #[must_use]
    pub fn metrics(&self, format: Format) -> String {
        format.encode(&self.registry())
    }

    fn loops(&self) -> MutexGuard<'_, Vec<Loop>> {
        self.0.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticker {
    /// The loop turned.
    pub fn tick(&self) {
        if let Some(own) = self.liveness.loops().iter_mut().find(|it| it.id == self.id) {
            own.turned = Instant::now();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.liveness.loops().retain(|it| it.id != self.id);
    }
}

impl fmt::Debug for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Liveness").field("loops", &*self.loops()).finish_non_exhaustive()
    }
}

impl fmt::Display for StalledLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} has not turned for {} s", self.name, self.since.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);

    fn name(liveness: &Liveness) -> Option<&'static str> {
        liveness.stuck().map(|stalled| stalled.name)
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_is_stalled_after_three_periods_without_a_turn() {
        let liveness = Liveness::default();
        let turns = liveness.watch("planner", PERIOD);
        advance(PERIOD * 3).await;
        assert_eq!(name(&liveness), None);
        advance(Duration::from_millis(1)).await;
        assert_eq!(name(&liveness), Some("planner"));
        turns.tick();
        assert_eq!(name(&liveness), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_turns_of_one_loop_do_not_hide_another() {
        let liveness = Liveness::default();
        let (busy, _idle) = (liveness.watch("busy", PERIOD), liveness.watch("idle", PERIOD));
        advance(PERIOD * 4).await;
        busy.tick();
        assert_eq!(name(&liveness), Some("idle"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_over_is_waited_for_no_longer() {
        let liveness = Liveness::default();
        drop(liveness.watch("worker", PERIOD));
        let other = liveness.watch("other", PERIOD);
        advance(PERIOD * 4).await;
        other.tick();
        assert_eq!(name(&liveness), None);
    }
}
