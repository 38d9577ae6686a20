//! Which namespace a newer deployment of the same branch or merge request replaces (docs/design/lifecycle.md section
//! 4).
//!
//! Namespaces of one project, one job and one branch (or merge request, or commit) are a *group*, in which those of one
//! `jobId` are a *bucket*. One total order holds for all groups, and it is of single namespaces: an order that changed
//! with the members would let a group eat itself.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::model::event::Successor;
use crate::{
    Condition, Keys, Namespace, Record, Status, Truth, Uid,
    ci_verification::{Ran, Verification},
    model::ci::{CiObjectKind, CiObjectRef, CiSystem, number, repository},
    record::Phase,
};

/// How many namespaces that replace another are named.
const MAX_SUCCESSORS: usize = 8;

/// What deployments have to share, besides the project and the job, for a newer one to replace an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
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
pub enum Trigger {
    /// When all its namespaces are `ok`.
    #[default]
    NewerReady,
    /// As soon as it is there.
    NewerExists,
}

/// By which rules newer deployments replace older ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupersedeRules {
    /// Never empty.
    pub by: Vec<GroupBy>,
    pub when: Trigger,
    /// Where it is queried whether a newer deployment is what its labels say; `None`: they are believed.
    pub confirm: Option<CiSystem>,
}

/// Deployments of which the newest replaces the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentGroup {
    by: GroupBy,
    project: String,
    /// The project as GitHub is queried for it, where it is.
    repository: Option<String>,
    of: String,
    job: String,
}

/// A namespace among those of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub uid: Uid,
    pub name: String,
    pub job_id: String,
    pub created: Timestamp,
    pub standing: Readiness,
}

/// Whether a namespace can replace others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is managed, and `ok`.
    Ready,
    /// It is there, and may become so.
    Pending,
    /// It is itself replaced, cancelled, failed, going away, about to be deleted, or nobody's.
    Excluded,
}

/// Whether a namespace is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supersession {
    /// True: a newer deployment replaces it now.
    pub condition: Condition,
    /// Whether one that replaced it may still do so: it is there, and has not failed.
    pub holds: bool,
    /// The namespaces of the deployment that replaces it, the newest first; at most 8.
    pub successors: Vec<Successor>,
}

impl DeploymentGroup {
    /// The group of a namespace, by the first of `terms.by` whose label it has; `None`: it is in none.
    #[must_use]
    pub fn of(namespace: &Namespace, terms: &SupersedeRules, keys: &Keys) -> Option<Self> {
        let label = |key: &str| namespace.label(&keys.of_ci(key)).map(str::to_owned);
        let (project, job) = (label("projectId")?, label("job")?);
        label("jobId")?;
        let repository = match terms.confirm {
            Some(CiSystem::Github) => Some(repository(&label("projectPath")?)?),
            Some(CiSystem::Gitlab) | None => None,
        };
        let (by, of) = terms.by.iter().find_map(|by| Some((*by, label(by.label())?)))?;
        Some(Self { by, project, repository, of, job })
    }

    /// The job of this id, as this CI system is queried for it; `None`: the labels name none.
    #[must_use]
    pub fn job(&self, system: CiSystem, job_id: &str) -> Option<CiObjectRef> {
        let project = match system {
            CiSystem::Gitlab => number(&self.project)?.to_string(),
            CiSystem::Github => self.repository.clone()?,
        };
        Some(CiObjectRef { system, project, kind: CiObjectKind::Job, id: number(job_id)? })
    }

    /// Whether a newer job deployed what the group is of, and the older one the same.
    #[must_use]
    pub fn proof(&self, newer: Ran<'_>, older: Ran<'_>) -> Verification {
        let (of, Ran { job, ran_for }) = (self.of.as_str(), newer);
        let is_it = match self.by {
            GroupBy::Mr => number(of).is_some_and(|number| ran_for.is_merge_request(number)),
            GroupBy::Branch => ran_for.is_branch(of),
            GroupBy::Commit => ran_for.is_commit(of),
        };
        let wanted = format!("{} {}", self.by.words(), shown(of));
        Verification::of(job, &wanted, is_it, ran_for).and(|| newer.replaces(older)).and(|| self.is_own(older))
    }

