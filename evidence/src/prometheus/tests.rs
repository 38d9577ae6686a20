//! Which alerts count and what silence proves, told in lines; `answers.rs` reads what Prometheus 2.42 really said.

mod answers;

use common::config::{PrometheusSettings, RawPrometheus};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Finding, sample::Look};

/// The minute in which the namespace was created is 0.
fn minute(number: i64) -> Timestamp {
    Timestamp::from_second(1_795_600_000).unwrap() + SignedDuration::from_mins(number)
}

/// The configuration, of which is told what is not the default.
fn settings(more: &Value) -> PrometheusSettings {
    let mut section = json!({"url": "http://prometheus:9090"});
    section.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value::<RawPrometheus>(section).unwrap().check().unwrap()
}

/// An answer in which alerts are told as `NAME LABEL=VALUE … @MINUTE`, each after a `|`. They began in minute 10, and
/// fire unless `pending` is there. A `-` is no name.
fn alerts(story: &str) -> Value {
    let alert = |words: &str| {
        let mut alert = json!({"labels": {}, "annotations": {}, "state": "firing", "value": "1e+00"});
        alert["activeAt"] = json!(minute(10));
        for (place, word) in words.split_whitespace().enumerate() {
            match (word.split_once('='), word.strip_prefix('@')) {
                (Some((label, value)), _) => alert["labels"][label] = json!(value),
                (None, Some(at)) => alert["activeAt"] = json!(minute(at.parse().unwrap())),
                (None, None) if word == "pending" || word == "inactive" => alert["state"] = json!(word),
                (None, None) if word == "-" => {}
                (None, None) => {
                    assert_eq!(place, 0, "{words}");
                    alert["labels"]["alertname"] = json!(word);
                }
            }
        }
        alert
    };
    let alerts: Vec<_> = story.split('|').filter(|words| !words.trim().is_empty()).map(alert).collect();
    json!({"status": "success", "data": {"alerts": alerts}})
}

/// The answer of a query in which series are told as `NAME LABEL=VALUE … VALUE`, each after a `|`, evaluated in minute 60.
fn series(story: &str) -> Value {
    let one = |words: &str| {
        let mut series = json!({"metric": {}, "value": [minute(60).as_second(), "1"]});
        for (place, word) in words.split_whitespace().enumerate() {
            match word.split_once('=') {
                Some((label, value)) => series["metric"][label] = json!(value),
                None if place == 0 => series["metric"]["alertname"] = json!(word),
                None => series["value"][1] = json!(word),
            }
        }
        series
    };
    let all: Vec<_> = story.split('|').map(one).collect();
    json!({"status": "success", "data": {"resultType": "vector", "result": all}})
}

/// What an answer that came in minute 60 says of namespace `a`.
fn finding(more: &Value, answer: &Value) -> Finding {
    let body = serde_json::to_vec(answer).unwrap();
    Look::read(&settings(more), Ok(body), minute(60)).of("a", minute(0))
}

/// A finding as its truth, the names of what fires, and how many were cut.
fn told(finding: &Finding) -> String {
    let mut told = finding.condition.truth.to_string();
    finding.failing.iter().for_each(|failing| told.extend([" ", failing.name()]));
    if finding.cut > 0 { format!("{told} +{}", finding.cut) } else { told }
}

#[track_caller]
fn check(more: Value, story: &str, expected: &str) {
    assert_eq!(told(&finding(&more, &alerts(story))), expected, "{story}");
}

#[track_caller]
fn check_query(story: &str, expected: &str) {
    assert_eq!(told(&finding(&json!({"query": "up"}), &series(story))), expected, "{story}");
}

#[track_caller]
fn check_reason(story: &str, expected: &str) {
    assert_eq!(finding(&json!({}), &alerts(story)).condition.reason, expected, "{story}");
}

#[test]
fn an_alert_fires_for_its_namespace_alone() {
    check(json!({}), "Watchdog | Down namespace=a", "true Down");
    check(json!({}), "Watchdog | Down namespace=b", "false");
}

#[test]
fn another_label_may_name_the_namespace() {
    // Of what an exporter says of others, its own namespace is named by the usual label.
    let of_others = "Watchdog | Down namespace=monitoring exported_namespace=a";
    check(json!({}), of_others, "true Down");
    check(json!({}), "Watchdog | Down namespace=a exported_namespace=b", "false");
    check(json!({}), "Watchdog | Down namespace=a exported_namespace=", "true Down");
    check(json!({}), "Watchdog | Down exported_namespace=a", "false");
    let named = || json!({"namespace_label": "kubernetes_namespace"});
    check(named(), "Watchdog | Down kubernetes_namespace=a namespace=b", "true Down");
    check(named(), "Watchdog | Down kubernetes_namespace=a exported_namespace=b", "true Down");
    check(named(), "Watchdog | Down namespace=a", "false");
    let query = json!({"query": "up"});
    assert_eq!(told(&finding(&query, &series("Watchdog | Down namespace=x exported_namespace=a"))), "true Down");
}

