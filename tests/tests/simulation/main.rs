//! Stories about the real roles, told from seeds in no time, 300 in every run and thousands in `make chaos`: everything that can go
//! wrong around them does, and a judge who sees all says whether a property of docs/design/protocol.md section 1 broke.
//!
//! The roles, their queue, job runner and clocks are the product's own. Under them lies a world in one thread with paused
//! time: an apiserver without a socket ([`apiserver`], [`edges::network`]), a Prometheus ([`alerts`]) and a GitLab or a GitHub ([`ci`]) likewise, a store
//! ([`memory_store`], or SQLite), owners and an operator ([`users`]), machines that die, freeze and come back ([`machine`]). What happens in a story follows from its
//! seed ([`scenario`]), and so the story of a seed can be told again:
//!
//! ```text
//! NSM_SEED=17 cargo test -p tests --test simulation retell -- --ignored --nocapture
//! ```

#![expect(clippy::print_stderr, reason = "a story that failed is printed, and progress")]

mod agrees;
mod alerts;
mod apiserver;
mod builders;
mod chance;
mod ci;
mod counts;
mod fault_injection;
mod invariants;
mod machine;
mod memory_store;
mod pods;
mod scenario;
mod story;
mod users;
mod world;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use counts::Tally;
use story::{Shelved, Told, tell};

/// The seeds of the stories that every run tells, besides the [`REMEMBERED`].
const FIXED: std::ops::Range<u64> = 0..204;

/// The seeds of the stories that `make chaos` tells besides.
const MORE: std::ops::Range<u64> = FIXED.end..1_300;

/// Stories that broke something once, and were told by chance: they come first.
const REMEMBERED: [u64; 5] = [757, 805, 100_003, 101_575, 300_227];

/// In these happens what [`MUST_HAPPEN`] names and no other story of a run shows.
const RARE: [u64; 1] = [241];

/// The seeds of the stories on SQLite.
const ON_SQLITE: std::ops::Range<u64> = 1_000_000..1_000_040;

/// How many stories of seeds that are drawn anew each run tells. With the fixed ones and those on SQLite it tells 300.
const FRESH: u64 = 50;

/// The seeds of stories that are told twice: by every run, and by `make chaos`.
const TWICE: (std::ops::Range<u64>, std::ops::Range<u64>) = (500..510, 510..540);

/// Without these, stories show nothing. Each is the beginning of what is counted.
const MUST_HAPPEN: [&str; 112] = [
    "DELETE accepted",
    "alerts: Cut",
    "alerts: Empty",
    "alerts: Error",
    "alerts: Html",
    "alerts: Other",
    "alerts: Unwatched",
    "alerts: Warned",
    "alerts: Young",
    "another cluster was refused",
    "step: Act",
    "step: Approve",
    "step: Break",
    "step: Compact",
    "step: Deploy",
    "step: Elsewhere",
    "step: Expire",
    "step: Forge",
    "step: Freeze",
    "step: Jump",
    "step: Keep",
    "step: Kill",
    "step: Live",
    "step: Mend",
    "step: Protect",
    "step: Reconfigure",
    "step: Remake",
    "step: Remove",
    "step: Repaint",
    "step: Strip",
    "step: Tamper",
    "deleted: cancelled",
    "deleted: failed",
    "deleted: stale",
    "deleted: superseded",
    "deleted: untold",
    "entry: ActionDone",
    "entry: ActionFailed",
    "entry: ActionSkipped",
    "entry: DeadlineMoved",
    "entry: Gone",
    "entry: Kept",
    "entry: RecordMarkerMismatched",
    "entry: NoticeSent",
    "entry: NoticeSkipped",
    "entry: NoticeUndeliverable",
    "entry: PolicyChanged",
    "entry: Protected",
    "entry: Released",
    "entry: StatusNotShown",
    "entry: StatusShown",
    "entry: DryRun",
    "fault: Alerts answered 429",
    "fault: Alerts answered 500",
    "fault: Alerts hangs",
    "fault: Alerts late",
    "fault: Alerts refused",
    "fault: Apiserver answered 403",
    "fault: Apiserver answered 429",
    "fault: Apiserver answered a page",
    "fault: Apiserver done, answered 504",
    "fault: Apiserver hangs",
    "fault: Apiserver late",
    "fault: Apiserver reply lost",
    "fault: Ci answered 403",
    "fault: Ci answered 500",
    "fault: Ci hangs",
    "fault: Ci late",
    "fault: Owners answered 400",
    "fault: Owners answered 403",
    "fault: Owners answered 429",
    "fault: Store late",
    "fault: Store reply lost",
    "fault: message lost",
    "fault: message tripled",
    "fault: a pod died",
    "fault: process died",
    "fault: watch expired (410)",
    "fence stands",
    "github: answered 304",
    "gitlab: answered 304",
    "gitlab: something blinked",
    "pods: `resident` came to its end",
    "pods: `sweep` came to its end",
    "pods: `work` came to its end",
    "pods: a job was refused",
    "scene: abandoned",
    "scene: attempted again",
    "scene: branches of one name",
    "scene: checked",
    "scene: fork deleted",
    "scene: left over",
    "scene: merged",
    "scene: monorepo",
    "scene: of a fork",
    "scene: outlived",
    "scene: overtaken",
    "scene: pushed",
    "scene: removed",
    "scene: replaced",
    "scene: retention",
    "scene: reused",
    "scene: run again",
    "scene: siblings",
    "scene: slugs",
    "scene: started by hand",
    "scene: started from elsewhere",
    "scene: tidied up",
    "status: cancelled",
    "status: failing",
    "status: superseded",
    "stop acknowledged",
];

