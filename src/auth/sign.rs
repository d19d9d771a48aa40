//! Tokens for development: `adda token` and `POST /dev/token`.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::clock::{Clock, Timestamp};
use crate::config::{Secret, Tokens};
use crate::model::UserId;

/// Signs HS256.
#[derive(Clone, Debug)]
pub struct Signer {
    secret: Secret,
    issuer: Option<String>,
    audience: Option<String>,
    scope: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl Signer {
    /// Signs with this secret, as this issuer, for this audience.
    pub fn new(secret: Secret, issuer: Option<String>, audience: Option<String>) -> Self {
        Self { secret, issuer, audience, scope: None }
    }

    /// The same, for tokens of this scope.
    #[must_use]
    pub fn with_scope(self, scope: Option<String>) -> Self {
        Self { scope, ..self }
    }

    /// Signs what a server of these settings takes; `None`: it takes no HS256.
    pub fn of(tokens: &Tokens) -> Option<Self> {
        let secret = tokens.secret.clone()?;
        Some(Self::new(secret, tokens.issuer.clone(), tokens.audience.clone()))
    }

    /// A token of this user from now on, and when it expires.
    ///
    /// # Panics
    ///
    /// Never: text and numbers can be written, and HMAC takes any key.
    pub fn sign(
        &self,
        user: &UserId,
        name: Option<&str>,
        ttl: Duration,
        clock: &dyn Clock,
    ) -> (String, Timestamp) {
        let iat = clock.now().0 / 1000;
        let exp = iat.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX));
        let claims = Claims {
            sub: user.as_str(),
            name: name.filter(|name| !name.is_empty()),
            scope: self.scope.as_deref(),
            iat,
            exp,
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        let key = EncodingKey::from_secret(self.secret.expose().as_bytes());
        let token = encode(&Header::new(Algorithm::HS256), &claims, &key)
            .expect("text and numbers can be written, and HMAC takes any key");
        (token, Timestamp(exp.saturating_mul(1000)))
    }
}
