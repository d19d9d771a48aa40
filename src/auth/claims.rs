//! From the claims of a token whose signature is good to a [`Caller`].

use serde_json::{Map, Value};
use std::time::Duration;
use unicode_normalization::UnicodeNormalization;

use super::Caller;
use crate::clock::Timestamp;
use crate::error::{Error, Reason, Result};
use crate::model::UserId;

/// The longest display name, in characters.
const MAX_NAME: usize = 128;
/// The longest URL of a picture, in bytes.
const MAX_PICTURE: usize = 2048;
/// More scopes than this are left out.
const MAX_SCOPES: usize = 64;
/// 9999-12-31T23:59:59Z, in seconds: what is later is no time.
const LAST: f64 = 253_402_300_799.0;

/// What a token must say.
pub(super) struct Rules {
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) leeway: Duration,
}

impl Rules {
    /// Who the claims speak of, if they speak to us, now.
    pub(super) fn caller(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Caller> {
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(invalid("the token is of another issuer, or does not say (iss)"));
        }
        if let Some(audience) = &self.audience
            && !is_for(claims.get("aud"), audience)
        {
            return Err(invalid("the token is for another audience, or does not say (aud)"));
        }
        let user = claims
            .get("sub")
            .and_then(Value::as_str)
            .and_then(UserId::parse)
            .ok_or_else(|| invalid("sub must be 1 to 64 of A-Z a-z 0-9 _ . : @ -"))?;
        let expires_at = time(claims, "exp")?.ok_or_else(|| invalid("the token has no exp"))?;
        let not_before = time(claims, "nbf")?.unwrap_or_default();
        let issued_at = time(claims, "iat")?.unwrap_or_default();
        if not_before > now.plus(self.leeway) {
            return Err(invalid("the token is not good yet (nbf)"));
        }
        if now >= expires_at.plus(self.leeway) {
            return Err(Error::new(Reason::TokenExpired, "the token has expired (exp)"));
        }
        Ok(Caller {
            user,
            name: claims.get("name").and_then(Value::as_str).and_then(name),
            picture: claims.get("picture").and_then(Value::as_str).and_then(picture),
            issued_at: issued_at.min(now),
            expires_at,
            scopes: scopes(claims),
        })
    }
}

pub(super) fn invalid(why: &'static str) -> Error {
    Error::new(Reason::TokenInvalid, why)
}

fn is_for(claim: Option<&Value>, audience: &str) -> bool {
    match claim {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    }
}

/// Seconds since the epoch, perhaps with a fraction.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>> {
    let seconds = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(_) => None,
    };
    match seconds {
        #[expect(clippy::cast_possible_truncation, reason = "bounded just here")]
        Some(at) if (0.0..=LAST).contains(&at) => Ok(Some(Timestamp((at * 1000.0) as i64))),
        _ => Err(Error::new(Reason::TokenInvalid, format!("{name} is not a time"))),
    }
}

/// As others will see it: on one line, cut where it is too long.
fn name(claim: &str) -> Option<String> {
    let text: String = claim.nfc().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn picture(claim: &str) -> Option<String> {
    let fine = claim.len() <= MAX_PICTURE
        && claim.starts_with("https://")
        && reqwest::Url::parse(claim).is_ok();
    fine.then(|| claim.to_owned())
}

fn scopes(claims: &Map<String, Value>) -> Vec<String> {
    match (claims.get("scope"), claims.get("scp")) {
        (Some(Value::String(scopes)), _) => {
            scopes.split_ascii_whitespace().take(MAX_SCOPES).map(str::to_owned).collect()
        }
        (_, Some(Value::Array(scopes))) => {
            scopes.iter().filter_map(Value::as_str).take(MAX_SCOPES).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_000_000_000_000);

    fn caller(more: &Value) -> Result<Caller> {
        let rules = Rules { issuer: None, audience: None, leeway: Duration::from_secs(60) };
        let mut claims = json!({"sub": "alice", "exp": 1_000_000_100});
        for (key, value) in more.as_object().unwrap() {
            claims[key] = value.clone();
        }
        rules.caller(claims.as_object().unwrap(), NOW)
    }

    #[test]
    fn a_name_is_one_line_composed_and_cut() {
        let name = |of: &str| caller(&json!({"name": of})).unwrap().name;
        assert_eq!(name("Zoe\u{308}\n\u{0}"), Some("Zoë".to_owned()));
        assert_eq!(name(" \t\u{7f} "), None);
        assert_eq!(name(&"আ".repeat(200)).unwrap().chars().count(), 128);
        assert_eq!(caller(&json!({"name": 7})).unwrap().name, None);
    }

    #[test]
    fn a_picture_is_https_or_none() {
        let picture = |of: &str| caller(&json!({"picture": of})).unwrap().picture;
        assert!(picture("https://a.example/p.png").is_some());
        let long = format!("https://a.example/{}", "p".repeat(2048));
        for bad in ["http://a.example/p.png", "javascript:alert(1)", "https://", "", &long] {
            assert_eq!(picture(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_good_until_the_leeway_after_exp() {
        let at = |exp: Value| caller(&json!({ "exp": exp })).map_err(|error| error.reason);
        assert_eq!(at(json!(1_000_000_000 - 59)).unwrap().expires_at, Timestamp(999_999_941_000));
        assert_eq!(at(json!(1_000_000_000 - 60)), Err(Reason::TokenExpired));
        assert_eq!(at(json!(1_000_000_000.5)).unwrap().expires_at, Timestamp(1_000_000_000_500));
        for bad in [json!("1000000100"), json!(-1), json!(1e300), json!(u64::MAX), json!(null)] {
            assert_eq!(at(bad), Err(Reason::TokenInvalid));
        }
    }

    #[test]
    fn a_token_of_the_future_does_not_outlive_its_time() {
        assert_eq!(caller(&json!({"iat": 2_000_000_000})).unwrap().issued_at, NOW);
        assert_eq!(caller(&json!({})).unwrap().issued_at, Timestamp(0));
        assert!(caller(&json!({"nbf": 1_000_000_060})).is_ok());
        assert!(caller(&json!({"nbf": 1_000_000_061})).is_err());
    }

    #[test]
    fn scopes_come_either_way() {
        assert_eq!(caller(&json!({"scope": "a  b"})).unwrap().scopes, ["a", "b"]);
        assert_eq!(caller(&json!({"scp": ["a", 1, "b"]})).unwrap().scopes, ["a", "b"]);
        assert!(caller(&json!({})).unwrap().scopes.is_empty());
    }
}
