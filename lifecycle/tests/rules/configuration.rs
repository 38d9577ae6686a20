//! What is refused at start, by which key, and what configured values come to mean.

use jiff::SignedDuration;
use lifecycle::{
    Keys, Mode, Policies, Status,
    guards::PROMISE_MARGIN,
    ownership::{Owners, Source},
    pipeline::CiSystem,
    policy::{Common, HealthRules, HealthSource, HealthSources, Invalid, OnUndeliverable, RawPolicy, Undeliverable},
    supersession::GroupBy,
};
use serde_json::{Value, json};

use crate::world::{dawn, every, namespace};

fn configured(policies: &[Value], keys: &Keys, exclude: &[String]) -> Result<Policies, Vec<Invalid>> {
    let raw: Vec<RawPolicy> =
        policies.iter().map(|policy| serde_json::from_value(policy.clone()).expect("well-formed")).collect();
    let common = Common {
        mode: Mode::Enforce,
        keys: keys.clone(),
        exclude,
        has_channel: true,
        sources: HealthSources::NONE,
        ci: &[],
        promise_margin: PROMISE_MARGIN,
    };
    Policies::new(&raw, &common)
}

fn keys_of(found: Result<Policies, Vec<Invalid>>) -> Vec<String> {
    found.err().unwrap_or_default().into_iter().map(|invalid| invalid.key).collect()
}

/// The policies are refused for exactly these keys.
#[track_caller]
fn refuses(policies: &[Value], keys: &[&str]) {
    assert_eq!(keys_of(configured(policies, &Keys::default(), &[])), keys);
}

/// A policy with this match is refused for exactly this key, and would match nothing.
#[track_caller]
fn refuses_match(applies_to: &Value, key: &str) {
    refuses(&[json!({ "name": "a", "match": applies_to })], &[&format!("policies[0].match{key}")]);
}

/// The policy is refused before it is evaluated: its text says something no policy says.
#[track_caller]
fn is_no_policy(policy: &Value, why: &str) {
    let error = serde_json::from_value::<RawPolicy>(policy.clone()).expect_err("it is taken").to_string();
    assert!(error.contains(why), "{error}");
}

fn with(key: &str, value: Value) -> Value {
    let mut policy = json!({ "name": "a", "match": { "names": ["a"] } });
    policy[key] = value;
    policy
}

#[test]
fn a_match_that_is_empty_in_any_form_is_refused() {
    refuses_match(&json!({}), "");
    refuses_match(&json!({ "names": [] }), "");
    refuses_match(&json!({ "any": [] }), "");
    refuses_match(&json!({ "names": [], "any": [], "all": [] }), "");
    refuses_match(&json!({ "names": [""] }), ".names[0]");
    refuses_match(&json!({ "names": ["a", "  "] }), ".names[1]");
    refuses_match(&json!({ "any": [{}] }), ".any[0]");
    refuses_match(&json!({ "all": [{}] }), ".all[0]");
    refuses_match(&json!({ "any": [{ "labels": {} }] }), ".any[0]");
    refuses_match(&json!({ "all": [{ "labels": {}, "annotations": {} }] }), ".all[0]");
    refuses_match(&json!({ "all": [{ "labels": { "k": "" } }] }), ".all[0].labels.k");
    refuses_match(&json!({ "any": [{ "annotations": { "k": "" } }] }), ".any[0].annotations.k");
    refuses_match(&json!({ "names": ["a"], "all": [{}] }), ".all[0]");
    is_no_policy(&json!({ "name": "a" }), "missing field `match`");
    is_no_policy(&with("match", Value::Null), "invalid type: null");
}

#[test]
fn a_name_matches_as_a_whole_or_not_at_all() {
    #[track_caller]
    fn check(pattern: &str, name: &str, is_match: bool) {
        let policies = configured(&[with("match", json!({ "names": [pattern] }))], &Keys::default(), &[]).unwrap();
        assert_eq!(policies.for_namespace(&namespace(name, dawn())).is_some(), is_match, "{pattern} {name}");
    }
    check("a|b", "a", true);
    check("a|b", "b", true);
    check("a|b", "ab", false);
    check("review", "review-1", false);
    check("review", "my-review", false);
    check("(?m)review$", "review", true);
    check("^review-.*$", "review-1", true);
    check("(?i)REVIEW", "review", true);
}

