//! What became of the pipelines of all namespaces: which is asked for when, once for all that it made.
//!
//! A turn says which pipeline it wants to know of, and gets what is known. The loop asks, one question after another, as
//! fast as the CI system allows, and gives those a turn for which there is news.

mod due;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use common::{
    config::{CiSettings, Gone, Settings},
    context::Context,
    heartbeat::{CollectorBody, Outage},
};
use evidence::ci::{self, Known, Look, Source, Sources};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Check, Condition, Namespace, Record, Status, Uid,
    ci_verification::Verification,
    pipeline::{CiObjectKind, CiObjectRef, CiSystem, Links},
    supersession::DeploymentGroup,
    time::between,
};
use tokio::time::Instant;
use tracing::{info, warn};

use self::due::Due;
use crate::metrics::Checks;

/// How long what is written down stands before it is written again: what is older than a day is forgotten, and a collector
/// that begins takes a pipeline that is not found for gone only if it was seen within the hour before.
const WRITTEN_FOR: SignedDuration = SignedDuration::from_mins(30);

/// What is known of pipelines, shared by the turns of a collector.
#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    sources: Sources,
    state: Mutex<State>,
    checks: Checks,
}

#[derive(Debug, Default)]
struct State {
    all: BTreeMap<CiObjectRef, Wanted>,
    /// When which is to be asked for.
    due: BTreeMap<CiSystem, Due>,
    /// What each namespace goes with.
    made: BTreeMap<Uid, Vec<CiObjectRef>>,
    outages: BTreeMap<CiSystem, Outage>,
    /// Projects that are closed to us, and since when and why.
    closed: BTreeMap<(CiSystem, String), (Timestamp, String)>,
    ci: BTreeMap<CiSystem, CiSettings>,
}

/// A pipeline that some namespace wants to be known.
#[derive(Debug, Default)]
struct Wanted {
    by: BTreeSet<Uid>,
    last: Option<Look>,
    /// What the store holds of it, as far as we know.
    written: Option<Known>,
    is_recalled: bool,
}

/// A question to be asked.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) pipeline: CiObjectRef,
    source: Arc<Source>,
    before: Option<Known>,
    written: Option<Known>,
    is_recalled: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) pipeline: CiObjectRef,
    look: Look,
    written: Option<Known>,
    is_recalled: bool,
}

impl Pipelines {
    pub(crate) fn new(checks: Checks) -> Self {
        Self { checks, ..Self::default() }
    }

    /// What is known of the pipeline of a namespace, and of its merge request; they are asked for from now on, and these
    /// jobs.
    pub(crate) fn checked(
        &self,
        settings: &Settings,
        namespace: &Namespace,
        jobs: Vec<CiObjectRef>,
    ) -> Check<Condition> {
        let policy = settings.policies.for_namespace(namespace);
        let links = policy.map(|policy| Links::of(namespace, policy)).unwrap_or_default();
        let mut state = self.state();
        let checked = ci::verdict(&links, &settings.ci, |origin| state.told(origin));
        state.want(&namespace.uid, links.origins().cloned().chain(jobs).collect());
        checked
    }

    /// Whether the newer of two jobs deployed what the group is of, and the namespace's own the same, as far as is known.
    /// Where one is being asked for, the answer is this namespace's too from here on: it may come before the turn says what
    /// all it wants to be known.
    pub(crate) fn proof(
        &self,
        uid: &Uid,
        group: &DeploymentGroup,
        newer: &CiObjectRef,
        own: &CiObjectRef,
    ) -> Verification {
        let mut state = self.state();
        for job in [newer, own] {
            if let Some(wanted) = state.all.get_mut(job) {
                wanted.by.insert(uid.clone());
            }
        }
        ci::proof(group, (newer, state.told(newer)), (own, state.told(own)))
    }

    /// Another CI system is another source: what the former said counts no more.
    pub(crate) fn refresh(&self, settings: &Settings) -> bool {
        let mut state = self.state();
        if state.ci == settings.ci {
            return false;
        }
        *state = State { ci: settings.ci.clone(), ..State::default() };
        true
    }

