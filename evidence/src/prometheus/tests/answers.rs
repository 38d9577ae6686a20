//! Answers as Prometheus 2.42 gave them, and all that may come instead.

use jiff::Timestamp;
use serde_json::json;

use super::{super::sample::Look, alerts, minute, series, settings, told};

const ALERTS: &str = include_str!("../answers/alerts.json");
const QUERY: &str = include_str!("../answers/query.json");
const ERROR: &str = include_str!("../answers/error.json");

/// Long before the recorded alerts began, and long after.
const CREATED: &str = "2026-11-25T12:00:00Z";
const NOW: &str = "2026-11-25T18:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An answer that leaves everything unknown, for this reason.
#[track_caller]
fn check(more: serde_json::Value, body: &str, expected: &str) {
    let sample = Look::read(&settings(&more), Ok(body.to_owned().into()), minute(60));
    let finding = sample.of("a", minute(0));
    assert_eq!((told(&finding), finding.condition.reason), ("unknown".to_owned(), expected.to_owned()), "{body}");
    assert_eq!(sample.outage(), Some(expected));
}

#[test]
fn recorded_alerts_are_understood() {
    let sample = Look::read(&settings(&json!({})), Ok(ALERTS.into()), at(NOW));
    assert_eq!(sample.outage(), None);
    let finding = sample.of("ci-1", at(CREATED));
    assert_eq!((told(&finding), finding.condition.observed_at), ("true PodsCrash".to_owned(), at(NOW)));
    let expected = json!([{
        "labels": {"alertname": "PodsCrash", "namespace": "ci-1", "severity": "critical"},
        "annotations": {"runbook_url": "https://example.org/runbooks/pods-crash", "summary": "pods of  crash"},
    }]);
    assert_eq!(serde_json::to_value(&finding.failing).unwrap(), expected);
    // It was pending when Prometheus was started.
    assert_eq!(told(&sample.of("ci-2", at(CREATED))), "unknown");
    assert_eq!(told(&sample.of("ci-3", at(CREATED))), "false");
    assert_eq!(told(&sample.of("ci-1", at("2026-11-25T15:33:00Z"))), "false");
}

#[test]
fn a_recorded_query_is_understood() {
    let sample = Look::read(&settings(&json!({"query": "ALERTS"})), Ok(QUERY.into()), at(NOW));
    assert_eq!(sample.outage(), None);
    let told = |name: &str| told(&sample.of(name, at(CREATED)));
    assert_eq!((told("ci-1"), told("ci-2"), told("ci-3")), ("true PodsCrash".into(), "false".into(), "false".into()));
}

#[test]
fn an_answer_without_the_watchdog_is_an_outage_though_something_fires() {
    let sample = Look::read(&settings(&json!({})), Ok(alerts("Down namespace=a").to_string().into()), minute(60));
    assert_eq!(told(&sample.of("a", minute(0))), "true Down");
    let expected = "the alert `Watchdog`, which always fires, is missing, so that its rules may be missing too";
    assert_eq!(sample.outage(), Some(expected));
}

#[test]
fn an_error_is_no_answer() {
    check(json!({}), ERROR, "Prometheus answered with an error");
    check(json!({"query": "("}), ERROR, "Prometheus answered with an error");
}

#[test]
fn a_warning_takes_back_everything() {
    let mut answer = alerts("Watchdog | Down namespace=a");
    answer["warnings"] = json!(["no answer from another"]);
    check(json!({}), &answer.to_string(), "Prometheus warned that its answer is not complete");
    answer["warnings"] = json!([]);
    let sample = Look::read(&settings(&json!({})), Ok(answer.to_string().into()), minute(60));
    assert_eq!(told(&sample.of("a", minute(0))), "true Down");
}

#[test]
fn half_an_answer_is_none() {
    let whole = alerts("Watchdog | Down namespace=a").to_string();
    for end in 1..whole.len() {
        check(json!({}), &whole[..end], "the answer of Prometheus broke off");
    }
    check(json!({}), "", "the answer of Prometheus broke off");
}

#[test]
fn what_is_no_answer_of_prometheus_is_not_repeated() {
    check(json!({}), " \n<!DOCTYPE html><p>s3cret", "the answer of Prometheus is a web page");
    check(json!({}), "s3cret", "the answer of Prometheus is not JSON");
    check(json!({}), &format!("{ALERTS}s3cret"), "the answer of Prometheus is not JSON");
    let shape = "the answer of Prometheus has another shape than is known";
    for body in ["[]", "{}", r#"{"status": "success", "data": []}"#, r#"{"status": "success", "data": {"alerts": 3}}"#]
    {
        check(json!({}), body, shape);
    }
    check(json!({}), r#"{"status": "success"}"#, "the answer of Prometheus is empty");
    check(json!({}), r#"{"status": "success", "data": null}"#, "the answer of Prometheus is empty");
    check(json!({}), QUERY, shape);
    check(json!({"query": "up"}), ALERTS, shape);
}

#[test]
fn one_alert_that_cannot_be_read_takes_back_the_others() {
    let shape = "the answer of Prometheus has another shape than is known: field";
    for (field, value, at) in [("activeAt", json!("soon"), "3 (`Odd`)"), ("labels", json!(null), "3")] {
        let mut answer = alerts("Watchdog | Down namespace=a | Odd namespace=b");
        answer["data"]["alerts"][2][field] = value;
        check(json!({}), &answer.to_string(), &format!("{shape} `{field}` of alert {at}"));
    }
}

#[test]
fn a_query_gives_an_instant_vector() {
    let mut answer = series("Watchdog");
    answer["data"] = json!({"resultType": "scalar", "result": [1_795_620_784, "1"]});
    check(json!({"query": "1"}), &answer.to_string(), "the query of Prometheus gives no instant vector");
    answer["data"] = json!({"resultType": "matrix", "result": []});
    check(json!({"query": "up[1m]"}), &answer.to_string(), "the query of Prometheus gives no instant vector");
    answer = series("Watchdog");
    answer["data"]["result"][0]["value"][0] = json!(1e300);
    check(json!({"query": "up"}), &answer.to_string(), "the answer of Prometheus tells a time that cannot be");
}
