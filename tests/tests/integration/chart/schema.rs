//! What values are taken: `config` is checked by the schema that is generated from the types of the configuration, and
//! held current with them in `common`.

use serde_json::{Value, json};

use super::harness::Helm;

/// Checks that values are refused, in words that name the key.
#[track_caller]
fn refused(values: &Value, words: &str) {
    match Helm::new().unwrap().render(values) {
        Ok(_) => panic!("taken: {values}"),
        Err(error) => assert!(error.to_string().contains(words), "{error}"),
    }
}

#[test]
fn an_unknown_key_of_the_configuration_is_refused() {
    refused(&json!({"config": {"modus": "enforce"}}), "modus");
    refused(&json!({"config": {"budget": {"at_most": 3}}}), "at_most");
    refused(&json!({"config": {"policies": [{"name": "a", "match": {"names": ["a"], "some": []}}]}}), "some");
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    refused(&json!({"config": {"mode": "enforced"}}), "mode");
    refused(&json!({"config": {"budget": {"share": 2}}}), "share");
    refused(&json!({"config": {"policies": [{"name": "a", "match": {"names": ["a"]}, "ttl": "a while"}]}}), "ttl");
}

#[test]
fn an_unknown_value_of_the_chart_is_refused() {
    refused(&json!({"replicas": 3}), "replicas");
    refused(&json!({"api": {"replica": 3}}), "replica");
    refused(&json!({"image": {"digest": "sha256:abc"}}), "digest");
    refused(&json!({"collectController": {"replicas": 0}}), "replicas");
}
