//! A controller as a process of its own that is elected.

use std::{future::Future, process::ExitCode};

use tokio_util::sync::CancellationToken;

use super::lead;
use crate::{
    context::Context,
    identity,
    jobs::SharedJobs,
    process::{self, Lasts, Running},
    timings::Timings,
};

/// Runs a controller until it is told to end. `role` is how its lease is called, beside the installation's name; `run` is
/// what it does while it leads, once its store is known to be this cluster's and no other installation's.
pub fn controller<F, Fut>(role: &'static str, timings: Timings, run: F) -> ExitCode
where
    F: FnOnce(Context, SharedJobs, CancellationToken) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let work = move |running| work(role, running, run);
    process::run(role, Lasts::UntilAsked, timings, move |running| lead(role, running, work))
}

async fn work<F, Fut>(role: &'static str, running: Running, run: F) -> anyhow::Result<()>
where
    F: FnOnce(Context, SharedJobs, CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    process::belongs(role, &running).await?;
    identity::is_alone(&running.context, role, &process::installation(&running.context)).await?;
    let jobs = process::jobs(&running.context)?;
    run(running.context, jobs, running.cancel).await
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::ready, sync::Arc, time::Duration};

    use jiff::{SignedDuration, Timestamp};
    use kube::client::Body;
    use serde_json::json;
    use tokio::{
        sync::watch,
        time::{Instant, sleep},
    };

    use super::*;
    use crate::{
        clock::Clock,
        cluster::Cluster,
        config::Source,
        http_client::HttpClient,
        liveness::Liveness,
        queue,
        store::{self, Heartbeat},
    };

    /// A cluster that has a `kube-system`.
    fn cluster() -> Cluster {
        Cluster::through(tower::service_fn(|_: http::Request<Body>| {
            let object = json!({"metadata": {"name": "kube-system", "uid": "here"}}).to_string();
            ready(Ok::<_, Infallible>(http::Response::new(Body::from(object.into_bytes()))))
        }))
    }

    /// It gets no further than to the pods it is not told how to start.
    #[tokio::test(start_paused = true)]
    async fn it_does_not_begin_while_another_installation_is_heard_of_on_its_store() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("nsm.db").display());
        let settings = Source::new(None, [("NSM__STORE__URL".to_owned(), url.clone())]).load().unwrap();
        let (began, start) = (Instant::now(), Timestamp::from_second(1_800_000_000).unwrap());
        let context = Context {
            store: store::open(&url).await.unwrap(),
            queue: queue::open("memory:").await.unwrap(),
            cluster: cluster(),
            clock: Clock::from_fn(move || start + SignedDuration::try_from(began.elapsed()).unwrap()),
            http: HttpClient::from_fn(|_| Box::pin(async { Err("nobody answers".to_owned()) })),
            liveness: Liveness::default(),
            settings: watch::channel(Arc::new(settings)).1,
            instance: "test".to_owned(),
        };
        let (id, role, body) = ("x/other".to_owned(), "x".to_owned(), json!({"installation": "two/nsm"}));
        context.store.heartbeat(&Heartbeat { id, role, started: start, at: start, body }).await.unwrap();
        let ends = async || {
            let running = Running { context: context.clone(), cancel: CancellationToken::new() };
            work("a-controller", running, async |_, _, _| Ok(())).await.unwrap_err().to_string()
        };
        let why = ends().await;
        assert!(why.contains("`two/nsm` works on this store"), "{why}");
        sleep(Duration::from_secs(91)).await;
        let why = ends().await;
        assert!(why.contains("set `jobs.templates`"), "{why}");
    }
}
