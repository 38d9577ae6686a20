//! The watch on namespaces: what is there, what changed, what vanished.

use std::{collections::BTreeSet, sync::Arc};

use common::{
    cluster::{Cluster, NamespaceMeta, facts, facts_of, told, watch},
    config::Settings,
    identity,
};
use futures::{Stream, StreamExt as _, stream::BoxStream};
use kube::runtime::watcher::{self, Event};
use lifecycle::{Namespace, Uid};

use crate::shard::Shard;

/// How many objects one page of a list holds. Of a page three copies exist while it is read.
const PAGE: u32 = 250;

/// What the watch brings.
#[derive(Debug)]
pub(crate) enum NamespaceEvent {
    /// A namespace as it is now.
    Applied(Namespace),
    /// A namespace that is another collector's, or was.
    OtherShard(Uid),
    /// A namespace that is no longer there: the apiserver said so.
    Deleted(Uid),
    /// A list began: before it is complete, nothing shows which cluster it is of.
    Listing,
    /// A list came through whole. A list that broke off leads to none of these.
    Synced(Listed),
    /// Nothing came; the watch goes on by itself, with backoff.
    Failed(String),
}

/// A list that came through whole.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// All there are, no matter whose they are.
    pub(crate) all: BTreeSet<Uid>,
    /// The uid that stands for the cluster; none where the list does not name it.
    pub(crate) cluster: Option<Uid>,
}

/// Watches all namespaces, cut down to what the configuration refers to. Those of other shards are named,
/// so that nobody takes them for gone.
pub(crate) fn namespaces(
    cluster: &Cluster,
    settings: Arc<Settings>,
    shard: Shard,
) -> BoxStream<'static, NamespaceEvent> {
    let config = watcher::Config::default().page_size(PAGE);
    translate(watch(cluster.lean_namespaces(), config, cluster.watch_timeout), settings, shard).boxed()
}

fn translate(
    events: impl Stream<Item = watcher::Result<Event<NamespaceMeta>>> + Send + 'static,
    settings: Arc<Settings>,
    shard: Shard,
) -> impl Stream<Item = NamespaceEvent> + Send {
    let mut listed = Listed::default();
    events.filter_map(move |event| {
        let policies = &settings.policies;
        let there = |namespace: Namespace| match shard.holds(&namespace, &policies.keys) {
            true => NamespaceEvent::Applied(namespace),
            false => NamespaceEvent::OtherShard(namespace.uid),
        };
        let watched = match event {
            Ok(Event::Init) => {
                listed = Listed::default();
                Some(NamespaceEvent::Listing)
            }
            Ok(Event::InitApply(object)) => {
                if let Some(cluster) = identity::named_by(&object.metadata) {
                    listed.cluster = Some(cluster);
                }
                let found = facts_of(object, policies);
                listed.all.extend(found.iter().map(|namespace| namespace.uid.clone()));
                found.map(there)
            }
            Ok(Event::InitDone) => Some(NamespaceEvent::Synced(std::mem::take(&mut listed))),
            Ok(Event::Apply(object)) => facts_of(object, policies).map(there),
            Ok(Event::Delete(object)) => {
                let uid = object.metadata.uid.clone().map(Uid::new);
                match facts(object.metadata, policies).map(there) {
                    Some(elsewhere @ NamespaceEvent::OtherShard(_)) => Some(elsewhere),
                    _ => uid.map(NamespaceEvent::Deleted),
                }
            }
            Err(error) => Some(NamespaceEvent::Failed(told(&error))),
        };
        std::future::ready(watched)
    })
}

#[cfg(test)]
mod tests {
    use common::config::Source;
    use futures::stream;
    use kube::{api::ObjectMeta, core::Status};

    use super::*;

    fn object(uid: &str) -> NamespaceMeta {
        let metadata = ObjectMeta {
            uid: Some(uid.to_owned()),
            name: Some(uid.to_owned()),
            resource_version: Some("1".to_owned()),
            creation_timestamp: Some(serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap()),
            ..ObjectMeta::default()
        };
        NamespaceMeta { metadata, ..NamespaceMeta::default() }
    }

    fn settings() -> Arc<Settings> {
        let source = Source::new(None, [("NSM__STORE__URL".to_owned(), "sqlite:/nowhere".to_owned())]);
        Arc::new(source.load().unwrap())
    }

    /// What the events lead to, in words.
    #[track_caller]
    fn check(events: Vec<watcher::Result<Event<NamespaceMeta>>>, expected: &str) {
        check_in(Shard::WHOLE, events, expected);
    }

