//! The Lease of a role: asked for with deadlines, mended where nobody could take it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use kube_leader_election::{Error, LeaseLock, LeaseLockParams, LeaseLockResult};
use serde_json::json;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::{
    cluster::{FIELD_MANAGER, told},
    config::Settings,
    context::Context,
    process,
};

/// How long one call may take (ARCHITECTURE.md "What always holds"), and at most a third of the lease.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest lease that anybody can have configured.
const MAX_LEASE: Duration = Duration::from_secs(300);

/// A candidate's view of a role's Lease.
pub(super) struct Election {
    pub(super) name: String,
    /// How the Lease calls us.
    pub(super) holder: String,
    pub(super) lease: Duration,
    lock: LeaseLock,
    leases: Api<Lease>,
    /// The Lease as it was when it last changed, and since when it is like that.
    seen: Option<(Seen, Instant)>,
    /// Whether the Lease may name us.
    may_hold: bool,
}

/// What of a Lease changes while somebody keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    holder: Option<String>,
    renewed: Option<Timestamp>,
}

/// What came of a read of the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It names us, for the length of a lease from before the question on.
    Ours,
    /// It names somebody else; nobody, where it is empty.
    Theirs { holder: String },
    /// No answer, or one that cannot be used.
    Unknown(String),
}

impl Election {
    pub(super) fn new(role: &str, context: &Context) -> Self {
        let settings: Arc<Settings> = context.settings();
        let name = format!("{}-{role}", settings.leadership.name);
        let (client, namespace) = (context.cluster.client.clone(), process::namespace(&context.cluster));
        let (holder, lease) = (context.instance.clone(), settings.leadership.lease);
        let params = LeaseLockParams { lease_name: name.clone(), holder_id: holder.clone(), lease_ttl: lease };
        Self {
            lock: LeaseLock::new(client.clone(), &namespace, params),
            leases: Api::namespaced(client, &namespace),
            name,
            holder,
            lease,
            seen: None,
            may_hold: false,
        }
    }

    /// Takes the Lease where it can be taken, keeps it where it is ours, and tells whose it is.
    pub(super) async fn ask(&mut self) -> Answer {
        self.may_hold = true;
        let answer = match timeout(self.call_timeout(), self.lock.try_acquire_or_renew()).await {
            // Of a renewal this is the Lease after it, which may name another: it renews without a condition.
            Ok(Ok(LeaseLockResult::Acquired(lease) | LeaseLockResult::NotAcquired(lease))) => {
                let holder = holder(&lease);
                if holder == self.holder {
                    return Answer::Ours;
                }
                self.mend_if_free(&lease).await;
                Answer::Theirs { holder }
            }
            // It was emptied, or somebody made it by hand.
            Ok(Err(Error::TraverseLease { key })) => {
                warn!("lease `{}` has no `{key}` and is mended", self.name);
                self.mend().await;
                Answer::Theirs { holder: String::new() }
            }
            // It was missing, and another was faster to make it.
            Ok(Err(Error::CreateLease(kube::Error::Api(status)))) if status.code == 409 => {
                Answer::Theirs { holder: "another candidate".to_owned() }
            }
            Ok(Err(error)) => return Answer::Unknown(why(&error)),
            Err(_) => return Answer::Unknown(format!("no answer within {} s", self.call_timeout().as_secs())),
        };
        self.may_hold = false;
        answer
    }

    /// Lets another lead at once, if the Lease may be ours.
    pub(super) async fn release(&self) {
        if !self.may_hold {
            return;
        }
        match timeout(self.call_timeout(), self.lock.step_down()).await {
            Ok(Ok(())) => debug!("lease `{}` is released", self.name),
            // Somebody has it already.
            Ok(Err(Error::ReleaseLockWhenNotLeading { .. })) => {}
            Ok(Err(error)) => warn!("lease `{}` could not be released and runs out: {}", self.name, why(&error)),
            Err(_) => warn!("lease `{}` could not be released in time and runs out", self.name),
        }
    }

    fn call_timeout(&self) -> Duration {
        REQUEST_TIMEOUT.min(self.lease / 3)
    }

    /// A Lease that names nobody is free, and so is one that nobody renews for long, whatever it says: of a leader whose
    /// clock was a day ahead it would run out a day too late.
    async fn mend_if_free(&mut self, lease: &Lease) {
        let now = Seen::of(lease);
        if holder(lease).is_empty() {
            self.seen = None;
            return self.mend().await;
        }
        match &self.seen {
            Some((seen, since)) if *seen == now => {
                let theirs = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
                let theirs = Duration::from_secs(theirs.and_then(|seconds| seconds.try_into().ok()).unwrap_or(0));
                if since.elapsed() > theirs.min(MAX_LEASE).max(self.lease) * 3 / 2 {
                    warn!("lease `{}` was not renewed for {} s and is freed", self.name, since.elapsed().as_secs());
                    self.mend().await;
                }
            }
            _ => self.seen = Some((now, Instant::now())),
        }
    }

    /// Makes the Lease one that can be taken, unless it changes meanwhile.
    async fn mend(&self) {
        let mending = async {
            let lease = self.leases.get(&self.name).await?;
            let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
            let free = json!({
                "metadata": {"resourceVersion": lease.metadata.resource_version},
                "spec": {
                    "holderIdentity": "",
                    "acquireTime": "1970-01-01T00:00:00.000000Z",
                    "renewTime": "1970-01-01T00:00:00.000000Z",
                    "leaseDurationSeconds": 1,
                    "leaseTransitions": transitions,
                },
            });
            self.leases.patch(&self.name, &PatchParams::apply(FIELD_MANAGER), &Patch::Merge(free)).await
        };
        match timeout(self.call_timeout(), mending).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => debug!("lease `{}` was not mended: {}", self.name, told(&error)),
            Err(_) => debug!("lease `{}` was not mended in time", self.name),
        }
    }
}

impl Seen {
    fn of(lease: &Lease) -> Self {
        let spec = lease.spec.as_ref();
        Self {
            holder: spec.and_then(|spec| spec.holder_identity.clone()),
            renewed: spec.and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0),
        }
    }
}

fn holder(lease: &Lease) -> String {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default()
}

/// Why the Lease could not be asked for: the crate that asks hides the cause in its own text.
fn why(error: &Error) -> String {
    match error {
        Error::GetLease(error)
        | Error::CreateLease(error)
        | Error::AcquireLease(error)
        | Error::RenewLease(error)
        | Error::ReleaseLease(error)
        | Error::Kube(error) => told(error),
        other => told(other),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_apiservers_words() {
        let message = "leases.coordination.k8s.io is forbidden".to_owned();
        let status = Status { code: 403, reason: "Forbidden".to_owned(), message, ..Status::default() };
        let expected = "the apiserver answered 403: leases.coordination.k8s.io is forbidden";
        assert_eq!(why(&Error::GetLease(kube::Error::Api(status.clone().boxed()))), expected);
        assert_eq!(why(&Error::RenewLease(kube::Error::Api(status.clone().boxed()))), expected);
        let response = status.boxed();
        assert!(!why(&Error::ApiError { response }).contains("Status {"));
    }
}
