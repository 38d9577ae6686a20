//! Ports for servers.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// Below the range from which Linux takes the ports of outgoing connections (32768 and up), so that a server that was killed finds its
/// port free again, and above what is commonly served.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// A port of 127.0.0.1 on which nobody listens now. Somebody may before the server does: starting has to be tried again.
pub(crate) fn free() -> Result<u16> {
    free_at(Ipv4Addr::LOCALHOST)
}

/// The same for another address of this machine.
pub(crate) fn free_at(address: Ipv4Addr) -> Result<u16> {
    std::iter::repeat_with(|| rand::random_range(RANGE))
        .take(100)
        .find(|port| TcpListener::bind((address, *port)).is_ok())
        .with_context(|| format!("cannot find a free port of {address}"))
}
