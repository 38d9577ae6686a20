//! What follows for a namespace from what a CI system told of its pipeline and its merge request: what was told of something
//! else, or of another time, says nothing (docs/design/lifecycle.md section 3).

use std::collections::BTreeMap;

use common::config::{CiSettings, Gone};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Check, Condition, Truth,
    ci_verification::Reference,
    pipeline::{CiObjectKind, CiObjectRef, CiSystem, Links, MergeRequest, together},
    time::{between, human_text},
};

use super::{
    Look,
    state::Sequel,
    state::{Known, Last, Source, State, There},
};

/// How much older than its pipeline a namespace may seem to be: two servers tell the time.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How long before it was missing a pipeline must have been seen under way: what was seen earlier may have ended since.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// How old a pipeline may be that somebody deletes. CI systems tidy up by age, from a day on.
const TIDIED_FROM: SignedDuration = SignedDuration::from_hours(24);

/// Whether a namespace goes, by what is known of all it goes with. `answer` is what was told of one; `None`: nothing so far.
#[must_use]
pub fn verdict<'a>(
    links: &Links,
    ci: &BTreeMap<CiSystem, CiSettings>,
    answer: impl Fn(&CiObjectRef) -> Option<&'a Look>,
) -> Check<Condition> {
    let own = links.pipeline.as_ref().filter(|_| links.goes_with_pipeline).map(|origin| {
        let gone = ci.get(&origin.system).map_or(Gone::Ignored, |settings| settings.gone);
        let checked = answer(origin).map(|answer| answer.told(|known| pipeline(links, origin, known, gone)));
        checked.map_or(Check::Pending, Check::Observed)
    });
    let merged = links.merge_request.as_ref().map(|request| {
        let made_it = links.pipeline.as_ref().map(&answer);
        match (answer(&request.object), made_it) {
            // Which merge request is the right one the pipeline says.
            (None, _) | (_, Some(None)) => Check::Pending,
            (Some(found), made_it) => {
                Check::Observed(found.told(|known| merge_request(links, request, known, made_it.flatten())))
            }
        }
    });
    together(own.into_iter().chain(merged))
}

impl Look {
    /// What was told of something by itself, whichever namespace goes with it. True: it was cancelled, merged or closed, or
    /// is gone.
    #[must_use]
    pub fn condition(&self, origin: &CiObjectRef, gone: Gone) -> Condition {
        // Younger than every pipeline, and of the right merge request.
        let links = Links { created: Timestamp::MAX, ..Links::default() };
        self.told(|known| match origin.kind {
            CiObjectKind::Pipeline | CiObjectKind::Job => pipeline(&links, origin, known, gone),
            CiObjectKind::MergeRequest => {
                let request = MergeRequest { object: origin.clone(), names_project: true };
                merge_request(&links, &request, known, None)
            }
        })
    }

    /// What follows of what was answered, by this reading of it; Unknown where nothing was.
    fn told(&self, read: impl FnOnce(&Known) -> (Truth, String)) -> Condition {
        match (&self.trouble, &self.known) {
            (None, Some(known)) => {
                let (truth, reason) = read(known);
                Condition { truth, reason, observed_at: known.at }
            }
            (Some(error), _) => unknown(error.why.clone(), self.at),
            (None, None) => unknown("it was not asked for now, to spare the CI system".to_owned(), self.at),
        }
    }
}

/// True: it was cancelled, or is gone.
fn pipeline(links: &Links, origin: &CiObjectRef, known: &Known, gone: Gone) -> (Truth, String) {
    let last = known.last();
    let found = last.and_then(|there| Some((links.repository_id?, there.project_id?)));
    if let Some((label, id)) = found.filter(|(label, id)| label != id) {
        let why = format!("the repository of {origin} has the id {id}, and the label `projectId` says {label}");
        return (Truth::Unknown, why);
    }
    match (&known.state, last) {
        (State::Missing { since, .. }, _) if !last.is_some_and(|there| there.is_cancelled) => {
            missing(origin, known, *since, gone)
        }
        (_, Some(there)) if there.is_cancelled => cancelled(links, origin, there),
        (_, Some(there)) => (Truth::False, format!("{} has the status `{}`", named(origin, there), there.status)),
        (_, None) => (Truth::Unknown, format!("nothing is known of {origin}")),
    }
}

