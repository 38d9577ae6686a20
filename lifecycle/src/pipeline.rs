//! The pipeline that made a namespace, and the merge request it belongs to: which they are, by the labels that the pipeline
//! wrote, and what follows when they are over (docs/design/lifecycle.md section 4, rule 1).

use jiff::Timestamp;

pub use crate::model::ci::{CiObjectKind, CiObjectRef, CiSystem, InvalidCiObjectRef, PipelineSource};
use crate::model::ci::{number, repository};
use crate::{Check, Condition, Keys, Namespace, Observation, Policy, Record, Truth};

/// What a namespace goes with by its policy, as its labels name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The pipeline, or workflow run, that made it. Where only the merge request counts it is queried for, too: it says which
    /// merge request is the right one.
    pub pipeline: Option<CiObjectRef>,
    /// Whether it counts that the pipeline was cancelled, or is gone.
    pub goes_with_pipeline: bool,
    /// The merge request, or pull request, that it is for.
    pub merge_request: Option<MergeRequest>,
    /// The id of the repository, by a label: its name can be given again. Of GitHub alone, whose API is queried by names.
    pub repository_id: Option<u64>,
    /// Since when the namespace is there.
    pub created: Timestamp,
}

/// A merge request by the labels of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRequest {
    pub object: CiObjectRef,
    /// Whether a label names its project: then number and project are the whole identity. Otherwise its number may count in
    /// another project than that of the pipeline.
    pub names_project: bool,
}

impl Links {
    /// What a namespace goes with by this policy.
    #[must_use]
    pub fn of(namespace: &Namespace, policy: &Policy) -> Self {
        let keys = &policy.keys;
        let merge_request = policy.merged.and_then(|system| MergeRequest::of(namespace, system, keys));
        let is_needed = merge_request.as_ref().map(|it| it.object.system);
        let system = policy.pipeline.or(is_needed);
        let pipeline = system.and_then(|system| {
            CiObjectRef::of(namespace, (CiObjectKind::Pipeline, "pipelineId"), "project", system, keys)
        });
        let is_github = system == Some(CiSystem::Github);
        let repository_id = namespace.label(&keys.of_ci("projectId")).and_then(number).filter(|_| is_github);
        let goes_with_pipeline = policy.pipeline.is_some();
        Self { pipeline, goes_with_pipeline, merge_request, repository_id, created: namespace.created }
    }

    /// All that is to be asked for.
    pub fn origins(&self) -> impl Iterator<Item = &CiObjectRef> {
        self.pipeline.iter().chain(self.merge_request.iter().map(|it| &it.object))
    }
}

impl MergeRequest {
    fn of(namespace: &Namespace, system: CiSystem, keys: &Keys) -> Option<Self> {
        let of = |project| CiObjectRef::of(namespace, (CiObjectKind::MergeRequest, "mrId"), project, system, keys);
        let named = of("mrProject").map(|origin| Self { object: origin, names_project: true });
        named.or_else(|| Some(Self { object: of("project")?, names_project: false }))
    }
}

impl CiObjectRef {
    /// Of one kind, whose id has this label; `None`: the labels name none. `project` is what the label of the project begins
    /// with: GitLab's is its id, GitHub's the path of the repository.
    fn of(
        namespace: &Namespace,
        (kind, id): (CiObjectKind, &str),
        project: &str,
        system: CiSystem,
        keys: &Keys,
    ) -> Option<Self> {
        let label = |key: &str| namespace.label(&keys.of_ci(key));
        let project = match system {
            CiSystem::Gitlab => number(label(&format!("{project}Id"))?)?.to_string(),
            CiSystem::Github => repository(label(&format!("{project}Path"))?)?,
        };
        Some(Self { system, project, kind, id: number(label(id)?)? })
    }
}