    #[track_caller]
    fn check_in(shard: Shard, events: Vec<watcher::Result<Event<NamespaceMeta>>>, expected: &str) {
        let watched = translate(stream::iter(events), settings(), shard).collect::<Vec<_>>();
        let words: Vec<_> = futures::executor::block_on(watched)
            .into_iter()
            .map(|watched| match watched {
                NamespaceEvent::Applied(namespace) => format!("there:{}", namespace.uid),
                NamespaceEvent::OtherShard(uid) => format!("elsewhere:{uid}"),
                NamespaceEvent::Deleted(uid) => format!("vanished:{uid}"),
                NamespaceEvent::Listing => "listing".to_owned(),
                NamespaceEvent::Synced(Listed { all, cluster }) => {
                    let all = all.iter().map(Uid::as_str).collect::<Vec<_>>().join("+");
                    cluster.map_or_else(|| format!("complete:{all}"), |cluster| format!("complete:{all}@{cluster}"))
                }
                NamespaceEvent::Failed(_) => "broken".to_owned(),
            })
            .collect();
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn a_list_counts_when_it_is_complete() {
        let events = vec![
            Ok(Event::Init),
            Ok(Event::InitApply(object("a"))),
            Ok(Event::InitApply(object("b"))),
            Ok(Event::InitDone),
        ];
        check(events, "listing there:a there:b complete:a+b");
    }

    #[test]
    fn a_list_that_broke_off_says_nothing_about_what_it_did_not_show() {
        let events = vec![
            Ok(Event::Init),
            Ok(Event::InitApply(object("a"))),
            Err(watcher::Error::NoResourceVersion),
            Ok(Event::Init),
            Ok(Event::InitApply(object("b"))),
            Ok(Event::InitDone),
        ];
        check(events, "listing there:a broken listing there:b complete:b");
    }

    #[test]
    fn a_complete_list_names_its_cluster() {
        let of = |uid| vec![Ok(Event::Init), Ok(Event::InitApply(system(uid))), Ok(Event::InitDone)];
        let moved = of("one").into_iter().chain(of("other")).collect();
        check(moved, "listing there:one complete:one@one listing there:other complete:other@other");
    }

    fn system(uid: &str) -> NamespaceMeta {
        let mut object = object(uid);
        object.metadata.name = Some("kube-system".to_owned());
        object
    }

    #[test]
    fn an_error_is_not_an_empty_list() {
        check(vec![Err(watcher::Error::NoResourceVersion)], "broken");
    }

    #[test]
    fn a_refusal_is_told_in_the_apiservers_words() {
        let message = "namespaces is forbidden: User \"collector\" cannot list resource".to_owned();
        let status =
            Status { code: 403, reason: "Forbidden".to_owned(), message: message.clone(), ..Status::default() };
        let refused = Err(watcher::Error::InitialListFailed(kube::Error::Api(status.boxed())));
        let watched = translate(stream::iter([refused]), settings(), Shard::WHOLE).collect::<Vec<_>>();
        let watched = futures::executor::block_on(watched);
        let [NamespaceEvent::Failed(why)] = watched.as_slice() else { panic!("{watched:?}") };
        assert_eq!(*why, format!("the apiserver answered 403: {message}"));
    }

    #[test]
    fn what_the_apiserver_reports_as_deleted_has_vanished() {
        check(vec![Ok(Event::Apply(object("a"))), Ok(Event::Delete(object("a")))], "there:a vanished:a");
    }

    /// Were the list of all cut down to a shard's, each collector would end what the others hold.
    #[test]
    fn a_list_names_what_is_of_other_shards_too() {
        let shard_of_a = (0..2).find(|number| Shard { number: *number, of: 2 }.holds(&seen("a"), &keys())).unwrap();
        let other = Shard { number: 1 - shard_of_a, of: 2 };
        let listed = || vec![Ok(Event::Init), Ok(Event::InitApply(object("a"))), Ok(Event::InitDone)];
        check_in(Shard { number: shard_of_a, of: 2 }, listed(), "listing there:a complete:a");
        check_in(other, listed(), "listing elsewhere:a complete:a");
        check_in(other, vec![Ok(Event::Delete(object("a")))], "elsewhere:a");
        check_in(Shard { number: shard_of_a, of: 2 }, vec![Ok(Event::Delete(object("a")))], "vanished:a");
    }

    fn keys() -> lifecycle::Keys {
        lifecycle::Keys::default()
    }

    fn seen(uid: &str) -> Namespace {
        let settings =
            Source::new(None, [("NSM__STORE__URL".to_owned(), "sqlite:/nowhere".to_owned())]).load().unwrap();
        facts(object(uid).metadata, &settings.policies).unwrap()
    }
}
