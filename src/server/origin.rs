//! Browsers: whose pages may call.
//!
//! tonic-web looks at no origin. A request that names one which is not allowed is refused here,
//! before anything else sees it, and gets no CORS headers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::{HeaderName, Method, StatusCode};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::files::UPLOAD_OFFSET;
use crate::config::{Config, is_loopback_origin};

/// For how long a browser need not ask again; none keeps it longer than two hours.
const MAX_AGE: std::time::Duration = std::time::Duration::from_secs(7200);

struct Origins {
    listed: Vec<String>,
    /// Any page of this machine.
    loopback: bool,
}

/// Puts the gate and CORS around everything.
pub(super) fn guard(app: Router, config: &Config) -> Router {
    let origins = Arc::new(Origins { listed: config.origins.clone(), loopback: config.dev });
    let cors = CorsLayer::new()
        // The gate has let in none but those who are allowed.
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(
            [
                "grpc-status",
                "grpc-message",
                "grpc-status-details-bin",
                "adda-trace-id",
                UPLOAD_OFFSET,
            ]
            .map(HeaderName::from_static),
        )
        .max_age(MAX_AGE);
    app.layer(cors).layer(from_fn_with_state(origins, gate))
}

async fn gate(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    if allows(&origins, &request) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "this origin is not allowed (--cors-origin)\n").into_response()
    }
}

fn allows(origins: &Origins, request: &Request) -> bool {
    let mut given = request.headers().get_all(ORIGIN).iter();
    let Some(origin) = given.next() else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if given.next().is_some() {
        return false;
    }
    origins.listed.iter().any(|listed| listed == origin)
        // In development not by its name, since any page may have its name point here.
        || (origins.loopback && is_loopback_origin(origin))
        || (!origins.loopback && is_same(origin, request))
}

/// Whether the page came from this very server.
fn is_same(origin: &str, request: &Request) -> bool {
    let host = request
        .uri()
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| request.headers().get(HOST).and_then(|host| host.to_str().ok()));
    let page = origin.split_once("://").map(|(_, authority)| authority);
    page.is_some() && page == host
}
