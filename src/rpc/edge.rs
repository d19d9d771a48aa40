//! What every gRPC call passes on its way in and out.
//!
//! In: it gets a [`Trace`] and a time limit. Out: a Status that was not made by us (tonic's
//! own, of a request it could not take) gets the code and the details of the contract, so that
//! none leaves without a reason. A Status that comes before the first message of a stream, or
//! in place of an answer, is in the headers of the response, which is where this looks; what
//! ends a stream later is [`status`]'s own. Health and reflection have contracts of their own
//! and keep their codes.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Layer, Service};
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::error::{Error, Reason};
use crate::metrics::{self, Method, Outcome};
use crate::proto;
use crate::trace::{self, Trace, TraceId};
use crate::vital::guarded;
use crate::wire::status;

/// No call waits longer for its answer, or for the first of a stream; and none that was begun
/// and not finished by its client holds its place longer.
pub const CALL_LIMIT: Duration = Duration::from_secs(30);

/// An upload takes as long as its bytes get on: the house sees to that. This is for what does
/// not get there.
const UPLOAD_LIMIT: Duration = Duration::from_secs(3700);

/// In the extensions of a request that is not to be let in: why.
#[derive(Clone, Debug)]
pub struct Refused(pub Arc<Error>);

/// Puts the edge around a service.
#[derive(Clone)]
pub struct EdgeLayer(Arc<dyn Clock>);

impl EdgeLayer {
    /// Draws the ids of traces from this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(clock)
    }
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge { clock: Arc::clone(&self.0), inner }
    }
}

/// What [`EdgeLayer`] makes.
#[derive(Clone)]
pub struct Edge<S> {
    clock: Arc<dyn Clock>,
    inner: S,
}

impl<S> Service<Request<Body>> for Edge<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if request.uri().path().starts_with("/grpc.") {
            return Box::pin(self.inner.call(request));
        }
        let method = Method::of_path(request.uri().path());
        let trace = Trace::begin(request.headers(), method.name(), &*self.clock);
        request.extensions_mut().insert(trace.clone());
        request.extensions_mut().insert(method);
        // Always there, so that whatever is logged of this call can be found by what it is told.
        let span = tracing::error_span!("call", trace_id = %trace.id(), method = method.name());
        let refused = request.extensions_mut().remove::<Refused>();
        let most = if method == Method::UploadAttachment { UPLOAD_LIMIT } else { CALL_LIMIT };
        let limit = client_limit(request.headers()).unwrap_or(most).min(most);
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let trace_id = trace.id();
        let call = async move {
            match refused {
                Some(Refused(error)) => Ok(failed(&error, trace_id)),
                None => inner.call(request).await,
            }
        };
        Box::pin(async move { Ok(answer(call, limit, method, trace).await) }.instrument(span))
    }
}

/// Waits for the answer, sees to it that it is one of the contract, and counts it.
async fn answer(
    call: impl Future<Output = Result<Response<Body>, Infallible>>,
    limit: Duration,
    method: Method,
    trace: Trace,
) -> Response<Body> {
    let (began, id) = (Instant::now(), trace.id());
    let call = guarded(trace::within(trace.span(), call));
    let mut response = match tokio::time::timeout(limit, call).await {
        Ok(Ok(Ok(response))) => explained(response, id),
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(panicked)) => failed(&Error::internal(panicked), id),
        Err(_) => failed(&Error::new(Reason::TimedOut, "not done within the time given"), id),
    };
    response.headers_mut().insert(trace::HEADER, id.header());
    let (outcome, took) = (outcome(&response), began.elapsed());
    metrics::calls().of((method, outcome)).inc();
    metrics::call_seconds().of(method).took(took);
    trace.end(outcome);
    tracing::debug!(outcome = outcome.name(), ?took, "answered");
    response
}

fn failed(error: &Error, id: TraceId) -> Response<Body> {
    status(error, id).into_http()
}

/// What a response says of its call, in the headers; nothing there is well.
fn outcome(response: &Response<Body>) -> Outcome {
    let status = Status::from_header_map(response.headers());
    let details = status.and_then(|status| status.get_details_error_info());
    let reason = details.and_then(|info| {
        proto::ErrorReason::from_str_name(&format!("ERROR_REASON_{}", info.reason))
    });
    reason.map_or(Outcome::OK, Outcome::failed)
}

