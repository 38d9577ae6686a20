//! Shows what Namespace Manager does to namespaces, on a control plane of its own, and checks that it did that and nothing else.

mod actors;
mod checks;
mod fixture;
mod nsm;
mod play;
mod screen;
mod view;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use testbed::{ControlPlane, User};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use actors::CAST;
use fixture::{Access, LABEL, PREFIX, Stage};
use nsm::together;
use play::Company;
use screen::{Ink, Screen};

/// For the whole show: six times what it takes.
const MAX_DURATION: Duration = Duration::from_secs(480);

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let keep = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--keep"] => true,
        _ => bail!("usage: demo [--keep]"),
    };
    let mut signals = Signals::new()?;
    let mut screen = Screen::new();
    let shown = tokio::select! {
        shown = timeout(MAX_DURATION, show(&mut screen)) => {
            let minutes = MAX_DURATION.as_secs() / 60;
            Ok(shown.with_context(|| format!("something hung: the demo was not over after {minutes} minutes"))??)
        }
        signal = signals.next() => Err(signal),
    };
    let (plane, stage, good) = match shown {
        Ok(shown) => shown,
        // Everything that was started has ended, for it was dropped.
        Err((signal, code)) => {
            screen.settle();
            screen.say(&format!("\n{signal}: everything is ended and removed"))?;
            return Ok(ExitCode::from(code));
        }
    };
    if keep {
        screen.say(&how_to_look_around(&plane, &stage)?)?;
        signals.next().await;
    }
    let end = async {
        stage.end().await?;
        drop(plane);
        Ok(())
    };
    screen.during("ending nsm and the control plane", end).await?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The whole show: whether everything ended as it should, and what is still running.
async fn show(screen: &mut Screen) -> Result<(ControlPlane, Stage, bool)> {
    screen.say(&introduction())?;
    let mut plane = screen.during("starting etcd and kube-apiserver", Stage::control_plane()).await?;
    let (access, mut company) = (Access::to(&plane)?, Company::new(&plane).await?);
    // Nobody waits for the controllers: whatever follows from an object follows once they are there.
    let played = async {
        let starting = Stage::start(access, &mut company);
        let mut stage = screen.during("starting nsm, and kube-controller-manager beside it", starting).await?;
        screen.say("")?;
        let lives = play::play(&mut stage, screen, company).await?;
        Ok((stage, lives))
    };
    let ((), (stage, lives)) = tokio::try_join!(plane.start_controller_manager(), played)?;
    let told = together(CAST.iter().map(|member| stage.nsm.told(member.name))).await?;
    for (member, told) in CAST.iter().zip(told) {
        screen.say(&format!("\n{}\n{}", Ink::Bold.paint(&format!("nsm history {}", member.name)), told.trim_end()))?;
    }
    screen.say("")?;
    let checks = checks::check(&plane, &stage, &lives).await?;
    for check in &checks {
        screen.say(&check.to_string())?;
    }
    let failed = checks.iter().filter(|check| !check.holds).count();
    screen.say(&match failed {
        0 => format!("\nall {} checks hold", checks.len()),
        _ => format!("\n{failed} of {} checks FAILED; the log of nsm:\n{}", checks.len(), stage.log_tail()),
    })?;
    Ok((plane, stage, failed == 0))
}

fn introduction() -> String {
    let cast: String = CAST.iter().map(|member| format!("  {:12} {}\n", member.name, member.story)).collect();
    format!(
        "Namespace Manager with a webhook that tells owners, and three policies:\n\n{}\nand these namespaces:\n\n{cast}",
        Stage::policies()
    )
}

fn how_to_look_around(plane: &ControlPlane, stage: &Stage) -> Result<String> {
    let (binary, kubectl) = (&stage.nsm.binary, plane.kubectl());
    let directories = [binary, &kubectl].map(|file| file.parent().map(|path| path.display().to_string()));
    Ok(format!(
        "\nIt goes on running. In another terminal:\n
  export KUBECONFIG={}
  export CONFIG_PATH={}
  export PATH={}:$PATH
  nsm ls
  nsm why kept
  nsm history reborn
  kubectl annotate namespace protected {PREFIX}protect-      # and nsm warns, and deletes it
  kubectl create namespace mine && kubectl label namespace mine {}={}
  tail -f {}

Ctrl-C ends it and removes everything.",
        plane.kubeconfig(User::ADMIN)?.display(),
        stage.nsm.config.display(),
        directories.into_iter().flatten().collect::<Vec<_>>().join(":"),
        LABEL.0,
        LABEL.1,
        stage.log().display(),
    ))
}

/// What asks us to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next one: its name, and the exit code by which a shell tells of it.
    async fn next(&mut self) -> (&'static str, u8) {
        tokio::select! {
            _ = self.interrupt.recv() => ("Ctrl-C", 130),
            _ = self.terminate.recv() => ("SIGTERM", 143),
        }
    }
}
