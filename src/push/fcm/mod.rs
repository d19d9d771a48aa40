//! Firebase Cloud Messaging, HTTP v1: one message a request, many requests a connection.
//!
//! What its answers mean is told here, and nowhere else: see [`judge`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{Note, Sent};
use crate::clock::{Clock, Timestamp};

mod account;
mod gate;
mod message;
mod tokens;

pub use account::{Account, Bad};
use gate::{Gate, LONGEST};
use tokens::Tokens;

/// Where the service is.
pub const URL: &str = "https://fcm.googleapis.com";
/// How long one request may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a connection is waited for.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Connections, the next one for what the ones before have no room for: in 100 ms, which an answer
/// takes, as many as 10,000 a second want.
const LINES: usize = 10;
/// Requests under way on one of them: as many as such services take.
const ON_A_LINE: usize = 100;
/// The pause after a quota is used up, where the service does not say how long.
const QUOTA_PAUSE: Duration = Duration::from_secs(60);

/// Whose project, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who we are.
    pub account: Account,
    /// Where the service is, without a path: [`URL`], or a test's.
    pub url: String,
}

/// A client of one project.
pub struct Fcm {
    lines: Vec<Line>,
    url: String,
    tokens: Tokens,
    under_way: Semaphore,
    gate: Gate,
    clock: Arc<dyn Clock>,
}

impl Fcm {
    /// Speaks HTTP/2 from the first byte: also where that is not agreed on by TLS.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        // Fails only where one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let lines = (0..LINES).map(|_| Line::new()).collect::<Result<_, _>>()?;
        let project = &options.account.project_id;
        let url = format!("{}/v1/projects/{project}/messages:send", options.url);
        let tokens = Tokens::new(options.account, Arc::clone(&clock))?;
        let (under_way, gate) = (Semaphore::new(LINES * ON_A_LINE), Gate::default());
        Ok(Self { lines, url, tokens, under_way, gate, clock })
    }

    /// Waits until the service asks for a pause.
    pub async fn asked_to_pause(&self) {
        self.gate.asked().await;
    }

    /// What is left of the pause that was asked for.
    pub fn pause_left(&self) -> Duration {
        self.gate.left()
    }

    /// Asks the service nothing for so long.
    pub fn pause(&self, pause: Duration) {
        self.gate.close(pause);
    }

    /// Sends one; once more where our own token was refused. While the service wants to be left
    /// alone it is asked nothing.
    pub async fn send(&self, note: &Note) -> Sent {
        let Ok(_permit) = self.under_way.acquire().await else { return later("closed", None) };
        if let Some(after) = self.gate.wait() {
            return later("a pause the push service asked for", Some(after));
        }
        let message = message::of(note);
        let mut refused = None;
        loop {
            let token = match self.tokens.get(refused.as_deref()).await {
                Ok(token) => token,
                Err(why) => return later(why, None),
            };
            match self.post(&token, &message).await {
                Answer::Unauthorized if refused.is_none() => refused = Some(token),
                Answer::Unauthorized => return later("UNAUTHENTICATED", None),
                Answer::Sent(sent) => return sent,
            }
        }
    }

    /// The first line with a place. Where one became free behind our back, the first: one request
    /// too many waits there.
    fn line(&self) -> OnLine<'_> {
        self.lines.iter().find_map(Line::enter).unwrap_or_else(|| self.lines[0].squeeze_in())
    }

    async fn post(&self, token: &str, message: &serde_json::Value) -> Answer {
        let line = self.line();
        let request = line.0.client.post(&self.url).bearer_auth(token).json(message);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_timeout() => return Answer::Sent(later("no answer", None)),
            Err(_) => return Answer::Sent(later("the connection broke", None)),
        };
        let status = answer.status();
        if status.is_success() {
            return Answer::Sent(Sent::Taken);
        }
        let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|after| retry_after(after, self.clock.now()));
        let after = asked_pause(status, after);
        if let Some(pause) = after {
            self.gate.asked_to_close(pause);
        }
        let failure: Failure = answer.json().await.unwrap_or_default();
        judge(status, &failure.error, self.gate.wait().or(after))
    }
}

/// A connection, opened when it is needed.
struct Line {
    client: reqwest::Client,
    under_way: AtomicUsize,
}

/// A request on a line.
struct OnLine<'l>(&'l Line);

impl Line {
    fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .http2_prior_knowledge()
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(5))
            .connect_timeout(CONNECT_WITHIN)
            .timeout(WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("adda/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, under_way: AtomicUsize::new(0) })
    }

    /// A place on it, if one is free.
    fn enter(&self) -> Option<OnLine<'_>> {
        let entered = self.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |of| {
            (of < ON_A_LINE).then_some(of + 1)
        });
        entered.is_ok().then_some(OnLine(self))
    }

    fn squeeze_in(&self) -> OnLine<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        OnLine(self)
    }
}

impl Drop for OnLine<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

enum Answer {
    Sent(Sent),
    /// Our own token was not taken.
    Unauthorized,
}

#[derive(Debug, Default, Deserialize)]
struct Failure {
    #[serde(default)]
    error: Status,
}

/// A `google.rpc.Status` as JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    status: String,
    details: Vec<Detail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    #[serde(rename = "@type")]
    kind: String,
    #[serde(rename = "errorCode")]
    error_code: String,
}

