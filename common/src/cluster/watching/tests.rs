//! What an apiserver may do to a watch, on a clock that passes by itself.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::body::{Body as Page, Bytes};
use futures::{StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use kube::client::Body;
use tokio::time::Instant;
use tower::BoxError;

use super::*;
use crate::cluster::{Cluster, NamespaceMeta};

/// What becomes of a watch.
enum Reply {
    /// It is accepted, and that is all.
    Silent,
    /// It is not even accepted.
    Unanswered,
    /// It brings this, and ends when it was told to.
    Brings(&'static str),
    /// It brings this, and falls silent.
    Dies(&'static str),
    /// It is refused, with these words.
    Refused(u16, &'static str),
}

use Reply::{Brings, Dies, Refused, Silent, Unanswered};

/// As an apiserver says it that has not read its roles yet.
const FORBIDDEN: &str = r#"{
  "kind": "Status",
  "apiVersion": "v1",
  "metadata": {},
  "status": "Failure",
  "message": "namespaces is forbidden: User \"worker\" cannot watch resource \"namespaces\"",
  "reason": "Forbidden",
  "details": {
    "kind": "namespaces"
  },
  "code": 403
}
"#;

/// An apiserver with one namespace, whose watches come to this, one after the other.
#[derive(Clone)]
struct Apiserver {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    /// The requests it got.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Apiserver {
    fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Arc::new(Mutex::new(replies.into_iter().collect()));
        Self { replies, asked: Arc::default() }
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Page>, BoxError> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        if !is_watch(request.uri()) {
            self.note("list");
            return Ok(Response::new(Page::from(LIST)));
        }
        self.note(&format!("watch from {}", parameter("resourceVersion").unwrap_or_default()));
        let ends = parameter("timeoutSeconds").unwrap().parse().unwrap();
        let ended = stream::once(tokio::time::sleep(Duration::from_secs(ends))).filter_map(async |()| None);
        let reply = self.replies.lock().unwrap().pop_front().unwrap_or(Silent);
        let page = match reply {
            Unanswered => std::future::pending().await,
            Silent => Page::from_stream(stream::pending::<Result<Bytes, BoxError>>()),
            Brings(event) => Page::from_stream(stream::iter([Ok::<_, BoxError>(event)]).chain(ended)),
            Dies(event) => Page::from_stream(stream::iter([Ok::<_, BoxError>(event)]).chain(stream::pending())),
            Refused(code, words) => {
                let mut refusal = Response::new(Page::from(words));
                *refusal.status_mut() = StatusCode::from_u16(code)?;
                return Ok(refusal);
            }
        };
        Ok(Response::new(page))
    }

    fn note(&self, what: &str) {
        self.asked.lock().unwrap().push(what.to_owned());
    }
}

const LIST: &str = concat!(
    r#"{"metadata": {"resourceVersion": "7"}, "#,
    r#""items": [{"metadata": {"name": "a", "uid": "a", "resourceVersion": "5"}}]}"#
);
const A_CHANGED: &str =
    concat!(r#"{"type": "MODIFIED", "object": {"metadata": {"name": "a", "uid": "a", "resourceVersion": "8"}}}"#, "\n");
const B_CAME: &str =
    concat!(r#"{"type": "ADDED", "object": {"metadata": {"name": "b", "uid": "b", "resourceVersion": "9"}}}"#, "\n");
const EXPIRED: &str = concat!(r#"{"type": "ERROR", "object": {"code": 410}}"#, "\n");

/// Watches until `b` has come: what the apiserver is queried for on the way, the errors, and the seconds within which it comes.
/// After an error the client library waits for a while of its own choice.
async fn check(replies: impl IntoIterator<Item = Reply>, asked: &[&str], errors: &[&str], within: u64) {
    let apiserver = Apiserver::new(replies);
    let cluster = Cluster::through(tower::service_fn({
        let apiserver = apiserver.clone();
        move |request| apiserver.clone().answer(request)
    }));
    let mut events =
        std::pin::pin!(watch(cluster.lean_namespaces(), watcher::Config::default(), cluster.watch_timeout));
    let (began, mut said) = (Instant::now(), Vec::new());
    loop {
        match events.next().await.expect("a watch goes on for ever") {
            Ok(Event::Apply(NamespaceMeta { metadata, .. })) if metadata.name.as_deref() == Some("b") => break,
            Ok(_) => {}
            Err(error) => said.push(error.to_string()),
        }
    }
    assert_eq!(*apiserver.asked.lock().unwrap(), asked);
    assert_eq!(said.len(), errors.len(), "{said:?}");
    for (said, error) in said.iter().zip(errors) {
        assert!(said.contains(error), "{said}");
    }
    let seconds = began.elapsed().as_secs();
    assert!(seconds <= within, "it came after {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_says_nothing_is_begun_again_where_it_was() {
    let asked = ["list", "watch from 7", "watch from 7"];
    check([Silent, Brings(B_CAME)], &asked, &["nothing came for 63 s"], 63 + 2).await;
}

/// It told of something, and then died.
#[tokio::test(start_paused = true)]
async fn a_watch_that_falls_silent_is_begun_again_where_it_was() {
    let asked = ["list", "watch from 7", "watch from 8", "watch from 8"];
    check([Dies(A_CHANGED), Silent, Brings(B_CAME)], &asked, &["nothing came"; 2], 2 * 63 + 5).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_not_answered_is_begun_again() {
    let asked = ["list", "watch from 7", "watch from 7"];
    check([Unanswered, Brings(B_CAME)], &asked, &["the apiserver did not answer within 10 s"], 10 + 2).await;
}

/// At rest: nothing happens, the apiserver ends the watch in time, and nobody calls it an error.
#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_is_resumed_where_it_was() {
    let asked = ["list", "watch from 7", "watch from 8", "watch from 8", "watch from 8"];
    check([Brings(A_CHANGED), Brings(""), Brings(""), Brings(B_CAME)], &asked, &[], 3 * 60).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_one_error_however_many_lines_it_has() {
    let asked = ["list", "watch from 7", "watch from 7"];
    check([Refused(403, FORBIDDEN), Brings(B_CAME)], &asked, &["cannot watch resource \"namespaces\""], 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_page_of_somebody_in_between_is_one_error() {
    let asked = ["list", "watch from 7", "watch from 7"];
    let error = ["it answered 502 Bad Gateway: <html>"];
    check([Refused(502, "<html>\n<body>\n</body>\n</html>"), Brings(B_CAME)], &asked, &error, 2).await;
}

/// Asked for the same version again, it would refuse again, for ever.
#[tokio::test(start_paused = true)]
async fn a_version_that_is_expired_leads_to_a_list_however_it_is_said() {
    let asked = ["list", "watch from 7", "list", "watch from 7"];
    check([Refused(410, "{\"code\": 410}"), Brings(B_CAME)], &asked, &[""], 2).await;
    check([Brings(EXPIRED), Brings(B_CAME)], &asked, &[""], 2).await;
}

/// The request decides how long nothing may come.
#[test]
fn a_watch_may_be_silent_for_as_long_as_it_lasts() {
    let silence = |query: &str| silence(&format!("/api/v1/namespaces?{query}").parse().unwrap()).map(|it| it.as_secs());
    assert_eq!(silence("watch=true&timeoutSeconds=5&resourceVersion=7"), Some(8));
    assert_eq!(silence("timeoutSeconds=60&watch=true"), Some(63));
    assert_eq!(silence("watch=true"), Some(63));
    assert_eq!(silence("limit=250&timeoutSeconds=5"), None);
}
