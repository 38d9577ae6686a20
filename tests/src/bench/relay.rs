//! A relay on loopback that counts what passes between one client and the apiserver: TLS, as it is on the wire.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// One TLS record and its header fit.
const BUFFER: usize = 32 * 1024;

/// Relays until it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    port: u16,
    counters: Arc<Counters>,
    _accepting: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
}

/// How many bytes have passed, as the client sees it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Bytes {
    pub sent: u64,
    pub received: u64,
}

impl Relay {
    /// Starts a relay to a port of this machine.
    pub(super) async fn start(to: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on a port")?;
        let port = listener.local_addr()?.port();
        let counters = Arc::new(Counters::default());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, to, Arc::clone(&counters)));
        Ok(Self { port, counters, _accepting: accepting })
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// What has passed so far.
    pub(super) fn bytes(&self) -> Bytes {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Bytes { sent: read(&self.counters.sent), received: read(&self.counters.received) }
    }
}

impl Bytes {
    /// What passed since `earlier`.
    pub(super) const fn since(self, earlier: Self) -> Self {
        Self { sent: self.sent - earlier.sent, received: self.received - earlier.received }
    }

    pub(super) const fn total(self) -> u64 {
        self.sent + self.received
    }
}

async fn accept(listener: TcpListener, to: u16, counters: Arc<Counters>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                connections.spawn(relay(client, to, Arc::clone(&counters)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Relays one connection until both sides have ended. An error ends it for both, as it would without a relay.
async fn relay(client: TcpStream, to: u16, counters: Arc<Counters>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return };
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let _ = tokio::try_join!(
        copy(from_client, to_server, &counters.sent),
        copy(from_server, to_client, &counters.received)
    );
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    counter: &AtomicU64,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        counter.fetch_add(length as u64, Ordering::Relaxed);
        to.write_all(&buffer[..length]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn counts_what_passes_each_way() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = Relay::start(server.local_addr().unwrap().port()).await.unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port())).await.unwrap();
        client.write_all(b"four").await.unwrap();
        client.shutdown().await.unwrap();
        let (mut accepted, _) = server.accept().await.unwrap();
        let mut asked = String::new();
        accepted.read_to_string(&mut asked).await.unwrap();
        accepted.write_all(b"seven..").await.unwrap();
        drop(accepted);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!((asked.as_str(), answer.as_str()), ("four", "seven.."));
        assert_eq!((relay.bytes().sent, relay.bytes().received), (4, 7));
    }
}
