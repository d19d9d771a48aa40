//! Keys, each good for one algorithm: a token cannot choose how it is verified.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;

/// The least an RSA modulus may have: 2048 bits.
const MIN_RSA: usize = 256;

/// More keys of one set than this are left out.
const MAX_KEYS: usize = 64;

/// A key to verify with.
#[derive(Clone)]
pub(super) struct Key {
    /// What it verifies, and nothing else.
    pub(super) algorithm: Algorithm,
    /// What it is called in its set.
    pub(super) kid: Option<String>,
    pub(super) decoding: DecodingKey,
}

impl Key {
    pub(super) fn of_secret(secret: &str) -> Self {
        let key = DecodingKey::from_secret(secret.as_bytes());
        Self { algorithm: Algorithm::HS256, kid: None, decoding: key }
    }

    /// Takes what a PEM holds.
    pub(super) fn of_pem(pem: &str) -> Result<Self, &'static str> {
        if pem.contains("PRIVATE KEY-----") {
            return Err("holds a private key: give the server the public one alone");
        }
        let pem = pem.as_bytes();
        let rsa = DecodingKey::from_rsa_pem(pem).map(|key| (Algorithm::RS256, key));
        let ec = || DecodingKey::from_ec_pem(pem).map(|key| (Algorithm::ES256, key));
        let ed = || DecodingKey::from_ed_pem(pem).map(|key| (Algorithm::EdDSA, key));
        let (algorithm, key) = rsa
            .or_else(|_| ec())
            .or_else(|_| ed())
            .map_err(|_| "holds no public key in PEM, of RSA, P-256 or Ed25519")?;
        if algorithm == Algorithm::RS256
            && key.try_get_as_bytes().is_ok_and(|der| der.len() < MIN_RSA)
        {
            return Err("is an RSA key of fewer than 2048 bits");
        }
        Self { algorithm, kid: None, decoding: key }.fit()
    }

    fn of_jwk(jwk: &Jwk) -> Option<Self> {
        if jwk.common.public_key_use.as_ref().is_some_and(|of| *of != PublicKeyUse::Signature) {
            return None;
        }
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) if rsa.n.len() * 3 / 4 >= MIN_RSA => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::OctetKeyPair(ed) if ed.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            // A secret in a public set is nobody's secret.
            _ => return None,
        };
        if jwk.common.key_algorithm.is_some_and(|said| said != algorithm.into()) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Self { algorithm, kid: jwk.common.key_id.clone(), decoding: key }.fit().ok()
    }

    /// Tries it once: whether it can verify at all shows only then.
    fn fit(self) -> Result<Self, &'static str> {
        match crypto::verify("", b"", &self.decoding, self.algorithm) {
            Ok(_) => Ok(self),
            Err(_) => Err("is no key for RS256, ES256 or EdDSA"),
        }
    }
}

/// The keys of a set that can be used; those of other kinds are left out.
pub(super) fn of_set(json: &[u8]) -> Result<Vec<Key>, &'static str> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(json).map_err(|_| "is no JSON Web Key Set")?;
    let keys: Vec<Key> = set
        .keys
        .into_iter()
        .filter_map(|value| serde_json::from_value::<Jwk>(value).ok())
        .filter_map(|jwk| Key::of_jwk(&jwk))
        .take(MAX_KEYS)
        .collect();
    if keys.is_empty() { Err("holds no key for RS256, ES256 or EdDSA") } else { Ok(keys) }
}