/// The answer of a story, with one field of its second alert written otherwise; `null` takes it away.
fn odd(field: &str, value: &Value) -> Finding {
    let mut answer = alerts("Watchdog | Down namespace=a");
    let alert = answer["data"]["alerts"][1].as_object_mut().unwrap();
    match value {
        Value::Null => drop(alert.remove(field)),
        value => drop(alert.insert(field.to_owned(), value.clone())),
    }
    finding(&json!({}), &answer)
}

#[test]
fn an_alert_without_annotations_counts() {
    assert_eq!(told(&odd("annotations", &Value::Null)), "true Down");
    let mut answer = alerts("Watchdog | Down namespace=a");
    answer["data"]["alerts"][1]["annotations"] = Value::Null;
    assert_eq!(told(&finding(&json!({}), &answer)), "true Down");
}

#[test]
fn where_an_answer_has_another_shape_is_told() {
    let shape = "the answer of Prometheus has another shape than is known";
    for (field, value) in [
        ("labels", json!({"a": 1})),
        ("labels", Value::Null),
        ("annotations", json!("x")),
        ("activeAt", json!(5)),
        ("activeAt", json!("yesterday")),
        ("activeAt", Value::Null),
    ] {
        let condition = odd(field, &value).condition;
        let name = if field == "labels" { "" } else { " (`Down`)" };
        assert_eq!(condition.reason, format!("{shape}: field `{field}` of alert 2{name}"), "{value}");
        assert_eq!(condition.truth, lifecycle::Truth::Unknown);
    }
}

#[test]
fn an_alert_in_a_state_that_is_not_known_makes_its_namespace_alone_unknown() {
    let condition = odd("state", &json!("suppressed")).condition;
    assert_eq!(condition.truth, lifecycle::Truth::Unknown);
    assert_eq!(condition.reason, "the alert `Down` of Prometheus is in a state that is not known");
    assert_eq!(told(&odd("state", &Value::Null)), "unknown");
    let mut answer = alerts("Watchdog | Down namespace=b | Up namespace=a");
    answer["data"]["alerts"][1]["state"] = json!("suppressed");
    assert_eq!(told(&finding(&json!({}), &answer)), "true Up");
    answer["data"]["alerts"].as_array_mut().unwrap().pop();
    assert_eq!(told(&finding(&json!({}), &answer)), "false");
}

#[test]
fn an_alert_that_is_pending_does_not_count() {
    check(json!({}), "Watchdog | Down namespace=a pending @30", "false");
    check(json!({}), "Watchdog | Down namespace=a inactive", "false");
}

#[test]
fn an_alert_needs_a_name_and_a_namespace() {
    check(json!({}), "Watchdog | - namespace=a", "false");
    check(json!({}), "Watchdog | - alertname= namespace=a", "false");
    check(json!({}), "Watchdog | Down namespace=", "false");
    let sample = Look::read(&settings(&json!({})), Ok(alerts("Down namespace= | Up").to_string().into()), minute(60));
    assert_eq!(told(&sample.of("", minute(0))), "unknown");
}

#[test]
fn some_severities_do_not_count() {
    check(json!({}), "Watchdog | A namespace=a severity=info | B namespace=a severity=none", "false");
    check(json!({}), "Watchdog | A namespace=a severity=warning | B namespace=a", "true A B");
    let more = json!({"ignore_severities": ["warning"]});
    check(more, "Watchdog | A namespace=a severity=warning | B namespace=a severity=info", "true B");
}

#[test]
fn an_alert_of_another_cluster_does_not_count() {
    let ours = || json!({"cluster": "mid"});
    let watchdog = "Watchdog datacentre=mid";
    check(ours(), &format!("{watchdog} | A namespace=a datacentre=mid"), "true A");
    check(ours(), &format!("{watchdog} | A namespace=a datacentre=low"), "false");
    check(ours(), &format!("{watchdog} | A namespace=a"), "false");
    check(json!({}), "Watchdog | A namespace=a datacentre=low", "true A");
    let named = json!({"cluster": "mid", "cluster_label": "site"});
    check(named, "Watchdog site=mid | A namespace=a site=mid | B namespace=a datacentre=mid", "true A");
}

