//! HTTP to services that are not ours: whatever takes a webhook, and the sources of evidence.

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode, Uri};
use reqwest::{Client, Response, Url, redirect::Policy};
use rustls::CertificateError;
use tracing::instrument;

use crate::proxies::Proxies;

/// How long one request may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// How much is read of the body of an answer that is no success, in bytes: what it says for people begins there.
const MAX_EXCERPT: usize = 2 * 1024;

/// An answer to a request that was sent.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The beginning of its body; empty where it is a success, which nobody reads.
    pub body: Vec<u8>,
}

/// Why no answer came. The request may have arrived all the same, unless this lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    pub why: String,
    /// No request gets through until somebody mends it: the other side's certificate is not trusted, it speaks no TLS, or a
    /// proxy on the way asks for a login.
    pub is_lasting: bool,
}

/// What comes of a request: the answer, or why none came, without the address, which may hold a secret.
type TestTransport =
    dyn Fn(Request<Vec<u8>>) -> BoxFuture<'static, Result<http::Response<Vec<u8>>, String>> + Send + Sync;

/// Where a role sends its requests to others.
#[derive(Clone)]
pub struct HttpClient(Transport);

#[derive(Clone)]
enum Transport {
    /// With the client of what is posted, and the proxies that it goes by.
    Network(Client, Proxies),
    Function(Arc<TestTransport>),
}

impl HttpClient {
    /// The network, by the proxies of the environment. Redirects are not followed, and nothing is sent twice.
    ///
    /// # Panics
    /// Never: a client without certificates of its own can be built.
    #[must_use]
    pub fn system() -> Self {
        Self::by(Proxies::system())
    }

    /// The network, by these proxies. Redirects are not followed, and nothing is sent twice.
    ///
    /// # Panics
    /// Never: a client without certificates of its own can be built.
    #[must_use]
    pub fn by(proxies: Proxies) -> Self {
        // A provider may be installed already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .proxy(proxies.clone().for_clients())
            .user_agent("namespace-manager")
            .build()
            .expect("a client without certificates of its own can be built");
        Self(Transport::Network(client, proxies))
    }

    /// One that is told what comes of a request, for tests.
    #[must_use]
    pub fn from_fn(
        tell: impl Fn(Request<Vec<u8>>) -> BoxFuture<'static, Result<http::Response<Vec<u8>>, String>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Transport::Function(Arc::new(tell)))
    }

    /// The proxy on the way of what is sent to an address, with its login.
    #[must_use]
    pub fn proxy_to(&self, url: &Uri) -> Option<&str> {
        match &self.0 {
            Transport::Network(_, proxies) => proxies.to(url),
            Transport::Function(_) => None,
        }
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// Why no answer came within [`TIMEOUT`].
    #[instrument(
        name = "request",
        level = "debug",
        skip_all,
        fields(http.request.method = %request.method(), server.address = request.uri().host())
    )]
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<HttpResponse, RequestError> {
        match &self.0 {
            Transport::Network(client, _) => {
                let (parts, body) = request.into_parts();
                // A login in the address becomes a header here, and only here.
                let request = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
                let mut answer = request.send().await.map_err(RequestError::of)?;
                let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
                let mut body = Vec::new();
                // One that breaks off is an answer all the same: its status has come.
                while !status.is_success() && body.len() < MAX_EXCERPT {
                    let Ok(Some(chunk)) = answer.chunk().await else { break };
                    body.extend_from_slice(&chunk);
                }
                body.truncate(MAX_EXCERPT);
                Ok(HttpResponse { status, headers, body })
            }
            Transport::Function(tell) => match tell(request).await {
                Ok(answer) => {
                    let (parts, body) = answer.into_parts();
                    Ok(HttpResponse { status: parts.status, headers: parts.headers, body })
                }
                Err(why) => Err(RequestError { why, is_lasting: false }),
            },
        }
    }

    /// The answer to a GET of this address: that of the network, which each caller reaches in a way of its own, with
    /// its own certificates, login and deadline; or the one that this client was given for these conditions.
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
            Transport::Network(..) => network.await,
            Transport::Function(tell) => {
                let mut request = Request::get(url.as_str()).body(Vec::new()).map_err(|error| error.to_string())?;
                *request.headers_mut() = conditions;
                tell(request).await.map(Response::from)
            }
        }
    }
}

impl RequestError {
    /// Without the address, which may hold a secret.
    fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let lasting = match of_tls(&error) {
            Some(rustls::Error::InvalidCertificate(flaw)) => {
                Some(format!("its certificate is not trusted: {}", told(flaw)))
            }
            Some(other) => Some(format!("no connection by TLS could be made: {other}")),
            None => wants_login(&error).then(|| "a proxy on the way to it asks for a login (407)".to_owned()),
        };
        let is_lasting = lasting.is_some();
        let why = lasting.unwrap_or_else(|| {
            // The innermost cause says what a person can mend.
            let cause = error.source().map(innermost);
            cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
        });
        Self { why, is_lasting }
    }
}

fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}

/// What the TLS library says, where an error or what led to it is one of its own.
fn of_tls<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    // What an I/O error wraps is not its source, but itself.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).and_then(|inner| of_tls(inner));
    wrapped.or_else(|| error.source().and_then(of_tls))
}

/// What is wrong with a certificate.
fn told(flaw: &CertificateError) -> String {
    match flaw {
        CertificateError::UnknownIssuer => "nobody signed it who is trusted here".to_owned(),
        other => other.to_string(),
    }
}

/// Whether a proxy answered 407 when a connection was requested. The client library tells that by these words alone:
/// its type is private.
fn wants_login(error: &reqwest::Error) -> bool {
    innermost(error).to_string().ends_with("proxy authorization required")
}

impl fmt::Debug for HttpClient {
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
    async fn sent(scheme: &str, answer: &'static str) -> Result<HttpResponse, RequestError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}/hook?token=t0p", listener.local_addr().unwrap());
        let receive = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        };
        let request = Request::post(url).body(Vec::new()).unwrap();
        let web = HttpClient::system();
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
        assert!(unanswered.is_lasting && unanswered.why.contains("TLS"), "{unanswered:?}");
        let unanswered = sent("http", "").await.unwrap_err();
        assert!(!unanswered.is_lasting, "{unanswered:?}");
        let request = Request::post("http://127.0.0.1:1/hook?token=t0p").body(Vec::new()).unwrap();
        let unanswered = HttpClient::system().send(request).await.unwrap_err();
        assert!(!unanswered.is_lasting && !unanswered.why.contains("t0p"), "{unanswered:?}");
    }
}
