//! Schedules: what is started again and again.

use std::time::Duration;

use common::jobs::{CronInterval, JobKind, Schedule};

use super::{Bench, LONG};

fn schedule(name: &str, args: &[&str]) -> Schedule {
    Schedule {
        name: name.to_owned(),
        kind: JobKind::Collector,
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        every: CronInterval::of(Duration::from_secs(3_600)).unwrap(),
        deadline: LONG,
    }
}

pub(crate) async fn a_schedule_is_made_changed_and_ended(bench: &impl Bench) {
    let jobs = bench.open().await;
    let told = async || {
        let all = bench.schedules().await.into_iter();
        all.map(|(name, args)| format!("{name} {}", args.join("+"))).collect::<Vec<_>>()
    };
    jobs.schedule(&[schedule("a", &["end"]), schedule("b", &["end"])]).await.unwrap();
    assert_eq!(told().await, ["a end", "b end"]);
    jobs.schedule(&[schedule("a", &["end", "with these arguments"])]).await.unwrap();
    assert_eq!(told().await, ["a end+with these arguments"]);
    jobs.schedule(&[]).await.unwrap();
    assert_eq!(told().await, [""; 0]);
    let nameless = jobs.schedule(&[schedule("", &["end"])]).await.unwrap_err();
    assert!(nameless.why.contains("30"), "{nameless}");
}
