//! The alerts are those of the page, and look at metrics that exist.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::json;

use super::harness::{FULL, Helm, everything, file, find, root};

fn alerts() -> Result<Vec<(String, String)>> {
    let objects = Helm::new()?.render(&everything())?;
    let rules = find(&objects, "PrometheusRule", FULL)["spec"]["groups"][0]["rules"].clone();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(rules.as_array().context("no rules")?.iter().map(|rule| (text(&rule["alert"]), text(&rule["expr"]))).collect())
}

#[test]
fn the_page_tells_of_each_alert_and_of_no_other() -> Result<()> {
    let page = file("docs/operations.md")?;
    let told: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `NamespaceManager")?.split('`').next()).collect();
    let alerts = alerts()?;
    let rendered: Vec<&str> = alerts.iter().filter_map(|(name, _)| name.strip_prefix("NamespaceManager")).collect();
    assert_eq!(told, rendered);
    Ok(())
}

/// Every metric that an expression names.
fn metrics(expression: &str) -> BTreeSet<&str> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    expression.split(word).filter(|word| word.starts_with("namespace_manager_")).collect()
}

/// The sources of all crates but the tests.
fn sources(directory: &std::path::Path, text: &mut String) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, text)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path)?);
        }
    }
    Ok(())
}

/// A name is written whole, or as its last part where the first is put before all names of a file.
#[test]
fn each_metric_of_an_alert_is_one_that_we_have() -> Result<()> {
    let mut code = String::new();
    for part in ["api", "common", "collectors", "collect-controller", "actions", "action-controller"] {
        sources(&root().join(part).join("src"), &mut code)?;
    }
    let code: String = code.split_whitespace().collect();
    let known = |name: &str| {
        let split = |prefix: &str| {
            let rest = name.strip_prefix(prefix);
            rest.is_some_and(|rest| code.contains(&format!("\"{prefix}{{")) && code.contains(&format!("(\"{rest}\"")))
        };
        code.contains(&format!("\"{name}\"")) || split("namespace_manager_") || split("namespace_manager_queue_")
    };
    let mut seen = 0;
    for (alert, expression) in alerts()? {
        for metric in metrics(&expression) {
            assert!(known(metric.trim_end_matches("_total")), "{alert} looks at `{metric}`, which nobody has");
            seen += 1;
        }
    }
    assert!(seen > 5 && !known("namespace_manager_of_nobody"));
    Ok(())
}

#[test]
fn alerts_that_could_not_be_fed_are_refused() -> Result<()> {
    let error = Helm::new()?.render(&json!({"prometheusRule": {"enabled": true}})).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("let `config.api.open` name `metrics`"), "{error}");
    Ok(())
}
