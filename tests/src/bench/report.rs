//! What was measured, as a table for people: a line per figure, a column per number of namespaces.

use super::expiry::Spread;
use super::requests::Verbs;
use super::{Run, Size, VISIBLE_FOR, cluster};

/// Verbs that change something.
const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];
/// In a MB, as `to reach` counts.
const MEGA: f64 = 1e6;

/// A figure: its name, how it is read from what was measured with some number of namespaces, and what is to be reached.
struct Line {
    what: &'static str,
    cell: fn(&Size) -> String,
    to_reach: &'static str,
}

const LINES: &[Line] = &[
    line("**at rest, per minute**", |_| String::new(), ""),
    line("LISTs", |size| size.rest.requests.get("list").copied().unwrap_or(0).to_string(), "0"),
    line("writes", |size| writes(&size.rest.requests).to_string(), "0"),
    line("all requests", |size| verbs(&size.rest.requests), ""),
    line(
        "requests of everybody, without nsm → with it",
        |size| {
            let [without, with] = size.rest.requests_of_all.each_ref().map(|all| all.values().sum::<u64>());
            format!("{without} → {with}")
        },
        "",
    ),
    line("bytes on the wire", |size| bytes(size.rest.bytes.total()), ""),
    line("· of one LIST", |size| share(size.rest.bytes.total() as f64, size.floors.list.bytes.total() as f64), ""),
    line("CPU", |size| seconds(size.rest.cpu_seconds), ""),
    line("RSS", |size| bytes(size.rest.memory.rss), ""),
    line("PSS", |size| bytes(size.rest.memory.pss), "30 MB at 1,000; 90 MB at 5,000"),
    line("PSS after the deletions", |size| size.expiry.memory.map_or(String::new(), |memory| bytes(memory.pss)), ""),
    line("**from the start of the process**", |_| String::new(), ""),
    line("adopted, durable", |size| seconds(size.start.adopted_seconds), "1 s at 1,000"),
    line("judged, durable", |size| seconds(size.start.judged_seconds), ""),
    line("floor: one LIST", |size| seconds(size.floors.list.seconds), ""),
    line("· adopted / LIST", |size| times(size.start.adopted_seconds, size.floors.list.seconds), ""),
    line("mirrored", |size| seconds(size.start.mirrored_seconds), "5 s at 1,000"),
    line("floor: as many bare PATCHes, 16 at a time", |size| seconds(size.floors.patch.all_seconds), ""),
    line("· mirrored / PATCHes", |size| times(size.start.mirrored_seconds, size.floors.patch.all_seconds), ""),
    line("floor: one bare PATCH, p50 / p99", |size| spread(size.floors.patch.each), ""),
    line("CPU until mirrored", |size| seconds(size.start.cpu_seconds), ""),
    line("requests until mirrored", |size| verbs(&size.start.requests), ""),
    line("peak RSS", |size| bytes(size.rest.memory.peak_rss), ""),
    line("**100 namespaces expire within a minute**", |_| String::new(), ""),
    line("deadline to DELETE, p50 / p99", |size| spread(size.expiry.deadline_to_delete), "p99 of 6 s"),
    line("deadline to DELETE, max", |size| seconds(size.expiry.deadline_to_delete.max), ""),
    line(
        "· beyond `visible_for` (5 s), p50 / p99",
        |size| {
            let Spread { p50, p99, max } = size.expiry.deadline_to_delete;
            let visible = VISIBLE_FOR.as_secs_f64();
            spread(Spread { p50: p50 - visible, p99: p99 - visible, max: max - visible })
        },
        "",
    ),
    line("· deadline to stale, p50 / p99", |size| spread(size.expiry.deadline_to_stale), ""),
    line("· visible to intent, p50 / p99", |size| spread(size.expiry.visible_to_intent), ""),
    line("· intent to DELETE, p50 / p99", |size| spread(size.expiry.intent_to_delete), ""),
    line("floor: one bare DELETE, p50 / p99", |size| spread(size.floors.delete), ""),
    line(
        "· beyond `visible_for` / DELETE, p50",
        |size| times(size.expiry.deadline_to_delete.p50 - VISIBLE_FOR.as_secs_f64(), size.floors.delete.p50),
        "",
    ),
    line("requests", |size| verbs(&size.expiry.requests), ""),
    line("**one sweep, with 3 workloads and 5 pods in each namespace**", |_| String::new(), ""),
    line("wall time", |size| seconds(size.sweep.sweep.seconds), ""),
    line("floor: the same LISTs, read and dropped", |size| seconds(size.sweep.floor.seconds), ""),
    line("· sweep / LISTs", |size| times(size.sweep.sweep.seconds, size.sweep.floor.seconds), "× 1.5"),
    line("CPU", |size| seconds(size.sweep.sweep.cpu_seconds), ""),
    line("floor: CPU of the LISTs", |size| seconds(size.sweep.floor.cpu_seconds), ""),
    line("· sweep / LISTs, CPU", |size| times(size.sweep.sweep.cpu_seconds, size.sweep.floor.cpu_seconds), "× 1.5"),
    line("writes", |size| writes(&size.sweep.sweep.requests).to_string(), "0"),
    line("requests", |size| verbs(&size.sweep.sweep.requests), ""),
    line("floor: requests", |size| verbs(&size.sweep.floor.requests), ""),
    line("bytes", |size| bytes(size.sweep.sweep.bytes.total()), ""),
    line("floor: bytes", |size| bytes(size.sweep.floor.bytes.total()), ""),
    line("peak RSS of the sweep", |size| bytes(size.sweep.sweep.peak_rss), ""),
    line("**an end**", |_| String::new(), ""),
    line("SIGTERM until nsm has ended", |size| seconds(size.end_seconds), "5 s"),
    line("SIGKILL of a leader until another is at work", |size| seconds(size.handover.killed_seconds), "20 s"),
    line("SIGTERM of a leader until another is at work", |size| seconds(size.handover.asked_seconds), "5 s"),
    line("**the machine**", |_| String::new(), ""),
    line("load before → after", |size| format!("{:.1} → {:.1}", size.load[0], size.load[1]), ""),
];

