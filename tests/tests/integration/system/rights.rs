//! What each part may do, held against what it did: nothing that is granted goes unused. (That nothing is missing, each test sees.)
//!
//! It looks back at all other tests on the installation: `make test` runs it last.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::{AuditEvent, Installation};

use crate::system::stage::{self, Found, HOME, RELEASE, Stage};

const PARTS: [&str; 5] = ["collect-controller", "action-controller", "collector", "action", "api"];

/// The tests that together use every right.
const OTHERS: [&str; 13] = [
    "observes_by_default",
    "lives_and_dies",
    "works_and_answers",
    "swept_by_cron",
    "jobs_are_refused",
    "pods_are_refused",
    "stopped_and_upgraded",
    "restarted_during_work",
    "rolled_back",
    "a_second_release_is_refused",
    "loses_its_leaders",
    "loses_its_broker",
    "loses_its_store",
];

/// What none of them asks for, each with what asks for it: `seldom` among the tests of the chart shows that nothing
/// of it could be spared.
const ON_OTHER_DAYS: [(&str, &str, &str, &str); 4] = [
    ("collect-controller", "namespaces", "list", "a store of an earlier version, which knows no cluster"),
    ("action", "events", "create", "a deletion that the apiserver refuses"),
    ("action-controller", "jobs", "delete", "a Job whose pods do not start, after five minutes"),
    (
        "api",
        "validatingadmissionpolicybindings",
        "create",
        "the apiserver itself, when a binding is applied that is not there",
    ),
];

/// A group, a resource with its subresource, and a verb.
type Right = (String, String, String);

#[tokio::test]
async fn rights_are_all_used() {
    stage::on("rights_are_all_used", Found::Released, async |stage| {
        let events = stage.home.cluster.plane().audit()?;
        let mut unused = Vec::new();
        for part in PARTS {
            let theirs = events.iter().filter(|event| event.user.username == Installation::user(part));
            let used: BTreeSet<_> = theirs.filter_map(right).collect();
            let is_of_another_day = |(_, resource, verb): &&Right| {
                ON_OTHER_DAYS.iter().any(|day| (day.0, day.1, day.2) == (part, resource.as_str(), verb.as_str()))
            };
            let granted = granted(stage, part).await?;
            let never = granted.difference(&used).filter(|right| !is_of_another_day(right));
            unused.extend(never.map(|right| format!("{part} may and never did: {right:?}")));
        }
        let missing: Vec<_> = OTHERS.into_iter().filter(|test| !stage.has_passed(test)).collect();
        ensure!(
            unused.is_empty() || missing.is_empty(),
            "this looks back at what the whole suite asked of the apiserver, and these tests have not passed before it: {}. Run \
             `make test TEST=system`",
            missing.join(", ")
        );
        ensure!(unused.is_empty(), "\n{}", unused.join("\n"));
        Ok(())
    })
    .await;
}

fn right(event: &AuditEvent) -> Option<Right> {
    let object = event.object_ref.as_ref()?;
    let resource = object.resource.as_ref()?;
    let subresource = object.subresource.as_ref().map_or(String::new(), |sub| format!("/{sub}"));
    Some((object.group.clone().unwrap_or_default(), format!("{resource}{subresource}"), event.verb.clone()))
}

/// By every role that is bound to the part's ServiceAccount.
async fn granted(stage: &Stage, part: &str) -> Result<BTreeSet<Right>> {
    let account = format!("{RELEASE}-{part}");
    let mut rights = BTreeSet::new();
    for (bindings, roles) in [("clusterrolebindings", "clusterroles"), ("rolebindings", "roles")] {
        for binding in items(stage, bindings).await? {
            let subjects = binding["subjects"].as_array().cloned().unwrap_or_default();
            if !subjects.iter().any(|subject| subject["name"] == account.as_str() && subject["namespace"] == HOME) {
                continue;
            }
            let of_cluster = binding["roleRef"]["kind"] == "ClusterRole";
            let kind = if of_cluster { "clusterroles" } else { roles };
            let role = items(stage, kind).await?.into_iter().find(|role| {
                role["metadata"]["name"] == binding["roleRef"]["name"]
                    && (of_cluster || role["metadata"]["namespace"] == binding["metadata"]["namespace"])
            });
            let role = role.with_context(|| format!("no role for {}", binding["metadata"]["name"]))?;
            for rule in role["rules"].as_array().into_iter().flatten() {
                for group in texts(&rule["apiGroups"]) {
                    for resource in texts(&rule["resources"]) {
                        for verb in texts(&rule["verbs"]) {
                            rights.insert((group.clone(), resource.clone(), verb));
                        }
                    }
                }
            }
        }
    }
    ensure!(!rights.is_empty(), "`{account}` may nothing at all: the roles were not found");
    Ok(rights)
}

async fn items(stage: &Stage, kind: &str) -> Result<Vec<Value>> {
    let listed = stage.home.cluster.kubectl(["get", kind, "--all-namespaces", "--output=json"]).await?;
    let mut listed: Value = serde_json::from_str(&listed)?;
    Ok(serde_json::from_value(listed["items"].take())?)
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
