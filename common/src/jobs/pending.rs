//! Jobs whose programs have not begun though they should have: people are told at once, and in the end another is tried.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use lifecycle::time::saturating_add;
use tokio::time::Instant;

use super::JobRetry;
use super::{Job, JobState, Outcome};

/// How long a job whose program does not begin is left alone: an image may take as long to fetch.
pub const BEGINS_WITHIN: Duration = Duration::from_secs(300);

/// By the name of the job.
#[derive(Debug, Default)]
pub struct Pending(BTreeMap<String, Waits>);

#[derive(Debug)]
struct Waits {
    began: Instant,
    since: Timestamp,
    why: String,
}

impl Pending {
    /// Takes in how all jobs are. Returns those, by name, that waited for [`BEGINS_WITHIN`], with what keeps them: such a job
    /// may be made as things were, and without it one is made as they are.
    pub fn take_in(&mut self, jobs: &[Job], now: Timestamp) -> Vec<(String, String)> {
        let waiting = jobs.iter().filter(|job| job.state == JobState::Running && !job.has_begun);
        let waiting: BTreeMap<_, _> = waiting.filter_map(|job| Some((&job.name, job.trouble.as_ref()?))).collect();
        self.0.retain(|name, _| waiting.contains_key(name));
        for (name, why) in waiting {
            let new = || Waits { began: Instant::now(), since: now, why: String::new() };
            self.0.entry(name.clone()).or_insert_with(new).why.clone_from(why);
        }
        let late = self.0.extract_if(.., |_, waits| waits.began.elapsed() >= BEGINS_WITHIN);
        late.map(|(name, waits)| (name, waits.why)).collect()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For people.
    #[must_use]
    pub fn told(&self) -> Vec<JobRetry> {
        let within = SignedDuration::try_from(BEGINS_WITHIN).unwrap_or(SignedDuration::MAX);
        let told = |(name, waits): (&String, &Waits)| JobRetry {
            reason: Outcome::Pending.as_str().to_owned(),
            what: format!("job `{name}` has not begun: {}", waits.why),
            since: waits.since,
            times: 1,
            not_before: saturating_add(waits.since, within),
        };
        self.0.iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn job(name: &str, has_begun: bool, trouble: Option<&str>) -> Job {
        let trouble = trouble.map(str::to_owned);
        Job { name: name.to_owned(), args: Vec::new(), state: JobState::Running, has_begun, trouble }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_told_at_once_and_given_up_in_the_end() {
        let mut pending = Pending::default();
        let now = Timestamp::UNIX_EPOCH;
        let jobs = [job("a", false, Some("no image")), job("b", true, None), job("c", false, None)];
        assert_eq!(pending.take_in(&jobs, now), []);
        let told = pending.told();
        assert_eq!(told.len(), 1, "what reports nothing may begin any moment: {told:?}");
        assert_eq!(
            (told[0].reason.as_str(), told[0].what.as_str(), told[0].not_before.as_second()),
            ("pending", "job `a` has not begun: no image", 300)
        );
        advance(BEGINS_WITHIN).await;
        let jobs = [job("a", false, Some("no room"))];
        assert_eq!(pending.take_in(&jobs, now), [("a".to_owned(), "no room".to_owned())]);
        assert!(pending.is_empty(), "it is the caller's now");
    }

    #[tokio::test(start_paused = true)]
    async fn what_began_is_not_told_any_more() {
        let mut pending = Pending::default();
        pending.take_in(&[job("a", false, Some("no image"))], Timestamp::UNIX_EPOCH);
        pending.take_in(&[job("a", true, None)], Timestamp::UNIX_EPOCH);
        assert_eq!(pending.told(), []);
    }
}
