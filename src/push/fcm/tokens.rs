//! Tokens for Google: asked for with a signed claim, kept until shortly before they lapse.
//!
//! One asks, the others wait for what comes of it.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, Header};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Account;
use crate::clock::Clock;

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long a claim is good; Google takes no more.
const CLAIM: Duration = Duration::from_secs(3600);
/// A token is used no longer than this before it lapses.
const EARLY: Duration = Duration::from_secs(300);
/// How long asking may take.
const WITHIN: Duration = Duration::from_secs(10);
/// After a refusal nobody asks again for this long.
const PAUSE: Duration = Duration::from_secs(1);

/// The token in use.
pub(super) struct Tokens {
    account: Account,
    clock: Arc<dyn Clock>,
    client: reqwest::Client,
    now: tokio::sync::Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<(String, Instant)>,
    failed: Option<Instant>,
}

#[derive(Serialize)]
struct Claim<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

impl Tokens {
    pub(super) fn new(account: Account, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("adda/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { account, clock, client, now: tokio::sync::Mutex::default() })
    }

    /// A token that is good, as far as is known, and is not this one.
    pub(super) async fn get(&self, refused: Option<&str>) -> Result<String, &'static str> {
        let mut now = self.now.lock().await;
        if let Some((token, until)) = &now.token
            && *until > Instant::now()
            && refused != Some(token)
        {
            return Ok(token.clone());
        }
        if now.failed.is_some_and(|at| at.elapsed() < PAUSE) {
            return Err("no token from Google");
        }
        now.token = None;
        match self.ask().await {
            Ok(given) => {
                let good = Duration::from_secs(given.expires_in).saturating_sub(EARLY);
                let until = Instant::now() + good.max(PAUSE);
                now.failed = None;
                now.token = Some((given.access_token.clone(), until));
                Ok(given.access_token)
            }
            Err(why) => {
                tracing::error!(why, "Google gives no token for pushes");
                now.failed = Some(Instant::now());
                Err("no token from Google")
            }
        }
    }

    async fn ask(&self) -> Result<Given, &'static str> {
        let account = &self.account;
        let issued = u64::try_from(self.clock.now().0 / 1000).unwrap_or(0);
        let claim = Claim {
            iss: &account.client_email,
            scope: SCOPE,
            aud: &account.token_uri,
            iat: issued,
            exp: issued + CLAIM.as_secs(),
        };
        let key = account.key().map_err(|_| "the key is none")?;
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(account.private_key_id.clone()).filter(|id| !id.is_empty());
        let claim =
            jsonwebtoken::encode(&header, &claim, &key).map_err(|_| "it cannot be signed")?;
        let body = format!("grant_type={}&assertion={claim}", GRANT.replace(':', "%3A"));
        let request = self.client.post(&account.token_uri);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await.map_err(|_| "it cannot be reached")?;
        if !answer.status().is_success() {
            return Err("it refuses");
        }
        answer.json().await.map_err(|_| "its answer cannot be read")
    }
}
