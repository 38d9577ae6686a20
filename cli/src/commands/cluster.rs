//! `nsm approve --cluster`: has the store know another cluster, which takes the place of the one it knew.

use common::{controls, identity};
use lifecycle::{Actor, Uid};
use serde::Serialize;

use crate::{
    context::{CliContext, local_user},
    failure::{Code, Failure},
    output::Output,
    view::results,
};

/// Which cluster the store knows from now on.
#[derive(Debug, Serialize)]
struct Known {
    cluster: Uid,
    former: Option<Uid>,
}

pub(super) async fn approve(reach: &CliContext<'_>, screen: &Output) -> Result<(), Failure> {
    if reach.remote()?.is_some() {
        let text =
            "the API serves one cluster; run this where the store and the cluster can be reached, without `--api`";
        return Err(Failure::new(Code::Failed, text.to_owned()));
    }
    let (cluster, store) = (reach.cluster().await?, reach.store(&reach.settings()?).await?);
    let found = identity::of_cluster(&cluster).await?;
    let Some(cluster) = found else {
        let text = "you may not read the namespace `kube-system`, whose uid stands for the cluster";
        return Err(Failure::new(Code::Refused, text.to_owned()));
    };
    let actor = Actor::person(&local_user());
    let former = controls::approve_cluster(&*store, &actor, &cluster, reach.now()).await?;
    let known = Known { cluster, former };
    screen.answer(&known, |_| results::cluster_known(&known.cluster, known.former.as_ref()))
}