    /// When the next question may be asked and is due; `None`: none is.
    pub(crate) fn next(&self, settings: &Settings) -> Option<Instant> {
        let (state, now) = (self.state(), Instant::now());
        let of = |(system, due): (&CiSystem, &Due)| {
            let at = due.next()?;
            let source = self.sources.get(settings, *system)?;
            Some(at.max(source.ready_at(now)))
        };
        state.due.iter().filter_map(of).min()
    }

    /// Something happened to this, somebody says: if anybody wants it to be known, it is asked for as soon as may be.
    pub(crate) fn hurry(&self, origin: &CiObjectRef) {
        let mut state = self.state();
        if state.all.contains_key(origin)
            && let Some(due) = state.due.get_mut(&origin.system)
        {
            due.hurry(origin, Instant::now());
        }
    }

    /// The next question that is due, about a pipeline of a namespace of which this is so.
    pub(crate) fn begin(&self, settings: &Settings, is_there: impl Fn(&Uid) -> bool) -> Option<Question> {
        let (mut state, now) = (self.state(), Instant::now());
        let systems: Vec<_> = state.due.keys().copied().collect();
        for system in systems {
            let Some(source) = self.sources.get(settings, system).filter(|source| source.ready_at(now) <= now) else {
                continue;
            };
            while let Some(pipeline) = state.due.get_mut(&system).and_then(|due| due.take(now)) {
                state.keep_those(&pipeline, &is_there);
                let Some(wanted) = state.all.get(&pipeline) else { continue };
                let before = wanted.last.as_ref().and_then(|look| look.known.clone());
                let (written, is_recalled) = (wanted.written.clone(), wanted.is_recalled);
                source.begin();
                return Some(Question { pipeline, source, before, written, is_recalled });
            }
        }
        None
    }

    /// Takes in an answer. Returns the namespaces that it is about, and whether it says something new.
    pub(crate) fn take(&self, settings: &Settings, answered: &Answered) -> (Vec<Uid>, bool) {
        let Answered { pipeline, look, written, is_recalled } = answered;
        let Some(source) = self.sources.get(settings, pipeline.system) else { return <_>::default() };
        let mut state = self.state();
        state.tell_apart(pipeline, look);
        let Some(wanted) = state.all.get_mut(pipeline) else { return <_>::default() };
        let is_new = !wanted.last.as_ref().is_some_and(|last| last.says_the_same(look));
        let by: Vec<_> = wanted.by.iter().cloned().collect();
        let now = Instant::now();
        let again = now + source.next_after(look.known.as_ref().filter(|_| look.trouble.is_none()));
        (wanted.last, wanted.written, wanted.is_recalled) = (Some(look.clone()), written.clone(), *is_recalled);
        state.due.entry(pipeline.system).or_default().add(pipeline, again, now);
        let gone = settings.ci.get(&pipeline.system).map_or(Gone::Ignored, |settings| settings.gone);
        self.checks.count(look.condition(pipeline, gone).truth, by.len() as u64);
        (by, is_new)
    }

    /// Tells of it in a heartbeat.
    pub(crate) fn tell(&self, mut body: CollectorBody) -> CollectorBody {
        let state = self.state();
        body.outages.extend(state.outages.values().cloned());
        for system in state.due.keys().filter(|system| !state.outages.contains_key(*system)) {
            let mut closed = state.closed.iter().filter(|((of, _), _)| of == system);
            if let Some((_, (since, why))) = closed.next() {
                let others = closed.count();
                let more = if others > 0 { format!(" (and {others} other projects)") } else { String::new() };
                let source = system.as_str().to_owned();
                body.outages.push(Outage { source, since: *since, why: format!("{why}{more}") });
            }
        }
        body
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    /// Asks it, and writes down what is new. Nothing waits for that: without it, the next collector asks again.
    pub(crate) async fn ask(self, context: &Context) -> Answered {
        let Self { pipeline, source, before, mut written, is_recalled } = self;
        let store = &*context.store;
        if !is_recalled {
            match source.recall(&pipeline, store).await {
                Ok(found) => written = found,
                // A query without it would take what was tidied up for what nobody ever saw, and write that down.
                Err(error) => {
                    let look = Look::unrecalled(context.clock.now(), &error);
                    return Answered { pipeline, look, written, is_recalled };
                }
            }
        }
        let before = before.or_else(|| written.clone());
        let look = source.look_now(&pipeline, before, &context.clock, &context.http).await;
        if let Some(known) = look.known.as_ref().filter(|_| look.trouble.is_none()) {
            let stands = |old: &Known| old.says_the_same(known) && between(old.at, known.at) < WRITTEN_FOR;
            if !written.as_ref().is_some_and(stands) && source.remember(&pipeline, known, store).await {
                written = Some(known.clone());
            }
        }
        Answered { pipeline, look, written, is_recalled: true }
    }
}

impl State {
    /// What was told of this.
    fn told(&self, origin: &CiObjectRef) -> Option<&Look> {
        self.all.get(origin)?.last.as_ref()
    }

