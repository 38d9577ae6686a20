//! GitHub: workflow runs by `GET /repos/{owner}/{repo}/actions/runs/{run_id}`
//! (<https://docs.github.com/rest/actions/workflow-runs>), pull requests by `GET /repos/{owner}/{repo}/pulls/{pull_number}`
//! (<https://docs.github.com/rest/pulls/pulls>). The runs of a branch are listed by
//! `GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs`.

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    ci_verification::{JobContext, Reference},
    pipeline::{CiObjectKind, CiObjectRef},
    time::between,
};
use reqwest::{RequestBuilder, Url, header::ACCEPT};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    System,
    sequel::{List, Listed},
    state::{RunsFor, Source, There, is_name},
};
use crate::http::bounded;

/// The version of the API whose answers are read.
const VERSION: &str = "2022-11-28";

#[derive(Debug)]
pub(super) struct Github;

/// What it answers, as far as it is read.
#[derive(Deserialize)]
struct Run {
    id: u64,
    status: String,
    conclusion: Option<String>,
    repository: Repository,
    head_branch: Option<String>,
    head_sha: Option<String>,
    /// Where `head_branch` is: a fork has a `main`, too.
    head_repository: Option<Repository>,
    pull_requests: Option<Vec<OfRun>>,
    /// What started it.
    event: Option<String>,
    workflow_id: Option<u64>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    /// Of its last attempt.
    run_started_at: Option<Timestamp>,
}

/// A list of runs.
#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<Run>,
}

/// A pull request that a run is for. Of forks none is named.
#[derive(Deserialize)]
struct OfRun {
    number: u64,
    base: OfRunBase,
}

#[derive(Deserialize)]
struct OfRunBase {
    repo: Id,
}

#[derive(Deserialize)]
struct Id {
    id: u64,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    state: String,
    merged: bool,
    base: Base,
    head: Option<Head>,
    merged_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// `null` where the fork is gone.
    repo: Option<Id>,
}

#[derive(Deserialize)]
struct Base {
    repo: Repository,
}

#[derive(Deserialize)]
struct Repository {
    #[serde(default)]
    id: u64,
    full_name: String,
}

/// The most pull requests of one run that are kept.
const MAX_PULLS: usize = 32;

/// How many runs are listed at once: more the server does not list.
const PER_PAGE: usize = 100;

/// How old a run may be that is run again.
const RERUN_WITHIN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What starts runs of the branch that they are about. What everything else starts is of a branch whatever it deploys: of the
/// default branch, or of the one that its starter chooses beside what it is to deploy
/// (<https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows>).
const OF_THEIR_BRANCH: [&str; 8] = [
    "create",
    "merge_group",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_target",
    "push",
    "release",
];

/// The status of a run that waits for a person.
const HELD: &str = "waiting";

/// The statuses of runs that are not over.
const GO_ON: [&str; 5] = ["queued", "in_progress", "requested", "waiting", "pending"];

/// The conclusions of runs that are over and were not cancelled.
const FINISHED: [&str; 8] =
    ["success", "failure", "neutral", "skipped", "timed_out", "action_required", "stale", "startup_failure"];

impl System for Github {
    fn origin(&self, base: &Url, pipeline: &CiObjectRef) -> Url {
        let id = pipeline.id.to_string();
        match pipeline.kind {
            CiObjectKind::Pipeline | CiObjectKind::Job => below(base, pipeline, &["actions", "runs", &id]),
            CiObjectKind::MergeRequest => below(base, pipeline, &["pulls", &id]),
        }
    }

    fn project(&self, base: &Url, pipeline: &CiObjectRef) -> Url {
        below(base, pipeline, &[])
    }

    fn prepare(&self, request: RequestBuilder, token: &SecretString) -> RequestBuilder {
        let request = request.bearer_auth(token.expose_secret()).header("X-GitHub-Api-Version", VERSION);
        request.header(ACCEPT, "application/vnd.github+json")
    }

