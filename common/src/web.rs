//! HTTP to services that are not ours: whatever takes a webhook, and the sources of evidence.

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode};
use reqwest::{Client, Response, Url, redirect::Policy};

use crate::proxies::Proxies;

/// How long one request may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// How much is read of the body of an answer that is no success, in bytes: what it says for people begins there.
const MAX_EXCERPT: usize = 2 * 1024;

/// An answer to a request that was sent.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The beginning of its body; empty where it is a success, which nobody reads.
    pub body: Vec<u8>,
}

/// Why no answer came. The request may have arrived all the same, unless the other side's certificate is not trusted or
/// it does not speak TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    pub why: String,
    /// No connection by TLS could be made.
    pub is_tls: bool,
}

/// What comes of a request: the answer, or why none came, without the address, which may hold a secret.
type Told = dyn Fn(Request<Vec<u8>>) -> BoxFuture<'static, Result<http::Response<Vec<u8>>, String>> + Send + Sync;

/// Where a role sends its requests to others.
#[derive(Clone)]
pub struct Web(Way);

#[derive(Clone)]
enum Way {
    /// With the client of what is posted.
    Network(Client),
    Told(Arc<Told>),
}

impl Web {
    /// The network, by the proxies of the environment. Redirects are not followed, and nothing is sent twice.
    ///
    /// # Panics
    /// Never: a client without certificates of its own can be built.
    #[must_use]
    pub fn system() -> Self {
        // A provider may be installed already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .proxy(Proxies::system().for_clients())
            .user_agent("namespace-manager")
            .build()
            .expect("a client without certificates of its own can be built");
        Self(Way::Network(client))
    }

    /// One that is told what comes of a request, for tests.
    #[must_use]
    pub fn told(
        tell: impl Fn(Request<Vec<u8>>) -> BoxFuture<'static, Result<http::Response<Vec<u8>>, String>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Way::Told(Arc::new(tell)))
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// Why no answer came within [`TIMEOUT`].
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Answer, Unanswered> {
        match &self.0 {
            Way::Network(client) => {
                let request = reqwest::Request::try_from(request).map_err(Unanswered::of)?;
                let mut answer = client.execute(request).await.map_err(Unanswered::of)?;
                let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
                let mut body = Vec::new();
                // One that breaks off is an answer all the same: its status has come.
                while !status.is_success() && body.len() < MAX_EXCERPT {
                    let Ok(Some(chunk)) = answer.chunk().await else { break };
                    body.extend_from_slice(&chunk);
                }
                body.truncate(MAX_EXCERPT);
                Ok(Answer { status, headers, body })
            }
            Way::Told(tell) => match tell(request).await {
                Ok(answer) => {
                    let (parts, body) = answer.into_parts();
                    Ok(Answer { status: parts.status, headers: parts.headers, body })
                }
                Err(why) => Err(Unanswered { why, is_tls: false }),
            },
        }
    }

    /// The answer to a GET of this address: that of the network, which whoever asks goes to in a way of its own, with
    /// its own certificates, login and deadline; or the one that is told, of whoever is asked under these conditions.
    ///
    /// # Errors
    /// Why none came.
    pub async fn get(
        &self,
        url: &Url,
        conditions: HeaderMap,
        network: impl Future<Output = Result<Response, String>>,
    ) -> Result<Response, String> {
        match &self.0 {
            Way::Network(_) => network.await,
            Way::Told(tell) => {
                let mut request = Request::get(url.as_str()).body(Vec::new()).map_err(|error| error.to_string())?;
                *request.headers_mut() = conditions;
                tell(request).await.map(Response::from)
            }
        }
    }
}

impl Unanswered {
    /// Without the address, which may hold a secret.
    fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let is_tls = is_of_tls(&error);
        // The innermost cause says what a person can mend.
        let cause = error.source().map(innermost);
        let why = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        Self { why, is_tls }
    }
}

fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}

/// Whether an error, or what led to it, is one of the TLS library.
fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    // What an I/O error wraps is not its source, but itself.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).is_some_and(|inner| is_of_tls(inner));
    wrapped || error.source().is_some_and(is_of_tls)
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Sends a request with this scheme to a receiver that answers so, and speaks no TLS.
    async fn sent(scheme: &str, answer: &'static str) -> Result<Answer, Unanswered> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}/hook?token=t0p", listener.local_addr().unwrap());
        let receive = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        };
        let request = Request::post(url).body(Vec::new()).unwrap();
        let web = Web::system();
        let (sent, ()) = tokio::join!(web.send(request), receive);
        sent
    }

    #[tokio::test]
    async fn an_answer_is_read_as_far_as_it_tells_something() {
        let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 900\r\nretry-after: 7\r\n\r\ninvalid_payload";
        let answer = sent("http", answer).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::BAD_REQUEST, &b"invalid_payload"[..]));
        assert_eq!(answer.headers["retry-after"], "7");
        let answer = sent("http", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    }

    #[tokio::test]
    async fn who_speaks_no_tls_is_told_from_who_does_not_answer() {
        let unanswered = sent("https", "HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap_err();
        assert!(unanswered.is_tls, "{unanswered:?}");
        let unanswered = sent("http", "").await.unwrap_err();
        assert!(!unanswered.is_tls, "{unanswered:?}");
        let request = Request::post("http://127.0.0.1:1/hook?token=t0p").body(Vec::new()).unwrap();
        let unanswered = Web::system().send(request).await.unwrap_err();
        assert!(!unanswered.is_tls && !unanswered.why.contains("t0p"), "{unanswered:?}");
    }
}