#[test]
fn what_is_no_regular_expression_is_refused_by_key() {
    refuses_match(&json!({ "names": ["a", "b("] }), ".names[1]");
    refuses_match(&json!({ "names": ["a)|(b"] }), ".names[0]");
    refuses_match(&json!({ "names": ["(?x)a # open end"] }), ".names[0]");
    refuses_match(&json!({ "names": ["a\\"] }), ".names[0]");
    let found = configured(&[with("match", json!({ "names": ["b("] }))], &Keys::default(), &[]);
    let shown: Vec<_> = found.unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["`policies[0].match.names[0]`: `b(` is not a regular expression: unclosed group"]);
    assert_eq!(keys_of(configured(&[], &Keys::default(), &["a".to_owned(), "(".to_owned()])), ["exclude[1]"]);
    assert_eq!(keys_of(configured(&[], &Keys::default(), &[String::new()])), ["exclude[0]"]);
}

#[test]
fn a_match_on_what_we_write_ourselves_is_refused() {
    let own = "manager.cicd.skao.int/status";
    refuses_match(
        &json!({ "any": [{ "annotations": { own: "ok" } }] }),
        ".any[0].annotations.manager.cicd.skao.int/status",
    );
    refuses_match(&json!({ "all": [{ "labels": { own: "ok" } }] }), ".all[0].labels.manager.cicd.skao.int/status");
    let keys = Keys { former: vec!["old.example/".to_owned()], ..Keys::default() };
    let former = with("match", json!({ "all": [{ "labels": { "old.example/status": "ok" } }] }));
    assert_eq!(keys_of(configured(&[former], &keys, &[])), ["policies[0].match.all[0].labels.old.example/status"]);
    refuses(&[with("match", json!({ "all": [{ "labels": { "cicd.skao.int/team": "a" } }] }))], &[]);
}

#[test]
fn a_ttl_has_a_floor() {
    refuses(&[with("ttl", json!("9s"))], &["policies[0].ttl"]);
    refuses(&[with("ttl", json!("10s"))], &[]);
    refuses(&[with("max_ttl", json!("9s"))], &["policies[0].max_ttl"]);
    refuses(&[with("max_ttl", json!("10s"))], &[]);
    is_no_policy(&with("ttl", json!("0s")), "longer than zero");
    is_no_policy(&with("ttl", json!(3600)), "has no unit");
    is_no_policy(&with("ttl", json!("-1h")), "is not a number");
}

#[test]
fn a_cap_is_not_below_the_ttl() {
    let policy = |ttl: &str, max: &str| json!({ "name": "a", "match": { "names": ["a"] }, "ttl": ttl, "max_ttl": max });
    refuses(&[policy("2h", "1h")], &["policies[0].max_ttl"]);
    refuses(&[policy("2h", "2h")], &[]);
}

#[test]
fn names_of_policies_are_unique_and_not_empty() {
    let named = |name: &str| json!({ "name": name, "match": { "names": ["a"] } });
    refuses(&[named("a"), named("b"), named("a")], &["policies[2].name"]);
    refuses(&[named(" ")], &["policies[0].name"]);
    // Also where the first of them is wrong in itself.
    refuses(&[with("ttl", json!("1s")), named("a")], &["policies[0].ttl", "policies[1].name"]);
}

#[test]
fn every_mistake_is_told_at_once() {
    let wrong = json!({
        "name": "", "match": { "names": ["("], "any": [{}] }, "ttl": "5s", "max_ttl": "4s",
        "on": { "failed": {}, "ok": {} },
    });
    refuses(
        &[wrong],
        &[
            "policies[0].name",
            "policies[0].ttl",
            "policies[0].max_ttl",
            "policies[0].on.ok",
            "policies[0].on.failed",
            "policies[0].match.names[0]",
            "policies[0].match.any[0]",
        ],
    );
}

