//! What goes with its pipeline or its merge request (S4, S8): by who uses it in truth ([`crate::ci`]).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lifecycle::{Entry, Keys};

use super::{Judge, supersession::skew};
use crate::{apiserver::Object, scenario::Pipelines, world::World};

/// How old the evidence of a deletion may be (S4), with what a store takes to answer.
const FRESH: SignedDuration = SignedDuration::from_secs(65);

/// How much older than its pipeline a namespace is that surely counts as older, or surely does not.
const SURELY: SignedDuration = SignedDuration::from_secs(55);

/// How long it takes until one that is over is asked for again.
const OVER: Duration = Duration::from_mins(31);

/// What is to become of a namespace by what the CI system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Becomes {
    /// It is to be cancelled.
    Cancelled,
    /// It is not.
    Stays,
    /// It does not tell enough.
    Either,
}

impl Judge {
    /// S8: what is cancelled was in use by nobody some time.
    pub(super) fn was_abandoned(&mut self, world: &World, entry: &Entry, what: &str) {
        if !world.ci().was_free(entry.uid.as_str(), Timestamp::MIN, entry.at + skew(world)) {
            self.complain("S8", format!("{what} goes to cancelled, and was always in use"));
        }
    }

    /// S4: what is deleted for being cancelled is in use by nobody, by a fresh look.
    pub(super) fn still_abandoned(&mut self, world: &World, object: &Object, intent: &Entry) {
        let (from, until) = (intent.at - FRESH - skew(world), intent.at + skew(world));
        if !world.ci().was_free(&object.uid, from, until) {
            self.complain("S4", format!("`{}` is deleted as cancelled, and was in use", object.name));
        }
    }

    /// What is to become of a namespace when all has come to rest.
    pub(super) fn becomes(world: &World, object: &Object) -> Becomes {
        let Some(asked) = &world.scenario.pipelines else { return Becomes::Stays };
        let label =
            |key: &str| object.labels.get(&Keys::default().of_ci(key)).and_then(|text| text.parse::<u64>().ok());
        let Some(number) = label("pipelineId") else { return Becomes::Stays };
        let ci = world.ci();
        let Some(pipeline) = ci.pipeline(number) else { return Becomes::Either };
        let request = label("mrId").filter(|_| asked.merged);
        if ci.is_lost(pipeline) {
            return Becomes::Either;
        }
        if request.is_some_and(|request| ci.has_ended(pipeline, request)) {
            return Becomes::Cancelled;
        }
        let age = pipeline.created.duration_since(object.created);
        match pipeline.status {
            "canceled" if ci.goes_on(number) || age > SURELY => Becomes::Either,
            "canceled" => Becomes::Cancelled,
            _ if request.is_some() || !ci.is_in_use(&object.uid) => Becomes::Either,
            _ => Becomes::Stays,
        }
    }

    /// What is wrong with one that shows that it is cancelled.
    pub(super) fn unsettled_cancelled(
        world: &World,
        object: &Object,
        is_over: bool,
        can_go: bool,
    ) -> Option<&'static str> {
        let deletes = world.scenario.pipelines.as_ref().is_some_and(|asked| asked.deletes);
        match Self::becomes(world, object) {
            Becomes::Stays => Some("is cancelled, and is in use"),
            Becomes::Cancelled if deletes && can_go => Some("is cancelled, and there still"),
            Becomes::Cancelled | Becomes::Either if is_over && can_go => Some("is cancelled and over, and there still"),
            Becomes::Cancelled | Becomes::Either if is_over && !deletes => Some("is cancelled instead of stale"),
            Becomes::Cancelled | Becomes::Either => None,
        }
    }
}

/// How long everything may take that pipelines have to do with, from the last fault on.
pub(super) fn patience(asked: &Pipelines) -> Duration {
    let rounds = Duration::from_secs(asked.check_every).saturating_mul(12);
    OVER + rounds + Duration::from_secs(asked.told_for + asked.gone_after)
}
