//! The files of a control plane, and the command lines of its servers.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::User;
use crate::audit;
use crate::certificates::Certificates;

/// Names of etcd's sockets, in the directory it is started in. It takes such a relative one only if it looks like `HOST:PORT`.
const CLIENTS: &str = "etcd-clients:0";
const PEERS: &str = "etcd-peers:0";

/// Where everything is. etcd is reached by a socket in a directory that only we may enter: it needs neither port nor password.
#[derive(Debug)]
pub(super) struct Layout {
    directory: PathBuf,
    certificates: Certificates,
    /// Of the apiserver, on 127.0.0.1.
    port: u16,
}

impl Layout {
    /// Writes what the servers read.
    pub(super) fn create(directory: &Path, port: u16, users: &[User], tokens: &[String]) -> Result<Self> {
        let layout = Self { directory: directory.to_owned(), certificates: Certificates::create(directory)?, port };
        let mut table = String::new();
        for (number, (user, token)) in users.iter().zip(tokens).enumerate() {
            writeln!(table, "{token},{},uid-{number},\"{}\"", user.name, user.groups.join(","))?;
        }
        fs::write(layout.file("tokens.csv"), table)?;
        fs::write(layout.file("audit-policy.json"), audit::POLICY)?;
        Ok(layout)
    }

    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(super) fn authority(&self) -> &Path {
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
        Server::new(binaries, "kube-apiserver", &self.directory)
            .flag("etcd-servers", format!("unix://{}", self.file(CLIENTS).display()))
            .flag("bind-address", "127.0.0.1")
            .flag("advertise-address", "127.0.0.1")
            .flag("endpoint-reconciler-type", "none") // a loopback address is no endpoint
            .flag("secure-port", self.port)
            .flag("tls-cert-file", certificates.server.display())
            .flag("tls-private-key-file", certificates.server_key.display())
            .flag("service-cluster-ip-range", "10.96.0.0/16")
            .flag("service-account-issuer", "https://kubernetes.default.svc")
            .flag("service-account-signing-key-file", certificates.service_account_key.display())
            .flag("service-account-key-file", certificates.service_account_public_key.display())
            .flag("token-auth-file", self.file("tokens.csv").display())
            .flag("authorization-mode", "RBAC")
            .flag("audit-policy-file", self.file("audit-policy.json").display())
            .flag("audit-log-path", self.audit_log().display())
            .flag("audit-log-maxsize", 100_000) // MB: never another file
            .flag("profiling", false)
            .command
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
