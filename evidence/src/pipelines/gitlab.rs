//! GitLab: pipelines by `GET /projects/:id/pipelines/:pipeline_id` (<https://docs.gitlab.com/api/pipelines/>), merge requests
//! by `GET /projects/:id/merge_requests/:merge_request_iid` (<https://docs.gitlab.com/api/merge_requests/>), jobs by
//! `GET /projects/:id/jobs/:job_id` (<https://docs.gitlab.com/api/jobs/>).

use lifecycle::{
    confirmation::RanFor,
    pipeline::{Kind, Origin},
};
use reqwest::{RequestBuilder, Url, header::ACCEPT};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{
    System,
    known::{There, is_name},
};
use crate::http::bounded;

#[derive(Debug)]
pub(super) struct Gitlab;

/// What it answers, as far as it is read.
#[derive(Deserialize)]
struct Answer {
    id: u64,
    /// By which a project's merge requests are counted; pipelines have it too, and it means nothing there.
    iid: Option<u64>,
    /// Of a pipeline.
    status: Option<String>,
    /// Of a merge request.
    state: Option<String>,
    /// Missing before GitLab 14.
    project_id: Option<u64>,
    web_url: Option<String>,
    /// Of a job: the branch, the tag, or the ref of a merge request.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Of a job: `ref` is a tag.
    tag: Option<bool>,
    /// Of a job.
    commit: Option<Commit>,
    /// Of a job.
    pipeline: Option<OfJob>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

/// A job's pipeline.
#[derive(Deserialize)]
struct OfJob {
    /// Missing before GitLab 13.
    project_id: Option<u64>,
}

#[derive(Deserialize)]
struct Project {
    id: u64,
}

/// The statuses of pipelines that may go on by themselves, or by somebody's hand.
const GO_ON: [&str; 9] = [
    "created",
    "waiting_for_resource",
    "waiting_for_callback",
    "preparing",
    "pending",
    "running",
    "manual",
    "scheduled",
    "canceling",
];

/// The statuses of pipelines that are over.
const OVER: [&str; 3] = ["success", "failed", "skipped"];

impl System for Gitlab {
    fn origin(&self, base: &Url, pipeline: &Origin) -> Url {
        let kind = match pipeline.kind {
            Kind::Pipeline => "pipelines",
            Kind::MergeRequest => "merge_requests",
            Kind::Job => "jobs",
        };
        below(base, &[&pipeline.project, kind, &pipeline.id.to_string()])
    }

    fn project(&self, base: &Url, pipeline: &Origin) -> Url {
        below(base, &[&pipeline.project])
    }

    fn prepare(&self, request: RequestBuilder, token: &SecretString) -> RequestBuilder {
        // Unlike `Authorization`, it takes personal, group and project tokens alike, in every version.
        request.header("PRIVATE-TOKEN", token.expose_secret()).header(ACCEPT, "application/json")
    }

    fn there(&self, base: &Url, pipeline: &Origin, body: &[u8]) -> Result<There, String> {
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| "the answer of GitLab has another shape than is known".to_owned())?;
        let projects = [answer.project_id, answer.pipeline.as_ref().and_then(|pipeline| pipeline.project_id)];
        let is_other_project = projects.into_iter().flatten().any(|id| id.to_string() != pipeline.project);
        let (id, status) = match pipeline.kind {
            Kind::Pipeline | Kind::Job => (Some(answer.id), answer.status),
            Kind::MergeRequest => (answer.iid, answer.state),
        };
        if id != Some(pipeline.id) || is_other_project {
            let what = if pipeline.kind == Kind::Job { "job" } else { "pipeline" };
            return Err(format!("the answer of GitLab is about another {what}"));
        }
        let ran_for = (pipeline.kind == Kind::Job).then(|| ran_for(answer.reference, answer.tag, answer.commit));
        let status = status.ok_or_else(|| "the answer of GitLab has another shape than is known".to_owned())?;
        let (is_cancelled, is_over) = match (pipeline.kind, status.as_str()) {
            (Kind::Pipeline, "canceled") | (Kind::MergeRequest, "merged" | "closed") => (true, true),
            (Kind::Pipeline, status) if OVER.contains(&status) => (false, true),
            (Kind::Pipeline, status) if GO_ON.contains(&status) => (false, false),
            // While it is merged it is locked for a moment.
            (Kind::MergeRequest, "opened" | "locked") => (false, false),
            // What became of it is nothing to whoever asks what it ran for.
            (Kind::Job, _) => (false, true),
            (_, status) => {
                let status = bounded(status).escape_debug();
                return Err(format!("GitLab says that {pipeline} is `{status}`, which nobody knows here"));
            }
        };
        let project = path(base, answer.web_url.as_deref()).unwrap_or_else(|| pipeline.project.clone());
        Ok(There { status: bounded(&status).to_owned(), is_cancelled, is_over, project, ran_for })
    }

