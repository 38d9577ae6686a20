//! Requests to the sources of evidence: what is the same for all of them, and every limit of it.
//!
//! What goes wrong is told for people, and without secrets.

use std::{error::Error, path::Path, time::Duration};

use common::{
    config::{TlsSettings, Trust},
    proxies::Proxies,
};
use reqwest::{Certificate, Client, Identity, Response, Url, header, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};

/// How long it may take until the last byte is there, reading secrets included.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// The most that is told of what a stranger said, in bytes.
const MAX_TEXT_LENGTH: usize = 256;

/// A client for a source of this name, which goes by the proxies of the environment.
///
/// No redirect is followed, which might carry a secret elsewhere. Nothing is decompressed, whatever other crates switch
/// on: what is counted is what came.
pub(crate) async fn client(
    name: &str,
    url: &Url,
    trust: &Trust,
    identity: Option<&TlsSettings>,
) -> Result<Client, String> {
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .proxy(Proxies::system().for_clients())
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .user_agent("namespace-manager");
    builder = match trust {
        // Without TLS there is nobody to trust, and no certificate has to be found on this machine.
        _ if url.scheme() == "http" => builder.tls_certs_only([]),
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
    if let Some(files) = identity {
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
    built.map_err(|error| format!("no connection to {name} can be prepared: {}", cause(&error)))
}

/// The token in a file.
pub(crate) async fn token(file: &Path) -> Result<SecretString, String> {
    let token = secret(file).await?;
    // RFC 6750, section 2.1. What reqwest says of other characters does not name the file.
    if token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token)
    } else {
        Err(format!("what is in `{}` is not a token", file.display()))
    }
}

/// A secret is a line; what an editor puts at its end does not belong to it.
pub(crate) async fn secret(file: &Path) -> Result<SecretString, String> {
    let text = String::from_utf8(read(file).await?).map_err(|_| format!("`{}` is not text", file.display()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("`{}` is empty", file.display())),
        line => Ok(SecretString::from(line)),
    }
}

async fn read(file: &Path) -> Result<Vec<u8>, String> {
    tokio::fs::read(file).await.map_err(|error| format!("cannot read `{}`: {error}", file.display()))
}

/// The body of an answer, at most so many bytes.
pub(crate) async fn body(name: &str, mut answer: Response, largest: usize) -> Result<Vec<u8>, String> {
    if answer.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(format!("the answer of {name} is compressed, which was not asked for"));
    }
    // What `content-length` says of it is not to be relied on.
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| why(name, &error))? {
        if body.len() + chunk.len() > largest {
            return Err(format!("the answer of {name} is larger than {} MiB", largest >> 20));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why no answer came.
pub(crate) fn why(name: &str, error: &reqwest::Error) -> String {
    let cause = cause(error);
    if error.is_connect() {
        format!("{name} cannot be reached: {cause}")
    } else if error.is_body() || error.is_decode() {
        format!("the answer of {name} broke off: {cause}")
    } else {
        format!("{name} did not answer: {cause}")
    }
}

/// That no whole answer came in time.
pub(crate) fn late(name: &str) -> String {
    format!("{name} did not answer within {} seconds", LIMIT.as_secs())
}

/// The last link of the chain: it says what happened, where the first would name the address.
fn cause(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else { return "no cause is known".to_owned() };
    while let Some(next) = cause.source() {
        cause = next;
    }
    bounded(&cause.to_string()).to_owned()
}

/// A text cut to what is told of it, at the end of a character.
pub(crate) fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_LENGTH)]
}
