//! What the configuration means, generated from its types: their doc comments are the one place where it is said.

mod example;
#[cfg(test)]
mod helm;
mod markdown;
mod shape;

use config::ValueKind;
use serde_json::Value;

use super::raw::Raw;

pub use example::example;
pub use markdown::markdown;

/// What the example says beyond the defaults.
const SAMPLE: &str = include_str!("reference/sample.yaml");

/// The JSON schema of a configuration file.
#[must_use]
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Raw).to_value();
    schema["title"] = "Configuration of Namespace Manager".into();
    schema
}

/// The sample with every default filled in, keys in the order the types declare them.
fn sample() -> config::Value {
    let raw: Raw = serde_saphyr::from_str(SAMPLE).expect("the sample is a configuration, a test loads it");
    // Unlike a map of values the text of JSON keeps the order, and so does what is read from it.
    let json = serde_json::to_string(&raw).expect("plain data serializes");
    serde_json::from_str(&json).expect("plain data becomes values")
}

/// The value of a key in a map.
fn entry<'v>(value: &'v config::Value, key: &str) -> Option<&'v config::Value> {
    match &value.kind {
        ValueKind::Table(table) => table.get(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{super::Source, helm::for_helm, shape::Shape, *};

    /// Holds a page of the repository to what is generated; `UPDATE_DOCS=1` rewrites it.
    #[track_caller]
    fn holds(page: &str, generated: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        if super::super::variable("UPDATE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, generated).unwrap();
        }
        let current = fs::read_to_string(&path).is_ok_and(|committed| committed == generated);
        assert!(current, "docs/{page} is not current; run `UPDATE_DOCS=1 cargo test -p common config`");
    }

    #[test]
    fn the_reference_page_is_current() {
        holds("configuration.md", &markdown());
    }

    #[test]
    fn the_example_file_is_current() {
        holds("config.example.yaml", &example());
    }

    #[test]
    fn the_schema_file_is_current() {
        holds("config.schema.json", &format!("{:#}\n", schema()));
    }

    /// What the chart takes as `config` is the configuration; its own values stand beside it, written by hand.
    #[test]
    fn the_schema_of_the_chart_is_current() {
        let page = "../charts/namespace-manager/values.schema.json";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let mut whole: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let mut config = for_helm(schema());
        let parts = config.as_object_mut().unwrap();
        parts.remove("$schema");
        // References start at the root of the whole.
        whole["$defs"] = parts.remove("$defs").unwrap();
        whole["properties"]["config"] = config;
        holds(page, &format!("{whole:#}\n"));
    }

    #[test]
    fn the_example_is_a_configuration_and_says_what_the_sample_says() {
        let load = |text: &str| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("example.yaml");
            fs::write(&path, text).unwrap();
            Source::new(Some(path), [("HOME".to_owned(), "/home/someone".to_owned())]).load().unwrap().raw
        };
        assert_eq!(load(&example()), load(SAMPLE));
    }

    #[test]
    fn every_setting_names_its_variable_and_its_default() {
        let schema = schema();
        let sample = sample();
        let Shape::Settings(settings) = Shape::of(&schema, &schema, Some(&sample)) else { panic!("no settings") };
        for setting in &settings {
            told("NSM", setting);
        }
    }

    #[track_caller]
    fn told(above: &str, setting: &shape::Setting) {
        let shape::Setting { name, means, default, required, shape } = setting;
        let variable = format!("{above}__{}", name.to_uppercase());
        if let Shape::Settings(settings) = shape {
            return settings.iter().for_each(|setting| told(&variable, setting));
        }
        assert!(means.ends_with(&format!("Variable: `{variable}`.")), "{means}: {variable}");
        assert!(*required || means.contains("Default: "), "{means}");
        if let Some(default) = default.as_ref().filter(|default| !default.is_array()) {
            let text = default.as_str().map_or(default.to_string(), str::to_owned);
            assert!(means.contains(&text), "{means}: the default is {text}");
        }
    }
}