    fn there(&self, _: &Url, pipeline: &CiObjectRef, body: &[u8]) -> Result<There, String> {
        match pipeline.kind {
            CiObjectKind::Pipeline | CiObjectKind::Job => run(pipeline, body),
            CiObjectKind::MergeRequest => pull(pipeline, body),
        }
    }

    fn is_project(&self, pipeline: &CiObjectRef, id: Option<u64>, body: &[u8]) -> bool {
        // Its name may have been given again.
        let is_it = |found: &Repository| id.zip(id_of(found)).is_none_or(|(id, found)| id == found);
        serde_json::from_slice::<Repository>(body).is_ok_and(|found| is_called(&found, pipeline) && is_it(&found))
    }

    fn lists(&self, base: &Url, pipeline: &CiObjectRef, runs_for: &RunsFor) -> Vec<Url> {
        let (Reference::Branch(branch), Some(workflow)) = (&runs_for.reference, runs_for.workflow_id) else {
            return Vec::new();
        };
        let mut url = below(base, pipeline, &["actions", "workflows", &workflow.to_string(), "runs"]);
        url.query_pairs_mut().append_pair("branch", branch).append_pair("per_page", &PER_PAGE.to_string());
        vec![url]
    }

    fn list(&self, pipeline: &CiObjectRef, _: &There, body: &[u8], at: Timestamp) -> Result<List, String> {
        let all: Runs = read(body)?;
        let listed = |run: &Run| Listed {
            id: run.id,
            is_cancelled: run.conclusion.as_deref() == Some("cancelled"),
            is_under_way: run.conclusion.is_none() && run.status != HELD,
            changed_at: run.updated_at.max(run.run_started_at),
            status: bounded(run.conclusion.as_ref().unwrap_or(&run.status)).to_owned(),
            runs_for: runs_for(run),
        };
        let all = all.workflow_runs;
        // The newest come first; those beyond the end cannot be run again.
        let is_last = |run: &Run| run.created_at.is_some_and(|created| between(created, at) > RERUN_WITHIN);
        let is_whole = all.len() < PER_PAGE || all.last().is_some_and(is_last);
        let own = all.iter().filter(|run| is_called(&run.repository, pipeline));
        Ok(List { pipelines: own.map(listed).collect(), is_whole })
    }
}

/// What a run is for: a branch, of the repository or of a fork of it.
fn runs_for(run: &Run) -> Option<RunsFor> {
    Some(RunsFor {
        reference: Reference::Branch(run.head_branch.clone().filter(|branch| is_name(branch))?),
        source_id: run.head_repository.as_ref().and_then(id_of),
        workflow_id: Some(run.workflow_id?),
        is_child: false,
    })
}

fn run(pipeline: &CiObjectRef, body: &[u8]) -> Result<There, String> {
    let run: Run = read(body)?;
    if run.id != pipeline.id || !is_called(&run.repository, pipeline) {
        return Err("the answer of GitHub is about another workflow run".to_owned());
    }
    let ran_for = (pipeline.kind == CiObjectKind::Job).then(|| ran_for(&run));
    let (is_cancelled, is_over) = match (run.status.as_str(), run.conclusion.as_deref()) {
        // Its outcome does not matter to a caller that asks what it ran for.
        _ if ran_for.is_some() => (false, true),
        ("completed", Some("cancelled")) => (true, true),
        ("completed", Some(conclusion)) if FINISHED.contains(&conclusion) => (false, true),
        (status, None) if GO_ON.contains(&status) => (false, false),
        (status, conclusion) => {
            let said = [status, conclusion.unwrap_or("no conclusion")].join(", ");
            let said = bounded(&said).escape_debug();
            return Err(format!("GitHub says that {pipeline} is `{said}`, which nobody knows here"));
        }
    };
    Ok(There {
        is_held: run.conclusion.is_none() && run.status == HELD,
        status: bounded(run.conclusion.as_ref().unwrap_or(&run.status)).to_owned(),
        is_cancelled,
        is_over,
        project_id: id_of(&run.repository),
        runs_for: runs_for(&run).filter(|_| pipeline.kind == CiObjectKind::Pipeline),
        created_at: run.created_at,
        began_at: run.run_started_at.or(run.created_at),
        project: run.repository.full_name,
        ran_for,
        ..There::default()
    })
}