#[test]
fn what_is_allowed_counts_only_when_it_is_critical() {
    let more = || json!({"allow": ["A"]});
    check(more(), "Watchdog | A namespace=a severity=warning | A namespace=a", "false");
    check(more(), "Watchdog | A namespace=a severity=critical | B namespace=a", "true A B");
}

#[test]
fn an_alert_of_a_former_namespace_does_not_count() {
    check(json!({}), "Watchdog | Old namespace=a @-1 | New namespace=a @0", "true New");
    check(json!({}), "Watchdog | Old namespace=a @-1", "false");
}

#[test]
fn silence_proves_nothing_without_the_watchdog() {
    check(json!({}), "", "unknown");
    check(json!({}), "Down namespace=b", "unknown");
    check(json!({}), "Watchdog pending", "unknown");
    check(json!({"watchdog": "Heartbeat"}), "Watchdog", "unknown");
    check(json!({"watchdog": "Heartbeat"}), "Heartbeat", "false");
    check(json!({"trust_silence": true}), "", "false");
}

#[test]
fn the_watchdog_of_another_cluster_proves_nothing() {
    check(json!({"cluster": "mid"}), "Watchdog datacentre=low", "unknown");
    check(json!({"cluster": "mid"}), "Watchdog", "unknown");
    check(json!({"cluster": "mid"}), "Watchdog datacentre=mid", "false");
}

#[test]
fn what_fires_counts_without_the_watchdog() {
    check(json!({}), "Down namespace=a", "true Down");
}

#[test]
fn the_watchdog_says_nothing_of_a_namespace() {
    check(json!({}), "Watchdog namespace=a severity=critical", "false");
}

#[test]
fn silence_proves_nothing_soon_after_a_start() {
    check(json!({}), "Watchdog @56", "unknown");
    check(json!({}), "Watchdog @55", "false");
    check(json!({"warm_up": "3m"}), "Watchdog @56", "false");
    check(json!({"warm_up": "0s"}), "Watchdog @60", "false");
    // Of two Prometheus the younger cannot see everything; a clock that is ahead proves nothing.
    check(json!({}), "Watchdog @56 | Watchdog @10 replica=b", "unknown");
    check(json!({}), "Watchdog @70", "unknown");
    check(json!({}), "Watchdog @56 | Down namespace=a", "true Down");
}

#[test]
fn what_is_pending_since_a_start_may_have_fired_before() {
    check(json!({}), "Watchdog @10 | Down namespace=a pending @15", "unknown");
    check(json!({}), "Watchdog @10 | Down namespace=a pending @16", "false");
    check(json!({}), "Watchdog @10 | Down namespace=a pending @15 | Up namespace=a @20", "true Up");
    // It is not about this namespace, or would not count if it fired.
    check(json!({}), "Watchdog @-7 | Down namespace=a pending @-2", "false");
    check(json!({}), "Watchdog @10 | Down namespace=b pending @15", "false");
    check(json!({}), "Watchdog @10 | Down namespace=a pending severity=info @15", "false");
}

#[test]
fn a_series_counts_as_an_alert_unless_it_is_zero() {
    check_query("Watchdog | Down namespace=a 1 | Up namespace=a 0 | Gone namespace=a -0.5", "true Down Gone");
    check_query("Watchdog | Down namespace=a 0", "false");
    check_query("Watchdog | Down 1", "false");
    check_query("Watchdog 0", "unknown");
    check_query("Down namespace=b", "unknown");
}

#[test]
fn a_series_obeys_the_rules_of_alerts() {
    check_query("Watchdog | Down namespace=a alertstate=pending", "false");
    check_query("Watchdog alertstate=pending", "unknown");
    check_query("Watchdog | Down namespace=a severity=info", "false");
}

#[test]
fn a_series_without_a_number_tells_nothing_of_its_namespace() {
    check_query("Watchdog | Down namespace=a NaN", "unknown");
    check_query("Watchdog | Down namespace=b NaN", "false");
    check_query("Watchdog | Down namespace=a NaN | Up namespace=a +Inf", "true Up");
    check_query("Watchdog NaN", "unknown");
}

#[test]
fn a_series_may_be_about_a_namespace_that_was_there_five_minutes_ago() {
    let body = series("Watchdog | Down namespace=a").to_string();
    let sample = Look::read(&settings(&json!({"query": "up"})), Ok(body.into()), minute(60));
    assert_eq!(told(&sample.of("a", minute(55))), "true Down");
    assert_eq!(told(&sample.of("a", minute(56))), "false");
}

