//! The outcome of the pipelines that made namespaces: one request for each pipeline, however many namespaces it made
//! (docs/design/lifecycle.md section 3).
//!
//! Nothing here fails: whatever is wrong with a CI system or its answer is Unknown. That a pipeline is not found proves
//! nothing by itself, for so is answered who may not see it, too: its project must be found with the same token, and the
//! pipeline be missing still some time later. What was cancelled is checked together with its branch: its successor
//! cancels a pipeline, too.

mod client;
mod github;
mod gitlab;
mod rate_limit;
mod sequel;
mod state;
mod verdict;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use common::{
    clock::Clock,
    config::{CiSettings, Gone, Settings},
    http_client::HttpClient,
    store::{SourceCacheEntry, Store, StoreError},
};
use jiff::Timestamp;
use lifecycle::{
    Condition, Namespace,
    ci_verification::{Ran, Verification},
    pipeline::{CiObjectKind, CiObjectRef, CiSystem, Links},
    policy::hash,
    supersession::DeploymentGroup,
};
use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::SecretString;
use tokio::time::Instant;

use self::{
    client::{CiClient, Got},
    github::Github,
    gitlab::Gitlab,
    rate_limit::Pace,
    sequel::List,
};
pub use self::{
    state::Sequel,
    state::{FORM, Known, Last, RunsFor, Source as MergeSource, State, There},
    verdict::verdict,
};

/// How a CI system is queried, and how its answers are read.
trait System: fmt::Debug + Send + Sync {
    /// Where it tells of a pipeline or a merge request.
    fn origin(&self, base: &Url, pipeline: &CiObjectRef) -> Url;

    /// Where it tells of the pipeline's project.
    fn project(&self, base: &Url, pipeline: &CiObjectRef) -> Url;

    /// Shows the token, and says what is understood.
    fn prepare(&self, request: RequestBuilder, token: &SecretString) -> RequestBuilder;

    /// What it says of this pipeline, or why that is not believed.
    fn there(&self, base: &Url, pipeline: &CiObjectRef, body: &[u8]) -> Result<There, String>;

    /// Whether it tells of the pipeline's project, which had this id when it was seen last.
    fn is_project(&self, pipeline: &CiObjectRef, id: Option<u64>, body: &[u8]) -> bool;

    /// Where it lists the pipelines of the same branch, or merge request.
    fn lists(&self, base: &Url, pipeline: &CiObjectRef, runs_for: &RunsFor) -> Vec<Url>;

    /// What it lists, or why that is not believed. `there` is the pipeline that it is queried for, `at` when.
    fn list(&self, pipeline: &CiObjectRef, there: &There, body: &[u8], at: Timestamp) -> Result<List, String>;
}

/// The CI systems that are queried, each with what is to be kept in mind of it. Shared by all who ask in a process.
#[derive(Debug, Default)]
pub struct Sources(Mutex<BTreeMap<CiSystem, Arc<Source>>>);

/// One CI system.
#[derive(Debug)]
pub struct Source {
    of: CiSystem,
    settings: CiSettings,
    client: CiClient,
    pace: Mutex<Pace>,
}

/// What came of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When it was queried.
    pub at: Timestamp,
    /// What is known of it by now, for the next question.
    pub known: Option<Known>,
    /// Why it is not known.
    pub trouble: Option<CiError>,
}

/// One query: what for, when, and on which way.
#[derive(Clone, Copy, Debug)]
struct Question<'a> {
    pipeline: &'a CiObjectRef,
    at: Timestamp,
    web: &'a HttpClient,
}

/// Why nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CiError {
    /// For people.
    pub why: String,
    /// Another pipeline would be answered alike, whatever its project.
    pub is_of_all: bool,
    /// How long it wants to be left alone.
    wait: Option<Duration>,
}

impl Sources {
    /// A CI system as it is configured; `None`: it is not. What was in mind of another one of its kind is forgotten.
    pub fn get(&self, settings: &Settings, system: CiSystem) -> Option<Arc<Source>> {
        let wanted = settings.ci.get(&system)?;
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sources.get(&system).filter(|source| source.settings == *wanted);
        let source = known.map_or_else(|| Arc::new(Source::new(system, wanted.clone())), Arc::clone);
        sources.insert(system, Arc::clone(&source));
        Some(source)
    }
}

impl Look {
    /// Whether another says the same, whenever it was queried.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let is_same = match (&self.known, &other.known) {
            (Some(one), Some(other)) => one.says_the_same(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        is_same && self.trouble.is_some() == other.trouble.is_some()
    }

