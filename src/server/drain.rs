//! Request bodies that are read to their end although nobody wants them any more.
//!
//! Over HTTP/1.1 a server that refuses a request before it was read, and then closes, cuts off
//! a client that is still writing: the client hears of a broken connection, not of the Status.
//! HTTP/2 needs none of this: there a stream ends by itself.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;

use crate::rpc::codec::MAX_REQUEST;

/// As much as this is read of a call for nothing; who sends more is cut off.
pub(super) const CALL: usize = 4 * MAX_REQUEST;
/// So long it may take.
const WITHIN: Duration = Duration::from_secs(5);

/// A body whose rest is read, within bounds, when it is let go.
pub(super) struct Drained {
    body: Option<Body>,
    most: usize,
}

impl Drained {
    /// Of the rest at most this much is read.
    pub(super) fn new(body: Body, most: usize) -> Self {
        Self { body: Some(body), most }
    }
}

impl http_body::Body for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        // Without a runtime there is no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(WITHIN, read_rest(body, self.most)));
        }
    }
}

async fn read_rest(mut body: Body, most: usize) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > most {
            return;
        }
    }
}
