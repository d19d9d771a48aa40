//! A real Prometheus with `deploy/prometheus.yml` and `deploy/alerts.yml` at two live nodes: each
//! query of the dashboard and of the alerts is tried.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use adda::proto;
use serde_json::Value;
use tokio::time::Instant;

use crate::drain::{Balancer, Crew};
use crate::infra::process::{free_port, on_path};
use crate::infra::prometheus::{Prometheus, deployed};
use crate::infra::{self, adda::Adda};
use crate::world::{Web, api, hello, token};

/// In place of Grafana's own: three scrapes.
const RATE_INTERVAL: &str = "15s";
/// How long a query may have no answer after the start.
const FIRST_ANSWER: Duration = Duration::from_secs(60);

/// The queries of the dashboard, each with the panel it stands in.
fn dashboard() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(deployed("grafana/dashboards/adda.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expr = target["expr"].as_str().unwrap();
            let expr = expr.replace("$__rate_interval", RATE_INTERVAL).replace("$instance", ".+");
            assert!(!expr.contains('$'), "{expr}");
            queries.push((panel["title"].as_str().unwrap().to_owned(), expr));
        }
    }
    queries
}

/// The metrics that an expression names.
fn metrics(expr: &str) -> BTreeSet<&str> {
    let words = expr.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("adda_") || *word == "up").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_answered_by_a_live_deployment() {
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let Some(bus) = infra::redis::fresh_url().await else { return };
    let (mut nodes, mut admins) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
        nodes.push(Adda::start(&store, &bus, &["--admin-listen", &admin.to_string()]).await);
        admins.push(admin);
    }
    let addrs: Vec<_> = nodes.iter().map(Adda::addr).collect();
    let Some(prometheus) = Prometheus::of(&admins).await else { return };
    let balancer = Balancer::before(&addrs).await;
    let crew = Crew::talk(balancer.addr(), addrs[0], 4, 3).await;
    let page = Web::new(addrs[1], token("page"));
    let request = proto::SubscribeRequest { hello: Some(hello("browser")) };
    let _subscribed = page.stream("Subscribe", &request).await.unwrap();

    let queries = dashboard();
    assert!(queries.len() > 50, "these are the queries: {}", queries.len());
    let deadline = Instant::now() + FIRST_ANSWER;
    for (panel, expr) in &queries {
        loop {
            // What refused calls look like, all the while.
            refused(addrs[0]).await;
            let answer =
                prometheus.query(expr).await.unwrap_or_else(|why| panic!("{panel}: {expr}: {why}"));
            if !answer.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "{panel} shows nothing: {expr}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    let rules = prometheus.rules().await;
    assert!(rules.len() > 15, "these are the alerts: {}", rules.len());
    for rule in &rules {
        let (name, expr) = (rule["name"].as_str().unwrap(), rule["query"].as_str().unwrap());
        assert_eq!(rule["health"], "ok", "{name}: {}", rule["lastError"]);
        assert_ne!(rule["state"], "firing", "{name}, though nothing is wrong");
        for metric in metrics(expr) {
            let series = prometheus.query(&format!("count({metric})")).await.unwrap();
            assert!(!series.is_empty(), "{name} is about {metric}, which nobody tells");
        }
    }
    crew.check(addrs[0]).await;
}

async fn refused(node: SocketAddr) {
    let nothing = proto::GetChatRequest { chat_id: crate::world::unique() };
    let mut api = api(node, token("asks")).await;
    assert!(api.get_chat(nothing.clone()).await.is_err());
    let hello = hello("phone");
    let mut live = crate::world::Live::open(api, hello).await.unwrap();
    live.refused(join(&nothing.chat_id)).await;
}

fn join(chat: &str) -> proto::connect_request::Command {
    let chat_id = chat.to_owned();
    proto::connect_request::Command::JoinChat(proto::JoinChat { chat_id })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_fires_when_a_node_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut node = Adda::start(&store, "memory:", &["--admin-listen", &admin.to_string()]).await;
    let Some(prometheus) = Prometheus::of(&[admin]).await else { return };
    let state = async |name: &str| {
        let rules = prometheus.rules().await;
        rules.iter().find(|rule| rule["name"] == name).unwrap()["state"].clone()
    };
    let scraped = async || !prometheus.query("up == 1").await.unwrap().is_empty();
    assert!(infra::process::until(scraped).await);
    assert_eq!(state("AddaDown").await, "inactive");
    node.kill();
    let noticed = async || state("AddaDown").await != "inactive";
    assert!(infra::process::until(noticed).await, "pending for a minute, then firing");
}

#[test]
fn the_files_are_what_prometheus_reads() {
    let Some(promtool) = on_path("promtool") else { return infra::skipped("no promtool") };
    for (check, file) in [("config", "prometheus.yml"), ("rules", "alerts.yml")] {
        let file = deployed(file);
        let said = std::process::Command::new(&promtool).arg("check").arg(check).arg(file).output();
        let said = said.unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn every_alert_is_explained() {
    let alerts = std::fs::read_to_string(deployed("alerts.yml")).unwrap();
    let guide = deployed("../docs/operations.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let names: Vec<_> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 15);
    for name in names {
        assert!(guide.contains(&format!("| `{name}` |")), "{name} is not in docs/operations.md");
    }
}
