//! The watches on workloads: one per kind, for the whole cluster.

use std::time::Duration;

use common::cluster::{self, Cluster};
use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use kube::{
    Api,
    runtime::watcher::{self, Config, Event as Watched},
};
use tokio::time::sleep;

use super::{
    kinds::{Claim, Class, CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet},
    partial_object::PartialObject,
    workload_state::{Change, Event, Place},
};

/// How many objects one page of a list holds.
pub(super) const PAGE: u32 = 250;

/// How long a kind that cannot be read is left alone, at first and at most.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Watches the workloads of all namespaces, for ever.
#[must_use]
pub fn watch(cluster: &Cluster) -> BoxStream<'static, Event> {
    stream::select_all([
        of::<Deployment>(cluster, Config::default()),
        of::<StatefulSet>(cluster, Config::default()),
        of::<DaemonSet>(cluster, Config::default()),
        of::<ReplicaSet>(cluster, Config::default()),
        of::<Job>(cluster, Config::default()),
        of::<CronJob>(cluster, Config::default()),
        of::<Pod>(cluster, Config::default().fields(UNFINISHED)),
        of::<Claim>(cluster, Config::default()),
        of::<Class>(cluster, Config::default()),
    ])
    .boxed()
}

/// Which pods are read: those that came to a good end count for nothing, and pile up.
pub(super) const UNFINISHED: &str = "status.phase!=Succeeded";

fn of<K: PartialObject>(cluster: &Cluster, config: Config) -> BoxStream<'static, Event> {
    let api = Api::<K>::all(cluster.client.clone());
    let timeout = cluster.watch_timeout;
    begun_again(move || cluster::watch(api.clone(), config.clone().page_size(PAGE), timeout).boxed()).boxed()
}

/// A watch that begins with a list again after each error. By itself it would go on where it was, and say nothing where
/// nothing changes: nobody could tell that from a watch that is broken still.
fn begun_again<K: PartialObject>(
    begin: impl Fn() -> BoxStream<'static, watcher::Result<Watched<K>>> + Send + 'static,
) -> impl Stream<Item = Event> + Send {
    struct State<S, F> {
        begin: F,
        stream: Option<S>,
        rest: Duration,
    }
    let state = State { stream: Some(begin()), begin, rest: RETRY_BACKOFF.0 };
    stream::unfold(state, async |mut state| {
        loop {
            let Some(stream) = &mut state.stream else {
                sleep(state.rest).await;
                state.rest = (state.rest * 2).min(RETRY_BACKOFF.1);
                state.stream = Some((state.begin)());
                continue;
            };
            let change = match stream.next().await {
                Some(Ok(Watched::Init)) => Change::Begins,
                Some(Ok(Watched::InitApply(object))) => match place(&object, false) {
                    Some(place) => Change::Listed(place),
                    None => continue,
                },
                Some(Ok(Watched::InitDone)) => {
                    state.rest = RETRY_BACKOFF.0;
                    Change::Complete
                }
                Some(Ok(Watched::Apply(object))) => match place(&object, false) {
                    Some(place) => Change::Now(place),
                    None => continue,
                },
                Some(Ok(Watched::Delete(object))) => match place(&object, true) {
                    Some(place) => Change::Now(place),
                    None => continue,
                },
                Some(Err(error)) => {
                    state.stream = None;
                    Change::Broke(cluster::told(&error))
                }
                None => {
                    state.stream = None;
                    Change::Broke("the watch ended".to_owned())
                }
            };
            return Some((Event { kind: K::KIND, change }, state));
        }
    })
}

/// Where an object is kept, and what of it. What is being deleted counts for nothing any more.
pub(super) fn place<K: PartialObject>(object: &K, is_gone: bool) -> Option<Place> {
    let meta = object.meta();
    let trace = match (is_gone, &meta.deletion_timestamp) {
        (true, _) => None,
        (false, Some(_)) => object.going(),
        (false, None) => object.trace(),
    };
    let trace = trace.map(|trace| (object.created(), trace));
    Some(Place { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone()?, trace })
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_is_refused_is_told_of_in_the_apiservers_words() {
        let message = "deployments.apps is forbidden: User \"collector\" cannot list resource \"deployments\"";
        let refused = move || {
            let status =
                Status { code: 403, reason: "Forbidden".to_owned(), message: message.to_owned(), ..Status::default() };
            let error = watcher::Error::InitialListFailed(kube::Error::Api(status.boxed()));
            stream::iter([Err::<Watched<Deployment>, _>(error)]).boxed()
        };
        let mut events = begun_again(refused).boxed();
        let Some(Event { change: Change::Broke(why), .. }) = events.next().await else {
            panic!("it did not break");
        };
        assert_eq!(why, format!("the apiserver answered 403: {message}"));
    }
}
