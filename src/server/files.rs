//! Files by plain HTTP: PUT and HEAD of uploads, GET and HEAD of what is there.
//!
//! Nobody is asked for a token: the URL is one, signed by the house. What is refused is a JSON
//! object with the reason and the message that a call would be answered. Files come from users,
//! so what goes out is never to be taken for a page of this server: its type is that of its
//! bytes, nothing in it may run, and what could is saved, not shown.

use std::ops::Range;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::response::Builder;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, StatusCode, Version};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::drain::Drained;
use crate::chat::Service;
use crate::chat::attachments::{Download, Put, PutState};
use crate::chat::limits::UPLOAD_PART;
use crate::error::{Error, Reason, Result};
use crate::files::Bytes;
use crate::trace::TraceId;
use crate::wire;

/// How many bytes of an upload are there.
pub(super) const UPLOAD_OFFSET: &str = "upload-offset";

/// What need not be escaped in the name of a file: `attr-char` of RFC 5987.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

type House = State<Arc<Service>>;

/// The routes.
pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/uploads/{link}", put(upload).head(offset))
        .route("/files/{link}", get(download))
        .with_state(service)
}

async fn upload(State(service): House, Path(link): Path<String>, request: Request) -> Response {
    let done = async {
        let put = put_of(request.headers())?;
        service.put(&link, put, bytes_of(request)).await
    };
    match done.await {
        Ok(PutState { offset, whole }) => {
            let status = if whole { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
            (status, [(UPLOAD_OFFSET, offset.to_string())]).into_response()
        }
        Err(error) => refused(&service, &error),
    }
}

async fn offset(State(service): House, Path(link): Path<String>) -> Response {
    match service.upload_state(&link).await {
        Ok(state) => {
            let headers = [
                (UPLOAD_OFFSET, state.offset.to_string()),
                (CACHE_CONTROL.as_str(), "no-store".to_owned()),
            ];
            (StatusCode::NO_CONTENT, headers).into_response()
        }
        Err(error) => refused(&service, &error),
    }
}

/// What a PUT says of itself.
fn put_of(headers: &HeaderMap) -> Result<Put> {
    let wrong = || Error::field("Content-Range", "must be like bytes 0-8388607/9000000");
    let range = match headers.get(CONTENT_RANGE) {
        None => None,
        Some(value) => {
            let value = value.to_str().ok().and_then(|text| text.strip_prefix("bytes "));
            let (span, size) = value.and_then(|text| text.split_once('/')).ok_or_else(wrong)?;
            let (first, last) = span.split_once('-').ok_or_else(wrong)?;
            let number = |text: &str| number(text).ok_or_else(wrong);
            Some((number(first)?, number(last)?, number(size)?))
        }
    };
    let length = headers.get(CONTENT_LENGTH).and_then(|value| number(value.to_str().ok()?));
    Ok(Put { range, length })
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn bytes_of(request: Request) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let http1 = request.version() != Version::HTTP_2;
    let body = request.into_body();
    // So that who is refused hears it.
    let body = if http1 { Body::new(Drained::new(body, UPLOAD_PART as usize)) } else { body };
    let broken = |_| Error::new(Reason::TimedOut, "the connection broke before all bytes came");
    body.into_data_stream().map_err(broken)
}

async fn download(
    State(service): House,
    Path(link): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let found = match service.download(&link).await {
        Ok(found) => found,
        Err(error) => return refused(&service, &error),
    };
    let base = described(&found);
    if names(&headers, &found.tag) {
        return built(base.status(StatusCode::NOT_MODIFIED), Body::empty());
    }
    let (status, range) = match range_of(&headers, &found) {
        Wanted::All => (StatusCode::OK, 0..found.size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => {
            let range = format!("bytes */{}", found.size);
            let base = base.status(StatusCode::RANGE_NOT_SATISFIABLE);
            return built(base.header(CONTENT_RANGE, range), Body::empty());
        }
    };
    let mut base = base.status(status).header(CONTENT_LENGTH, range.end - range.start);
    if status == StatusCode::PARTIAL_CONTENT {
        let told = format!("bytes {}-{}/{}", range.start, range.end - 1, found.size);
        base = base.header(CONTENT_RANGE, told);
    }
    if method == Method::HEAD {
        return built(base, Body::empty());
    }
    match service.send_out(found, range) {
        Ok(outgoing) => {
            let outgoing = stream::unfold(outgoing, |mut outgoing| async {
                outgoing.recv().await.map(|bytes| (bytes, outgoing))
            });
            built(base, Body::from_stream(outgoing.boxed()))
        }
        Err(error) => refused(&service, &error),
    }
}

/// What is said of a file, whatever of it goes out.
fn described(of: &Download) -> Builder {
    let show = if of.inline { "inline" } else { "attachment" };
    let plain: String = of.file_name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let encoded = utf8_percent_encode(&of.file_name, IN_NAME);
    let disposition = format!("{show}; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    // No text is taken that is in anything else.
    let charset = if of.content_type == "text/plain" { "; charset=utf-8" } else { "" };
    Response::builder()
        .header(CONTENT_TYPE, format!("{}{charset}", of.content_type))
        .header(CONTENT_DISPOSITION, disposition)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")
        .header(CACHE_CONTROL, format!("private, max-age={}", of.good_for.as_secs()))
        .header(ACCEPT_RANGES, "bytes")
        .header(ETAG, &of.tag)
}

/// What may stand between quotes as it is.
fn is_plain(c: char) -> bool {
    (c == ' ' || c.is_ascii_graphic()) && !matches!(c, '"' | '\\' | '%')
}

fn built(builder: Builder, body: Body) -> Response {
    // Nothing of it comes from outside but the name, which was written in plain characters.
    builder.body(body).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Whether the other side has what this tag stands for.
pub(super) fn names(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let bare = |tag: &str| tag.trim_start_matches("W/").to_owned();
    given.is_some_and(|tags| {
        tags.split(',').map(str::trim).any(|one| one == "*" || bare(one) == bare(tag))
    })
}

/// Which bytes are asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    /// None that there are.
    Nothing,
}

/// RFC 9110, 14: a range that is not understood, and several at once, are as none.
fn range_of(headers: &HeaderMap, of: &Download) -> Wanted {
    let same = headers.get(IF_RANGE).is_none_or(|tag| tag.as_bytes() == of.tag.as_bytes());
    let given = headers.get(RANGE).filter(|_| same).and_then(|value| value.to_str().ok());
    let span = given.and_then(|given| given.strip_prefix("bytes=")).map(str::trim);
    match span.and_then(|span| span.split_once('-')) {
        Some((first, last)) => span_of(first, last, of.size),
        None => Wanted::All,
    }
}

fn span_of(first: &str, last: &str, size: u64) -> Wanted {
    let range = match (first, number(first), last, number(last)) {
        ("", _, _, Some(count)) if !last.is_empty() => size.saturating_sub(count)..size,
        (_, Some(first), "", _) => first..size,
        (_, Some(first), _, Some(last)) if first <= last => first..size.min(last.saturating_add(1)),
        _ => return Wanted::All,
    };
    if range.is_empty() { Wanted::Nothing } else { Wanted::Part(range) }
}

fn refused(service: &Service, error: &Error) -> Response {
    let id = TraceId::new(&*service.clock);
    // So that the log can be found by what is told.
    let span = tracing::error_span!("file", trace_id = %id);
    let told = span.in_scope(|| wire::stream_error(error, id));
    let answer = json!({
        "reason": error.reason.name(),
        "message": told.message,
        "field": told.field,
        "request_id": told.request_id,
    });
    let mut response = (status(error.reason), axum::Json(answer)).into_response();
    if let Some(pause) = error.retry_after {
        response.headers_mut().insert(RETRY_AFTER, pause.as_secs().max(1).into());
    }
    response
}

/// As HTTP says it.
fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::AttachmentNotFound => StatusCode::NOT_FOUND,
        Reason::AttachmentTypeRefused => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Reason::TimedOut => StatusCode::REQUEST_TIMEOUT,
        Reason::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Reason::StoreUnavailable | Reason::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        Reason::NotConfigured => StatusCode::NOT_IMPLEMENTED,
        Reason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let read = |first, last| span_of(first, last, 100);
        assert_eq!(read("0", "9"), Wanted::Part(0..10));
        assert_eq!(read("90", ""), Wanted::Part(90..100));
        assert_eq!(read("", "10"), Wanted::Part(90..100));
        assert_eq!(read("", "1000"), Wanted::Part(0..100));
        assert_eq!(read("99", "18446744073709551615"), Wanted::Part(99..100));
        for (first, last) in [("100", ""), ("100", "200"), ("", "0")] {
            assert_eq!(read(first, last), Wanted::Nothing, "{first}-{last}");
        }
        for (first, last) in [("9", "1"), ("", ""), ("a", "b"), ("-1", ""), ("1", "2,3-4")] {
            assert_eq!(read(first, last), Wanted::All, "{first}-{last}");
        }
    }
}
