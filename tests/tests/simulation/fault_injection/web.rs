//! The way to services that are not ours.

use common::http_client::HttpClient;
use lifecycle::pipeline::CiSystem;

use super::{Edge, alerts, ci, owners};

/// The CI systems that may be asked.
const CI: [CiSystem; 2] = [CiSystem::Gitlab, CiSystem::Github];

/// The web as it is reached by whoever signs so.
pub(crate) fn web(edge: Edge, as_whom: &str) -> HttpClient {
    let as_whom = as_whom.to_owned();
    HttpClient::from_fn(move |request| {
        let (edge, as_whom) = (edge.clone(), as_whom.clone());
        Box::pin(async move {
            match request.uri().host() {
                Some(alerts::HOST) => alerts::ask(&edge, &as_whom).await,
                Some(host) if CI.map(ci::host).contains(&host) => ci::ask(&edge, &request).await,
                _ => owners::post(&edge, request).await,
            }
        })
    })
}
