//! The controls people set for all namespaces: stop, resume, approve, trust the store.

use common::{
    controls,
    status::ControlInForce as Standing,
    stop::{EmergencyStop, Unchanged},
    store::{Store, StoreError},
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::Actor;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The result of a control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StopState {
    /// `stop`, `resume`, `approve` or `trust_store`.
    pub control: Kind,
    pub by: Actor,
    pub at: Timestamp,
    /// Until when an approval holds.
    pub until: Option<Timestamp>,
    /// The namespaces whose deletion was under way, and can no longer happen by it.
    pub fenced: Vec<String>,
    /// Those whose deletion may still happen or had been accepted before, and why.
    pub not_fenced: Vec<String>,
    /// What else could not be done, and why. The control takes effect all the same.
    pub failed: Vec<String>,
    /// The stop that was released.
    pub ended: Option<Standing>,
    /// Whether the admission policy that refuses deletions was in force until now.
    pub unbound: bool,
    /// The store mismatch: the one in force at an approval, or the one that trusting the store resolved.
    pub mismatch: Option<Standing>,
    /// The first namespaces whose record markers did not agree with their histories until the store was trusted.
    #[serde(default)]
    pub markers: Vec<String>,
}

/// The most namespaces that are named.
const MAX_NAMED: usize = 100;

/// Which control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Stop,
    Resume,
    Approve,
    TrustStore,
}

impl StopState {
    /// The result of a control without further fields.
    #[must_use]
    pub fn new(control: Kind, by: &Actor, at: Timestamp) -> Self {
        Self {
            control,
            by: by.clone(),
            at,
            until: None,
            fenced: Vec::new(),
            not_fenced: Vec::new(),
            failed: Vec::new(),
            ended: None,
            unbound: false,
            mismatch: None,
            markers: Vec::new(),
        }
    }

    /// Whether all of it is done.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failed.is_empty() && self.not_fenced.is_empty()
    }
}

/// Stops all deletions, and answers when none can be accepted any more.
///
/// # Errors
/// When nothing is known to be stopped.
pub async fn stop(board: &EmergencyStop<'_>, reason: Option<String>) -> Result<StopState, Unchanged> {
    let mut recorded = StopState::new(Kind::Stop, board.actor, board.clock.now());
    let activated = board.activate(reason).await?;
    let before = |name| format!("{name}: its deletion had been accepted before the stop");
    let unknown = |(name, why)| format!("{name}: {why}");
    recorded.not_fenced = activated.accepted.into_iter().map(before).collect();
    recorded.not_fenced.extend(activated.unfenced.into_iter().map(unknown));
    (recorded.fenced, recorded.failed) = (activated.fenced, activated.failed);
    Ok(recorded)
}

/// Lets deletions go on.
///
/// # Errors
/// When they are not known to.
pub async fn resume(board: &EmergencyStop<'_>, reason: Option<String>) -> Result<StopState, Unchanged> {
    let mut recorded = StopState::new(Kind::Resume, board.actor, board.clock.now());
    let back = board.release(reason).await?;
    (recorded.ended, recorded.unbound) = (back.stop.map(Standing::from), back.was_bound);
    Ok(recorded)
}

/// Lets unannounced deletions exceed their limit for a length of time.
///
/// # Errors
/// When it is not known to be durable.
pub async fn approve(
    store: &dyn Store,
    actor: &Actor,
    period: SignedDuration,
    now: Timestamp,
) -> Result<StopState, StoreError> {
    let mut recorded = StopState::new(Kind::Approve, actor, now);
    recorded.until = Some(controls::approve(store, actor, period, now).await?);
    recorded.mismatch = controls::store_mismatch(store).await?.map(Standing::from);
    Ok(recorded)
}

/// Records that this store is the right one.
///
/// # Errors
/// When it is not known to be durable.
pub async fn trust_store(store: &dyn Store, actor: &Actor, now: Timestamp) -> Result<StopState, StoreError> {
    let mut recorded = StopState::new(Kind::TrustStore, actor, now);
    if let Some(trusted) = controls::trust_store(store, actor, now).await? {
        recorded.mismatch = trusted.mismatch.map(Standing::from);
        recorded.markers = trusted.namespaces.into_iter().take(MAX_NAMED).collect();
    }
    Ok(recorded)
}