/// Whether one that was cancelled leaves behind what it made: its successor cancels it, too.
fn cancelled(links: &Links, origin: &CiObjectRef, there: &There) -> (Truth, String) {
    let name = named(origin, there);
    let is_older = there.created_at.is_some_and(|created| between(links.created, created) > MAX_CLOCK_SKEW);
    if is_older {
        return (
            Truth::False,
            format!("{name} was cancelled, and began after the namespace: that holds an earlier deployment"),
        );
    }
    let branch = there.runs_for.as_ref().map_or_else(|| "branch".to_owned(), |runs_for| runs_for.reference.words());
    match &there.sequel {
        Some(Sequel::Nothing) => (Truth::True, format!("{name} was cancelled")),
        Some(Sequel::Newer { id, status }) => (
            Truth::False,
            format!("{name} was cancelled, and {id} of the same {branch} is newer, with the status `{status}`"),
        ),
        Some(Sequel::Again { id, status }) => (
            Truth::False,
            format!(
                "{name} was cancelled, and {id} of the same {branch} went on after that one began, with the status `{status}`"
            ),
        ),
        Some(Sequel::Unclear { why }) => (
            Truth::Unknown,
            format!("{name} was cancelled, and it is not known whether a newer one of its {branch} runs: {why}"),
        ),
        None => (
            Truth::Unknown,
            format!("{name} was cancelled, and it was not asked whether a newer one of its {branch} runs"),
        ),
    }
}

/// What it says that one is not found: nothing of one that was over, or waited for a person, for CI systems tidy up.
fn missing(origin: &CiObjectRef, known: &Known, since: Timestamp, gone: Gone) -> (Truth, String) {
    let since_when = human_text(since);
    let last = match &known.state {
        State::Missing { last, .. } => last.as_ref(),
        State::There(_) => None,
    };
    if let Some(Last { there, .. }) = last.filter(|last| !last.there.is_under_way()) {
        let why = format!(
            "{} had the status `{}`, and is found no more since {since_when}",
            named(origin, there),
            there.status
        );
        return (Truth::False, why);
    }
    let after = match gone {
        Gone::Ignored => {
            return (Truth::False, format!("{origin} is not found since {since_when}, which counts for nothing here"));
        }
        Gone::Trusted => return (Truth::True, format!("{origin} is gone since {since_when}")),
        Gone::Confirmed { after } => after,
    };
    let Some(Last { at, there }) = last else {
        return (Truth::Unknown, format!("{origin} is not found, and never was: its outcome is not known"));
    };
    if between(*at, since) > SEEN_WITHIN {
        let why = format!(
            "{origin} is not found since {since_when}, and was seen last at {}: it may have ended meanwhile",
            human_text(*at)
        );
        return (Truth::Unknown, why);
    }
    if there.created_at.is_some_and(|created| between(created, since) >= TIDIED_FROM) {
        let why =
            format!("{origin} is not found since {since_when}, and was older than a day: it may have been tidied up");
        return (Truth::Unknown, why);
    }
    if since < known.at && between(since, known.at) >= after {
        return (Truth::True, format!("{origin} is gone since {since_when}, and its project is not"));
    }
    (Truth::Unknown, format!("{origin} is not found since {since_when}, which is not long enough to tell"))
}

