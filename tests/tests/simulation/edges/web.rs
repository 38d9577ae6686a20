//! The way to services that are not ours.

use common::web::Web;

use super::{Edge, alerts, gitlab, owners};

/// The web as it is reached by whoever signs so.
pub(crate) fn web(edge: Edge, as_whom: &str) -> Web {
    let as_whom = as_whom.to_owned();
    Web::told(move |request| {
        let (edge, as_whom) = (edge.clone(), as_whom.clone());
        Box::pin(async move {
            match request.uri().host() {
                Some(alerts::HOST) => alerts::ask(&edge, &as_whom).await,
                Some(gitlab::HOST) => gitlab::ask(&edge, &request).await,
                _ => owners::post(&edge, request).await,
            }
        })
    })
}