    fn is_project(&self, pipeline: &Origin, body: &[u8]) -> bool {
        serde_json::from_slice::<Project>(body).is_ok_and(|project| project.id.to_string() == pipeline.project)
    }
}

/// What a job ran for. A tag is no branch, whatever it is called.
fn ran_for(reference: Option<String>, tag: Option<bool>, commit: Option<Commit>) -> RanFor {
    let commit = commit.map(|commit| commit.id).filter(|commit| is_name(commit));
    let reference = reference.filter(|reference| tag != Some(true) && is_name(reference));
    match reference.as_deref().and_then(|reference| reference.strip_prefix("refs/merge-requests/")) {
        // `refs/merge-requests/IID/head`, or `merge`, or `train`.
        Some(rest) => {
            let iid = rest.split('/').next().and_then(|iid| iid.parse().ok());
            RanFor { branch: None, commit, merge_requests: iid.into_iter().collect() }
        }
        None => RanFor { branch: reference, commit, merge_requests: Vec::new() },
    }
}

fn below(base: &Url, rest: &[&str]) -> Url {
    let mut url = base.clone();
    let mut path = url.path_segments_mut().expect("`http` and `https` have paths");
    path.pop_if_empty().extend(["api", "v4", "projects"]).extend(rest);
    drop(path);
    url
}

