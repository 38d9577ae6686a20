//! What became of pipelines, by a GitLab that answers as documented, and by one that is ill.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::clock::Clock;
use common::config::{CiSettings, Gone, RawGithub, RawGitlab};
use common::http_client::HttpClient;
use evidence::ci::{Known, Look, Source, proof};
use jiff::{SignedDuration, Timestamp};
use lifecycle::ci_verification::Verification;
use lifecycle::pipeline::{CiObjectKind, CiObjectRef, CiSystem};
use lifecycle::supersession::{DeploymentGroup, GroupBy, SupersedeRules, Trigger};
use lifecycle::{Condition, Keys, Namespace, Truth, Uid};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::ci::{CiServer, Fault, What};
use tokio::net::TcpSocket;
use tokio::time::Instant;

const TOKEN: &str = "glpat-s3cret";

/// Somebody who asks for pipeline 46 of project 7, or another, and when that is.
pub(crate) struct Asker {
    directory: TempDir,
    pub(crate) source: Source,
    pipeline: CiObjectRef,
    gone: Gone,
    now: Arc<Mutex<Timestamp>>,
    web: HttpClient,
    pub(crate) known: Option<Known>,
}

impl Asker {
    /// One that asks this GitLab, with these settings on top of its address.
    fn new(url: &str, token: &str, more: &Value) -> Self {
        Self::about(pipeline(), url, token, more)
    }

    /// One that asks for another pipeline, wherever that runs.
    pub(crate) fn about(pipeline: CiObjectRef, url: &str, token: &str, more: &Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, token).unwrap();
        let mut section = json!({"url": url, "token_file": file, "requests_per_minute": 1000});
        section.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let now = Arc::new(Mutex::new("2026-08-17T10:00:00Z".parse().unwrap()));
        let settings = settings(pipeline.system, section);
        let gone = settings.gone;
        let source = Source::new(pipeline.system, settings);
        Self { directory, source, pipeline, gone, now, web: HttpClient::system(), known: None }
    }

    fn of(gitlab: &CiServer) -> Self {
        Self::new(&gitlab.url(), TOKEN, &json!({}))
    }

    /// Asks once.
    pub(crate) async fn look(&mut self) -> Look {
        let now = Arc::clone(&self.now);
        let clock = Clock::from_fn(move || *now.lock().unwrap());
        let look = self.source.look(&self.pipeline, self.known.take(), &clock, &self.web).await;
        self.known.clone_from(&look.known);
        look
    }

    /// Asks once; what is found, and why.
    pub(crate) async fn told(&mut self) -> (Truth, String) {
        let look = self.look().await;
        let condition = self.condition(&look);
        assert_eq!(condition.observed_at, *self.now.lock().unwrap());
        (condition.truth, condition.reason)
    }

    /// What a look says by itself.
    pub(crate) fn condition(&self, look: &Look) -> Condition {
        look.condition(&self.pipeline, self.gone)
    }

    pub(crate) fn later(&self, by: SignedDuration) {
        *self.now.lock().unwrap() += by;
    }
}

fn settings(system: CiSystem, section: Value) -> CiSettings {
    let checked = match system {
        CiSystem::Gitlab => serde_json::from_value::<RawGitlab>(section).unwrap().check(),
        CiSystem::Github => serde_json::from_value::<RawGithub>(section).unwrap().check(),
    };
    checked.unwrap()
}

fn pipeline() -> CiObjectRef {
    CiObjectRef { system: CiSystem::Gitlab, project: "7".to_owned(), kind: CiObjectKind::Pipeline, id: 46 }
}

async fn gitlab(status: &str) -> CiServer {
    let gitlab = CiServer::gitlab(TOKEN).await.unwrap();
    gitlab.set("7", 46, status);
    gitlab
}

