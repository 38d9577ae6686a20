//! GitLab: pipelines by `GET /projects/:id/pipelines/:pipeline_id` (<https://docs.gitlab.com/api/pipelines/>), merge requests
//! by `GET /projects/:id/merge_requests/:merge_request_iid` (<https://docs.gitlab.com/api/merge_requests/>), jobs by
//! `GET /projects/:id/jobs/:job_id` (<https://docs.gitlab.com/api/jobs/>). The pipelines of a branch are listed by
//! `GET /projects/:id/pipelines`, those of a merge request by `GET /projects/:id/merge_requests/:merge_request_iid/pipelines`.

use jiff::Timestamp;
use lifecycle::{
    ci_verification::{JobContext, Reference},
    pipeline::{CiObjectKind, CiObjectRef},
};
use reqwest::{RequestBuilder, Url, header::ACCEPT};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{
    System,
    sequel::{List, Listed},
    state::{RunsFor, Source, There, is_name},
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
    /// Of a job or a pipeline: the branch, the tag, or the ref of a merge request.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Of a job or a pipeline: `ref` is a tag.
    tag: Option<bool>,
    /// Of a job.
    name: Option<String>,
    /// Of a job.
    commit: Option<Commit>,
    /// Of a job.
    pipeline: Option<OfJob>,
    /// Of a pipeline: what started it.
    source: Option<String>,
    created_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    /// Of a merge request.
    source_branch: Option<String>,
    /// Of a merge request; `null` where the fork is gone.
    source_project_id: Option<u64>,
    merged_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
}

/// A pipeline in a list.
#[derive(Deserialize)]
struct InList {
    id: u64,
    project_id: Option<u64>,
    status: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

/// A job's pipeline.
#[derive(Deserialize)]
struct OfJob {
    id: Option<u64>,
    /// Missing before GitLab 13.
    project_id: Option<u64>,
    source: Option<String>,
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

/// The statuses among them of those that wait for a person, or for a time that one set.
const HELD: [&str; 2] = ["manual", "scheduled"];

/// What starts a pipeline that another one starts.
const CHILD: &str = "parent_pipeline";

/// What starts pipelines of the branch or the merge request that they are about. What everything else starts (a person with variables,
/// a schedule, the API, a trigger, a pipeline of another project, a chat) is of a branch whatever it deploys
/// (<https://docs.gitlab.com/ci/variables/predefined_variables/>, `CI_PIPELINE_SOURCE`).
const OF_THEIR_BRANCH: [&str; 5] = ["push", "webide", "merge_request_event", "external_pull_request_event", CHILD];

/// How many pipelines are listed at once: more the server does not list.
const PER_PAGE: usize = 100;

/// The statuses of pipelines that are over.
const FINISHED: [&str; 3] = ["success", "failed", "skipped"];

impl System for Gitlab {
    fn origin(&self, base: &Url, pipeline: &CiObjectRef) -> Url {
        let kind = match pipeline.kind {
            CiObjectKind::Pipeline => "pipelines",
            CiObjectKind::MergeRequest => "merge_requests",
            CiObjectKind::Job => "jobs",
        };
        below(base, &[&pipeline.project, kind, &pipeline.id.to_string()])
    }

    fn project(&self, base: &Url, pipeline: &CiObjectRef) -> Url {
        below(base, &[&pipeline.project])
    }

    fn prepare(&self, request: RequestBuilder, token: &SecretString) -> RequestBuilder {
        // Unlike `Authorization`, it takes personal, group and project tokens alike, in every version.
        request.header("PRIVATE-TOKEN", token.expose_secret()).header(ACCEPT, "application/json")
    }

