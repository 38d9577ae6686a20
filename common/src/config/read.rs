//! A tree into types, with every mistake found on the way.
//!
//! serde stops at the first mistake. So what was refused is noted, and the tree is then read again as if that were not
//! there, until nothing new is found. The values of the crate `config` read themselves too, but take `1` for a text, `on` for
//! `true` and 2.5 for 3.

mod values;

use std::{cell::RefCell, collections::BTreeSet, fmt};

use config::{Value, ValueKind};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Expected, Unexpected};

use super::{Mistake, Origin, place, suggest::nearest, yaml11};

/// Reads a whole tree.
pub(super) fn read<T: DeserializeOwned>(tree: &Value) -> Result<T, Vec<Mistake>> {
    let noted = Noted::default();
    loop {
        let root = At { node: tree, key: String::new(), noted: &noted };
        let failed = match T::deserialize(root) {
            Ok(value) if noted.mistakes.borrow().is_empty() => return Ok(value),
            Ok(_) => return Err(noted.mistakes.into_inner()),
            Err(failed) => failed,
        };
        let key = failed.key.unwrap_or_default();
        if let Why::Said(why) = failed.why {
            noted.mistake(Mistake::new(&Origin::of(place::nearest(tree, &key)), &key, why));
        }
        if key.is_empty() || !noted.refused.borrow_mut().insert(key) {
            return Err(noted.mistakes.into_inner());
        }
    }
}

/// What was found on the way that need not end the reading.
#[derive(Debug, Default)]
struct Noted {
    mistakes: RefCell<Vec<Mistake>>,
    /// The keys of what was refused already; the rest is read as if it were not there.
    refused: RefCell<BTreeSet<String>>,
}

impl Noted {
    fn mistake(&self, mistake: Mistake) {
        let mut mistakes = self.mistakes.borrow_mut();
        if !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
    }
}

/// A value with its key, on the way to become one of a type.
#[derive(Clone)]
struct At<'t> {
    node: &'t Value,
    key: String,
    noted: &'t Noted,
}

/// Why a value could not be read, and the key it stands at, once known.
#[derive(Debug)]
struct Failed {
    key: Option<String>,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Said(String),
    Missing(&'static str),
    /// It follows from a mistake that was noted already.
    Follows,
}

/// What a value is, for a sentence: numbers as they were written.
pub(super) fn words(value: &Value) -> String {
    match (&value.kind, place::written(value)) {
        (ValueKind::I64(_) | ValueKind::Float(_), Some(written)) => format!("the number `{written}`"),
        (ValueKind::Boolean(_), Some(written)) => format!("`{written}`"),
        (kind, _) => words_of(kind),
    }
}

fn words_of(kind: &ValueKind) -> String {
    match kind {
        ValueKind::Nil => "nothing".to_owned(),
        ValueKind::Boolean(value) => format!("`{value}`"),
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) | ValueKind::Float(_) => {
            format!("the number `{kind}`")
        }
        ValueKind::String(text) => self::text(text),
        ValueKind::Array(_) => "a list".to_owned(),
        ValueKind::Table(_) => "a map".to_owned(),
    }
}

impl<'t> At<'t> {
    fn child(&self, node: &'t Value, step: &str) -> Self {
        let dot = if self.key.is_empty() || step.starts_with('[') { "" } else { "." };
        Self { node, key: format!("{}{dot}{step}", self.key), noted: self.noted }
    }

    fn read<S: DeserializeSeed<'t>>(self, seed: S) -> Result<S::Value, Failed> {
        let key = self.key.clone();
        seed.deserialize(self).map_err(|failed: Failed| failed.at(&key))
    }

    fn is_refused(&self) -> bool {
        self.noted.refused.borrow().contains(&self.key)
    }

    /// What a variable or an option says: it becomes whatever is asked of it.
    fn word(&self) -> Option<&'t str> {
        match &self.node.kind {
            ValueKind::String(text) => place::written(self.node).is_some().then_some(text),
            _ => None,
        }
    }

    fn wants(&self, what: &str, mend: &str) -> Failed {
        let found = words(self.node);
        Failed::said(format!("it must be {what} and is {found}{mend}")).at(&self.key)
    }

    fn number<T: std::str::FromStr>(&self, word: &str, what: &str) -> Result<T, Failed> {
        word.parse().map_err(|_| self.wants(what, ""))
    }
}

impl Failed {
    const fn said(why: String) -> Self {
        Self { key: None, why: Why::Said(why) }
    }

    /// Says where it stands, unless that was said closer to the place.
    fn at(mut self, key: &str) -> Self {
        self.key.get_or_insert_with(|| key.to_owned());
        self
    }
}

/// Keys that had another name, at the top.
const MOVED: [(&str, &str); 1] = [("waves", "budget.unannounced")];

/// What is said of a key or a word that does not exist, beside those that do.
fn unknown(said: &str, word: &str, known: &[&'static str]) -> String {
    let moved =
        || MOVED.iter().find(|(old, new)| *old == word && known.iter().any(|key| new.starts_with(&format!("{key}."))));
    let meant = moved().map(|(_, new)| *new).or_else(|| nearest(word, known.iter().copied()));
    let meant = meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
    format!("{said}{meant} (known: {})", known.join(", "))
}

/// A text in a sentence. An address can hold a password, so it is not repeated.
fn text(text: &str) -> String {
    const MOST: usize = 60;
    if text.contains("://") {
        "an address".to_owned()
    } else if text.chars().count() > MOST {
        format!("the text `{}…`", text.chars().take(MOST).collect::<String>())
    } else {
        format!("the text `{text}`")
    }
}

/// The word for a boolean, where a boolean is wanted and a word of YAML 1.1 was found.
fn boolean_for(word: &str) -> String {
    yaml11::boolean(word).map_or(String::new(), |value| format!("; write `{value}`"))
}

/// A way out where zeros before a number make it another one for Helm, which reads it as octal.
fn without_zeros(value: &Value) -> &'static str {
    let is_octal = |text: &str| text.len() > 1 && text.starts_with('0') && text.chars().all(|c| c.is_ascii_digit());
    if place::written(value).as_deref().is_some_and(is_octal) {
        "; leave out the zero before it, by which Helm reads another number"
    } else {
        ""
    }
}

const NO_SUCH_KEY: &str = "there is no such key";

/// What serde found, in the words of [`words`].
fn found(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => words_of(&ValueKind::Boolean(value)),
        Unexpected::Signed(value) => words_of(&ValueKind::I64(value)),
        Unexpected::Unsigned(value) => format!("the number `{value}`"),
        Unexpected::Float(value) => words_of(&ValueKind::Float(value)),
        Unexpected::Str(text) => self::text(text),
        Unexpected::Unit | Unexpected::Option => words_of(&ValueKind::Nil),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

impl de::Error for Failed {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::said(why.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::said(format!("it must be {expected} and is {}", self::found(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::said(format!("{} is out of range ({expected})", self::found(found)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::said(unknown(&format!("it cannot be `{variant}`"), variant, expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::said(unknown(NO_SUCH_KEY, field, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { key: None, why: Why::Missing(field) }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Said(why) => f.write_str(why),
            Why::Missing(field) => write!(f, "`{field}` is missing"),
            Why::Follows => f.write_str("part of it was refused"),
        }
    }
}

impl std::error::Error for Failed {}
