//! Which namespace a newer deployment of the same branch or merge request replaces (lifecycle.md section 4).
//!
//! Namespaces of one project, one job and one branch (or merge request, or commit) are a *group*, in which those of one
//! `jobId` are a *bucket*. One total order holds for all groups, and it is of single namespaces: an order that changed
//! with the members would let a group eat itself.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Condition, Keys, Namespace, Record, Status, Truth, Uid, record::Phase};

/// How many namespaces that replace another are named.
const MOST_SUCCESSORS: usize = 8;

/// What deployments have to share, besides the project and the job, for a newer one to replace an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The merge request, by the label `mrId`.
    Mr,
    /// The branch, by the label `branch`.
    Branch,
    /// The commit, by the label `commit`.
    Commit,
}

/// When a newer deployment replaces an older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// When all its namespaces are `ok`.
    #[default]
    NewerReady,
    /// As soon as it is there.
    NewerExists,
}

/// Deployments of which the newest replaces the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    by: By,
    project: String,
    of: String,
    job: String,
}

/// A namespace among those of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub uid: Uid,
    pub name: String,
    pub job_id: String,
    pub created: Timestamp,
    pub standing: Standing,
}

/// Whether a namespace can replace others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is managed, and `ok`.
    Ready,
    /// It is there, and may become so.
    There,
    /// It is itself replaced, cancelled, failed, going away, about to be deleted, or nobody's.
    Out,
}

/// A namespace that replaces another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Successor {
    pub uid: Uid,
    pub name: String,
}

/// Whether a namespace is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// True: a newer deployment replaces it now.
    pub condition: Condition,
    /// Whether one that replaced it may still do so: it is there, and has not failed.
    pub holds: bool,
    /// The namespaces of the deployment that replaces it, the newest first; at most 8.
    pub successors: Vec<Successor>,
}

impl Group {
    /// The group of a namespace, by the first of `by` whose label it has; `None`: it is in none.
    #[must_use]
    pub fn of(namespace: &Namespace, by: &[By], keys: &Keys) -> Option<Self> {
        let label = |key: &str| namespace.label(&keys.of_ci(key)).map(str::to_owned);
        let (project, job) = (label("projectId")?, label("job")?);
        label("jobId")?;
        by.iter().find_map(|by| {
            let of = label(by.label())?;
            Some(Self { by: *by, project: project.clone(), of, job: job.clone() })
        })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, project, of, job } = self;
        let what = by.words();
        write!(f, "{what} {} of project {}, job {}", shown(of), shown(project), shown(job))
    }
}

impl By {
    const fn label(self) -> &'static str {
        match self {
            Self::Mr => "mrId",
            Self::Branch => "branch",
            Self::Commit => "commit",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Mr => "merge request",
            Self::Branch => "branch",
            Self::Commit => "commit",
        }
    }
}

impl Member {
    /// A namespace of a group, with its record.
    #[must_use]
    pub fn new(namespace: &Namespace, record: Option<&Record>, keys: &Keys) -> Option<Self> {
        Some(Self {
            uid: namespace.uid.clone(),
            name: namespace.name.clone(),
            job_id: namespace.label(&keys.of_ci("jobId"))?.to_owned(),
            created: namespace.created,
            standing: Standing::of(namespace, record),
        })
    }

    /// The one order of all namespaces: numbers are newer than other ids, and later ones than earlier ones.
    fn order(&self, other: &Self) -> Ordering {
        let number = |member: &Self| number(&member.job_id).map(str::to_owned);
        let numbers = match (number(self), number(other)) {
            (Some(a), Some(b)) => (a.len(), a).cmp(&(b.len(), b)),
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        numbers.then_with(|| (self.created, &self.uid).cmp(&(other.created, &other.uid)))
    }
}

/// The digits of a number without leading zeros, of whatever length; `None`: it is no number.
fn number(text: &str) -> Option<&str> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.trim_start_matches('0'))
}

impl Standing {
    /// How a namespace stands of which this is seen and recorded.
    #[must_use]
    pub fn of(namespace: &Namespace, record: Option<&Record>) -> Self {
        let Some(record) = record else { return Self::Out };
        let is_out = namespace.deleted.is_some()
            || record.uid != namespace.uid
            || record.phase != Phase::Managed
            || record.done.is_some()
            || record.open.is_some()
            || record.damage.is_some();
        match record.status {
            _ if is_out => Self::Out,
            Status::Superseded | Status::Cancelled | Status::Failed => Self::Out,
            Status::Ok => Self::Ready,
            Status::Unknown | Status::Unstable | Status::Failing | Status::Stale => Self::There,
        }
    }
}

