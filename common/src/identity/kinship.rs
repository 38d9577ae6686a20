//! Whether a store that knows no cluster has its histories of this one: an earlier version remembered none.

use std::collections::BTreeSet;

use kube::api::ListParams;
use lifecycle::{Uid, record::Phase};

use crate::{
    cluster::{Cluster, Trouble, within},
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
    /// None of those that are there by the store is; this is the name of one.
    Strange(String),
}

/// Compares the histories of a store with the namespaces of a cluster. An empty store asks the cluster nothing.
///
/// # Errors
/// When the store is out of reach; or, within, when the cluster does not list its namespaces.
pub async fn of(store: &dyn Store, cluster: &Cluster) -> Result<Result<Kinship, Trouble>, StoreError> {
    let mut page = store.uids(None, PAGE).await?;
    if page.is_empty() {
        return Ok(Ok(Kinship::Nothing));
    }
    let there = match namespaces(cluster).await {
        Ok(there) => there,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let mut strange = None;
    loop {
        // Whatever version made their snapshots. What has gone is not there.
        if page.iter().any(|uid| there.contains(uid)) {
            return Ok(Ok(Kinship::Shared));
        }
        for uid in &page {
            if strange.is_some() {
                break;
            }
            let record = load(store, uid).await?;
            strange = (record.phase != Phase::Gone).then_some(record.name);
        }
        match page.last() {
            Some(last) if page.len() == PAGE => page = store.uids(Some(&last.clone()), PAGE).await?,
            _ => return Ok(Ok(strange.map_or(Kinship::Nothing, Kinship::Strange))),
        }
    }
}

/// The uids of all namespaces of a cluster.
async fn namespaces(cluster: &Cluster) -> Result<BTreeSet<Uid>, Trouble> {
    let (api, mut there) = (cluster.metadata(), BTreeSet::new());
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
        Actor, Fact, Mode, Record,
        entry::{Adopted, Gone, Terms},
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

    /// Gives a store the history of a namespace, by its uid.
    async fn knows(store: &SharedStore, uid: &str, is_gone: bool) {
        let terms = Terms { policy: "p".into(), policy_hash: "h".into(), mode: Mode::Enforce };
        let created = Timestamp::UNIX_EPOCH;
        let adopted = Adopted { terms, created, ci: Vec::new(), deadline: None, again: false, deleted_before: 0 };
        let gone = is_gone.then_some(Fact::Gone(Gone {}));
        let mut record = Record::new(Uid::new(uid));
        for fact in [Fact::Adopted(adopted)].into_iter().chain(gone) {
            append_named(&**store, &mut record, "ci-0", &me(), fact, created).await.unwrap();
        }
        store.put_snapshot(&record).await.unwrap();
    }

    /// What a store with these histories has in common with the cluster: the uid of each, and whether it is gone.
    async fn kinship(histories: &[(&str, bool)]) -> Kinship {
        let (_directory, store) = temporary().await;
        for (uid, is_gone) in histories {
            knows(&store, uid, *is_gone).await;
        }
        of(&*store, &cluster(true)).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_store_is_kin_to_a_cluster_by_any_namespace_that_is_there() {
        assert_eq!(kinship(&[]).await, Kinship::Nothing);
        assert_eq!(kinship(&[("gone", true)]).await, Kinship::Nothing);
        assert_eq!(kinship(&[("there", false)]).await, Kinship::Shared);
        assert_eq!(kinship(&[("strange", false), ("there", false)]).await, Kinship::Shared);
        assert_eq!(kinship(&[("gone", true), ("strange", false)]).await, Kinship::Strange("ci-0".to_owned()));
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
        knows(&store, "strange", false).await;
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
                knows(&store, uid, false).await;
            }
            assert_eq!(begins(&store, true).await, (Ok(()), Some(Uid::new("here"))));
        }
    }
}
