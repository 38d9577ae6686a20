//! The ways out of a process, with all that can go wrong on them.

pub(crate) mod alerts;
pub(crate) mod ci;
pub(crate) mod elsewhere;
pub(crate) mod jobs;
pub(crate) mod network;
pub(crate) mod owners;
pub(crate) mod queue;
pub(crate) mod store;
pub(crate) mod web;

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    chance::Dice,
    scenario::{Moment, OutageKind, Way, When},
    world::{Who, World},
};

/// How often who stands still looks whether that is over.
const FROZEN: Duration = Duration::from_millis(500);

/// One process's way out. When the process is dead, nothing comes back from it.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) world: Arc<World>,
    pub(crate) who: Who,
    life: CancellationToken,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done, and answered.
    Fine,
    /// It never arrives: refused at once.
    Refused,
    /// It is answered with an error by whoever is asked, and not done.
    Answered(Error),
    /// It is done, and the answer is lost.
    Lost,
    /// It is done, and answered with an error of somebody in between.
    Garbled,
    /// No answer comes, and it is done this much later, whoever gave up on it.
    Late(Duration),
    /// No answer comes, and it is never done.
    Hangs,
}

/// An error that says that nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    TooMany,
    Internal,
    /// It is not allowed.
    Forbidden,
    /// A page of somebody in between, with the status 404.
    Page,
    /// Its form is none.
    Malformed,
}

impl Edge {
    pub(crate) const fn new(world: Arc<World>, who: Who, life: CancellationToken) -> Self {
        Self { world, who, life }
    }

    /// Sets out on a request. Returns what will become of it, and its number.
    pub(crate) async fn set_out(&self, way: Way, what: &str, changes: bool) -> (Fate, u64) {
        self.live().await;
        if let Who::Machine(machine) = self.who {
            if self.world.is_frozen(machine) {
                self.world.count("fault: frozen");
                self.world.failed(machine);
            }
            while self.world.is_frozen(machine) {
                sleep(FROZEN).await;
                self.live().await;
            }
        }
        self.world.step(Moment::Any, "", When::Before);
        let number = self.world.turn();
        let mut dice = Dice::new(self.world.scenario.seed, (self.who, way, what, number));
        let fate = self.fate(way, changes, &mut dice);
        if let (Who::Machine(machine), true) = (self.who, fate != Fate::Fine && !is_evidence(way)) {
            self.world.failed(machine);
        }
        if fate != Fate::Fine {
            self.world.count(&format!("fault: {way:?} {}", fate.name()));
            self.world.tell(&self.who.name(), &format!("{what}: {fate:?}"));
        }
        // Everything takes a while, so that others come in between.
        let slow = !self.world.is_calm() && dice.happens(30);
        let latency = if slow { dice.between(100, 3_500) } else { dice.between(0, 12) };
        sleep(Duration::from_millis(latency)).await;
        self.live().await;
        (fate, number)
    }

    /// A request took effect, or none: the process may die of it.
    pub(crate) async fn came_back(&self, number: u64) {
        self.world.step(Moment::Any, "", When::After);
        let dies = self.world.scenario.dies_every.is_some_and(|every| number % every == every - 1);
        if dies && !self.world.is_calm() && matches!(self.who, Who::Machine(_)) {
            self.world.count("fault: process died");
            self.life.cancel();
        }
        self.live().await;
    }

    /// The dead wait for ever.
    pub(crate) async fn live(&self) {
        if self.life.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }

    fn fate(&self, way: Way, changes: bool, dice: &mut Dice) -> Fate {
        if self.world.is_calm() {
            return Fate::Fine;
        }
        let elapsed = self.world.elapsed();
        let mut outages = self.world.scenario.weather.outages.iter();
        if let Some(outage) =
            outages.find(|outage| outage.way == way && outage.from <= elapsed && elapsed < outage.until)
        {
            return match outage.how {
                OutageKind::Forbids if way == Way::Apiserver && changes => Fate::Answered(Error::Forbidden),
                OutageKind::Forbids if way == Way::Apiserver => Fate::Fine,
                OutageKind::Forbids if matches!(way, Way::Owners | Way::Ci) => Fate::Answered(Error::Forbidden),
                OutageKind::Misreads if way == Way::Owners => Fate::Answered(Error::Malformed),
                OutageKind::Forbids | OutageKind::Misreads | OutageKind::Refuses => Fate::Refused,
                OutageKind::Hangs => Fate::Hangs,
            };
        }
        if !dice.happens(self.world.rate(way)) {
            return Fate::Fine;
        }
        match dice.below(10) {
            0 | 1 => Fate::Refused,
            2 => Fate::Answered(dice.one_of(&[Error::TooMany, Error::Internal, Error::Page])),
            3 | 4 => Fate::Lost,
            5 => Fate::Garbled,
            6 => Fate::Hangs,
            _ => Fate::Late(Duration::from_millis(dice.one_of(&[50, 2_000, 9_000, 20_000, 70_000, 400_000]))),
        }
    }
}

/// Whether nothing but what is known waits for it.
fn is_evidence(way: Way) -> bool {
    matches!(way, Way::Alerts | Way::Ci)
}

impl Fate {
    const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Refused => "refused",
            Self::Answered(Error::TooMany) => "answered 429",
            Self::Answered(Error::Internal) => "answered 500",
            Self::Answered(Error::Forbidden) => "answered 403",
            Self::Answered(Error::Page) => "answered a page",
            Self::Answered(Error::Malformed) => "answered 400",
            Self::Lost => "reply lost",
            Self::Garbled => "done, answered 504",
            Self::Late(_) => "late",
            Self::Hangs => "hangs",
        }
    }
}
