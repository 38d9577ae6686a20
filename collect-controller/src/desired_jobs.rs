//! What jobs there should be, by the configuration and the time.

use std::time::Duration;

use common::{
    config::{Settings, Sweep},
    jobs::{JobKind, JobSpec, Schedule, TimeSlot},
};
use jiff::Timestamp;

/// How long a collector may take beyond its stay, to bring its turns to an end.
const DEADLINE_MARGIN: Duration = Duration::from_secs(120);

/// How long one sweep may take at most.
const SWEEP_WITHIN: Duration = Duration::from_secs(600);

/// How long housekeeping may take at most.
const PRUNE_WITHIN: Duration = Duration::from_secs(3_600);

/// What there should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DesiredJobs {
    /// One job each that stays, as its first attempt.
    pub(crate) collectors: Vec<JobSpec>,
    pub(crate) schedules: Vec<Schedule>,
    /// It is another plan after so long.
    pub(crate) holds_for: Option<Duration>,
}

impl DesiredJobs {
    /// What there should be now. Within one process (`hands_over` is false) one collector serves all, and stays.
    pub(crate) fn of(settings: &Settings, hands_over: bool, now: Timestamp) -> Self {
        let jobs = &settings.jobs;
        let shards = if hands_over { jobs.shards } else { 1 };
        let slot = hands_over.then(|| TimeSlot::of(now, jobs.resident_for));
        let prune = schedule("prune", ["prune"], jobs.prune_every, PRUNE_WITHIN);
        match jobs.sweep {
            Sweep::Resident => Self {
                collectors: (0..shards).map(|shard| collector(shard, shards, slot, settings, now)).collect(),
                schedules: vec![prune],
                holds_for: slot.map(|slot| slot.left(jobs.resident_for, now)),
            },
            Sweep::Cron => {
                let sweep = |shard: u32| {
                    let args = ["sweep", "--shard", &shard.to_string(), "--of", &shards.to_string()];
                    schedule(&format!("sweep-{shard}"), args, jobs.sweep_every, SWEEP_WITHIN)
                };
                let schedules = (0..shards).map(sweep).chain([prune]).collect();
                Self { collectors: Vec::new(), schedules, holds_for: None }
            }
        }
    }
}

fn collector(shard: u32, of: u32, slot: Option<TimeSlot>, settings: &Settings, now: Timestamp) -> JobSpec {
    let mut name = format!("collector-{shard}");
    let mut args = vec!["resident".to_owned(), "--shard".into(), shard.to_string(), "--of".into(), of.to_string()];
    let mut deadline = None;
    if let Some(slot) = slot {
        name = format!("{name}-{slot}");
        args.extend(["--slot".to_owned(), slot.to_string()]);
        // Its pod may have to wait before it begins to stay.
        let overlap = settings.timings.hand_over_overlap;
        deadline = Some(slot.stay(settings.jobs.resident_for, overlap, now) + overlap + DEADLINE_MARGIN);
    }
    JobSpec { name, kind: JobKind::Collector, args, deadline }
}

fn schedule<const N: usize>(
    name: &str,
    args: [&str; N],
    every: common::jobs::CronInterval,
    deadline: Duration,
) -> Schedule {
    let args = args.map(str::to_owned).to_vec();
    Schedule { name: name.to_owned(), kind: JobKind::Collector, args, every, deadline }
}

#[cfg(test)]
mod tests {
    use common::config::Source;

    use super::*;

    fn plan(variables: &[(&str, &str)], hands_over: bool, now: i64) -> DesiredJobs {
        let variables = variables.iter().map(|(key, value)| (format!("NSM__JOBS__{key}"), (*value).to_owned()));
        let store = ("NSM__STORE__URL".to_owned(), "sqlite:/nowhere".to_owned());
        let settings = Source::new(None, variables.chain([store])).load().unwrap();
        DesiredJobs::of(&settings, hands_over, Timestamp::from_second(now).unwrap())
    }

    /// Every job in words.
    #[track_caller]
    fn check(plan: &DesiredJobs, collectors: &[&str], schedules: &[&str]) {
        let told = |name: &str, args: &[String]| format!("{name}: {}", args.join(" "));
        let jobs: Vec<_> = plan.collectors.iter().map(|spec| told(&spec.name, &spec.args)).collect();
        let repeated: Vec<_> =
            plan.schedules.iter().map(|it| format!("{} {}", it.every.cron(), told(&it.name, &it.args))).collect();
        assert_eq!(
            (jobs, repeated),
            (
                collectors.iter().map(|it| (*it).to_owned()).collect(),
                schedules.iter().map(|it| (*it).to_owned()).collect()
            )
        );
    }

    const PRUNE: &str = "0 0 * * * prune: prune";

    #[test]
    fn one_collector_for_each_shard_and_slot() {
        let plan = plan(&[("SHARDS", "2")], true, 5_000);
        check(
            &plan,
            &[
                "collector-0-3600: resident --shard 0 --of 2 --slot 3600",
                "collector-1-3600: resident --shard 1 --of 2 --slot 3600",
            ],
            &[PRUNE],
        );
        assert_eq!(plan.holds_for, Some(Duration::from_secs(400)), "then the next slot begins");
        assert_eq!(plan.collectors[0].deadline, Some(Duration::from_secs(400 + 60 + 60 + 120)));
    }

    #[test]
    fn sweeps_at_the_configured_times() {
        let plan = plan(&[("SHARDS", "2"), ("SWEEP", "cron"), ("SWEEP_EVERY", "5m"), ("PRUNE_EVERY", "1w")], true, 0);
        check(
            &plan,
            &[],
            &[
                "*/5 * * * * sweep-0: sweep --shard 0 --of 2",
                "*/5 * * * * sweep-1: sweep --shard 1 --of 2",
                "0 0 * * 0 prune: prune",
            ],
        );
    }

    #[test]
    fn within_one_process_one_collector_serves_all_and_stays() {
        let plan = plan(&[("SHARDS", "2")], false, 5_000);
        check(&plan, &["collector-0: resident --shard 0 --of 1"], &[PRUNE]);
        assert_eq!((plan.holds_for, plan.collectors[0].deadline), (None, None));
    }

    #[test]
    fn names_are_short_enough_whatever_is_configured() {
        let plan = plan(&[("SHARDS", "100"), ("SWEEP", "cron")], true, 0);
        assert!(plan.schedules.iter().all(|schedule| schedule.name.len() <= 19));
        let collector = self::plan(&[("SHARDS", "100")], true, 9_999_999_999).collectors.pop().unwrap();
        assert!(
            common::jobs::attempt_name(&collector.name, 999).len() <= common::jobs::MAX_NAME_LENGTH,
            "{collector:?}"
        );
    }
}
