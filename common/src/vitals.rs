//! What a process shows of itself to whoever looks after it: whether its loops turn, and its numbers.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::exposition::Format;

/// A loop that did not turn for so many of its periods is stuck (ARCHITECTURE.md "What always holds").
const PERIODS: u32 = 3;

/// The vitals of one process, shared by all that runs in it.
#[derive(Clone, Default)]
pub struct Vitals(Arc<Shared>);

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
pub struct Turns {
    vitals: Vitals,
    id: u64,
}

/// A loop that is stuck, and for how long it has not turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    pub name: &'static str,
    pub since: Duration,
}

impl Vitals {
    /// Watches a loop from now on, which is to turn at least once in each `period`.
    pub fn watch(&self, name: &'static str, period: Duration) -> Turns {
        let mut loops = self.loops();
        let id = loops.last().map_or(0, |last| last.id + 1);
        loops.push(Loop { id, name, period, turned: Instant::now() });
        Turns { vitals: self.clone(), id }
    }

    /// The loop that is stuck, if one is: the first of them.
    #[must_use]
    pub fn stuck(&self) -> Option<Stuck> {
        let loops = self.loops();
        let stuck = loops.iter().find(|it| it.turned.elapsed() > it.period * PERIODS)?;
        Some(Stuck { name: stuck.name, since: stuck.turned.elapsed() })
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

impl Turns {
    /// The loop turned.
    pub fn turned(&self) {
        if let Some(own) = self.vitals.loops().iter_mut().find(|it| it.id == self.id) {
            own.turned = Instant::now();
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.vitals.loops().retain(|it| it.id != self.id);
    }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitals").field("loops", &*self.loops()).finish_non_exhaustive()
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} has not turned for {} s", self.name, self.since.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);

    fn name(vitals: &Vitals) -> Option<&'static str> {
        vitals.stuck().map(|stuck| stuck.name)
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_is_stuck_after_three_periods_without_a_turn() {
        let vitals = Vitals::default();
        let turns = vitals.watch("planner", PERIOD);
        advance(PERIOD * 3).await;
        assert_eq!(name(&vitals), None);
        advance(Duration::from_millis(1)).await;
        assert_eq!(name(&vitals), Some("planner"));
        turns.turned();
        assert_eq!(name(&vitals), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_turns_of_one_loop_do_not_hide_another() {
        let vitals = Vitals::default();
        let (busy, _idle) = (vitals.watch("busy", PERIOD), vitals.watch("idle", PERIOD));
        advance(PERIOD * 4).await;
        busy.turned();
        assert_eq!(name(&vitals), Some("idle"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_over_is_waited_for_no_longer() {
        let vitals = Vitals::default();
        drop(vitals.watch("worker", PERIOD));
        let other = vitals.watch("other", PERIOD);
        advance(PERIOD * 4).await;
        other.turned();
        assert_eq!(name(&vitals), None);
    }
}
