//! The web page by plain HTTP, at the root of the port.
//!
//! Everything in it is a file read when the server started (`config::Page`). Nothing inline may
//! run in it, and it may ask nobody but this server; pictures of people come from where the
//! product keeps them. A name with a hash in it, which is what stands in `assets/`, never changes
//! what it means, so browsers keep it; everything else is asked for again and, unless it changed,
//! not sent again.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, StatusCode};

use crate::config::page::{INDEX, Page, PageFile};

/// What the page may do. Pictures may be shown before they are uploaded: `blob:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' https: blob:; media-src 'self' https:; connect-src 'self'; \
     manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASKED_FOR_AGAIN: &str = "no-cache";

/// Answers what is neither a call nor another path of this port.
pub(super) fn answer(page: &Page, request: &Request) -> Response {
    let name = match request.uri().path() {
        "/" => INDEX,
        path => path.strip_prefix('/').unwrap_or(path),
    };
    let Some(file) = page.get(name) else {
        return (StatusCode::NOT_FOUND, "nothing here\n").into_response();
    };
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response();
    }
    let keep = if name.starts_with("assets/") { FOR_EVER } else { ASKED_FOR_AGAIN };
    let headers = [
        (CONTENT_TYPE, file.kind),
        (CACHE_CONTROL, keep),
        (ETAG, &file.tag),
        (VARY, ACCEPT_ENCODING.as_str()),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (OPENER_POLICY, "same-origin"),
    ];
    if super::files::names(request.headers(), &file.tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let (bytes, encoding) = chosen(file, request.headers());
    let length = [(CONTENT_LENGTH, HeaderValue::from(bytes.len()))];
    let body = if request.method() == Method::HEAD { Body::empty() } else { Body::from(bytes) };
    let mut response = (headers, length, body).into_response();
    if let Some(encoding) = encoding {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// The smallest form that the browser takes.
fn chosen(file: &PageFile, headers: &HeaderMap) -> (Bytes, Option<&'static str>) {
    for (encoding, bytes) in [("br", &file.brotli), ("gzip", &file.gzip)] {
        if let Some(bytes) = bytes.as_ref().filter(|_| takes(headers, encoding)) {
            return (bytes.clone(), Some(encoding));
        }
    }
    (file.plain.clone(), None)
}

/// Whether it is named, and not with a weight of nothing.
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case(encoding) && weight != Some(0.0)
    })
}
