//! What came of a command that changes something, and what stands beside an answer.

use std::path::Path;

use api::queries::{controls::StopState, listing::Listing};
use common::status::ControlInForce as Standing;
use jiff::{SignedDuration, Timestamp};
use lifecycle::{Uid, duration, time::human_text};

use super::time_format::both;

/// A namespace is kept, until then.
pub(crate) fn kept(name: &str, until: Timestamp, now: Timestamp) -> String {
    format!("`{name}` is kept until {}\n", both(until, now))
}

/// A namespace is kept for as long as was asked.
pub(crate) fn kept_for(name: &str, period: SignedDuration, until: Timestamp) -> String {
    format!("`{name}` is kept for {}, until {}\n", duration::text(period), human_text(until))
}

pub(crate) fn kept_for_less(asked: Timestamp) -> String {
    format!("its policy allows less than what was asked for, which was until {}", human_text(asked))
}

pub(crate) fn kept_no_more(name: &str) -> String {
    format!("`{name}` is no longer kept; `nsm why {name}` tells what comes next\n")
}

pub(crate) fn protected(name: &str, on: bool) -> String {
    match on {
        true => format!("`{name}` is protected until `nsm unprotect {name}`\n"),
        false => format!("`{name}` is no longer protected; `nsm why {name}` tells what comes next\n"),
    }
}

/// A keep request for a namespace that nothing would delete.
pub(crate) const NOT_MANAGED: &str =
    "by this configuration no policy applies to it, so nothing would delete it anyway; it is written all the same";

/// Where the store is not at hand.
pub(crate) fn recorded_later(name: &str) -> String {
    format!("it is written on the namespace, which is what counts; `nsm history {name}` tells when it is recorded")
}

pub(crate) fn maybe_not_recorded(why: &str) -> String {
    format!("it is written on the namespace, which is what counts; whether it is recorded is not known: {why}")
}

pub(crate) fn not_recorded(seconds: u64) -> String {
    format!(
        "it is written on the namespace, which is what counts, but the manager has not recorded it within {seconds} s; is it \
         running?"
    )
}

pub(crate) fn never_managed(name: &str) -> String {
    format!("`{name}` is one of the namespaces that are never managed, so nothing would delete it; nothing was written")
}

pub(crate) fn over_already(until: Timestamp) -> String {
    format!("{} is over already; name a later instant", human_text(until))
}

pub(crate) fn too_late(name: &str, at: Timestamp) -> String {
    format!("`{name}` is already being deleted, since {}; nothing can take that back", human_text(at))
}

pub(crate) fn no_such_namespace(name: &str) -> String {
    format!("the cluster has no namespace `{name}`; is it the right cluster (`--context`)?")
}

pub(crate) fn no_store(path: &Path) -> String {
    format!(
        "there is no store at `{}`; start `nsm standalone`, or name the configuration it runs with (`--config`, \
         CONFIG_PATH or NSM__STORE__URL)",
        path.display()
    )
}

pub(crate) fn stopped(recorded: &StopState) -> String {
    let under_way = match recorded.fenced.as_slice() {
        [] => "none was under way".to_owned(),
        names => format!("what was under way was cut off: {}", names.join(", ")),
    };
    format!("all deletions are stopped until `nsm resume`; {under_way}\n")
}

/// What a stop did not reach, though it holds.
pub(crate) fn stopped_in_part(recorded: &StopState) -> String {
    let uncut = |which: &String| format!("a deletion that was under way could not be cut off: {which}");
    let wrong: Vec<_> = recorded.failed.iter().cloned().chain(recorded.not_fenced.iter().map(uncut)).collect();
    format!("the stop holds, but:\n  {}", wrong.join("\n  "))
}

pub(crate) fn resumed(recorded: &StopState) -> String {
    match (&recorded.ended, recorded.unbound) {
        (Some(stop), _) => format!("deletions go on; {} had stopped them at {}\n", stop.by, both(stop.at, recorded.at)),
        (None, true) => "deletions go on; only the apiserver had refused them\n".to_owned(),
        (None, false) => "nothing was stopped\n".to_owned(),
    }
}

pub(crate) fn approved(recorded: &StopState) -> String {
    let until = both(recorded.until.unwrap_or(recorded.at), recorded.at);
    format!("until {until} unannounced deletions may exceed their limit, within the budget\n")
}

/// Beside an approval that does nothing as long as the store is not trusted.
pub(crate) const APPROVED_IN_VAIN: &str = "nothing is deleted all the same, for this store may not be the right one; once you know that it is, run \
     `nsm approve --store`";

pub(crate) fn trusted(recorded: &StopState) -> String {
    match (&recorded.mismatch, recorded.markers.as_slice()) {
        (Some(mismatch), _) => {
            let why = mismatch.why.as_deref().unwrap_or_default();
            format!("this store counts as the right one from now on; what spoke against it: {why}\n")
        }
        (None, [_, ..]) => {
            let names = recorded.markers.join(", ");
            format!("this store counts as the right one from now on; what spoke against it stood on these: {names}\n")
        }
        (None, []) => "nothing speaks against this store; nothing was changed\n".to_owned(),
    }
}

pub(crate) fn cluster_known(cluster: &Uid, former: Option<&Uid>) -> String {
    match former {
        Some(former) if former == cluster => format!("the store knows this cluster, `{former}`; nothing was changed\n"),
        Some(former) => format!("the store belongs to the cluster `{cluster}` from now on; before, to `{former}`\n"),
        None => format!("the store belongs to the cluster `{cluster}` from now on\n"),
    }
}

/// Beside a list that is empty. `unmanaged`: so many are on record that no policy applies to any more; `None`: not all were asked for.
pub(crate) fn nothing_listed(unmanaged: Option<usize>) -> String {
    match unmanaged {
        None => "no managed namespace matches that; `nsm ls --all` lists those, too, that are gone or no longer managed".to_owned(),
        Some(0) => "no namespace is managed: no policy applied to any that was seen so far; `nsm config check` names the policies of \
                    this configuration, `nsm status` tells what runs"
            .to_owned(),
        Some(count) => {
            let of = if count == 1 { "the one that was".to_owned() } else { format!("any of the {count} that were") };
            format!("no namespace is managed any more: no policy in force applies to {of} (`nsm ls --all`)")
        }
    }
}

/// A name that was asked for is not among the namespaces listed. `all`: nor among those that were.
pub(crate) fn not_listed(name: &str, all: bool) -> String {
    match all {
        true => format!("nothing is recorded of a namespace `{name}`"),
        false => {
            format!("no namespace `{name}` is managed; `--all` lists those, too, that are gone or no longer managed")
        }
    }
}

/// What holds up every deletion, beside a list.
pub(crate) fn halted(listing: &Listing, now: Timestamp) -> Vec<String> {
    let why = |it: &Standing| it.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
    let stop = listing
        .stop
        .iter()
        .map(|it| format!("all deletions are stopped, by {} at {}{}", it.by, both(it.at, now), why(it)));
    let mismatch = listing.mismatch.iter().map(|it| {
        format!(
            "nothing is deleted, for this store may not be the right one, found at {}{}; once you know that it is, run `nsm \
             approve --store`",
            both(it.at, now),
            why(it)
        )
    });
    let hold = listing.hold.iter().map(|it| format!("all deletions are held, since {}{}", both(it.at, now), why(it)));
    stop.chain(mismatch).chain(hold).collect()
}
