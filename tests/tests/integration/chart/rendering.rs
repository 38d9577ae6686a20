//! What is rendered from values.

use anyhow::Result;
use lifecycle::exclusions::SYSTEM_NAMESPACES;
use serde_json::{Value, json};

use super::{
    admission::job_template,
    harness::{FULL, Helm, everything, find},
};

pub(super) fn render(values: &Value) -> Vec<Value> {
    Helm::new().unwrap().render(values).unwrap()
}

fn policy(objects: &[Value], which: &str) -> String {
    find(objects, "ValidatingAdmissionPolicy", &format!("{FULL}-{which}"))["spec"].to_string()
}

pub(super) fn worker_verbs(objects: &[Value]) -> String {
    find(objects, "ClusterRole", &format!("{FULL}-action"))["rules"][0]["verbs"].to_string()
}

#[test]
fn helm_finds_nothing_to_complain_of() -> Result<()> {
    let helm = Helm::new()?;
    for values in [json!({}), everything()] {
        let said = helm.lint(&values)?;
        assert!(said.contains("0 chart(s) failed"), "{said}");
    }
    Ok(())
}

#[test]
fn the_worker_may_delete_where_the_configuration_enforces() {
    let objects = render(&json!({"config": {"mode": "enforce"}}));
    assert_eq!(worker_verbs(&objects), r#"["get","patch","delete"]"#);
}

#[test]
fn the_last_guard_knows_every_system_namespace() {
    let marker = policy(&render(&json!({})), "mark");
    for pattern in SYSTEM_NAMESPACES {
        let condition = match pattern.strip_suffix('*') {
            Some(prefix) => format!("!oldObject.metadata.name.startsWith('{prefix}')"),
            None => format!("oldObject.metadata.name != '{pattern}'"),
        };
        assert!(marker.contains(&condition), "the policy lets `{pattern}` pass: {marker}");
    }
    let conditions =
        marker.matches("oldObject.metadata.name.startsWith(").count() + marker.matches("name != '").count();
    assert_eq!(conditions, SYSTEM_NAMESPACES.len() + 1, "it holds more than the list and the release's namespace");
}

#[test]
fn nothing_binds_the_stop_and_no_policy_has_parameters() {
    for values in [json!({}), everything()] {
        let objects = render(&values);
        policy(&objects, "stop");
        for object in objects.iter().filter(|object| object["kind"] == "ValidatingAdmissionPolicyBinding") {
            assert_ne!(object["spec"]["policyName"], format!("{FULL}-stop"));
            assert_eq!(object["spec"]["validationActions"], json!(["Deny"]));
            assert_eq!(object["spec"]["paramRef"], Value::Null);
        }
        for object in objects.iter().filter(|object| object["kind"] == "ValidatingAdmissionPolicy") {
            assert_eq!(object["spec"]["failurePolicy"], "Fail");
            assert_eq!(object["spec"]["paramKind"], Value::Null);
        }
    }
}

/// The annotation that, where it changes, replaces the pods.
fn restarts(config: &Value) -> Value {
    let objects = render(&json!({"config": config}));
    let deployment = find(&objects, "Deployment", &format!("{FULL}-api"));
    deployment["spec"]["template"]["metadata"]["annotations"]["namespace-manager.io/restart"].clone()
}

#[test]
fn pods_are_replaced_for_what_waits_for_a_restart_and_for_nothing_else() {
    let before = restarts(&json!({}));
    assert!(before.is_string());
    let taken_in = json!({"mode": "enforce", "budget": {"at_least": 7}, "workers": {"max": 9}, "exclude": ["a"]});
    assert_eq!(restarts(&taken_in), before);
    for waits in [
        json!({"store": {"url": "mongodb://other:27017/nsm"}}),
        json!({"queue": {"url": "amqp://other:5672"}}),
        json!({"telemetry": {"log": "debug"}}),
    ] {
        assert_ne!(restarts(&waits), before, "{waits}");
    }
}

/// The templates of a release of this name, in this namespace.
fn template(name: &str, namespace: &str) -> Result<String> {
    let chart = Helm::chart();
    Helm::new()?.run(&["template", name, &chart, "--kube-version", "1.34.4", "--namespace", namespace])
}

#[test]
fn a_name_that_is_too_long_for_jobs_is_refused() {
    let error = template("a-release-with-a-name-so-very-long", "tools").unwrap_err().to_string();
    assert!(error.contains("choose a shorter release name"), "{error}");
}

#[test]
fn a_release_that_is_called_so_is_not_called_so_twice() {
    let text = template("namespace-manager", "tools").unwrap();
    assert!(text.contains("name: namespace-manager-api\n"), "{text}");
}

/// There no worker could tell our guard from another.
#[test]
fn a_namespace_that_nobody_can_delete_is_no_home() {
    for namespace in ["default", "kube-system", "kube-public"] {
        let error = template("nsm", namespace).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot work in the namespace `{namespace}`")), "{error}");
        assert!(error.contains("--create-namespace"), "{error}");
    }
    template("nsm", "kube-node-lease").unwrap();
}

/// The ports that the network policy of all pods opens to the outside.
fn egress(config: &Value) -> Vec<u64> {
    let objects = render(&json!({"config": config}));
    let rules = find(&objects, "NetworkPolicy", FULL)["spec"]["egress"].as_array().unwrap();
    rules.iter().flat_map(|rule| rule["ports"].as_array().unwrap()).map(|port| port["port"].as_u64().unwrap()).collect()
}

#[test]
fn the_network_is_open_for_the_ports_of_the_urls() {
    assert_eq!(egress(&json!({})), [53, 53, 443, 6443, 27017, 5672]);
    let urls = |store: &str, queue: &str| json!({"store": {"url": store}, "queue": {"url": queue}});
    assert_eq!(egress(&urls("mongodb://a.b:1234/nsm?tls=true", "amqps://c/nsm")), [53, 53, 443, 6443, 1234, 5671]);
    assert_eq!(egress(&urls("mongodb://a/nsm", "amqp://c:5/nsm")), [53, 53, 443, 6443, 27017, 5]);
}

/// What a Job's pod is told of a proxy.
fn proxy_of(objects: &[Value], component: &str) -> Vec<String> {
    let template = job_template(objects, component).unwrap();
    let variables = template["spec"]["containers"][0]["env"].as_array().unwrap().clone();
    let told = variables.into_iter().filter(|variable| variable["name"].as_str().unwrap().ends_with("_PROXY"));
    told.map(|it| format!("{}={}", it["name"].as_str().unwrap(), it["value"].as_str().unwrap())).collect()
}

#[test]
fn who_asks_outside_goes_by_the_proxy_and_may_reach_it() {
    let objects = render(&json!({"proxy": {"url": "socks5://proxy.example.org", "except": [".svc", "10.0.0.0/8"]}}));
    for component in ["collector", "action"] {
        let (url, except) = ("socks5://proxy.example.org", ".svc,10.0.0.0/8");
        let told = [format!("HTTPS_PROXY={url}"), format!("HTTP_PROXY={url}"), format!("NO_PROXY={except}")];
        assert_eq!(proxy_of(&objects, component), told);
        let policy = find(&objects, "NetworkPolicy", &format!("{FULL}-{component}-proxy"));
        assert_eq!(policy["spec"]["egress"][0]["ports"][0]["port"], 1080);
    }
    for component in ["collect-controller", "action-controller", "api"] {
        let deployment = find(&objects, "Deployment", &format!("{FULL}-{component}")).to_string();
        assert!(!deployment.contains("_PROXY"), "{deployment}");
    }
    assert!(!render(&json!({})).iter().any(|object| object.to_string().contains("_PROXY")));
}