    /// A namespace wants these to be known, and no others.
    fn want(&mut self, uid: &Uid, wanted: Vec<CiObjectRef>) {
        if *self.made.get(uid).unwrap_or(&Vec::new()) == wanted {
            return;
        }
        for former in self.made.remove(uid).unwrap_or_default() {
            // One that nobody wants any more is forgotten when it falls due.
            if let Some(former) = self.all.get_mut(&former) {
                former.by.remove(uid);
            }
        }
        for origin in &wanted {
            if !self.all.contains_key(origin) {
                let now = Instant::now();
                self.due.entry(origin.system).or_default().add(origin, now, now);
            }
            self.all.entry(origin.clone()).or_default().by.insert(uid.clone());
        }
        if !wanted.is_empty() {
            self.made.insert(uid.clone(), wanted);
        }
    }

    /// Of the namespaces that want this pipeline to be known, forgets those of which this is not so; and where none is
    /// left, the pipeline.
    fn keep_those(&mut self, pipeline: &CiObjectRef, is_there: impl Fn(&Uid) -> bool) {
        let Some(wanted) = self.all.get_mut(pipeline) else { return };
        for gone in wanted.by.extract_if(.., |uid| !is_there(uid)) {
            self.made.remove(&gone);
        }
        if wanted.by.is_empty() {
            self.all.remove(pipeline);
            let first = CiObjectRef { kind: CiObjectKind::Pipeline, id: 0, ..pipeline.clone() };
            let is_wanted = self.all.range(first..).next().is_some_and(|(other, _)| other.project == pipeline.project);
            if !is_wanted {
                self.closed.remove(&(pipeline.system, pipeline.project.clone()));
            }
        }
    }

    /// Whose error it is: that of the whole system, that of a project, or nobody's.
    fn tell_apart(&mut self, pipeline: &CiObjectRef, look: &Look) {
        let (system, name, at) = (pipeline.system, pipeline.system.name(), look.at);
        let project = (system, pipeline.project.clone());
        let Some(error) = &look.trouble else {
            if look.known.is_some() {
                if self.outages.remove(&system).is_some() {
                    info!("{name} tells of pipelines again");
                }
                self.closed.remove(&project);
            }
            return;
        };
        let why = error.why.clone();
        if error.is_of_all {
            if !self.outages.contains_key(&system) {
                warn!("what became of pipelines is not known, and nothing changes by it: {why}");
            }
            let since = self.outages.get(&system).map_or(at, |outage| outage.since);
            self.outages.insert(system, Outage { source: system.as_str().to_owned(), since, why });
        } else {
            if self.outages.remove(&system).is_some() {
                info!("{name} tells of pipelines again");
            }
            if !self.closed.contains_key(&project) {
                warn!("what became of the pipelines of project {} is not known: {why}", pipeline.project);
            }
            let since = self.closed.get(&project).map_or(at, |(since, _)| *since);
            self.closed.insert(project, (since, why));
        }
    }
}

/// Whether what is known now may bring another status. `is_new`: it says what the one before did not say.
pub(crate) fn is_news(record: Option<&Record>, answered: &Answered, is_new: bool) -> bool {
    let Some(record) = record else { return true };
    let Answered { pipeline, look, .. } = answered;
    match (pipeline.kind, record.status) {
        // It may be taken back by it, or be known no more while its time is over.
        (CiObjectKind::Pipeline | CiObjectKind::MergeRequest, Status::Cancelled)
        | (CiObjectKind::Job, Status::Superseded) => true,
        _ if look.trouble.is_some() => false,
        // It may replace others now, or no more.
        (CiObjectKind::Job, _) => true,
        (_, Status::Stale | Status::Superseded) => false,
        // Of a pipeline and a merge request one says what the other means.
        (_, Status::Unknown | Status::Ok | Status::Unstable | Status::Failing | Status::Failed) => {
            is_new || look.condition(pipeline, Gone::Trusted).is_true()
        }
    }
}

#[cfg(test)]
mod tests {
    use common::config::Source as Configuration;
    use evidence::ci::{CiError, Sequel, There};
    use lifecycle::{
        Truth,
        supersession::{GroupBy, SupersedeRules, Trigger},
    };