/// Whether `member` is replaced by a newer deployment among those of its group, and by which: the newest that can.
#[must_use]
pub fn succession(member: &Member, group: &Group, all: &[Member], when: When, now: Timestamp) -> Succession {
    let mut buckets: BTreeMap<&str, Vec<&Member>> = BTreeMap::new();
    for other in all.iter().filter(|other| other.job_id != member.job_id) {
        buckets.entry(&other.job_id).or_default().push(other);
    }
    // A bucket is newer when all of it is: one namespace that came late makes the rest of its job no newer.
    let mut newer: Vec<_> = buckets
        .into_values()
        .filter(|bucket| bucket.iter().all(|other| member.order(other) == Ordering::Less))
        .map(|mut bucket| {
            bucket.sort_by(|a, b| b.order(a));
            bucket
        })
        .collect();
    newer.sort_by(|a, b| b[0].order(a[0]));
    let any = |bucket: &[&Member], standing: &[Standing]| bucket.iter().any(|it| standing.contains(&it.standing));
    let holds = newer.iter().any(|bucket| any(bucket, &[Standing::Ready, Standing::There]));
    let replaces = |bucket: &&Vec<&Member>| match when {
        When::NewerReady => bucket.iter().all(|it| it.standing == Standing::Ready),
        When::NewerExists => any(bucket, &[Standing::Ready, Standing::There]),
    };
    let condition = |truth, reason| Condition { truth, reason, observed_at: now };
    let what = group.by.words();
    match newer.iter().find(replaces) {
        Some(bucket) => {
            let newest = bucket[0];
            let job = shown(&newest.job_id);
            let ready = if when == When::NewerReady { ", which is ok" } else { "" };
            let reason = format!("job {job} deployed the same {what} later, as `{}`{ready}", newest.name);
            let successors = bucket.iter().filter(|it| when == When::NewerReady || it.standing != Standing::Out);
            let successors = successors.map(|it| Successor { uid: it.uid.clone(), name: it.name.clone() });
            Succession {
                condition: condition(Truth::True, reason),
                holds,
                successors: successors.take(MOST_SUCCESSORS).collect(),
            }
        }
        None => {
            let reason = if newer.is_empty() {
                format!("it is the newest deployment of its {what}")
            } else {
                format!("no newer deployment of its {what} replaces it")
            };
            Succession { condition: condition(Truth::False, reason), holds, successors: Vec::new() }
        }
    }
}

