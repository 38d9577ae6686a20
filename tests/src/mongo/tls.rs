//! The certificate of a server, and the authority that signed it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};

/// Files in PEM.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Identity {
    /// Makes them in a directory, for a server that is called by loopback's names, and these.
    pub(super) fn create(directory: &Path, names: &[String]) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "testbed's store authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let authority = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);

        let loopback = ["127.0.0.1", "localhost"].map(str::to_owned);
        let mut params = CertificateParams::new(loopback.into_iter().chain(names.iter().cloned()).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, "store");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        let write = |name: &str, pem: String| {
            let path = directory.join(name);
            fs::write(&path, pem).with_context(|| format!("cannot write `{}`", path.display()))?;
            Ok::<_, anyhow::Error>(path)
        };
        Ok(Self {
            authority: write("ca.crt", authority.pem())?,
            certificate: write("store.crt", certificate.pem())?,
            key: write("store.key", key.serialize_pem())?,
        })
    }
}