const fn line(what: &'static str, cell: fn(&Size) -> String, to_reach: &'static str) -> Line {
    Line { what, cell, to_reach }
}

/// A table in Markdown, its columns aligned.
#[must_use]
pub fn table(run: &Run) -> String {
    let mut rows = vec![vec!["namespaces".to_owned()]];
    rows[0].extend(run.sizes.iter().map(|size| thousands(size.namespaces)));
    rows[0].push("to reach".to_owned());
    for line in LINES {
        let mut row = vec![line.what.to_owned()];
        row.extend(run.sizes.iter().map(line.cell));
        row.push(line.to_reach.to_owned());
        rows.push(row);
    }
    aligned(&rows)
}

/// The table of the installation in a cluster.
#[must_use]
pub fn cluster_table(sizes: &[cluster::Size]) -> String {
    let mut rows = vec![vec!["namespaces, in a cluster".to_owned()]];
    rows[0].extend(sizes.iter().map(|size| thousands(size.namespaces)));
    rows[0].push("to reach".to_owned());
    let mut row = |what: String, cell: &dyn Fn(&cluster::Size) -> String, to_reach: &str| {
        let mut row = vec![what];
        row.extend(sizes.iter().map(cell));
        row.push(to_reach.to_owned());
        rows.push(row);
    };
    for (phase, of) in [
        ("at rest", (|size| &size.rest) as fn(&cluster::Size) -> &cluster::Phase),
        ("100 expire within a minute", |size| &size.churn),
    ] {
        row(format!("**{phase}, per minute**"), &|_| String::new(), "");
        for part in cluster::PARTS {
            row(part.to_owned(), &|size| rates(of(size), part), "");
        }
        row("pods started, per hour".to_owned(), &|size| format!("{:.0}", of(size).pods_per_hour), "");
    }
    row("deadline to DELETE, p50 / p99".to_owned(), &|size| spread(size.deadline_to_delete), "p99 of 10 s");
    row("created to mirrored".to_owned(), &|size| seconds(size.mirrored_seconds), "");
    row("PSS of the two leaders".to_owned(), &|size| bytes(size.leaders.pss), "80 MB at 1,000");
    row("RSS of the two leaders".to_owned(), &|size| bytes(size.leaders.rss), "");
    aligned(&rows)
}

fn rates(phase: &cluster::Phase, part: &str) -> String {
    let rates = phase.requests.get(part).into_iter().flatten();
    let rates: Vec<_> = rates.map(|(verb, rate)| format!("{rate:.1} {verb}")).collect();
    if rates.is_empty() { "none".to_owned() } else { rates.join(", ") }
}

/// Rows in Markdown, the first as the head.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let print = |row: &Vec<String>| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = print(&rows[0]);
    text += &print(&rule);
    text.extend(rows[1..].iter().map(print));
    text
}

fn writes(all: &Verbs) -> u64 {
    WRITES.iter().filter_map(|verb| all.get(*verb)).sum()
}

fn verbs(all: &Verbs) -> String {
    let all: Vec<_> = all.iter().map(|(verb, count)| format!("{} {verb}", thousands(*count))).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn seconds(seconds: f64) -> String {
    if seconds.abs() < 0.1 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

fn spread(of: Spread) -> String {
    format!("{} / {}", seconds(of.p50), seconds(of.p99))
}

fn times(figure: f64, floor: f64) -> String {
    format!("× {:.1}", figure / floor)
}

fn share(figure: f64, floor: f64) -> String {
    format!("{:.2} %", 100.0 * figure / floor)
}

fn bytes(count: u64) -> String {
    let count = count as f64;
    if count < 1e3 {
        format!("{count} B")
    } else if count < MEGA {
        format!("{:.1} kB", count / 1e3)
    } else {
        format!("{:.1} MB", count / MEGA)
    }
}

fn thousands(number: impl TryInto<u64>) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_for_people() {
        assert_eq!([bytes(999), bytes(1_500), bytes(30_000_000)], ["999 B", "1.5 kB", "30.0 MB"]);
        assert_eq!([seconds(0.0123), seconds(5.006)], ["12.3 ms", "5.01 s"]);
        assert_eq!([thousands(50_usize), thousands(5_000_usize)], ["50", "5,000"]);
    }
}
