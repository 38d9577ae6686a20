//! The files of a control plane, and the command lines of its servers.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::User;
use crate::audit;
use crate::certificates::{Authority, Certificates};

/// Names of etcd's sockets, in the directory it is started in. It takes such a relative one only if it looks like `HOST:PORT`.
const CLIENTS: &str = "etcd-clients:0";
const PEERS: &str = "etcd-peers:0";

/// Where everything is. etcd is reached by a socket in a directory that only we may enter: it needs neither port nor password.
#[derive(Debug)]
pub(super) struct Layout {
    directory: PathBuf,
    certificates: Certificates,
    /// Of the apiserver.
    pub(super) address: SocketAddrV4,
}

impl Layout {
    /// Writes what the servers read.
    pub(super) fn create(directory: &Path, address: SocketAddrV4, users: &[User], tokens: &[String]) -> Result<Self> {
        let certificates = Certificates::create(directory, *address.ip())?;
        let layout = Self { directory: directory.to_owned(), certificates, address };
        let mut table = String::new();
        for (number, (user, token)) in users.iter().zip(tokens).enumerate() {
            writeln!(table, "{token},{},uid-{number},\"{}\"", user.name, user.groups.join(","))?;
        }
        fs::write(layout.file("tokens.csv"), table)?;
        fs::write(layout.file("audit-policy.json"), audit::POLICY)?;
        Ok(layout)
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(super) fn authority(&self) -> &Path {
        &self.certificates.authority.certificate
    }

    pub(super) fn signer(&self) -> &Authority {
        &self.certificates.authority
    }

    pub(super) fn audit_log(&self) -> PathBuf {
        self.file("audit.log")
    }

    pub(super) fn etcd(&self, binaries: &Path) -> Command {
        Server::new(binaries, "etcd", &self.directory)
            .flag("name", "testbed")
            .flag("data-dir", self.file("etcd").display())
            .flag("listen-client-urls", format!("unix://{CLIENTS}"))
            .flag("advertise-client-urls", format!("unix://{CLIENTS}"))
            .flag("listen-peer-urls", format!("unix://{PEERS}"))
            .flag("initial-advertise-peer-urls", format!("unix://{PEERS}"))
            .flag("initial-cluster", format!("testbed=unix://{PEERS}"))
            .flag("unsafe-no-fsync", true)
            .flag("log-level", "warn")
            .command
    }

    pub(super) fn apiserver(&self, binaries: &Path) -> Command {
        let certificates = &self.certificates;
        let server = Server::new(binaries, "kube-apiserver", &self.directory)
            .flag("etcd-servers", format!("unix://{}", self.file(CLIENTS).display()))
            .flag("bind-address", self.address.ip())
            .flag("advertise-address", self.address.ip())
            .flag("secure-port", self.address.port())
            .flag("tls-cert-file", certificates.server.certificate.display())
            .flag("tls-private-key-file", certificates.server.key.display())
            .flag("service-cluster-ip-range", "10.96.0.0/16")
            .flag("service-account-issuer", "https://kubernetes.default.svc")
            .flag("service-account-signing-key-file", certificates.service_account_key.display())
            .flag("service-account-key-file", certificates.service_account_public_key.display())
            .flag("token-auth-file", self.file("tokens.csv").display())
            .flag("authorization-mode", "Node,RBAC")
            .flag("enable-admission-plugins", "NodeRestriction")
            .flag("kubelet-certificate-authority", certificates.kubelet_client.authority.display())
            .flag("kubelet-client-certificate", certificates.kubelet_client.certificate.display())
            .flag("kubelet-client-key", certificates.kubelet_client.key.display())
            .flag("kubelet-preferred-address-types", "InternalIP")
            .flag("requestheader-client-ca-file", certificates.proxy_client.authority.display())
            .flag("requestheader-allowed-names", "proxy-client")
            .flag("requestheader-username-headers", "X-Remote-User")
            .flag("requestheader-group-headers", "X-Remote-Group")
            .flag("requestheader-extra-headers-prefix", "X-Remote-Extra-")
            .flag("proxy-client-cert-file", certificates.proxy_client.certificate.display())
            .flag("proxy-client-key-file", certificates.proxy_client.key.display())
            .flag("enable-aggregator-routing", true) // to pods, not to the addresses of Services: those exist on nodes only
            .flag("audit-policy-file", self.file("audit-policy.json").display())
            .flag("audit-log-path", self.audit_log().display())
            .flag("audit-log-maxsize", 100_000) // MB: never another file
            .flag("profiling", false);
        if self.address.ip().is_loopback() {
            return server.flag("endpoint-reconciler-type", "none").command; // a loopback address is no endpoint
        }
        server.command
    }

    pub(super) fn controller_manager(&self, binaries: &Path, kubeconfig: &Path) -> Command {
        Server::new(binaries, "kube-controller-manager", &self.directory)
            .flag("kubeconfig", kubeconfig.display())
            .flag("leader-elect", false) // there is one
            .flag("secure-port", 0) // nobody asks it anything
            .flag("root-ca-file", self.authority().display())
            .flag("service-account-private-key-file", self.certificates.service_account_key.display())
            .flag("use-service-account-credentials", false)
            .flag("profiling", false)
            .command
    }

    pub(super) fn scheduler(&self, binaries: &Path, kubeconfig: &Path) -> Command {
        Server::new(binaries, "kube-scheduler", &self.directory)
            .flag("kubeconfig", kubeconfig.display())
            .flag("leader-elect", false) // there is one
            .flag("secure-port", 0) // nobody asks it anything
            .flag("profiling", false)
            .command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// A command line in the making: all these servers take `--flag=value`.
struct Server {
    command: Command,
}

impl Server {
    fn new(binaries: &Path, name: &str, directory: &Path) -> Self {
        let mut command = Command::new(binaries.join(name));
        command.current_dir(directory);
        Self { command }
    }

    fn flag(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.command.arg(format!("--{name}={value}"));
        self
    }
}
