//! The job runner's suite.

mod ends;
mod kubernetes;
mod local;
mod schedules;
mod starts;

use std::time::Duration;

use common::jobs::{JobKind, JobRunner, JobSpec, JobState, SharedJobs, Started};

/// A runner of one program for both kinds, with room for some jobs, which does what its first argument says:
///
/// - `end`: ends, if what follows is `with these arguments`;
/// - `fail`: fails, saying what follows;
/// - `panic`: dies;
/// - `stay`: stays until it is told to end.
///
pub(crate) trait Bench {
    async fn open(&self) -> SharedJobs;

    /// The schedules there are: each name with its arguments.
    async fn schedules(&self) -> Vec<(String, Vec<String>)>;
}

/// Waits until a job is as wanted.
async fn until(what: &str, jobs: &dyn JobRunner, name: &str, wanted: impl Fn(Option<&JobState>) -> bool) {
    let wait = async {
        while !wanted(jobs.state(name).await.unwrap().as_ref()) {
            jobs.changed(Duration::from_millis(200)).await;
        }
    };
    assert!(tokio::time::timeout(LONG, wait).await.is_ok(), "{what} has not come");
}

/// A guard against a hang, for whatever is to come.
const LONG: Duration = Duration::from_secs(180);

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(3_600);

/// The whole suite, for an adapter, what makes its [`Bench`], and the attribute its tests run under.
macro_rules! suite {
    ($adapter:ident, $bench:path, $runs:meta) => {
        $crate::jobs::suite! { @ $adapter, $bench, $runs,
            starts {
                starting_twice_starts_one
                of_concurrent_starts_one_starts
                an_ended_job_exists_and_the_next_try_has_a_name_of_its_own
                a_job_is_told_with_its_arguments
                a_stopped_job_ends_and_leaves_nothing
                a_name_is_one_that_kubernetes_takes
            }
            ends {
                a_job_gets_its_arguments_and_completes
                a_job_that_fails_says_why
                a_job_that_dies_has_failed
                a_deadline_ends_a_job
                an_end_wakes_who_waits
                waiting_for_an_end_is_bounded
                of_a_stranger_nothing_is_known
            }
            schedules {
                a_schedule_is_made_changed_and_ended
            }
        }
    };
    (@ $adapter:ident, $bench:path, $runs:meta, $($group:ident { $($test:ident)* })*) => {
        mod $adapter {
            $($(
                #[$runs]
                async fn $test() {
                    $crate::jobs::$group::$test(&$bench().await).await;
                }
            )*)*
        }
    };
}
pub(crate) use suite;

fn job(name: &str, args: &[&str]) -> JobSpec {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    JobSpec { name: name.to_owned(), kind: JobKind::Action, args, deadline: None }
}

async fn start(jobs: &dyn JobRunner, spec: &JobSpec) {
    assert_eq!(jobs.start(spec).await.unwrap(), Started::Now, "{spec:?}");
}

/// How a job ended.
async fn end(jobs: &dyn JobRunner, name: &str) -> JobState {
    tokio::time::timeout(LONG, async {
        loop {
            match jobs.state(name).await.unwrap().expect("there is no such job") {
                JobState::Running => jobs.changed(Duration::from_secs(1)).await,
                ended => break ended,
            }
        }
    })
    .await
    .expect("it runs and runs")
}
