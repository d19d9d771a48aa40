//! A Firebase Cloud Messaging of the test's own, and the Google that gives tokens for it.
//!
//! It does as it is told by token of the device, keeps what came, and holds what is asked of it
//! against the rules: HTTP/2, a token that it gave, a body that fits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use adda::clock::{Clock as _, SystemClock};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::eventually;

const RSA: &str = include_str!("../keys/test-only-rsa.pem");
const RSA_PUB: &str = include_str!("../keys/test-only-rsa.pub.pem");

/// What a token's next push gets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    /// 404, the token is none any more.
    Unregistered,
    /// 400, the token never was one.
    BadToken,
    /// 429 with Retry-After in seconds.
    TooMany(u64),
    /// 503 with a Retry-After that is a date, so many seconds from now.
    AwayUntil(u64),
    /// 503 without.
    Unavailable,
    /// Nothing, for a long time.
    Hang,
    /// The connection breaks.
    Reset,
    /// 401: our own token is taken for none.
    Unauthorized,
}

/// A push that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    /// The device's.
    pub(crate) token: String,
    /// `message` of the request.
    pub(crate) message: Value,
    pub(crate) at: Instant,
}

impl Got {
    /// What the app is told.
    pub(crate) fn data(&self, name: &str) -> &str {
        self.message["data"][name].as_str().unwrap_or_default()
    }

    pub(crate) fn seq(&self) -> u32 {
        self.data("seq").parse().unwrap()
    }

    /// What the user is told.
    pub(crate) fn says(&self) -> (&str, &str) {
        let notification = &self.message["notification"];
        (notification["title"].as_str().unwrap(), notification["body"].as_str().unwrap())
    }
}

#[derive(Default)]
struct Shared {
    script: Mutex<HashMap<String, VecDeque<Does>>>,
    got: Mutex<Vec<Got>>,
    asked: Mutex<HashMap<String, u32>>,
    faults: Mutex<Vec<String>>,
    access: AtomicU32,
}

/// The service.
pub(crate) struct Fcm {
    url: String,
    shared: Arc<Shared>,
    dir: tempfile::TempDir,
}

impl Fcm {
    pub(crate) async fn open() -> Self {
        let shared = Arc::new(Shared::default());
        let app = Router::new()
            .route("/token", post(token))
            .fallback(send)
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let dir = tempfile::tempdir().unwrap();
        let account = json!({
            "type": "service_account",
            "project_id": "test-project",
            "client_email": "adda@test-project.iam.gserviceaccount.com",
            "private_key_id": "k1",
            "private_key": RSA,
            "token_uri": format!("{url}/token"),
        });
        std::fs::write(dir.path().join("account.json"), account.to_string()).unwrap();
        Self { url, shared, dir }
    }

    /// What a node needs to push here, and further flags.
    pub(crate) fn flags(&self, more: &[&str]) -> Vec<String> {
        let account = self.dir.path().join("account.json").display().to_string();
        let flags = ["--push", "fcm", "--fcm-credentials", &account, "--fcm-url", &self.url];
        flags.iter().chain(more).map(ToString::to_string).collect()
    }

    /// The next pushes to this token get these, one each.
    pub(crate) fn script(&self, token: &str, does: &[Does]) {
        self.shared.script.lock().insert(token.to_owned(), does.iter().copied().collect());
    }

    /// What was taken for this token.
    pub(crate) fn got(&self, token: &str) -> Vec<Got> {
        let got = self.shared.got.lock();
        got.iter().filter(|got| got.token == token).cloned().collect()
    }

    /// How often it was tried to push to this token.
    pub(crate) fn asked(&self, token: &str) -> u32 {
        self.shared.asked.lock().get(token).copied().unwrap_or(0)
    }

    /// Waits for the push after those that are known.
    pub(crate) async fn next(&self, token: &str, known: usize) -> Got {
        eventually(token, async || self.got(token).get(known).cloned()).await
    }

    /// How often it gave a token of its own.
    pub(crate) fn access_given(&self) -> u32 {
        self.shared.access.load(Ordering::SeqCst)
    }
}