fn id_of(repository: &Repository) -> Option<u64> {
    Some(repository.id).filter(|id| *id > 0)
}

/// What a run is for.
fn ran_for(run: &Run) -> JobContext {
    let is_own =
        run.head_repository.as_ref().is_some_and(|head| head.full_name.eq_ignore_ascii_case(&run.repository.full_name));
    let own = run.pull_requests.iter().flatten().filter(|pull| pull.base.repo.id == run.repository.id);
    JobContext {
        branch: run.head_branch.clone().filter(|branch| is_own && is_name(branch)),
        commit: run.head_sha.clone().filter(|commit| is_name(commit)),
        merge_requests: own.map(|pull| pull.number).take(MAX_PULLS).collect(),
        reference: run.head_branch.clone().filter(|branch| is_name(branch)).map(Reference::Branch),
        source_id: run.head_repository.as_ref().and_then(id_of),
        project_id: id_of(&run.repository),
        name: run.workflow_id.map(|id| id.to_string()),
        pipeline: Some(run.id),
        is_child: false,
        started_at: run.run_started_at,
        started_by: Some(run.event.as_deref().map_or("something that is not told", bounded))
            .filter(|event| !OF_THEIR_BRANCH.contains(event))
            .map(str::to_owned),
    }
}

fn pull(pipeline: &CiObjectRef, body: &[u8]) -> Result<There, String> {
    let pull: Pull = read(body)?;
    if pull.number != pipeline.id || !is_called(&pull.base.repo, pipeline) {
        return Err("the answer of GitHub is about another pull request".to_owned());
    }
    let (status, is_over) = match (pull.state.as_str(), pull.merged) {
        ("open", false) => ("open", false),
        ("closed", false) => ("closed", true),
        ("closed", true) => ("merged", true),
        (state, _) => {
            let state = bounded(state).escape_debug();
            return Err(format!("GitHub says that {pipeline} is `{state}`, which nobody knows here"));
        }
    };
    let head = pull.head.and_then(|head| head.reference.filter(|branch| is_name(branch)).zip(head.repo));
    Ok(There {
        status: status.to_owned(),
        is_cancelled: is_over,
        is_over,
        project_id: id_of(&pull.base.repo),
        project: pull.base.repo.full_name,
        ended_at: pull.merged_at.or(pull.closed_at),
        sources: head.map(|(branch, repo)| Source { branch, project_id: repo.id }).into_iter().collect(),
        ..There::default()
    })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|_| "the answer of GitHub has another shape than is known".to_owned())
}

fn is_called(repository: &Repository, pipeline: &CiObjectRef) -> bool {
    repository.full_name.eq_ignore_ascii_case(&pipeline.project)
}

fn below(base: &Url, pipeline: &CiObjectRef, rest: &[&str]) -> Url {
    let mut url = base.clone();
    let mut path = url.path_segments_mut().expect("`http` and `https` have paths");
    path.pop_if_empty().push("repos").extend(pipeline.project.split('/')).extend(rest);
    drop(path);
    url
}

#[cfg(test)]
mod tests {
    use lifecycle::pipeline::CiSystem;
    use serde_json::{Value, json};

    use super::*;

    fn pipeline() -> CiObjectRef {
        CiObjectRef {
            system: CiSystem::Github,
            project: "octo-org/hello-world".to_owned(),
            kind: CiObjectKind::Pipeline,
            id: 30_433_642,
        }
    }