    /// Whether a job ran in the repository that the labels name. Its name may have been given again, and its id is not.
    fn is_own(&self, Ran { job, ran_for }: Ran<'_>) -> Verification {
        let label = self.repository.as_ref().and_then(|_| number(&self.project));
        match label.zip(ran_for.project_id).filter(|(label, id)| label != id) {
            None => Verification::Confirmed,
            Some((label, id)) => Verification::Unknown(format!(
                "the repository of {job} has the id {id}, and the label `projectId` says {label}"
            )),
        }
    }
}

impl fmt::Display for DeploymentGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, project, of, job, repository: _ } = self;
        let what = by.words();
        write!(f, "{what} {} of project {}, job {}", shown(of), shown(project), shown(job))
    }
}

impl GroupBy {
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

impl Deployment {
    /// A namespace of a group, with its record.
    #[must_use]
    pub fn new(namespace: &Namespace, record: Option<&Record>, keys: &Keys) -> Option<Self> {
        Some(Self {
            uid: namespace.uid.clone(),
            name: namespace.name.clone(),
            job_id: namespace.label(&keys.of_ci("jobId"))?.to_owned(),
            created: namespace.created,
            standing: Readiness::of(namespace, record),
        })
    }

    /// The one order of all namespaces: numbers are newer than other ids, and later ones than earlier ones.
    fn order(&self, other: &Self) -> Ordering {
        let numbers = match (digits(&self.job_id), digits(&other.job_id)) {
            (Some(a), Some(b)) => (a.len(), a).cmp(&(b.len(), b)),
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        numbers.then_with(|| (self.created, &self.uid).cmp(&(other.created, &other.uid)))
    }
}

/// The digits of a number without leading zeros, of whatever length; `None`: it is no number.
fn digits(text: &str) -> Option<&str> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.trim_start_matches('0'))
}

impl Readiness {
    /// How a namespace stands of which this is seen and recorded.
    #[must_use]
    pub fn of(namespace: &Namespace, record: Option<&Record>) -> Self {
        let Some(record) = record else { return Self::Excluded };
        let is_out = namespace.deleted.is_some()
            || record.uid != namespace.uid
            || record.phase != Phase::Managed
            || record.done.is_some()
            || record.open.is_some()
            || record.damage.is_some();
        match record.status {
            _ if is_out => Self::Excluded,
            Status::Superseded | Status::Cancelled | Status::Failed => Self::Excluded,
            Status::Ok => Self::Ready,
            Status::Unknown | Status::Unstable | Status::Failing | Status::Stale => Self::Pending,
        }
    }
}

