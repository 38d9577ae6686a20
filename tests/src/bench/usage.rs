//! What a process takes of the machine, as `/proc` tells it (proc(5)), and what else runs there.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// Units per second of the times in `/proc/PID/stat`: `USER_HZ`, which Linux never changes on the machines we build for.
const TICKS: f64 = 100.0;

/// The memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// Resident set: with everything it shares with others.
    pub rss: u64,
    /// Proportional set: what it shares counts by parts.
    pub pss: u64,
    /// Of that, what is no file: heap and stacks.
    pub pss_anonymous: u64,
    /// The largest RSS so far.
    pub peak_rss: u64,
    pub threads: u64,
}

impl Memory {
    pub(super) fn of(pid: u32) -> Result<Self> {
        let rollup = read(pid, "smaps_rollup")?;
        let status = read(pid, "status")?;
        let kilobytes = |text: &str, key: &str| Ok::<_, anyhow::Error>(field(text, key)? * 1024);
        Ok(Self {
            rss: kilobytes(&rollup, "Rss")?,
            pss: kilobytes(&rollup, "Pss")?,
            pss_anonymous: kilobytes(&rollup, "Pss_Anon")?,
            peak_rss: kilobytes(&status, "VmHWM")?,
            threads: field(&status, "Threads")?,
        })
    }
}

/// The largest RSS of a process so far, in bytes.
pub(super) fn peak_rss(pid: u32) -> Result<u64> {
    Ok(field(&read(pid, "status")?, "VmHWM")? * 1024)
}

/// The processor time a process has used so far, in user mode and in the kernel.
pub(super) fn processor_time(pid: u32) -> Result<Duration> {
    let stat = read(pid, "stat")?;
    // The second field is the name in parentheses, in which anything may stand.
    let (_, rest) = stat.rsplit_once(')').context("`/proc/PID/stat` has a name in parentheses")?;
    let ticks = |number: usize| -> Result<f64> {
        Ok(rest.split_whitespace().nth(number - 3).context("`/proc/PID/stat` is too short")?.parse()?)
    };
    Ok(Duration::from_secs_f64((ticks(14)? + ticks(15)?) / TICKS))
}

/// The load of the machine during the last minute.
pub(super) fn load() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").context("cannot read `/proc/loadavg`")?;
    Ok(text.split_whitespace().next().context("`/proc/loadavg` is empty")?.parse()?)
}

/// Which state of the sources was measured, if git knows.
pub(super) fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty", "--exclude", "*"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))
}

/// The number of a line `KEY: NUMBER …`.
fn field(text: &str, key: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let number = line.and_then(|rest| rest.split_whitespace().next()).with_context(|| format!("no `{key}`"))?;
    number.parse().with_context(|| format!("`{key}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_process() {
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.pss_anonymous <= memory.pss && memory.pss <= memory.rss && memory.threads >= 1, "{memory:?}");
        processor_time(std::process::id()).unwrap();
        load().unwrap();
    }
}