    use super::*;

    /// A configuration with a GitLab that nobody asks here, and one policy for all.
    fn settings(gitlab: bool) -> Settings {
        settings_with(gitlab, "120")
    }

    fn settings_with(gitlab: bool, per_minute: &str) -> Settings {
        let policies = "[{name: ci, match: {names: ['.+']}}]";
        let mut variables = vec![("HOME", "/home/somebody"), ("NSM__POLICIES", policies)];
        if gitlab {
            variables.extend([("NSM__GITLAB__URL", "http://gitlab.example.org"), ("NSM__GITLAB__TOKEN_FILE", "token")]);
            variables.push(("NSM__GITLAB__REQUESTS_PER_MINUTE", per_minute));
        }
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Configuration::new(None, variables).load().unwrap()
    }

    /// What is known of the pipeline of a namespace that this one made.
    fn checked(pipelines: &Pipelines, settings: &Settings, uid: &str, id: &str) -> Check<Condition> {
        let namespace = namespace(settings, uid, id);
        pipelines.checked(settings, &namespace, Vec::new())
    }

    /// A namespace that this pipeline made.
    fn namespace(settings: &Settings, uid: &str, id: &str) -> Namespace {
        let keys = &settings.policies.keys;
        Namespace {
            uid: Uid::new(uid),
            name: uid.to_owned(),
            resource_version: "1".to_owned(),
            created: Timestamp::UNIX_EPOCH,
            deleted: None,
            ending: None,
            labels: [("projectId", "7"), ("pipelineId", id)].map(|(key, id)| (keys.of_ci(key), id.to_owned())).into(),
            annotations: BTreeMap::new(),
        }
    }

    /// The ids of what is asked for now, where these namespaces are there.
    fn asked(pipelines: &Pipelines, settings: &Settings, there: &[&str]) -> Vec<u64> {
        let next = || pipelines.begin(settings, |uid| there.contains(&uid.as_str()));
        std::iter::from_fn(next).map(|question| question.pipeline.id).collect()
    }

    fn cancelled(id: u64) -> Answered {
        let answered = answered(CiObjectKind::Pipeline, Truth::True);
        Answered { pipeline: CiObjectRef { id, ..answered.pipeline }, ..answered }
    }

    /// An answer about one of this kind: it was cancelled, it runs, or there is none.
    fn answered(kind: CiObjectKind, truth: Truth) -> Answered {
        let at = Timestamp::UNIX_EPOCH;
        let there = There {
            status: if truth == Truth::True { "canceled" } else { "running" }.to_owned(),
            is_cancelled: truth == Truth::True,
            sequel: (truth == Truth::True).then_some(Sequel::Nothing),
            ..There::default()
        };
        let error = (truth == Truth::Unknown).then(CiError::default);
        let known = error.is_none().then(|| Known::there(at, there, None));
        let pipeline = CiObjectRef { system: CiSystem::Gitlab, project: "7".to_owned(), kind, id: 46 };
        Answered { pipeline, look: Look { at, known, trouble: error }, written: None, is_recalled: true }
    }