/// Whether `member` is replaced by a newer deployment among those of its group, and by which: the newest that can.
///
/// Where the terms ask for a proof, `prove` is called to tell whether a job replaces that of `member`, for the job of each newer
/// deployment that is there, the newest first, until one that is proven replaces it: `prove(newer, own)`. One that is
/// refuted replaces nobody; while it is not known, nothing changes.
#[must_use]
pub fn supersession(
    member: &Deployment,
    group: &DeploymentGroup,
    all: &[Deployment],
    terms: &SupersedeRules,
    mut prove: impl FnMut(CiObjectRef, CiObjectRef) -> Verification,
    now: Timestamp,
) -> Supersession {
    let what = group.by.words();
    let condition = |truth, reason| Condition { truth, reason, observed_at: now };
    let (mut holds, mut refuted, mut unknown) = (false, None, None);
    let newer = newer(member, all);
    for bucket in &newer {
        let newest = bucket[0];
        let is_there = |it: &&Deployment| it.standing != Readiness::Excluded;
        let replaces = match terms.when {
            Trigger::NewerReady => bucket.iter().all(|it| it.standing == Readiness::Ready),
            Trigger::NewerExists => bucket.iter().any(is_there),
        };
        if !bucket.iter().any(is_there) {
            continue;
        }
        let proof = match terms.confirm {
            None => Verification::Confirmed,
            Some(system) => match (group.job(system, &newest.job_id), group.job(system, &member.job_id)) {
                (Some(job), Some(own)) => prove(job, own),
                (job, _) => {
                    let nameless = if job.is_some() { member } else { newest };
                    Verification::Rejected(format!("job {} is none that could be asked for", shown(&nameless.job_id)))
                }
            },
        };
        match proof {
            Verification::Confirmed => holds = true,
            Verification::Rejected(why) => {
                refuted.get_or_insert(why);
                continue;
            }
            Verification::Unknown(why) => {
                holds = true;
                if replaces {
                    unknown.get_or_insert((newest, why));
                }
                continue;
            }
        }
        if replaces {
            let job = shown(&newest.job_id);
            let ready = if terms.when == Trigger::NewerReady { ", which is ok" } else { "" };
            let reason = format!("job {job} deployed the same {what} later, as `{}`{ready}", newest.name);
            let successors = bucket.iter().filter(|it| is_there(it));
            let successors = successors.map(|it| Successor { uid: it.uid.clone(), name: it.name.clone() });
            let successors = successors.take(MAX_SUCCESSORS).collect();
            return Supersession { condition: condition(Truth::True, reason), holds, successors };
        }
    }
    let condition = match (unknown, refuted) {
        (Some((newest, why)), _) => {
            let job = shown(&newest.job_id);
            let name = &newest.name;
            let reason = format!("whether job {job} deployed the same {what} later, as `{name}`, is not known: {why}");
            condition(Truth::Unknown, reason)
        }
        (None, Some(why)) => condition(Truth::False, format!("no newer deployment of its {what} replaces it: {why}")),
        (None, None) if newer.is_empty() => {
            condition(Truth::False, format!("it is the newest deployment of its {what}"))
        }
        (None, None) => condition(Truth::False, format!("no newer deployment of its {what} replaces it")),
    };
    Supersession { condition, holds, successors: Vec::new() }
}

/// The deployments that are newer than this one, the newest first, and so in each.
fn newer<'a>(member: &Deployment, all: &'a [Deployment]) -> Vec<Vec<&'a Deployment>> {
    // A number is the same with zeros before it.
    let job = |of: &'a Deployment| digits(&of.job_id).unwrap_or(&of.job_id);
    let own = digits(&member.job_id).unwrap_or(&member.job_id);
    let mut buckets: BTreeMap<&str, Vec<&Deployment>> = BTreeMap::new();
    for other in all.iter().filter(|other| job(other) != own) {
        buckets.entry(job(other)).or_default().push(other);
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
    newer
}

