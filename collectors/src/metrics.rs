//! What a collector counts: at its own port while it lives, and in its beats, so that the API shows it too.

use common::{beats, context::Context};
use lifecycle::Truth;
use prometheus_client::metrics::{counter::Counter, family::Family};

/// The checks of single namespaces, by whether something was found out. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    known: Counter,
    unknown: Counter,
}

impl Checks {
    /// Registers both, though they count nothing yet: a series that begins with its first event hides it.
    pub(crate) fn new(context: &Context) -> Self {
        let family = Family::<Vec<(&'static str, String)>, Counter>::default();
        let of = |result: &str| {
            let labels = vec![("owner", context.instance.clone()), ("result", result.to_owned())];
            family.get_or_create(&labels).clone()
        };
        let all = Self { known: of("success"), unknown: of("failure") };
        context.vitals.register(|registry| {
            registry.register("namespace_manager_ns_check", beats::Checks::HELP, family);
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

    /// As a beat tells of them.
    pub(crate) fn so_far(&self) -> beats::Checks {
        beats::Checks { known: self.known.get(), unknown: self.unknown.get() }
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
        assert_eq!(checks.so_far(), beats::Checks { known: 3, unknown: 4 });
    }
}
