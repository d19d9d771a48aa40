//! Tokens: what a hostile or broken one gets, and that the good ones get in.

mod key_set;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use adda::auth::{Caller, Verifier};
use adda::clock::{Clock, SystemClock, Timestamp};
use adda::config::{JwksSource, Tokens};
use adda::error::Reason;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const SECRET: &str = "a secret for tests, of 32 bytes and more";
const RSA: &str = include_str!("../keys/test-only-rsa.pem");
const RSA_PUB: &str = include_str!("../keys/test-only-rsa.pub.pem");
const EC: &str = include_str!("../keys/test-only-ec.pem");
const EC_PUB: &str = include_str!("../keys/test-only-ec.pub.pem");
const ED: &str = include_str!("../keys/test-only-ed.pem");
const ED_PUB: &str = include_str!("../keys/test-only-ed.pub.pem");

/// Now, by the clock of these tests, in seconds.
const NOW: i64 = 1_900_000_000;

/// A clock that the test moves.
struct Owned(AtomicI64);

impl Owned {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(NOW * 1000)))
    }

    fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Owned {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn new_id(&self) -> uuid::Uuid {
        SystemClock.new_id()
    }
}

fn tokens() -> Tokens {
    Tokens { leeway: Duration::from_secs(60), ..Tokens::default() }
}

fn with_secret() -> Tokens {
    Tokens { secret: Some(SECRET.into()), ..tokens() }
}

fn with_pem(pem: &str) -> Tokens {
    Tokens { public_key: Some(pem.to_owned()), ..tokens() }
}

async fn verify(tokens: Tokens, token: &str) -> Result<Caller, Reason> {
    let verifier = Verifier::open(&tokens, Owned::new()).await.unwrap();
    verifier.verify(token).await.map_err(|error| {
        assert!(!error.to_string().contains(token), "the token is in the error");
        error.reason
    })
}

fn claims(more: &Value) -> Value {
    let mut claims = json!({"sub": "alice", "exp": NOW + 600, "iat": NOW});
    for (key, value) in more.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(key);
        } else {
            claims[key] = value.clone();
        }
    }
    claims
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn sign(algorithm: Algorithm, key: &EncodingKey, kid: Option<&str>, more: Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &claims(&more), key).unwrap()
}

fn hs256(more: Value) -> String {
    sign(Algorithm::HS256, &EncodingKey::from_secret(SECRET.as_bytes()), None, more)
}

/// A token of any header, signed by nobody or by whom it likes.
fn forged(header: &Value, signature: &[u8]) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signature = URL_SAFE_NO_PAD.encode(signature);
    format!("{}.{}.{signature}", part(header), part(&claims(&json!({}))))
}

#[tokio::test]
async fn a_good_token_says_who_calls() {
    let token = hs256(json!({
        "name": "Alice", "picture": "https://a.example/a.png", "scope": "read send",
    }));
    let caller = verify(with_secret(), &token).await.unwrap();
    assert_eq!(caller.user.as_str(), "alice");
    assert_eq!(caller.name.as_deref(), Some("Alice"));
    assert_eq!(caller.picture.as_deref(), Some("https://a.example/a.png"));
    assert_eq!(caller.issued_at, Timestamp(NOW * 1000));
    assert_eq!(caller.expires_at, Timestamp((NOW + 600) * 1000));
    assert_eq!(caller.scopes, ["read", "send"]);
}

