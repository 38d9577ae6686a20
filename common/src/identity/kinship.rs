//! Whether a store that knows no cluster has its histories of this one: an earlier version remembered none.

use std::collections::BTreeSet;

use kube::api::ListParams;
use lifecycle::{Uid, record::Phase};

use crate::{
    cluster::{ApiError, Cluster, within},
    history::load,
    store::{Store, StoreError},
};

/// How many uids, or namespaces, are read at once.
const PAGE: usize = 500;

/// What a store's histories have in common with the namespaces of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// There is no history of a namespace that is there.
    Nothing,
    /// Some of those that the store has a history of are there.
    Shared,
    /// None of those that should be there by the store is; this is the name of one.
    Strange(String),
}

/// Compares the histories of a store with the namespaces of a cluster. An empty store asks the cluster nothing.
///
/// # Errors
/// When the store is out of reach; or, within, when the cluster does not list its namespaces.
pub async fn of(store: &dyn Store, cluster: &Cluster) -> Result<Result<Kinship, ApiError>, StoreError> {
    let mut page = store.uids(None, PAGE).await?;
    if page.is_empty() {
        return Ok(Ok(Kinship::Nothing));
    }
    let there = match namespaces(cluster).await {
        Ok(there) => there,
        Err(error) => return Ok(Err(error)),
    };
    // Whatever version made their snapshots. What has gone is not there. All are compared before any is read.
    while let Some(last) = page.last().cloned() {
        if page.iter().any(|uid| there.contains(uid)) {
            return Ok(Ok(Kinship::Shared));
        }
        page = store.uids(Some(&last), PAGE).await?;
    }
    Ok(Ok(stranger(store).await?.map_or(Kinship::Nothing, Kinship::Strange)))
}

/// The name of a namespace that should be there by a store: it has no end, and its deletion was not asked for either, after
/// which it may have gone while nobody watched.
async fn stranger(store: &dyn Store) -> Result<Option<String>, StoreError> {
    let mut page = store.uids(None, PAGE).await?;
    while let Some(last) = page.last().cloned() {
        for uid in &page {
            let record = load(store, uid).await?;
            if record.phase != Phase::Gone && record.done.is_none() && record.open.is_none() {
                return Ok(Some(record.name));
            }
        }
        page = store.uids(Some(&last), PAGE).await?;
    }
    Ok(None)
}