#[test]
fn a_status_that_nothing_leads_to_is_refused() {
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Stale) {
        refuses(&[with("on", json!({ status.as_str(): {} }))], &[&format!("policies[0].on.{status}")]);
    }
    refuses(&[with("on", json!({ "stale": {} }))], &[]);
    is_no_policy(&with("on", json!({ "tired": {} })), "unknown variant `tired`");
}

#[test]
fn a_key_that_nobody_knows_is_refused() {
    is_no_policy(&with("tll", json!("1h")), "unknown field `tll`");
    is_no_policy(&with("match", json!({ "name": ["a"] })), "unknown field `name`");
    is_no_policy(&with("match", json!({ "any": [{ "label": {} }] })), "unknown field `label`");
    is_no_policy(&with("on", json!({ "stale": { "remove": true } })), "unknown field `remove`");
}

#[test]
fn a_prefix_is_a_dns_name_and_a_slash() {
    #[track_caller]
    fn check(prefix: &str, is_taken: bool) {
        let keys = |prefix: &str, former: &[&str], ci: &str| Keys {
            prefix: prefix.to_owned(),
            former: former.iter().map(ToString::to_string).collect(),
            ci: ci.to_owned(),
            ..Keys::default()
        };
        let refused = |key: &str| if is_taken { Vec::new() } else { vec![key.to_owned()] };
        let found = |keys| keys_of(configured(&[], &keys, &[]));
        assert_eq!(found(keys(prefix, &[], "ci.example/")), refused("annotations.prefix"), "{prefix:?}");
        assert_eq!(
            found(keys("a.example/", &["b.example/", prefix], "ci.example/")),
            refused("annotations.former_prefixes[1]"),
            "{prefix:?}"
        );
        assert_eq!(found(keys("a.example/", &[], prefix)), refused("ci.prefix"), "{prefix:?}");
    }
    check("manager.example.org/", true);
    check("x/", true);
    check("a-1.b/", true);
    let label = "a".repeat(63);
    check(&format!("{label}.{label}.{label}.{}/", "a".repeat(61)), true);
    check(&format!("{label}.{label}.{label}.{label}/"), false);
    for wrong in [
        "",
        "/",
        "example.org",
        "a/b/",
        "a//",
        " /",
        "a b/",
        "Example.org/",
        "a_b/",
        "-a/",
        "a-/",
        "a..b/",
        ".a/",
        "ä/",
        "a\n/",
    ] {
        check(wrong, false);
    }
}

#[test]
fn the_prefix_of_ci_is_not_ours() {
    let keys = Keys { ci: Keys::default().prefix, ..Keys::default() };
    assert_eq!(keys_of(configured(&[], &keys, &[])), ["ci.prefix"]);
}

#[test]
fn the_grace_is_none_where_the_ttl_is_at_most_an_hour() {
    #[track_caller]
    fn check(policy: &Value, minutes: i64) {
        let policies = configured(std::slice::from_ref(policy), &Keys::default(), &[]).unwrap();
        assert_eq!(policies.named("a").unwrap().grace(Status::Stale).as_mins(), minutes, "{policy}");
    }
    check(&with("ttl", json!("1h")), 0);
    check(&with("ttl", json!("61m")), 10);
    check(&with("max_ttl", json!("1h")), 10);
    check(&with("on", json!({ "stale": { "grace": "5m" } })), 5);
    check(&with("on", json!({ "stale": { "grace": 0 } })), 0);
}

/// A policy where the alerts of Prometheus are read every minute.
fn checked(policy: &Value) -> Result<Policies, Vec<Invalid>> {
    let raw = serde_json::from_value(policy.clone()).expect("well-formed");
    let (mode, keys, sources) = (Mode::Enforce, Keys::default(), every(Some(SignedDuration::from_mins(1))));
    Policies::new(
        &[raw],
        &Common { mode, keys, exclude: &[], has_channel: true, sources, ci: &[], promise_margin: PROMISE_MARGIN },
    )
}