    fn there(&self, base: &Url, pipeline: &CiObjectRef, body: &[u8]) -> Result<There, String> {
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| "the answer of GitLab has another shape than is known".to_owned())?;
        let projects = [answer.project_id, answer.pipeline.as_ref().and_then(|pipeline| pipeline.project_id)];
        let is_other_project = projects.into_iter().flatten().any(|id| id.to_string() != pipeline.project);
        let (id, status) = match pipeline.kind {
            CiObjectKind::Pipeline | CiObjectKind::Job => (Some(answer.id), answer.status.clone()),
            CiObjectKind::MergeRequest => (answer.iid, answer.state.clone()),
        };
        if id != Some(pipeline.id) || is_other_project {
            let what = if pipeline.kind == CiObjectKind::Job { "job" } else { "pipeline" };
            return Err(format!("the answer of GitLab is about another {what}"));
        }
        let project_id = pipeline.project.parse().ok();
        let reference = answer.reference.as_deref().and_then(|name| reference(name, answer.tag == Some(true)));
        let ran_for = (pipeline.kind == CiObjectKind::Job).then(|| ran_for(&answer, reference.clone(), project_id));
        let runs_for = reference.filter(|_| pipeline.kind == CiObjectKind::Pipeline).map(|reference| RunsFor {
            reference,
            source_id: project_id,
            workflow_id: None,
            is_child: answer.source.as_deref() == Some(CHILD),
        });
        let source = answer.source_branch.filter(|branch| is_name(branch)).zip(answer.source_project_id);
        let status = status.ok_or_else(|| "the answer of GitLab has another shape than is known".to_owned())?;
        let (is_cancelled, is_over) = match (pipeline.kind, status.as_str()) {
            (CiObjectKind::Pipeline, "canceled") | (CiObjectKind::MergeRequest, "merged" | "closed") => (true, true),
            (CiObjectKind::Pipeline, status) if FINISHED.contains(&status) => (false, true),
            (CiObjectKind::Pipeline, status) if GO_ON.contains(&status) => (false, false),
            // While it is merged it is locked for a moment.
            (CiObjectKind::MergeRequest, "opened" | "locked") => (false, false),
            // Its outcome does not matter to a caller that asks what it ran for.
            (CiObjectKind::Job, _) => (false, true),
            (_, status) => {
                let status = bounded(status).escape_debug();
                return Err(format!("GitLab says that {pipeline} is `{status}`, which nobody knows here"));
            }
        };
        let project = path(base, answer.web_url.as_deref()).unwrap_or_else(|| pipeline.project.clone());
        Ok(There {
            is_held: pipeline.kind == CiObjectKind::Pipeline && HELD.contains(&status.as_str()),
            status: bounded(&status).to_owned(),
            is_cancelled,
            is_over,
            project,
            project_id,
            ran_for,
            runs_for,
            created_at: answer.created_at,
            began_at: answer.created_at.filter(|_| pipeline.kind == CiObjectKind::Pipeline),
            ended_at: answer.merged_at.or(answer.closed_at),
            sources: source.map(|(branch, project_id)| Source { branch, project_id }).into_iter().collect(),
            sequel: None,
        })
    }

    fn is_project(&self, pipeline: &CiObjectRef, _: Option<u64>, body: &[u8]) -> bool {
        serde_json::from_slice::<Project>(body).is_ok_and(|project| project.id.to_string() == pipeline.project)
    }

    /// Those of a branch are queried by when they changed last: one that runs again comes first, however old it is. Children
    /// are in a list of their own; of a child both are queried, for the one that goes on with it may be yet to begin, and
    /// its parent is there already.
    fn lists(&self, base: &Url, pipeline: &CiObjectRef, runs_for: &RunsFor) -> Vec<Url> {
        let per_page = ("per_page", PER_PAGE.to_string());
        let all = |reference: &str, of_children: bool| {
            let mut url = below(base, &[&pipeline.project, "pipelines"]);
            let order = [("ref", reference), ("order_by", "updated_at"), ("sort", "desc")];
            url.query_pairs_mut().extend_pairs(order).append_pair(per_page.0, &per_page.1);
            if of_children {
                url.query_pairs_mut().append_pair("source", CHILD);
            }
            url
        };
        let (others, children) = match &runs_for.reference {
            Reference::Branch(name) | Reference::Tag(name) => (all(name, false), vec![all(name, true)]),
            Reference::MergeRequest(iid) => {
                let mut url = below(base, &[&pipeline.project, "merge_requests", &iid.to_string(), "pipelines"]);
                url.query_pairs_mut().append_pair(per_page.0, &per_page.1);
                (url, FORMS.map(|form| all(&format!("{OF_MERGE_REQUESTS}{iid}/{form}"), true)).into())
            }
        };
        std::iter::once(others).chain(children.into_iter().filter(|_| runs_for.is_child)).collect()
    }

