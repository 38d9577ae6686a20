//! The answer of `nsm history`.

use api::queries::history::HistoryLine;
use jiff::Timestamp;
use lifecycle::time::human_text;
use serde::Serialize;

use super::{
    table::{STRONG, Table},
    time_format::relative,
};

/// The history of one namespace.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NamespaceHistory {
    pub(crate) name: String,
    pub(crate) uid: String,
    /// In order, the first has number 1.
    pub(crate) entries: Vec<HistoryLine>,
}

/// Histories one after another, the oldest first.
pub(crate) fn text(all: &[NamespaceHistory], now: Timestamp, width: Option<u16>) -> String {
    let several = all.len() > 1;
    let one = |(at, history): (usize, &NamespaceHistory)| {
        let which = if several { format!(", {} of {} of this name", at + 1, all.len()) } else { String::new() };
        let mut table = Table::new(["#", "AT", "BY", "WHAT"]);
        for HistoryLine { text, entry } in &history.entries {
            let at = format!("{} ({})", human_text(entry.at), relative(entry.at, now));
            table.row([entry.seq.into(), at.into(), (&entry.actor).into(), text.into()]);
        }
        let head = format!("{STRONG}{}{STRONG:#}  uid {}{which}\n", history.name, history.uid);
        format!("{head}{}", table.text(width))
    };
    all.iter().enumerate().map(one).collect::<Vec<_>>().join("\n")
}
