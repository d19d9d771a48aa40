//! Asks for a token before a gRPC call goes in.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{Caller, Verifier};
use crate::error::{Error, Reason, Result};
use crate::trace::TraceId;
use crate::wire::status;

/// Whoever asks may know whether the server is well, and what it speaks.
const OPEN: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// Puts a [`Caller`] into the extensions of each gRPC call, or answers it with a Status. Health
/// and reflection are open to all.
#[derive(Clone)]
pub struct AuthLayer(Arc<Verifier>);

impl AuthLayer {
    /// Asks this verifier.
    pub fn new(verifier: Arc<Verifier>) -> Self {
        Self(verifier)
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth { verifier: Arc::clone(&self.0), inner }
    }
}

/// What [`AuthLayer`] makes.
#[derive(Clone)]
pub struct Auth<S> {
    verifier: Arc<Verifier>,
    inner: S,
}

impl<S> Service<Request<Body>> for Auth<S>
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
        let path = request.uri().path();
        if OPEN.iter().any(|open| path.starts_with(open)) {
            return Box::pin(self.inner.call(request));
        }
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let verifier = Arc::clone(&self.verifier);
        Box::pin(async move {
            match caller(&verifier, request.headers()).await {
                Ok(caller) => {
                    // Nobody further in needs the token, so nobody can leak it.
                    request.headers_mut().remove(AUTHORIZATION);
                    request.extensions_mut().insert(caller);
                    inner.call(request).await
                }
                Err(error) => {
                    let id = TraceId::of(request.extensions());
                    Ok(status(&error, id).into_http())
                }
            }
        })
    }
}

async fn caller(verifier: &Verifier, headers: &HeaderMap) -> Result<Caller> {
    let token = bearer(headers)?;
    verifier.verify(token).await
}

/// The token of exactly one `authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Result<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(Error::new(Reason::TokenInvalid, "more than one authorization header"));
    }
    let text = value
        .to_str()
        .map_err(|_| Error::new(Reason::TokenInvalid, "authorization is not ASCII"))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            let token = token.trim();
            if token.is_empty() { Err(missing()) } else { Ok(token) }
        }
        _ => Err(missing()),
    }
}

fn missing() -> Error {
    Error::new(Reason::TokenMissing, "send the header authorization: Bearer <JWT>")
}