#[test]
fn health_is_checked_where_there_is_a_source_unless_it_is_off() {
    let health = |policies: Result<Policies, _>| policies.unwrap().iter().next().unwrap().health;
    let sourceless = |policy: &Value| configured(std::slice::from_ref(policy), &Keys::default(), &[]);
    let of = |source: &str| with("checks", json!({ "health": source }));
    let minutes = SignedDuration::from_mins;
    let usual = |source| HealthRules {
        source,
        settling: minutes(5),
        grace: minutes(60),
        fail_after: 1,
        recover_after: 2,
        not_ready_after: None,
        every: minutes(1),
    };
    assert_eq!(health(checked(&with("ttl", json!("1h")))), Some(usual(HealthSource::Auto)));
    assert_eq!(health(checked(&of("prometheus"))), Some(usual(HealthSource::Prometheus)));
    assert_eq!(keys_of(checked(&of("kubernetes"))), ["policies[0].checks.health"]);
    assert_eq!(health(checked(&of("off"))), None);
    assert_eq!(health(sourceless(&of("auto"))), None);
    assert_eq!(keys_of(sourceless(&of("prometheus"))), ["policies[0].checks.health"]);
    is_no_policy(&of("nagios"), "unknown variant `nagios`");
    is_no_policy(&with("checks", json!({ "heath": "off" })), "unknown field `heath`");
}

/// A key that does nothing is a mistake of its writer.
#[test]
fn how_long_a_workload_may_be_not_ready_is_asked_where_workloads_are_read() {
    let of = |source: &str| with("checks", json!({ "health": source, "not_ready_after": "0s" }));
    let by = |policy: &Value, prometheus, kubernetes| {
        let raw = serde_json::from_value(policy.clone()).expect("well-formed");
        let (mode, keys, minute) = (Mode::Enforce, Keys::default(), SignedDuration::from_mins(1));
        let sources = HealthSources { prometheus, kubernetes, every: minute };
        Policies::new(
            &[raw],
            &Common { mode, keys, exclude: &[], has_channel: true, sources, ci: &[], promise_margin: PROMISE_MARGIN },
        )
    };
    let terms = |policies: Result<Policies, _>| policies.unwrap().iter().next().unwrap().health.unwrap();
    for source in ["auto", "kubernetes"] {
        assert_eq!(terms(by(&of(source), true, true)).not_ready_after, Some(SignedDuration::ZERO));
    }
    for (source, kubernetes) in [("prometheus", true), ("off", true), ("auto", false)] {
        assert_eq!(keys_of(by(&of(source), true, kubernetes)), ["policies[0].checks.not_ready_after"], "{source}");
    }
}

#[test]
fn what_is_superseded_is_deleted_where_that_is_asked_for() {
    let with_checks = |superseded: Value| with("checks", json!({ "superseded": superseded }));
    let policies = configured(&[with_checks(json!({}))], &Keys::default(), &[]).unwrap();
    let policy = policies.iter().next().unwrap();
    assert!(policy.deletes(Status::Superseded));
    assert_eq!(policy.grace(Status::Superseded), SignedDuration::ZERO);
    assert_eq!(policy.superseded.as_ref().unwrap().by, [GroupBy::Mr, GroupBy::Branch]);
    let mut other = with_checks(json!({ "by": ["commit"], "when": "newer-exists" }));
    other["on"] = json!({ "superseded": { "delete": true, "grace": "5m" } });
    let policies = configured(&[other.clone()], &Keys::default(), &[]).unwrap();
    assert_eq!(policies.iter().next().unwrap().grace(Status::Superseded), SignedDuration::from_mins(5));
    other["on"] = json!({ "superseded": { "delete": false } });
    let policies = configured(&[other], &Keys::default(), &[]).unwrap();
    assert!(!policies.iter().next().unwrap().deletes(Status::Superseded));
    refuses(&[with_checks(json!({ "by": [] }))], &["policies[0].checks.superseded.by"]);
    is_no_policy(&with_checks(json!({ "when": "soon" })), "unknown variant `soon`");
    is_no_policy(&with_checks(json!({ "confirm": "no" })), "unknown variant `no`");
}