    #[test]
    fn a_pull_request_is_over_when_it_was_merged_or_closed() {
        let origin = CiObjectRef { kind: CiObjectKind::MergeRequest, id: 1347, ..pipeline() };
        let base: Url = "https://api.github.com".parse().unwrap();
        let pull = |number: u64, state: &str, merged: bool| {
            let repo = json!({"id": 1_296_269, "full_name": "octo-org/Hello-World"});
            let answer = json!({"id": 1, "number": number, "state": state, "merged": merged, "base": {"repo": repo}, "head": null});
            Github.there(&base, &origin, answer.to_string().as_bytes()).map(|there| (there.status, there.is_cancelled))
        };
        assert_eq!(pull(1347, "open", false).unwrap(), ("open".to_owned(), false));
        assert_eq!(pull(1347, "closed", false).unwrap(), ("closed".to_owned(), true));
        assert_eq!(pull(1347, "closed", true).unwrap(), ("merged".to_owned(), true));
        assert!(pull(1347, "open", true).is_err());
        assert!(pull(1348, "closed", true).is_err(), "another one");
        let address = "https://api.github.com/repos/octo-org/hello-world/pulls/1347";
        assert_eq!(Github.origin(&base, &origin).as_str(), address);
    }

    #[test]
    fn a_pull_request_says_which_branch_of_which_repository_it_brings_in_and_when_it_ended() {
        let origin = CiObjectRef { kind: CiObjectKind::MergeRequest, id: 1347, ..pipeline() };
        let pull = |change: Value| {
            let repo = |id| json!({"id": id, "full_name": "octo-org/Hello-World"});
            let mut answer = json!({
                "number": 1347, "state": "closed", "merged": true, "base": {"repo": repo(1_296_269)},
                "head": {"ref": "feature/x", "repo": repo(2)}, "merged_at": "2026-08-17T10:00:00Z",
                "closed_at": "2026-08-17T10:00:01Z",
            });
            answer.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let base: Url = "https://api.github.com".parse().unwrap();
            Github.there(&base, &origin, answer.to_string().as_bytes()).unwrap()
        };
        let there = pull(json!({}));
        assert_eq!(there.sources, [Source { branch: "feature/x".to_owned(), project_id: 2 }]);
        assert_eq!((there.project_id, there.ended_at), (Some(1_296_269), "2026-08-17T10:00:00Z".parse().ok()));
        let closed = pull(json!({"merged": false, "merged_at": null}));
        assert_eq!(closed.ended_at, "2026-08-17T10:00:01Z".parse().ok());
        for head in [json!(null), json!({"ref": "feature/x", "repo": null}), json!({"ref": null, "repo": {"id": 2}})] {
            assert_eq!(pull(json!({"head": head})).sources, [], "the fork is gone");
        }
    }

    /// An answer as the documentation shows it, with this changed.
    fn answer(change: &Value) -> Result<There, String> {
        let mut answer = json!({
            "id": 30_433_642, "name": "Build", "node_id": "MDEyOldvcmtmbG93IFJ1bjI2OTI4OQ==", "check_suite_id": 42,
            "head_branch": "main", "head_sha": "acb5820ced9479c074f688cc328bf03f341a511d", "run_number": 562,
            "event": "push", "status": "completed", "conclusion": "success", "workflow_id": 159_038,
            "html_url": "https://github.com/octo-org/Hello-World/actions/runs/30433642", "pull_requests": [],
            "created_at": "2020-01-22T19:33:08Z", "updated_at": "2020-01-22T19:33:08Z", "run_attempt": 1,
            "repository": {"id": 1_296_269, "name": "Hello-World", "full_name": "octo-org/Hello-World"},
        });
        answer.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        Github.there(&"https://api.github.com".parse().unwrap(), &pipeline(), answer.to_string().as_bytes())
    }

