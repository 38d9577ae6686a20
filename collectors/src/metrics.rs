//! What a collector counts: at its own port while it lives, and in its heartbeats, so that the API shows it too.

use common::{context::Context, heartbeat};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{Truth, time::between};
use prometheus_client::metrics::{counter::Counter, family::Family};

/// Annotations that are put right twice within this time are contested. They are put right every ten minutes at most.
const CONTESTED_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// The checks of single namespaces, by whether something was found out; and the annotations that are changed again and
/// again. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    known: Counter,
    unknown: Counter,
    contested: Counter,
}

impl Checks {
    /// Registers both, though they count nothing yet: a series that begins with its first event hides it.
    pub(crate) fn new(context: &Context) -> Self {
        let family = Family::<Vec<(&'static str, String)>, Counter>::default();
        let of = |result: &str| {
            let labels = vec![("owner", context.instance.clone()), ("result", result.to_owned())];
            family.get_or_create(&labels).clone()
        };
        let contested = Family::<Vec<(&'static str, String)>, Counter>::default();
        let of_owner = contested.get_or_create(&vec![("owner", context.instance.clone())]).clone();
        let all = Self { known: of("success"), unknown: of("failure"), contested: of_owner };
        context.liveness.register(|registry| {
            registry.register("namespace_manager_ns_check", heartbeat::CheckCounts::HELP, family);
            registry.register(
                "namespace_manager_annotations_contested",
                heartbeat::CheckCounts::CONTESTED_HELP,
                contested,
            );
        });
        all
    }

    /// So many checks found this.
    pub(crate) fn count(&self, truth: Truth, checks: u64) {
        match truth {
            Truth::True | Truth::False => self.known.inc_by(checks),
            Truth::Unknown => self.unknown.inc_by(checks),
        };
    }

    /// Annotations are put right `now`, which were put right before at `before`, if ever.
    pub(crate) fn repaired(&self, before: Option<Timestamp>, now: Timestamp) {
        if before.is_some_and(|before| between(before, now) <= CONTESTED_WITHIN) {
            self.contested.inc();
        }
    }

    /// As a heartbeat tells of them.
    pub(crate) fn so_far(&self) -> heartbeat::CheckCounts {
        heartbeat::CheckCounts { known: self.known.get(), unknown: self.unknown.get(), contested: self.contested.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_found_something_out_is_told_apart_from_what_did_not() {
        let checks = Checks::default();
        checks.count(Truth::True, 1);
        checks.count(Truth::False, 2);
        checks.count(Truth::Unknown, 4);
        assert_eq!(checks.so_far(), heartbeat::CheckCounts { known: 3, unknown: 4, contested: 0 });
    }

    #[test]
    fn what_is_put_right_once_is_not_contested() {
        let (checks, at) = (Checks::default(), |minute: i64| Timestamp::from_second(minute * 60).unwrap());
        checks.repaired(None, at(0));
        assert_eq!(checks.so_far().contested, 0);
        checks.repaired(Some(at(0)), at(10));
        checks.repaired(Some(at(10)), at(70));
        assert_eq!(checks.so_far().contested, 2);
        checks.repaired(Some(at(70)), at(131));
        assert_eq!(checks.so_far().contested, 2, "that was long ago");
    }
}