#[test]
fn a_newer_deployment_is_confirmed_where_it_is_known_whom_to_ask() {
    let of =
        |superseded: Value, pipeline: &str| with("checks", json!({ "superseded": superseded, "pipeline": pipeline }));
    let confirm = |policy: &Value, ci: &[CiSystem]| {
        let policies = asking(policy, ci).unwrap();
        policies.iter().next().unwrap().superseded.as_ref().unwrap().confirm
    };
    let (gitlab, both) = ([CiSystem::Gitlab], [CiSystem::Gitlab, CiSystem::Github]);
    for said in [json!({}), json!({ "confirm": "ci" })] {
        assert_eq!(confirm(&of(said.clone(), "auto"), &gitlab), Some(CiSystem::Gitlab));
        assert_eq!(confirm(&of(said.clone(), "off"), &gitlab), Some(CiSystem::Gitlab));
        assert_eq!(confirm(&of(said, "github"), &both), Some(CiSystem::Github));
    }
    assert_eq!(confirm(&of(json!({}), "auto"), &[]), None);
    assert_eq!(confirm(&of(json!({}), "off"), &both), None);
    assert_eq!(confirm(&of(json!({ "confirm": "off" }), "auto"), &gitlab), None);
    for (ci, pipeline) in [(&[][..], "auto"), (&both[..], "off")] {
        let found = asking(&of(json!({ "confirm": "ci" }), pipeline), ci);
        assert_eq!(keys_of(found), ["policies[0].checks.superseded.confirm"]);
    }
    // Whether it is queried changes what is decided.
    let hash = |policy: &Value| asking(policy, &gitlab).unwrap().iter().next().unwrap().hash.clone();
    assert_ne!(hash(&of(json!({}), "off")), hash(&of(json!({ "confirm": "off" }), "off")));
    assert_ne!(hash(&of(json!({}), "auto")), hash(&of(json!({}), "off")));
}

/// A policy where these CI systems are configured.
fn asking(policy: &Value, ci: &[CiSystem]) -> Result<Policies, Vec<Invalid>> {
    let raw = serde_json::from_value(policy.clone()).expect("well-formed");
    let (mode, keys) = (Mode::Enforce, Keys::default());
    Policies::new(
        &[raw],
        &Common {
            mode,
            keys,
            exclude: &[],
            has_channel: true,
            sources: HealthSources::NONE,
            ci,
            promise_margin: PROMISE_MARGIN,
        },
    )
}

#[test]
fn pipelines_are_asked_for_where_there_is_somebody_to_ask_unless_it_is_off() {
    let of = |source: &str| with("checks", json!({ "pipeline": source }));
    let asked = |policy: &Value, ci: &[CiSystem]| {
        let policies = asking(policy, ci).unwrap();
        let policy = policies.iter().next().unwrap();
        assert_eq!(policy.deletes(Status::Cancelled), policy.pipeline.is_some());
        assert_eq!(policy.grace(Status::Cancelled), SignedDuration::from_mins(10));
        policy.pipeline
    };
    let gitlab = [CiSystem::Gitlab];
    assert_eq!(asked(&with("ttl", json!("1h")), &gitlab), Some(CiSystem::Gitlab));
    assert_eq!(asked(&of("gitlab"), &gitlab), Some(CiSystem::Gitlab));
    assert_eq!(asked(&of("off"), &gitlab), None);
    assert_eq!(asked(&of("auto"), &[]), None);
    assert_eq!(keys_of(asking(&of("gitlab"), &[])), ["policies[0].checks.pipeline"]);
    assert_eq!(keys_of(asking(&of("github"), &gitlab)), ["policies[0].checks.pipeline"]);
    let both = [CiSystem::Gitlab, CiSystem::Github];
    assert_eq!(asked(&of("github"), &both), Some(CiSystem::Github));
    assert_eq!(keys_of(asking(&of("auto"), &both)), ["policies[0].checks.pipeline"], "which?");
    is_no_policy(&of("jenkins"), "unknown variant `jenkins`");
}

#[test]
fn merge_requests_are_asked_for_where_it_is_said() {
    let merged = |checks: Value, ci: &[CiSystem]| {
        asking(&with("checks", checks), ci).map(|policies| policies.iter().next().unwrap().merged)
    };
    let (one, both) = ([CiSystem::Github], [CiSystem::Gitlab, CiSystem::Github]);
    assert_eq!(merged(json!({}), &one).unwrap(), None);
    assert_eq!(merged(json!({ "merged": true }), &one).unwrap(), Some(CiSystem::Github));
    assert_eq!(merged(json!({ "merged": true, "pipeline": "off" }), &one).unwrap(), Some(CiSystem::Github));
    assert_eq!(merged(json!({ "merged": true, "pipeline": "github" }), &both).unwrap(), Some(CiSystem::Github));
    for (checks, ci) in [(json!({ "merged": true }), &[][..]), (json!({ "merged": true, "pipeline": "off" }), &both)] {
        let found = merged(checks, ci).unwrap_err();
        assert_eq!(found[0].key, "policies[0].checks.merged");
    }
}

