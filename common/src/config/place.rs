//! Where values were written. The crate `config` carries one text with each value, and none with a table; a value that is
//! absent it lays over what is there. So places are kept in that text, and what it would lose is noted under keys that no
//! file can have.

use std::{fmt, path::Path};

use config::{Map, Value, ValueKind};
use serde::{Deserialize, Serialize};

use super::yaml11;

/// Keys that are notes begin with it; no key that is written does.
pub(super) const NOTE: char = '\0';

/// The key under which a table notes where it was written: a table of its own with a key for each layer, the weakest first.
const PLACES: &str = "\0places";

/// What begins the key under which a table notes a key without a value, and where it was written.
const NULL: &str = "\0null:";

/// What a table holds: keys, notes among them, in the order written.
pub(super) type Table = Map<String, Value>;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    /// A file, and the line in it, from 1; 0 stands for the file as a whole.
    File { path: String, line: u64 },
    /// An environment variable.
    Variable(String),
    /// An option of the command line.
    Flag(String),
    /// Nowhere: it is missing, or a default.
    Nowhere,
}

/// Where and how a value was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) origin: Origin,
    /// A number, or `true` or `false`, in the characters of the file: `1.10` is another text than `1.1`. And all of what a
    /// variable or an option says, which becomes whatever is asked of it.
    pub(super) written: Option<String>,
}

impl Origin {
    pub(super) fn file(path: &Path, line: u64) -> Self {
        Self::File { path: path.to_string_lossy().into_owned(), line }
    }

    /// The place of a value; of a table that several layers wrote into, that of the weakest.
    pub(super) fn of(value: &Value) -> Self {
        let ValueKind::Table(table) = &value.kind else {
            return Place::of(value).map_or(Self::Nowhere, |place| place.origin);
        };
        let noted = match table.get(PLACES).map(|places| &places.kind) {
            Some(ValueKind::Table(places)) => places.keys().next(),
            _ => None,
        };
        noted.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Self::Nowhere)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0 } => f.write_str(path),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "option {name}"),
            Self::Nowhere => f.write_str("defaults"),
        }
    }
}

impl Place {
    fn of(value: &Value) -> Option<Self> {
        serde_json::from_str(value.origin()?).ok()
    }

    /// A value that was written here.
    pub(super) fn value(&self, kind: ValueKind) -> Value {
        Value::new(serde_json::to_string(self).ok().as_ref(), kind)
    }
}

/// How a value was written, where more than its kind counts.
pub(super) fn written(value: &Value) -> Option<String> {
    Place::of(value)?.written
}

/// Adds a key to a table. One without a value is noted: it leaves what is there, and is not passed over.
pub(super) fn insert(table: &mut Table, key: &str, value: Value) {
    let key = if value.kind == ValueKind::Nil { format!("{NULL}{key}") } else { key.to_owned() };
    table.insert(key, value);
}

/// Notes where a table was written.
pub(super) fn note(table: &mut Table, origin: &Origin) {
    let place = serde_json::to_string(origin).unwrap_or_default();
    table.insert(PLACES.to_owned(), Table::from([(place, Value::default())]).into());
}

/// The keys of a table as they were written, with their values: nil where no layer gives one.
pub(super) fn pairs(table: &Table) -> impl Iterator<Item = (&str, &Value)> {
    table.iter().filter_map(|(key, value)| match key.strip_prefix(NULL) {
        Some(key) => (!table.contains_key(key)).then_some((key, value)),
        None => (key != PLACES).then_some((key.as_str(), value)),
    })
}

/// The value at a key such as `policies[0].match.any[1].labels.example.org/team`, or the nearest one above it.
pub(super) fn nearest<'v>(value: &'v Value, key: &str) -> &'v Value {
    let below = match &value.kind {
        ValueKind::Array(items) => index(key).and_then(|(at, rest)| Some((items.get(at)?, rest))),
        ValueKind::Table(table) => longest(table, key),
        _ => None,
    };
    below.map_or(value, |(below, rest)| nearest(below, rest))
}

fn index(key: &str) -> Option<(usize, &str)> {
    let (number, rest) = key.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

/// The value a key leads into, and the rest of the key. Keys of labels hold dots themselves, so the longest that fits is meant;
/// one that has a value goes before the note of one that has none, and both before `true` where it stands for `on`.
fn longest<'v, 'k>(table: &'v Table, key: &'k str) -> Option<(&'v Value, &'k str)> {
    let key = key.strip_prefix('.').unwrap_or(key);
    let word = key.split(['.', '[']).next().unwrap_or_default();
    let fits = |known: &str| key.strip_prefix(known).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    let pairs = table.iter().filter_map(|(name, value)| {
        let noted = name.strip_prefix(NULL);
        let known = noted.unwrap_or(name);
        let stands_for = || yaml11::boolean(word).filter(|meant| known.parse() == Ok(*meant)).and_then(|_| fits(word));
        let exact = fits(known).map(|rest| (known.len(), rest));
        let (length, rest) = exact.or_else(|| stands_for().map(|rest| (0, rest)))?;
        Some(((length, noted.is_none()), value, rest))
    });
    pairs.max_by_key(|(fit, ..)| *fit).map(|(_, value, rest)| (value, rest))
}
