//! The ports of every program as scrapers read them: in both formats, by the parsers of the Python client and by Prometheus.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use common::exposition::Format;
use reqwest::Url;
use serde_json::{Value, json};
use testbed::{MetricFamily, Parser, Parsers, Process, Prometheus, User, eventually};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::program::harness::{LATER, SOON, fleet};
use crate::program::metrics::said;

/// Where a program shows metrics.
#[derive(Clone, Debug)]
struct Port {
    program: String,
    address: String,
    path: &'static str,
}

impl Port {
    /// What every process has.
    fn of(process: &Process) -> Result<Self> {
        let address = said(process, "health and metrics of this process are served on `")?;
        Ok(Self { program: process.name().to_owned(), address, path: "/metrics" })
    }

    /// What the API has besides.
    fn of_api(api: &Process) -> Result<Self> {
        let address = said(api, "the records are served on `")?;
        Ok(Self { program: "the API".to_owned(), address, path: "/api/metrics" })
    }

    /// What is answered to somebody who accepts this, and in which format.
    async fn text(&self, accept: &str) -> Result<(String, String)> {
        let request = reqwest::Client::new().get(format!("http://{}{}", self.address, self.path));
        let answer = request.header(header::ACCEPT, accept).send().await?.error_for_status()?;
        let kind = answer.headers().get(header::CONTENT_TYPE).context("it has no content type")?.to_str()?.to_owned();
        Ok((kind, answer.text().await?))
    }

    /// The families, as both parsers read them.
    async fn families(&self, parsers: &Parsers) -> Result<Vec<MetricFamily>> {
        let (kind, text) = self.text("*/*").await?;
        ensure!(kind == Format::Classic.content_type(), "{kind}");
        let classic = parsers.read(Parser::Classic, &text).await?;
        let (kind, text) = self.text(Format::OpenMetrics.content_type()).await?;
        ensure!(kind == Format::OpenMetrics.content_type(), "{kind}");
        let open_metrics = parsers.read(Parser::OpenMetrics, &text).await?;
        ensure!(classic == open_metrics, "{classic:#?}\n{open_metrics:#?}");
        Ok(classic)
    }
}

/// What a scraper that knows the classic format alone reads: it asks for no format, and takes no other. Each port has a path, its
/// number.
async fn relay(ports: &[Port]) -> Result<(SocketAddr, JoinSet<()>)> {
    async fn pass(State(ports): State<Arc<Vec<Port>>>, Path(number): Path<usize>) -> Result<Response, StatusCode> {
        let port = ports.get(number).ok_or(StatusCode::NOT_FOUND)?;
        let (kind, text) = port.text("*/*").await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        if kind != Format::Classic.content_type() {
            return Err(StatusCode::NOT_ACCEPTABLE);
        }
        Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/{number}", get(pass)).with_state(Arc::new(ports.to_vec()));
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        // It ends when it is dropped, and not before.
        let _ = axum::serve(listener, router).await;
    });
    Ok((address, serving))
}

/// What Prometheus answers.
async fn ask(prometheus: &Prometheus, path: &str, name: &str, value: &str) -> Result<Value> {
    let url = Url::parse_with_params(&format!("{}/api/v1/{path}", prometheus.url()), [(name, value)])?;
    let answer: Value = serde_json::from_str(&reqwest::get(url).await?.error_for_status()?.text().await?)?;
    Ok(answer["data"].clone())
}

/// What Prometheus has of a job: the values, by name and labels as the parsers write them.
async fn scraped(prometheus: &Prometheus, job: &str) -> Result<BTreeMap<String, f64>> {
    let query = format!("{{job=\"{job}\",__name__!~\"up|scrape_.*\"}}");
    let data = ask(prometheus, "query", "query", &query).await?;
    let series = |result: &Value| {
        let mut labels: BTreeMap<String, String> = serde_json::from_value(result["metric"].clone())?;
        let name = labels.remove("__name__").context("it has no name")?;
        let own = labels.iter().filter(|(label, _)| !["job", "instance"].contains(&label.as_str()));
        let labels: Vec<_> = own.map(|(label, value)| format!("{label}={}", json!(value))).collect();
        let value = result["value"][1].as_str().context("it has no value")?.parse()?;
        anyhow::Ok((format!("{name}{{{}}}", labels.join(",")), value))
    };
    data["result"].as_array().context("no result")?.iter().map(series).collect()
}

