//! The namespaces that are managed, as a CI system makes them, and the time until the servers are through with them.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::{Instant, sleep};

use super::scene::Scene;
use crate::User;

/// The label the policy looks for.
const CROWD: (&str, &str) = ("bench", "crowd");
/// Requests at a time: more do not make two cores create faster.
const CONCURRENCY: usize = 16;
/// Between two lines of progress where they do not replace each other.
const TELL_EVERY: usize = 500;
/// kube-controller-manager makes two objects for each namespace, at most 20 of a kind in a second (`--kube-api-qps`).
const SETTLED_PER_SECOND: usize = 20;
/// Without anything new for so long, nothing is left: at that rate there would be a hundred.
const SETTLED_AFTER: Duration = Duration::from_secs(5);
/// Between two looks: each takes the apiserver a millisecond.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Creates so many namespaces and waits until kube-controller-manager has given each what it gives it.
pub(super) async fn create(scene: &Scene, count: usize) -> Result<()> {
    let client = scene.plane.client(User::ADMIN).await?;
    create_more(&client, 0..count).await?;
    settle(&client, count).await
}

/// Creates the namespaces with these numbers.
pub(super) async fn create_more(client: &Client, numbers: Range<usize>) -> Result<()> {
    let count = numbers.len();
    create_all(client, numbers.map(|number| namespace(format!("crowd-{number}"), number, None)), count).await
}

/// Creates a namespace for each lifetime, as fast as the apiserver takes them. Their names begin with `prefix`.
pub(super) async fn create_short_lived(client: &Client, prefix: &str, lifetimes: &[Duration]) -> Result<()> {
    let made = lifetimes.iter().enumerate();
    let made = made.map(|(number, lifetime)| namespace(format!("{prefix}-{number}"), number, Some(*lifetime)));
    create_all(client, made, lifetimes.len()).await
}

/// A member of the crowd with what pipelines write on their namespaces.
fn namespace(name: String, number: usize, ttl: Option<Duration>) -> Namespace {
    let label = |key: &str, value: String| (format!("cicd.skao.int/{key}"), value);
    let mut labels = BTreeMap::from([
        label("author", format!("author-{}", number % 40)),
        label("authorId", (number % 40).to_string()),
        label("branch", format!("feature-{}", number % 200)),
        label("commit", format!("{number:040x}")),
        label("environmentTier", "ci".to_owned()),
        label("job", "deploy".to_owned()),
        label("jobId", (900_000 + number).to_string()),
        label("pipelineId", (400_000 + number).to_string()),
        label("project", format!("project-{}", number % 25)),
        label("projectId", (number % 25).to_string()),
        label("team", format!("team-{}", number % 8)),
    ]);
    labels.insert(CROWD.0.to_owned(), CROWD.1.to_owned());
    let mut annotations = BTreeMap::from([
        label("authorEmail", format!("author-{}@example.org", number % 40)),
        label("jobUrl", format!("https://gitlab.example.org/project/-/jobs/{}", 900_000 + number)),
        label("pipelineUrl", format!("https://gitlab.example.org/project/-/pipelines/{}", 400_000 + number)),
    ]);
    if let Some(ttl) = ttl {
        annotations.insert(format!("{}ttl", super::PREFIX), format!("{:.1}s", ttl.as_secs_f64()));
    }
    let metadata =
        ObjectMeta { name: Some(name), labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() };
    Namespace { metadata, ..Namespace::default() }
}

async fn create_all(client: &Client, made: impl Iterator<Item = Namespace>, count: usize) -> Result<()> {
    let api: Api<Namespace> = Api::all(client.clone());
    let create = |namespace: Namespace| {
        let api = api.clone();
        async move { api.create(&PostParams::default(), &namespace).await }
    };
    let mut progress = Progress::default();
    let mut created = stream::iter(made.map(create)).buffer_unordered(CONCURRENCY).enumerate();
    while let Some((before, created)) = created.next().await {
        created.context("cannot create a namespace")?;
        progress.tell("created", before + 1, count);
    }
    Ok(())
}

/// Waits until each namespace has its service account and the certificate of its apiserver, and nothing more comes.
async fn settle(client: &Client, count: usize) -> Result<()> {
    let mut progress = Progress::default();
    let mut seen = (0, 0);
    let mut since = Instant::now();
    let end = since + Duration::from_secs(60 + 2 * (count / SETTLED_PER_SECOND) as u64);
    loop {
        let now = (total::<ServiceAccount>(client).await?, total::<ConfigMap>(client).await?);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        let done = now.0.min(now.1).min(count);
        progress.tell("provided for", done, count);
        if done == count && since.elapsed() >= SETTLED_AFTER {
            return Ok(());
        }
        ensure!(Instant::now() < end, "gave up waiting for {count} namespaces to be provided for; {done} are");
        sleep(LOOK_EVERY).await;
    }
}

/// How many objects of a kind there are in all namespaces, without reading them.
async fn total<K>(client: &Client) -> Result<usize>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let first = Api::<K>::all(client.clone()).list_metadata(&ListParams::default().limit(1)).await?;
    let rest = first.metadata.remaining_item_count.unwrap_or(0);
    Ok(first.items.len() + usize::try_from(rest).context("a number of objects is not negative")?)
}

/// Tells how far it is: on a terminal in one line that changes, else in a line now and then.
#[derive(Default)]
struct Progress {
    told: Option<usize>,
}

impl Progress {
    fn tell(&mut self, what: &str, done: usize, of: usize) {
        if self.told == Some(done) {
            return;
        }
        if std::io::stderr().is_terminal() {
            let end = if done == of { "\n" } else { "" };
            eprint!("\r{done} of {of} namespaces {what}{end}");
        } else if done == of || done >= self.told.unwrap_or(0) + TELL_EVERY {
            eprintln!("{done} of {of} namespaces {what}");
        } else {
            return;
        }
        self.told = Some(done);
    }
}
