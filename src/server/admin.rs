//! The operator's own port: `/metrics`, and the two probes that are on the main port as well.
//!
//! It opens before the node serves and closes last, so that a drain can be watched to its end.
//! Nobody is asked for a token: it belongs on an address that clients cannot reach.

use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::accept::Acceptor;
use super::{Bound, Readiness, Running, http_routes};
use crate::config::Connections;
use crate::metrics;
use crate::vital::Vital;

/// Those who scrape and probe are few; one more is closed at once.
const CONNECTIONS: Connections = Connections { total: 64, per_address: 64 };
/// How long an answer under way may take at the end.
const DRAIN: Duration = Duration::from_secs(1);

impl Bound {
    /// Begins to answer operators, until the answer is stopped or killed.
    pub fn serve_admin(self, readiness: watch::Receiver<Readiness>, vital: &Vital) -> Running {
        let cut = CancellationToken::new();
        let app: Router = http_routes::probes(readiness).route("/metrics", get(scrape));
        let acceptor = Acceptor {
            listener: self.listener,
            tls: None,
            app,
            limits: CONNECTIONS,
            proxies: Vec::new(),
            counted: false,
            drain: DRAIN,
            stop: cut.clone(),
            cut: cut.clone(),
        };
        tracing::info!(addr = %self.addr, "metrics and probes");
        Running { addr: self.addr, task: vital.spawn("port for operators", acceptor.run()), cut }
    }
}

async fn scrape() -> impl IntoResponse {
    match tokio::task::spawn_blocking(metrics::render).await {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "no metrics: see the log\n").into_response(),
    }
}