    #[test]
    fn a_run_says_what_it_is_for() {
        let job = |change: Value| {
            let own = json!({"id": 1_296_269, "name": "Hello-World", "full_name": "octo-org/Hello-World"});
            let mut answer = json!({
                "id": 30_433_642, "head_branch": "feature/x", "head_sha": "acb5820ced9479c074f688cc328bf03f341a511d",
                "status": "completed", "conclusion": "whatever comes next", "repository": own, "head_repository": own,
                "workflow_id": 9, "run_started_at": "2026-08-17T10:00:00Z", "event": "push",
                "pull_requests": [{"id": 1, "number": 3, "base": {"ref": "main", "repo": {"id": 1_296_269, "url": "u"}}}],
            });
            answer.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let origin = CiObjectRef { kind: CiObjectKind::Job, ..pipeline() };
            let base: Url = "https://api.github.com".parse().unwrap();
            Github.there(&base, &origin, answer.to_string().as_bytes()).unwrap().ran_for.unwrap()
        };
        let commit = Some("acb5820ced9479c074f688cc328bf03f341a511d".to_owned());
        let name = || Some("feature/x".to_owned());
        let all = JobContext {
            branch: name(),
            commit,
            merge_requests: vec![3],
            reference: name().map(Reference::Branch),
            source_id: Some(1_296_269),
            project_id: Some(1_296_269),
            name: Some("9".to_owned()),
            pipeline: Some(30_433_642),
            is_child: false,
            started_at: "2026-08-17T10:00:00Z".parse().ok(),
            started_by: None,
        };
        assert_eq!(job(json!({})), all);
        for event in [
            "workflow_run",
            "workflow_dispatch",
            "schedule",
            "deployment",
            "issue_comment",
            "repository_dispatch",
            "whatever comes next",
        ] {
            let started_by = Some(event.to_owned());
            assert_eq!(job(json!({"event": event})), JobContext { started_by, ..all.clone() });
        }
        assert!(job(json!({"event": null})).started_by.is_some(), "what is not told is not known");
        for (fork, id) in [(json!({"id": 2, "full_name": "somebody/hello-world"}), Some(2)), (json!(null), None)] {
            let found = job(json!({"head_repository": fork}));
            let expected = JobContext { branch: None, source_id: id, ..all.clone() };
            assert_eq!(found, expected, "a fork's branch is another");
        }
        let other = json!([{"number": 3, "base": {"repo": {"id": 2}}}]);
        for none in [json!(null), json!([]), other] {
            assert_eq!(job(json!({"pull_requests": none})), JobContext { merge_requests: vec![], ..all.clone() });
        }
        let nothing = json!({"head_branch": null, "head_sha": "x".repeat(5_000), "pull_requests": null});
        let known = JobContext { branch: None, commit: None, merge_requests: vec![], reference: None, ..all };
        assert_eq!(job(nothing), known);
        assert_eq!(answer(&json!({})).unwrap().ran_for, None, "a pipeline is queried for something else");
    }

    #[test]
    fn a_run_says_of_which_branch_and_workflow_it_is() {
        let there = answer(&json!({"head_repository": {"id": 2, "full_name": "somebody/hello-world"}})).unwrap();
        let reference = Reference::Branch("main".to_owned());
        let runs_for = RunsFor { reference, source_id: Some(2), workflow_id: Some(159_038), is_child: false };
        assert_eq!((there.runs_for, there.project_id), (Some(runs_for.clone()), Some(1_296_269)));
        let again = answer(&json!({"run_started_at": "2020-02-01T00:00:00Z", "workflow_id": null})).unwrap();
        assert_eq!(again.created_at, "2020-01-22T19:33:08Z".parse().ok());
        assert_eq!((again.began_at, again.runs_for), ("2020-02-01T00:00:00Z".parse().ok(), None));
        let waits = answer(&json!({"status": "waiting", "conclusion": null})).unwrap();
        assert!(waits.is_held && !waits.is_under_way());
        let base: Url = "https://api.github.com".parse().unwrap();
        let lists = Github.lists(&base, &pipeline(), &runs_for);
        let runs =
            "https://api.github.com/repos/octo-org/hello-world/actions/workflows/159038/runs?branch=main&per_page=100";
        assert_eq!(lists.iter().map(Url::as_str).collect::<Vec<_>>(), [runs]);
    }

