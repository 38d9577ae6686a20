//! The commented example: every key with its doc comment above it.

use super::{
    super::tree::{Node, Value},
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

fn write_setting(lines: &mut Vec<String>, indent: usize, setting: &Setting, node: Option<&Node>, told: bool) {
    if told {
        comment(lines, indent, &setting.means);
    }
    let pad = " ".repeat(indent);
    let name = &setting.name;
    let is_empty = |node: &Node| node.value == Value::Map(Vec::new());
    // A key without a value is refused by the chart, which would take its own default for removed.
    match node.filter(|node| !is_empty(node) || !matches!(setting.shape, Shape::Settings(_))) {
        Some(node) => write_value(lines, indent, name, &setting.shape, node, told),
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

fn write_value(lines: &mut Vec<String>, indent: usize, name: &str, shape: &Shape, node: &Node, told: bool) {
    let pad = " ".repeat(indent);
    let settings = matches!(shape, Shape::Settings(_));
    if let Some(text) = flow(node).filter(|_| !settings) {
        lines.push(format!("{pad}{name}: {text}"));
        return;
    }
    lines.push(format!("{pad}{name}:"));
    match (&node.value, shape) {
        (Value::List(items), Shape::List(inner)) => {
            for (at, item) in items.iter().enumerate() {
                let mut element = Vec::new();
                write_inner(&mut element, indent + 4, inner, item, told && at == 0);
                dash(&mut element, indent + 2);
                lines.append(&mut element);
            }
        }
        _ => write_inner(lines, indent + 2, shape, node, told),
    }
}

/// The content of a map.
fn write_inner(lines: &mut Vec<String>, indent: usize, shape: &Shape, node: &Node, told: bool) {
    let Value::Map(pairs) = &node.value else { return };
    match shape {
        Shape::Settings(settings) => {
            for setting in settings {
                write_setting(lines, indent, setting, entry(node, &setting.name), told);
            }
        }
        Shape::Keyed(_, inner) => {
            for (name, node) in pairs {
                write_value(lines, indent, name, inner, node, told);
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
fn flow(node: &Node) -> Option<String> {
    match &node.value {
        Value::Null | Value::Refused => Some("null".to_owned()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Whole(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Text(text) | Value::Word(text) => Some(quoted(text)),
        Value::List(items) => {
            let items: Option<Vec<_>> = items.iter().map(flow).collect();
            items.map(|items| format!("[{}]", items.join(", ")))
        }
        Value::Map(pairs) if pairs.is_empty() => Some("{}".to_owned()),
        Value::Map(_) => None,
    }
}

fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        && text.chars().any(|c| c.is_ascii_alphabetic());
    if plain { text.to_owned() } else { format!("{text:?}") }
}
