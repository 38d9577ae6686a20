//! The reference as a page.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    sample, schema,
    shape::{Setting, Shape},
};

const HEAD: &str = "\
<!-- Generated from common/src/config/raw.rs by `UPDATE_DOCS=1 cargo test -p common config`. -->
# Configuration

All roles read one configuration. A complete file with every key is [config.example.yaml](config.example.yaml), its
JSON schema, for an editor, is [config.schema.json](config.schema.json). `nsm config check` tells what is wrong in
yours, and with `--diff OLD` what it would change.

Where a setting is written, from the weakest to the strongest:

1. its default;
2. the file, or the directory, that `--config` or else `CONFIG_PATH` names. Of a directory every `*.yml` and `*.yaml` is
   read in alphabetical order. Maps merge, everything else replaces, and `null` leaves what is there;
3. the environment variable `NSM__SECTION__KEY`. A list or a map is written as YAML in one line, `[\"a\", \"b\"]`; an empty
   variable counts as absent;
4. an option of the command line.

A key that does not exist, a value that cannot be read, a pattern that would match nothing: each refuses the whole
configuration, naming file, line and remedy. While running, a change is taken in within a few seconds; one that is
refused is logged and leaves the last good one in force.

A duration is a number with a unit, `s`, `m`, `h`, `d` or `w`, and several of them may follow each other: `1h30m`,
`0.5h`, `2w`.

Files are read as YAML 1.2, and so is what Helm makes of one. Helm reads YAML 1.1, where without quotes `on`, `yes` and `y` are
`true`, and `off`, `no` and `n` are `false`. So the key `true` stands for `on` in a policy, and the value `false` for the word
`off`: write both without quotes, here and in the values of the chart. Labels and annotations are texts: put keys and values
that are such words or numbers in quotes, `\"yes\"`, `\"1.10\"`.
";

/// The page `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let schema = schema();
    let mut page = HEAD.to_owned();
    let Shape::Settings(settings) = Shape::of(&schema, &schema, Some(&sample())) else { return page };
    page.push_str("\n## Settings\n");
    table(&mut page, &settings);
    for setting in &settings {
        section(&mut page, &setting.name, &setting.shape, &setting.means);
    }
    page
}

/// One section, where the value has settings of its own.
fn section(page: &mut String, key: &str, shape: &Shape, means: &str) {
    match shape {
        Shape::Leaf(_) => {}
        Shape::List(inner) => section(page, &format!("{key}[]"), inner, means),
        Shape::Keyed(names, inner) => {
            let known = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let means = format!("{means} The key is one of {known}.");
            section(page, &format!("{key}.*"), inner, &means);
        }
        Shape::Settings(settings) => {
            let _ = write!(page, "\n## `{key}`\n\n{means}\n");
            table(page, settings);
            for setting in settings {
                section(page, &format!("{key}.{}", setting.name), &setting.shape, &setting.means);
            }
        }
    }
}

fn table(page: &mut String, settings: &[Setting]) {
    page.push_str("\n| Key | Value | Meaning |\n| --- | --- | --- |\n");
    for setting in settings {
        let Setting { name, means, shape, .. } = setting;
        let needed = if setting.required { " Required." } else { "" };
        let default = match &setting.default {
            Some(Value::String(default)) if !means.contains("efault") => format!(" Default: `{default}`."),
            Some(default @ Value::Bool(_)) if !means.contains("efault") => format!(" Default: `{default}`."),
            _ => String::new(),
        };
        let means = format!("{means}{needed}{default}").replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {} | {} |", shape.words(), means.trim_start());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_struct_of_the_schema_is_told() {
        let (page, schema) = (markdown(), schema());
        for (name, part) in schema["$defs"].as_object().unwrap() {
            for key in part.get("properties").and_then(Value::as_object).into_iter().flat_map(|all| all.keys()) {
                let told = page.contains(&format!("| `{key}` |")) || page.contains(&format!("`{key}`, "));
                assert!(told || page.contains(&format!("`{key}`.\n")), "{name}.{key}");
            }
        }
    }
}
