//! A relay on loopback between one client and a server: it counts what passes, and can stop passing it on.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ControlPlane;

/// One TLS record and its header fit.
const BUFFER: usize = 32 * 1024;

/// Relays until it is dropped.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    counters: Arc<Counters>,
    line: watch::Sender<Line>,
    _accepting: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
}

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Passes,
    /// Connections stay and are accepted; nothing passes.
    Frozen,
    /// Connections break, new ones too.
    Cut,
}

/// How many bytes have passed, as the client sees it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Bytes {
    pub sent: u64,
    pub received: u64,
}

impl Relay {
    /// Starts a relay to a port of this machine.
    ///
    /// # Errors
    /// There is no port to listen on.
    pub async fn start(to: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on a port")?;
        let port = listener.local_addr()?.port();
        let counters = Arc::new(Counters::default());
        let line = watch::Sender::new(Line::Passes);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, to, Arc::clone(&counters), line.subscribe()));
        Ok(Self { port, counters, line, _accepting: accepting })
    }

    /// Starts a relay to an apiserver, with a kubeconfig that leads a user through it.
    ///
    /// # Errors
    /// There is no such user, or no port to listen on.
    pub async fn to_apiserver(plane: &ControlPlane, user: &str) -> Result<(Self, PathBuf)> {
        let original = plane.kubeconfig(user)?;
        let port = plane.url().rsplit(':').next().and_then(|port| port.parse().ok()).context("the URL has a port")?;
        let relay = Self::start(port).await?;
        let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(original)?)?;
        let server = file.pointer_mut("/clusters/0/cluster/server").context("a kubeconfig names its server")?;
        *server = format!("https://127.0.0.1:{}", relay.port).into();
        let path = original.with_file_name(format!("relay-{}.kubeconfig", relay.port));
        std::fs::write(&path, file.to_string()).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok((relay, path))
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What has passed so far.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Bytes { sent: read(&self.counters.sent), received: read(&self.counters.received) }
    }

    /// Lets nothing pass: what is sent waits. To be followed by [`Relay::mend`].
    pub fn freeze(&self) {
        self.line.send_replace(Line::Frozen);
    }

    /// Breaks all connections, and every new one. To be followed by [`Relay::mend`].
    pub fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }

    /// Lets everything pass again.
    pub fn mend(&self) {
        self.line.send_replace(Line::Passes);
    }
}

impl Bytes {
    /// What passed since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self { sent: self.sent - earlier.sent, received: self.received - earlier.received }
    }

    #[must_use]
    pub const fn total(self) -> u64 {
        self.sent + self.received
    }
}

async fn accept(listener: TcpListener, to: u16, counters: Arc<Counters>, line: watch::Receiver<Line>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                connections.spawn(relay(client, to, Arc::clone(&counters), line.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Relays one connection until both sides have ended. An error ends it for both, as it would without a relay.
async fn relay(client: TcpStream, to: u16, counters: Arc<Counters>, line: watch::Receiver<Line>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return };
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let copied = async {
        tokio::try_join!(
            copy(from_client, to_server, &counters.sent, line.clone()),
            copy(from_server, to_client, &counters.received, line.clone())
        )
    };
    let mut cut = line.clone();
    tokio::select! {
        _ = copied => {}
        _ = cut.wait_for(|line| *line == Line::Cut) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    counter: &AtomicU64,
    mut line: watch::Receiver<Line>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = from.read(&mut buffer).await?;
        // An error says that the relay was dropped, which ends this too.
        let _ = line.wait_for(|line| *line != Line::Frozen).await;
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

    #[tokio::test]
    async fn holds_back_what_it_is_told_to_and_breaks_what_it_is_told_to() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = Relay::start(server.local_addr().unwrap().port()).await.unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port())).await.unwrap();
        let (mut accepted, _) = server.accept().await.unwrap();
        relay.freeze();
        client.write_all(b"four").await.unwrap();
        let mut seen = [0; 4];
        let long_enough = std::time::Duration::from_millis(100);
        tokio::time::timeout(long_enough, accepted.read_exact(&mut seen)).await.unwrap_err();
        relay.mend();
        accepted.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"four");
        relay.cut();
        assert!(matches!(accepted.read(&mut seen).await, Ok(0) | Err(_)));
    }
}