#[test]
fn what_always_holds_holds_in_every_story() {
    let seeds = REMEMBERED.into_iter().chain(RARE).chain(FIXED);
    let (tally, stories, steps) = tell_all(seeds, Shelved::InMemory, Duration::MAX);
    eprintln!("{stories} stories, {steps} steps, {} faults", tally.sum("fault: "));
    let never: Vec<_> = MUST_HAPPEN.iter().filter(|what| tally.sum(what) == 0).collect();
    assert!(never.is_empty(), "in no story happened: {never:?}\n{tally}");
}

#[test]
fn what_always_holds_holds_in_stories_never_told_before() {
    let first = u64::from(fastrand::u32(..)) << 16;
    eprintln!("{FRESH} stories from seed {first} on");
    tell_all(first..first + FRESH, Shelved::InMemory, Duration::MAX);
}

#[test]
fn what_always_holds_holds_on_sqlite() {
    tell_all(ON_SQLITE, Shelved::InSqlite, Duration::MAX);
}

#[test]
#[ignore = "takes minutes: make chaos"]
fn what_always_holds_holds_in_all_other_stories_of_the_fixed_set() {
    let (tally, stories, steps) = tell_all(MORE, Shelved::InMemory, Duration::MAX);
    eprintln!("{stories} stories, {steps} steps, {} faults", tally.sum("fault: "));
}

/// Tells stories on all cores until there are no more or the time is over; fails on the first that breaks a property.
fn tell_all(seeds: impl Iterator<Item = u64> + Send, shelved: Shelved, until: Duration) -> (Tally, u64, u64) {
    let (steps, stories) = (AtomicU64::new(0), AtomicU64::new(0));
    let (tally, failed) = (Mutex::new(Tally::default()), Mutex::new(None::<Told>));
    let began = Instant::now();
    let goes_on = || began.elapsed() < until && world::lock(&failed).is_none();
    on_all_cores(seeds, goes_on, |seed| {
        let told = tell(seed, shelved);
        stories.fetch_add(1, Ordering::Relaxed);
        steps.fetch_add(told.steps, Ordering::Relaxed);
        world::lock(&tally).add(&told.tally);
        if !told.violations.is_empty() {
            *world::lock(&failed) = Some(told);
        }
    });
    if let Some(told) = world::lock(&failed).take() {
        fail(&told);
    }
    let tally = world::lock(&tally).clone();
    (tally, stories.into_inner(), steps.into_inner())
}

