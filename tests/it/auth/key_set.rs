//! Tokens signed with keys of a set that is fetched.

use std::sync::atomic::AtomicUsize;

use adda::config::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A JSON Web Key Set on a real port, that counts who asks.
struct KeySet {
    url: String,
    asked: Arc<AtomicUsize>,
    /// What it answers; empty: it hangs up.
    says: Arc<parking_lot::Mutex<String>>,
}

impl KeySet {
    async fn start(says: String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let says = Arc::new(parking_lot::Mutex::new(says));
        let (counted, body) = (Arc::clone(&asked), Arc::clone(&says));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (counted, body) = (Arc::clone(&counted), Arc::clone(&body));
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 4096]).await;
                    counted.fetch_add(1, Ordering::SeqCst);
                    let body = body.lock().clone();
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                        body.len()
                    );
                    if !body.is_empty() {
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
        Self { url, asked, says }
    }

    fn tokens(&self) -> Tokens {
        Tokens { jwks: Some(JwksSource::Url(Url::new(self.url.as_str()))), ..tokens() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A set of the public halves of these keys.
fn set(keys: &[(&str, Algorithm, &EncodingKey)]) -> String {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(kid, algorithm, key)| {
            let mut jwk = Jwk::from_encoding_key(key, *algorithm).unwrap();
            jwk.common.key_id = Some((*kid).to_owned());
            serde_json::to_value(jwk).unwrap()
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_unknown_keys_are_one_fetch_a_minute() {
    let ec = EncodingKey::from_ec_pem(EC.as_bytes()).unwrap();
    let ed = EncodingKey::from_ed_pem(ED.as_bytes()).unwrap();
    let server = KeySet::start(set(&[("one", Algorithm::ES256, &ec)])).await;
    let clock = Owned::new();
    let verifier = Arc::new(Verifier::open(&server.tokens(), clock.clone()).await.unwrap());
    assert_eq!(server.asked(), 1);
    let known = sign(Algorithm::ES256, &ec, Some("one"), json!({}));
    assert!(verifier.verify(&known).await.is_ok());

    for minute in 1..4 {
        clock.advance(Duration::from_secs(60));
        let calls = (0..1000).map(|n| {
            let kid = if n % 2 == 0 { format!("k{n}") } else { "../../etc/passwd".to_owned() };
            let token = forged(&json!({"alg": "ES256", "kid": kid}), b"x");
            let verifier = Arc::clone(&verifier);
            tokio::spawn(async move { verifier.verify(&token).await.unwrap_err().reason })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), Reason::TokenInvalid);
        }
        assert_eq!(server.asked(), 1 + minute, "one fetch in minute {minute}");
    }
    let long = sign(Algorithm::ES256, &ec, Some(&"k".repeat(10_000)), json!({}));
    assert_eq!(verifier.verify(&long).await.unwrap_err().reason, Reason::TokenInvalid);

    // A new key is taken once the minute is over, the old one no more.
    *server.says.lock() = set(&[("two", Algorithm::EdDSA, &ed)]);
    let rotated = sign(Algorithm::EdDSA, &ed, Some("two"), json!({}));
    assert!(verifier.verify(&rotated).await.is_err(), "not asked again within the minute");
    clock.advance(Duration::from_secs(60));
    assert_eq!(verifier.verify(&rotated).await.unwrap().user.as_str(), "alice");
    assert!(verifier.verify(&known).await.is_err());

    // A fetch that fails leaves the keys as they are.
    for broken in [String::new(), "<html>".to_owned(), "x".repeat(300_000)] {
        *server.says.lock() = broken;
        clock.advance(Duration::from_secs(60));
        let before = server.asked();
        assert!(verifier.verify(&known).await.is_err());
        assert!(server.asked() > before);
        assert!(verifier.verify(&rotated).await.is_ok());
    }
}

#[tokio::test]
async fn a_key_of_a_set_is_good_for_its_own_algorithm_alone() {
    let rsa = EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap();
    let ec = EncodingKey::from_ec_pem(EC.as_bytes()).unwrap();
    let keys = set(&[("r", Algorithm::RS256, &rsa), ("e", Algorithm::ES256, &ec)]);
    let server = KeySet::start(keys).await;
    let verifier = Verifier::open(&server.tokens(), Owned::new()).await.unwrap();
    let ok = async |algorithm, key: &EncodingKey, kid| {
        verifier.verify(&sign(algorithm, key, kid, json!({}))).await.is_ok()
    };
    assert!(ok(Algorithm::RS256, &rsa, Some("r")).await);
    assert!(ok(Algorithm::ES256, &ec, Some("e")).await);
    assert!(ok(Algorithm::ES256, &ec, None).await, "without kid, by the algorithm");
    assert!(!ok(Algorithm::ES256, &ec, Some("r")).await);
    assert!(!ok(Algorithm::RS384, &rsa, Some("r")).await);
    assert!(!ok(Algorithm::HS256, &EncodingKey::from_secret(RSA_PUB.as_bytes()), Some("r")).await);
}

#[tokio::test]
async fn a_set_that_was_never_there_says_try_again() {
    let server = KeySet::start(String::new()).await;
    let clock = Owned::new();
    let verifier = Verifier::open(&server.tokens(), clock.clone()).await.unwrap();
    let ec = EncodingKey::from_ec_pem(EC.as_bytes()).unwrap();
    let token = sign(Algorithm::ES256, &ec, Some("one"), json!({}));
    let error = verifier.verify(&token).await.unwrap_err();
    assert_eq!(error.reason, Reason::Internal);
    assert!(error.retry_after.is_some());
    *server.says.lock() = set(&[("one", Algorithm::ES256, &ec)]);
    clock.advance(Duration::from_secs(60));
    assert!(verifier.verify(&token).await.is_ok());
}
