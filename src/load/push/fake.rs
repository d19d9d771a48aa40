//! A push service that takes everything, and a Google that gives tokens to everybody: lean, as it
//! shares the machine with the server.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::{Clock as _, SystemClock};
use crate::config::load::PushArgs;
use crate::load::LoadError;
use crate::load::stats::Series;
use crate::model::MessageId;

/// Requests on one connection at once, as such services allow.
const STREAMS: u32 = 100;
const TOKEN: &str = r#"{"access_token": "load", "expires_in": 3600}"#;
const TAKEN: &str = r#"{"name": "projects/load/messages/1"}"#;
/// What the id of a message follows in a push.
const ID: &[u8] = br#""message_id":""#;
/// Characters of a UUID.
const ID_CHARS: usize = 36;

/// Takes pushes until it is dropped; how old each message was counts under these.
pub(super) async fn open(
    plan: PushArgs,
    pushes: Arc<Series>,
) -> Result<AbortOnDropHandle<()>, LoadError> {
    let failed = |error| LoadError::Asked(format!("--fcm-listen {}: {error}", plan.fcm_listen));
    let listener = TcpListener::bind(plan.fcm_listen).await.map_err(failed)?;
    let accept = async move {
        for nth in 0.. {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let pushes = Arc::clone(&pushes);
            tokio::spawn(async move {
                let answer = service_fn(move |request| {
                    answer(request, nth, plan.fcm_latency, Arc::clone(&pushes))
                });
                let mut builder = Builder::new(TokioExecutor::new());
                builder.http2().max_concurrent_streams(STREAMS);
                // However it ends, the server opens another.
                drop(builder.serve_connection(TokioIo::new(stream), answer).await);
            });
        }
    };
    Ok(AbortOnDropHandle::new(tokio::spawn(accept)))
}

async fn answer(
    request: Request<Incoming>,
    nth: usize,
    latency: Duration,
    pushes: Arc<Series>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_push = request.uri().path().ends_with(":send");
    let Ok(body) = request.into_body().collect().await else {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    if !is_push {
        let response = Response::builder().header("content-type", "application/json");
        return Ok(response.body(Full::from(TOKEN)).unwrap_or_default());
    }
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    if let Some(id) = message_id(&body.to_bytes()) {
        pushes.took(nth, SystemClock.now().since(id.time()));
    }
    Ok(Response::new(Full::from(TAKEN)))
}

/// Which message a push is of.
fn message_id(push: &[u8]) -> Option<MessageId> {
    let at = push.windows(ID.len()).position(|part| part == ID)? + ID.len();
    MessageId::parse(std::str::from_utf8(push.get(at..at + ID_CHARS)?).ok()?)
}
