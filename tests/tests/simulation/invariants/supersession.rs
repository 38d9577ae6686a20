//! Which newer deployments replace which older ones (S4, S8): by the labels in the apiserver's log and by the histories, and
//! where a CI system is asked by what was deployed in truth.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lifecycle::{Entry, Event, Keys, Status};

use super::{Judge, SKEW, Written};
use crate::{
    apiserver::{Life, Object},
    scenario::ScenarioStep,
    world::World,
};

/// From the last look at what replaces it to the intent, with what a store takes to answer.
const LOOKED_WITHIN: SignedDuration = SignedDuration::from_secs(45);

/// What replaces a namespace, as things are.
pub(super) struct Replaced {
    /// Something does.
    pub(super) now: bool,
    /// Something may, or may do so again.
    pub(super) perhaps: bool,
}

impl Judge {
    /// S8: what is superseded was replaced some time, by what was seen then.
    pub(super) fn was_replaced(&mut self, world: &World, entry: &Entry, what: &str) {
        if !self.is_replaced_within(world, entry.uid.as_str(), Timestamp::MIN, entry.at + skew(world)) {
            self.complain("S8", format!("{what} goes to superseded, and no newer deployment ever replaced it"));
        }
    }

    /// S4: what is deleted for being superseded is replaced still, by a fresh look.
    pub(super) fn still_replaced(&mut self, world: &World, object: &Object, intent: &Entry) {
        let (from, until) = (intent.at - LOOKED_WITHIN - skew(world), intent.at + skew(world));
        if !self.is_replaced_within(world, &object.uid, from, until) {
            self.complain("S4", format!("`{}` is deleted, and no newer deployment replaced it by then", object.name));
        }
    }

    /// Whether a newer one of its group was there within this time, and in a status that replaces others.
    fn is_replaced_within(&self, world: &World, uid: &str, from: Timestamp, until: Timestamp) -> bool {
        let Some(deployments) = &world.scenario.deployments else { return false };
        let cluster = world.cluster();
        let lives = cluster.lives();
        let Some(own) = lives.get(uid).and_then(Place::of) else { return false };
        let replaces = |place: Place| place.is_newer(&own) && is_the_same(world, &place, &own, from);
        let newer = lives.iter().filter(|(_, life)| Place::of(life).is_some_and(replaces));
        let mut there = newer.filter(|(_, life)| life.ended.is_none_or(|ended| ended >= from));
        there.any(|(newer, _)| {
            self.statuses(world, newer).any(|(since, to, status)| {
                let replaces = if deployments.are_ready { status == Status::Ok } else { may_replace(status) };
                replaces && since <= until && to >= from
            })
        })
    }

    /// The statuses of a namespace while it was managed, each with its first and last instant.
    fn statuses(&self, world: &World, uid: &str) -> impl Iterator<Item = (Timestamp, Timestamp, Status)> {
        let mut statuses: Vec<(Timestamp, Timestamp, Status)> = Vec::new();
        let mut current = None;
        for Written { entry, at } in self.history(uid) {
            let next = match &entry.event {
                Event::Adopted(_) => Some(Status::Unknown),
                Event::StatusChanged(change) => Some(change.to),
                Event::Released(_) | Event::Gone(_) => None,
                _ => continue,
            };
            let at = world.at(*at);
            if let Some((since, status)) = current.take() {
                statuses.push((since, at, status));
            }
            current = next.map(|status| (at, status));
        }
        statuses.extend(current.map(|(since, status)| (since, Timestamp::MAX, status)));
        statuses.into_iter()
    }

    /// What replaces a namespace when all has come to rest.
    pub(super) fn replaced(&self, world: &World, object: &Object) -> Replaced {
        let mut replaced = Replaced { now: false, perhaps: false };
        let (Some(deployments), Some(own)) = (&world.scenario.deployments, Place::of_object(object)) else {
            return replaced;
        };
        let mut jobs: BTreeMap<u64, Vec<Option<Status>>> = BTreeMap::new();
        for other in world.cluster().all() {
            let Some(place) = Place::of_object(other).filter(|place| place.is_newer(&own)) else { continue };
            let tells = |job: u64| world.scenario.pipelines.is_none() || world.ci().tells_of_job(job);
            let is_told = tells(place.job_id) && tells(own.job_id);
            let was_the_same = is_the_same(world, &place, &own, Timestamp::MIN);
            if is_told && !was_the_same {
                continue;
            }
            let is_told = is_told && is_the_same(world, &place, &own, Timestamp::MAX);
            let is_in_the_way = other.deleted.is_some() || self.open(&other.uid).is_some();
            let status = self.statuses(world, &other.uid).last().filter(|(_, to, _)| *to == Timestamp::MAX);
            let status = status.map(|(_, _, status)| status).filter(|_| !is_in_the_way);
            replaced.perhaps |= !is_told;
            jobs.entry(place.job_id).or_default().push(status.filter(|_| is_told));
        }
        for job in jobs.values() {
            let may = job.iter().flatten().any(|status| may_replace(*status));
            let is_ready = job.iter().all(|status| *status == Some(Status::Ok));
            replaced.perhaps |= may;
            replaced.now |= if deployments.are_ready { is_ready } else { may };
        }
        replaced
    }
}

/// Whether something in this status can replace others, once it is ready at the latest.
const fn may_replace(status: Status) -> bool {
    match status {
        Status::Unknown | Status::Ok | Status::Unstable | Status::Failing | Status::Stale => true,
        Status::Failed | Status::Cancelled | Status::Superseded => false,
    }
}

/// Where a deployment stands among others.
struct Place {
    group: [Option<String>; 4],
    job_id: u64,
}

impl Place {
    fn of(life: &Life) -> Option<Self> {
        Self::by_labels(&life.labels)
    }

    fn of_object(object: &Object) -> Option<Self> {
        Self::by_labels(&object.labels)
    }

    fn by_labels(labels: &BTreeMap<String, String>) -> Option<Self> {
        let label = |key: &str| labels.get(&Keys::default().of_ci(key)).cloned();
        let group = [label("projectId"), label("job"), label("mrId"), label("branch")];
        Some(Self { group, job_id: label("jobId")?.parse().ok()? })
    }

    fn is_newer(&self, than: &Self) -> bool {
        self.group == than.group && self.job_id > than.job_id
    }
}

/// Whether two jobs deployed the same in truth, the first one later, as it was known then or since; without a CI system labels are believed.
fn is_the_same(world: &World, later: &Place, earlier: &Place, from: Timestamp) -> bool {
    world.scenario.pipelines.is_none() || world.ci().replaces(later.job_id, earlier.job_id, from)
}

/// What a clock may be off by, where one is.
pub(super) fn skew(world: &World) -> SignedDuration {
    let jumps = world.scenario.steps.iter().any(|(_, step)| matches!(step, ScenarioStep::Jump(..)));
    if jumps { SKEW } else { SignedDuration::ZERO }
}
