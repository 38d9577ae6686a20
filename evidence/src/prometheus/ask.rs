//! One request, and every limit of it.
//!
//! The crate `prometheus-http-query` has a client too. It takes in a whole body before it looks at it, however long, and
//! drops the warnings: so the request is made here, and of the crate only the shapes of the answers are used.

use std::{error::Error, path::Path, time::Duration};

use common::config::{Login, PrometheusSettings, Trust};
use reqwest::{Certificate, Client, Identity, RequestBuilder, StatusCode, Url, header, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};

use super::alert::bounded;

/// How long it may take until the last byte is there, reading secrets included.
const LIMIT: Duration = Duration::from_secs(10);

/// The largest body that is taken, counted as it comes: 10,000 alerts.
const LARGEST: usize = 8 * 1024 * 1024;

/// Asks, and returns the body of the answer, or why there is none: for people, and without secrets.
pub(super) async fn ask(settings: &PrometheusSettings) -> Result<Vec<u8>, String> {
    let in_time = tokio::time::timeout(LIMIT, fetch(settings)).await;
    in_time.unwrap_or_else(|_| Err(format!("Prometheus did not answer within {} seconds", LIMIT.as_secs())))
}

async fn fetch(settings: &PrometheusSettings) -> Result<Vec<u8>, String> {
    let request = client(settings).await?.get(address(settings));
    let mut answer = authorise(request, &settings.login).await?.send().await.map_err(|error| why(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(refusal(answer.status(), settings));
    }
    if answer.headers().contains_key(header::CONTENT_ENCODING) {
        return Err("the answer of Prometheus is compressed, which was not asked for".to_owned());
    }
    // What `content-length` says of it is not to be relied on.
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| why(&error))? {
        if body.len() + chunk.len() > LARGEST {
            return Err(format!("the answer of Prometheus is larger than {} MiB", LARGEST >> 20));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
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

/// A client for this request alone: there is one a minute, and so a file that was exchanged is simply read.
///
/// No redirect is followed, which might carry a secret elsewhere. Nothing is decompressed, whatever other crates switch
/// on: what is counted is what came.
async fn client(settings: &PrometheusSettings) -> Result<Client, String> {
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .user_agent("namespace-manager");
    builder = match &settings.trust {
        // Without TLS there is nobody to trust, and no certificate has to be found on this machine.
        _ if settings.url.scheme() == "http" => builder.tls_certs_only([]),
        Trust::Web => builder,
        Trust::Anybody => builder.tls_danger_accept_invalid_certs(true),
        Trust::Authorities(file) => {
            let authorities = Certificate::from_pem_bundle(&read(file).await?).unwrap_or_default();
            if authorities.is_empty() {
                return Err(format!("there is no certificate in `{}`", file.display()));
            }
            builder.tls_certs_only(authorities)
        }
    };
    if let Some(files) = &settings.identity {
        let mut pem = read(&files.cert_file).await?;
        pem.push(b'\n');
        pem.extend(read(&files.key_file).await?);
        let identity = Identity::from_pem(&pem).map_err(|_| {
            let (cert, key) = (files.cert_file.display(), files.key_file.display());
            format!("there is no certificate with its key in `{cert}` and `{key}`")
        })?;
        builder = builder.identity(identity);
    }
    // The authorities of the web are read from files, hundreds of them.
    let built = tokio::task::spawn_blocking(|| builder.build()).await.map_err(|error| error.to_string())?;
    built.map_err(|error| format!("no connection to Prometheus can be prepared: {}", cause(&error)))
}

async fn authorise(request: RequestBuilder, login: &Login) -> Result<RequestBuilder, String> {
    match login {
        Login::Nobody => Ok(request),
        Login::Basic { username, password_file } => {
            Ok(request.basic_auth(username, Some(secret(password_file).await?.expose_secret())))
        }
        Login::Bearer { token_file } => {
            let token = secret(token_file).await?;
            // RFC 6750, section 2.1. What reqwest says of other characters does not name the file.
            if !token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!("what is in `{}` is not a token", token_file.display()));
            }
            Ok(request.bearer_auth(token.expose_secret()))
        }
    }
}

/// A secret is a line; what an editor puts at its end does not belong to it.
async fn secret(file: &Path) -> Result<SecretString, String> {
    let text = String::from_utf8(read(file).await?).map_err(|_| format!("`{}` is not text", file.display()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("`{}` is empty", file.display())),
        line => Ok(SecretString::from(line)),
    }
}

async fn read(file: &Path) -> Result<Vec<u8>, String> {
    tokio::fs::read(file).await.map_err(|error| format!("cannot read `{}`: {error}", file.display()))
}

fn refusal(status: StatusCode, settings: &PrometheusSettings) -> String {
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ": it does not let us in",
        StatusCode::BAD_REQUEST if settings.query.is_some() => ": it does not understand the query",
        StatusCode::UNPROCESSABLE_ENTITY if settings.query.is_some() => ": it cannot evaluate the query",
        status if status.is_redirection() => ": its address may be another, or this is a login page",
        _ => "",
    };
    format!("Prometheus answered {status}{hint}")
}

fn why(error: &reqwest::Error) -> String {
    let what = if error.is_connect() {
        "Prometheus cannot be reached"
    } else if error.is_body() || error.is_decode() {
        "the answer of Prometheus broke off"
    } else {
        "Prometheus did not answer"
    };
    format!("{what}: {}", cause(error))
}

/// The last link of the chain: it says what happened, where the first would name the address.
fn cause(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else { return "no cause is known".to_owned() };
    while let Some(next) = cause.source() {
        cause = next;
    }
    bounded(&cause.to_string()).to_owned()
}