    #[tokio::test]
    async fn what_one_pipeline_made_is_asked_for_once() {
        let (pipelines, settings) = (Pipelines::default(), settings(true));
        for uid in ["a", "b"] {
            assert_eq!(checked(&pipelines, &settings, uid, "46"), Check::Pending);
        }
        assert_eq!(asked(&pipelines, &settings, &["a", "b"]), [46]);
        assert_eq!(pipelines.next(&settings), None, "it is being asked for");
        let about = pipelines.take(&settings, &cancelled(46));
        assert_eq!(about, (["a", "b"].map(Uid::new).to_vec(), true));
        assert!(matches!(checked(&pipelines, &settings, "b", "46"), Check::Observed(condition) if condition.is_true()));
        assert!(pipelines.next(&settings).is_some_and(|next| next > Instant::now()));
        // Who comes later knows at once.
        assert!(matches!(checked(&pipelines, &settings, "c", "46"), Check::Observed(_)));
        assert_eq!(asked(&pipelines, &settings, &["a", "b", "c"]), [0; 0]);
    }

    #[tokio::test]
    async fn what_nobody_wants_to_know_is_not_asked_for() {
        let (pipelines, settings) = (Pipelines::default(), settings(true));
        checked(&pipelines, &settings, "gone", "46");
        checked(&pipelines, &settings, "other", "47");
        checked(&pipelines, &settings, "other", "48");
        assert_eq!(checked(&pipelines, &settings, "nobodys", "none"), Check::Disabled);
        assert_eq!(asked(&pipelines, &settings, &["other", "nobodys"]), [48]);
        assert_eq!(pipelines.state().all.len(), 1);
        // One that comes back is asked for.
        checked(&pipelines, &settings, "gone", "46");
        assert_eq!(asked(&pipelines, &settings, &["gone"]), [46]);
    }

    #[tokio::test]
    async fn what_somebody_says_happened_is_asked_for_again_if_anybody_wants_it_known() {
        let (pipelines, settings) = (Pipelines::default(), settings(true));
        checked(&pipelines, &settings, "a", "46");
        let origin = |kind, id| CiObjectRef { kind, id, ..cancelled(id).pipeline };
        assert_eq!(asked(&pipelines, &settings, &["a"]), [46]);
        pipelines.take(&settings, &cancelled(46));
        for nobodys in
            [origin(CiObjectKind::Pipeline, 47), origin(CiObjectKind::Job, 46), origin(CiObjectKind::MergeRequest, 46)]
        {
            pipelines.hurry(&nobodys);
        }
        assert_eq!(asked(&pipelines, &settings, &["a"]), [0; 0]);
        pipelines.hurry(&origin(CiObjectKind::Pipeline, 46));
        assert!(pipelines.next(&settings).is_some_and(|next| next <= Instant::now()));
        assert_eq!(asked(&pipelines, &settings, &["a"]), [46]);
        // What is hurried while it is asked for may have been answered before.
        pipelines.hurry(&origin(CiObjectKind::Pipeline, 46));
        pipelines.take(&settings, &cancelled(46));
        assert_eq!(asked(&pipelines, &settings, &["a"]), [46]);
    }

    #[tokio::test]
    async fn no_more_questions_begin_than_may_be_asked_and_the_others_wait() {
        let (pipelines, settings) = (Pipelines::default(), settings_with(true, "2"));
        for (uid, id) in [("a", "46"), ("b", "47"), ("c", "48")] {
            checked(&pipelines, &settings, uid, id);
        }
        let begun = Instant::now();
        assert_eq!(asked(&pipelines, &settings, &["a", "b", "c"]), [46, 47]);
        let (next, asked) = (pipelines.next(&settings).unwrap(), Instant::now());
        let minute = std::time::Duration::from_secs(60);
        assert!((begun + minute..=asked + minute).contains(&next), "{:?}", next - begun);
    }

    #[tokio::test]
    async fn another_gitlab_begins_anew() {
        let (pipelines, with, without) = (Pipelines::default(), settings(true), settings(false));
        assert!(pipelines.refresh(&with));
        checked(&pipelines, &with, "a", "46");
        assert!(!pipelines.refresh(&with));
        assert!(pipelines.refresh(&without));
        assert_eq!(pipelines.take(&without, &cancelled(46)).0, [], "an answer that comes late is nobody's");
        assert_eq!((checked(&pipelines, &without, "a", "46"), pipelines.next(&without)), (Check::Disabled, None));
    }

