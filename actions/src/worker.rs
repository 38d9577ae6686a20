//! One worker: what its attempts share, and what it tells of itself.

use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{
    budget::SlotAllocator,
    context::Context,
    events::Events,
    heartbeat::{self, CurrentTask, Outage, WorkerBody, is_alive},
};
use evidence::ci::Sources;
use jiff::Timestamp;
use lifecycle::{Actor, Task};
use serde_json::Value;
use tracing::Span;

use crate::admission_probe::AdmissionProbe;

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) context: Context,
    pub(crate) actor: Actor,
    pub(crate) claims: SlotAllocator,
    pub(crate) admission_probe: AdmissionProbe,
    pub(crate) events: Events,
    pub(crate) pipelines: Sources,
    at: Mutex<Progress>,
}

/// What it is doing, for anyone who reads its heartbeats.
#[derive(Debug, Default)]
struct Progress {
    doing: Option<CurrentTask>,
    done: u64,
    failed: u64,
}

impl Worker {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            actor: context.actor(heartbeat::WORKER),
            claims: SlotAllocator::default(),
            admission_probe: AdmissionProbe::default(),
            events: Events::new(&context, "Delete"),
            pipelines: Sources::default(),
            at: Mutex::default(),
            context,
        }
    }

    /// Takes a task in hand.
    pub(crate) fn begin(&self, task: &Task) {
        let since = self.context.clock.now();
        self.at().doing = Some(CurrentTask { task: task.id(), namespace: None, since });
    }

    /// The namespace the task in hand is about, by its record.
    pub(crate) fn is_about(&self, namespace: &str) {
        Span::current().record("namespace.name", namespace);
        if let Some(doing) = &mut self.at().doing {
            doing.namespace = Some(namespace.to_owned());
        }
    }

    /// The task in hand is over.
    pub(crate) fn end(&self, well: bool) {
        let mut at = self.at();
        at.doing = None;
        if well {
            at.done += 1;
        } else {
            at.failed += 1;
        }
    }

    /// What it tells of itself.
    pub(crate) fn body(&self) -> Value {
        let Progress { doing, done, failed } = &*self.at();
        let body = WorkerBody {
            current: doing.clone(),
            done: *done,
            failed: *failed,
            config: self.context.settings().hash.clone(),
            admission_error: self.admission_probe.known(),
            outages: Outage::of_clock(&self.context.cluster.clock, self.context.clock.now()).into_iter().collect(),
        };
        serde_json::to_value(body).expect("plain data serializes")
    }

    /// Whether this is one of those that are to wait for work though there is none: of all that are alive, those that
    /// began first. A worker that cannot ask waits: another would only take its place.
    pub(crate) async fn is_to_wait(&self, started: Timestamp) -> bool {
        let min = self.context.settings().workers.min as usize;
        if min == 0 {
            return false;
        }
        let Ok(heartbeats) = self.context.store.heartbeats(heartbeat::MAX_HEARTBEATS).await else {
            return true;
        };
        let (now, own) = (self.context.clock.now(), (started, self.actor.as_str()));
        let others =
            heartbeats.iter().filter(|heartbeat| heartbeat.role == heartbeat::WORKER && is_alive(heartbeat.at, now));
        others.filter(|heartbeat| (heartbeat.started, heartbeat.id.as_str()) < own).count() < min
    }

    fn at(&self) -> MutexGuard<'_, Progress> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use common::store::Heartbeat;
    use serde_json::Value;

    use super::*;
    use crate::fixture::{Scene, at};

    /// Whether a worker that began at 0 is to wait for work, where so many are to, and these began at these seconds and
    /// were heard of at those.
    async fn waits(min: &str, others: &[(i64, i64)]) -> bool {
        let scene = Scene::with(&[("NSM__WORKERS__MIN", min)]).await;
        for (number, (started, heard)) in others.iter().enumerate() {
            let (id, role) = (format!("action/{number}"), heartbeat::WORKER.to_owned());
            let heartbeat = Heartbeat { id, role, started: at(*started), at: at(*heard), body: Value::Null };
            scene.worker.context.store.heartbeat(&heartbeat).await.unwrap();
        }
        scene.worker.is_to_wait(at(0)).await
    }

    #[tokio::test(start_paused = true)]
    async fn of_all_that_live_those_wait_that_began_first() {
        assert!(!waits("0", &[]).await, "none is to wait");
        assert!(waits("1", &[]).await);
        assert!(waits("1", &[(1, 0)]).await, "it began later");
        assert!(!waits("1", &[(-1, 0)]).await);
        assert!(waits("2", &[(-1, 0)]).await);
        assert!(waits("1", &[(-1, -91)]).await, "it is dead");
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_ask_waits_where_any_is_to() {
        for (min, expected) in [("0", false), ("1", true)] {
            let scene = Scene::with(&[("NSM__WORKERS__MIN", min)]).await;
            scene.lose_the_store();
            assert_eq!(scene.worker.is_to_wait(at(0)).await, expected, "{min}");
        }
    }
}
