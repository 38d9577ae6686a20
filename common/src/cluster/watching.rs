//! Watches that notice when nobody speaks to them any more.

use std::{fmt::Debug, time::Duration};

use futures::Stream;
use http::Uri;
use kube::{
    Api, Resource,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use crate::timings::Timings;

/// How much longer than it was to last a watch may bring nothing: it should have ended by then. Less than the 5 s the client
/// library waits beyond the end, because it says nothing about it.
const MARGIN: Duration = Duration::from_secs(3);

/// Watches, for ever: an error is waited out, with backoff. What it did not show within about `timeout` did not happen, or
/// it said that it broke.
///
/// Each watch lasts for `timeout`, in whole seconds: [`super::Cluster::watch_timeout`]. Then the apiserver ends it, and it is
/// resumed where it was, without a list: in a release one request per minute and watch, where the leader of a controller
/// makes ninety for its lease. Left to itself the client library asks for 290 s.
///
/// A watch on which nothing happens and one that has died look alike: bookmarks may come every minute, but no apiserver
/// promises them. That it ends when it was told to is what can be missed.
pub fn watch<K>(
    api: Api<K>,
    config: watcher::Config,
    timeout: Duration,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "it is told here how long it lasts")]
    let events = watcher(api, config.timeout(u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX)));
    events.default_backoff()
}

/// For how long the watch that a request begins may bring nothing, by how long it asks to last; `None`: it begins none.
pub(super) fn silence(uri: &Uri) -> Option<Duration> {
    let lasts = |query: &str| query.split('&').find_map(|pair| pair.strip_prefix("timeoutSeconds=")?.parse().ok());
    is_watch(uri).then(|| {
        let lasts = uri.query().and_then(lasts).map(Duration::from_secs);
        lasts.unwrap_or(Timings::default().watch_timeout) + MARGIN
    })
}

/// Whether a request begins a watch.
fn is_watch(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"))
}

#[cfg(test)]
mod tests;