/// Gives a Status that has no reason the one of the contract.
fn explained(mut response: Response<Body>, id: TraceId) -> Response<Body> {
    let Some(given) = Status::from_header_map(response.headers()) else { return response };
    if given.code() == Code::Ok || given.get_details_error_info().is_some() {
        return response;
    }
    let ours = status(&error_of(&given), id);
    // What cannot be written in a header is the message alone, and that has been one.
    let _ = ours.add_header(response.headers_mut());
    response
}

/// What a Status without a reason of ours means: one that tonic made of a request it could not
/// take. Also for what a stream of requests ends with.
pub fn error_of(given: &Status) -> Error {
    match given.code() {
        Code::OutOfRange | Code::ResourceExhausted => {
            Error::new(Reason::TooLarge, "the request is over the size limit")
        }
        // Names fields, never what is in them.
        Code::Internal | Code::InvalidArgument => {
            let message = format!("not a request of this call: {}", given.message());
            Error::new(Reason::FieldInvalid, message)
        }
        Code::Unimplemented => {
            Error::new(Reason::UnknownCommand, "this server does not know this call")
        }
        Code::Cancelled | Code::DeadlineExceeded => {
            Error::new(Reason::TimedOut, "not done within the time given")
        }
        Code::Unauthenticated => Error::new(Reason::TokenInvalid, "not let in"),
        _ => Error::internal(given.clone()),
    }
}

/// The header `grpc-timeout`: at most eight digits and a unit.
fn client_limit(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use futures_util::FutureExt as _;
    use tower::ServiceExt;

    async fn call<F>(request: Request<Body>, answer: F) -> Status
    where
        F: Fn() -> BoxFuture<'static, Response<Body>> + Clone + Send + 'static,
    {
        let inner = tower::service_fn(move |request: Request<Body>| {
            assert!(request.extensions().get::<Trace>().is_some());
            let answer = answer.clone();
            async move { Ok::<_, Infallible>(answer().await) }
        });
        let edge = EdgeLayer::new(Arc::new(SystemClock)).layer(inner);
        let response = edge.oneshot(request).await.unwrap();
        Status::from_header_map(response.headers()).unwrap()
    }

    async fn explained_as(given: Status) -> (Code, String) {
        let answer = move || {
            let given = given.clone();
            async move { given.into_http() }.boxed()
        };
        let status = call(Request::new(Body::empty()), answer).await;
        let details = status.get_error_details();
        assert!(!details.request_info().unwrap().request_id.is_empty());
        (status.code(), details.error_info().unwrap().reason.clone())
    }

    #[tokio::test]
    async fn what_tonic_says_becomes_what_the_contract_says() {
        for (given, code, reason) in [
            (Status::out_of_range("big"), Code::ResourceExhausted, "TOO_LARGE"),
            (Status::resource_exhausted("big"), Code::ResourceExhausted, "TOO_LARGE"),
            (Status::internal("bad protobuf"), Code::InvalidArgument, "FIELD_INVALID"),
            (Status::unimplemented(""), Code::Unimplemented, "UNKNOWN_COMMAND"),
            (Status::cancelled("Timeout expired"), Code::DeadlineExceeded, "TIMED_OUT"),
            (Status::unknown("?"), Code::Internal, "INTERNAL"),
        ] {
            assert_eq!(explained_as(given).await, (code, reason.to_owned()));
        }
    }

    #[tokio::test]
    async fn ours_stays_as_it_is() {
        let id = TraceId::new(&SystemClock);
        let ours = move || status(&Error::chat_not_found(), id);
        let got =
            call(Request::new(Body::empty()), move || async move { ours().into_http() }.boxed())
                .await;
        assert_eq!(got.details(), ours().details());
    }

    #[tokio::test]
    async fn a_call_ends_when_its_client_said() {
        let request = Request::builder().header("grpc-timeout", "20m").body(Body::empty()).unwrap();
        let status = call(request, || std::future::pending().boxed()).await;
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "TIMED_OUT");
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let status = call(Request::new(Body::empty()), || async { panic!("oh") }.boxed()).await;
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("oh"));
    }

    #[test]
    fn limits_are_read_as_grpc_writes_them() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            client_limit(&headers)
        };
        assert_eq!(read("100m"), Some(Duration::from_millis(100)));
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for bad in ["", "m", "5", "123456789S", "-1S", "1x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