/// The path of the project, `group/app`, as it is in the address of a page.
fn path(base: &Url, page: Option<&str>) -> Option<String> {
    let page = Url::parse(page?).ok()?;
    let (project, _) = page.path().split_once("/-/")?;
    let project = project.strip_prefix(base.path().trim_end_matches('/')).unwrap_or(project);
    let project = project.trim_start_matches('/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    (!project.is_empty() && project.len() <= 256 && project.chars().all(is_plain)).then(|| project.to_owned())
}

#[cfg(test)]
mod tests {
    use lifecycle::pipeline::CiSystem;
    use serde_json::{Value, json};

    use super::*;

    fn base() -> Url {
        "https://example.org/gitlab/".parse().unwrap()
    }

    fn pipeline() -> Origin {
        Origin { system: CiSystem::Gitlab, project: "7".to_owned(), kind: Kind::Pipeline, id: 46 }
    }

    /// What a merge request of this state is found to be.
    fn merge_request(change: &Value) -> Result<There, String> {
        let mut answer = json!({
            "id": 155_016_530, "iid": 46, "project_id": 7, "title": "Add it", "state": "opened", "draft": false,
            "web_url": "https://example.org/gitlab/group/app/-/merge_requests/46", "merge_status": "can_be_merged",
        });
        answer.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let origin = Origin { kind: Kind::MergeRequest, ..pipeline() };
        Gitlab.there(&base(), &origin, answer.to_string().as_bytes())
    }

    #[test]
    fn a_merge_request_is_over_when_it_was_merged_or_closed() {
        for (state, expected) in [("opened", false), ("locked", false), ("merged", true), ("closed", true)] {
            let there = merge_request(&json!({"state": state})).unwrap();
            assert_eq!((there.is_cancelled, there.project.as_str()), (expected, "group/app"), "{state}");
        }
        assert!(merge_request(&json!({"state": "canceled"})).is_err());
        assert!(merge_request(&json!({"iid": 47})).is_err(), "another one");
        let address = "https://example.org/gitlab/api/v4/projects/7/merge_requests/46";
        assert_eq!(Gitlab.origin(&base(), &Origin { kind: Kind::MergeRequest, ..pipeline() }).as_str(), address);
    }

    /// What a job is found to be, as the documentation shows it, with this changed.
    fn job(change: &Value) -> Result<There, String> {
        let mut answer = json!({
            "id": 46, "status": "success", "stage": "deploy", "name": "deploy", "ref": "feature/x", "tag": false,
            "commit": {"id": "a91957a858320c0e17f3a0eca7cfacbff50ea29a", "short_id": "a91957a8", "title": "Add it"},
            "pipeline": {"id": 6, "project_id": 7, "ref": "feature/x", "sha": "0ff3ae198f8601a285adcf5c0fff204ee6fba5fd"},
            "web_url": "https://example.org/gitlab/group/app/-/jobs/46", "user": {"id": 1, "username": "root"},
        });
        answer.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let origin = Origin { kind: Kind::Job, ..pipeline() };
        Gitlab.there(&base(), &origin, answer.to_string().as_bytes())
    }

    #[test]
    fn a_job_says_what_it_ran_for() {
        let there = job(&json!({})).unwrap();
        assert_eq!((there.is_cancelled, there.is_over, there.project.as_str()), (false, true, "group/app"));
        let commit = Some("a91957a858320c0e17f3a0eca7cfacbff50ea29a".to_owned());
        let of = |change| job(&change).unwrap().ran_for.unwrap();
        let branch =
            |name: &str| RanFor { branch: Some(name.to_owned()), commit: commit.clone(), merge_requests: vec![] };
        assert_eq!(of(json!({})), branch("feature/x"));
        for reference in ["refs/merge-requests/3/head", "refs/merge-requests/3/train"] {
            let expected = RanFor { branch: None, commit: commit.clone(), merge_requests: vec![3] };
            assert_eq!(of(json!({"ref": reference})), expected, "{reference}");
        }
        let nothing = RanFor { commit: commit.clone(), ..RanFor::default() };
        assert_eq!(of(json!({"ref": "refs/merge-requests/x/head"})), nothing);
        assert_eq!(of(json!({"ref": "main", "tag": true})), nothing, "a tag is no branch");
        assert_eq!(of(json!({"ref": "x".repeat(5_000)})), nothing, "cut it would be another");
        assert_eq!(of(json!({"ref": null, "commit": null})), RanFor::default());
        for status in ["canceled", "failed", "whatever comes next"] {
            assert!(!job(&json!({"status": status})).unwrap().is_cancelled, "{status}");
        }
        assert_eq!(answer(&json!({})).unwrap().ran_for, None, "a pipeline is asked for something else");
        let address = "https://example.org/gitlab/api/v4/projects/7/jobs/46";
        assert_eq!(Gitlab.origin(&base(), &Origin { kind: Kind::Job, ..pipeline() }).as_str(), address);
    }

    #[test]
    fn an_answer_about_another_job_is_not_believed() {
        let why = "the answer of GitLab is about another job";
        assert_eq!(job(&json!({"id": 47})).unwrap_err(), why);
        assert_eq!(job(&json!({"pipeline": {"project_id": 8}})).unwrap_err(), why);
    }

    /// An answer as the documentation shows it, with this changed.
    fn answer(change: &Value) -> Result<There, String> {
        let mut answer = json!({
            "id": 46, "iid": 11, "project_id": 7, "name": "Build pipeline", "status": "success", "ref": "main",
            "sha": "a91957a858320c0e17f3a0eca7cfacbff50ea29a", "before_sha": "a91957a858320c0e17f3a0eca7cfacbff50ea29a",
            "tag": false, "yaml_errors": null, "user": {"name": "Administrator", "username": "root", "id": 1},
            "created_at": "2016-08-11T11:28:34.085Z", "updated_at": "2016-08-11T11:32:35.169Z", "started_at": null,
            "finished_at": "2016-08-11T11:32:35.145Z", "committed_at": null, "duration": 123.65, "queued_duration": 0.01,
            "coverage": "30.0", "web_url": "https://example.org/gitlab/group/app/-/pipelines/46",
        });
        answer.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        Gitlab.there(&base(), &pipeline(), answer.to_string().as_bytes())
    }

    #[test]
    fn addresses_are_below_where_it_is() {
        let address = "https://example.org/gitlab/api/v4/projects/7/pipelines/46";
        assert_eq!(Gitlab.origin(&base(), &pipeline()).as_str(), address);
        let address = "https://example.org/api/v4/projects/7";
        assert_eq!(Gitlab.project(&"https://example.org".parse().unwrap(), &pipeline()).as_str(), address);
    }

    #[test]
    fn only_canceled_is_cancelled() {
        for status in GO_ON.iter().chain(&OVER).chain(&["canceled"]) {
            let there = answer(&json!({"status": status})).unwrap();
            assert_eq!(there.is_cancelled, *status == "canceled", "{status}");
            assert_eq!(there.is_over, !GO_ON.contains(status), "{status}");
        }
        let why = answer(&json!({"status": "cancelled`"})).unwrap_err();
        assert_eq!(why, "GitLab says that pipeline 46 of project 7 is `cancelled``, which nobody knows here");
    }

    #[test]
    fn an_answer_about_another_pipeline_is_not_believed() {
        let why = "the answer of GitLab is about another pipeline";
        assert_eq!(answer(&json!({"id": 47})).unwrap_err(), why);
        assert_eq!(answer(&json!({"project_id": 8})).unwrap_err(), why);
        let why = "the answer of GitLab has another shape than is known";
        assert_eq!(answer(&json!({"status": null})).unwrap_err(), why);
        assert!(!Gitlab.is_project(&pipeline(), b"{\"id\": 8}"));
        assert!(Gitlab.is_project(&pipeline(), b"{\"id\": 7, \"path_with_namespace\": \"group/app\"}"));
    }

    #[test]
    fn a_project_is_called_as_people_know_it() {
        assert_eq!(answer(&json!({})).unwrap().project, "group/app");
        for page in
            [json!(null), json!("x"), json!("https://example.org/a%20b/-/pipelines/46"), json!("https://e.org/")]
        {
            assert_eq!(answer(&json!({"web_url": page})).unwrap().project, "7");
        }
    }
}
