//! Where the token comes from: it was given, or a development server gives one to anybody.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use super::trouble::Trouble;

/// Where tokens come from.
#[derive(Clone)]
pub(super) struct SignIn {
    kind: Kind,
    held: Arc<Mutex<Option<String>>>,
}

#[derive(Clone)]
enum Kind {
    /// There is this one, and no other.
    Given,
    /// `POST /dev/token`.
    Development { http: reqwest::Client, url: String, user: String, name: String },
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

impl SignIn {
    /// With a token that its user brought.
    pub(super) fn given(token: String) -> Self {
        Self { kind: Kind::Given, held: Arc::new(Mutex::new(Some(token))) }
    }

    /// With the tokens of a development server.
    pub(super) fn development(server: &str, user: &str, name: &str) -> Result<Self, String> {
        // An error says that there is one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .map_err(|error| error.to_string())?;
        let url = format!("{}/dev/token", server.trim_end_matches('/'));
        let kind = Kind::Development { http, url, user: user.into(), name: name.into() };
        Ok(Self { kind, held: Arc::default() })
    }

    /// Whether there may be a newer token than the one that is held.
    pub(super) fn renews(&self) -> bool {
        matches!(self.kind, Kind::Development { .. })
    }

    /// A token; `fresh`: another than the one that is held.
    pub(super) async fn token(&self, fresh: bool) -> Result<String, Trouble> {
        let held = self.held.lock().clone();
        match (&self.kind, held) {
            (Kind::Given, Some(token)) if !fresh => Ok(token),
            (Kind::Given, _) => Err(Trouble::Over(
                "the server does not take the token, or not any more; give a new one".into(),
            )),
            (Kind::Development { .. }, Some(token)) if !fresh => Ok(token),
            (Kind::Development { http, url, user, name }, _) => {
                let who = json!({ "user": user, "name": name });
                let token = ask(http.post(url).json(&who)).await?;
                *self.held.lock() = Some(token.clone());
                Ok(token)
            }
        }
    }
}

async fn ask(request: reqwest::RequestBuilder) -> Result<String, Trouble> {
    let cut = |_| Trouble::Cut("the server is away".into());
    let response = request.send().await.map_err(cut)?;
    match response.status().as_u16() {
        200 => Ok(response.json::<Answer>().await.map_err(cut)?.token),
        404 | 405 => Err(Trouble::Over(
            "the server does not sign in by name, which development servers do; give a token \
             with --token"
                .into(),
        )),
        400 => {
            let why = response.text().await.unwrap_or_default();
            Err(Trouble::Over(format!("the server does not take this user: {why}")))
        }
        other => Err(Trouble::Cut(format!("signing in failed with HTTP status {other}"))),
    }
}
