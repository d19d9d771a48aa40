//! A real Prometheus, with the files that deployments run.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use reqwest::Client;
use serde_json::Value;

use super::process::{Process, folder, free_port, on_path, until};

/// One that scrapes.
#[derive(Debug)]
pub(crate) struct Prometheus {
    url: String,
    client: Client,
    _process: Process,
}

/// A file of `deploy/`.
pub(crate) fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

impl Prometheus {
    /// With these for the nodes of adda; `None`, said aloud, without a prometheus.
    pub(crate) async fn of(nodes: &[SocketAddr]) -> Option<Self> {
        let Some(program) = on_path("prometheus") else {
            super::skipped("no prometheus");
            return None;
        };
        let port = free_port();
        let dir = folder(&format!("prometheus-{port}"));
        for file in ["prometheus.yml", "alerts.yml"] {
            std::fs::copy(deployed(file), dir.join(file)).expect("a file can be copied");
        }
        let nodes: Vec<_> = nodes.iter().map(ToString::to_string).collect();
        std::fs::create_dir_all(dir.join("targets")).expect("a folder can be made");
        std::fs::write(dir.join("targets/adda.yml"), format!("- targets: {nodes:?}\n"))
            .expect("a file can be written");
        let args = [
            format!("--config.file={}", dir.join("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", dir.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let process = Process::start(&program, &args, &dir.join("log"));
        // Building a client wants one, though nothing here is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().expect("a client can be made");
        let url = format!("http://127.0.0.1:{port}");
        let prometheus = Self { url, client, _process: process };
        let up = async || prometheus.get("-/ready").await.is_some();
        assert!(until(up).await, "prometheus did not come up; see {}/log", dir.display());
        Some(prometheus)
    }

    /// What a query answers; an error is what it says of the query.
    pub(crate) async fn query(&self, expr: &str) -> Result<Vec<Value>, String> {
        let encoded = expr.bytes().fold(String::new(), |mut encoded, byte| {
            write!(encoded, "%{byte:02X}").expect("a String takes all");
            encoded
        });
        let text = self.get(&format!("api/v1/query?query={encoded}")).await;
        let answer: Value =
            serde_json::from_str(&text.ok_or("no answer")?).map_err(|error| error.to_string())?;
        match answer["data"]["result"].as_array() {
            Some(result) => Ok(result.clone()),
            None => Err(answer["error"].as_str().unwrap_or_default().to_owned()),
        }
    }

    /// Its rules, as it has read them.
    pub(crate) async fn rules(&self) -> Vec<Value> {
        let text = self.get("api/v1/rules").await.expect("prometheus answers");
        let answer: Value = serde_json::from_str(&text).expect("it is JSON");
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        groups
            .iter()
            .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
            .collect()
    }

    /// The body of an answer; also where a query is refused.
    async fn get(&self, path: &str) -> Option<String> {
        let answer = self.client.get(format!("{}/{path}", self.url)).send().await.ok()?;
        let known = answer.status().is_success() || answer.status().is_client_error();
        if known { answer.text().await.ok() } else { None }
    }
}
