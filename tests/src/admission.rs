//! Has the apiserver refuse what a test says, as any cluster's admission may.

use anyhow::Result;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

/// What is refused, for namespaces.
#[derive(Clone, Debug)]
pub struct Admission<'a> {
    /// Of the policy and its binding. Others share the apiserver.
    pub name: &'a str,
    /// `UPDATE`, `DELETE`.
    pub operation: &'a str,
    /// What has to be true of what is let through, in CEL.
    pub lets_through: String,
    pub message: &'a str,
    /// As an answer has it: `Forbidden` (403) or `Invalid` (422); `None`: what the apiserver takes.
    pub reason: Option<&'a str>,
}

impl Admission<'_> {
    /// Installs it. It is in force some time later, when the apiserver has heard of it itself.
    ///
    /// # Errors
    /// When the apiserver refuses it.
    pub async fn install(&self, client: &Client) -> Result<()> {
        let mut validation = json!({"expression": self.lets_through, "message": self.message});
        if let Some(reason) = self.reason {
            validation["reason"] = json!(reason);
        }
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": self.name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["*"], "operations": [self.operation], "resources": ["namespaces"]},
                ]},
                "validations": [validation],
            },
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": self.name},
            "spec": {"policyName": self.name, "validationActions": ["Deny"]},
        });
        let params = PatchParams::apply("testbed").force();
        let (policies, bindings) = apis(client);
        policies.patch(self.name, &params, &Patch::Apply::<Value>(policy)).await?;
        bindings.patch(self.name, &params, &Patch::Apply::<Value>(binding)).await?;
        Ok(())
    }

    /// Takes it away, likewise.
    ///
    /// # Errors
    /// When the apiserver refuses that.
    pub async fn remove(client: &Client, name: &str) -> Result<()> {
        let (policies, bindings) = apis(client);
        bindings.delete(name, &DeleteParams::default()).await?;
        policies.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }
}

fn apis(client: &Client) -> (Api<ValidatingAdmissionPolicy>, Api<ValidatingAdmissionPolicyBinding>) {
    (Api::all(client.clone()), Api::all(client.clone()))
}
