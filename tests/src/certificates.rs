//! The certificates and keys of a control plane: ECDSA, made anew for each.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// Names under which the apiserver is called: by us, and by what runs in the cluster (first address of the service range).
const SERVER_NAMES: [&str; 6] = [
    "127.0.0.1",
    "localhost",
    "10.96.0.1",
    "kubernetes",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// Files in PEM.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// The authority that signed the server's certificate.
    pub authority: PathBuf,
    pub server: PathBuf,
    pub server_key: PathBuf,
    /// Signs and verifies the tokens of service accounts.
    pub service_account_key: PathBuf,
    pub service_account_public_key: PathBuf,
}

impl Certificates {
    /// Makes all of them in `directory`.
    pub(crate) fn create(directory: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "testbed");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let authority = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);

        let mut params = CertificateParams::new(SERVER_NAMES.map(String::from))?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate()?;
        let server = params.signed_by(&server_key, &issuer)?;

        let service_accounts = KeyPair::generate()?;
        let write = |name: &str, pem: String| {
            let path = directory.join(name);
            fs::write(&path, pem).with_context(|| format!("cannot write `{}`", path.display()))?;
            Ok::<_, anyhow::Error>(path)
        };
        Ok(Self {
            authority: write("ca.crt", authority.pem())?,
            server: write("apiserver.crt", server.pem())?,
            server_key: write("apiserver.key", server_key.serialize_pem())?,
            service_account_key: write("service-accounts.key", service_accounts.serialize_pem())?,
            service_account_public_key: write("service-accounts.pub", service_accounts.public_key_pem())?,
        })
    }
}
