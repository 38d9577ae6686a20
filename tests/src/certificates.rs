//! The certificates and keys of servers: ECDSA, made anew for each.

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

/// A server's certificate with its key, and the authority that signed it: files in PEM.
#[derive(Debug)]
pub(crate) struct Pair {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificates {
    /// Makes all of them in `directory`.
    pub(crate) fn create(directory: &Path) -> Result<Self> {
        let Pair { authority, certificate, key } = Pair::create(directory, "apiserver", &SERVER_NAMES)?;
        let service_accounts = KeyPair::generate()?;
        Ok(Self {
            authority,
            server: certificate,
            server_key: key,
            service_account_key: write(directory, "service-accounts.key", service_accounts.serialize_pem())?,
            service_account_public_key: write(directory, "service-accounts.pub", service_accounts.public_key_pem())?,
        })
    }
}

impl Pair {
    /// Makes an authority, and a certificate for a server that is called by these names and addresses, in `directory`.
    pub(crate) fn create(directory: &Path, server: &str, names: &[&str]) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "testbed");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let authority = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);

        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, server);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Self {
            authority: write(directory, "ca.crt", authority.pem())?,
            certificate: write(directory, &format!("{server}.crt"), certificate.pem())?,
            key: write(directory, &format!("{server}.key"), key.serialize_pem())?,
        })
    }
}

fn write(directory: &Path, name: &str, pem: String) -> Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, pem).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(path)
}
