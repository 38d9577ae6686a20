//! The one way in which tests wait.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::{Instant, sleep, timeout_at};

/// How long a test waits for what follows at once: a guard against a hang, and no claim about time. On two idle cores nothing that is
/// waited for with it takes a tenth of it.
pub const HANG: Duration = Duration::from_secs(180);

/// Short beside every deadline, long beside one request to a server on this machine.
const PAUSE: Duration = Duration::from_millis(30);

/// Asks `probe` again and again until it succeeds, and returns what it returned. An error of `probe` says what is
/// seen instead: the last one is shown when the time is up. A probe that hangs is cut off at `deadline`, counted from now.
///
/// # Errors
/// The deadline has passed.
pub async fn eventually<T>(what: &str, deadline: Duration, mut probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let end = Instant::now() + deadline;
    let mut last_seen = anyhow!("nothing");
    loop {
        match timeout_at(end, probe()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => last_seen = seen,
            Err(_) => last_seen = last_seen.context("the last look got no answer; before it"),
        }
        if Instant::now() + PAUSE >= end {
            return Err(anyhow!("gave up after {deadline:?} waiting for: {what}; last seen: {last_seen:#}"));
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn returns_what_the_first_probe_that_succeeds_returned() {
        let mut turn = 0;
        let seen = eventually("the third turn", Duration::from_secs(1), async || {
            turn += 1;
            anyhow::ensure!(turn == 3, "turn {turn}");
            Ok(turn)
        });
        assert_eq!(seen.await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn tells_what_it_saw_last() {
        let mut turn = 0;
        let seen = eventually("a miracle", Duration::from_millis(100), async || -> Result<()> {
            turn += 1;
            Err(anyhow!("nothing new in turn {}", turn.min(2)))
        });
        let error = seen.await.unwrap_err().to_string();
        assert_eq!(error, "gave up after 100ms waiting for: a miracle; last seen: nothing new in turn 2");
    }

    #[tokio::test(start_paused = true)]
    async fn cuts_off_a_look_that_gets_no_answer() {
        let seen = eventually("an answer", Duration::from_millis(100), async || -> Result<()> {
            std::future::pending().await
        });
        assert!(seen.await.unwrap_err().to_string().contains("the last look got no answer"));
    }
}
