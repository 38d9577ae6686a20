//! What a GitLab answers, as its pages of reference show it.

use http::Uri;
use serde_json::{Value, json};

use super::{Ci, Job, MergeRequest, Pipeline, answer::parameter};

impl Ci {
    /// What is at an address of a GitLab.
    pub(super) fn find_of_gitlab(&self, uri: &Uri, lists_all: bool) -> Option<Value> {
        let path: Vec<_> = uri.path().strip_prefix("/api/v4/projects/")?.split('/').collect();
        let number = |text: &str| text.parse::<u64>().ok();
        let project = number(path.first()?)?;
        match path[1..] {
            [] => Some(json!({ "id": project, "path_with_namespace": format!("group/app-{project}") })),
            ["pipelines"] => {
                let asked = |key: &str| parameter(uri, key);
                let of_children = asked("source").as_deref() == Some("parent_pipeline");
                let is_asked = |it: &&Pipeline| asked("ref").is_none_or(|name| name == it.begin.reference);
                let mut all: Vec<_> = self.there(project).filter(|it| it.begin.is_child == of_children).collect();
                all.retain(|it| lists_all || is_asked(it));
                all.sort_by_key(|it| std::cmp::Reverse(it.updated));
                Some(all.into_iter().map(pipeline).collect())
            }
            ["pipelines", id] => {
                let found = self.pipeline(number(id)?).filter(|it| it.begin.project == project);
                found.map(pipeline)
            }
            ["merge_requests", iid] => {
                let iid = number(iid)?;
                self.requests.get(&(project, iid)).map(|it| request((project, iid), it))
            }
            ["merge_requests", iid, "pipelines"] => {
                let prefix = format!("refs/merge-requests/{iid}/");
                let all = self.there(project).filter(|it| !it.begin.is_child);
                Some(all.filter(|it| lists_all || it.begin.reference.starts_with(&prefix)).map(pipeline).collect())
            }
            ["jobs", id] => {
                let found = self.jobs.get(&number(id)?)?;
                let of = self.pipeline(found.deploy.pipeline).filter(|it| it.begin.project == project)?;
                Some(job(found, of))
            }
            _ => None,
        }
    }

    /// The pipelines of a project that it tells of.
    pub(super) fn there(&self, project: u64) -> impl Iterator<Item = &Pipeline> {
        self.pipelines.values().filter(move |it| it.removed.is_none() && it.begin.project == project)
    }
}

/// What people start pipelines by, and say what they are to deploy.
pub(crate) const BY_HAND: [&str; 3] = ["web", "api", "schedule"];

fn pipeline(it: &Pipeline) -> Value {
    let begin = &it.begin;
    let (id, project) = (begin.pipeline, begin.project);
    let is_of_request = begin.reference.starts_with("refs/");
    let source = if BY_HAND.contains(&begin.event) {
        begin.event
    } else if begin.is_child {
        "parent_pipeline"
    } else if is_of_request {
        "merge_request_event"
    } else {
        "push"
    };
    json!({
        "id": id, "iid": id, "project_id": project, "status": it.status, "source": source, "ref": begin.reference,
        "sha": begin.sha, "tag": false, "created_at": it.created, "updated_at": it.updated,
        "web_url": format!("http://gitlab.test/group/app-{project}/-/pipelines/{id}"),
    })
}

fn request((project, iid): (u64, u64), it: &MergeRequest) -> Value {
    let ended = |state: &str| it.ended.filter(|_| it.state == state);
    json!({
        "id": 1_000 + iid, "iid": iid, "project_id": project, "state": it.state, "source_project_id": it.source.0,
        "source_branch": it.source.1, "merged_at": ended("merged"), "closed_at": ended("closed"),
        "web_url": format!("http://gitlab.test/group/app-{project}/-/merge_requests/{iid}"),
    })
}

fn job(it: &Job, of: &Pipeline) -> Value {
    let (id, pipeline) = (it.deploy.job, pipeline(of));
    json!({
        "id": id, "status": "success", "name": it.deploy.name, "ref": of.begin.reference, "tag": false,
        "commit": { "id": of.begin.sha }, "started_at": it.started,
        "pipeline": { "id": pipeline["id"], "project_id": pipeline["project_id"], "source": pipeline["source"] },
        "web_url": format!("http://gitlab.test/group/app-{}/-/jobs/{id}", of.begin.project),
    })
}
