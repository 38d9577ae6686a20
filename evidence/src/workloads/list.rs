//! The workloads of one namespace, read afresh: what a worker checks that is about to act.

use common::cluster::{ApiError, Cluster, within};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Resource, api::ListParams};

use super::{
    kinds::{Claim, Class, CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet},
    partial_object::PartialObject,
    sample::Look,
    watch::{PAGE, UNFINISHED, place},
    workload_state::{Change, Event, WorkloadStates},
};

/// Lists what is in a namespace, page by page. What cannot be listed is Unknown.
pub async fn list(cluster: &Cluster, namespace: &str, now: Timestamp) -> Look {
    let mut traces = WorkloadStates::default();
    let read = async {
        in_namespace::<Deployment>(cluster, namespace, &mut traces).await?;
        in_namespace::<StatefulSet>(cluster, namespace, &mut traces).await?;
        in_namespace::<DaemonSet>(cluster, namespace, &mut traces).await?;
        in_namespace::<ReplicaSet>(cluster, namespace, &mut traces).await?;
        in_namespace::<Job>(cluster, namespace, &mut traces).await?;
        in_namespace::<CronJob>(cluster, namespace, &mut traces).await?;
        in_namespace::<Pod>(cluster, namespace, &mut traces).await?;
        in_namespace::<Claim>(cluster, namespace, &mut traces).await?;
        all::<Class>(Api::all(cluster.client.clone()), &mut traces).await
    };
    match read.await {
        Ok(()) => Look::of_all(&traces, now),
        Err(error) => Look::unknown(error.to_string(), now),
    }
}

async fn in_namespace<K>(cluster: &Cluster, namespace: &str, traces: &mut WorkloadStates) -> Result<(), ApiError>
where
    K: PartialObject + Resource<Scope = NamespaceResourceScope>,
{
    all::<K>(Api::namespaced(cluster.client.clone(), namespace), traces).await
}

async fn all<K: PartialObject>(api: Api<K>, traces: &mut WorkloadStates) -> Result<(), ApiError> {
    let kind = K::KIND;
    let mut take = |change| traces.take(Event { kind, change });
    take(Change::Begins);
    let mut params = ListParams::default().limit(PAGE);
    if K::plural(&()) == Pod::plural(&()) {
        params = params.fields(UNFINISHED);
    }
    loop {
        let page = within(&format!("list {kind}s"), api.list(&params)).await?;
        page.items.iter().filter_map(|object| place(object, false)).for_each(|place| take(Change::Listed(place)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    take(Change::Complete);
    Ok(())
}
