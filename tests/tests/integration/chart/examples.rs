//! Every example of the pages as it is pasted into values of the chart, rendered by the real helm, and read by our own parser;
//! and what helm, which reads YAML 1.1, makes of words without quotes.

use std::fs;

use anyhow::{Context, Result, ensure};
use common::config::{Settings, Source};
use serde_json::Value;
use testbed::pages::{Example, Kind, examples};

use super::configuration::settings;
use super::harness::{FULL, Helm, find};

/// A configuration as it stands under `config`.
fn pasted(configuration: &str) -> String {
    let lines: String = configuration.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    format!("config:\n{lines}")
}

/// A configuration that our own parser reads from a file.
fn load(text: &str) -> Result<Settings> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("config.yaml");
    fs::write(&file, text)?;
    Ok(Source::new(Some(file), [("HOME".to_owned(), "/home/someone".to_owned())]).load()?)
}

/// Renders an example, reads what came of it, and compares the policies with those that are read from the example itself.
fn try_out(helm: &Helm, example: &Example) -> Result<()> {
    let values = match example.kind {
        Kind::Configuration => pasted(&example.text),
        Kind::Values => example.text.clone(),
        Kind::Object | Kind::Rules => return Ok(()),
    };
    let rendered = settings(&helm.render_text(&values)?)?;
    if example.kind == Kind::Configuration {
        let meant = load(&example.text)?;
        ensure!(rendered.raw.policies == meant.raw.policies, "other policies: {:?}", rendered.raw.policies);
        ensure!(rendered.mode == meant.mode, "another mode: {:?}", rendered.mode);
    }
    Ok(())
}

#[test]
fn every_example_of_the_pages_can_be_pasted_into_values() -> Result<()> {
    let helm = Helm::new()?;
    let examples = examples()?;
    for example in &examples {
        try_out(&helm, example).with_context(|| format!("{}:{}", example.page, example.line))?;
    }
    let unquoted = examples.iter().filter(|example| example.text.contains("\n    on:\n")).count();
    assert!(unquoted >= 4, "{unquoted}");
    Ok(())
}

/// A policy of the values, with one more line.
fn policy(line: &str) -> String {
    let gitlab = "config:\n  gitlab: {url: \"https://gitlab.example.org\", token_file: t}\n";
    format!("{gitlab}  policies:\n    - name: ci\n      match: {{names: [\"ci-.*\"]}}\n      {line}\n")
}

#[test]
fn words_without_quotes_are_those_with_quotes() -> Result<()> {
    let helm = Helm::new()?;
    let read = |values: &str| settings(&helm.render_text(values)?);
    let line = "checks: {health: OFF, pipeline: OFF, superseded: {confirm: OFF}}\n      ON: {stale: {delete: false}}";
    let with = |on: &str, off: &str| policy(&line.replace("ON", on).replace("OFF", off));
    let (quoted, unquoted) = (read(&with("\"on\"", "\"off\""))?, read(&with("on", "off"))?);
    assert_eq!(quoted.raw.policies[0].on.len(), 1);
    assert_eq!((unquoted.raw, unquoted.hash), (quoted.raw, quoted.hash));
    assert_eq!(read("config: {telemetry: {log: off}}")?.telemetry.log, "off");
    Ok(())
}

/// What the collectors may read.
fn rights(values: &str) -> Result<String> {
    let objects: Vec<Value> = Helm::new()?.render_text(values)?;
    Ok(find(&objects, "ClusterRole", &format!("{FULL}-collector"))["rules"].to_string())
}

#[test]
fn health_that_is_off_without_quotes_grants_no_right_to_workloads() -> Result<()> {
    for off in ["off", "\"off\""] {
        let rights = rights(&policy(&format!("checks: {{health: {off}}}")))?;
        assert!(!rights.contains("deployments"), "{off}: {rights}");
    }
    assert!(rights(&policy("ttl: 1h"))?.contains("deployments"));
    Ok(())
}

#[test]
fn what_nobody_knows_the_meaning_of_is_refused_before_it_is_installed() -> Result<()> {
    let helm = Helm::new()?;
    for (line, words) in [
        ("\"on\": {}\n      on: {}", "the policy `ci` has the key `on` twice, in quotes and without"),
        ("require: all-parts\n      checks: {health: on}", "/config/policies/0/checks/health"),
        ("checks: {fail_after: 0}", "/config/policies/0/checks/fail_after"),
    ] {
        let error = helm.render_text(&policy(line)).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(words), "{line}: {error}");
    }
    for (key, value) in [("on", "true"), ("y", "true"), ("off", "false"), ("no", "false")] {
        for (which, part) in [("any", "labels"), ("all", "annotations")] {
            let matches = format!("match: {{{which}: [{{{part}: {{a: b, {key}: x}}}}]}}");
            let values = format!("config:\n  policies:\n    - name: ci\n      {matches}\n");
            let error = helm.render_text(&values).map(|_| ()).unwrap_err().to_string();
            let words = format!("the policy `ci` matches {part} by a key `{value}`");
            assert!(error.contains(&words), "{values}: {error}");
            let quoted = values.replace(&format!(", {key}: x"), &format!(", \"{key}\": x"));
            settings(&helm.render_text(&quoted)?)?;
        }
    }
    Ok(())
}
