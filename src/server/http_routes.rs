//! Plain HTTP: is it alive, is it ready, and signing in for development.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::Readiness;
use crate::auth::Signer;
use crate::clock::Clock;
use crate::model::UserId;

/// How long a token for development is good.
const DEV_TTL: Duration = Duration::from_secs(24 * 3600);

/// The largest body: a user and a name.
const MAX_BODY: usize = 4096;

const HELLO: &str =
    "adda is running, without its web page: it was not built, or not named (--page).
With Node, `make run` builds and shows it.

This port speaks gRPC and gRPC-Web; see proto/adda/v1. In development:

  grpcurl -plaintext HOST:PORT list
  curl -d '{\"user\":\"alice\",\"name\":\"Alice\"}' -H 'content-type: application/json' \\
    http://HOST:PORT/dev/token

GET /healthz: it lives. GET /readyz: it is ready.
";

/// The routes; with a signer also `POST /dev/token`.
pub(super) fn router(
    readiness: watch::Receiver<Readiness>,
    signer: Option<Signer>,
    clock: Arc<dyn Clock>,
) -> Router {
    let router = probes(readiness);
    match signer {
        None => router,
        Some(signer) => {
            let sign_in = post(sign_in)
                .layer(DefaultBodyLimit::max(MAX_BODY))
                .with_state(Arc::new(SignIn { signer, clock }));
            router.route("/dev/token", sign_in)
        }
    }
}

/// What stands where the page would be.
pub(super) fn hello() -> Router {
    Router::new().route("/", get(|| async { HELLO }))
}

/// Whether it lives, and whether it is ready.
pub(super) fn probes(readiness: watch::Receiver<Readiness>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(readiness))
}

async fn ready(State(readiness): State<watch::Receiver<Readiness>>) -> (StatusCode, &'static str) {
    let now = *readiness.borrow();
    if now.draining {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else if !now.store {
        (StatusCode::SERVICE_UNAVAILABLE, "away: store\n")
    } else if !now.bus {
        (StatusCode::OK, "degraded: bus\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

struct SignIn {
    signer: Signer,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
struct Who {
    user: String,
    #[serde(default)]
    name: String,
}

/// Takes anyone at their word.
async fn sign_in(
    State(state): State<Arc<SignIn>>,
    body: Result<Json<Who>, JsonRejection>,
) -> Response {
    let refuse =
        |why: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response();
    let Ok(Json(who)) = body else {
        return refuse("send JSON: {\"user\": \"alice\", \"name\": \"Alice\"}");
    };
    let Some(user) = UserId::parse(&who.user) else {
        return refuse("user: 1 to 64 of A-Z a-z 0-9 _ . : @ -");
    };
    let (token, expires_at) = state.signer.sign(&user, Some(&who.name), DEV_TTL, &*state.clock);
    let millis = u64::try_from(expires_at.0).unwrap_or(0);
    let expires_at = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(millis));
    Json(json!({ "token": token, "expires_at": expires_at.to_string() })).into_response()
}
