//! The table of rights in docs/security.md is what the chart grants.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::{Context, Result};
use common::config::variable;
use serde_json::{Value, json};

use super::harness::{FULL, Helm, file, root};

const PAGE: &str = "docs/security.md";
const HEAD: &str = "| Who | Where | What | Verbs |\n| --- | --- | --- | --- |\n";

fn words(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Every right of every role of the chart, as rows of a table.
fn rows(objects: &[Value]) -> String {
    let mut rows = String::new();
    for who in ["collect-controller", "action-controller", "collector", "action", "api", "reader", "operator"] {
        for (kind, place) in [("Role", "own namespace"), ("ClusterRole", "cluster")] {
            let role = objects
                .iter()
                .find(|object| object["kind"] == kind && object["metadata"]["name"] == format!("{FULL}-{who}"));
            for rule in role.and_then(|role| role["rules"].as_array()).into_iter().flatten() {
                let group = words(&rule["apiGroups"]).join(", ");
                let mut what = words(&rule["resources"]).join("`, `");
                if !group.is_empty() {
                    what = format!("{what}` of `{group}");
                }
                let names = words(&rule["resourceNames"]).join("`, `").replace(FULL, "…");
                let only = if names.is_empty() { String::new() } else { format!(", only `{names}`") };
                let verbs = words(&rule["verbs"]).join("`, `");
                writeln!(rows, "| {who} | {place} | `{what}`{only} | `{verbs}` |").expect("a string takes all");
            }
        }
    }
    rows
}

#[test]
fn the_table_of_the_page_is_what_the_chart_grants() -> Result<()> {
    let policy = json!({"name": "ci", "match": {"names": ["ci-.*"]}});
    let objects = Helm::new()?.render(&json!({"config": {"mode": "enforce", "policies": [policy]}}))?;
    let page = file(PAGE)?;
    let (before, rest) = page.split_once(HEAD).context("the page has no such table")?;
    let after = rest.lines().skip_while(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n") + "\n";
    let generated = format!("{before}{HEAD}{}{after}", rows(&objects));
    if variable("UPDATE_DOCS").is_some() {
        std::fs::write(root().join(PAGE), &generated)?;
        return Ok(());
    }
    assert!(page == generated, "{PAGE} is not current; run `UPDATE_DOCS=1 cargo test -p tests --test chart rights`");
    Ok(())
}

/// Whoever is not to read workloads has no right to.
#[test]
fn workloads_may_be_read_where_their_health_is() -> Result<()> {
    let helm = Helm::new()?;
    let may = |config: Value| -> Result<Vec<&str>> {
        let objects = helm.render(&json!({"config": config}))?;
        let reads = |who: &str| {
            let name = format!("{FULL}-{who}");
            let roles = objects.iter().filter(|it| it["kind"] == "ClusterRole" && it["metadata"]["name"] == name);
            let mut rules = roles.flat_map(|role| role["rules"].as_array().into_iter().flatten());
            rules.any(|rule| words(&rule["resources"]).contains(&"deployments"))
        };
        Ok(["collect-controller", "collector", "action-controller", "action", "api"]
            .into_iter()
            .filter(|who| reads(who))
            .collect())
    };
    let policy = |health: &str| json!({"name": health, "match": {"names": ["a"]}, "checks": {"health": health}});
    let prometheus = json!({"url": "https://prometheus.example.org"});
    let both = ["collector", "action"];
    assert_eq!(may(json!({"policies": [{"name": "a", "match": {"names": ["a"]}}]}))?, both);
    assert_eq!(may(json!({"policies": [policy("off"), policy("kubernetes")]}))?, both);
    assert!(may(json!({"policies": [policy("off"), policy("prometheus")], "prometheus": prometheus}))?.is_empty());
    assert!(may(json!({"policies": [policy("auto")], "health": {"kubernetes": false}}))?.is_empty());
    assert!(may(json!({}))?.is_empty());
    Ok(())
}

/// What nobody of ours has, whatever the values (docs/design/protocol.md section 3).
#[test]
fn nobody_has_rights_that_give_more_rights() -> Result<()> {
    for object in Helm::new()?.render(&super::harness::everything())? {
        if !["Role", "ClusterRole"].contains(&object["kind"].as_str().unwrap_or_default()) {
            continue;
        }
        for rule in object["rules"].as_array().into_iter().flatten() {
            let all: BTreeSet<&str> =
                ["apiGroups", "resources", "verbs"].iter().flat_map(|part| words(&rule[part])).collect();
            for never in ["*", "secrets", "pods/exec", "escalate", "bind", "impersonate", "deletecollection"] {
                assert!(!all.contains(never), "{} may {never}: {rule}", object["metadata"]["name"]);
            }
        }
    }
    Ok(())
}

/// A right that nobody is bound to is none; one that somebody else is bound to is one too many.
#[test]
fn each_role_is_bound_to_its_own_account_and_to_no_other() -> Result<()> {
    let objects = Helm::new()?.render(&json!({}))?;
    let mut bound = 0;
    for object in &objects {
        if !["RoleBinding", "ClusterRoleBinding"].contains(&object["kind"].as_str().unwrap_or_default()) {
            continue;
        }
        let subjects = object["subjects"].as_array().context("no subjects")?;
        assert_eq!(subjects.len(), 1);
        assert_eq!(subjects[0]["kind"], "ServiceAccount");
        assert_eq!(subjects[0]["namespace"], super::harness::HOME);
        assert_eq!(subjects[0]["name"], object["roleRef"]["name"]);
        bound += 1;
    }
    assert!(bound >= 5, "{bound}");
    Ok(())
}
