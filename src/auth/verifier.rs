//! Whether a token is good.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::Caller;
use super::claims::{Rules, invalid};
use super::jwks::Jwks;
use super::keys::Key;
use crate::clock::Clock;
use crate::config::{Refused, Tokens};
use crate::error::{Error, Reason, Result};

/// The longest token.
const MAX_TOKEN: usize = 16 * 1024;

/// The longest name of a key.
const MAX_KID: usize = 256;

/// Decides whether a token is good, and whose it is.
pub struct Verifier {
    /// The secret and the key of the PEM file, whichever there are.
    keys: Vec<Key>,
    jwks: Option<Jwks>,
    rules: Rules,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// Takes the keys; refuses, by the name of its flag, one that cannot be used. A key set
    /// that cannot be fetched yet is no error: it is asked for again when a token needs it.
    pub async fn open(tokens: &Tokens, clock: Arc<dyn Clock>) -> Result<Self, Refused> {
        let mut keys = Vec::new();
        if let Some(secret) = &tokens.secret {
            keys.push(Key::of_secret(secret.expose()));
        }
        if let Some(pem) = &tokens.public_key {
            let key = Key::of_pem(pem)
                .map_err(|why| Refused::new("--jwt-public-key", "JWT_PUBLIC_KEY", why))?;
            keys.push(key);
        }
        let jwks = match &tokens.jwks {
            None => None,
            Some(source) => Some(
                Jwks::open(source.clone(), Arc::clone(&clock))
                    .await
                    .map_err(|error| Refused::new("--jwks", "JWT_JWKS", error.to_string()))?,
            ),
        };
        let rules = Rules {
            issuer: tokens.issuer.clone(),
            audience: tokens.audience.clone(),
            leeway: tokens.leeway,
        };
        Ok(Self { keys, jwks, rules, clock })
    }

    /// How long a token is taken beyond its `exp`.
    pub fn leeway(&self) -> Duration {
        self.rules.leeway
    }

    /// Whose token it is: `TokenInvalid` or `TokenExpired` if it is not good.
    ///
    /// Waits for nothing, unless the token names a key that the key set does not hold: then,
    /// at most once a minute, for the set to be fetched, up to 5 s.
    pub async fn verify(&self, token: &str) -> Result<Caller> {
        if token.len() > MAX_TOKEN {
            return Err(invalid("the token is too long"));
        }
        let header = decode_header(token)
            .map_err(|_| invalid("not a JWT signed HS256, RS256, ES256 or EdDSA"))?;
        let kid = header.kid.as_deref();
        if kid.is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(invalid("the name of the key (kid) is too long"));
        }
        if header.crit.is_some() {
            return Err(invalid("the token asks for extensions (crit) that are not known"));
        }
        let own = self.keys.iter().filter(|key| key.algorithm == header.alg);
        for key in own {
            if let Some(claims) = claims(token, key) {
                return self.rules.caller(&claims, self.clock.now());
            }
        }
        for key in self.set(kid, header.alg).await? {
            if let Some(claims) = claims(token, &key) {
                return self.rules.caller(&claims, self.clock.now());
            }
        }
        Err(invalid("the token is not signed with a key of ours"))
    }

    async fn set(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Vec<Key>> {
        let Some(jwks) = &self.jwks else { return Ok(Vec::new()) };
        if !matches!(algorithm, Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA) {
            return Ok(Vec::new());
        }
        jwks.find(kid, algorithm).await.ok_or_else(|| {
            Error::new(Reason::Internal, "the keys of tokens cannot be read; try again")
        })
    }
}

/// What the token says, if this key signed it. Times, issuer and audience are looked at
/// elsewhere: the library would read the machine's clock.
fn claims(token: &str, key: &Key) -> Option<Map<String, Value>> {
    let mut validation = Validation::new(key.algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims = HashSet::new();
    decode(token, &key.decoding, &validation).ok().map(|data| data.claims)
}
