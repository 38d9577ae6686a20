//! Where the broker is, and what it asks for: read anew for each connection, so that a password can be exchanged while
//! we run.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use lapin::{
    tcp::{RustlsConnector, RustlsConnectorConfig},
    uri::{AMQPScheme, AMQPUri},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::LinkError;
use crate::queue::{OpenError, QueueSettings};

/// How often each side shows that it is there, in seconds. A broker that is silent for twice as long is given up.
const HEARTBEAT: u16 = 4;

/// The vhost of a URL that names none.
const VHOST: &str = "/";

pub(super) struct Address {
    /// Holds a password, perhaps.
    uri: AMQPUri,
    username_file: Option<PathBuf>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

impl Address {
    pub(super) fn new(settings: &QueueSettings) -> Result<Self, OpenError> {
        let mut uri: AMQPUri = settings.url.parse().map_err(|_| OpenError::Malformed)?;
        // The library takes an address of IPv6 for none at all, and then for this machine.
        if settings.url.contains("@[") || settings.url.contains("//[") {
            return Err(OpenError::Malformed);
        }
        if uri.vhost.is_empty() {
            VHOST.clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat = Some(HEARTBEAT);
        let QueueSettings { url: _, prefix: _, username_file, password_file, ca_file } = settings.clone();
        Ok(Self { uri, username_file, password_file, ca_file })
    }

    /// What a connection is made with now: the URL with credentials, and TLS where the URL wants it.
    pub(super) async fn now(&self) -> Result<(AMQPUri, Option<RustlsConnector>), LinkError> {
        let mut uri = self.uri.clone();
        if let Some(file) = &self.username_file {
            uri.authority.userinfo.username = line(file).await?;
        }
        if let Some(file) = &self.password_file {
            uri.authority.userinfo.password = line(file).await?;
        }
        let tls = match self.uri.scheme {
            AMQPScheme::AMQP => None,
            AMQPScheme::AMQPS => Some(self.tls().await?),
        };
        Ok((uri, tls))
    }

    /// TLS that trusts those whom the file names, and nobody else: what the library makes of certificates by itself
    /// depends on how it was built.
    async fn tls(&self) -> Result<RustlsConnector, LinkError> {
        let Some(file) = &self.ca_file else {
            return Err(LinkError::BrokerConnection(
                "nobody is named who may have signed the broker's certificate".to_owned(),
            ));
        };
        let invalid = |error: &dyn fmt::Display| {
            LinkError::BrokerConnection(format!("cannot take certificates from `{}`: {error}", file.display()))
        };
        let text = read(file).await?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let mut config = RustlsConnectorConfig::default();
        config.add_parsable_certificates(certificates.map_err(|error| invalid(&error))?);
        config.connector_with_no_client_auth().map_err(|error| invalid(&error))
    }
}

/// Without credentials.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.uri.scheme {
            AMQPScheme::AMQP => "amqp",
            AMQPScheme::AMQPS => "amqps",
        };
        let authority = &self.uri.authority;
        write!(f, "{scheme}://{}:{}", authority.host, authority.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

async fn line(file: &Path) -> Result<String, LinkError> {
    Ok(read(file).await?.trim_end_matches(['\r', '\n']).to_owned())
}

async fn read(file: &Path) -> Result<String, LinkError> {
    let text = tokio::fs::read_to_string(file).await;
    text.map_err(|error| LinkError::BrokerConnection(format!("cannot read `{}`: {error}", file.display())))
}
