//! Measures Namespace Manager on real control planes: `bench [NAMESPACES…]`, without numbers the usual ones; or as it runs in
//! a real cluster: `bench --cluster [NAMESPACES…]`, which needs root and the image that `dev/image` builds.
//!
//! The table goes to standard output, everything measured to `target/bench/DATE.json`. `NSM_BENCH_REST` is how many seconds
//! are measured at rest, a minute unless it says otherwise.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use testbed::bench::{self, Run};

/// Long enough for everything nsm does at times: it looks around twice a minute.
const REST: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == bench::sweep::LIST) {
        let kubeconfig = arguments.next().context("which kubeconfig?")?;
        return bench::sweep::list(kubeconfig.as_ref()).await;
    }
    let (sizes, in_cluster) = sizes()?;
    let run = tokio::select! {
        run = bench::run(&sizes, &in_cluster, rest()?) => run?,
        // Everything that was started ends with this process.
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    let file = save(&run)?;
    let mut out = std::io::stdout();
    if !run.sizes.is_empty() {
        writeln!(out, "{}", bench::table(&run))?;
    }
    if !run.cluster.is_empty() {
        writeln!(out, "{}", bench::cluster_table(&run.cluster))?;
    }
    writeln!(out, "{:.0} s; all figures are in {}", run.took_seconds, file.display())?;
    Ok(())
}

/// How many namespaces are measured in one process, and in a cluster.
fn sizes() -> Result<(Vec<usize>, Vec<usize>)> {
    let mut cluster_alone = false;
    let mut given = Vec::new();
    for argument in std::env::args().skip(1) {
        if argument == "--cluster" {
            cluster_alone = true;
            continue;
        }
        let size = argument.replace([',', '_'], "").parse().ok().filter(|size| *size > 0);
        let usage = "usage: bench [--cluster] [NAMESPACES…]";
        given.push(size.with_context(|| format!("`{argument}` is no number of namespaces; {usage}"))?);
    }
    Ok(match (cluster_alone, given.is_empty()) {
        (true, true) => (Vec::new(), bench::cluster::SIZES.into()),
        (true, false) => (Vec::new(), given),
        (false, true) => (bench::SIZES.into(), Vec::new()),
        (false, false) => (given, Vec::new()),
    })
}

fn rest() -> Result<Duration> {
    let Some(text) = std::env::var_os("NSM_BENCH_REST") else { return Ok(REST) };
    let seconds = text.to_str().and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0);
    seconds.map(Duration::from_secs).context("`NSM_BENCH_REST` is a number of seconds")
}

/// Writes the run into the directory of what cargo built, by its date.
fn save(run: &Run) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("this program is in target/PROFILE")?;
    let directory = target.join("bench");
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make `{}`", directory.display()))?;
    let file = directory.join(format!("{}.json", run.began.strftime("%Y-%m-%dT%H%M%SZ")));
    let text = serde_json::to_string_pretty(run)?;
    std::fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
    Ok(file)
}