/// What follows of all that a namespace may go with: it goes with the first that is over, and stays only where that is
/// known of none.
#[must_use]
pub fn together(all: impl IntoIterator<Item = Check<Condition>>) -> Check<Condition> {
    all.into_iter().fold(Check::Disabled, |one, other| match (one, other) {
        (Check::Disabled, it) | (it, Check::Disabled) => it,
        (Check::Observed(it), _) | (_, Check::Observed(it)) if it.is_true() => Check::Observed(it),
        (Check::Pending, _) | (_, Check::Pending) => Check::Pending,
        (Check::Observed(it), Check::Observed(other)) if it.truth == Truth::False => match other.truth {
            // What is known of both is as old as the older of both.
            Truth::False => Check::Observed(Condition { observed_at: it.observed_at.min(other.observed_at), ..it }),
            Truth::True | Truth::Unknown => Check::Observed(other),
        },
        (it @ Check::Observed(_), Check::Observed(_)) => it,
    })
}

/// What is known of the pipeline and the merge request, where the policy asks for them.
pub(crate) fn condition<'a>(policy: &Policy, seen: &'a Observation) -> Option<&'a Condition> {
    seen.pipeline.seen().filter(|_| policy.asks_ci())
}

/// Whether what was cancelled is so no more: the pipeline was retried, or nobody asks for it.
///
/// What was seen before it was recorded says nothing against it: two collectors, of which one checked earlier, would take
/// turns at the namespace.
pub(crate) fn is_taken_back(policy: &Policy, record: &Record, seen: &Observation) -> bool {
    match &seen.pipeline {
        _ if !policy.asks_ci() => true,
        Check::Disabled => true,
        Check::Pending => false,
        Check::Observed(condition) => {
            let is_later = record.since.is_none_or(|since| since < condition.observed_at);
            condition.truth == Truth::False && is_later
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::{
        Mode, Policies, Uid,
        guards::PROMISE_MARGIN,
        policy::{Common, HealthSources},
    };

    /// The pipeline of a namespace with these labels.
    fn of(system: CiSystem, labels: &[(&str, &str)]) -> Option<String> {
        let keys = Keys::default();
        let namespace = Namespace {
            uid: Uid::new("u"),
            name: "a".into(),
            resource_version: "1".into(),
            created: Timestamp::UNIX_EPOCH,
            deleted: None,
            ending: None,
            labels: labels.iter().map(|(key, value)| (keys.of_ci(key), (*value).to_owned())).collect(),
            annotations: BTreeMap::new(),
        };
        CiObjectRef::of(&namespace, (CiObjectKind::Pipeline, "pipelineId"), "project", system, &keys)
            .map(|pipeline| pipeline.to_string())
    }

    #[track_caller]
    fn check(project: &str, id: &str, expected: Option<&str>) {
        let found = of(CiSystem::Gitlab, &[("projectId", project), ("pipelineId", id)]);
        assert_eq!(found.as_deref(), expected, "{project} {id}");
    }

    #[test]
    fn ids_are_digits() {
        check("7", "46", Some("pipeline 46 of project 7"));
        check("007", "046", Some("pipeline 46 of project 7"));
        for other in ["", "0", "+7", "-7", "7.5", "7/../8", "%37", "seven", "\u{0667}", "1234567890123456789"] {
            check(other, "46", None);
            check("7", other, None);
        }
    }

    #[test]
    fn a_repository_is_written_with_a_dot_for_the_slash() {
        let check = |path: &str, expected: Option<&str>| {
            let found = of(CiSystem::Github, &[("projectPath", path), ("pipelineId", "46")]);
            assert_eq!(found.as_deref(), expected, "{path}");
        };
        check("octo-org.Hello-World", Some("workflow run 46 of octo-org/hello-world"));
        check("octo.a.b", Some("workflow run 46 of octo/a.b"));
        check("octo..github", Some("workflow run 46 of octo/.github"));
        for other in
            ["", "octo", ".a", "octo.", "octo..", "octo...", "oc/to.a", "octo.a/b", "octo.a%2fb", "octo.\u{e4}"]
        {
            check(other, None);
        }
    }

    #[test]
    fn what_a_ci_system_tells_of_is_what_labels_name() {
        let told =
            |system, project, id| Some(CiObjectRef::told(system, project, CiObjectKind::Pipeline, id)?.to_string());
        let check = |system, project, id, expected: Option<&str>| {
            assert_eq!(told(system, project, id).as_deref(), expected, "{project} {id}");
        };
        check(CiSystem::Gitlab, "7", 46, Some("pipeline 46 of project 7"));
        check(CiSystem::Github, "Octo-Org/Hello.World", 46, Some("workflow run 46 of octo-org/hello.world"));
        for (system, project, id) in [
            (CiSystem::Gitlab, "octo/a", 46),
            (CiSystem::Gitlab, "7", 0),
            (CiSystem::Gitlab, "7", u64::MAX),
            (CiSystem::Github, "7", 46),
            (CiSystem::Github, "octo/a/../b", 46),
            (CiSystem::Github, "octo/..", 46),
        ] {
            check(system, project, id, None);
        }
    }

    #[test]
    fn a_key_is_read_back_and_nothing_else_is_one() {
        for (system, project) in [(CiSystem::Gitlab, "7"), (CiSystem::Github, "octo/a.b")] {
            for kind in [CiObjectKind::Pipeline, CiObjectKind::MergeRequest, CiObjectKind::Job] {
                let origin = CiObjectRef::told(system, project, kind, 46).unwrap();
                assert_eq!(origin.key().parse(), Ok(origin));
            }
        }
        assert_eq!(
            CiObjectRef::told(CiSystem::Github, "octo/a", CiObjectKind::Job, 4).unwrap().key(),
            "github/octo/a/job/4"
        );
        for other in
            ["", "gitlab/7/pipeline", "gitlab/7/pipeline/", "gitlab/7/pipeline/0", "gitlab/a/job/4", "gitea/7/job/4"]
        {
            assert_eq!(other.parse::<CiObjectRef>(), Err(InvalidCiObjectRef), "{other}");
        }
    }

    /// What comes of these together: `+` is over, `-` goes on, `?` is not known, `.` is not checked yet, ` ` is not queried for.
    #[track_caller]
    fn check_together(all: &str, expected: char) {
        let condition =
            |truth| Check::Observed(Condition { truth, reason: String::new(), observed_at: Timestamp::UNIX_EPOCH });
        let found = together(all.chars().map(|one| match one {
            '+' => condition(Truth::True),
            '-' => condition(Truth::False),
            '?' => condition(Truth::Unknown),
            '.' => Check::Pending,
            _ => Check::Disabled,
        }));
        let found = match found {
            Check::Disabled => ' ',
            Check::Pending => '.',
            Check::Observed(condition) => match condition.truth {
                Truth::True => '+',
                Truth::False => '-',
                Truth::Unknown => '?',
            },
        };
        assert_eq!(found, expected, "{all}");
    }

    #[test]
    fn one_that_is_over_is_enough_and_none_must_be_known_of_all() {
        for (all, expected) in [("", ' '), (" ", ' '), ("-", '-'), ("--", '-'), ("- ", '-')] {
            check_together(all, expected);
        }
        for other in ['+', '-', '?', '.', ' '] {
            check_together(&format!("+{other}"), '+');
            check_together(&format!("{other}+"), '+');
        }
        for other in ['-', '?', ' '] {
            check_together(&format!("?{other}"), '?');
            check_together(&format!("{other}?"), '?');
        }
        for other in ['-', '?', '.', ' '] {
            check_together(&format!(".{other}"), '.');
            check_together(&format!("{other}."), '.');
        }
    }

    /// Whether what was cancelled in second 10 is taken back by this.
    fn is_back(pipeline: Check<Condition>, ci: &[CiSystem]) -> bool {
        let raw = serde_json::json!({ "name": "a", "match": { "names": ["a"] } });
        let (mode, keys) = (Mode::Enforce, Keys::default());
        let common = Common {
            mode,
            keys,
            exclude: &[],
            has_channel: false,
            sources: HealthSources::NONE,
            ci,
            promise_margin: PROMISE_MARGIN,
        };
        let policies = Policies::new(&[serde_json::from_value(raw).unwrap()], &common).unwrap();
        let mut record = Record::new(Uid::new("u"));
        record.since = Some(Timestamp::from_second(10).unwrap());
        let namespace = Namespace {
            uid: Uid::new("u"),
            name: "a".into(),
            resource_version: "1".into(),
            created: Timestamp::UNIX_EPOCH,
            deleted: None,
            ending: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        };
        let clock = Condition { truth: Truth::True, reason: String::new(), observed_at: Timestamp::UNIX_EPOCH };
        let (health, supersession) = (Check::Disabled, Check::Disabled);
        let seen = Observation { namespace, clock, health, supersession, pipeline };
        is_taken_back(policies.iter().next().unwrap(), &record, &seen)
    }

    #[test]
    fn only_what_was_seen_since_takes_it_back() {
        let at = |truth, second| {
            let observed_at = Timestamp::from_second(second).unwrap();
            Check::Observed(Condition { truth, reason: String::new(), observed_at })
        };
        let asks = [CiSystem::Gitlab];
        assert!(is_back(at(Truth::False, 11), &asks));
        for no in [at(Truth::False, 10), at(Truth::False, 9), at(Truth::Unknown, 11), at(Truth::True, 11)] {
            assert!(!is_back(no.clone(), &asks), "{no:?}");
            assert!(is_back(no, &[]), "nobody asks");
        }
        assert!(!is_back(Check::Pending, &asks));
        assert!(is_back(Check::Disabled, &asks));
    }

    /// The merge request of a namespace with these labels, and whether they name its project.
    fn request_of(system: CiSystem, labels: &[(&str, &str)]) -> Option<(String, bool)> {
        let keys = Keys::default();
        let namespace = Namespace {
            uid: Uid::new("u"),
            name: "a".into(),
            resource_version: "1".into(),
            created: Timestamp::UNIX_EPOCH,
            deleted: None,
            ending: None,
            labels: labels.iter().map(|(key, value)| (keys.of_ci(key), (*value).to_owned())).collect(),
            annotations: BTreeMap::new(),
        };
        MergeRequest::of(&namespace, system, &keys).map(|it| (it.object.to_string(), it.names_project))
    }

    #[test]
    fn the_project_that_a_label_names_for_the_merge_request_is_asked_first() {
        use CiSystem::{Github, Gitlab};
        let check = |system, labels: &[(&str, &str)], expected: Option<(&str, bool)>| {
            let found = request_of(system, labels);
            assert_eq!(found.as_ref().map(|(origin, named)| (origin.as_str(), *named)), expected, "{labels:?}");
        };
        let gitlab = [("mrId", "5"), ("projectId", "9"), ("mrProjectId", "7")];
        check(Gitlab, &gitlab, Some(("merge request 5 of project 7", true)));
        check(Gitlab, &gitlab[..2], Some(("merge request 5 of project 9", false)));
        check(Gitlab, &[gitlab[0], gitlab[2]], Some(("merge request 5 of project 7", true)));
        check(Gitlab, &gitlab[1..], None);
        let github = [("mrId", "5"), ("projectPath", "alice.app"), ("mrProjectPath", "octo.app")];
        check(Github, &github, Some(("pull request 5 of octo/app", true)));
        check(Github, &github[..2], Some(("pull request 5 of alice/app", false)));
        check(Github, &[github[0], github[2]], Some(("pull request 5 of octo/app", true)));
        check(Github, &gitlab, None);
    }

    #[test]
    fn both_labels_are_needed() {
        assert_eq!(of(CiSystem::Gitlab, &[("projectId", "7")]), None);
        assert_eq!(of(CiSystem::Gitlab, &[("pipelineId", "7")]), None);
    }
}