/// True: it was merged or closed, and is the one that the pipeline ran for.
fn merge_request(links: &Links, request: &MergeRequest, known: &Known, made_it: Option<&Look>) -> (Truth, String) {
    let MergeRequest { object: origin, names_project } = request;
    let State::There(there) = &known.state else {
        return (Truth::Unknown, format!("{origin} is not found"));
    };
    let name = named(origin, there);
    let error = made_it.and_then(|answer| answer.trouble.as_ref());
    let made_it = made_it.and_then(|answer| answer.known.as_ref()).and_then(Known::last);
    // A repository is queried by its name, which may have been given again.
    let is_own = links.pipeline.as_ref().is_some_and(|pipeline| pipeline.project == origin.project);
    let own_id = links.repository_id.or_else(|| made_it?.project_id).filter(|_| is_own);
    if let Some((own, id)) = own_id.zip(there.project_id).filter(|(own, id)| own != id) {
        let why = format!("the repository of {origin} has the id {id}, and that of the pipeline {own}");
        return (Truth::Unknown, why);
    }
    if !names_project && let Err(why) = agrees(links, origin, there, made_it) {
        return (Truth::Unknown, why);
    }
    if !there.is_cancelled {
        return (Truth::False, format!("{name} has the status `{}`", there.status));
    }
    let began = made_it.and_then(|made_it| made_it.began_at);
    if let (None, Some(error)) = (made_it, error) {
        let why = format!(
            "{name} was {}, and whether that was after the pipeline began is not known: {}",
            there.status, error.why
        );
        return (Truth::Unknown, why);
    }
    match there.ended_at.zip(began) {
        Some((ended, began)) if ended < began => {
            let (ended, began) = (human_text(ended), human_text(began));
            let why = format!(
                "{name} was {} at {ended}, before the pipeline began at {began}: it is an earlier one",
                there.status
            );
            (Truth::Unknown, why)
        }
        _ => (Truth::True, format!("{name} was {}", there.status)),
    }
}

/// Whether a merge request of the pipeline's project is the one that the pipeline ran for.
///
/// # Errors
/// It is not, or nobody says so, and which field does not agree.
fn agrees(links: &Links, origin: &CiObjectRef, there: &There, made_it: Option<&There>) -> Result<(), String> {
    let label = match origin.system {
        CiSystem::Gitlab => "mrProjectId",
        CiSystem::Github => "mrProjectPath",
    };
    let remedy = format!("the label `{label}` can name its project");
    let Some(pipeline) = &links.pipeline else {
        return Err(format!(
            "no label names the pipeline, so whether {origin} is the right one is not known; {remedy}"
        ));
    };
    let Some((made_it, runs_for)) = made_it.and_then(|made_it| Some((made_it, made_it.runs_for.as_ref()?))) else {
        return Err(format!(
            "what {pipeline} ran for is not known, so whether {origin} is the right one is not; {remedy}"
        ));
    };
    let ran_for = runs_for.reference.words();
    let differs =
        |what: &str| Err(format!("{} ran for {ran_for}, and {origin} {what}; {remedy}", named(pipeline, made_it)));
    match &runs_for.reference {
        Reference::MergeRequest(number) if *number == origin.id => Ok(()),
        Reference::MergeRequest(_) => differs("is another"),
        Reference::Tag(_) => differs("brings in no tag"),
        Reference::Branch(branch) => {
            let brings = |source: &Source| source.branch == *branch && Some(source.project_id) == runs_for.source_id;
            match there.sources.first() {
                None => differs("does not tell which branch it brings in"),
                Some(_) if there.sources.iter().any(brings) => Ok(()),
                Some(source) => {
                    let branch = source.branch.escape_debug();
                    differs(&format!("brings in branch `{branch}` of project {}", source.project_id))
                }
            }
        }
    }
}

/// Something as people know it.
fn named(origin: &CiObjectRef, there: &There) -> String {
    origin.of_project(&there.project)
}

fn unknown(reason: String, observed_at: Timestamp) -> Condition {
    Condition { truth: Truth::Unknown, reason, observed_at }
}

#[cfg(test)]
mod tests {
    use lifecycle::pipeline::CiObjectKind;

    use super::*;
    use crate::ci::{CiError, RunsFor};

    const PIPELINE: u64 = 200;
    const REQUEST: u64 = 5;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn origin(kind: CiObjectKind, project: &str, id: u64) -> CiObjectRef {
        CiObjectRef { system: CiSystem::Gitlab, project: project.to_owned(), kind, id }
    }

    /// A namespace that pipeline 200 of project 9 made, a minute after it began.
    fn links() -> Links {
        let pipeline = Some(origin(CiObjectKind::Pipeline, "9", PIPELINE));
        Links { pipeline, goes_with_pipeline: true, created: at(60), ..Links::default() }
    }

    /// The same, with merge request 5 of that project, or of one that a label names.
    fn links_to_request(project: Option<&str>) -> Links {
        let origin = origin(CiObjectKind::MergeRequest, project.unwrap_or("9"), REQUEST);
        let merge_request = Some(MergeRequest { object: origin, names_project: project.is_some() });
        Links { merge_request, ..links() }
    }

