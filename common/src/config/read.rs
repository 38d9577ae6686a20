//! A tree into types, with every mistake found on the way.
//!
//! serde stops at the first mistake. So what was refused is marked in the tree, which is then read again as if it were
//! not there, until nothing new is found.

mod values;

use std::{cell::RefCell, fmt};

use serde::de::{self, DeserializeOwned, Expected, Unexpected};

use super::{
    Mistake,
    suggest::nearest,
    tree::{Node, Value},
    yaml11,
};

/// Reads a whole tree.
pub(super) fn read<T: DeserializeOwned>(tree: &mut Node) -> Result<T, Vec<Mistake>> {
    let noted = Noted::default();
    loop {
        let root = At { node: tree, key: String::new(), noted: &noted };
        let read = T::deserialize(root);
        let renamed = noted.renamed.take().into_iter().filter(|(key, name)| tree.rename(key, name)).count();
        if renamed > 0 {
            continue;
        }
        let failed = match read {
            Ok(value) if noted.mistakes.borrow().is_empty() => return Ok(value),
            Ok(_) => return Err(noted.mistakes.into_inner()),
            Err(failed) => failed,
        };
        let key = failed.key.unwrap_or_default();
        if let Why::Said(why) = failed.why {
            noted.mistake(Mistake::new(&tree.nearest(&key).origin, &key, why));
        }
        if key.is_empty() || !tree.refuse(&key) {
            return Err(noted.mistakes.into_inner());
        }
    }
}

/// What was found on the way that need not end the reading.
#[derive(Debug, Default)]
struct Noted {
    mistakes: RefCell<Vec<Mistake>>,
    /// Keys that stand for others in YAML 1.1, with these: what is said of them, and where, is said by the name that was meant.
    renamed: RefCell<Vec<(String, &'static str)>>,
}

impl Noted {
    fn mistake(&self, mistake: Mistake) {
        let mut mistakes = self.mistakes.borrow_mut();
        if !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
    }
}

/// A node with its key, on the way to become a value.
struct At<'t> {
    node: &'t Node,
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

impl Value {
    /// What it is, for a sentence.
    fn words(&self) -> String {
        match self {
            Self::Null | Self::Refused => "nothing".to_owned(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Whole(value) => format!("the number `{value}`"),
            Self::Float(value) => format!("the number `{value}`"),
            Self::Text(text) | Self::Word(text) => self::text(text),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

impl Node {
    /// What it is, for a sentence: numbers as they were written.
    pub(super) fn words(&self) -> String {
        match (&self.value, &self.written) {
            (Value::Whole(_) | Value::Float(_), Some(written)) => format!("the number `{written}`"),
            (Value::Bool(_), Some(written)) => format!("`{written}`"),
            (value, _) => value.words(),
        }
    }
}

impl<'t> At<'t> {
    fn child(&self, node: &'t Node, step: &str) -> Self {
        let dot = if self.key.is_empty() || step.starts_with('[') { "" } else { "." };
        Self { node, key: format!("{}{dot}{step}", self.key), noted: self.noted }
    }

    fn wants(&self, what: &str, mend: &str) -> Failed {
        let found = self.node.words();
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

/// What is said of a key or a word that does not exist, beside those that do.
fn unknown(said: &str, word: &str, known: &[&'static str]) -> String {
    let meant = nearest(word, known.iter().copied());
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
fn without_zeros(node: &Node) -> &'static str {
    let is_octal = |text: &str| text.len() > 1 && text.starts_with('0') && text.chars().all(|c| c.is_ascii_digit());
    if node.written.as_deref().is_some_and(is_octal) {
        "; leave out the zero before it, by which Helm reads another number"
    } else {
        ""
    }
}

const NO_SUCH_KEY: &str = "there is no such key";

/// What serde found, in the words of [`Value::words`].
fn found(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => Value::Bool(value).words(),
        Unexpected::Signed(value) => Value::Whole(value).words(),
        Unexpected::Unsigned(value) => format!("the number `{value}`"),
        Unexpected::Float(value) => Value::Float(value).words(),
        Unexpected::Str(text) => self::text(text),
        Unexpected::Unit | Unexpected::Option => Value::Null.words(),
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