#[test]
fn what_is_cancelled_is_deleted_unless_a_policy_says_otherwise() {
    let on = |on: Value| with("on", json!({ "cancelled": on }));
    let gitlab = [CiSystem::Gitlab];
    let policies = asking(&on(json!({ "grace": "5m" })), &gitlab).unwrap();
    assert_eq!(policies.iter().next().unwrap().grace(Status::Cancelled), SignedDuration::from_mins(5));
    let policies = asking(&on(json!({ "delete": false })), &gitlab).unwrap();
    assert!(!policies.iter().next().unwrap().deletes(Status::Cancelled));
    assert_eq!(keys_of(asking(&on(json!({})), &[])), ["policies[0].on.cancelled"]);
}

#[test]
fn the_hash_stays_what_it_is_where_no_pipeline_is_asked_for() {
    let hash = |policies: Result<Policies, _>| policies.unwrap().iter().next().unwrap().hash.clone();
    let plain = with("ttl", json!("1h"));
    assert_eq!(hash(asking(&plain, &[])), "7ea89b90f7ef8534");
    assert_ne!(hash(asking(&plain, &[CiSystem::Gitlab])), "7ea89b90f7ef8534");
    let mut other = plain;
    other["checks"] = json!({ "health": "off" });
    assert_eq!(hash(asking(&other, &[])), "beeee0aaf374c03c");
}

#[test]
fn checks_in_a_row_are_counted_from_one() {
    let never = with("checks", json!({ "fail_after": 0, "recover_after": 0 }));
    let expected = ["policies[0].checks.fail_after", "policies[0].checks.recover_after"];
    assert_eq!(keys_of(checked(&never)), expected);
    refuses(&[never], &expected);
}

#[test]
fn what_has_failed_is_deleted_ten_minutes_after_it_was_told_unless_a_policy_says_otherwise() {
    #[track_caller]
    fn check(on: &Value, expected: Option<i64>) {
        let policies = checked(&with("on", on.clone())).unwrap();
        let policy = policies.iter().next().unwrap();
        let found = policy.deletes(Status::Failed).then(|| policy.grace(Status::Failed).as_mins());
        assert_eq!(found, expected, "{on}");
    }
    check(&json!({}), Some(10));
    check(&json!({ "failed": { "grace": "5m" } }), Some(5));
    check(&json!({ "failed": { "grace": 0 } }), Some(0));
    check(&json!({ "failed": { "delete": false } }), None);
    check(&json!({ "stale": { "delete": false } }), Some(10));
    for status in ["ok", "unknown", "unstable", "failing", "cancelled", "superseded"] {
        let policy = with("on", json!({ status: {} }));
        assert_eq!(keys_of(checked(&policy)), [format!("policies[0].on.{status}")]);
    }
}

#[test]
fn the_hash_stays_what_it_is_where_no_health_is_checked() {
    // Another hash would make every namespace change its policy at an upgrade.
    let policies = configured(&[with("ttl", json!("1h"))], &Keys::default(), &[]).unwrap();
    assert_eq!(policies.iter().next().unwrap().hash, "7ea89b90f7ef8534");
    let hash = |policy: &Value| checked(policy).unwrap().iter().next().unwrap().hash.clone();
    let usual = hash(&with("ttl", json!("1h")));
    assert_ne!(usual, "7ea89b90f7ef8534");
    let mut other = with("ttl", json!("1h"));
    other["checks"] = json!({ "grace_period": "2h" });
    assert_ne!(usual, hash(&other));
}

