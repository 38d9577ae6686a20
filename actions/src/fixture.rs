//! What tests of several files begin with.

mod apiserver;
mod between;
mod scene;

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Waker},
    time::Duration,
};

use jiff::Timestamp;
use lifecycle::{
    Keys, Mode, Policies,
    guards::PROMISE_MARGIN,
    policy::{Common, HealthSources},
};
use serde_json::json;

pub(crate) use self::{
    apiserver::{Apiserver, Asked},
    scene::{Scene, UID, becomes},
};

/// What happens in the middle of something else.
pub(crate) type ScenarioStep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One policy, `ci`, of this time to live, which is enforced.
pub(crate) fn policies(ttl: &str, has_channel: bool) -> Policies {
    let raw = serde_json::from_value(json!({"name": "ci", "match": {"names": ["ci-.*"]}, "ttl": ttl})).unwrap();
    let (mode, keys, sources) = (Mode::Enforce, Keys::default(), HealthSources::NONE);
    let common = Common { mode, keys, exclude: &[], has_channel, sources, ci: &[], promise_margin: PROMISE_MARGIN };
    Policies::new(&[raw], &common).unwrap()
}

/// So many seconds after the beginning of a test, which is that of a window of the budget.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A step that happens at once.
pub(crate) fn at_once(step: impl FnOnce() + Send + 'static) -> ScenarioStep {
    Box::pin(async move { step() })
}

/// Time passes while this process stands still: when it goes on, no deadline has come to its end before what was waited for.
pub(crate) fn stand_still(seconds: u64) {
    let passing = pin!(tokio::time::advance(Duration::from_secs(seconds)));
    // The clock has moved when it is asked for the first time; it is not waited for that others see it.
    let _ = passing.poll(&mut Context::from_waker(Waker::noop()));
}
