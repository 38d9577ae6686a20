//! The way to the apiserver, with an end to every wait: no answer is an error, and so is an answer that stops coming.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body as Page, BodyDataStream, Bytes, HttpBody};
use futures::{StreamExt as _, future::BoxFuture, stream};
use http::{Request, Response};
use kube::client::Body;
use tokio::time::timeout;
use tower::{BoxError, Service};

use super::{REQUEST_TIMEOUT, watch_error::refused, watching};

/// Waits for answers, but not for ever. The client library waits for ever for the first byte of a list and of a watch, and
/// for the rest of a list: an apiserver that is frozen, or a connection whose other end is gone without a word, would leave
/// a collector blind until it is started again.
#[derive(Clone, Debug)]
pub(super) struct WithTimeout<S>(pub(super) S);

/// Why an answer was given up on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TimedOut {
    #[error("the apiserver did not answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    #[error("nothing came for {} s", .0.as_secs())]
    NothingMore(Duration),
}

impl<S, B> Service<Request<Body>> for WithTimeout<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Page>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let silence = watching::silence(request.uri());
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = timeout(REQUEST_TIMEOUT, answer).await.map_err(|_| TimedOut::NoAnswer(REQUEST_TIMEOUT))?;
            let most = silence.unwrap_or(REQUEST_TIMEOUT);
            let answer = answer.map_err(Into::into)?.map(|body| heard(Page::new(body), most));
            if silence.is_some() && !answer.status().is_success() { Ok(refused(answer).await) } else { Ok(answer) }
        })
    }
}

/// An answer that ends with an error when nothing of it comes for so long.
fn heard(body: Page, most: Duration) -> Page {
    let next = async move |mut rest: BodyDataStream| match timeout(most, rest.next()).await {
        Ok(Some(Ok(piece))) => Some((Ok(piece), Some(rest))),
        Ok(Some(Err(error))) => Some((Err(BoxError::from(error)), None)),
        Ok(None) => None,
        Err(_) => Some((Err(TimedOut::NothingMore(most).into()), None)),
    };
    Page::from_stream(stream::unfold(Some(body.into_data_stream()), move |rest| async move { next(rest?).await }))
}

#[cfg(test)]
mod tests {
    use futures::future::Either;
    use kube::{Api, api::ListParams, core::ObjectList};
    use tokio::time::Instant;

    use super::*;
    use crate::cluster::{Cluster, NamespaceMeta};

    /// What a list leads to whose answer is this, and after how many seconds.
    async fn list(answer: Option<Page>) -> (kube::Result<ObjectList<NamespaceMeta>>, u64) {
        let answer = std::sync::Mutex::new(answer);
        let cluster =
            Cluster::through(tower::service_fn(move |_: Request<Body>| match answer.lock().unwrap().take() {
                Some(page) => Either::Left(std::future::ready(Ok::<_, BoxError>(Response::new(page)))),
                None => Either::Right(std::future::pending()),
            }));
        let began = Instant::now();
        let namespaces: Api<NamespaceMeta> = cluster.lean_namespaces();
        let listed = namespaces.list(&ListParams::default()).await;
        (listed, began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_is_not_answered_is_given_up() {
        let (listed, seconds) = list(None).await;
        let error = listed.unwrap_err().to_string();
        assert!(error.contains("the apiserver did not answer within 10 s"), "{error}");
        assert_eq!(seconds, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_stops_coming_is_given_up() {
        let half = stream::iter([Ok::<_, BoxError>("{\"items\": [")]).chain(stream::pending());
        let (listed, seconds) = list(Some(Page::from_stream(half))).await;
        let error = format!("{:?}", listed.unwrap_err());
        assert!(error.contains("NothingMore"), "{error}");
        assert_eq!(seconds, 10);
    }

    /// What counts is that something comes.
    #[tokio::test(start_paused = true)]
    async fn a_list_that_comes_slowly_is_waited_for() {
        let pieces = stream::iter(["{\"metadata\": {},", " \"items\":", " []}"]).then(|piece| async move {
            tokio::time::sleep(Duration::from_secs(9)).await;
            Ok::<_, BoxError>(piece)
        });
        let (listed, seconds) = list(Some(Page::from_stream(pieces))).await;
        assert!(listed.unwrap().items.is_empty());
        assert_eq!(seconds, 27);
    }
}