#[test]
fn the_hash_changes_with_what_a_policy_decides_and_with_nothing_else() {
    let hash = |policy: &Value, mode: Mode, has_channel: bool| {
        let raw: RawPolicy = serde_json::from_value(policy.clone()).unwrap();
        let common = Common {
            mode,
            keys: Keys::default(),
            exclude: &[],
            has_channel,
            sources: HealthSources::NONE,
            ci: &[],
            promise_margin: PROMISE_MARGIN,
        };
        Policies::new(&[raw], &common).unwrap().iter().next().unwrap().hash.clone()
    };
    let usual = hash(&with("ttl", json!("1h")), Mode::Enforce, true);
    assert_eq!(usual, hash(&with("ttl", json!("60 min")), Mode::Enforce, true));
    assert_ne!(usual, hash(&with("ttl", json!("2h")), Mode::Enforce, true));
    assert_ne!(usual, hash(&with("ttl", json!("1h")), Mode::Observe, true));
    assert_ne!(usual, hash(&with("ttl", json!("1h")), Mode::Enforce, false));
}

#[test]
fn the_hash_changes_with_what_follows_where_owners_cannot_be_told() {
    let policies = || configured(&[with("ttl", json!("1h"))], &Keys::default(), &[]).unwrap();
    let hash = |terms| policies().with_undeliverable(terms).iter().next().unwrap().hash.clone();
    let usual = policies().iter().next().unwrap().hash.clone();
    assert_eq!(hash(Undeliverable::default()), usual);
    let waits = Undeliverable { then: OnUndeliverable::Wait, ..Undeliverable::default() };
    let soon = Undeliverable { after: SignedDuration::from_mins(1), ..Undeliverable::default() };
    let all = [usual, hash(waits), hash(soon)];
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{all:?}");
}

#[test]
fn what_something_is_decided_on_is_kept_in_memory_and_nothing_else() {
    let owners = Owners { creator: Some("admission.example/user".to_owned()), ..Owners::default() };
    let keys = Keys { former: vec!["old.example/".to_owned()], owners, ..Keys::default() };
    let selectors = json!({
        "any": [{ "labels": { "team": "a" } }, { "annotations": { "note": "a" } }],
        "all": [{ "labels": { "project": "a" } }],
    });
    let policies = configured(&[with("match", selectors)], &keys, &[]).unwrap();
    // A label may stand for an annotation of ours.
    let ours = ["manager.cicd.skao.int/ttl", "old.example/protect"];
    let labels = [&["team", "project", "cicd.skao.int/team", "cicd.skao.int/jobId"][..], &ours].concat();
    let owners = ["cicd.skao.int/authorEmail", "cicd.skao.int/mrAssignees", "cicd.skao.int/notificationAddress"];
    let owners = [&owners[..], &["admission.example/user"]].concat();
    let annotations = [&["note"], &ours[..], &owners[..]].concat();
    for key in labels.iter().chain(&annotations).chain(&["other", "cicd.skao.int/other", "x/cicd.skao.int/team"]) {
        assert_eq!(policies.reads_label(key), labels.contains(key), "{key}");
        assert_eq!(policies.reads_annotation(key), annotations.contains(key), "{key}");
    }
    // What is compared as a whole is kept as a whole.
    for key in annotations {
        let mut value = "a".repeat(1_000_000);
        policies.cut_annotation(key, &mut value);
        assert_eq!(value.len() < 5_000, owners.contains(&key), "{key}");
    }
    let keys = Keys { owners: Owners { order: vec![Source::Team], ..keys.owners }, ..keys };
    let policies = configured(&[], &keys, &[]).unwrap();
    assert!(owners.iter().all(|key| !policies.reads_annotation(key)), "no owner is read there");
}

#[test]
fn the_schema_takes_what_the_types_take() {
    let schema = serde_json::to_value(schemars::schema_for!(RawPolicy)).unwrap();
    let patterns = |name: &str| schema["$defs"][name]["type"].clone();
    assert_eq!(patterns("PositiveDuration"), json!("string"));
    // A pause of zero may be written without unit, and then YAML makes it a number.
    assert_eq!(patterns("NonNegativeDuration"), json!(["string", "integer"]));
    assert_eq!(schema["$defs"]["NonNegativeDuration"]["maximum"], json!(0));
}