/// Does this for each seed, for as long as it goes on.
fn on_all_cores(seeds: impl Iterator<Item = u64> + Send, goes_on: impl Fn() -> bool + Sync, work: impl Fn(u64) + Sync) {
    let seeds = Mutex::new(seeds);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while goes_on() {
                    let Some(seed) = world::lock(&seeds).next() else { return };
                    work(seed);
                }
            });
        }
    });
}

fn fail(told: &Told) -> ! {
    let seed = told.scenario.seed;
    told.log.iter().for_each(|line| eprintln!("{line}"));
    eprintln!("\nThe story of seed {seed} breaks:");
    for violation in &told.violations {
        eprintln!("{:>9.3} {}: {}", violation.at.as_secs_f64(), violation.rule, violation.what);
    }
    panic!(
        "the story of seed {seed} broke {}; tell it again: NSM_SEED={seed} cargo test -p tests --test simulation retell \
         -- --ignored --nocapture",
        told.violations.first().map_or("nothing", |violation| violation.rule)
    );
}

#[test]
fn a_story_can_be_told_again() {
    are_told_again(TWICE.0);
}

#[test]
#[ignore = "takes minutes: make chaos"]
fn many_stories_can_be_told_again() {
    are_told_again(TWICE.1);
}

/// A story that is told again is the same to the letter.
fn are_told_again(seeds: impl Iterator<Item = u64> + Send) {
    on_all_cores(
        seeds,
        || true,
        |seed| {
            let (first, second) = (tell(seed, Shelved::InMemory), tell(seed, Shelved::InMemory));
            let differs = first.log.iter().zip(&second.log).find(|(first, second)| same(first) != same(second));
            assert_eq!(differs, None, "the story of seed {seed} went another way");
            assert_eq!(first.log.len(), second.log.len(), "the story of seed {seed} ended elsewhere");
        },
    );
}

/// A line without the value of a fence, the one thing in a story that is random.
fn same(line: &str) -> String {
    let Some((before, after)) = line.split_once("/fence\":\"") else { return line.to_owned() };
    format!("{before}{}", after.split_once('"').map_or("", |(_, rest)| rest))
}

/// How long `chaos` goes on unless `NSM_CHAOS_FOR` says otherwise, in seconds.
const CHAOS: u64 = 600;

#[test]
#[ignore = "goes on for as long as NSM_CHAOS_FOR says, in seconds"]
fn chaos() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let wanted = Duration::from_secs(number("NSM_CHAOS_FOR").unwrap_or(CHAOS));
    let mut seed = number("NSM_SEED").unwrap_or_else(|| u64::from(std::process::id()) << 32);
    let (began, mut tally, mut stories, mut steps) = (Instant::now(), Tally::default(), 0, 0);
    eprintln!("stories from seed {seed} on, for {} s", wanted.as_secs());
    while let Some(left) = wanted.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
        // A round at a time, so that there is something to tell.
        let (more, told, taken) = tell_all(seed..u64::MAX, Shelved::InMemory, left.min(Duration::from_secs(5)));
        tally.add(&more);
        (seed, stories, steps) = (seed + told, stories + told, steps + taken);
        let faults = tally.sum("fault: ");
        eprintln!("{:>6} s: {stories} stories, {steps} steps, {faults} faults", began.elapsed().as_secs());
    }
    eprintln!("\n{tally}");
}

#[test]
#[ignore = "tells one story, that of NSM_SEED"]
fn retell() {
    let seed = std::env::var("NSM_SEED").ok().and_then(|text| text.parse().ok()).expect("NSM_SEED is a number");
    let told = tell(seed, Shelved::InMemory);
    if told.violations.is_empty() {
        told.log.iter().for_each(|line| eprintln!("{line}"));
        eprintln!("\nThe story of seed {seed} breaks nothing in {} steps.\n{}", told.steps, told.tally);
    } else {
        fail(&told);
    }
}