    fn branch(name: &str) -> Reference {
        Reference::Branch(name.to_owned())
    }

    /// A pipeline of project 9, of this.
    fn ran(status: &str, reference: Reference) -> There {
        There {
            status: status.to_owned(),
            is_cancelled: status == "canceled",
            is_over: ["canceled", "success"].contains(&status),
            is_held: status == "manual",
            project: "alice/app".to_owned(),
            project_id: Some(9),
            runs_for: Some(RunsFor { reference, source_id: Some(9), workflow_id: None, is_child: false }),
            created_at: Some(at(0)),
            began_at: Some(at(0)),
            ..There::default()
        }
    }

    /// A merge request that brings in a branch of a project.
    fn request(status: &str, branch: &str, project_id: u64) -> There {
        let is_over = status != "opened";
        There {
            status: status.to_owned(),
            is_cancelled: is_over,
            is_over,
            project: "group/app".to_owned(),
            ended_at: is_over.then(|| at(600)),
            sources: vec![Source { branch: branch.to_owned(), project_id }],
            ..There::default()
        }
    }

    fn told(there: There) -> Look {
        Look { at: at(700), known: Some(Known::there(at(700), there, None)), trouble: None }
    }

    /// One that was seen so at one time, was not found at another, and was not found at `now`.
    fn lost(seen: Option<(i64, There)>, missing: i64, now: i64) -> Look {
        let before = seen.map(|(second, there)| Known::there(at(second), there, None));
        let missing = Known::missing(at(missing), before);
        Look { at: at(now), known: Some(Known::missing(at(now), Some(missing))), trouble: None }
    }

    fn unanswered(known: Option<There>) -> Look {
        let error = Some(CiError { why: "it is ill".to_owned(), ..CiError::default() });
        Look { at: at(700), known: known.map(|there| Known::there(at(600), there, None)), trouble: error }
    }

    /// What follows for a namespace, with a reason that holds these words.
    #[track_caller]
    fn check_gone(gone: Gone, links: &Links, answers: &[(CiObjectKind, &Look)], expected: Truth, words: &str) {
        let settings = BTreeMap::from([(CiSystem::Gitlab, settings(gone))]);
        let answer =
            |origin: &CiObjectRef| answers.iter().find(|(kind, _)| *kind == origin.kind).map(|(_, answer)| *answer);
        match verdict(links, &settings, answer) {
            Check::Observed(found) => {
                assert_eq!(found.truth, expected, "{}", found.reason);
                assert!(found.reason.contains(words), "{}", found.reason);
            }
            other => panic!("{other:?}"),
        }
    }

    fn settings(gone: Gone) -> CiSettings {
        CiSettings {
            url: "http://gitlab.example.org".parse().unwrap(),
            token_file: "token".into(),
            trust: common::config::Trust::Web,
            check_every: std::time::Duration::from_secs(60),
            requests_per_minute: 120,
            gone,
            webhook_secret_file: None,
        }
    }

    const CONFIRMED: Gone = Gone::Confirmed { after: SignedDuration::from_mins(10) };

    #[track_caller]
    fn check(links: &Links, pipeline: &Look, request: Option<&Look>, expected: Truth, words: &str) {
        let answers: Vec<_> = std::iter::once((CiObjectKind::Pipeline, pipeline))
            .chain(request.map(|answer| (CiObjectKind::MergeRequest, answer)))
            .collect();
        check_gone(CONFIRMED, links, &answers, expected, words);
    }