/// What a stranger wrote, in words of ours.
fn shown(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci_verification::{JobContext, Reference};

    fn group() -> DeploymentGroup {
        DeploymentGroup {
            by: GroupBy::Branch,
            project: "7".into(),
            repository: None,
            of: "main".into(),
            job: "deploy".into(),
        }
    }

    const fn terms(when: Trigger, confirm: Option<CiSystem>) -> SupersedeRules {
        SupersedeRules { by: Vec::new(), when, confirm }
    }

    /// Nobody is to be asked.
    fn unasked(job: CiObjectRef, own: CiObjectRef) -> Verification {
        panic!("{job} and {own} are to be proven, and nobody asked for that")
    }

    /// Members in words, `name@jobId` and how they stand (`+` ready, `?` there, `-` out), created one after another.
    fn members(words: &str) -> Vec<Deployment> {
        let member = |(second, word): (i64, &str)| {
            let (name, rest) = word.split_once('@').unwrap();
            let (job_id, standing) = rest.split_at(rest.len() - 1);
            Deployment {
                uid: Uid::new(name),
                name: name.to_owned(),
                job_id: job_id.to_owned(),
                created: Timestamp::from_second(second).unwrap(),
                standing: match standing {
                    "+" => Readiness::Ready,
                    "?" => Readiness::Pending,
                    _ => Readiness::Excluded,
                },
            }
        };
        (1..).zip(words.split_whitespace()).map(member).collect()
    }

    /// Which of these are replaced, each with the newest of those that replace it.
    #[track_caller]
    fn check_when(when: Trigger, words: &str, expected: &str) {
        let all = members(words);
        let found = all.iter().filter_map(|member| {
            let found = supersession(member, &group(), &all, &terms(when, None), unasked, Timestamp::UNIX_EPOCH);
            assert!(!found.condition.is_true() || found.holds, "what replaces it may do so");
            found.successors.first().map(|by| format!("{}<{}", member.name, by.name))
        });
        assert_eq!(found.collect::<Vec<_>>().join(" "), expected, "{words}");
    }

    #[track_caller]
    fn check(words: &str, expected: &str) {
        check_when(Trigger::NewerReady, words, expected);
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
        check("a@7+ b@007+", "");
        check("a@7+ b@007+ c@8+", "a<c b<c");
        check("a@6+ b@7+ c@007?", "");
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
        check_when(Trigger::NewerExists, "a@1+ b@2?", "a<b");
        check_when(Trigger::NewerExists, "a@1+ b@2-", "");
        check_when(Trigger::NewerExists, "a@1+ b@2- c@2?", "a<c");
    }

    #[test]
    fn a_group_never_eats_itself() {
        // Whatever is deleted of it in whatever order, the newest of it is left.
        for words in ["a@1+ b@2+ c@3+", "a@x+ b@y+ c@x+ d@y+", "a@2+ b@x+ c@1+ d@x+ e@2+"] {
            let mut all = members(words);
            loop {
                let is_replaced = |member: &Deployment| {
                    let terms = terms(Trigger::NewerReady, None);
                    supersession(member, &group(), &all, &terms, unasked, Timestamp::MIN).condition.is_true()
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
            supersession(&all[0], &group(), &all, &terms(Trigger::NewerReady, None), unasked, Timestamp::MIN).holds
        };
        assert!(holds("a@1+ b@2?"));
        assert!(!holds("a@1+ b@2-"));
        assert!(!holds("a@1+"));
        assert!(holds("a@1+ b@2- c@3?"));
    }

    #[test]
    fn a_group_is_of_one_project_one_job_and_the_first_label_that_is_asked_for() {
        let keys = Keys::default();
        let group = |labels: &[(&str, &str)], by: &[GroupBy]| {
            let terms = SupersedeRules { by: by.to_vec(), ..terms(Trigger::NewerReady, None) };
            let labels = labels.iter().map(|(key, value)| (keys.of_ci(key), (*value).to_owned())).collect();
            let namespace = Namespace {
                uid: Uid::new("u"),
                name: "a".into(),
                resource_version: "1".into(),
                created: Timestamp::UNIX_EPOCH,
                deleted: None,
                ending: None,
                labels,
                annotations: BTreeMap::new(),
            };
            DeploymentGroup::of(&namespace, &terms, &keys)
        };
        let all = [("projectId", "7"), ("job", "deploy"), ("jobId", "1"), ("branch", "main"), ("mrId", "3")];
        let usual = [GroupBy::Mr, GroupBy::Branch];
        assert_eq!(group(&all, &usual).unwrap().by, GroupBy::Mr);
        assert_eq!(group(&all[..4], &usual).unwrap().by, GroupBy::Branch);
        assert_eq!(group(&all, &[GroupBy::Commit]), None);
        for missing in 0..3 {
            let rest: Vec<_> = all.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, pair)| *pair).collect();
            assert_eq!(group(&rest, &usual), None, "{rest:?}");
        }
        let other = [("projectId", "8"), all[1], all[2], all[3]];
        assert_ne!(group(&all[..4], &usual), group(&other, &usual), "another project's");
    }

    /// What becomes of the first of these where the CI system says so of the jobs: `+` proven, `-` refuted, `?` not known;
    /// whether it is replaced, what is known and whether it holds, and for which jobs a proof was requested.
    fn asked(when: Trigger, words: &str, says: &str) -> (Supersession, String) {
        let says: BTreeMap<_, _> = says.split_whitespace().map(|word| word.split_at(word.len() - 1)).collect();
        let (all, mut jobs) = (members(words), Vec::new());
        let own_id = all[0].job_id.clone();
        let prove = |job: CiObjectRef, own: CiObjectRef| {
            assert_eq!(own.id.to_string(), own_id);
            let job_id = job.id.to_string();
            jobs.push(job_id.clone());
            match says.get(job_id.as_str()) {
                Some(&"+") => Verification::Confirmed,
                Some(&"-") => Verification::Rejected("it ran for another".to_owned()),
                _ => Verification::Unknown("nobody answers".to_owned()),
            }
        };
        let terms = terms(when, Some(CiSystem::Gitlab));
        let found = supersession(&all[0], &group(), &all, &terms, prove, Timestamp::UNIX_EPOCH);
        (found, jobs.join(" "))
    }

    #[track_caller]
    fn check_asked(when: Trigger, words: &str, says: &str, truth: Truth, holds: bool, jobs: &str) {
        let (found, asked) = asked(when, words, says);
        let case = format!("{words}, {says}");
        assert_eq!((found.condition.truth, found.holds, asked.as_str()), (truth, holds, jobs), "{case}");
    }

    #[test]
    fn only_what_is_proven_replaces_anybody() {
        let check = |words, says, truth, holds, jobs| check_asked(Trigger::NewerReady, words, says, truth, holds, jobs);
        check("a@1+ b@2+", "2+", Truth::True, true, "2");
        check("a@1+ b@2+", "2-", Truth::False, false, "2");
        check("a@1+ b@2+", "2?", Truth::Unknown, true, "2");
        // One that is no deployment of it shelters nobody, and one of which that is not known hides nobody.
        check("a@1+ b@2+ c@3+", "3- 2+", Truth::True, true, "3 2");
        check("a@1+ b@2+ c@3+", "3? 2+", Truth::True, true, "3 2");
        check("a@1+ b@2+ c@3+", "3- 2?", Truth::Unknown, true, "3 2");
        check("a@1+ b@2+ c@3+", "3+ 2?", Truth::True, true, "3");
        // One that is not ok is queried already, and one that is excluded never.
        check("a@1+ b@2?", "2+", Truth::False, true, "2");
        check("a@1+ b@2?", "2?", Truth::False, true, "2");
        check("a@1+ b@2?", "2-", Truth::False, false, "2");
        check("a@1+ b@2-", "2+", Truth::False, false, "");
        check("a@2+ b@1+", "1+", Truth::False, false, "");
        check("a@1+ b@next+", "", Truth::False, false, "");
        // What nobody can be asked for is not replaced either.
        check("a@one+ b@2+", "2+", Truth::False, false, "");
        check_asked(Trigger::NewerExists, "a@1+ b@2?", "2+", Truth::True, true, "2");
        check_asked(Trigger::NewerExists, "a@1+ b@2?", "2?", Truth::Unknown, true, "2");
    }

    #[test]
    fn why_nobody_replaces_it_is_told() {
        let reason = |says| asked(Trigger::NewerReady, "a@1+ b@2+", says).0.condition.reason;
        assert_eq!(reason("2-"), "no newer deployment of its branch replaces it: it ran for another");
        let unknown = "whether job `2` deployed the same branch later, as `b`, is not known: nobody answers";
        assert_eq!(reason("2?"), unknown);
    }

    #[test]
    fn a_job_is_asked_for_by_numbers() {
        let group = |project: &str, repository: Option<&str>| DeploymentGroup {
            project: project.into(),
            repository: repository.map(str::to_owned),
            ..group()
        };
        let job = |group: &DeploymentGroup, system, id| group.job(system, id).map(|job| job.to_string());
        assert_eq!(job(&group("7", None), CiSystem::Gitlab, "46").as_deref(), Some("job 46 of project 7"));
        let run = job(&group("7", Some("octo/hello")), CiSystem::Github, "46");
        assert_eq!(run.as_deref(), Some("workflow run 46 of octo/hello"));
        assert_eq!(job(&group("seven", None), CiSystem::Gitlab, "46"), None);
        assert_eq!(job(&group("7", None), CiSystem::Gitlab, "next"), None);
        assert_eq!(job(&group("7", None), CiSystem::Github, "46"), None);
    }

    #[test]
    fn a_job_proves_what_it_ran_for() {
        let ran_for = JobContext {
            branch: Some("main".to_owned()),
            commit: Some("a91957a858320c0e17f3a0eca7cfacbff50ea29a".to_owned()),
            merge_requests: vec![3],
            reference: Some(Reference::Branch("main".to_owned())),
            source_id: Some(7),
            name: Some("deploy".to_owned()),
            ..JobContext::default()
        };
        let proof = |by, of: &str| {
            let group = DeploymentGroup { by, of: of.to_owned(), ..group() };
            let [job, own] = ["46", "45"].map(|id| group.job(CiSystem::Gitlab, id).unwrap());
            group.proof(Ran { job: &job, ran_for: &ran_for }, Ran { job: &own, ran_for: &ran_for })
        };
        for (by, of) in
            [(GroupBy::Branch, "main"), (GroupBy::Mr, "3"), (GroupBy::Mr, "03"), (GroupBy::Commit, "a91957a8")]
        {
            assert_eq!(proof(by, of), Verification::Confirmed, "{of}");
        }
        for (by, of) in
            [(GroupBy::Mr, "main"), (GroupBy::Mr, "4"), (GroupBy::Commit, "main"), (GroupBy::Commit, "b91957a8")]
        {
            assert!(matches!(proof(by, of), Verification::Rejected(_)), "{of}");
        }
        let why = "job 46 of project 7 ran for branch `main`, merge request 3, commit \
                   a91957a858320c0e17f3a0eca7cfacbff50ea29a, not for branch `other`";
        assert_eq!(proof(GroupBy::Branch, "other"), Verification::Rejected(why.to_owned()));
    }

    #[test]
    fn a_repository_that_came_back_under_its_name_deployed_nothing_of_the_former_one() {
        let group = DeploymentGroup { repository: Some("octo/hello".into()), ..group() };
        let [job, own] = ["46", "45"].map(|id| group.job(CiSystem::Github, id).unwrap());
        let proof = |id| {
            let ran_for = JobContext {
                branch: Some("main".to_owned()),
                reference: Some(Reference::Branch("main".to_owned())),
                source_id: Some(id),
                project_id: Some(id),
                name: Some("9".to_owned()),
                ..JobContext::default()
            };
            group.proof(Ran { job: &job, ran_for: &ran_for }, Ran { job: &own, ran_for: &ran_for })
        };
        assert_eq!(proof(7), Verification::Confirmed);
        let why = "the repository of workflow run 45 of octo/hello has the id 8, and the label `projectId` says 7";
        assert_eq!(proof(8), Verification::Unknown(why.to_owned()));
    }

    #[test]
    fn of_github_the_repository_is_part_of_the_group() {
        let keys = Keys::default();
        let terms = SupersedeRules { by: vec![GroupBy::Branch], ..terms(Trigger::NewerReady, Some(CiSystem::Github)) };
        let group = |path: Option<&str>| {
            let labels = [("projectId", "7"), ("job", "deploy"), ("jobId", "1"), ("branch", "main")];
            let labels = labels.into_iter().chain(path.map(|path| ("projectPath", path)));
            let namespace = Namespace {
                uid: Uid::new("u"),
                name: "a".into(),
                resource_version: "1".into(),
                created: Timestamp::UNIX_EPOCH,
                deleted: None,
                ending: None,
                labels: labels.map(|(key, value)| (keys.of_ci(key), value.to_owned())).collect(),
                annotations: BTreeMap::new(),
            };
            DeploymentGroup::of(&namespace, &terms, &keys)
        };
        assert_eq!(group(Some("Octo.hello")), group(Some("octo.Hello")));
        assert_ne!(group(Some("octo.hello")), group(Some("octo.other")));
        assert_eq!((group(None), group(Some("octo"))), (None, None));
    }
}
