//! Prometheus itself: its alerts as they come and go, its starts, and what it says to a query.

use std::net::Ipv4Addr;

use anyhow::ensure;
use jiff::Timestamp;
use lifecycle::Truth;
use serde_json::{Value, json};
use testbed::{HANG, Prometheus, eventually};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

use crate::evidence::{told, truths, way};

const MISSING: &str = "the alert `Watchdog`, which always fires, is missing, so that its rules may be missing too";

/// An alert that fires, with these labels.
fn fires(name: &str, labels: Value) -> Value {
    json!({"alert": name, "expr": "vector(1)", "labels": labels})
}

/// The same, but only after this time.
fn pends(name: &str, labels: Value, time: &str) -> Value {
    json!({"alert": name, "expr": "vector(1)", "labels": labels, "for": time})
}

fn watchdog() -> Value {
    fires("Watchdog", json!({"severity": "none"}))
}

/// The usual rules: one alert for namespace `a`.
fn usual() -> [Value; 2] {
    [watchdog(), fires("Down", json!({"namespace": "a", "severity": "critical"}))]
}

/// Waits until this is said of the namespaces `a` and `b`.
async fn says(prometheus: &Prometheus, more: Value, expected: [Truth; 2]) {
    let way = way(&prometheus.url(), more);
    let seen = eventually("it says so", HANG, async || {
        let look = way.look(Timestamp::now()).await;
        ensure!(truths(&look) == expected, "{:?}", ["a", "b"].map(|name| told(&look, name)));
        Ok(())
    });
    seen.await.unwrap();
}

/// Waits until Prometheus has these alerts.
async fn has(prometheus: &Prometheus, expected: &[(&str, &str)]) {
    let seen = eventually("it has these alerts", HANG, async || {
        let alerts = prometheus.alerts().await?;
        let found: Vec<_> = alerts.iter().map(|(name, state)| (name.as_str(), state.as_str())).collect();
        ensure!(found == expected, "{found:?}");
        Ok(())
    });
    seen.await.unwrap();
}

/// Without the time after a start in which it is not believed.
fn at_once() -> Value {
    json!({"warm_up": "0s"})
}

#[tokio::test]
async fn an_alert_fires_and_ends() {
    let prometheus = Prometheus::start(&usual()).await.unwrap();
    says(&prometheus, at_once(), [Truth::True, Truth::False]).await;
    prometheus.set_rules(&[watchdog()]).await.unwrap();
    says(&prometheus, at_once(), [Truth::False, Truth::False]).await;
}

#[tokio::test]
async fn an_alert_began_before_a_namespace_of_that_name_was_created_again() {
    let prometheus = Prometheus::start(&usual()).await.unwrap();
    says(&prometheus, at_once(), [Truth::True, Truth::False]).await;
    let look = way(&prometheus.url(), at_once()).look(Timestamp::now()).await;
    assert_eq!(look.of("a", look.at).condition.truth, Truth::False);
}

#[tokio::test]
async fn an_alert_pends_and_does_not_count() {
    let prometheus = Prometheus::start(&[watchdog()]).await.unwrap();
    says(&prometheus, at_once(), [Truth::False, Truth::False]).await;
    let slow = pends("Slow", json!({"namespace": "a"}), "1h");
    prometheus.set_rules(&[watchdog(), slow]).await.unwrap();
    has(&prometheus, &[("Slow", "pending"), ("Watchdog", "firing")]).await;
    let look = way(&prometheus.url(), at_once()).look(Timestamp::now()).await;
    assert_eq!(truths(&look), [Truth::False, Truth::False]);
}

#[tokio::test]
async fn rules_that_are_not_loaded_make_nobody_healthy() {
    let prometheus = Prometheus::start(&[]).await.unwrap();
    let look = way(&prometheus.url(), at_once()).look(Timestamp::now()).await;
    assert_eq!(told(&look, "a"), (Truth::Unknown, MISSING.to_owned()));
    prometheus.set_rules(&usual()[1..]).await.unwrap();
    says(&prometheus, at_once(), [Truth::True, Truth::Unknown]).await;
    prometheus.set_rules(&usual()).await.unwrap();
    says(&prometheus, at_once(), [Truth::True, Truth::False]).await;
}

/// An alert that fired is pending after a start, as if it had only begun: `for` is less than ten minutes. (It is made
/// longer while Prometheus is down, so that it stays pending for as long as this looks.)
#[tokio::test]
async fn a_start_makes_nobody_healthy() {
    let labels = || json!({"namespace": "a"});
    let prometheus = Prometheus::start(&[watchdog(), pends("Down", labels(), "1s")]).await.unwrap();
    says(&prometheus, at_once(), [Truth::True, Truth::False]).await;
    prometheus.kill();
    let patient = way(&prometheus.url(), json!({"warm_up": "3s"}));
    let mut look = patient.look(Timestamp::now()).await;
    assert_eq!(truths(&look), [Truth::Unknown; 2]);

    prometheus.set_rules(&[watchdog(), pends("Down", labels(), "9m")]).await.unwrap();
    prometheus.restart().await.unwrap();
    // Whatever is seen until `b` is healthy again, `a` never is.
    let seen = eventually("silence is believed again", HANG, async || {
        look = patient.look(Timestamp::now()).await;
        let truths = truths(&look);
        assert_eq!(truths[0], Truth::Unknown, "{:?}", told(&look, "a"));
        ensure!(truths[1] == Truth::False, "{:?}", told(&look, "b"));
        Ok(())
    });
    seen.await.unwrap();
    has(&prometheus, &[("Down", "pending"), ("Watchdog", "firing")]).await;
    let pending = "an alert is pending since Prometheus was started, and may have fired before";
    assert_eq!(told(&look, "a").1, pending);

    let look = way(&prometheus.url(), json!({"warm_up": "1h"})).look(Timestamp::now()).await;
    let warming = "Prometheus has evaluated its rules for less than 1 hour so far";
    assert_eq!((told(&look, "b"), look.outage()), ((Truth::Unknown, warming.to_owned()), Some(warming)));
}

