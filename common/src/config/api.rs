//! The section `api`: HTTP over the record store.

use std::{net::SocketAddr, path::PathBuf};

use lifecycle::policy::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{Take as _, invalid, listen};

/// HTTP over the record store, for people and programs. Health can always be asked for; the rest needs a token of the
/// cluster, unless it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawApi {
    /// The address and port to listen on, such as `127.0.0.1:9180`. Default: none, nobody listens. Takes hold at the
    /// next start. Variable: `NSM__API__LISTEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// The certificate to answer with. Default: none, so that tokens and answers can be read on the way. Takes hold at
    /// the next start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<RawTls>,
    /// For whom a token must have been made (`kubectl create token NAME --audience …`). Default: `namespace-manager`.
    /// Variable: `NSM__API__AUDIENCE`.
    pub audience: String,
    /// What may be read without a token: `metrics`, `records` (namespaces and their histories), `status` (status and
    /// workers). Default: none. Variable: `NSM__API__OPEN`.
    pub open: Vec<Readable>,
}

/// The certificate to answer with. Both files are looked at again every few seconds, and taken in when they changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTls {
    /// The certificate and those that lead to its authority, in PEM. Variable: `NSM__API__TLS__CERT_FILE`.
    pub cert_file: String,
    /// Its private key, in PEM. Variable: `NSM__API__TLS__KEY_FILE`.
    pub key_file: String,
}

/// What can be read without a token where the configuration says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Readable {
    /// The metrics of all namespaces.
    Metrics,
    /// Namespaces and their histories.
    Records,
    /// The status, and the workers.
    Status,
}

/// Where the API listens, and for whom, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSettings {
    pub listen: Option<SocketAddr>,
    pub tls: Option<TlsSettings>,
    /// For whom a token must have been made; not empty.
    pub audience: String,
    /// What may be read without a token.
    pub open: Vec<Readable>,
}

/// The files of a certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

impl Default for RawApi {
    fn default() -> Self {
        Self { listen: None, tls: None, audience: "namespace-manager".to_owned(), open: Vec::new() }
    }
}

impl RawApi {
    pub(super) fn check(&self) -> Result<ApiSettings, Vec<Invalid>> {
        let mut errors = Vec::new();
        let listen = errors.take(listen("api.listen", self.listen.as_deref()));
        if self.audience.trim().is_empty() {
            errors.push(invalid("api.audience", "it is empty, and would take tokens made for others; leave it out"));
        }
        let tls = self.tls.as_ref().map(|tls| {
            for (key, file) in [("api.tls.cert_file", &tls.cert_file), ("api.tls.key_file", &tls.key_file)] {
                if file.trim().is_empty() {
                    errors.push(invalid(key, "it is empty; write the path of a file in PEM"));
                }
            }
            TlsSettings { cert_file: PathBuf::from(&tls.cert_file), key_file: PathBuf::from(&tls.key_file) }
        });
        let mut open = self.open.clone();
        open.sort_unstable();
        open.dedup();
        if errors.is_empty() {
            Ok(ApiSettings { listen: listen.flatten(), tls, audience: self.audience.clone(), open })
        } else {
            Err(errors)
        }
    }
}
