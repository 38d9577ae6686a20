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

/// How long a watch lasts, in seconds. Then the apiserver ends it, and it is resumed where it was, without a list: one
/// request per minute and watch, where the leader of a controller makes ninety for its lease. Left to itself the client
/// library asks for 290 s.
///
/// A watch on which nothing happens and one that has died look alike: bookmarks may come every minute, but no apiserver
/// promises them. That it ends when it was told to is what can be missed.
const LASTS: u32 = 60;

/// For how long a watch may bring nothing: it should have ended by then. Less than the 5 s the client library waits beyond
/// the end, because it says nothing about it.
pub(super) const SILENCE: Duration = Duration::from_secs(LASTS as u64 + 3);

/// Watches, for ever: an error is waited out, with backoff. What it did not show within about a minute did not happen, or it
/// said that it broke.
pub fn watch<K>(api: Api<K>, config: watcher::Config) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "it is told here how long it lasts")]
    let events = watcher(api, config.timeout(LASTS));
    events.default_backoff()
}

/// Whether a request begins a watch.
pub(super) fn is_watch(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"))
}

#[cfg(test)]
mod tests;
