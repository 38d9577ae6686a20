//! The cable between a node and the host, and the addresses at its ends.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// How many nodes can be told apart: 198.18.0.0/15, which is set aside for tests of networks (RFC 2544), in blocks of 1024 addresses.
const BLOCKS: u8 = 128;

/// A pair of virtual interfaces: one on the host, named after the number, one in the node. It is gone when either end is, so a node's
/// death takes it away, with the routes that lead through it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Link {
    pub(super) number: u8,
}

impl Link {
    /// Connects the namespace of this process to the host, with addresses that nobody else on this machine uses.
    pub(super) fn connect(process: Pid) -> Result<Self> {
        let first = rand::random_range(0..BLOCKS);
        let mut complaint = String::new();
        for number in (first..BLOCKS).chain(0..first) {
            let link = Self { number };
            let used =
                run(Command::new("ip").args(["-4", "route", "show", "table", "all", "to", "root", &link.block()]))?;
            if !used.is_empty() {
                continue;
            }
            // Whoever makes the interface owns the number.
            let process = process.to_string();
            let made = run(Command::new("ip")
                .args(["link", "add", &link.interface()])
                .args(["type", "veth", "peer", "name", "eth0", "netns", &process]));
            if let Err(error) = made {
                complaint = format!("{error:#}");
                continue;
            }
            link.configure(&process)?;
            return Ok(link);
        }
        bail!("no network of 198.18.0.0/15 is free for a node; {complaint}")
    }

    fn configure(&self, process: &str) -> Result<()> {
        let ip = |arguments: &str| run(Command::new("ip").args(arguments.split(' ')));
        ip(&format!("address add {}/24 dev {}", self.host(), self.interface()))?;
        ip(&format!("link set {} up", self.interface()))?;
        ip(&format!("route add {} via {}", self.pods(), self.node()))?;
        let inside = |arguments: &str| {
            run(Command::new("nsenter").args(["--target", process, "--net", "--", "ip"]).args(arguments.split(' ')))
        };
        inside(&format!("address add {}/24 dev eth0", self.node()))?;
        inside("link set eth0 up")?;
        inside(&format!("route add default via {}", self.host()))?;
        Ok(())
    }

    pub(super) fn disconnect(&self) {
        // It is gone already when the node is.
        let _ = run(Command::new("ip").args(["link", "delete", &self.interface()]));
    }

    /// On the host.
    fn interface(&self) -> String {
        format!("nsm{}", self.number)
    }

    /// Address of the host, as the node and its pods call it.
    pub(super) fn host(&self) -> Ipv4Addr {
        self.address(0, 1)
    }

    /// Address of the node.
    pub(super) fn node(&self) -> Ipv4Addr {
        self.address(0, 2)
    }

    /// Addresses of the pods: 510.
    pub(super) fn pods(&self) -> String {
        format!("{}/23", self.address(2, 0))
    }

    fn block(&self) -> String {
        format!("{}/22", self.address(0, 0))
    }

    fn address(&self, part: u8, last: u8) -> Ipv4Addr {
        let block = u32::from(self.number) * 4 + u32::from(part);
        Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, last)) + (block << 8))
    }
}

/// What the command prints.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_nodes_do_not_overlap() {
        let [first, second, last] = [0, 1, BLOCKS - 1].map(|number| Link { number });
        assert_eq!((first.host().to_string(), first.pods()), ("198.18.0.1".into(), "198.18.2.0/23".into()));
        assert_eq!((second.node().to_string(), second.pods()), ("198.18.4.2".into(), "198.18.6.0/23".into()));
        assert_eq!((last.host().to_string(), last.pods()), ("198.19.252.1".into(), "198.19.254.0/23".into()));
    }
}