    fn list(&self, pipeline: &CiObjectRef, there: &There, body: &[u8], _: Timestamp) -> Result<List, String> {
        let all: Vec<InList> = serde_json::from_slice(body)
            .map_err(|_| "the list of pipelines of GitLab has another shape than is known".to_owned())?;
        let is_tag = matches!(there.runs_for, Some(RunsFor { reference: Reference::Tag(_), .. }));
        let own = pipeline.project.parse().ok();
        let listed = |one: &InList| Listed {
            id: one.id,
            is_cancelled: one.status == "canceled",
            is_under_way: !FINISHED.contains(&one.status.as_str())
                && one.status != "canceled"
                && !HELD.contains(&one.status.as_str()),
            changed_at: one.updated_at,
            status: bounded(&one.status).to_owned(),
            // A list does not tell tags from branches, which seldom have one name.
            runs_for: one.reference.as_deref().and_then(|name| reference(name, is_tag)).map(|reference| RunsFor {
                reference,
                source_id: one.project_id.or(own),
                workflow_id: None,
                is_child: false,
            }),
        };
        // Who is beyond the end changed before the pipeline was created, so that it is older and does not run again.
        let begin = there.created_at;
        let is_last = |one: &InList| one.updated_at.or(one.created_at).zip(begin).is_some_and(|(at, begin)| at < begin);
        let is_whole = all.len() < PER_PAGE || all.last().is_some_and(is_last);
        Ok(List { pipelines: all.iter().map(listed).collect(), is_whole })
    }
}

/// How the refs of merge requests begin, and how they end: all of one are of the same merge request.
const OF_MERGE_REQUESTS: &str = "refs/merge-requests/";
const FORMS: [&str; 3] = ["head", "merge", "train"];

/// What a ref is; `None`: it cannot be kept, or is none that is known.
fn reference(name: &str, is_tag: bool) -> Option<Reference> {
    let name = Some(name).filter(|name| is_name(name))?;
    Some(match name.strip_prefix(OF_MERGE_REQUESTS) {
        _ if is_tag => Reference::Tag(name.to_owned()),
        Some(rest) => {
            let (iid, form) = rest.split_once('/')?;
            Reference::MergeRequest(iid.parse().ok().filter(|_| FORMS.contains(&form))?)
        }
        None => Reference::Branch(name.to_owned()),
    })
}

/// What a job ran for. A tag is no branch, whatever it is called.
fn ran_for(answer: &Answer, reference: Option<Reference>, project_id: Option<u64>) -> JobContext {
    let (branch, merge_request) = match &reference {
        Some(Reference::Branch(name)) => (Some(name.clone()), None),
        Some(Reference::MergeRequest(iid)) => (None, Some(*iid)),
        Some(Reference::Tag(_)) | None => (None, None),
    };
    let pipeline = answer.pipeline.as_ref();
    JobContext {
        branch,
        commit: answer.commit.as_ref().map(|commit| commit.id.clone()).filter(|commit| is_name(commit)),
        merge_requests: merge_request.into_iter().collect(),
        reference,
        source_id: project_id,
        project_id,
        name: answer.name.clone().filter(|name| is_name(name)),
        pipeline: pipeline.and_then(|pipeline| pipeline.id),
        is_child: pipeline.is_some_and(|pipeline| pipeline.source.as_deref() == Some(CHILD)),
        started_at: answer.started_at,
        started_by: pipeline.and_then(|it| it.source.clone()).filter(|it| !OF_THEIR_BRANCH.contains(&it.as_str())),
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

    fn pipeline() -> CiObjectRef {
        CiObjectRef { system: CiSystem::Gitlab, project: "7".to_owned(), kind: CiObjectKind::Pipeline, id: 46 }
    }

    /// What a merge request of this state is found to be.
    fn merge_request(change: &Value) -> Result<There, String> {
        let mut answer = json!({
            "id": 155_016_530, "iid": 46, "project_id": 7, "title": "Add it", "state": "opened", "draft": false,
            "web_url": "https://example.org/gitlab/group/app/-/merge_requests/46", "merge_status": "can_be_merged",
        });
        answer.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let origin = CiObjectRef { kind: CiObjectKind::MergeRequest, ..pipeline() };
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
        assert_eq!(
            Gitlab.origin(&base(), &CiObjectRef { kind: CiObjectKind::MergeRequest, ..pipeline() }).as_str(),
            address
        );
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
        let origin = CiObjectRef { kind: CiObjectKind::Job, ..pipeline() };
        Gitlab.there(&base(), &origin, answer.to_string().as_bytes())
    }

    #[test]
    fn a_job_says_what_it_ran_for() {
        let there = job(&json!({})).unwrap();
        assert_eq!((there.is_cancelled, there.is_over, there.project.as_str()), (false, true, "group/app"));
        let of = |change| job(&change).unwrap().ran_for.unwrap();
        let nothing = JobContext {
            commit: Some("a91957a858320c0e17f3a0eca7cfacbff50ea29a".to_owned()),
            source_id: Some(7),
            project_id: Some(7),
            name: Some("deploy".to_owned()),
            pipeline: Some(6),
            ..JobContext::default()
        };
        let name = || "feature/x".to_owned();
        let branch = JobContext { branch: Some(name()), reference: Some(Reference::Branch(name())), ..nothing.clone() };
        assert_eq!(of(json!({})), branch);
        for form in ["refs/merge-requests/3/head", "refs/merge-requests/3/merge", "refs/merge-requests/3/train"] {
            let reference = Some(Reference::MergeRequest(3));
            let expected = JobContext { merge_requests: vec![3], reference, ..nothing.clone() };
            assert_eq!(of(json!({"ref": form})), expected, "{form}");
        }
        for other in ["refs/merge-requests/x/head", "refs/merge-requests/3/other"] {
            assert_eq!(of(json!({"ref": other})), nothing, "{other}");
        }
        let tag = JobContext { reference: Some(Reference::Tag("main".to_owned())), ..nothing.clone() };
        assert_eq!(of(json!({"ref": "main", "tag": true})), tag, "a tag is no branch");
        assert_eq!(of(json!({"ref": "x".repeat(5_000)})), nothing, "cut it would be another");
        let unknown = JobContext { commit: None, name: None, pipeline: None, ..nothing };
        assert_eq!(of(json!({"ref": null, "commit": null, "name": null, "pipeline": null})), unknown);
        let child = of(json!({
            "started_at": "2026-08-17T10:00:00.123Z", "pipeline": {"id": 6, "project_id": 7, "source": "parent_pipeline"},
        }));
        let started_at = "2026-08-17T10:00:00.123Z".parse().ok();
        assert_eq!(child, JobContext { started_at, is_child: true, ..branch });
        for source in ["web", "api", "schedule", "trigger", "pipeline", "chat", "whatever comes next"] {
            let pipeline = json!({"id": 6, "project_id": 7, "source": source});
            assert_eq!(of(json!({"pipeline": pipeline})).started_by.as_deref(), Some(source));
        }
        for source in ["push", "webide", "merge_request_event", "external_pull_request_event"] {
            let pipeline = json!({"id": 6, "project_id": 7, "source": source});
            assert_eq!(of(json!({"pipeline": pipeline})).started_by, None, "{source}");
        }
        for status in ["canceled", "failed", "whatever comes next"] {
            assert!(!job(&json!({"status": status})).unwrap().is_cancelled, "{status}");
        }
        assert_eq!(answer(&json!({})).unwrap().ran_for, None, "a pipeline is queried for something else");
        let address = "https://example.org/gitlab/api/v4/projects/7/jobs/46";
        assert_eq!(Gitlab.origin(&base(), &CiObjectRef { kind: CiObjectKind::Job, ..pipeline() }).as_str(), address);
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
    fn a_pipeline_says_what_it_runs_for() {
        let of = |change| answer(&change).unwrap();
        let there = of(json!({}));
        let runs_for = |reference| RunsFor { reference, source_id: Some(7), workflow_id: None, is_child: false };
        let main = runs_for(Reference::Branch("main".to_owned()));
        assert_eq!(there.runs_for, Some(main.clone()));
        let created = "2016-08-11T11:28:34.085Z".parse().ok();
        assert_eq!((there.created_at, there.began_at, there.project_id), (created, created, Some(7)));
        let request = of(json!({"ref": "refs/merge-requests/3/train"})).runs_for;
        assert_eq!(request, Some(runs_for(Reference::MergeRequest(3))));
        let child = of(json!({"source": "parent_pipeline"})).runs_for;
        assert_eq!(child, Some(RunsFor { is_child: true, ..main }));
        assert_eq!(of(json!({"ref": null})).runs_for, None);
        for (status, expected) in [("manual", true), ("scheduled", true), ("running", false), ("success", false)] {
            assert_eq!(of(json!({"status": status})).is_held, expected, "{status}");
        }
    }

    #[test]
    fn a_merge_request_says_which_branch_it_brings_in_and_when_it_ended() {
        let there = merge_request(&json!({
            "state": "merged", "source_branch": "x", "source_project_id": 9, "merged_at": "2026-08-17T10:00:00Z",
            "closed_at": null, "created_at": "2026-08-16T10:00:00Z",
        }));
        let there = there.unwrap();
        assert_eq!(there.sources, [Source { branch: "x".to_owned(), project_id: 9 }]);
        assert_eq!((there.ended_at, there.began_at), ("2026-08-17T10:00:00Z".parse().ok(), None));
        let orphaned = merge_request(&json!({"source_branch": "x", "source_project_id": null})).unwrap();
        assert_eq!((orphaned.sources, orphaned.ended_at), (Vec::new(), None));
    }

    /// Where the pipelines are listed of what this one runs for.
    fn lists(change: &Value) -> Vec<String> {
        let runs_for = answer(change).unwrap().runs_for.unwrap();
        Gitlab.lists(&base(), &pipeline(), &runs_for).iter().map(|url| url.as_str().to_owned()).collect()
    }

    #[test]
    fn the_pipelines_of_a_branch_are_listed_by_when_they_changed() {
        let of_project = "https://example.org/gitlab/api/v4/projects/7";
        let order = "order_by=updated_at&sort=desc&per_page=100";
        assert_eq!(lists(&json!({"ref": "a b/c"})), [format!("{of_project}/pipelines?ref=a+b%2Fc&{order}")]);
        let child = json!({"source": "parent_pipeline"});
        let of_main = format!("{of_project}/pipelines?ref=main&{order}");
        let both = [of_main.clone(), format!("{of_main}&source=parent_pipeline")];
        assert_eq!(lists(&child), both, "its successor's parent may have no child so far");
        let request = json!({"ref": "refs/merge-requests/3/head"});
        assert_eq!(lists(&request), [format!("{of_project}/merge_requests/3/pipelines?per_page=100")]);
        let both = json!({"ref": "refs/merge-requests/3/head", "source": "parent_pipeline"});
        assert_eq!(lists(&both).len(), 4, "and each form of it");
    }

    #[test]
    fn a_list_says_which_pipelines_go_on_and_whether_it_is_whole() {
        let one = |id: u64, status: &str, updated: &str| {
            json!({"id": id, "iid": 1, "project_id": 7, "sha": "a9", "ref": "main", "status": status, "source": "push",
                "created_at": "2016-08-11T11:00:00.000Z", "updated_at": updated, "web_url": "https://example.org"})
        };
        let there = answer(&json!({"status": "canceled"})).unwrap();
        let list =
            |all: Vec<Value>| Gitlab.list(&pipeline(), &there, json!(all).to_string().as_bytes(), Timestamp::MIN);
        let (before, after) = ("2016-08-11T11:28:34.000Z", "2016-08-11T11:28:35.000Z");
        let found =
            list(vec![one(48, "canceled", after), one(47, "manual", after), one(45, "running", after)]).unwrap();
        let words: Vec<_> = found.pipelines.iter().map(|it| (it.id, it.is_cancelled, it.is_under_way)).collect();
        assert_eq!(words, [(48, true, false), (47, false, false), (45, false, true)]);
        assert!(found.is_whole && list(Vec::new()).unwrap().is_whole);
        let full = |last: &str| {
            let mut all = vec![one(48, "success", after); PER_PAGE - 1];
            all.push(one(40, "success", last));
            list(all).unwrap().is_whole
        };
        assert!(full(before), "what is beyond the end changed before this one was created");
        assert!(!full(after));
        assert!(Gitlab.list(&pipeline(), &there, b"{}", Timestamp::MIN).is_err());
    }

    #[test]
    fn only_canceled_is_cancelled() {
        for status in GO_ON.iter().chain(&FINISHED).chain(&["canceled"]) {
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
        assert!(!Gitlab.is_project(&pipeline(), None, b"{\"id\": 8}"));
        assert!(Gitlab.is_project(&pipeline(), None, b"{\"id\": 7, \"path_with_namespace\": \"group/app\"}"));
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
