//! One connection, that can be cut.
//!
//! The client library serves each connection by a thread, and that ends once the broker says goodbye. A frozen broker says
//! nothing, so for each try to reach it a thread would stay. Therefore we keep a hand on the socket ourselves: shut
//! down, it ends the thread at once, whatever it waits for.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lapin::{
    AsyncTcpStream, Channel, Connection, ConnectionProperties, options::ConfirmSelectOptions, runtime::default_runtime,
};
use tokio::{net::lookup_host, time::timeout};

use super::{Broker, LinkError};

/// How long it may take until a connection is made and everything is declared.
const CONNECT: Duration = Duration::from_secs(2);

/// A connection with one channel, on which everything is declared and what is published is confirmed.
#[derive(Debug)]
pub(super) struct BrokerConnection {
    pub(super) channel: Channel,
    connection: Connection,
    socket: Socket,
}

/// Our hand on the socket of a connection, from before there is one.
#[derive(Clone, Debug, Default)]
struct Socket(Arc<Mutex<Grip>>);

#[derive(Debug, Default)]
enum Grip {
    #[default]
    NoneYet,
    On(TcpStream),
    Cut,
}

/// Cuts a socket when dropped, unless it is told not to.
#[derive(Debug)]
struct CutUnlessDone(Option<Socket>);

impl BrokerConnection {
    /// Connects to the broker, for a purpose that it shows to its operators.
    pub(super) async fn open(broker: &Broker, purpose: &str) -> Result<Self, LinkError> {
        let opened = timeout(CONNECT, Self::open_at_length(broker, purpose)).await;
        let opened = opened.unwrap_or(Err(LinkError::Late(CONNECT)));
        match &opened {
            Ok(_) => broker.counts.connects.inc(),
            Err(_) => broker.counts.refusals.inc(),
        };
        opened
    }

    async fn open_at_length(broker: &Broker, purpose: &str) -> Result<Self, LinkError> {
        let (uri, tls) = broker.address.now().await?;
        let (host, port) = (uri.authority.host.clone(), uri.authority.port);
        let found = lookup_host((host.as_str(), port)).await;
        let found: Vec<SocketAddr> =
            found.map_err(|error| LinkError::BrokerConnection(format!("cannot look up `{host}`: {error}")))?.collect();
        let socket = Socket::default();
        let mut guard = CutUnlessDone(Some(socket.clone()));
        let properties = ConnectionProperties::default().with_connection_name(format!("nsm {purpose}").into());
        let gripped = socket.clone();
        let connection = Connection::connector(
            uri,
            default_runtime()?,
            async move |uri, runtime| {
                let connecting = timeout(CONNECT, AsyncTcpStream::connect(&runtime, found.clone()));
                let stream = connecting.await.map_err(io::Error::from)??;
                if let AsyncTcpStream::Plain(plain) = &stream {
                    gripped.grip(plain.get_ref())?;
                }
                Ok(match &tls {
                    None => stream,
                    Some(tls) => stream.into_rustls(tls, &uri.authority.host).await?,
                })
            },
            properties,
        )
        .await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        broker.topology.declare(&channel).await?;
        guard.0 = None;
        Ok(Self { channel, connection, socket })
    }

    /// Whether nothing is known to be wrong with it.
    pub(super) fn is_up(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Whether the broker does not listen for now.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Ends it without a word.
    pub(super) fn cut(&self) {
        self.socket.cut();
    }
}

impl Socket {
    fn grip(&self, socket: impl AsFd) -> io::Result<()> {
        let mut grip = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*grip, Grip::Cut) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long"));
        }
        *grip = Grip::On(TcpStream::from(socket.as_fd().try_clone_to_owned()?));
        Ok(())
    }

    fn cut(&self) {
        let mut grip = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Grip::On(socket) = std::mem::replace(&mut *grip, Grip::Cut) {
            // It fails where the broker was faster.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for CutUnlessDone {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take() {
            socket.cut();
        }
    }
}
