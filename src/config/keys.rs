//! The keys of tokens: what verifies them, and what signs one by hand.

use std::path::Path;
use std::time::Duration;

use super::args::{TokenArgs, TokenKeys};
use super::check::Checked;
use super::{DEV_SECRET, JwksSource, Refused, Secret, Tokens, Url};
use crate::model::UserId;

/// The least a secret for HS256 may have: as much as the hash (RFC 7518, 3.2).
const MIN_SECRET: usize = 32;

impl TokenArgs {
    /// The user, and the secret to sign with.
    pub fn check(&self) -> Checked<(UserId, Secret)> {
        let user = UserId::parse(&self.user).ok_or_else(|| {
            Refused::new("--user", "ADDA_TOKEN_USER", "1 to 64 of A-Z a-z 0-9 _ . : @ -")
        })?;
        if self.ttl.is_zero() || self.ttl > Duration::from_secs(10 * 366 * 24 * 3600) {
            return Err(Refused::new("--ttl", "ADDA_TOKEN_TTL", "above 0, at most 10 years"));
        }
        filled("--jwt-issuer", "JWT_ISSUER", self.jwt_issuer.as_deref())?;
        filled("--jwt-audience", "JWT_AUDIENCE", self.jwt_audience.as_deref())?;
        let secret = self.jwt_secret.clone().unwrap_or_else(|| DEV_SECRET.into());
        if secret.expose().is_empty() {
            return Err(Refused::new("--jwt-secret", "JWT_SECRET", "is empty"));
        }
        Ok((user, secret))
    }
}

/// Checks what verifies tokens; there must be something.
pub(super) fn tokens(keys: &TokenKeys, dev: bool) -> Checked<Tokens> {
    let mut secret = keys.jwt_secret.clone();
    if let Some(given) = &secret {
        if given.expose().is_empty() {
            return Err(Refused::new("--jwt-secret", "JWT_SECRET", "is empty"));
        }
        if !dev && given.expose().len() < MIN_SECRET {
            let why = format!("at least {MIN_SECRET} bytes, or it can be guessed");
            return Err(Refused::new("--jwt-secret", "JWT_SECRET", why));
        }
        if !dev && given.expose() == DEV_SECRET {
            let why = "is the secret of development mode, known to everybody";
            return Err(Refused::new("--jwt-secret", "JWT_SECRET", why));
        }
    }
    if dev && secret.is_none() {
        secret = Some(DEV_SECRET.into());
    }
    if secret.is_none() && keys.jwt_public_key.is_none() && keys.jwks.is_none() {
        return Err(Refused::new(
            "--jwt-secret",
            "JWT_SECRET",
            "no key to verify tokens with; set this, --jwt-public-key (JWT_PUBLIC_KEY) or --jwks \
             (JWT_JWKS), or use --dev",
        ));
    }
    filled("--jwt-issuer", "JWT_ISSUER", keys.jwt_issuer.as_deref())?;
    filled("--jwt-audience", "JWT_AUDIENCE", keys.jwt_audience.as_deref())?;
    if keys.token_leeway > Duration::from_secs(600) {
        return Err(Refused::new("--token-leeway", "ADDA_TOKEN_LEEWAY", "at most 10m"));
    }
    Ok(Tokens {
        secret,
        public_key: keys.jwt_public_key.as_deref().map(public_key).transpose()?,
        jwks: keys.jwks.as_ref().map(jwks).transpose()?,
        issuer: keys.jwt_issuer.clone(),
        audience: keys.jwt_audience.clone(),
        leeway: keys.token_leeway,
    })
}

fn public_key(path: &Path) -> Checked<String> {
    let refuse = |why: String| Refused::new("--jwt-public-key", "JWT_PUBLIC_KEY", why);
    std::fs::read_to_string(path)
        .map_err(|error| refuse(format!("cannot read {}: {error}", path.display())))
}

fn jwks(place: &Secret) -> Checked<JwksSource> {
    let refuse = |why: String| Refused::new("--jwks", "JWT_JWKS", why);
    let place = place.expose();
    if place.starts_with("https://") || place.starts_with("http://") {
        return match reqwest::Url::parse(place) {
            Ok(_) => Ok(JwksSource::Url(Url::new(place))),
            Err(_) => Err(refuse("not a URL".to_owned())),
        };
    }
    match std::fs::metadata(place) {
        Ok(_) => Ok(JwksSource::File(place.into())),
        Err(error) => Err(refuse(format!("neither an http(s) URL nor a file: {error}"))),
    }
}

fn filled(flag: &str, env: &str, value: Option<&str>) -> Checked<()> {
    match value {
        Some(text) if text.trim().is_empty() => Err(Refused::new(flag, env, "is empty")),
        _ => Ok(()),
    }
}