/// `external_labels` are added to what is sent to others, not to what is told here: the rules must say the cluster.
#[tokio::test]
async fn the_cluster_of_an_alert_is_what_its_rule_says() {
    let prometheus = Prometheus::start(&usual()).await.unwrap();
    says(&prometheus, at_once(), [Truth::True, Truth::False]).await;
    for more in [json!({}), json!({"query": "ALERTS"})] {
        let mut more = more;
        more["cluster"] = json!("external");
        let look = way(&prometheus.url(), more).look(Timestamp::now()).await;
        assert_eq!(told(&look, "a"), (Truth::Unknown, MISSING.to_owned()));
    }
    let of =
        |datacentre: &str, namespace: &str| fires("Down", json!({"namespace": namespace, "datacentre": datacentre}));
    let control = fires("Watchdog", json!({"datacentre": "mid"}));
    prometheus.set_rules(&[control, of("mid", "a"), of("low", "b")]).await.unwrap();
    says(&prometheus, json!({"cluster": "mid", "warm_up": "0s"}), [Truth::True, Truth::False]).await;
}

#[tokio::test]
async fn a_query_is_evaluated() {
    let slow = pends("Slow", json!({"namespace": "b"}), "1h");
    let prometheus = Prometheus::start(&[usual().as_slice(), &[slow]].concat()).await.unwrap();
    for query in ["ALERTS", r#"ALERTS{alertstate="firing"} == 1"#] {
        says(&prometheus, json!({"query": query}), [Truth::True, Truth::False]).await;
    }
    let control = r#"label_replace(vector(1), "alertname", "Watchdog", "", "")"#;
    let about = |name: &str, value: &str| {
        let named = format!(r#"label_replace(vector({value}), "alertname", "Down", "", "")"#);
        format!(r#"label_replace({named}, "namespace", "{name}", "", "")"#)
    };
    let query = format!("{control} or {} or {}", about("a", "0.5"), about("b", "0"));
    says(&prometheus, json!({"query": query}), [Truth::True, Truth::False]).await;
    let query = format!("{control} or {}", about("a", "NaN"));
    says(&prometheus, json!({"query": query}), [Truth::Unknown, Truth::False]).await;
}

#[tokio::test]
async fn a_query_that_is_none_is_told_of() {
    let prometheus = Prometheus::start(&[]).await.unwrap();
    let check = async |query: &str, expected: &str| {
        let look = way(&prometheus.url(), json!({"query": query})).look(Timestamp::now()).await;
        assert_eq!(told(&look, "a"), (Truth::Unknown, expected.to_owned()), "{query}");
    };
    check("(", "Prometheus answered 400 Bad Request: it does not understand the query").await;
    let two = r#"label_replace(vector(1), "a b", "", "", "")"#;
    check(two, "Prometheus answered 422 Unprocessable Entity: it cannot evaluate the query").await;
    check("1", "the query of Prometheus gives no instant vector").await;
    check("up[1m]", "the query of Prometheus gives no instant vector").await;
    check("vector(1)", MISSING).await;
    check("up", MISSING).await;
}

/// What kube-state-metrics says at this address, of a pod in namespace `a`.
async fn states() -> (u16, JoinSet<()>) {
    const PAGE: &str =
        "# TYPE kube_pod_status_phase gauge\nkube_pod_status_phase{namespace=\"a\",phase=\"Failed\"} 1\n";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4_096];
            let _ = stream.read(&mut asked).await;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
            let _ = stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{PAGE}", PAGE.len()).as_bytes()).await;
        }
    });
    (port, serving)
}

/// It runs in namespace `b`. Unless its labels are honoured, those of where it runs take their place, and what they were is exported.
#[tokio::test]
async fn what_is_scraped_without_honouring_its_labels_is_about_what_it_exports() {
    let failed = json!({"alert": "PodFailed", "expr": "kube_pod_status_phase{phase=\"Failed\"} == 1"});
    let prometheus = Prometheus::start(&[watchdog(), failed]).await.unwrap();
    let (port, _serving) = states().await;
    let address = format!("{}:{port}", Ipv4Addr::LOCALHOST);
    for honours in [false, true] {
        let target = json!({"targets": [address], "labels": {"namespace": "b"}});
        let job = json!({"job_name": "states", "honor_labels": honours, "static_configs": [target]});
        prometheus.scrape(&[job]).await.unwrap();
        says(&prometheus, at_once(), [Truth::True, Truth::False]).await;
    }
}
