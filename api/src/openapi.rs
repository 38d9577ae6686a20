//! The page that describes every route, made from their types.

use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use crate::routes;

#[derive(OpenApi)]
#[openapi(
    info(title = "Namespace Manager", description = "What is known about namespaces, why, and what comes next"),
    paths(
        routes::live,
        routes::ready,
        routes::metrics_of,
        routes::page,
        routes::namespaces,
        routes::namespace,
        routes::history,
        routes::status,
        routes::workers,
        routes::stop,
        routes::resume,
        routes::approve,
    ),
    modifiers(&Tokens)
)]
struct Page;

/// How one says who asks.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, page: &mut utoipa::openapi::OpenApi) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some("`kubectl create token NAME --audience namespace-manager`".to_owned());
        let components = page.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// The page, in OpenAPI 3.1.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Page::openapi()
}
