//! A configuration before it has types: values, each with the place it was written at.

use std::{fmt, path::Path, sync::Arc};

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
    /// A number, or `true` or `false`, in the characters of the file: `1.10` is another text than `1.1`.
    pub(super) written: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Whole(i64),
    Float(f64),
    Text(String),
    /// What an environment variable or an option says: it becomes whatever is asked of it.
    Word(String),
    List(Vec<Node>),
    /// In the order written; each key once.
    Map(Vec<(String, Node)>),
    /// It was refused already; the rest is read as if it were not there.
    Refused,
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A file, and the line in it, from 1; 0 stands for the file as a whole.
    File { path: Arc<Path>, line: u64 },
    /// An environment variable.
    Variable(String),
    /// An option of the command line.
    Flag(&'static str),
    /// Nowhere: it is missing, or a default.
    Nowhere,
}

impl Origin {
    pub(super) fn file(path: &Path, line: u64) -> Self {
        Self::File { path: path.into(), line }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0 } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "option {name}"),
            Self::Nowhere => f.write_str("defaults"),
        }
    }
}

impl Node {
    const fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin, written: None }
    }

    /// The tree without anything in it.
    pub(super) const fn empty() -> Self {
        Self::new(Value::Map(Vec::new()), Origin::Nowhere)
    }

    /// A tree that holds one value, at this path.
    pub(super) fn at_path(path: &[String], value: Value, origin: &Origin) -> Self {
        let leaf = Self::new(value, origin.clone());
        path.iter().rev().fold(leaf, |inner, key| Self::new(Value::Map(vec![(key.clone(), inner)]), origin.clone()))
    }

    /// Lays another tree over this one: maps merge, everything else replaces, null leaves what is there.
    pub(super) fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (_, Value::Null) => {}
            (Value::Map(base), Value::Map(over)) => {
                for (key, node) in over {
                    match base.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, below)) => below.merge(node),
                        None => base.push((key, node)),
                    }
                }
            }
            (base, value) => {
                *base = value;
                self.origin = over.origin;
                self.written = over.written;
            }
        }
    }

    /// Leaves out the keys at the top that are not to stay.
    pub(super) fn retain(&mut self, stays: impl Fn(&str) -> bool) {
        if let Value::Map(pairs) = &mut self.value {
            pairs.retain(|(key, _)| stays(key));
        }
    }

    /// The node at a key such as `policies[0].match.any[1].labels.example.org/team`, or the nearest one above it.
    pub(super) fn nearest(&self, key: &str) -> &Self {
        self.step(key).map_or(self, |(child, rest)| child.nearest(rest))
    }

    /// Marks the node at a key as refused. Returns whether it was there.
    pub(super) fn refuse(&mut self, key: &str) -> bool {
        if key.is_empty() {
            self.value = Value::Refused;
            return true;
        }
        self.step_mut(key).is_some_and(|(child, rest)| child.refuse(rest))
    }

    /// Gives what stands at a key another name. Returns whether it was there.
    pub(super) fn rename(&mut self, key: &str, name: &str) -> bool {
        if let Value::Map(pairs) = &mut self.value
            && let Some((at, "")) = longest(pairs, key)
        {
            name.clone_into(&mut pairs[at].0);
            return true;
        }
        self.step_mut(key).is_some_and(|(child, rest)| child.rename(rest, name))
    }

    fn step<'k>(&self, key: &'k str) -> Option<(&Self, &'k str)> {
        match &self.value {
            Value::List(items) => index(key).and_then(|(at, rest)| Some((items.get(at)?, rest))),
            Value::Map(pairs) => {
                let (at, rest) = longest(pairs, key)?;
                Some((&pairs[at].1, rest))
            }
            _ => None,
        }
    }

    fn step_mut<'k>(&mut self, key: &'k str) -> Option<(&mut Self, &'k str)> {
        match &mut self.value {
            Value::List(items) => index(key).and_then(|(at, rest)| Some((items.get_mut(at)?, rest))),
            Value::Map(pairs) => {
                let (at, rest) = longest(pairs, key)?;
                Some((&mut pairs[at].1, rest))
            }
            _ => None,
        }
    }
}

fn index(key: &str) -> Option<(usize, &str)> {
    let (number, rest) = key.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

/// The pair a key leads into. Keys of labels hold dots themselves, so the longest that fits is meant.
fn longest<'k>(pairs: &[(String, Node)], key: &'k str) -> Option<(usize, &'k str)> {
    let key = key.strip_prefix('.').unwrap_or(key);
    pairs
        .iter()
        .enumerate()
        .filter_map(|(at, (known, _))| Some((at, known.len(), key.strip_prefix(known.as_str())?)))
        .filter(|(_, _, rest)| rest.is_empty() || rest.starts_with(['.', '[']))
        .max_by_key(|(_, length, _)| *length)
        .map(|(at, _, rest)| (at, rest))
}
