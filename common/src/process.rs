//! A role as a process: what each binary begins with, and how it ends.
//!
//! A wrong configuration ends it at once. A store that is out of reach is waited for: were it not, every pod would be
//! restarted with growing pauses whenever the database is. If one of its tasks ends by itself, the process ends: the
//! next start finds everything in the history.

mod bootstrap;
mod logging;
mod signals;
mod tasks;

use std::{future::Future, process::ExitCode, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::tasks::Ended;
use crate::{
    config::{Refused, Settings, Source},
    context::Context,
    timings::Timings,
};

#[cfg(test)]
pub(crate) use self::logging::captured;
pub use self::{
    bootstrap::{belongs, installation, instance, jobs, namespace},
    logging::log,
    signals::Signals,
    tasks::Tasks,
};

/// The exit code of a configuration that is refused.
pub const REFUSED: u8 = 6;

/// How long everything may take to end after a signal. An attempt that was begun is brought to its end within it where
/// everybody answers; where somebody does not, it is cut off, and its intent is fenced once it has run out.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Threads that run tasks. Almost everything waits for somebody else's answer, and each thread keeps memory of its own.
const WORKERS: usize = 2;

/// Threads for what blocks: the embedded store uses five, the rest is looking up names and reading files.
const BLOCKING: usize = 16;

/// When a role is through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// When it is asked to end, and not before.
    UntilAsked,
    /// When it says so: a job.
    UntilDone,
}

/// What a role is given.
#[derive(Clone, Debug)]
pub struct Running {
    pub context: Context,
    /// Says when to end.
    pub cancel: CancellationToken,
}

/// Why a process ends badly.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another start would end alike: somebody has to mend what is written.
    #[error("{0}")]
    Configuration(String),
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

/// The runtime of a process.
///
/// # Errors
/// When no threads can be started.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(WORKERS).max_blocking_threads(BLOCKING).enable_all().build()
}

/// Runs a role as this process, to its end, with these timings. It is called by each `main`, and by nobody else.
pub fn run<F, Fut>(role: &'static str, lasts: Lasts, timings: Timings, body: F) -> ExitCode
where
    F: FnOnce(Running) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let source = Source::of_process(None).with_timings(timings);
    let ended = match source.load() {
        Ok(settings) => logging::log(&settings.telemetry).map_err(Failure::from).and_then(|()| {
            let runtime = runtime().map_err(|error| anyhow::anyhow!("cannot start threads: {error}"))?;
            let ended = runtime.block_on(live(role, lasts, (source, settings), body));
            // A thread that waits for a disk or a name server would hold the end up.
            runtime.shutdown_background();
            ended
        }),
        Err(refused) => {
            logging::log_by_default();
            Err(refused.into())
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            error!("{failure}");
            match failure {
                Failure::Configuration(_) => REFUSED.into(),
                Failure::Failed(_) => ExitCode::FAILURE,
            }
        }
    }
}

async fn live<F, Fut>(
    role: &'static str,
    lasts: Lasts,
    configuration: (Source, Settings),
    body: F,
) -> Result<(), Failure>
where
    F: FnOnce(Running) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut signals = Signals::listen()?;
    let mut tasks = Tasks::default();
    let context = tokio::select! {
        context = bootstrap::bootstrap(configuration, &mut tasks) => context?,
        signal = signals.next() => {
            info!("{signal}: ending before anything began");
            return Ok(());
        }
    };
    info!("{role} `{}` begins", context.instance);
    let work = body(Running { context, cancel: tasks.cancel.clone() });
    tasks.spawn(role, work);
    let outcome = tokio::select! {
        biased;
        signal = signals.next() => {
            info!("{signal}: ending");
            Ok(())
        }
        ended = tasks.next() => match (lasts, ended) {
            (Lasts::UntilDone, Ended { task, outcome: Ok(()) }) if task == role => Ok(()),
            (_, ended) => Err(ended.by_itself()),
        },
    };
    tasks.cancel.cancel();
    tokio::select! {
        late = tasks.end(SHUTDOWN_TIMEOUT) => if !late.is_empty() {
            warn!("cut off after {} s: {}; the next start goes on from the history", SHUTDOWN_TIMEOUT.as_secs(), late.join(", "));
        },
        signal = signals.next() => warn!("{signal} again: cut off; the next start goes on from the history"),
    }
    Ok(outcome?)
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Configuration(refused.to_string())
    }
}
