//! The files, names and commands of one broker.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{BrokerOptions, script};
use crate::certificates::Pair;

/// Where things are, and what identifies it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Layout {
    directory: PathBuf,
    /// The node's name to Erlang.
    node: String,
    port: u16,
    mapper_port: u16,
    distribution_port: u16,
    server: PathBuf,
    control: PathBuf,
    authority: Option<PathBuf>,
}

/// Whether a server's log says that somebody else listens where it wanted to.
pub(super) fn names_a_taken_port(log: &str) -> bool {
    ["eaddrinuse", "address in use", "already in use"].iter().any(|words| log.contains(words))
}

impl Layout {
    /// Writes the configuration. The ports are for clients, for Erlang's port mapper, and for Erlang itself.
    pub(super) fn create(directory: &Path, ports: [u16; 3], options: &BrokerOptions) -> Result<Self> {
        let [port, mapper_port, distribution_port] = ports;
        let mut layout = Self {
            directory: directory.to_owned(),
            node: format!("nsm-{:08x}@localhost", rand::random::<u32>()),
            port,
            mapper_port,
            distribution_port,
            server: script("rabbitmq-server")?,
            control: script("rabbitmqctl")?,
            authority: None,
        };
        let users: Vec<_> = options
            .users
            .iter()
            .map(|(name, password)| json!({"name": name, "password": password, "tags": "administrator", "limits": {}}))
            .collect();
        let permissions: Vec<_> = options
            .users
            .iter()
            .map(|(name, _)| json!({"user": name, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}))
            .collect();
        let definitions = json!({"users": users, "vhosts": [{"name": "/"}], "permissions": permissions});
        let definitions = layout.write("definitions.json", &definitions.to_string())?;
        let mut lines = vec![
            format!("load_definitions = {}", definitions.display()),
            // Alarms are for tests to raise, not for the machine.
            "vm_memory_high_watermark.absolute = 4GB".to_owned(),
            "disk_free_limit.absolute = 1MB".to_owned(),
            "loopback_users = none".to_owned(),
            "log.console.level = info".to_owned(),
        ];
        let address = format!("{}:{port}", options.listen);
        if options.tls {
            let pair = Pair::create(directory, "broker", &["127.0.0.1", "localhost"])?;
            lines.extend([
                "listeners.tcp = none".to_owned(),
                format!("listeners.ssl.1 = {address}"),
                format!("ssl_options.cacertfile = {}", pair.authority.display()),
                format!("ssl_options.certfile = {}", pair.certificate.display()),
                format!("ssl_options.keyfile = {}", pair.key.display()),
                "ssl_options.verify = verify_none".to_owned(),
                "ssl_options.versions.1 = tlsv1.3".to_owned(),
                "ssl_options.versions.2 = tlsv1.2".to_owned(),
            ]);
            layout.authority = Some(pair.authority);
        } else {
            lines.push(format!("listeners.tcp.1 = {address}"));
        }
        layout.write("rabbitmq.conf", &(lines.join("\n") + "\n"))?;
        layout.write("enabled_plugins", "[].\n")?;
        Ok(layout)
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) const fn scheme(&self) -> &'static str {
        if self.authority.is_some() { "amqps" } else { "amqp" }
    }

    pub(super) fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    #[cfg(test)]
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Erlang's port mapper, in the foreground.
    pub(super) fn mapper(&self) -> Command {
        let mut command = Command::new("epmd");
        command.args(["-port", &self.mapper_port.to_string(), "-address", &Ipv4Addr::LOCALHOST.to_string()]);
        command.current_dir(&self.directory);
        command
    }

    /// The server. It replaces the shell that starts it, so that its process is the Erlang VM.
    pub(super) fn server(&self) -> Command {
        let mut command = self.command(&self.server);
        command.env("RABBITMQ_ALLOW_INPUT", "1").env("RABBITMQ_SERVER_START_ARGS", "-noinput");
        command.env("RABBITMQ_LOGS", "-");
        command
    }

    pub(super) fn control(&self) -> Command {
        let mut command = self.command(&self.control);
        command.args(["--node", &self.node]);
        command
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let at = |name: &str| self.directory.join(name);
        let loopback = "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false";
        command
            .current_dir(&self.directory)
            .env("HOME", &self.directory)
            .env("LANG", "C.UTF-8")
            .env("ERL_EPMD_ADDRESS", Ipv4Addr::LOCALHOST.to_string())
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("RABBITMQ_NODENAME", &self.node)
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", at("none.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", at("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", at("data"))
            .env("RABBITMQ_LOG_BASE", at("log"))
            .env("RABBITMQ_PID_FILE", at("pid"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", at("generated"))
            // Two schedulers that do not spin: other servers want the cores too.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", format!("{loopback} +S 2:2 +sbwt none +sbwtdcpu none"))
            .env("RABBITMQ_CTL_ERL_ARGS", loopback);
        command
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(path)
    }
}