    #[test]
    fn a_merge_request_counts_only_if_the_pipeline_ran_for_it() {
        use Truth::{False, True, Unknown};
        let own = links_to_request(None);
        let check = |pipeline: Reference, there: There, expected, words| {
            check(&own, &told(ran("success", pipeline)), Some(&told(there)), expected, words);
        };
        check(branch("x"), request("merged", "x", 9), True, "merge request 5 of project group/app was merged");
        check(branch("x"), request("opened", "x", 9), False, "");
        // A merge request of that number is in the fork, too.
        check(
            branch("x"),
            request("merged", "y", 9),
            Unknown,
            "brings in branch `y` of project 9; the label `mrProjectId`",
        );
        check(branch("x"), request("merged", "x", 7), Unknown, "brings in branch `x` of project 7");
        check(branch("x"), request("opened", "y", 9), Unknown, "");
        check(Reference::Tag("x".to_owned()), request("merged", "x", 9), Unknown, "brings in no tag");
        // It says so itself, wherever the branch is.
        check(Reference::MergeRequest(5), request("merged", "x", 7), True, "");
        check(Reference::MergeRequest(6), request("merged", "x", 9), Unknown, "ran for merge request 6");
        let gone = There { sources: Vec::new(), ..request("merged", "x", 9) };
        check(branch("x"), gone, Unknown, "does not tell which branch");
        let renamed = There { sources: request("", "x2", 9).sources, ..request("merged", "x", 9) };
        let both = There { sources: [renamed.sources.clone(), request("", "x", 9).sources].concat(), ..renamed };
        check(branch("x"), both, True, "");
    }

    #[test]
    fn where_a_label_names_its_project_a_merge_request_need_not_agree() {
        use Truth::{False, True, Unknown};
        let named = links_to_request(Some("7"));
        let of_main = told(ran("success", branch("main")));
        check(&named, &of_main, Some(&told(request("merged", "x", 9))), True, "was merged");
        check(&named, &of_main, Some(&told(request("opened", "x", 9))), False, "");
        let before = There { ended_at: Some(at(-1)), ..request("merged", "x", 9) };
        check(&named, &of_main, Some(&told(before.clone())), Unknown, "before the pipeline began");
        check(&named, &told(There { began_at: None, ..ran("success", branch("main")) }), Some(&told(before)), True, "");
        // Nobody could say when the pipeline began.
        check(&named, &unanswered(None), Some(&told(request("merged", "x", 9))), Unknown, "it is ill");
        let alone = Links { pipeline: None, ..links_to_request(Some("7")) };
        check(&alone, &of_main, Some(&told(request("merged", "x", 9))), True, "");
        let nameless = Links { pipeline: None, ..links_to_request(None) };
        check(&nameless, &of_main, Some(&told(request("merged", "x", 9))), Unknown, "no label names the pipeline");
    }

    #[test]
    fn a_merge_request_that_ended_before_the_pipeline_began_is_an_earlier_one() {
        let earlier = There { ended_at: Some(at(-1)), ..request("closed", "x", 9) };
        let words = "before the pipeline began";
        check(&links_to_request(None), &told(ran("success", branch("x"))), Some(&told(earlier)), Truth::Unknown, words);
    }

    #[test]
    fn what_the_pipeline_ran_for_is_known_when_it_was_tidied_up() {
        let links = links_to_request(None);
        let merged = told(request("merged", "x", 9));
        check(
            &links,
            &lost(Some((10, ran("success", branch("x")))), 500, 700),
            Some(&merged),
            Truth::True,
            "was merged",
        );
        check(&links, &lost(None, 500, 700), Some(&merged), Truth::Unknown, "");
        check(&links, &unanswered(Some(ran("success", branch("x")))), Some(&merged), Truth::True, "was merged");
        let none = Links { goes_with_pipeline: false, ..links_to_request(None) };
        check(&none, &lost(None, 500, 700), Some(&merged), Truth::Unknown, "ran for is not known");
    }

    #[test]
    fn what_its_successor_cancelled_is_not_abandoned() {
        use Truth::{False, True, Unknown};
        let check = |sequel, expected, words| {
            let there = There { sequel, ..ran("canceled", branch("x")) };
            check(&links(), &told(there), None, expected, words);
        };
        let running = || "running".to_owned();
        check(Some(Sequel::Nothing), True, "pipeline 200 of project alice/app was cancelled");
        check(Some(Sequel::Newer { id: 201, status: running() }), False, "201 of the same branch `x` is newer");
        check(Some(Sequel::Again { id: 199, status: running() }), False, "199 of the same branch `x` went on");
        check(Some(Sequel::Unclear { why: "nobody says".to_owned() }), Unknown, "nobody says");
        check(None, Unknown, "it was not asked");
    }

    #[test]
    fn a_namespace_that_is_older_than_what_was_cancelled_holds_an_earlier_deployment() {
        let cancelled = told(There { sequel: Some(Sequel::Nothing), ..ran("canceled", branch("x")) });
        let made_at = |second| Links { created: at(second), ..links() };
        check(&made_at(-60), &cancelled, None, Truth::True, "");
        check(&made_at(-61), &cancelled, None, Truth::False, "holds an earlier deployment");
    }

