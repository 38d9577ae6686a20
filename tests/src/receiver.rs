//! A receiver of webhooks on loopback: it writes down what is posted, and answers as it is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The most of a request that is read: many times what a notice weighs.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Receives until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    posts: Arc<Mutex<Vec<Post>>>,
    _accepting: JoinSet<()>,
}

/// A request that came through whole.
#[derive(Clone, Debug)]
pub struct Post {
    pub at: Timestamp,
    /// The request's first line and its headers.
    pub head: String,
    /// The body as it was sent: signatures are of it.
    pub raw: Vec<u8>,
    /// The body as JSON; null where it is none.
    pub body: Value,
}

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of HTTP.
    Status(u16),
    /// A status, and a body.
    Says(u16, &'static str),
    /// It is taken, and nothing is said.
    Stall,
    /// It is taken, and the connection cut.
    Cut,
}

/// Gets the request, and how many came about the same namespace before it.
type Decide = dyn Fn(&Post, usize) -> Answer + Send + Sync;

impl Receiver {
    /// Starts one that does with each request what `decide` says.
    ///
    /// # Errors
    /// No port can be listened on.
    pub async fn start(decide: impl Fn(&Post, usize) -> Answer + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on a port")?;
        let address = listener.local_addr()?;
        let posts = Arc::new(Mutex::new(Vec::new()));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&posts), Arc::new(decide)));
        Ok(Self { address, posts, _accepting: accepting })
    }

    /// Where to post to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/notices", self.address)
    }

    /// Everything that was posted so far, in the order in which it came.
    ///
    /// # Panics
    /// `decide` did.
    #[must_use]
    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().expect("nobody panics while holding it").clone()
    }
}

impl Post {
    /// A text of the body; empty where there is none.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }

    /// An instant of the body.
    #[must_use]
    pub fn instant(&self, field: &str) -> Option<Timestamp> {
        self.text(field).parse().ok()
    }

    /// The value of a header, by its name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.into_iter().find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }
}

async fn accept(listener: TcpListener, posts: Arc<Mutex<Vec<Post>>>, decide: Arc<Decide>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let (posts, decide) = (Arc::clone(&posts), Arc::clone(&decide));
                connections.spawn(async move {
                    // One that broke off was not posted.
                    let _ = receive(stream, &posts, &*decide).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One request of a connection, which ends with it.
async fn receive(mut stream: TcpStream, posts: &Mutex<Vec<Post>>, decide: &Decide) -> Result<()> {
    let post = read(&mut stream).await?;
    let decided = {
        let mut posts = posts.lock().expect("nobody panics while holding it");
        let before = posts.iter().filter(|other| other.text("namespace") == post.text("namespace")).count();
        let decided = decide(&post, before);
        posts.push(post);
        decided
    };
    match decided {
        Answer::Status(code) => answer(stream, code, "").await?,
        Answer::Says(code, body) => answer(stream, code, body).await?,
        Answer::Stall => {
            // Until the other side has had enough.
            while stream.read(&mut [0; 64]).await? > 0 {}
        }
        Answer::Cut => {}
    }
    Ok(())
}

async fn answer(mut stream: TcpStream, code: u16, body: &str) -> Result<()> {
    let length = body.len();
    let answer = format!("HTTP/1.1 {code} So\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await?;
    Ok(stream.shutdown().await?)
}

async fn read(stream: &mut TcpStream) -> Result<Post> {
    let mut seen = Vec::new();
    loop {
        let read = stream.read_buf(&mut seen).await?;
        ensure!(read > 0 && seen.len() <= MAX_REQUEST_BYTES, "the request broke off, or does not end");
        let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&seen[..end]).into_owned();
        let mut post = Post { at: Timestamp::now(), head, raw: Vec::new(), body: Value::Null };
        let length: usize = post.header("content-length").unwrap_or("0").trim().parse()?;
        if let Some(body) = seen.get(end + 4..end + 4 + length) {
            post.raw = body.to_owned();
            post.body = serde_json::from_slice(body).unwrap_or_default();
            return Ok(post);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Posts this body, and returns what is answered.
    async fn post(receiver: &Receiver, body: &str) -> String {
        let mut stream = TcpStream::connect(receiver.address).await.unwrap();
        let head = format!("POST /notices HTTP/1.1\r\nContent-Length: {}\r\nX-Kind: a\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn writes_down_what_comes_and_answers_as_it_is_told() {
        let decide = |post: &Post, before| match (post.text("namespace"), before) {
            ("a", 0) => Answer::Cut,
            _ => Answer::Status(500 + u16::try_from(before).unwrap()),
        };
        let receiver = Receiver::start(decide).await.unwrap();
        assert_eq!(post(&receiver, r#"{"namespace": "a"}"#).await, "");
        assert!(post(&receiver, r#"{"namespace": "a"}"#).await.starts_with("HTTP/1.1 501 "));
        assert!(post(&receiver, r#"{"namespace": "b"}"#).await.starts_with("HTTP/1.1 500 "));
        let posts = receiver.posts();
        let names: Vec<_> = posts.iter().map(|post| post.text("namespace")).collect();
        assert_eq!(names, ["a", "a", "b"]);
        assert_eq!(posts[0].raw, br#"{"namespace": "a"}"#);
        assert_eq!((posts[0].header("x-kind"), posts[0].header("x-other")), (Some("a"), None));
    }
}