#[test]
fn a_reason_names_a_few() {
    check_reason("Watchdog | A namespace=a", "the alert `A` fires");
    check_reason("B namespace=a | A namespace=a", "2 alerts fire: `A` and `B`");
    check_reason("A namespace=a x=1 | A namespace=a x=2", "2 alerts fire: `A`");
    let many = "D namespace=a | C namespace=a | B namespace=a | A namespace=a";
    check_reason(many, "4 alerts fire: `A`, `B`, `C` and others");
    check_reason("Watchdog", "no alert fires");
    check_reason("", "the alert `Watchdog`, which always fires, is missing, so that its rules may be missing too");
    check_reason("Watchdog @58", "Prometheus has evaluated its rules for less than 5 minutes so far");
    let pending = "an alert is pending since Prometheus was started, and may have fired before";
    check_reason("Watchdog | A namespace=a pending", pending);
}

#[test]
fn a_name_in_a_reason_stays_on_its_line() {
    let mut answer = alerts("Watchdog | A namespace=a");
    answer["data"]["alerts"][1]["labels"]["alertname"] = json!("A\r\nB");
    assert_eq!(finding(&json!({}), &answer).condition.reason, r"the alert `A\r\nB` fires");
}

#[test]
fn alerts_are_told_in_one_order_and_at_most_fifty() {
    let story: Vec<_> = (0..60).map(|number| format!("A namespace=a number={number:02} @{number}")).collect();
    let found = finding(&json!({}), &alerts(&story.join("|")));
    let numbers: Vec<_> = found.failing.iter().map(|failing| failing.labels["number"].parse().unwrap()).collect();
    // The newest, for the others may be about a former namespace.
    assert_eq!((numbers, found.cut), ((10..60).collect::<Vec<i32>>(), 10));
    assert_eq!(found.condition.reason, "60 alerts fire: `A` and others");
    let reversed: Vec<_> = story.into_iter().rev().collect();
    assert_eq!(finding(&json!({}), &alerts(&reversed.join("|"))), found);
}

#[test]
fn what_was_cut_of_a_former_namespace_is_not_counted() {
    let story: Vec<_> = (-20..55).map(|at| format!("A namespace=a number={at} @{at}")).collect();
    let found = finding(&json!({}), &alerts(&story.join("|")));
    assert_eq!((found.failing.len(), found.cut), (50, 5));
}

#[test]
fn only_what_has_a_namespace_is_kept() {
    let long = "x".repeat(64);
    let story = format!("Watchdog | A | B namespace=a severity=info | C namespace={long} | D namespace=b pending @40");
    let sample = Look::read(&settings(&json!({})), Ok(alerts(&story).to_string().into()), minute(60));
    assert_eq!(sample.kept(), Vec::<&str>::new());
}

#[test]
fn what_strangers_write_is_bounded() {
    let mut answer = alerts("Watchdog | A namespace=a");
    let alert = &mut answer["data"]["alerts"][1];
    alert["labels"]["long"] = json!("ä".repeat(200));
    alert["labels"]["n".repeat(257)] = json!("its name is too long");
    alert["labels"]["odd"] = json!(format!("{}€", "x".repeat(254)));
    for (name, text) in [("summary", "it is down"), ("description", "it is"), ("runbook_url", "https://r.org/a")] {
        alert["annotations"][name] = json!(text);
    }
    let told = serde_json::to_value(&finding(&json!({}), &answer).failing[0]).unwrap();
    let labels = json!({"alertname": "A", "namespace": "a", "long": "ä".repeat(128), "odd": "x".repeat(254)});
    let annotations = json!({"runbook_url": "https://r.org/a", "summary": "it is down"});
    assert_eq!(told, json!({"labels": labels, "annotations": annotations}));
}

#[test]
fn an_annotation_that_is_too_long_or_no_address_is_left_out() {
    let mut answer = alerts("A namespace=a");
    answer["data"]["alerts"][0]["annotations"] =
        json!({"runbook_url": "javascript:alert(1)", "summary": "x".repeat(257)});
    assert!(finding(&json!({}), &answer).failing[0].annotations.is_empty());
}

#[test]
fn of_many_labels_the_ones_that_matter_are_kept() {
    let mut answer = alerts("Zed namespace=a severity=critical");
    for number in 0..100 {
        answer["data"]["alerts"][0]["labels"][format!("a{number:03}")] = json!("x");
    }
    let labels = &finding(&json!({}), &answer).failing[0].labels;
    assert_eq!(labels.len(), 32);
    assert_eq!(["alertname", "namespace", "severity"].map(|name| labels[name].as_str()), ["Zed", "a", "critical"]);
}
