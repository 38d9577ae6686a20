//! The certificates and keys of servers: ECDSA, made anew for each.

use std::fs;
use std::net::Ipv4Addr;
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

/// Everything a control plane shows and checks: files in PEM.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// Signed the certificates of servers, and of the apiserver as a client of kubelets.
    pub authority: Authority,
    pub server: Pair,
    /// As which the apiserver calls kubelets.
    pub kubelet_client: Pair,
    /// As which the apiserver calls the servers it aggregates. Its authority is another: whoever that signs may speak for others.
    pub proxy_client: Pair,
    /// Signs and verifies the tokens of service accounts.
    pub service_account_key: PathBuf,
    pub service_account_public_key: PathBuf,
}

/// Signs the certificates of others.
#[derive(Debug)]
pub struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    pub certificate: PathBuf,
}

/// A certificate with its key, and that of the authority that signed it: files in PEM.
#[derive(Debug)]
pub struct Pair {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificates {
    /// Makes all of them in `directory`, for an apiserver at `address`.
    pub(crate) fn create(directory: &Path, address: Ipv4Addr) -> Result<Self> {
        let authority = Authority::create(directory, "ca")?;
        let address = address.to_string();
        let names: Vec<&str> = SERVER_NAMES.into_iter().chain([address.as_str()]).collect();
        let service_accounts = KeyPair::generate()?;
        Ok(Self {
            server: authority.server("apiserver", &names)?,
            kubelet_client: authority.client("kubelet-client", "system:masters")?,
            proxy_client: Authority::create(directory, "proxy-ca")?.client("proxy-client", "proxies")?,
            authority,
            service_account_key: write(directory, "service-accounts.key", service_accounts.serialize_pem())?,
            service_account_public_key: write(directory, "service-accounts.pub", service_accounts.public_key_pem())?,
        })
    }
}

impl Authority {
    /// Makes one in `directory`, whose certificate is `FILE.crt`.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn create(directory: &Path, file: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "testbed");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = write(directory, &format!("{file}.crt"), params.self_signed(&key)?.pem())?;
        Ok(Self { directory: directory.to_owned(), issuer: Issuer::new(params, key), certificate })
    }

    /// For a server that is called by these names and addresses.
    ///
    /// # Errors
    /// Files cannot be written, or this is no name.
    pub fn server(&self, server: &str, names: &[&str]) -> Result<Pair> {
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(server, params)
    }

    /// For a client that a server of Kubernetes takes for a member of `group`.
    ///
    /// # Errors
    /// Files cannot be written.
    pub fn client(&self, client: &str, group: &str) -> Result<Pair> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(client, params)
    }

    fn sign(&self, name: &str, mut params: CertificateParams) -> Result<Pair> {
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Pair {
            authority: self.certificate.clone(),
            certificate: write(&self.directory, &format!("{name}.crt"), certificate.pem())?,
            key: write(&self.directory, &format!("{name}.key"), key.serialize_pem())?,
        })
    }
}

impl Pair {
    /// Makes an authority, and a certificate for a server that is called by these names and addresses, in `directory`.
    ///
    /// # Errors
    /// Files cannot be written, or this is no name.
    pub fn create(directory: &Path, server: &str, names: &[&str]) -> Result<Self> {
        Authority::create(directory, "ca")?.server(server, names)
    }
}

fn write(directory: &Path, name: &str, pem: String) -> Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, pem).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(path)
}