    #[test]
    fn that_a_pipeline_is_not_found_says_nothing_of_one_that_was_over() {
        use Truth::{False, True, Unknown};
        let check = |gone, seen: Option<(i64, &str)>, missing, now, expected, words| {
            let seen = seen.map(|(second, status)| (second, ran(status, branch("x"))));
            check_gone(gone, &links(), &[(CiObjectKind::Pipeline, &lost(seen, missing, now))], expected, words);
        };
        let trusted = Gone::Trusted;
        for gone in [CONFIRMED, trusted, Gone::Ignored] {
            check(gone, Some((10, "success")), 500, 5_000, False, "had the status `success`");
            check(gone, Some((10, "manual")), 500, 5_000, False, "had the status `manual`");
        }
        check(CONFIRMED, Some((10, "running")), 500, 1_099, Unknown, "not long enough");
        check(CONFIRMED, Some((10, "running")), 500, 1_100, True, "is gone since");
        check(trusted, Some((10, "running")), 500, 500, True, "is gone since");
        check(Gone::Ignored, Some((10, "running")), 500, 5_000, False, "counts for nothing");
        // One that was away for long knows less.
        check(CONFIRMED, Some((10, "running")), 3_610, 9_000, True, "");
        check(CONFIRMED, Some((10, "running")), 3_611, 9_000, Unknown, "may have ended meanwhile");
        check(CONFIRMED, Some((86_000, "running")), 86_399, 90_000, True, "");
        check(CONFIRMED, Some((86_000, "running")), 86_400, 90_000, Unknown, "may have been tidied up");
        check(CONFIRMED, None, 500, 5_000, Unknown, "never was");
        check(trusted, None, 500, 500, True, "is gone since");
    }

    #[test]
    fn what_was_cancelled_is_so_when_it_is_not_found_any_more() {
        let gone = |sequel| lost(Some((10, There { sequel, ..ran("canceled", branch("x")) })), 500, 5_000);
        check(&links(), &gone(Some(Sequel::Nothing)), None, Truth::True, "was cancelled");
        let newer = Some(Sequel::Newer { id: 201, status: "success".to_owned() });
        check(&links(), &gone(newer), None, Truth::False, "is newer");
    }

    #[test]
    fn a_repository_that_came_back_under_its_name_is_another() {
        let links = Links { repository_id: Some(8), ..links() };
        let cancelled = told(There { sequel: Some(Sequel::Nothing), ..ran("canceled", branch("x")) });
        check(&links, &cancelled, None, Truth::Unknown, "has the id 9, and the label `projectId` says 8");
        check(&Links { repository_id: Some(9), ..links }, &cancelled, None, Truth::True, "");
        let merged = told(There { project_id: Some(8), ..request("merged", "x", 9) });
        for named in [None, Some("9")] {
            let links = links_to_request(named);
            let why = "has the id 8, and that of the pipeline 9";
            check(&links, &told(ran("success", branch("x"))), Some(&merged), Truth::Unknown, why);
            let labelled = Links { repository_id: Some(7), ..links };
            let why = "has the id 8, and that of the pipeline 7";
            let other = There { project_id: None, ..ran("success", branch("x")) };
            check(&labelled, &told(other), Some(&merged), Truth::Unknown, why);
        }
        let of_another = links_to_request(Some("7"));
        check(&of_another, &told(ran("success", branch("x"))), Some(&merged), Truth::True, "was merged");
    }

    #[test]
    fn what_nobody_answered_yet_decides_nothing() {
        let none = verdict(&links_to_request(None), &BTreeMap::new(), |_| None);
        assert_eq!(none, Check::Pending);
        assert_eq!(verdict(&Links::default(), &BTreeMap::new(), |_| None), Check::Disabled);
        let merged = told(request("merged", "x", 9));
        let one = verdict(&links_to_request(None), &BTreeMap::new(), |origin| {
            (origin.kind == CiObjectKind::MergeRequest).then_some(&merged)
        });
        assert_eq!(one, Check::Pending, "which merge request is the right one the pipeline says");
    }
}