impl Drop for Fcm {
    fn drop(&mut self) {
        let faults = self.shared.faults.lock();
        if !std::thread::panicking() {
            assert!(faults.is_empty(), "against the rules: {faults:?}");
        }
    }
}

async fn token(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let body = String::from_utf8_lossy(&body).into_owned();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let claim = body.strip_prefix(grant).unwrap_or_default();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_required_spec_claims(&["iss", "aud", "exp"]);
    rules.validate_aud = false;
    let key = DecodingKey::from_rsa_pem(RSA_PUB.as_bytes()).unwrap();
    match jsonwebtoken::decode::<Value>(claim, &key, &rules) {
        Ok(claim)
            if claim.claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
                && claim.claims["iss"] == "adda@test-project.iam.gserviceaccount.com" =>
        {
            let number = shared.access.fetch_add(1, Ordering::SeqCst) + 1;
            let given = json!({ "access_token": format!("access-{number}"), "expires_in": 3600 });
            axum::Json(given).into_response()
        }
        wrong => {
            shared.faults.lock().push(format!("{wrong:?}"));
            StatusCode::BAD_REQUEST.into_response()
        }
    }
}

async fn send(
    State(shared): State<Arc<Shared>>,
    version: Version,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let access = headers.get("authorization").and_then(|value| value.to_str().ok());
    let given = (1..=shared.access.load(Ordering::SeqCst)).map(|at| format!("Bearer access-{at}"));
    let mut wrong = Vec::new();
    if version != Version::HTTP_2 {
        wrong.push(format!("{version:?}"));
    }
    if uri.path() != "/v1/projects/test-project/messages:send" {
        wrong.push(uri.to_string());
    }
    if !given.into_iter().any(|given| Some(given.as_str()) == access) {
        wrong.push("not with a token that was given".to_owned());
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = body["message"].clone();
    let token = message["token"].as_str().unwrap_or_default().to_owned();
    let mut payload = message.clone();
    payload.as_object_mut().map(|fields| fields.remove("token"));
    if token.is_empty() || payload.to_string().len() > 4_096 {
        wrong.push("a body that does not fit".to_owned());
    }
    shared.faults.lock().extend(wrong);
    *shared.asked.lock().entry(token.clone()).or_default() += 1;
    let does = shared.script.lock().get_mut(&token).and_then(VecDeque::pop_front);
    let Some(does) = does else {
        shared.got.lock().push(Got { token, message, at: Instant::now() });
        return axum::Json(json!({ "name": "projects/test-project/messages/1" })).into_response();
    };
    match does {
        Does::Unregistered => refused(StatusCode::NOT_FOUND, "NOT_FOUND", "UNREGISTERED"),
        Does::BadToken => refused(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        Does::TooMany(after) => {
            let mut answer =
                refused(StatusCode::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED");
            answer.headers_mut().insert("retry-after", after.into());
            answer
        }
        Does::AwayUntil(after) => {
            let mut answer = refused(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "UNAVAILABLE");
            let at = SystemClock.now().plus(Duration::from_secs(after));
            let at = jiff::Timestamp::from_millisecond(at.0).unwrap();
            let at = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at);
            answer.headers_mut().insert("retry-after", at.unwrap().parse().unwrap());
            answer
        }
        Does::Unavailable => refused(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "UNAVAILABLE"),
        Does::Hang => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            StatusCode::OK.into_response()
        }
        // hyper cuts the connection of a task that panics.
        Does::Reset => std::panic::resume_unwind(Box::new("reset")),
        Does::Unauthorized => {
            let status = json!({ "error": { "status": "UNAUTHENTICATED" } });
            (StatusCode::UNAUTHORIZED, axum::Json(status)).into_response()
        }
    }
}

fn refused(status: StatusCode, name: &str, code: &str) -> Response {
    let detail = json!({
        "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
        "errorCode": code,
    });
    let body = json!({ "error": { "code": status.as_u16(), "status": name, "details": [detail] } });
    (status, axum::Json(body)).into_response()
}
