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
    match &node.value {
        Value::Map(pairs) if !pairs.is_empty() => Ok(node),
        Value::Null | Value::Map(_) => {
            Err(Mistake::new(&whole, "", "it is empty; write at least one setting in it, or remove it"))
        }
        _ => Err(Mistake::new(
            &node.origin,
            "",
            format!("it must hold keys with values, such as `mode: observe`, and holds {}", node.words()),
        )),
    }
}

/// Reads one YAML document; `origin` makes a place of a line.
pub(super) fn parse(text: &str, origin: impl Fn(u64) -> Origin) -> Result<Node, Mistake> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // YAML 1.2: `yes` and `on` are words. Of a key that stands twice nobody knows which was meant.
    let options = serde_saphyr::options! { strict_booleans: true };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(root) => {
            let line = root.referenced.line();
            Ok(Document { text, origin }.node(root, line))
        }
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line());
            let (line, why) = explain(text, line, &error);
            Err(Mistake::new(&origin(line), "", why))
        }
    }
}

/// Where a mistake of YAML that was found at a line stands, and what it is.
fn explain(text: &str, line: u64, error: &Error) -> (u64, String) {
    match error.without_snippet() {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map_or_else(|| "a key".to_owned(), |key| format!("`{key}`"));
            (line, format!("{key} stands twice in the same map; remove one"))
        }
        Error::MultipleDocuments { .. } => {
            (line, "a second document begins here (`---`); write one document per file".to_owned())
        }
        other => {
            let said = other.to_string();
            let what = said.split_once(" at line ").map_or(said.as_str(), |(what, _)| what);
            match indented_by_tab(text, line).filter(|_| what.contains("tab")) {
                Some(line) => {
                    (line, "a tab stands before the text of this line; YAML is indented by spaces alone".to_owned())
                }
                None => (line, format!("it is not YAML: {what}; mend the line, or the one above it")),
            }
        }
    }
}

/// The first line, from this one on, with a tab before its text: a value that may go on is blamed where it begins.
fn indented_by_tab(text: &str, from: u64) -> Option<u64> {
    let is_indented = |line: &str| line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
    (1..)
        .zip(text.lines())
        .skip_while(|(number, _)| *number < from)
        .find(|(_, line)| !line.trim().is_empty() && is_indented(line))
        .map(|(number, _)| number)
}

/// What was read, and what it was read from.
struct Document<'t, F> {
    text: &'t str,
    origin: F,
}

impl<F: Fn(u64) -> Origin> Document<'_, F> {
    fn node(&self, spanned: Spanned<Raw>, line: u64) -> Node {
        let written = self.written(&spanned);
        let value = match spanned.value {
            Raw::Scalar(value) => value,
            Raw::List(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| {
                        let line = item.referenced.line();
                        self.node(item, line)
                    })
                    .collect(),
            ),
            // A value is looked for where its key stands.
            Raw::Map(pairs) => Value::Map(
                pairs.into_iter().map(|(key, value)| (key.value, self.node(value, key.referenced.line()))).collect(),
            ),
        };
        Node { value, origin: (self.origin)(line), written }
    }

    /// A number, or `true` or `false`, as it stands there.
    fn written(&self, spanned: &Spanned<Raw>) -> Option<String> {
        let Raw::Scalar(Value::Bool(_) | Value::Whole(_) | Value::Float(_)) = spanned.value else { return None };
        let span = spanned.defined.span();
        let (start, length) = (usize::try_from(span.byte_offset()?).ok()?, usize::try_from(span.byte_len()?).ok()?);
        self.text.get(start..start.checked_add(length)?).map(str::to_owned)
    }
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

            #[expect(clippy::cast_precision_loss, reason = "too large to count anything; it is told as written")]
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Scalar(i64::try_from(value).map_or(Value::Float(value as f64), Value::Whole)))
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
