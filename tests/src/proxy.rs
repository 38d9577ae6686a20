//! A proxy on loopback, for HTTP (`CONNECT` and whole addresses) and SOCKS5 at one port. Every name leads to this machine, so that what
//! is asked for by a name that does not exist has come by the proxy.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The most of a request's head that is read.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The first byte of SOCKS5 (RFC 1928).
const SOCKS5: u8 = 5;

/// A proxy until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    passed: Arc<Mutex<Vec<Passed>>>,
    _accepting: JoinSet<()>,
}

/// A connection that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// How: `CONNECT`, another method of HTTP, or `SOCKS5`.
    pub by: String,
    /// Host and port, as they were asked for.
    pub to: String,
    /// The value of `proxy-authorization`.
    pub login: Option<String>,
}

impl Proxy {
    /// Starts one.
    ///
    /// # Errors
    /// No port can be listened on.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on a port")?;
        let address = listener.local_addr()?;
        let passed = Arc::new(Mutex::new(Vec::new()));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&passed)));
        Ok(Self { address, passed, _accepting: accepting })
    }

    /// Its address, for a scheme: `http`, `socks5` or `socks5h`.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// The connections so far, in the order in which they were asked for.
    ///
    /// # Panics
    /// Never: nobody panics while holding them.
    #[must_use]
    pub fn passed(&self) -> Vec<Passed> {
        self.passed.lock().expect("nobody panics while holding it").clone()
    }
}

async fn accept(listener: TcpListener, passed: Arc<Mutex<Vec<Passed>>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let passed = Arc::clone(&passed);
                // Whoever hangs up ends it.
                connections.spawn(async move { drop(relay(stream, &passed).await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn relay(mut client: TcpStream, passed: &Mutex<Vec<Passed>>) -> Result<()> {
    let mut first = [0];
    client.peek(&mut first).await?;
    let is_socks = first[0] == SOCKS5;
    let (asked, head) = if is_socks { (socks(&mut client).await?, Vec::new()) } else { http(&mut client).await? };
    let port: u16 = asked.to.rsplit_once(':').context("it names a port")?.1.parse()?;
    let by = asked.by.clone();
    passed.lock().expect("nobody panics while holding it").push(asked);
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    match by.as_str() {
        "CONNECT" => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
        "SOCKS5" => client.write_all(&[SOCKS5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await?,
        _ => server.write_all(&head).await?,
    }
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Reads the head of a request, and whatever came with it.
async fn http(client: &mut TcpStream) -> Result<(Passed, Vec<u8>)> {
    let mut seen = Vec::new();
    while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = client.read_buf(&mut seen).await?;
        ensure!(read > 0 && seen.len() <= MAX_HEAD_BYTES, "the request broke off, or does not end");
    }
    let head = String::from_utf8_lossy(&seen).into_owned();
    let mut lines = head.lines();
    let mut request = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (request.next().unwrap_or_default(), request.next().unwrap_or_default());
    let host = target.strip_prefix("http://").unwrap_or(target);
    let host = host.split('/').next().unwrap_or(host);
    let to = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let login = lines.filter_map(|line| line.split_once(": "));
    let login = login.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"));
    Ok((Passed { by: method.to_owned(), to, login: login.map(|(_, value)| value.to_owned()) }, seen))
}

/// Takes anybody, and reads where to.
async fn socks(client: &mut TcpStream) -> Result<Passed> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    client.read_exact(&mut methods).await?;
    client.write_all(&[SOCKS5, 0]).await?;
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address).await?;
            Ipv4Addr::from(address).to_string()
        }
        3 => {
            let mut name = vec![0; usize::from(client.read_u8().await?)];
            client.read_exact(&mut name).await?;
            String::from_utf8(name)?
        }
        other => bail!("no address of the form {other} is served"),
    };
    let port = client.read_u16().await?;
    Ok(Passed { by: "SOCKS5".to_owned(), to: format!("{host}:{port}"), login: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_name_leads_to_this_machine() {
        let proxy = Proxy::start().await.unwrap();
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let to = format!("nowhere.example.org:{}", server.local_addr().unwrap().port());
        let mut client = TcpStream::connect(proxy.address).await.unwrap();
        client.write_all(format!("CONNECT {to} HTTP/1.1\r\nproxy-authorization: me\r\n\r\n").as_bytes()).await.unwrap();
        let (mut accepted, _) = server.accept().await.unwrap();
        accepted.write_all(b"hello").await.unwrap();
        drop(accepted);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"), "{answer}");
        let passed = Passed { by: "CONNECT".to_owned(), to, login: Some("me".to_owned()) };
        assert_eq!(proxy.passed(), [passed]);
    }
}
