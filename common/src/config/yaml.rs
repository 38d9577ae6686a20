//! YAML into values that know their lines.

use std::{error::Error as StdError, fmt, path::Path};

use config::{Format, Value, ValueKind};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Error, Spanned};

use super::{
    Mistake, Origin,
    place::{self, NOTE, Place, Table},
    read,
};

/// A file of settings: one document of YAML 1.2, which holds at least one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Yaml;

impl Format for Yaml {
    fn parse(&self, uri: Option<&String>, text: &str) -> Result<Table, Box<dyn StdError + Send + Sync>> {
        let path = Path::new(uri.map_or("", String::as_str));
        let root = parse(text, |line| Origin::file(path, line))?;
        let mistake = match &root.kind {
            ValueKind::Table(table) if place::pairs(table).next().is_some() => return Ok(root.into_table()?),
            ValueKind::Nil | ValueKind::Table(_) => {
                let why = "it is empty; write at least one setting in it, or remove it";
                Mistake::new(&Origin::file(path, 0), "", why)
            }
            _ => {
                let found = read::words(&root);
                let why = format!("it must hold keys with values, such as `mode: observe`, and holds {found}");
                Mistake::new(&Origin::of(&root), "", why)
            }
        };
        Err(mistake.into())
    }
}

/// Reads one YAML document; `origin` makes a place of a line.
pub(super) fn parse(text: &str, origin: impl Fn(u64) -> Origin) -> Result<Value, Mistake> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // YAML 1.2: `yes` and `on` are words. Of a key that stands twice nobody knows which was meant.
    let options = serde_saphyr::options! { strict_booleans: true };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(root) => {
            let line = root.referenced.line();
            Ok(Document { text, origin }.value(root, line))
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
    fn value(&self, spanned: Spanned<Raw>, line: u64) -> Value {
        let place = Place { origin: (self.origin)(line), written: self.written(&spanned) };
        let kind = match spanned.value {
            Raw::Scalar(kind) => kind,
            Raw::List(items) => ValueKind::Array(
                items
                    .into_iter()
                    .map(|item| {
                        let line = item.referenced.line();
                        self.value(item, line)
                    })
                    .collect(),
            ),
            Raw::Map(pairs) => {
                let mut table = Table::new();
                place::note(&mut table, &place.origin);
                for (key, value) in pairs {
                    // A value is looked for where its key stands.
                    place::insert(&mut table, &key.value, self.value(value, key.referenced.line()));
                }
                ValueKind::Table(table)
            }
        };
        place.value(kind)
    }

    /// A number, or `true` or `false`, as it stands there.
    fn written(&self, spanned: &Spanned<Raw>) -> Option<String> {
        let Raw::Scalar(ValueKind::Boolean(_) | ValueKind::I64(_) | ValueKind::Float(_)) = spanned.value else {
            return None;
        };
        let span = spanned.defined.span();
        let (start, length) = (usize::try_from(span.byte_offset()?).ok()?, usize::try_from(span.byte_len()?).ok()?);
        self.text.get(start..start.checked_add(length)?).map(str::to_owned)
    }
}

enum Raw {
    Scalar(ValueKind),
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
                Ok(Raw::Scalar(ValueKind::Nil))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Scalar(ValueKind::Boolean(value)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Scalar(ValueKind::I64(value)))
            }

            #[expect(clippy::cast_precision_loss, reason = "too large to count anything; it is told as written")]
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Scalar(i64::try_from(value).map_or(ValueKind::Float(value as f64), ValueKind::I64)))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Scalar(ValueKind::Float(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Scalar(ValueKind::String(value.to_owned())))
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
                while let Some((key, value)) = access.next_entry::<Spanned<String>, _>()? {
                    if key.value.starts_with(NOTE) {
                        return Err(de::Error::custom("a key begins with the character NUL"));
                    }
                    pairs.push((key, value));
                }
                Ok(Raw::Map(pairs))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