    /// Nothing was queried, for what was known before cannot be read.
    #[must_use]
    pub fn unrecalled(at: Timestamp, error: &StoreError) -> Self {
        let why = format!("what was known of it before cannot be read: {error}");
        Self { at, known: None, trouble: Some(CiError { why, is_of_all: false, wait: None }) }
    }

    /// What this job ran for. What was told of it once stays so: a job that is gone ran all the same. But a run of GitHub
    /// that is run again is the same one, and began later: of one that was not asked for it is not known whether it was.
    fn ran<'a>(&'a self, job: &'a CiObjectRef) -> Result<Ran<'a>, String> {
        let last = self.known.as_ref().and_then(Known::last);
        match (last.and_then(|there| there.ran_for.as_ref()), &self.trouble) {
            (_, Some(error)) if job.system == CiSystem::Github => Err(error.why.clone()),
            (Some(ran_for), _) => Ok(Ran { job, ran_for }),
            (None, Some(error)) => Err(error.why.clone()),
            (None, None) => Err(format!("{job} is not found")),
        }
    }
}

/// Whether the newer one of two jobs deployed what the group is of, and the older one the same: `(job, what was told of it)`.
#[must_use]
pub fn proof(
    group: &DeploymentGroup,
    newer: (&CiObjectRef, Option<&Look>),
    own: (&CiObjectRef, Option<&Look>),
) -> Verification {
    match (ran(newer), ran(own)) {
        (Ok(newer), Ok(own)) => group.proof(newer, own),
        (Err(why), _) | (_, Err(why)) => Verification::Unknown(why),
    }
}

fn ran<'a>((job, answer): (&'a CiObjectRef, Option<&'a Look>)) -> Result<Ran<'a>, String> {
    answer.map_or_else(|| Err(format!("{} was not asked for {job} yet", job.system.name())), |answer| answer.ran(job))
}

/// What follows for a namespace by what was written down last of its pipeline and its merge request, with no query;
/// `None`: nothing was, or nothing is queried.
pub async fn recorded(settings: &Settings, namespace: &Namespace, store: &dyn Store) -> Option<Condition> {
    let links = Links::of(namespace, settings.policies.for_namespace(namespace)?);
    let (sources, mut answers) = (Sources::default(), Vec::new());
    for origin in links.origins() {
        let known = sources.get(settings, origin.system)?.recall(origin, store).await.ok()??;
        answers.push((origin, Look { at: known.at, known: Some(known), trouble: None }));
    }
    let answer = |origin: &CiObjectRef| answers.iter().find(|(of, _)| *of == origin).map(|(_, answer)| answer);
    verdict(&links, &settings.ci, answer).seen().cloned()
}

/// What a CI system is queried for about a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub origin: CiObjectRef,
    /// When an answer came last that was written down; `None`: none was.
    pub answered_at: Option<Timestamp>,
}

/// What the CI systems are queried for about a namespace, by its labels.
pub async fn asked(settings: &Settings, namespace: &Namespace, store: &dyn Store) -> Vec<Asked> {
    let Some(policy) = settings.policies.for_namespace(namespace) else { return Vec::new() };
    let (links, sources, mut all) = (Links::of(namespace, policy), Sources::default(), Vec::new());
    for origin in links.origins() {
        if let Some(source) = sources.get(settings, origin.system) {
            let answered_at = source.recall(origin, store).await.ok().flatten().map(|known| known.at);
            all.push(Asked { origin: origin.clone(), answered_at });
        }
    }
    all
}

impl Source {
    #[must_use]
    pub fn new(of: CiSystem, settings: CiSettings) -> Self {
        // A provider may be installed already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { of, settings, client: CiClient::default(), pace: Mutex::default() }
    }

    /// From when on another question may be asked.
    #[must_use]
    pub fn ready_at(&self, now: Instant) -> Instant {
        self.pace().ready_at(now, self.settings.requests_per_minute)
    }

    /// Counts a query, which [`Source::look_now`] is to make. A caller that begins several at a time counts each before
    /// it begins the next: those that came too early would not be asked.
    pub fn begin(&self) {
        self.pace().asked(Instant::now());
    }

    /// Queries once for the outcome of a pipeline. It takes at most twice ten seconds. Where it is too early for another query
    /// none is made.
    pub async fn look(&self, pipeline: &CiObjectRef, before: Option<Known>, clock: &Clock, web: &HttpClient) -> Look {
        let now = Instant::now();
        if now < self.ready_at(now) {
            let why = format!("{} is not asked for {pipeline} now, to spare it", self.of.name());
            let error = Some(CiError { why, is_of_all: false, wait: None });
            return Look { at: clock.now(), known: before.and_then(Known::found_or_not), trouble: error };
        }
        self.begin();
        self.look_now(pipeline, before, clock, web).await
    }