#[tokio::test]
async fn each_kind_of_key_verifies_its_own_algorithm() {
    let rsa = EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap();
    let ec = EncodingKey::from_ec_pem(EC.as_bytes()).unwrap();
    let ed = EncodingKey::from_ed_pem(ED.as_bytes()).unwrap();
    let all = [
        (Algorithm::RS256, rsa, RSA_PUB),
        (Algorithm::ES256, ec, EC_PUB),
        (Algorithm::EdDSA, ed, ED_PUB),
    ];
    for (algorithm, private, _) in &all {
        let token = sign(*algorithm, private, None, json!({}));
        for (other, _, public) in &all {
            let got = verify(with_pem(public), &token).await;
            assert_eq!(got.is_ok(), other == algorithm, "{algorithm:?} by {other:?}");
        }
        assert_eq!(verify(with_secret(), &token).await, Err(Reason::TokenInvalid));
    }
    let token = sign(Algorithm::RS512, &all[0].1, None, json!({}));
    assert_eq!(verify(with_pem(RSA_PUB), &token).await, Err(Reason::TokenInvalid));
    assert!(verify(with_pem(RSA_PUB), &hs256(json!({}))).await.is_err());
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_by_name() {
    for pem in ["", "no PEM", RSA, include_str!("../keys/test-only-tls.key.pem")] {
        let refused = Verifier::open(&with_pem(pem), Owned::new()).await.err().unwrap();
        assert!(refused.flag.contains("--jwt-public-key (JWT_PUBLIC_KEY)"), "{refused}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    for set in ["", "{}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}"] {
        std::fs::write(&path, set).unwrap();
        let tokens = Tokens { jwks: Some(JwksSource::File(path.clone())), ..tokens() };
        let refused = Verifier::open(&tokens, Owned::new()).await.err().unwrap();
        assert!(refused.flag.contains("--jwks (JWT_JWKS)"), "{refused}");
    }
}

#[tokio::test]
async fn a_token_cannot_choose_how_it_is_verified() {
    for alg in ["none", "None", "NONE", "", "HS256 ", "hs256"] {
        for signature in [&b""[..], b"x"] {
            let token = forged(&json!({"alg": alg, "typ": "JWT"}), signature);
            assert_eq!(verify(with_secret(), &token).await, Err(Reason::TokenInvalid), "{alg}");
        }
    }
    // HS256 with the text of the public key, or its bytes, as the secret.
    let der = jsonwebtoken::DecodingKey::from_rsa_pem(RSA_PUB.as_bytes()).unwrap();
    for secret in [RSA_PUB.as_bytes(), RSA_PUB.trim().as_bytes(), der.try_get_as_bytes().unwrap()] {
        let token = sign(Algorithm::HS256, &EncodingKey::from_secret(secret), None, json!({}));
        assert_eq!(verify(with_pem(RSA_PUB), &token).await, Err(Reason::TokenInvalid));
        let both = Tokens { secret: Some(SECRET.into()), ..with_pem(RSA_PUB) };
        assert_eq!(verify(both, &token).await, Err(Reason::TokenInvalid));
    }
    // A key that the token brings along.
    let own = EncodingKey::from_secret(b"mine");
    let jwk = Jwk::from_encoding_key(&own, Algorithm::HS256).unwrap();
    let header = Header { jwk: Some(jwk), ..Header::new(Algorithm::HS256) };
    let token = jsonwebtoken::encode(&header, &claims(&json!({})), &own).unwrap();
    assert_eq!(verify(with_secret(), &token).await, Err(Reason::TokenInvalid));
}

#[tokio::test]
async fn another_key_issuer_or_audience_is_not_ours() {
    let other = EncodingKey::from_secret(b"another secret of 32 bytes or more");
    let token = sign(Algorithm::HS256, &other, None, json!({}));
    assert_eq!(verify(with_secret(), &token).await, Err(Reason::TokenInvalid));

    let strict = || Tokens {
        issuer: Some("https://id.example".to_owned()),
        audience: Some("adda".to_owned()),
        ..with_secret()
    };
    let good = json!({"iss": "https://id.example", "aud": ["other", "adda"]});
    assert!(verify(strict(), &hs256(good.clone())).await.is_ok());
    for (claim, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!(["https://id.example"])),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", json!({"adda": 1})),
        ("aud", Value::Null),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("a b")),
        ("sub", json!("x".repeat(65))),
        ("sub", json!({"$gt": ""})),
        ("exp", Value::Null),
        ("exp", json!((NOW + 600).to_string())),
        ("exp", json!(-1)),
        ("exp", json!(1e18)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(true)),
        ("nbf", json!(NOW + 61)),
        ("nbf", json!("soon")),
    ] {
        let mut changed = good.clone();
        changed[claim] = value.clone();
        let got = verify(strict(), &hs256(changed)).await;
        assert_eq!(got, Err(Reason::TokenInvalid), "{claim}: {value}");
    }
    // `null` proper, which `claims` takes for leaving out.
    let token = jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &json!({"sub": "alice", "exp": null}),
        &EncodingKey::from_secret(SECRET.as_bytes()),
    );
    assert_eq!(verify(with_secret(), &token.unwrap()).await, Err(Reason::TokenInvalid));
}

#[tokio::test]
async fn an_expired_token_says_so_after_the_leeway() {
    let clock = Owned::new();
    let verifier = Verifier::open(&with_secret(), clock.clone()).await.unwrap();
    let token = hs256(json!({"exp": NOW + 10}));
    clock.advance(Duration::from_millis(69_999));
    assert!(verifier.verify(&token).await.is_ok());
    clock.advance(Duration::from_millis(1));
    assert_eq!(verifier.verify(&token).await.unwrap_err().reason, Reason::TokenExpired);
    // Whoever did not sign learns nothing of that.
    let other = EncodingKey::from_secret(b"another");
    let forged = sign(Algorithm::HS256, &other, None, json!({"exp": NOW - 1000}));
    assert_eq!(verifier.verify(&forged).await.unwrap_err().reason, Reason::TokenInvalid);
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let good = hs256(json!({}));
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let header = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let mut with_crit = Header::new(Algorithm::HS256);
    with_crit.crit = Some(vec!["exp".to_owned()]);
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        rest.to_owned(),
        format!("{rest}."),
        format!("{good}.{signature}"),
        format!("{good}\0"),
        format!("{rest}.{}", signature.to_uppercase()),
        "x".repeat(100_000),
        forged(&header, b"x"),
        jsonwebtoken::encode(&with_crit, &claims(&json!({})), &key).unwrap(),
    ] {
        let verifier = Verifier::open(&with_secret(), Owned::new()).await.unwrap();
        assert_eq!(verifier.verify(&bad).await.unwrap_err().reason, Reason::TokenInvalid);
    }
}
