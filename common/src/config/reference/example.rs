//! The commented example: every key with its doc comment above it.

use config::{Value, ValueKind};

use super::{
    entry, sample, schema,
    shape::{Setting, Shape},
};

/// How wide a comment may be.
const WIDTH: usize = 110;

const HEAD: &str = "\
# A configuration of Namespace Manager with every key there is. All but `policies` and `exclude` shows its default.
# Generated from common/src/config/raw.rs by `UPDATE_DOCS=1 cargo test -p common config`.
";

/// The file `docs/config.example.yaml`.
#[must_use]
pub fn example() -> String {
    let schema = schema();
    let sample = sample();
    let mut lines = Vec::new();
    if let Shape::Settings(settings) = Shape::of(&schema, &schema, Some(&sample)) {
        for setting in &settings {
            lines.push(String::new());
            write_setting(&mut lines, 0, setting, entry(&sample, &setting.name), true);
        }
    }
    format!("{HEAD}{}\n", lines.join("\n"))
}

fn write_setting(lines: &mut Vec<String>, indent: usize, setting: &Setting, value: Option<&Value>, told: bool) {
    if told {
        comment(lines, indent, &setting.means);
    }
    let pad = " ".repeat(indent);
    let name = &setting.name;
    let is_empty = |value: &Value| matches!(&value.kind, ValueKind::Table(table) if table.is_empty());
    // A key without a value is refused by the chart, which would take its own default for removed.
    match value.filter(|value| !is_empty(value) || !matches!(setting.shape, Shape::Settings(_))) {
        Some(value) => write_value(lines, indent, name, &setting.shape, value, told),
        None if told => absent(lines, &format!("{pad}# "), "", setting),
        None => {}
    }
}

/// A key that is not set and has no default that could be written down, with what belongs below it.
fn absent(lines: &mut Vec<String>, pad: &str, below: &str, setting: &Setting) {
    lines.push(format!("{pad}{below}{}:", setting.name));
    if let Shape::Settings(settings) = &setting.shape {
        for setting in settings {
            let mut told = Vec::new();
            comment(&mut told, 0, &setting.means);
            lines.extend(told.iter().map(|line| format!("{pad}{below}  {line}")));
            absent(lines, pad, &format!("{below}  "), setting);
        }
    }
}

fn write_value(lines: &mut Vec<String>, indent: usize, name: &str, shape: &Shape, value: &Value, told: bool) {
    let pad = " ".repeat(indent);
    let settings = matches!(shape, Shape::Settings(_));
    if let Some(text) = flow(value).filter(|_| !settings) {
        lines.push(format!("{pad}{name}: {text}"));
        return;
    }
    lines.push(format!("{pad}{name}:"));
    match (&value.kind, shape) {
        (ValueKind::Array(items), Shape::List(inner)) => {
            for (at, item) in items.iter().enumerate() {
                let mut element = Vec::new();
                write_inner(&mut element, indent + 4, inner, item, told && at == 0);
                dash(&mut element, indent + 2);
                lines.append(&mut element);
            }
        }
        _ => write_inner(lines, indent + 2, shape, value, told),
    }
}

/// The content of a map.
fn write_inner(lines: &mut Vec<String>, indent: usize, shape: &Shape, value: &Value, told: bool) {
    let ValueKind::Table(table) = &value.kind else { return };
    match shape {
        Shape::Settings(settings) => {
            for setting in settings {
                write_setting(lines, indent, setting, entry(value, &setting.name), told);
            }
        }
        Shape::Keyed(_, inner) => {
            for (name, value) in table {
                write_value(lines, indent, name, inner, value, told);
            }
        }
        Shape::Leaf(_) | Shape::List(_) => {}
    }
}

/// Makes the lines of a map the element of a list: the dash stands before the first key, comments above the dash.
fn dash(lines: &mut [String], indent: usize) {
    for line in lines {
        let rest = line.trim_start().to_owned();
        let is_comment = rest.starts_with('#');
        *line = if is_comment {
            format!("{}{rest}", " ".repeat(indent))
        } else {
            format!("{}- {rest}", " ".repeat(indent))
        };
        if !is_comment {
            return;
        }
    }
}

fn comment(lines: &mut Vec<String>, indent: usize, text: &str) {
    let pad = " ".repeat(indent);
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && pad.len() + 2 + line.len() + 1 + word.len() > WIDTH {
            lines.push(format!("{pad}# {line}"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(format!("{pad}# {line}"));
    }
}

/// The value in one line, unless it holds maps.
fn flow(value: &Value) -> Option<String> {
    match &value.kind {
        ValueKind::Nil => Some("null".to_owned()),
        ValueKind::String(text) => Some(quoted(text)),
        ValueKind::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(flow).collect();
            items.map(|items| format!("[{}]", items.join(", ")))
        }
        ValueKind::Table(table) if table.is_empty() => Some("{}".to_owned()),
        ValueKind::Table(_) => None,
        plain => Some(plain.to_string()),
    }
}

fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        && text.chars().any(|c| c.is_ascii_alphabetic());
    if plain { text.to_owned() } else { format!("{text:?}") }
}