    /// As [`Source::look`], where it is not too early, and the query is counted.
    pub async fn look_now(
        &self,
        pipeline: &CiObjectRef,
        before: Option<Known>,
        clock: &Clock,
        web: &HttpClient,
    ) -> Look {
        // What is answered was so at the latest when it was queried.
        let at = clock.now();
        let asked = Question { pipeline, at, web };
        match self.ask(asked, before.as_ref()).await {
            Ok(known) => {
                self.pace().went_well();
                Look { at, known: Some(known), trouble: None }
            }
            Err(error) => {
                self.pace().went_wrong(&error, self.settings.check_every, Instant::now());
                Look { at, known: before.and_then(Known::found_or_not), trouble: Some(error) }
            }
        }
    }

    /// How long after this the next question about a pipeline is due.
    #[must_use]
    pub fn next_after(&self, known: Option<&Known>) -> Duration {
        /// What is over may be retried, but seldom is.
        const OVER: Duration = Duration::from_secs(30 * 60);
        /// What a job ran for stays what it was; that it is there still is seen now and then.
        const RAN: Duration = Duration::from_secs(12 * 3600);
        let every = self.settings.check_every;
        // A run that is run again is the same one, and began later.
        let ran = if self.of == CiSystem::Github { OVER } else { RAN };
        match known.map(|known| &known.state) {
            Some(State::There(there)) if there.ran_for.is_some() => every.max(ran),
            Some(State::There(there)) if there.is_over && !there.is_cancelled => every.max(OVER),
            Some(State::Missing { .. }) => match self.settings.gone {
                Gone::Confirmed { after } => every.min(after.unsigned_abs().max(Duration::from_secs(1))),
                Gone::Trusted | Gone::Ignored => every,
            },
            Some(State::There(_)) | None => every,
        }
    }

    /// What others wrote down of a pipeline; `None`: nothing.
    ///
    /// # Errors
    /// That the store cannot be read. Then nobody knows what was seen before, and nothing may be concluded from an answer.
    pub async fn recall(&self, pipeline: &CiObjectRef, store: &dyn Store) -> Result<Option<Known>, StoreError> {
        let note = store.note(&self.about(pipeline)).await?;
        Ok(note.and_then(|note| serde_json::from_value::<Known>(note.body).ok()).map(Known::recalled))
    }

    /// Writes down what is known of a pipeline. Best effort.
    pub async fn remember(&self, pipeline: &CiObjectRef, known: &Known, store: &dyn Store) -> bool {
        let body = serde_json::to_value(known).expect("plain data serializes");
        store.put_note(&SourceCacheEntry { about: self.about(pipeline), at: known.at, body }).await.is_ok()
    }

    /// Ids say nothing without the server that gave them.
    fn about(&self, pipeline: &CiObjectRef) -> String {
        let (system, server) = (self.of.as_str(), hash(&self.settings.url.as_str()));
        format!("{system}/{server}/{}/{}/{}", pipeline.project, pipeline.kind.as_str(), pipeline.id)
    }

    async fn ask(&self, asked: Question<'_>, before: Option<&Known>) -> Result<Known, CiError> {
        let Question { pipeline, at, .. } = asked;
        let base = &self.settings.url;
        let etag = before.filter(|known| known.is_there()).and_then(|known| known.etag.as_deref());
        let got = self.get(asked, self.system().origin(base, pipeline), etag).await?;
        match got.status {
            StatusCode::OK => {
                let there = self.system().there(base, pipeline, &got.body).map_err(|why| self.all(why))?;
                let there = there.after(before.and_then(Known::last));
                Ok(Known::there(at, self.with_sequel(asked, there).await?, got.etag))
            }
            StatusCode::NOT_MODIFIED if etag.is_some() => match before {
                Some(Known { state: State::There(there), etag, .. }) => {
                    Ok(Known::there(at, self.with_sequel(asked, there.clone()).await?, etag.clone()))
                }
                _ => Err(self.all("nothing was known before".to_owned())),
            },
            // A merge request that is not found was hardly deleted: more likely the token does not see it.
            StatusCode::NOT_FOUND if got.is_object() && pipeline.kind != CiObjectKind::MergeRequest => {
                self.missing(asked, before).await
            }
            _ => Err(self.refusal(&got, pipeline)),
        }
    }

