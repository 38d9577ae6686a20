//! YAML into a tree that knows its lines.

use std::{fmt, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Error, Spanned};

use super::{
    Mistake, Origin,
    tree::{Node, Value},
};

/// Reads one YAML document that holds settings.
pub(super) fn parse_file(path: &Path, text: &str) -> Result<Node, Mistake> {
    let whole = Origin::file(path, 0);
    let node = parse(text, |line| Origin::file(path, line))?;
    match node.value {
        Value::Map(ref pairs) if !pairs.is_empty() => Ok(node),
        Value::Null | Value::Map(_) => {
            Err(Mistake::new(&whole, "", "it is empty; write at least one setting in it, or remove it"))
        }
        other => Err(Mistake::new(
            &node.origin,
            "",
            format!("it must hold keys with values, such as `mode: observe`, and holds {}", other.words()),
        )),
    }
}

/// Reads one YAML document; `origin` makes a place of a line.
pub(super) fn parse(text: &str, origin: impl Fn(u64) -> Origin) -> Result<Node, Mistake> {
    // YAML 1.2: `yes` and `on` are words. Of a key that stands twice nobody knows which was meant.
    let options = serde_saphyr::options! { strict_booleans: true };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(root) => {
            let line = root.referenced.line();
            Ok(node(root.value, line, &origin))
        }
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line());
            Err(Mistake::new(&origin(line), "", explain(&error)))
        }
    }
}

fn explain(error: &Error) -> String {
    match error.without_snippet() {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map_or_else(|| "a key".to_owned(), |key| format!("`{key}`"));
            format!("{key} stands twice in the same map; remove one")
        }
        Error::MultipleDocuments { .. } => {
            "a second document begins here (`---`); write one document per file".to_owned()
        }
        other => {
            let text = other.to_string();
            let what = text.split_once(" at line ").map_or(text.as_str(), |(what, _)| what);
            format!("it is not YAML: {what}; mend the line, or the one above it")
        }
    }
}

fn node(raw: Raw, line: u64, origin: &impl Fn(u64) -> Origin) -> Node {
    let child = |spanned: Spanned<Raw>, line| node(spanned.value, line, origin);
    let value = match raw {
        Raw::Scalar(value) => value,
        Raw::List(items) => Value::List(
            items
                .into_iter()
                .map(|item| {
                    let line = item.referenced.line();
                    child(item, line)
                })
                .collect(),
        ),
        // A value is looked for where its key stands.
        Raw::Map(pairs) => {
            Value::Map(pairs.into_iter().map(|(key, value)| (key.value, child(value, key.referenced.line()))).collect())
        }
    };
    Node { value, origin: origin(line) }
}

enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Scalar(Value::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Scalar(Value::Bool(value)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Scalar(Value::Whole(value)))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
                i64::try_from(value)
                    .map(|value| Raw::Scalar(Value::Whole(value)))
                    .map_err(|_| E::custom(format!("`{value}` is too large a number")))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Scalar(Value::Float(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Scalar(Value::Text(value.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Raw::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = access.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Raw::Map(pairs))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
