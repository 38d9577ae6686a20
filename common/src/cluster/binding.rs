//! The binding of an admission policy: what puts it in force, and takes it out again (docs/design/protocol.md section
//! 3).

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use super::{ApiError, ApiOutcome, Cluster, FIELD_MANAGER, api_error::within};

/// Puts a policy in force by a binding of the same name. Safe to repeat.
///
/// It is applied, not created, so that the right to do it can be limited to this one name.
///
/// # Errors
/// When the binding is not known to be there, or it is, and binds nothing because there is no such policy.
pub async fn bind(cluster: &Cluster, policy: &str) -> Result<(), ApiError> {
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": policy},
        "spec": {"policyName": policy, "validationActions": ["Deny"]},
    });
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(cluster.client.clone());
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let doing = format!("bind the admission policy `{policy}`");
    within(&doing, bindings.patch(policy, &params, &Patch::Apply(binding))).await?;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(cluster.client.clone());
    match within(&doing, policies.get(policy)).await {
        Err(error) if error.answer == ApiOutcome::NotFound => {
            let why = "the cluster has no such policy, so the binding refuses nothing; install the chart again";
            Err(ApiError { why: why.to_owned(), ..error })
        }
        // It is bound, which is what counts; who cannot read it does not know better.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Takes a policy out of force. Returns whether it was bound.
///
/// # Errors
/// When the binding is not known to be gone.
pub async fn unbind(cluster: &Cluster, policy: &str) -> Result<bool, ApiError> {
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(cluster.client.clone());
    let doing = format!("remove the binding of the admission policy `{policy}`");
    #[expect(clippy::disallowed_methods, reason = "no namespace is deleted, and a repeated removal does no harm")]
    let removed = within(&doing, bindings.delete(policy, &DeleteParams::default())).await;
    match removed {
        Ok(_) => Ok(true),
        Err(error) if error.answer == ApiOutcome::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
