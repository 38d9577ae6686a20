//! What a GitHub answers, as its pages of reference show it. A pipeline is a run of a workflow, and the job of a deployment the
//! run that it is of. Whatever a fork asks for runs in the repository that it is a fork of.

use http::Uri;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Ci, MergeRequest, Pipeline, answer::parameter};
use crate::scenario::Request;

/// Whose they are: the repository that most runs are in, and its forks.
const OWNERS: [(u64, &str); 4] = [(7, "octo"), (9, "alice"), (11, "bob"), (13, "carol")];

/// The branch that is taken where nobody names another.
const DEFAULT_BRANCH: &str = "main";

/// A repository as a label names it.
pub(crate) fn label_of(repository: u64) -> String {
    name_of(repository).replacen('/', ".", 1)
}

fn name_of(repository: u64) -> String {
    let owner = OWNERS.iter().find(|(id, _)| *id == repository).map_or("nobody", |(_, owner)| owner);
    format!("{owner}/app")
}

impl Ci {
    /// What is at an address of a GitHub.
    pub(super) fn find_of_github(&self, uri: &Uri, lists_all: bool) -> Option<Value> {
        let path: Vec<_> = uri.path().strip_prefix("/repos/")?.split('/').collect();
        let number = |text: &str| text.parse::<u64>().ok();
        let owner = path.first()?;
        let repository = OWNERS.iter().find(|(id, it)| it == owner && !self.lost.contains(id)).map(|(id, _)| *id)?;
        match path.get(1..)? {
            ["app"] => self.repository(repository),
            ["app", "actions", "runs", id] => {
                let found = self.pipeline(number(id)?).filter(|it| it.begin.project == repository);
                found.map(|it| self.run(it))
            }
            ["app", "actions", "workflows", id, "runs"] => {
                let (workflow, branch) = (number(id)?, parameter(uri, "branch"));
                let is_asked = |it: &&Pipeline| {
                    it.begin.workflow == workflow && branch.as_ref().is_none_or(|name| *name == it.begin.reference)
                };
                let mut all: Vec<_> = self.there(repository).filter(|it| lists_all || is_asked(it)).collect();
                all.sort_by_key(|it| std::cmp::Reverse(it.begin.pipeline));
                let runs: Vec<_> = all.into_iter().map(|it| self.run(it)).collect();
                Some(json!({ "total_count": runs.len(), "workflow_runs": runs }))
            }
            ["app", "pulls", number_of_it] => {
                let request = (repository, number(number_of_it)?);
                self.requests.get(&request).map(|it| self.pull(request, it))
            }
            _ => None,
        }
    }

    /// A repository; `None`: it is no more.
    fn repository(&self, id: u64) -> Option<Value> {
        let found = json!({ "id": id, "name": "app", "full_name": name_of(id), "default_branch": DEFAULT_BRANCH });
        (!self.lost.contains(&id)).then_some(found)
    }

    fn run(&self, it: &Pipeline) -> Value {
        let begin = &it.begin;
        let (id, head) = (begin.pipeline, begin.head());
        let (status, conclusion) = match it.status {
            "pending" => ("queued", None),
            "running" => ("in_progress", None),
            "manual" => ("waiting", None),
            "canceled" => ("completed", Some("cancelled")),
            "failed" => ("completed", Some("failure")),
            over => ("completed", Some(over)),
        };
        let of_workflow = |other: &&Pipeline| other.begin.workflow == begin.workflow && other.begin.pipeline <= id;
        let number = self.pipelines.values().filter(of_workflow).count();
        // Pull requests of forks are named by none, and those that are over neither.
        let is_of_it = |(request, it): &(&Request, &MergeRequest)| {
            it.state == "opened" && it.source == (head, begin.reference.clone()) && request.0 == head
        };
        let named = self.requests.iter().filter(|_| head == begin.project).filter(is_of_it);
        let pull = |((base, number), _): (&Request, _)| json!({ "number": number, "base": { "repo": { "id": base } } });
        json!({
            "id": id, "name": format!("workflow {}", begin.workflow), "workflow_id": begin.workflow,
            "run_number": number, "run_attempt": it.began.len(), "event": begin.event, "status": status,
            "conclusion": conclusion, "head_branch": begin.reference, "head_sha": begin.sha,
            "repository": self.repository(begin.project), "head_repository": self.repository(head),
            "pull_requests": named.map(pull).collect::<Vec<_>>(), "created_at": second(it.created),
            "updated_at": second(it.updated), "run_started_at": it.began.last().copied().map(second),
            "html_url": format!("http://github.test/{}/actions/runs/{id}", name_of(begin.project)),
        })
    }

    fn pull(&self, (base, number): Request, it: &MergeRequest) -> Value {
        let ended = |state: &str| it.ended.filter(|_| it.state == state).map(second);
        let state = if it.state == "opened" { "open" } else { "closed" };
        json!({
            "id": 1_000 + number, "number": number, "state": state, "merged": it.state == "merged",
            "base": { "ref": DEFAULT_BRANCH, "repo": self.repository(base) },
            "head": { "ref": it.source.1, "repo": self.repository(it.source.0) },
            "merged_at": ended("merged"), "closed_at": it.ended.map(second),
        })
    }
}

/// It tells the time in whole seconds.
fn second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
