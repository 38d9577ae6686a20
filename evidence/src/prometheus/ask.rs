//! One request, and every limit of it.
//!
//! The crate `prometheus-http-query` has a client too. It takes in a whole body before it parses it, however long, and
//! drops the warnings: so the request is made here, and of the crate only the shapes of the answers are used.

use common::{
    config::{Content, Header, Login, PrometheusSettings},
    http_client::HttpClient,
};
use reqwest::{
    RequestBuilder, Response, StatusCode, Url,
    header::{HeaderMap, HeaderValue},
};
use secrecy::ExposeSecret as _;

use crate::http::{LIMIT, body, client, late, secret, token, why};

/// As people know it.
const NAME: &str = "Prometheus";

/// The largest body that is taken, counted as it comes: 10,000 alerts.
const LARGEST: usize = 8 * 1024 * 1024;

/// Asks, and returns the body of the answer, or why there is none: for people, and without secrets.
pub(super) async fn ask(settings: &PrometheusSettings, web: &HttpClient) -> Result<Vec<u8>, String> {
    tokio::time::timeout(LIMIT, fetch(settings, web)).await.unwrap_or_else(|_| Err(late(NAME)))
}

async fn fetch(settings: &PrometheusSettings, web: &HttpClient) -> Result<Vec<u8>, String> {
    let url = address(settings);
    let answer = web.get(&url, HeaderMap::new(), send(settings, &url)).await?;
    if answer.status() != StatusCode::OK {
        return Err(refusal(answer.status(), settings));
    }
    body(NAME, answer, LARGEST).await
}

/// A client for this request alone: there is one a minute, and so a file that was exchanged is simply read.
async fn send(settings: &PrometheusSettings, url: &Url) -> Result<Response, String> {
    let client = client(NAME, &settings.url, &settings.trust, settings.identity.as_ref()).await?;
    let request = authorise(client.get(url.clone()), &settings.login).await?.headers(headers(&settings.headers).await?);
    request.send().await.map_err(|error| why(NAME, &error))
}

fn address(settings: &PrometheusSettings) -> Url {
    let mut url = settings.url.clone();
    let resource = if settings.query.is_some() { "query" } else { "alerts" };
    url.path_segments_mut().expect("`http` and `https` have paths").pop_if_empty().extend(["api", "v1", resource]);
    if let Some(query) = &settings.query {
        url.query_pairs_mut().append_pair("query", query);
    }
    url
}

async fn authorise(request: RequestBuilder, login: &Login) -> Result<RequestBuilder, String> {
    match login {
        Login::Nobody => Ok(request),
        Login::Basic { username, password_file } => {
            Ok(request.basic_auth(username, Some(secret(password_file).await?.expose_secret())))
        }
        Login::Bearer { token_file } => Ok(request.bearer_auth(token(token_file).await?.expose_secret())),
    }
}

/// What is sent besides.
async fn headers(settings: &[Header]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for Header { name, content } in settings {
        let value = match content {
            Content::Value(value) => value.clone(),
            Content::File(file) => {
                let text = secret(file).await?;
                let value = HeaderValue::from_str(text.expose_secret());
                let mut value =
                    value.map_err(|_| format!("what is in `{}` is no value of a header", file.display()))?;
                value.set_sensitive(true);
                value
            }
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

fn refusal(status: StatusCode, settings: &PrometheusSettings) -> String {
    let reason = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ": it does not let us in",
        StatusCode::BAD_REQUEST if settings.query.is_some() => ": it does not understand the query",
        StatusCode::UNPROCESSABLE_ENTITY if settings.query.is_some() => ": it cannot evaluate the query",
        status if status.is_redirection() => ": its address may be another, or this is a login page",
        _ => "",
    };
    format!("Prometheus answered {status}{reason}")
}