#[tokio::test]
async fn what_was_canceled_is_cancelled_and_what_was_retried_is_not() {
    let gitlab = gitlab("running").await;
    let mut asker = Asker::of(&gitlab);
    let is = |status: &str| format!("pipeline 46 of project group/app-7 has the status `{status}`");
    assert_eq!(asker.told().await, (Truth::False, is("running")));
    gitlab.set("7", 46, "canceled");
    assert_eq!(asker.told().await, (Truth::True, "pipeline 46 of project group/app-7 was cancelled".to_owned()));
    gitlab.set("7", 46, "pending");
    assert_eq!(asker.told().await, (Truth::False, is("pending")));
    let paths: Vec<_> = gitlab.asked().into_iter().map(|asked| asked.path).collect();
    // What became of its branch is asked for one that was cancelled, and for no other.
    let [one, all] = ["/api/v4/projects/7/pipelines/46", "/api/v4/projects/7/pipelines"];
    assert_eq!(paths, [one, one, all, one]);
}

#[tokio::test]
async fn a_successor_that_was_tidied_up_has_taken_over_all_the_same() {
    let gitlab = gitlab("canceled").await;
    gitlab.set("7", 47, "success");
    [46, 47].into_iter().for_each(|pipeline| gitlab.tell(What::Pipeline, "7", pipeline, &json!({"ref": "main"})));
    let mut asker = Asker::of(&gitlab);
    for tidied in [46, 47] {
        assert_eq!(asker.told().await.0, Truth::False);
        gitlab.remove("7", tidied);
    }
    let (truth, reason) = asker.told().await;
    assert_eq!(truth, Truth::False);
    assert!(reason.contains("47 of the same branch `main` is newer"), "{reason}");
}

#[tokio::test]
async fn an_older_pipeline_that_ran_again_counts_when_it_is_over() {
    let gitlab = gitlab("canceled").await;
    gitlab.set("7", 45, "success");
    [45, 46].into_iter().for_each(|pipeline| gitlab.tell(What::Pipeline, "7", pipeline, &json!({"ref": "main"})));
    let mut asker = Asker::of(&gitlab);
    assert_eq!(asker.told().await.0, Truth::True);
    gitlab.tell(What::Pipeline, "7", 45, &json!({"updated_at": "2100-01-01T00:00:00Z"}));
    assert_eq!(asker.told().await.0, Truth::False);
}

#[tokio::test]
async fn what_another_project_started_does_not_tell_what_it_deployed() {
    let (gitlab, mut jobs) = jobs("feature/x").await;
    gitlab.tell(What::Job, "7", 46, &json!({"pipeline": {"id": 2, "project_id": 7, "source": "pipeline"}}));
    assert!(matches!(jobs.proof().await, Verification::Unknown(why) if why.contains("was started by `pipeline`")));
}

#[tokio::test]
async fn nothing_is_sent_twice_that_did_not_change() {
    let gitlab = gitlab("canceled").await;
    let mut asker = Asker::of(&gitlab);
    let first = asker.told().await;
    asker.later(SignedDuration::from_mins(1));
    assert_eq!(asker.told().await, first);
    gitlab.set("7", 46, "running");
    assert_eq!(asker.told().await.0, Truth::False);
    let asked: Vec<_> = gitlab.asked().into_iter().map(|asked| (asked.is_conditional, asked.status)).collect();
    let list = (false, Some(200));
    assert_eq!(asked, [(false, Some(200)), list, (true, Some(304)), list, (true, Some(200))]);
}