/// The uids of all namespaces of a cluster.
async fn namespaces(cluster: &Cluster) -> Result<BTreeSet<Uid>, ApiError> {
    let (api, mut there) = (cluster.lean_namespaces(), BTreeSet::new());
    let mut params = ListParams::default().limit(PAGE.try_into().unwrap_or(u32::MAX));
    loop {
        let page = within("list namespaces", api.list(&params)).await?;
        there.extend(page.items.into_iter().filter_map(|object| object.metadata.uid).map(Uid::new));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(there),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use jiff::Timestamp;
    use kube::client::Body;
    use lifecycle::{
        Action, Actor, Event, Mode, Record, Status,
        event::{ActionDone, ActionIntended, Adopted, Gone, NoticeState, PolicyRef},
    };
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        clock::Clock,
        controls,
        history::append_named,
        identity::belong_together,
        store::{SharedStore, temporary},
    };

    fn me() -> Actor {
        Actor::person("me")
    }

    /// A cluster with one namespace beside `kube-system`, which may be listed or not.
    fn cluster(may_list: bool) -> Cluster {
        let object = |name: &str, uid: &str| json!({"metadata": {"name": name, "uid": uid, "resourceVersion": "1"}});
        Cluster::through(tower::service_fn(move |request: Request<Body>| {
            let (code, answer) = match request.uri().path() {
                "/api/v1/namespaces/kube-system" => (200, object("kube-system", "here")),
                "/api/v1/namespaces" if may_list => {
                    let items = [object("kube-system", "here"), object("ci-1", "there")];
                    (200, json!({"metadata": {"resourceVersion": "7"}, "items": items}))
                }
                _ => (403, json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden"})),
            };
            let body = Body::from(serde_json::to_vec(&answer).unwrap());
            std::future::ready(Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap()))
        }))
    }

    /// A deletion that was accepted.
    fn deleted(until: Timestamp) -> Vec<Event> {
        let intended = ActionIntended {
            action: Action::Delete,
            cause_seq: 1,
            attempt: 1,
            holder: "a".to_owned(),
            until,
            resource_version: "1".to_owned(),
            cause: Status::Stale,
            decision: String::new(),
            evidence: Vec::new(),
            evidence_at: until,
            slot: String::new(),
            unannounced: None,
            config: String::new(),
            mode: Mode::Enforce,
            notice: NoticeState::NoChannel,
        };
        vec![Event::ActionIntended(Box::new(intended)), Event::ActionDone(ActionDone { of: 2, observed: false })]
    }

    /// How a history ends.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Ends {
        Open,
        /// Its deletion was sent, and it is not known what came of it.
        Sent,
        /// Its deletion was accepted.
        Deleted,
        Gone,
    }

    /// Gives a store the history of a namespace, by its uid.
    async fn knows(store: &SharedStore, uid: &str, ends: Ends) {
        let terms = PolicyRef { policy: "p".into(), policy_hash: "h".into(), mode: Mode::Enforce };
        let created = Timestamp::UNIX_EPOCH;
        let adopted = Adopted { terms, created, ci: Vec::new(), deadline: None, again: false, deleted_before: 0 };
        let end = match ends {
            Ends::Open => Vec::new(),
            Ends::Sent => deleted(created)[..1].to_vec(),
            Ends::Deleted => deleted(created),
            Ends::Gone => vec![Event::Gone(Gone {})],
        };
        let mut record = Record::new(Uid::new(uid));
        for event in [Event::Adopted(adopted)].into_iter().chain(end) {
            append_named(&**store, &mut record, "ci-0", &me(), event, created).await.unwrap();
        }
        store.put_snapshot(&record).await.unwrap();
    }

    /// What a store with these histories has in common with the cluster: the uid of each, and how it ends.
    async fn kinship(histories: &[(&str, Ends)]) -> Kinship {
        let (_directory, store) = temporary().await;
        for (uid, ends) in histories {
            knows(&store, uid, *ends).await;
        }
        of(&*store, &cluster(true)).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_store_is_kin_to_a_cluster_by_any_namespace_that_is_there() {
        assert_eq!(kinship(&[]).await, Kinship::Nothing);
        assert_eq!(kinship(&[("gone", Ends::Gone)]).await, Kinship::Nothing);
        for ends in [Ends::Sent, Ends::Deleted] {
            assert_eq!(kinship(&[("deleted", ends)]).await, Kinship::Nothing, "it may have gone since");
        }
        assert_eq!(kinship(&[("there", Ends::Open)]).await, Kinship::Shared);
        assert_eq!(kinship(&[("strange", Ends::Open), ("there", Ends::Open)]).await, Kinship::Shared);
        assert_eq!(
            kinship(&[("gone", Ends::Gone), ("strange", Ends::Open)]).await,
            Kinship::Strange("ci-0".to_owned())
        );
    }

    /// Whether a role begins on a store, in so many words where it does not, and which cluster the store knows then.
    async fn begins(store: &SharedStore, may_list: bool) -> (Result<(), String>, Option<Uid>) {
        let (cluster, clock, cancel, me) = (cluster(may_list), Clock::system(), CancellationToken::new(), me());
        let begins = belong_together(&**store, &cluster, &me, &clock, &cancel);
        let begun = tokio::time::timeout(std::time::Duration::from_secs(60), begins).await;
        let begun = begun.unwrap_or_else(|_| Err(anyhow::anyhow!("it waits")));
        (begun.map_err(|error| error.to_string()), controls::cluster(&**store).await.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_of_no_known_cluster_is_not_anyones() {
        let (_directory, store) = temporary().await;
        knows(&store, "strange", Ends::Open).await;
        let (begun, known) = begins(&store, true).await;
        let why = begun.unwrap_err();
        assert!(why.contains("`ci-0`") && why.contains("nsm approve --cluster"), "{why}");
        assert_eq!(known, None);
        // Those who may not list wait for one that may.
        assert_eq!(begins(&store, false).await, (Err("it waits".to_owned()), None));
        // Somebody says so.
        controls::approve_cluster(&*store, &me(), &Uid::new("here"), Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!(begins(&store, false).await, (Ok(()), Some(Uid::new("here"))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_kin_or_empty_knows_the_cluster_from_then_on() {
        for histories in [&[][..], &["there"]] {
            let (_directory, store) = temporary().await;
            for uid in histories {
                knows(&store, uid, Ends::Open).await;
            }
            assert_eq!(begins(&store, true).await, (Ok(()), Some(Uid::new("here"))));
        }
    }
}