    #[test]
    fn a_list_of_runs_is_whole_where_what_is_beyond_its_end_cannot_be_run_again() {
        let run = |id: u64, created: &str| {
            let own = json!({"id": 1_296_269, "full_name": "octo-org/Hello-World"});
            json!({"id": id, "status": "completed", "conclusion": "success", "head_branch": "main", "head_sha": "a",
                "workflow_id": 9, "repository": own, "head_repository": own, "created_at": created})
        };
        let now = "2026-08-17T10:00:00Z".parse().unwrap();
        let there = answer(&json!({})).unwrap();
        let list = |runs: Vec<Value>| {
            let body = json!({"total_count": 1_000, "workflow_runs": runs}).to_string();
            Github.list(&pipeline(), &there, body.as_bytes(), now).unwrap()
        };
        assert!(list(vec![run(1, "2026-08-17T09:00:00Z")]).is_whole);
        let full = |last: &str| {
            let mut all = vec![run(2, "2026-08-17T09:00:00Z"); PER_PAGE - 1];
            all.push(run(1, last));
            list(all).is_whole
        };
        assert!(full("2026-07-18T09:59:59Z") && !full("2026-07-18T10:00:00Z"));
        let other = json!({"id": 3, "full_name": "octo-org/other"});
        let mut foreign = run(2, "2026-08-17T09:00:00Z");
        foreign["repository"] = other;
        assert_eq!(list(vec![foreign]).pipelines, [], "of another repository");
    }

    #[test]
    fn addresses_are_below_where_it_is() {
        let base: Url = "https://github.example.org/api/v3".parse().unwrap();
        let repository = "https://github.example.org/api/v3/repos/octo-org/hello-world";
        assert_eq!(Github.project(&base, &pipeline()).as_str(), repository);
        assert_eq!(Github.origin(&base, &pipeline()).as_str(), format!("{repository}/actions/runs/30433642"));
    }

    #[test]
    fn only_what_ended_so_is_cancelled() {
        for conclusion in FINISHED.iter().chain(&["cancelled"]) {
            let there = answer(&json!({"conclusion": conclusion})).unwrap();
            assert_eq!((there.is_cancelled, there.is_over), (*conclusion == "cancelled", true), "{conclusion}");
        }
        for status in GO_ON {
            let there = answer(&json!({"status": status, "conclusion": null})).unwrap();
            assert_eq!((there.is_cancelled, there.is_over, there.status.as_str()), (false, false, status));
        }
        for other in [
            json!({"conclusion": null}),
            json!({"conclusion": "canceled"}),
            json!({"status": "queued", "conclusion": "cancelled"}),
        ] {
            let why = answer(&other).unwrap_err();
            assert!(why.ends_with("which nobody knows here"), "{why}");
        }
    }

    #[test]
    fn an_answer_about_another_run_is_not_believed() {
        let why = "the answer of GitHub is about another workflow run";
        assert_eq!(answer(&json!({"id": 1})).unwrap_err(), why);
        assert_eq!(answer(&json!({"repository": {"full_name": "octo-org/other"}})).unwrap_err(), why);
        assert!(!Github.is_project(&pipeline(), None, b"{\"full_name\": \"octo-org/other\"}"));
        assert!(Github.is_project(&pipeline(), None, b"{\"full_name\": \"Octo-Org/Hello-World\"}"));
        let is_project = |id| {
            let body = b"{\"id\": 7, \"full_name\": \"octo-org/hello-world\"}";
            Github.is_project(&pipeline(), id, body)
        };
        assert!(is_project(None) && is_project(Some(7)));
        assert!(!is_project(Some(8)), "its name was given again");
    }
}