/// Whatever was known before, an answer like this leaves it unknown, for a reason that begins so; also where what is not
/// found is gone at once.
async fn check_unknown(fault: Fault, expected: &str) {
    for before in ["running", "canceled"] {
        let gitlab = gitlab(before).await;
        // One that is ill is left alone for a while, so another asks.
        for is_first in [true, false] {
            let mut asker = Asker::new(&gitlab.url(), TOKEN, &json!({"gone": "trusted"}));
            if !is_first {
                asker.look().await;
            }
            gitlab.fail(Some(fault.clone()));
            let look = asker.look().await;
            let Condition { truth, reason, .. } = asker.condition(&look);
            assert_eq!(truth, Truth::Unknown, "{fault:?}: {reason}");
            assert!(reason.starts_with(expected), "{fault:?}: {reason}");
            assert!(!reason.contains("s3cret") && !reason.contains("127.0.0.1"), "{reason}");
            assert_eq!(look.known.is_some(), !is_first, "what was there is remembered");
            gitlab.fail(None);
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_changes_nothing() {
    check_unknown(Fault::Status(401), "GitLab answered 401 Unauthorized: it does not take the token in `/").await;
    check_unknown(Fault::Status(403), "GitLab answered 403 Forbidden: the token in `/").await;
    for status in [400, 500, 502, 503, 504] {
        check_unknown(Fault::Status(status), &format!("GitLab answered {status} ")).await;
    }
    check_unknown(Fault::Page(302), "GitLab answered 302 Found: its address may be another").await;
    check_unknown(Fault::Page(404), "GitLab answered 404 Not Found").await;
    check_unknown(Fault::Page(200), "the answer of GitLab has another shape than is known").await;
    check_unknown(Fault::Half, "the answer of GitLab has another shape than is known").await;
    check_unknown(Fault::Other, "the answer of GitLab is about another pipeline").await;
    check_unknown(Fault::Huge, "the answer of GitLab is larger than 1 MiB").await;
}

#[tokio::test]
async fn one_that_does_not_answer_changes_nothing() {
    let gitlab = gitlab("canceled").await;
    let mut asker = Asker::of(&gitlab);
    asker.look().await;
    gitlab.fail(Some(Fault::Stall));
    let (asked, began) = (gitlab.asked().len(), Instant::now());
    // Once it is asked, time may pass as it is waited for.
    let passes = async {
        while gitlab.asked().len() == asked {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
    };
    let (told, ()) = tokio::join!(asker.told(), passes);
    assert_eq!(told, (Truth::Unknown, "GitLab did not answer within 10 seconds".to_owned()));
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn one_that_is_not_there_changes_nothing() {
    // Bound, so that nobody else gets the port, and nobody listens.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    let (truth, reason) = Asker::new(&url, TOKEN, &json!({})).told().await;
    assert_eq!(
        (truth, reason.as_str()),
        (Truth::Unknown, "GitLab cannot be reached: Connection refused (os error 111)")
    );
}

#[tokio::test]
async fn what_is_not_found_is_gone_ten_minutes_later_while_its_project_is_found() {
    let gitlab = gitlab("running").await;
    let mut asker = Asker::of(&gitlab);
    asker.look().await;
    gitlab.remove("7", 46);
    let (truth, reason) = asker.told().await;
    assert_eq!(truth, Truth::Unknown);
    assert!(reason.starts_with("pipeline 46 of project 7 is not found since 2026-08-17 10:00"), "{reason}");
    asker.later(SignedDuration::from_secs(599));
    assert_eq!(asker.told().await.0, Truth::Unknown);
    asker.later(SignedDuration::from_secs(1));
    let (truth, reason) = asker.told().await;
    assert_eq!(truth, Truth::True);
    assert!(reason.starts_with("pipeline 46 of project 7 is gone since 2026-08-17 10:00"), "{reason}");
    gitlab.set("7", 46, "running");
    assert_eq!(asker.told().await.0, Truth::False);
    let asked: Vec<_> = gitlab.asked().into_iter().skip(1).map(|asked| (asked.path, asked.status)).collect();
    let [pipeline, project] = ["/api/v4/projects/7/pipelines/46", "/api/v4/projects/7"].map(str::to_owned);
    assert_eq!(asked[..2], [(pipeline, Some(404)), (project, Some(200))]);
}

#[tokio::test]
async fn two_answers_are_needed_however_soon_they_may_follow() {
    let gitlab = gitlab("running").await;
    let mut asker = Asker::new(&gitlab.url(), TOKEN, &json!({"gone_confirm_after": "0s"}));
    asker.look().await;
    gitlab.remove("7", 46);
    assert_eq!(asker.told().await.0, Truth::Unknown);
    assert_eq!(asker.told().await.0, Truth::Unknown, "the same instant");
    asker.later(SignedDuration::from_secs(1));
    assert_eq!(asker.told().await.0, Truth::True);
}

#[tokio::test]
async fn what_was_not_known_in_between_begins_the_time_anew() {
    let gitlab = gitlab("running").await;
    let mut asker = Asker::of(&gitlab);
    asker.look().await;
    gitlab.remove("7", 46);
    asker.look().await;
    asker.later(SignedDuration::from_mins(5));
    gitlab.close("7", true);
    assert!(asker.told().await.1.starts_with("GitLab answered 403"));
    gitlab.close("7", false);
    asker.later(SignedDuration::from_mins(5));
    assert_eq!(asker.told().await.0, Truth::Unknown);
    asker.later(SignedDuration::from_mins(10));
    assert_eq!(asker.told().await.0, Truth::True);
}

#[tokio::test]
async fn a_pipeline_whose_project_is_not_found_either_is_not_gone() {
    let gitlab = gitlab("success").await;
    gitlab.remove_project("7");
    let mut asker = Asker::new(&gitlab.url(), TOKEN, &json!({"gone_confirm_after": "0s"}));
    for _ in 0..3 {
        let (truth, reason) = asker.told().await;
        assert_eq!(truth, Truth::Unknown);
        assert!(reason.starts_with("neither pipeline 46 of project 7 nor the project is found"), "{reason}");
        asker.later(SignedDuration::from_mins(10));
    }
}

#[tokio::test]
async fn where_it_is_said_so_what_is_not_found_is_gone_at_once() {
    let gitlab = gitlab("success").await;
    gitlab.remove_project("7");
    let mut asker = Asker::new(&gitlab.url(), TOKEN, &json!({"gone": "trusted"}));
    let (truth, reason) = asker.told().await;
    assert_eq!(truth, Truth::True);
    assert!(reason.starts_with("pipeline 46 of project 7 is gone since"), "{reason}");
    gitlab.fail(Some(Fault::Page(404)));
    assert_eq!(asker.told().await.0, Truth::Unknown, "a proxy says nothing of pipelines");
}

#[tokio::test]
async fn a_merge_request_is_over_when_it_was_merged_and_never_because_it_is_not_found() {
    let gitlab = gitlab("running").await;
    let request = CiObjectRef { kind: CiObjectKind::MergeRequest, id: 3, ..pipeline() };
    let mut asker = Asker::about(request, &gitlab.url(), TOKEN, &json!({"gone": "trusted"}));
    gitlab.set_request("7", 3, "opened");
    let is = |what: &str| format!("merge request 3 of project group/app-7 {what}");
    assert_eq!(asker.told().await, (Truth::False, is("has the status `opened`")));
    gitlab.set_request("7", 3, "merged");
    assert_eq!(asker.told().await, (Truth::True, is("was merged")));
    gitlab.set_request("7", 3, "closed");
    assert_eq!(asker.told().await, (Truth::True, is("was closed")));
    gitlab.remove_project("7");
    let look = asker.look().await;
    let why = "GitLab answered 404 Not Found: merge request 3 of project 7 is not found, or the token does not see it";
    let condition = asker.condition(&look);
    assert_eq!((condition.truth, condition.reason.as_str()), (Truth::Unknown, why));
    assert!(!look.trouble.unwrap().is_of_all);
}

/// A public project whose pipelines are not public: whoever is nobody gets 404 for the pipeline and 200 for the project.
#[tokio::test]
async fn nobody_is_asked_with_an_empty_token() {
    let gitlab = gitlab("running").await;
    for empty in ["", "\n"] {
        let mut asker = Asker::new(&gitlab.url(), empty, &json!({"gone_confirm_after": "0s", "gone": "trusted"}));
        let (truth, reason) = asker.told().await;
        let file = asker.directory.path().join("token");
        assert_eq!((truth, reason), (Truth::Unknown, format!("`{}` is empty", file.display())));
    }
    assert_eq!(gitlab.asked(), []);
}

#[tokio::test]
async fn a_wrong_token_is_told_and_a_new_one_comes_into_use() {
    let gitlab = gitlab("canceled").await;
    let mut asker = Asker::new(&gitlab.url(), "old", &json!({}));
    let look = asker.look().await;
    assert_eq!(asker.condition(&look).truth, Truth::Unknown);
    assert!(look.trouble.unwrap().is_of_all);
    std::fs::write(asker.directory.path().join("token"), format!("{TOKEN}\n")).unwrap();
    // The one that was refused is left alone for a while.
    assert!(asker.told().await.1.contains("is not asked for pipeline 46"));
    let mut asker = Asker::new(&gitlab.url(), &format!("{TOKEN}\n"), &json!({}));
    assert_eq!(asker.told().await.0, Truth::True);
}

#[tokio::test]
async fn who_was_asked_too_often_is_left_alone_for_as_long_as_it_says() {
    let gitlab = gitlab("canceled").await;
    gitlab.fail(Some(Fault::TooMany("90".to_owned())));
    let mut asker = Asker::of(&gitlab);
    let before = Instant::now();
    assert_eq!(asker.told().await.1, "GitLab answered 429 Too Many Requests: it was asked too often");
    gitlab.fail(None);
    is_left_alone_for(&asker, before, 90);
    let (truth, reason) = asker.told().await;
    assert_eq!(truth, Truth::Unknown);
    assert_eq!(reason, "GitLab is not asked for pipeline 46 of project 7 now, to spare it");
    assert_eq!(gitlab.asked().len(), 1);
}

/// Checks that a source that answered between `before` and now is not asked again for so many seconds from then on.
#[track_caller]
pub(crate) fn is_left_alone_for(asker: &Asker, before: Instant, seconds: u64) {
    let (now, time) = (Instant::now(), Duration::from_secs(seconds));
    let ready = asker.source.ready_at(now);
    assert!((before + time..=now + time).contains(&ready), "{:?}", ready - before);
}

#[tokio::test]
async fn one_project_that_is_closed_to_us_keeps_nobody_from_others() {
    let gitlab = gitlab("canceled").await;
    gitlab.close("7", true);
    let mut asker = Asker::of(&gitlab);
    let error = asker.look().await.trouble.unwrap();
    assert!(!error.is_of_all, "{error:?}");
    gitlab.close("7", false);
    assert_eq!(asker.told().await.0, Truth::True);
}

#[tokio::test]
async fn so_many_requests_a_minute_and_no_more() {
    let gitlab = gitlab("running").await;
    let mut asker = Asker::new(&gitlab.url(), TOKEN, &json!({"requests_per_minute": 2}));
    for expected in [Truth::False, Truth::False, Truth::Unknown] {
        assert_eq!(asker.told().await.0, expected);
    }
    assert_eq!(gitlab.asked().len(), 2);
}

#[tokio::test]
async fn what_one_wrote_down_another_goes_on_with() {
    let gitlab = gitlab("running").await;
    let mut first = Asker::of(&gitlab);
    first.look().await;
    gitlab.remove("7", 46);
    let store = format!("sqlite:{}", first.directory.path().join("store.db").display());
    let store = common::store::open(&store).await.unwrap();
    let known = first.look().await.known.unwrap();
    assert!(first.source.remember(&pipeline(), &known, &*store).await);
    let mut second = Asker::of(&gitlab);
    second.known = second.source.recall(&pipeline(), &*store).await.unwrap();
    assert_eq!(second.known, Some(known));
    second.later(SignedDuration::from_mins(10));
    assert_eq!(second.told().await.0, Truth::True);
    // The same number at another server is another pipeline.
    let other = Asker::new("http://gitlab.example.org", TOKEN, &json!({}));
    assert_eq!(other.source.recall(&pipeline(), &*store).await.unwrap(), None);
}

/// The group of what is labelled as deployed by job 46 of project 7 for this branch.
pub(crate) fn group(terms: &SupersedeRules, branch: &str) -> DeploymentGroup {
    let keys = Keys::default();
    // That of a GitHub has the id that its answers have.
    let project = if terms.confirm == Some(CiSystem::Github) { "1296269" } else { "7" };
    let labels = [
        ("projectId", project),
        ("projectPath", "octo.app"),
        ("job", "deploy"),
        ("jobId", "46"),
        ("branch", branch),
        ("mrId", branch),
    ];
    let namespace = Namespace {
        uid: Uid::new("u"),
        name: "a".to_owned(),
        resource_version: "1".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        deleted: None,
        ending: None,
        labels: labels.map(|(key, value)| (keys.of_ci(key), value.to_owned())).into(),
        annotations: BTreeMap::new(),
    };
    DeploymentGroup::of(&namespace, terms, &keys).unwrap()
}

/// How newer deployments of a branch are confirmed there.
pub(crate) fn terms(system: CiSystem) -> SupersedeRules {
    SupersedeRules { by: vec![GroupBy::Branch], when: Trigger::NewerReady, confirm: Some(system) }
}

/// Jobs of a GitLab: those of a branch of project 7, of which the first has the number 45 and the second 46.
pub(crate) struct Jobs {
    group: DeploymentGroup,
    old: (CiObjectRef, Asker),
    new: (CiObjectRef, Asker),
}

impl Jobs {
    pub(crate) fn of(system: CiSystem, url: &str, token: &str, branch: &str) -> Self {
        let group = group(&terms(system), branch);
        let [old, new] = ["45", "46"].map(|id| {
            let job = group.job(system, id).unwrap();
            (job.clone(), Asker::about(job, url, token, &json!({})))
        });
        Self { group, old, new }
    }

    /// Whether the newer one replaces the older one, by what is told of both now.
    pub(crate) async fn proof(&mut self) -> Verification {
        let [old, new] = [self.old.1.look().await, self.new.1.look().await];
        proof(&self.group, (&self.new.0, Some(&new)), (&self.old.0, Some(&old)))
    }

    /// Why it does not replace it.
    pub(crate) async fn refuted(&mut self) -> String {
        match self.proof().await {
            Verification::Rejected(why) => why,
            other => panic!("{other:?}"),
        }
    }
}

/// A GitLab with these two jobs of a branch.
async fn jobs(branch: &str) -> (CiServer, Jobs) {
    let gitlab = CiServer::gitlab(TOKEN).await.unwrap();
    [45, 46].iter().for_each(|job| gitlab.set_job("7", *job, branch));
    let jobs = Jobs::of(CiSystem::Gitlab, &gitlab.url(), TOKEN, "feature-x");
    (gitlab, jobs)
}

#[tokio::test]
async fn a_job_replaces_what_one_of_the_same_branch_deployed() {
    let (gitlab, mut jobs) = jobs("feature/x").await;
    assert_eq!(jobs.proof().await, Verification::Confirmed);
    // What they ran for stays what it was while nobody can be asked, and when they are deleted.
    gitlab.remove_job("7", 45);
    assert_eq!(jobs.proof().await, Verification::Confirmed);
    gitlab.fail(Some(Fault::Status(503)));
    assert_eq!(jobs.proof().await, Verification::Confirmed);
}

#[tokio::test]
async fn a_job_of_another_branch_replaces_nothing() {
    let (gitlab, mut jobs) = jobs("feature/x").await;
    gitlab.set_job("7", 46, "main");
    let why = "job 46 of project 7 ran for branch `main`, commit a91957a858320c0e17f3a0eca7cfacbff50ea29a, not for \
               branch `feature-x`";
    assert_eq!(jobs.refuted().await, why);
}

#[tokio::test]
async fn two_branches_with_one_slug_are_two() {
    let (gitlab, mut jobs) = jobs("feature/x").await;
    gitlab.set_job("7", 46, "feature-x");
    let why = "job 46 of project 7 ran for branch `feature-x`, and job 45 of project 7 for branch `feature/x`";
    assert_eq!(jobs.refuted().await, why);
}

#[tokio::test]
async fn two_long_branches_that_begin_alike_are_two() {
    let begin = format!("feature/{}", "x".repeat(63));
    let gitlab = CiServer::gitlab(TOKEN).await.unwrap();
    gitlab.set_job("7", 45, &format!("{begin}-a"));
    gitlab.set_job("7", 46, &format!("{begin}-b"));
    let slug = format!("feature-{}", "x".repeat(55));
    let mut jobs = Jobs::of(CiSystem::Gitlab, &gitlab.url(), TOKEN, &slug);
    assert!(jobs.refuted().await.contains("-b`, and job 45"));
}

#[tokio::test]
async fn the_forms_of_a_merge_request_are_one() {
    let gitlab = CiServer::gitlab(TOKEN).await.unwrap();
    gitlab.set_job("7", 45, "refs/merge-requests/3/head");
    gitlab.set_job("7", 46, "refs/merge-requests/3/train");
    let by_request = SupersedeRules { by: vec![GroupBy::Mr], ..terms(CiSystem::Gitlab) };
    let mut jobs = Jobs { group: group(&by_request, "3"), ..Jobs::of(CiSystem::Gitlab, &gitlab.url(), TOKEN, "x") };
    assert_eq!(jobs.proof().await, Verification::Confirmed);
    gitlab.set_job("7", 45, "refs/merge-requests/4/head");
    assert!(jobs.refuted().await.ends_with("ran for merge request 3, and job 45 of project 7 for merge request 4"));
}

#[tokio::test]
async fn jobs_of_two_names_deploy_two_things() {
    let (gitlab, mut jobs) = jobs("feature/x").await;
    gitlab.tell(What::Job, "7", 46, &json!({"name": "deploy: [b]"}));
    let why = "job 46 of project 7 is called `deploy: [b]`, and job 45 of project 7 `deploy`";
    assert_eq!(jobs.refuted().await, why);
    // Whatever is not told is not known.
    gitlab.tell(What::Job, "7", 46, &json!({"name": null}));
    assert!(matches!(jobs.proof().await, Verification::Unknown(why) if why.contains("does not tell the name of both")));
}

#[tokio::test]
async fn what_was_retried_replaces_its_former_self() {
    let (gitlab, mut jobs) = jobs("feature/x").await;
    let of_one = json!({"pipeline": {"id": 9, "project_id": 7, "source": "parent_pipeline"}});
    [45, 46].iter().for_each(|job| gitlab.tell(What::Job, "7", *job, &of_one));
    assert_eq!(jobs.proof().await, Verification::Confirmed);
}

#[tokio::test]
async fn child_pipelines_of_one_commit_are_as_one_pipeline() {
    let (gitlab, mut jobs) = jobs("feature/x").await;
    let child = |id: u64| json!({"pipeline": {"id": id, "project_id": 7, "source": "parent_pipeline"}});
    gitlab.tell(What::Job, "7", 45, &child(9));
    gitlab.tell(What::Job, "7", 46, &child(10));
    let why = "job 46 of project 7 and job 45 of project 7 are of child pipelines of one commit";
    assert_eq!(jobs.refuted().await, why);
    gitlab.tell(What::Job, "7", 46, &json!({"commit": {"id": "b91957a858320c0e17f3a0eca7cfacbff50ea29a"}}));
    let Verification::Unknown(why) = jobs.proof().await else { panic!("of another commit it is not known") };
    assert!(why.contains("are of child pipelines"), "{why}");
}

#[tokio::test]
async fn where_numbers_and_times_disagree_neither_is_newer() {
    let (gitlab, mut jobs) = jobs("feature/x").await;
    // The older one was started by hand later.
    gitlab.tell(What::Job, "7", 45, &json!({"started_at": "2026-08-17T09:30:00.000Z"}));
    assert_eq!(jobs.proof().await, Verification::Confirmed, "where it is not told, the number alone counts");
    gitlab.tell(What::Job, "7", 46, &json!({"started_at": "2026-08-17T09:00:00.000Z"}));
    let why = "job 46 of project 7 has the greater number, and began before job 45 of project 7";
    assert_eq!(jobs.refuted().await, why);
    gitlab.tell(What::Job, "7", 45, &json!({"started_at": "2026-08-17T08:30:00.000Z"}));
    assert_eq!(jobs.proof().await, Verification::Confirmed);
}

#[tokio::test]
async fn a_job_that_was_never_found_proves_nothing() {
    let (gitlab, mut jobs) = jobs("feature/x").await;
    gitlab.remove_job("7", 45);
    assert_eq!(jobs.proof().await, Verification::Unknown("job 45 of project 7 is not found".to_owned()));
    // Whoever may not see it learns nothing of it.
    gitlab.close("7", true);
    assert!(matches!(jobs.proof().await, Verification::Unknown(_)));
}

#[tokio::test]
async fn while_it_is_ill_no_job_proves_anything() {
    let gitlab = CiServer::gitlab(TOKEN).await.unwrap();
    gitlab.set_job("7", 46, "main");
    gitlab.set_job("7", 45, "main");
    let faults = [
        Fault::Status(500),
        Fault::Status(401),
        Fault::Status(404),
        Fault::TooMany("1".to_owned()),
        Fault::Page(200),
        Fault::Page(404),
        Fault::Half,
        Fault::Other,
        Fault::Huge,
    ];
    for fault in faults {
        gitlab.fail(Some(fault.clone()));
        let mut jobs = Jobs::of(CiSystem::Gitlab, &gitlab.url(), TOKEN, "main");
        assert!(matches!(jobs.proof().await, Verification::Unknown(_)), "{fault:?}");
    }
}