    #[test]
    fn only_what_may_change_something_is_news() {
        let news = |truth, status, is_new| {
            let mut record = Record::new(Uid::new("a"));
            record.status = status;
            is_news(Some(&record), &answered(CiObjectKind::Pipeline, truth), is_new)
        };
        assert!(news(Truth::True, Status::Ok, false) && news(Truth::False, Status::Cancelled, false));
        assert!(news(Truth::False, Status::Ok, true), "it may say which merge request is the right one");
        assert!(!news(Truth::False, Status::Ok, false) && !news(Truth::True, Status::Superseded, true));
        let is_moved = |status: &&Status| news(Truth::Unknown, **status, true);
        assert_eq!(
            Status::ALL.iter().filter(is_moved).collect::<Vec<_>>(),
            [&Status::Cancelled],
            "its time may be over"
        );
    }

    #[test]
    fn whatever_is_said_of_a_job_is_news_to_those_it_may_replace() {
        let record = Record::new(Uid::new("a"));
        for (truth, expected) in [(Truth::True, true), (Truth::False, true), (Truth::Unknown, false)] {
            assert_eq!(is_news(Some(&record), &answered(CiObjectKind::Job, truth), false), expected);
        }
    }

    #[tokio::test]
    async fn a_job_is_asked_for_on_behalf_of_those_it_may_replace() {
        let (pipelines, settings) = (Pipelines::default(), settings(true));
        let job = CiObjectRef { kind: CiObjectKind::Job, ..cancelled(50).pipeline };
        let old = namespace(&settings, "old", "46");
        assert_eq!(pipelines.checked(&settings, &old, vec![job.clone()]), Check::Pending);
        assert_eq!(asked(&pipelines, &settings, &["old"]), [46, 50]);
        let answer = Answered { pipeline: job.clone(), ..answered(CiObjectKind::Job, Truth::Unknown) };
        assert_eq!(pipelines.take(&settings, &answer).0, [Uid::new("old")]);
        // What is said of the job is nothing to the namespace's own pipeline.
        assert_eq!(pipelines.checked(&settings, &old, vec![job]), Check::Pending);
        pipelines.take(&settings, &cancelled(46));
        assert!(
            matches!(pipelines.checked(&settings, &old, Vec::new()), Check::Observed(condition) if condition.is_true())
        );
    }

    #[tokio::test]
    async fn an_answer_that_comes_while_a_turn_is_being_taken_is_news_to_it() {
        let (pipelines, settings) = (Pipelines::default(), settings(true));
        let job = CiObjectRef { kind: CiObjectKind::Job, ..cancelled(50).pipeline };
        let first = namespace(&settings, "first", "46");
        pipelines.checked(&settings, &first, vec![job.clone()]);
        assert_eq!(asked(&pipelines, &settings, &["first"]), [46, 50]);
        let proof = pipelines.proof(&Uid::new("second"), &group(&settings), &job, &job);
        assert!(matches!(proof, Verification::Unknown(_)), "{proof:?}");
        // The second one's turn has yet to say that it wants the job to be known.
        let answer = Answered { pipeline: job, ..answered(CiObjectKind::Job, Truth::Unknown) };
        assert_eq!(pipelines.take(&settings, &answer).0, ["first", "second"].map(Uid::new));
    }

    fn group(settings: &Settings) -> DeploymentGroup {
        let keys = &settings.policies.keys;
        let terms =
            SupersedeRules { by: vec![GroupBy::Branch], when: Trigger::NewerReady, confirm: Some(CiSystem::Gitlab) };
        let labels = [("projectId", "7"), ("job", "deploy"), ("jobId", "49"), ("branch", "main")];
        let labels = labels.map(|(key, value)| (keys.of_ci(key), value.to_owned())).into();
        DeploymentGroup::of(&Namespace { labels, ..namespace(settings, "any", "46") }, &terms, keys).unwrap()
    }
}