    /// The pipeline is not found: is its project?
    async fn missing(&self, asked: Question<'_>, before: Option<&Known>) -> Result<Known, CiError> {
        let Question { pipeline, at, .. } = asked;
        let mut known = Known::missing(at, before.cloned());
        if let State::Missing { last: Some(last), .. } = &mut known.state {
            // One that was cancelled is so still; its branch may have gone on meanwhile.
            last.there = self.with_sequel(asked, last.there.clone()).await?;
        }
        if self.settings.gone == Gone::Trusted {
            return Ok(known);
        }
        self.begin();
        let got = self.get(asked, self.system().project(&self.settings.url, pipeline), None).await?;
        let id = known.last().and_then(|last| last.project_id);
        match got.status {
            StatusCode::OK if self.system().is_project(pipeline, id, &got.body) => Ok(known),
            // A name that was given again is no failure of the others.
            StatusCode::OK => {
                let why = format!("the answer of {} is about another project", self.of.name());
                Err(CiError { why, is_of_all: false, wait: None })
            }
            StatusCode::NOT_FOUND if got.is_object() => {
                let why =
                    format!("neither {pipeline} nor the project is found: it is gone, or the token does not see it");
                Err(CiError { why, is_of_all: false, wait: None })
            }
            _ => Err(self.refusal(&got, pipeline)),
        }
    }

    /// A pipeline, and where it was cancelled the outcome of its branch.
    async fn with_sequel(&self, asked: Question<'_>, there: There) -> Result<There, CiError> {
        let Question { pipeline, at, .. } = asked;
        if pipeline.kind != CiObjectKind::Pipeline || !there.is_cancelled {
            return Ok(There { sequel: None, ..there });
        }
        let Some(runs_for) = &there.runs_for else {
            let why = format!("{} does not tell of which branch it is", self.of.name());
            return Ok(There { sequel: Some(Sequel::Unclear { why }), ..there });
        };
        let urls = self.system().lists(&self.settings.url, pipeline, runs_for);
        if urls.is_empty() {
            let why = format!("{} is not known to list them", self.of.name());
            return Ok(There { sequel: Some(Sequel::Unclear { why }), ..there });
        }
        let mut lists = Vec::with_capacity(urls.len());
        for url in urls {
            self.begin();
            let got = self.get(asked, url, None).await?;
            if got.status != StatusCode::OK {
                return Err(self.refusal(&got, pipeline));
            }
            lists.push(self.system().list(pipeline, &there, &got.body, at).map_err(|why| self.all(why))?);
        }
        let sequel = Sequel::of(pipeline.id, runs_for, &there, &lists);
        Ok(There { sequel: Some(sequel), ..there })
    }

    async fn get(&self, asked: Question<'_>, url: Url, etag: Option<&str>) -> Result<Got, CiError> {
        let (system, whom) = (self.system(), (self.of.name(), &self.settings));
        let got = self.client.get(whom, asked.web, url, etag, |request, token| system.prepare(request, token));
        got.await.map_err(|why| self.all(why))
    }

    /// Why an answer says nothing.
    fn refusal(&self, got: &Got, pipeline: &CiObjectRef) -> CiError {
        let file = self.settings.token_file.display();
        let reason = match got.status {
            StatusCode::UNAUTHORIZED => format!(": it does not take the token in `{file}`"),
            StatusCode::FORBIDDEN if got.wait.is_none() => {
                format!(": the token in `{file}` may not see the pipelines of project {}", pipeline.project)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::FORBIDDEN => ": it was asked too often".to_owned(),
            StatusCode::NOT_FOUND if got.is_object() => {
                format!(": {pipeline} is not found, or the token does not see it")
            }
            status if status.is_redirection() => ": its address may be another, or this is a login page".to_owned(),
            _ => String::new(),
        };
        let is_of_one = match got.status {
            StatusCode::FORBIDDEN => got.wait.is_none(),
            StatusCode::NOT_FOUND => got.is_object(),
            _ => false,
        };
        let is_of_all = !is_of_one;
        CiError { why: format!("{} answered {}{reason}", self.of.name(), got.status), is_of_all, wait: got.wait }
    }

    fn all(&self, why: String) -> CiError {
        CiError { why, is_of_all: true, wait: None }
    }

    fn system(&self) -> &'static dyn System {
        match self.of {
            CiSystem::Gitlab => &Gitlab,
            CiSystem::Github => &Github,
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
