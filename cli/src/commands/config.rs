//! `nsm config`.

use std::path::PathBuf;

use common::{
    cluster::{ApiError, Cluster, facts, within},
    config::{Settings, reference},
};
use kube::api::ListParams;
use lifecycle::{Mode, Namespace};
use serde::Serialize;
use serde_json::Value;

use crate::{
    args::ConfigCommand,
    context::CliContext,
    failure::Failure,
    output::{Output, print},
    view::{
        describe,
        diff::{self, Difference},
        effective::effective,
    },
};

/// How many namespaces are listed at once.
const PAGE_SIZE: u32 = 500;

/// A configuration that is good.
#[derive(Debug, Serialize)]
struct CheckedConfig {
    /// Changes with anything that can change a decision.
    hash: String,
    mode: Mode,
    /// The names of the policies, in their order.
    policies: Vec<String>,
    /// The configuration with every default filled in, but for what may be secret.
    effective: Value,
    /// What changes against the older one.
    difference: Option<Difference>,
}

pub(super) async fn config(reach: &CliContext<'_>, screen: &Output, command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Schema => print(&format!("{:#}\n", reference::schema())),
        ConfigCommand::Example => print(&reference::example()),
        ConfigCommand::Check { diff } => check(reach, screen, diff).await,
    }
}

async fn check(reach: &CliContext<'_>, screen: &Output, older: Option<PathBuf>) -> Result<(), Failure> {
    let settings = reach.settings()?;
    let now = reach.now();
    let difference = match older {
        None => None,
        Some(path) => {
            let old = reach.source_at(Some(path)).load()?;
            let namespaces = match pairs(reach, &old, &settings).await {
                Ok(seen) => Some(diff::namespaces(seen, &old.policies, &settings.policies, now)),
                Err(why) => {
                    screen.note(&format!("what it changes for namespaces is not known: {why}"));
                    None
                }
            };
            Some(Difference { settings: diff::settings(&old, &settings), namespaces })
        }
    };
    let checked = CheckedConfig {
        hash: settings.hash,
        mode: settings.mode,
        policies: settings.policies.iter().map(|policy| policy.name.clone()).collect(),
        effective: effective(&settings.raw),
        difference,
    };
    screen.answer(&checked, |width| {
        let names = match checked.policies.as_slice() {
            [] => "no policies, so nothing is managed".to_owned(),
            names => format!("policies: {}", names.join(", ")),
        };
        let head = format!("good (mode {}; {names}; hash {})\n", describe::mode(checked.mode), checked.hash);
        let rest = checked.difference.as_ref().map(|difference| diff::text(difference, now, width));
        rest.map_or(head.clone(), |rest| format!("{head}\n{rest}"))
    })
}

/// Every namespace of the cluster, as the old and as the new policies see it.
async fn pairs(reach: &CliContext<'_>, old: &Settings, new: &Settings) -> Result<Vec<(Namespace, Namespace)>, String> {
    let cluster = reach.cluster_if_near().await?;
    list(&cluster, old, new).await.map_err(|error| error.to_string())
}

async fn list(cluster: &Cluster, old: &Settings, new: &Settings) -> Result<Vec<(Namespace, Namespace)>, ApiError> {
    let mut params = ListParams::default().limit(PAGE_SIZE);
    let mut all = Vec::new();
    loop {
        let page = within("list namespaces", cluster.namespaces().list_metadata(&params)).await?;
        all.extend(page.items.into_iter().filter_map(|object| {
            Some((facts(object.metadata.clone(), &old.policies)?, facts(object.metadata, &new.policies)?))
        }));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::{Request, Response, StatusCode};
    use common::config::Source;
    use kube::client::Body;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_refusal_is_told_in_the_apiservers_words() {
        let message = "namespaces is forbidden: User \"somebody\" cannot list resource \"namespaces\"";
        let cluster = Cluster::through(tower::service_fn(move |_: Request<Body>| async move {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden",
                "code": 403, "message": message});
            let mut refusal = Response::new(Body::from(status.to_string().into_bytes()));
            *refusal.status_mut() = StatusCode::FORBIDDEN;
            Ok::<_, Infallible>(refusal)
        }));
        let settings =
            Source::new(None, [("NSM__STORE__URL".to_owned(), "sqlite:/nowhere".to_owned())]).load().unwrap();
        let error = list(&cluster, &settings, &settings).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot list namespaces: the apiserver answered 403: {message}"));
    }
}
