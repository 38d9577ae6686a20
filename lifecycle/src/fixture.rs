//! What tests of several files begin with.

use serde_json::Value;

use crate::{
    Keys, Mode, Policies,
    guards::PROMISE_MARGIN,
    policy::{Common, HealthSources},
};

/// The policy that is written so.
pub(crate) fn policies(raw: Value, mode: Mode, has_channel: bool) -> Policies {
    let raw = serde_json::from_value(raw).expect("it is a policy");
    let (keys, sources) = (Keys::default(), HealthSources::NONE);
    let common = Common { mode, keys, exclude: &[], has_channel, sources, ci: &[], promise_margin: PROMISE_MARGIN };
    Policies::new(&[raw], &common).expect("it is valid")
}
