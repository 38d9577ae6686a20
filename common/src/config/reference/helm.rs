//! The schema for Helm, which reads YAML 1.1: there `on` and `off` without quotes are `true` and `false`.

use serde_json::{Map, Value, json};

use super::super::yaml11;

/// A schema that also takes what Helm makes of keys and words, where nothing else can be meant.
pub(super) fn for_helm(mut schema: Value) -> Value {
    take(&mut schema);
    let log = &mut schema["$defs"]["RawTelemetry"]["properties"]["log"];
    log.as_object_mut().expect("a log has a level").remove("type");
    log["anyOf"] = json!([{"type": "string"}, off("off")]);
    schema
}

/// Takes it below a part of the schema.
fn take(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(take),
        Value::Object(parts) => {
            parts.values_mut().for_each(take);
            if let Some(keys) = parts.get_mut("properties").and_then(Value::as_object_mut) {
                take_keys(keys);
            }
            if let Some(words) = parts.get_mut("oneOf").and_then(Value::as_array_mut) {
                take_words(words);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn take_keys(keys: &mut Map<String, Value>) {
    for value in [true, false] {
        if let Some(meant) = yaml11::meant(value, keys.keys().map(String::as_str)) {
            let mut same = keys[meant].clone();
            same["description"] = format!("`{meant}`, as Helm reads it without quotes.").into();
            keys.insert(value.to_string(), same);
        }
    }
}

fn take_words(words: &mut Vec<Value>) {
    let known: Vec<_> = words.iter().filter_map(|word| word["const"].as_str()).collect();
    if let Some(meant) = yaml11::meant(false, known) {
        let same = off(meant);
        words.push(same);
    }
}

fn off(word: &str) -> Value {
    json!({"const": false, "description": format!("`{word}`, as Helm reads it without quotes.")})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::schema, *};

    /// All keys and words that have a meaning.
    fn names(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Array(parts) => parts.iter().for_each(|part| names(part, found)),
            Value::Object(parts) => {
                found.extend(parts.get("const").and_then(Value::as_str).map(str::to_owned));
                let keys = parts.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
                found.extend(keys.cloned());
                parts.values().for_each(|part| names(part, found));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn no_other_key_or_word_of_ours_is_something_else_to_helm() {
        let mut found = BTreeSet::new();
        names(&schema(), &mut found);
        let is_else = |name: &&String| {
            let starts_as_number = name.starts_with(|c: char| c.is_ascii_digit() || "+-.~".contains(c));
            yaml11::boolean(name).is_some() || starts_as_number || name.eq_ignore_ascii_case("null") || name.is_empty()
        };
        assert_eq!(found.iter().filter(is_else).collect::<Vec<_>>(), ["off", "on"]);
    }

    #[test]
    fn helm_may_say_true_for_on_and_false_for_off() {
        let (usual, helm) = (schema(), for_helm(schema()));
        let policy = &helm["$defs"]["RawPolicy"]["properties"];
        assert_eq!(policy["true"]["properties"], policy["on"]["properties"]);
        for part in ["HealthSource", "PipelineSource", "Confirm"] {
            let words = helm["$defs"][part]["oneOf"].as_array().unwrap();
            assert!(words.iter().any(|word| word["const"] == false), "{part}");
            assert!(!usual["$defs"][part].to_string().contains("false"), "an editor offers what is meant");
        }
        assert!(helm["$defs"]["Mode"] == usual["$defs"]["Mode"]);
    }
}
