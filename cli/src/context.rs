//! What a command works with: configuration, store, cluster, and who asks.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use common::{
    clock::Clock,
    cluster::{Cluster, REQUEST_TIMEOUT},
    config::{Settings, Source, variable},
    store::{self, OpenError, SharedStore},
    timings::Timings,
};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, api::PostParams};
use tokio::time::{Instant, sleep};

use crate::{
    args::Global,
    client::ApiClient,
    failure::{Code, Failure, causes},
    output::Output,
    view::results,
};

/// Timeout of a cluster that the command can do without.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(3);

/// Timeout of all attempts to reach the store: a busy server lets a new connection wait.
const STORE_TIMEOUT: Duration = Duration::from_secs(12);

/// Backoff between two attempts to reach the store.
const STORE_BACKOFF: Duration = Duration::from_millis(500);

/// The edges of one command.
#[derive(Debug)]
pub(crate) struct CliContext<'g> {
    global: &'g Global,
    clock: Clock,
    timings: Timings,
}

impl<'g> CliContext<'g> {
    pub(crate) fn new(global: &'g Global, timings: Timings) -> Self {
        Self { global, clock: Clock::system(), timings }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    pub(crate) fn source(&self) -> Source {
        self.source_at(self.global.config.clone())
    }

    /// The configuration at another place.
    pub(crate) fn source_at(&self, path: Option<PathBuf>) -> Source {
        let Global { kubeconfig, context, .. } = self.global;
        Source::of_process(path).with_cluster(kubeconfig.clone(), context.clone()).with_timings(self.timings)
    }

    pub(crate) const fn timings(&self) -> Timings {
        self.timings
    }

    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Ok(self.source().load()?)
    }

    /// The API, where it is to be asked instead of the store.
    pub(crate) fn remote(&self) -> Result<Option<ApiClient>, Failure> {
        let Global { api, token_file, api_ca, .. } = self.global;
        api.as_ref().map(|api| ApiClient::new(api, token_file.as_deref(), api_ca.as_deref())).transpose()
    }

    /// The store, where there is one already: a reader makes none. Waits for a while for a server that does not answer, saying
    /// so.
    pub(crate) async fn store(&self, settings: &Settings) -> Result<SharedStore, Failure> {
        if settings.store.url.starts_with("sqlite:") {
            return Self::file(settings).await;
        }
        let (began, mut is_told) = (Instant::now(), false);
        loop {
            match store::open_with(&settings.store.url, &settings.store.access).await {
                Err(OpenError::Store(error)) if error.is_worth_another_try() && began.elapsed() < STORE_TIMEOUT => {
                    if !std::mem::replace(&mut is_told, true) {
                        Output::new(self.global.output).note(&format!("the store does not answer yet: {error}"));
                    }
                }
                opened => return Ok(opened?),
            }
            sleep(STORE_BACKOFF).await;
        }
    }

    /// A store that is a file.
    async fn file(settings: &Settings) -> Result<SharedStore, Failure> {
        let url = &settings.store.url;
        if let Some(path) = url.strip_prefix("sqlite:").map(Path::new)
            && matches!(tokio::fs::try_exists(path).await, Ok(false))
        {
            return Err(Failure::new(Code::OutOfReach, results::no_store(path)));
        }
        Ok(store::open_with(url, &settings.store.access).await?)
    }

    pub(crate) async fn cluster(&self) -> Result<Cluster, Failure> {
        let Global { kubeconfig, context, .. } = self.global;
        Cluster::connect_for_person(kubeconfig.as_deref(), context.as_deref())
            .await
            .map_err(|error| Failure::new(Code::OutOfReach, causes(&error)))
    }

    /// The cluster, if it answers soon, else why not.
    pub(crate) async fn cluster_if_near(&self) -> Result<Cluster, String> {
        let cluster = self.cluster().await.map_err(|failure| failure.text)?;
        match tokio::time::timeout(CLUSTER_TIMEOUT, cluster.ask_time()).await {
            Ok(Ok(())) => Ok(cluster),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the apiserver did not answer within {} s", CLUSTER_TIMEOUT.as_secs())),
        }
    }
}

/// Who uses this machine, as the system knows it: it decides who may write the store's file.
pub(crate) fn local_user() -> String {
    let uid = fs::metadata("/proc/self").ok().map(|process| process.uid().to_string());
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.as_deref()?).then(|| name.to_owned())
    });
    // A directory of users elsewhere is not asked; what the shell says is better than a number.
    let or_shell = name.or_else(|| variable("USER")).or_else(|| variable("LOGNAME"));
    or_shell.unwrap_or_else(|| uid.map_or_else(|| "somebody".to_owned(), |uid| format!("uid {uid}")))
}

/// Who the cluster knows the person as, else the machine.
pub(crate) async fn cluster_user(cluster: &Cluster) -> String {
    let reviews: Api<SelfSubjectReview> = Api::all(cluster.client.clone());
    let (params, question) = (PostParams::default(), SelfSubjectReview::default());
    let asked = tokio::time::timeout(REQUEST_TIMEOUT, reviews.create(&params, &question)).await;
    let name = asked.ok().and_then(Result::ok).and_then(|review| review.status?.user_info?.username);
    name.unwrap_or_else(local_user)
}