/// What a stranger wrote, in words of ours.
fn shown(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        Group { by: By::Branch, project: "7".into(), of: "main".into(), job: "deploy".into() }
    }

    /// Members in words, `name@jobId` and how they stand (`+` ready, `?` there, `-` out), created one after another.
    fn members(words: &str) -> Vec<Member> {
        let member = |(second, word): (i64, &str)| {
            let (name, rest) = word.split_once('@').unwrap();
            let (job_id, standing) = rest.split_at(rest.len() - 1);
            Member {
                uid: Uid::new(name),
                name: name.to_owned(),
                job_id: job_id.to_owned(),
                created: Timestamp::from_second(second).unwrap(),
                standing: match standing {
                    "+" => Standing::Ready,
                    "?" => Standing::There,
                    _ => Standing::Out,
                },
            }
        };
        (1..).zip(words.split_whitespace()).map(member).collect()
    }

    /// Which of these are replaced, each with the newest of those that replace it.
    #[track_caller]
    fn check_when(when: When, words: &str, expected: &str) {
        let all = members(words);
        let found = all.iter().filter_map(|member| {
            let found = succession(member, &group(), &all, when, Timestamp::UNIX_EPOCH);
            assert!(!found.condition.is_true() || found.holds, "what replaces it may do so");
            found.successors.first().map(|by| format!("{}<{}", member.name, by.name))
        });
        assert_eq!(found.collect::<Vec<_>>().join(" "), expected, "{words}");
    }

    #[track_caller]
    fn check(words: &str, expected: &str) {
        check_when(When::NewerReady, words, expected);
    }

    #[test]
    fn a_newer_deployment_that_is_ok_replaces_older_ones() {
        check("a@1+ b@2+", "a<b");
        check("a@1+ b@2+ c@3+", "a<c b<c");
        check("a@1+", "");
    }

    #[test]
    fn one_that_is_not_ok_replaces_nobody_and_shelters_nobody() {
        check("a@1+ b@2?", "");
        check("a@1+ b@2-", "");
        check("a@1+ b@2+ c@3-", "a<b");
        check("a@1+ b@2+ c@3?", "a<b");
    }

    #[test]
    fn all_namespaces_of_a_job_must_be_ok() {
        check("a@1+ b@2+ c@2?", "");
        check("a@1+ b@2+ c@2+", "a<c");
    }

    #[test]
    fn namespaces_of_one_job_never_replace_each_other() {
        check("a@1+ b@1+", "");
    }

    #[test]
    fn numbers_count_as_numbers_and_are_newer_than_words() {
        check("a@9+ b@10+", "a<b");
        check("a@10+ b@9+", "b<a");
        check("a@007+ b@8+", "a<b");
        check("a@1+ b@next+", "b<a");
        check("a@one+ b@two+", "a<b");
        check("a@99999999999999999999998+ b@99999999999999999999999+", "a<b");
    }

    #[test]
    fn a_job_of_which_one_came_late_is_not_newer_as_a_whole() {
        check("a@x+ b@y+ c@x+", "a<b");
    }

    #[test]
    fn where_it_is_enough_to_be_there_nobody_waits() {
        check_when(When::NewerExists, "a@1+ b@2?", "a<b");
        check_when(When::NewerExists, "a@1+ b@2-", "");
        check_when(When::NewerExists, "a@1+ b@2- c@2?", "a<c");
    }

    #[test]
    fn a_group_never_eats_itself() {
        // Whatever is deleted of it in whatever order, the newest of it is left.
        for words in ["a@1+ b@2+ c@3+", "a@x+ b@y+ c@x+ d@y+", "a@2+ b@x+ c@1+ d@x+ e@2+"] {
            let mut all = members(words);
            loop {
                let is_replaced = |member: &Member| {
                    succession(member, &group(), &all, When::NewerReady, Timestamp::MIN).condition.is_true()
                };
                let Some(at) = all.iter().position(is_replaced) else { break };
                all.remove(at);
            }
            assert!(!all.is_empty(), "{words}");
        }
    }

    #[test]
    fn what_may_still_replace_it_holds() {
        let holds = |words: &str| {
            let all = members(words);
            succession(&all[0], &group(), &all, When::NewerReady, Timestamp::MIN).holds
        };
        assert!(holds("a@1+ b@2?"));
        assert!(!holds("a@1+ b@2-"));
        assert!(!holds("a@1+"));
        assert!(holds("a@1+ b@2- c@3?"));
    }

    #[test]
    fn a_group_is_of_one_project_one_job_and_the_first_label_that_is_asked_for() {
        let keys = Keys::default();
        let group = |labels: &[(&str, &str)], by: &[By]| {
            let labels = labels.iter().map(|(key, value)| (keys.of_ci(key), (*value).to_owned())).collect();
            let namespace = Namespace {
                uid: Uid::new("u"),
                name: "a".into(),
                resource_version: "1".into(),
                created: Timestamp::UNIX_EPOCH,
                deleted: None,
                labels,
                annotations: BTreeMap::new(),
            };
            Group::of(&namespace, by, &keys)
        };
        let all = [("projectId", "7"), ("job", "deploy"), ("jobId", "1"), ("branch", "main"), ("mrId", "3")];
        let usual = [By::Mr, By::Branch];
        assert_eq!(group(&all, &usual).unwrap().by, By::Mr);
        assert_eq!(group(&all[..4], &usual).unwrap().by, By::Branch);
        assert_eq!(group(&all, &[By::Commit]), None);
        for missing in 0..3 {
            let rest: Vec<_> = all.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, pair)| *pair).collect();
            assert_eq!(group(&rest, &usual), None, "{rest:?}");
        }
        let other = [("projectId", "8"), all[1], all[2], all[3]];
        assert_ne!(group(&all[..4], &usual), group(&other, &usual), "another project's");
    }
}
