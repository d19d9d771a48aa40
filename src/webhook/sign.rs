//! How a request says that it comes from us: after the specification Standard Webhooks
//! (<https://www.standardwebhooks.com>), which has libraries for many languages.
//!
//! `webhook-signature: v1,BASE64` is the HMAC-SHA-256 of `ID.TIMESTAMP.BODY`, where ID and
//! TIMESTAMP (seconds since the epoch) are the headers `webhook-id` and `webhook-timestamp`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// What requests are signed with.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    /// From text: `whsec_` and base64, or else the bytes of the text itself; `None`: less than 24
    /// bytes, or more than 64.
    pub fn parse(text: &str) -> Option<Self> {
        let key = match text.strip_prefix("whsec_") {
            Some(coded) => STANDARD.decode(coded).ok()?,
            None => text.as_bytes().to_vec(),
        };
        (24..=64).contains(&key.len()).then_some(Self(key))
    }

    /// The header `webhook-signature`.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A short name for an endpoint, which tells nothing of it.
pub(super) fn name_of(url: &str) -> String {
    let hash = Sha256::digest(url.as_bytes());
    let first = hash.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{first:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_is_long_enough_and_never_shown() {
        assert!(Key::parse("short").is_none());
        assert!(Key::parse(&"x".repeat(65)).is_none());
        assert!(Key::parse("whsec_!").is_none());
        let key = Key::parse(&"s".repeat(24)).unwrap();
        assert!(!format!("{key:?}").contains('s'));
    }
}