/// How long after now it is: seconds, or a date; a date that is over is now. `None`: it is neither.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let dates = jiff::fmt::rfc2822::DateTimeParser::new();
    let date = dates.parse_timestamp(value).ok()?;
    Some(Timestamp(date.as_millisecond()).since(now))
}

/// For how long all leave the service alone after this answer.
fn asked_pause(status: StatusCode, after: Option<Duration>) -> Option<Duration> {
    let quota = status == StatusCode::TOO_MANY_REQUESTS;
    let after = after.filter(|_| quota || status.is_server_error());
    after.or(quota.then_some(QUOTA_PAUSE)).map(|after| after.min(LONGEST))
}

/// What an answer that is no success means. Of an invalid argument it is the kind of detail that
/// says whether the token is meant (FcmError alone) or what we sent (BadRequest).
fn judge(status: StatusCode, error: &Status, after: Option<Duration>) -> Answer {
    let codes = error.details.iter().map(|detail| detail.error_code.as_str());
    let code = codes.rev().find(|code| !code.is_empty()).unwrap_or(&error.status);
    let ours = error.details.iter().any(|detail| detail.kind.ends_with("google.rpc.BadRequest"));
    let of_fcm = error.details.iter().any(|detail| detail.kind.ends_with("FcmError"));
    Answer::Sent(match (status, code) {
        (StatusCode::NOT_FOUND, "UNREGISTERED") | (StatusCode::FORBIDDEN, "SENDER_ID_MISMATCH") => {
            Sent::Gone(code.to_owned())
        }
        (StatusCode::BAD_REQUEST, _) if of_fcm && !ours => Sent::Gone(code.to_owned()),
        (StatusCode::UNAUTHORIZED, "THIRD_PARTY_AUTH_ERROR") => Sent::Refused(code.to_owned()),
        (StatusCode::UNAUTHORIZED, _) => return Answer::Unauthorized,
        (status, _) if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
            later(named(status, code), after)
        }
        (status, code) => Sent::Refused(named(status, code)),
    })
}

fn named(status: StatusCode, code: &str) -> String {
    if code.is_empty() { status.as_u16().to_string() } else { code.to_owned() }
}

fn later(why: impl Into<String>, after: Option<Duration>) -> Sent {
    Sent::Later { why: why.into(), after }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(status: u16, error: impl Into<serde_json::Value>) -> Option<Sent> {
        let error = Status::deserialize(error.into()).unwrap();
        match judge(StatusCode::from_u16(status).unwrap(), &error, None) {
            Answer::Sent(sent) => Some(sent),
            Answer::Unauthorized => None,
        }
    }

    fn of_fcm(code: &str) -> serde_json::Value {
        let kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
        json!({ "status": "X", "details": [{ "@type": kind, "errorCode": code }] })
    }

    #[test]
    fn a_token_goes_only_where_it_is_meant() {
        let gone = |code: &str| Some(Sent::Gone(code.to_owned()));
        assert_eq!(judged(404, of_fcm("UNREGISTERED")), gone("UNREGISTERED"));
        assert_eq!(judged(403, of_fcm("SENDER_ID_MISMATCH")), gone("SENDER_ID_MISMATCH"));
        assert_eq!(judged(400, of_fcm("INVALID_ARGUMENT")), gone("INVALID_ARGUMENT"));
        let mut ours = of_fcm("INVALID_ARGUMENT");
        let bad = json!({ "@type": "type.googleapis.com/google.rpc.BadRequest" });
        ours["details"].as_array_mut().unwrap().push(bad);
        assert_eq!(judged(400, ours), Some(Sent::Refused("INVALID_ARGUMENT".to_owned())));
        assert_eq!(judged(404, json!({})), Some(Sent::Refused("404".to_owned())));
        assert_eq!(judged(400, json!({})), Some(Sent::Refused("400".to_owned())));
    }

    #[test]
    fn all_pause_where_it_is_asked_for() {
        let paused = |status: u16, after: Option<u64>| {
            let status = StatusCode::from_u16(status).unwrap();
            asked_pause(status, after.map(Duration::from_secs))
        };
        assert_eq!(paused(429, Some(7)), Some(Duration::from_secs(7)));
        assert_eq!(paused(429, None), Some(QUOTA_PAUSE));
        assert_eq!(paused(429, Some(u64::MAX)), Some(LONGEST));
        assert_eq!(paused(503, Some(7)), Some(Duration::from_secs(7)));
        assert_eq!(paused(503, None), None);
        assert_eq!(paused(404, Some(7)), None);
    }

    #[test]
    fn a_time_to_come_again_is_seconds_or_a_date() {
        let now = Timestamp(1_445_412_470_000);
        let after = |value| retry_after(value, now);
        assert_eq!(after(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(after("Wed, 21 Oct 2015 07:27:00 GMT"), Some(Duration::ZERO));
        for neither in ["", "soon", "-1", "1.5", "Wed, 21 Oct 2015"] {
            assert_eq!(after(neither), None, "{neither}");
        }
    }

    #[test]
    fn what_passes_is_tried_again() {
        assert_eq!(judged(401, json!({ "status": "UNAUTHENTICATED" })), None);
        for (status, code) in [(429, "QUOTA_EXCEEDED"), (503, "UNAVAILABLE"), (500, "INTERNAL")] {
            assert_eq!(judged(status, of_fcm(code)), Some(later(code, None)));
        }
    }
}
