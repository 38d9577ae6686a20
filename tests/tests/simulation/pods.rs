//! Jobs of a machine that are pods: each has a name of its own, and dies when its time has come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;

use crate::{chance::Dice, world::World};

/// The jobs of one life of a machine.
#[derive(Debug)]
pub(crate) struct Pods {
    world: Arc<World>,
    machine: String,
    born: AtomicU64,
}

/// A job, which is a pod or a part of the machine.
#[derive(Debug)]
pub(crate) struct Pod {
    world: Arc<World>,
    machine: String,
    name: String,
    dies_after: Option<Duration>,
}

impl Pods {
    pub(crate) fn new(world: &Arc<World>, machine: &str) -> Self {
        Self { world: world.clone(), machine: machine.to_owned(), born: AtomicU64::new(0) }
    }

    /// One that is about to begin.
    pub(crate) fn next(&self) -> Pod {
        let name = format!("{}.p{}", self.machine, self.born.fetch_add(1, Ordering::Relaxed));
        let within = self.world.scenario.pods.as_ref().and_then(|pods| pods.die_within);
        let mut dice = Dice::new(self.world.scenario.seed, ("pod", &name));
        let dies_after = within.map(|within| Duration::from_millis(dice.between(1, within * 1_000)));
        Pod { world: self.world.clone(), machine: self.machine.clone(), name, dies_after }
    }
}

impl Pod {
    fn is_pod(&self) -> bool {
        self.world.scenario.pods.is_some()
    }

    /// As whom a collector acts.
    pub(crate) fn instance(&self) -> String {
        if self.is_pod() { self.name.clone() } else { self.machine.clone() }
    }

    /// Does its work, unless it dies of something before. In calm times nothing does.
    pub(crate) async fn lives(
        self,
        what: String,
        work: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let dies = async {
            match self.dies_after {
                Some(after) => sleep(after).await,
                None => std::future::pending().await,
            }
            if self.world.is_calm() {
                std::future::pending::<()>().await;
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            () = dies => {
                self.world.count("fault: a pod died");
                self.world.tell(&self.name, &format!("`{what}` dies"));
                return Err(anyhow::anyhow!("the pod died"));
            }
        };
        if self.is_pod() && outcome.is_ok() {
            self.world.count(&format!("pods: `{what}` came to its end"));
            self.world.tell(&self.name, &format!("`{what}` comes to its end"));
        }
        outcome
    }
}
