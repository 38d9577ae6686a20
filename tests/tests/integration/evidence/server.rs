//! A server on loopback that answers as it is told, however wrong, with and without TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use testbed::Pair;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// The most of a request that is read.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// What is done with a request, once its head is there. The connection ends with it.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Sends this, to the byte.
    Sends(String),
    /// Sends this, and then nothing, until the other side has had enough.
    Stalls(String),
    /// Sends this, and then a space every second, a minute long.
    Trickles(String),
    /// Sends this, and then so many chunks of 64 KiB, if the other side takes them.
    Floods(String, usize),
}

/// What happened since it was started.
#[derive(Default)]
struct Seen {
    heads: Mutex<Vec<String>>,
    /// Bytes of answers, as far as they went out.
    sent: AtomicU64,
    /// That it sent all it wanted and goes on waiting.
    stalled: Notify,
}

type Decide = dyn Fn(&str) -> Does + Send + Sync;

/// Serves until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    is_tls: bool,
    seen: Arc<Seen>,
    _accepting: JoinSet<()>,
}

impl Server {
    /// Starts one that does this with every request.
    pub(crate) async fn start(does: Does) -> Self {
        Self::deciding(None, move |_| does.clone()).await
    }

    /// Starts one that decides by the head of a request, with TLS where it is told how.
    pub(crate) async fn deciding(
        tls: Option<TlsAcceptor>,
        decide: impl Fn(&str) -> Does + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, is_tls) = (listener.local_addr().unwrap(), tls.is_some());
        let seen = Arc::new(Seen::default());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, tls, Arc::clone(&seen), Arc::new(decide)));
        Self { address, is_tls, seen, _accepting: accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.address)
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }

    /// How many bytes of answers went out.
    pub(crate) fn sent(&self) -> u64 {
        self.seen.sent.load(Ordering::SeqCst)
    }

    /// Waits until it has sent what it is to send before it stalls or trickles.
    pub(crate) async fn stalled(&self) {
        self.seen.stalled.notified().await;
    }
}

/// An answer of HTTP with this body, whole.
pub(crate) fn answer(status: &str, body: &str) -> Does {
    let length = body.len();
    Does::Sends(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}

/// TLS with this certificate; where an authority is told, for those alone that show a certificate it signed.
pub(crate) fn tls(pair: &Pair, clients: Option<&std::path::Path>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = |file| CertificateDer::pem_file_iter(file).unwrap().map(Result::unwrap);
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(authority));
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&pair.key).unwrap();
    let config = builder.with_single_cert(certificates(&pair.certificate).collect(), key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, seen: Arc<Seen>, decide: Arc<Decide>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let (tls, seen, decide) = (tls.clone(), Arc::clone(&seen), Arc::clone(&decide));
                // Whoever hangs up ends it.
                connections.spawn(async move { drop(connection(stream, tls, &seen, &*decide).await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, seen: &Seen, decide: &Decide) -> Result<()> {
    match tls {
        Some(tls) => serve(tls.accept(stream).await?, seen, decide).await,
        None => serve(stream, seen, decide).await,
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Seen, decide: &Decide) -> Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let read = stream.read_buf(&mut request).await?;
        ensure!(read > 0 && request.len() <= MAX_REQUEST_BYTES, "the request broke off, or does not end");
    }
    let head = String::from_utf8(request)?;
    let does = decide(&head);
    seen.heads.lock().unwrap().push(head);
    let send = async |stream: &mut _, bytes: &[u8]| -> Result<()> {
        AsyncWriteExt::write_all(stream, bytes).await?;
        seen.sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(AsyncWriteExt::flush(stream).await?)
    };
    match does {
        Does::Sends(text) => send(&mut stream, text.as_bytes()).await?,
        Does::Stalls(text) => {
            send(&mut stream, text.as_bytes()).await?;
            seen.stalled.notify_one();
            while stream.read(&mut [0; 64]).await? > 0 {}
        }
        Does::Trickles(text) => {
            send(&mut stream, text.as_bytes()).await?;
            seen.stalled.notify_one();
            for _ in 0..60 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                send(&mut stream, b" ").await?;
            }
        }
        Does::Floods(text, chunks) => {
            send(&mut stream, text.as_bytes()).await?;
            let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
            for _ in 0..chunks {
                send(&mut stream, &chunk).await?;
            }
            send(&mut stream, b"0\r\n\r\n").await?;
        }
    }
    Ok(stream.shutdown().await?)
}
