//! The JSON schema, read as what a person wants to know of it.

use config::{Value as Written, ValueKind};
use serde_json::Value;

/// What a value looks like.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A value, and what it is in words.
    Leaf(String),
    List(Box<Self>),
    /// Free keys, or one of these, each with a value of the same shape.
    Keyed(Vec<String>, Box<Self>),
    Settings(Vec<Setting>),
}

/// One key that has a meaning.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) name: String,
    /// Its doc comment in one line.
    pub(super) means: String,
    pub(super) default: Option<Value>,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

impl Shape {
    /// Reads the part `schema` of the schema `root`; keys come in the order of `like`.
    pub(super) fn of(root: &Value, schema: &Value, like: Option<&Written>) -> Self {
        let schema = resolve(root, schema);
        if let Some(items) = schema.get("items") {
            return Self::List(Box::new(Self::of(root, items, like.and_then(first))));
        }
        if let Some(free) = schema.get("additionalProperties").filter(|free| free.is_object()) {
            return Self::Keyed(Vec::new(), Box::new(Self::of(root, free, None)));
        }
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return Self::Leaf(words(root, schema));
        };
        let mut names: Vec<_> = properties.keys().collect();
        let first_of_all = names.first().map(|name| &properties[name.as_str()]);
        if names.len() > 1
            && first_of_all
                .is_some_and(|one| one.get("$ref").is_some() && properties.values().all(|other| other == one))
        {
            let inner = first_of_all.map_or(Self::Leaf(String::new()), |one| {
                let like = names.iter().find_map(|name| super::entry(like?, name));
                Self::of(root, one, like)
            });
            return Self::Keyed(names.into_iter().cloned().collect(), Box::new(inner));
        }
        let order = like.map(keys).unwrap_or_default();
        names.sort_by_key(|name| order.iter().position(|known| known == name).unwrap_or(usize::MAX));
        let required = |name: &str| {
            let required = schema.get("required").and_then(Value::as_array);
            required.is_some_and(|required| required.iter().any(|known| known == name))
        };
        Self::Settings(
            names
                .into_iter()
                .map(|name| {
                    let property = &properties[name.as_str()];
                    Setting {
                        name: name.clone(),
                        means: text(property),
                        default: property.get("default").cloned(),
                        required: required(name),
                        shape: Self::of(root, property, like.and_then(|like| super::entry(like, name))),
                    }
                })
                .collect(),
        )
    }

    /// What it is, in few words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Leaf(words) => words.clone(),
            Self::List(inner) => format!("list of {}", inner.words()),
            Self::Keyed(names, inner) if names.is_empty() => format!("map to {}", inner.words()),
            Self::Keyed(..) | Self::Settings(_) => "map".to_owned(),
        }
    }
}

/// Its description, in one line.
pub(super) fn text(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

/// The schema a reference leads to, an absent value left aside.
pub(super) fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let choice = schema.get("anyOf").and_then(Value::as_array);
    if let Some(meant) = choice.and_then(|all| all.iter().find(|one| one.get("type") != Some(&"null".into()))) {
        return resolve(root, meant);
    }
    match schema.get("$ref").and_then(Value::as_str).and_then(|path| root.pointer(path.trim_start_matches('#'))) {
        Some(found) => resolve(root, found),
        None => schema,
    }
}

fn words(root: &Value, schema: &Value) -> String {
    if let Some(choice) = schema.get("oneOf").and_then(Value::as_array) {
        let names: Vec<_> =
            choice.iter().filter_map(|one| Some(format!("`{}`", one.get("const")?.as_str()?))).collect();
        return names.join(" or ");
    }
    let is = |name: &str| root.pointer(&format!("/$defs/{name}")).is_some_and(|known| known == schema);
    if is("PositiveDuration") || is("NonNegativeDuration") {
        return "duration".to_owned();
    }
    let kind = schema.get("type");
    let kind = kind.and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    match kind {
        Some("string") => "text",
        Some("integer") => "whole number",
        Some("number") => "number",
        Some("boolean") => "`true` or `false`",
        _ => "value",
    }
    .to_owned()
}

fn first(list: &Written) -> Option<&Written> {
    match &list.kind {
        ValueKind::Array(items) => items.first(),
        _ => None,
    }
}

fn keys(map: &Written) -> Vec<&String> {
    match &map.kind {
        ValueKind::Table(table) => table.keys().collect(),
        _ => Vec::new(),
    }
}
