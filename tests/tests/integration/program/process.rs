//! The process itself: killed, asked to end, run twice.

use std::os::unix::process::CommandExt as _;
use std::time::{Duration, Instant};

use anyhow::ensure;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testbed::{Process, binary, eventually, program};
use tokio::time::sleep;

use crate::program::harness::{LATER, SOON, plain, story};

#[tokio::test]
async fn killed_again_and_again_while_namespaces_expire_it_deletes_each_once() {
    story(plain, async |world| {
        let mut crowd = Vec::new();
        for number in 0..40 {
            // From 3 s to 9 s.
            let ttl = format!("{:.2}s", 3.0 + 0.15 * f64::from(number));
            crowd.push(world.namespace(&[("ttl", &ttl)]).await?);
        }
        let mut killed = 0;
        while !world.left_of(&crowd).await?.is_empty() {
            let mut nsm = world.spawn(&[])?;
            // A start takes about 100 ms, and then it catches up with what fell due meanwhile.
            sleep(Duration::from_millis(rand::random_range(50..500))).await;
            nsm.process().kill();
            killed += 1;
            if killed >= 24 {
                break;
            }
        }
        let left = world.left_of(&crowd).await?.len();
        let ledger = world.ledger()?;
        let open = ledger.histories.values().filter(|history| history.0.last().is_some_and(|entry| entry.is_intent()));
        eprintln!("killed {killed} times: {left} of {} are left, {} intents are open", crowd.len(), open.count());

        let _nsm = world.start().await?;
        world.are_deleted(&crowd, LATER).await?;
        // The last ones may have been deleted by one that was killed before it wrote that down.
        world.are_done(&crowd).await
    })
    .await;
}

#[tokio::test]
async fn sigterm_ends_it_well_while_it_is_busy() {
    ends_well(Signal::SIGTERM).await;
}

#[tokio::test]
async fn sigint_ends_it_well_while_it_is_busy() {
    ends_well(Signal::SIGINT).await;
}

/// How long it may take is told in `common/src/process/tasks.rs` and `common/src/jobs`, on paused time, and measured by `make bench`.
async fn ends_well(signal: Signal) {
    story(plain, async |world| {
        let crowd = world.crowd(40, &[("ttl", "1s")]).await?;
        world.is_over(&crowd, 1).await?;
        let mut nsm = world.start().await?;
        nsm.says("is deleted").await?;
        let asked = Instant::now();
        kill(Pid::from_raw(i32::try_from(nsm.process().id())?), signal)?;
        let (code, log) = nsm.ends().await?;
        let took = asked.elapsed();
        eprintln!("{signal}: ended after {took:?}, {} of {} left", world.left_of(&crowd).await?.len(), crowd.len());
        assert_eq!(code, Some(0), "{log}");
        let ledger = world.ledger()?;
        let open = ledger.histories.values().find(|history| history.0.last().is_some_and(|entry| entry.is_intent()));
        // On a machine that has no time for it, it is cut off, and says so.
        assert!(open.is_none() || log.contains("cut off after"), "it left an attempt unfinished: {open:#?}\n{log}");

        let _nsm = world.start().await?;
        world.are_deleted(&crowd, LATER).await
    })
    .await;
}

/// As in the image, which holds one program and links to it.
#[tokio::test]
async fn called_as_a_role_nsm_is_that_role() {
    story(plain, async |world| {
        for role in ["action", "action-controller", "api", "collect-controller", "collector"] {
            let mut nsm = program("nsm")?;
            nsm.arg0(format!("/usr/local/bin/{role}")).env("CONFIG_PATH", world.config()).env("NO_COLOR", "1");
            nsm.env("KUBECONFIG", world.plane.kubeconfig(world.user())?).env("POD_NAMESPACE", world.home());
            match role {
                "action" => drop(nsm.arg("work")),
                "collector" => drop(nsm.arg("prune")),
                _ => {}
            }
            let process = Process::spawn(role, &mut nsm)?;
            eventually(&format!("{role} begins"), SOON, async || {
                let log = process.log();
                ensure!(log.contains(&format!(": {role} `")) && log.contains("` begins"), "{log}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .await;
}

/// The variable is for tests, and for the program that is made for them.
#[test]
fn only_the_program_for_tests_reads_timings() {
    let home = tempfile::tempdir().unwrap();
    let run = |name: &str, timings: &str| {
        let mut nsm = binary(name).unwrap();
        nsm.args(["config", "check"]).env_clear().env("HOME", home.path()).env("NSM_TEST_TIMINGS", timings);
        let ended = nsm.output().unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (ended.status.code(), String::from_utf8(said).unwrap())
    };
    let (wrong, good) = ("promise_margin=0s", "promise_margin=2s,tail_interval=2s");
    for timings in [wrong, good] {
        let (code, said) = run("nsm", timings);
        assert!(code == Some(0) && said.starts_with("good (") && !said.contains("TIMINGS"), "{code:?} {said}");
    }
    let (code, said) = run("nsm-test-timings", good);
    assert!(code == Some(0) && said.starts_with("good ("), "{code:?} {said}");
    let (code, said) = run("nsm-test-timings", wrong);
    let floor = "error: NSM_TEST_TIMINGS: `promise_margin=0s`: it is below the floor; use at least `1s`\n";
    assert_eq!((code, said.as_str()), (Some(6), floor));
}