/// What Prometheus was told of a job's families: kind and help, by the name that the format declares.
async fn declared(prometheus: &Prometheus, job: &str) -> Result<BTreeMap<String, (String, String)>> {
    let data = ask(prometheus, "targets/metadata", "match_target", &format!("{{job=\"{job}\"}}")).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let families = data.as_array().context("no families")?.iter();
    let of = |family: &Value| (text(&family["metric"]), (text(&family["type"]), text(&family["help"])));
    Ok(families.map(of).filter(|(name, _)| name != "up" && !name.starts_with("scrape_")).collect())
}

/// Holds what Prometheus has of a job against what the parsers read.
async fn agrees(prometheus: &Prometheus, job: &str, families: &[MetricFamily], counter: &str) -> Result<()> {
    let up = ask(prometheus, "query", "query", &format!("up{{job=\"{job}\"}}")).await?;
    ensure!(up["result"][0]["value"][1] == "1", "{job}: {up}");
    let read: BTreeMap<_, _> = families.iter().flat_map(|family| family.samples.clone()).collect();
    let scraped = scraped(prometheus, job).await?;
    ensure!(scraped == read, "{job}: {scraped:#?}\n{read:#?}");
    let name = |family: &MetricFamily| match family.kind.as_str() {
        "counter" => format!("{}{counter}", family.name),
        _ => family.name.clone(),
    };
    let read: BTreeMap<_, _> =
        families.iter().map(|family| (name(family), (family.kind.clone(), family.help.clone()))).collect();
    let declared = declared(prometheus, job).await?;
    ensure!(declared == read, "{job}: {declared:#?}\n{read:#?}");
    Ok(())
}

#[tokio::test]
async fn every_port_tells_everybody_the_same_in_both_formats() {
    let parsers = Parsers::installed().expect("they are installed");
    let configure = |config: &mut Value| {
        config["api"] = json!({"listen": "127.0.0.1:0", "open": ["metrics"]});
        config["admin"] = json!({"listen": "127.0.0.1:0"});
        // One that waits, so that its port is there.
        config["workers"] = json!({"min": 1, "max": 1, "idle_for": "30m"});
    };
    fleet(configure, async |fleet| {
        let world = fleet.world;
        let (worker, api) = (fleet.worker().await?, world.role("api", &[], "api-0", User::ADMIN)?);
        let page = eventually("the API listens", SOON, async || Port::of_api(&api)).await?;
        let (lasting, brief) = (world.namespace(&[]).await?, world.namespace(&[("ttl", "1s")]).await?);
        brief.is_deleted().await?;
        brief.finish().await?;
        let mut ports = vec![page, Port::of(&worker)?, Port::of(&api)?];
        for process in fleet.others().iter() {
            ports.push(Port::of(process)?);
        }

        let prometheus = Prometheus::start(&[]).await?;
        let (relay, _serving) = relay(&ports).await?;
        let jobs = ports.iter().enumerate().flat_map(|(number, port)| {
            let job = |name: &str, address: &str, path: &str| {
                let targets = json!([{"targets": [address]}]);
                json!({"job_name": format!("{name}-{number}"), "metrics_path": path, "static_configs": targets})
            };
            let classic = job("classic", &relay.to_string(), &format!("/{number}"));
            [classic, job("open-metrics", &port.address, port.path)]
        });
        prometheus.scrape(&jobs.collect::<Vec<_>>()).await?;
        for (number, port) in ports.iter().enumerate() {
            // What is counted may move on between two looks.
            eventually(&format!("`{}` of {} tells everybody the same", port.path, port.program), LATER, async || {
                let families = port.families(&parsers).await?;
                agrees(&prometheus, &format!("classic-{number}"), &families, "_total").await?;
                agrees(&prometheus, &format!("open-metrics-{number}"), &families, "").await
            })
            .await?;
        }

        eventually("they do not agree on nothing", LATER, async || {
            let families = ports[0].families(&parsers).await?;
            let values = |name: &str| families.iter().find(|family| family.name == name).map(|family| &family.samples);
            let deleted = values("namespace_manager_ns_delete").context("deletions")?.values().sum::<f64>();
            ensure!(deleted > 0.5, "{families:#?}");
            let statuses = values("namespace_manager_ns_status").context("statuses")?;
            ensure!(statuses.keys().any(|series| series.contains(&lasting.name)), "{families:#?}");
            Ok(())
        })
        .await?;
        lasting.lives().await
    })
    .await;
}
