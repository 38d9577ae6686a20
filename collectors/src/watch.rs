//! The watch on namespaces: what is there, what changed, what vanished.

use std::{collections::BTreeSet, sync::Arc};

use common::{
    cluster::{Cluster, facts},
    config::Settings,
};
use futures::{Stream, StreamExt as _, stream::BoxStream};
use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use kube::{
    Api,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use lifecycle::{Namespace, Uid};

/// How many objects one page of a list holds.
const PAGE: u32 = 500;

/// What the watch brings.
#[derive(Debug)]
pub(crate) enum Watched {
    /// A namespace as it is now.
    There(Namespace),
    /// A namespace that is no longer there: the apiserver said so.
    Vanished(Uid),
    /// A list came through whole: these are all there are. A list that broke off leads to none of these.
    Complete(BTreeSet<Uid>),
    /// Nothing came; the watch goes on by itself, with backoff.
    Broken(String),
}

/// Watches the metadata of all namespaces, cut down to what the configuration refers to.
pub(crate) fn namespaces(cluster: &Cluster, settings: Arc<Settings>) -> BoxStream<'static, Watched> {
    let config = watcher::Config::default().page_size(PAGE);
    let metadata = Api::<PartialObjectMeta<KubeNamespace>>::all(cluster.client.clone());
    let events = watcher(metadata, config).default_backoff();
    translate(events, settings).boxed()
}

fn translate(
    events: impl Stream<Item = watcher::Result<Event<PartialObjectMeta<KubeNamespace>>>> + Send + 'static,
    settings: Arc<Settings>,
) -> impl Stream<Item = Watched> + Send {
    let mut listed = BTreeSet::new();
    events.filter_map(move |event| {
        let watched = match event {
            Ok(Event::Init) => {
                listed.clear();
                None
            }
            Ok(Event::InitApply(object)) => {
                let found = facts(object.metadata, &settings.policies);
                listed.extend(found.iter().map(|namespace| namespace.uid.clone()));
                found.map(Watched::There)
            }
            Ok(Event::InitDone) => Some(Watched::Complete(std::mem::take(&mut listed))),
            Ok(Event::Apply(object)) => facts(object.metadata, &settings.policies).map(Watched::There),
            Ok(Event::Delete(object)) => object.metadata.uid.map(|uid| Watched::Vanished(Uid::new(uid))),
            Err(error) => Some(Watched::Broken(error.to_string())),
        };
        std::future::ready(watched)
    })
}
