//! The page that describes every route, made from their types.

use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
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
        routes::gitlab,
        routes::github,
    ),
    modifiers(&Secrets)
)]
struct Page;

/// How one says who asks.
struct Secrets;

impl Modify for Secrets {
    fn modify(&self, page: &mut utoipa::openapi::OpenApi) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some("`kubectl create token NAME --audience namespace-manager`".to_owned());
        let components = page.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        for (name, header, what) in [
            ("gitlab", "X-Gitlab-Token", "what `gitlab.webhook_secret_file` holds"),
            (
                "github",
                "X-Hub-Signature-256",
                "`sha256=` and the HMAC of the body with what `github.webhook_secret_file` holds",
            ),
        ] {
            let key = ApiKey::Header(ApiKeyValue::with_description(header, what));
            components.add_security_scheme(name, SecurityScheme::ApiKey(key));
        }
    }
}

/// The page, in OpenAPI 3.1.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Page::openapi()
}
