//! What tests of several files begin with.

use lifecycle::{
    Keys, Mode, Policies,
    guards::PROMISE_MARGIN,
    policy::{Common, HealthSources},
};
use serde_json::json;

/// One policy, `ci`, of this time to live, which is enforced.
pub(crate) fn policies(ttl: &str, has_channel: bool) -> Policies {
    let raw = serde_json::from_value(json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": ttl})).unwrap();
    let (mode, keys, sources) = (Mode::Enforce, Keys::default(), HealthSources::NONE);
    let common = Common { mode, keys, exclude: &[], has_channel, sources, ci: &[], promise_margin: PROMISE_MARGIN };
    Policies::new(&[raw], &common).unwrap()
}
