//! Tokens that are none, at every call: no call looks at anything else before.

use adda::clock::{Clock as _, SystemClock};
use adda::config::DEV_SECRET;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tonic::Code;

use super::call::{Knocker, Way, rpcs};
use super::dump::Dump;
use crate::on_both_backends;
use crate::world::{Refusal, World};

on_both_backends! {
    with super::FLAGS;
    no_call_lets_in_who_shows_no_good_token,
}

const FLAGS: &[&str] = &["--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE];
const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "chat";
const RSA: &str = include_str!("../keys/test-only-rsa.pem");
const RSA_PUB: &str = include_str!("../keys/test-only-rsa.pub.pem");

/// In seconds.
fn now() -> i64 {
    SystemClock.now().0 / 1000
}

/// Good claims, but for these; null: left out.
fn claims(but: &Value) -> Value {
    let mut claims = json!({
        "sub": "alice", "iat": now(), "exp": now() + 600, "iss": ISSUER, "aud": AUDIENCE,
    });
    for (key, value) in but.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(key);
        } else {
            claims[key] = value.clone();
        }
    }
    claims
}

fn signed(but: &Value, secret: &[u8]) -> String {
    let key = EncodingKey::from_secret(secret);
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(but), &key).unwrap()
}

fn good() -> String {
    signed(&json!({}), DEV_SECRET.as_bytes())
}

/// What stands in `authorization`, and why it is refused.
fn forged() -> Vec<(&'static str, Vec<String>, &'static str)> {
    let bearer = |token: String| vec![format!("Bearer {token}")];
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(&json!({"alg": "none", "typ": "JWT"}));
    let unsigned = format!("{header}.{}.", part(&claims(&json!({}))));
    let rsa = EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap();
    let by_rsa =
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims(&json!({})), &rsa).unwrap();
    let mut cut = good();
    cut.truncate(cut.len() - 3);
    let mut all = vec![
        ("nothing", vec![], "TOKEN_MISSING"),
        ("no Bearer", vec![good()], "TOKEN_MISSING"),
        ("another scheme", vec![format!("Basic {}", good())], "TOKEN_MISSING"),
        ("two", [bearer(good()), bearer(good())].concat(), "TOKEN_INVALID"),
        ("no token", bearer("a.b.c".to_owned()), "TOKEN_INVALID"),
        ("signed by nobody", bearer(unsigned), "TOKEN_INVALID"),
        ("of another sort of key", bearer(by_rsa), "TOKEN_INVALID"),
        ("by what all know", bearer(signed(&json!({}), RSA_PUB.as_bytes())), "TOKEN_INVALID"),
        ("by another key", bearer(signed(&json!({}), &[7; 32])), "TOKEN_INVALID"),
        ("cut", bearer(cut), "TOKEN_INVALID"),
    ];
    for (what, but, reason) in [
        ("of another issuer", json!({"iss": "https://evil.example"}), "TOKEN_INVALID"),
        ("of no issuer", json!({"iss": null}), "TOKEN_INVALID"),
        ("for another audience", json!({"aud": "shop"}), "TOKEN_INVALID"),
        ("for no audience", json!({"aud": null}), "TOKEN_INVALID"),
        ("of nobody", json!({"sub": null}), "TOKEN_INVALID"),
        ("of an odd name", json!({"sub": "{\"$gt\":\"\"}"}), "TOKEN_INVALID"),
        ("expired", json!({"exp": now() - 3600}), "TOKEN_EXPIRED"),
        ("without an end", json!({"exp": null}), "TOKEN_INVALID"),
        ("with an end in words", json!({"exp": "tomorrow"}), "TOKEN_INVALID"),
        ("of before all time", json!({"exp": -1}), "TOKEN_INVALID"),
        ("of after all time", json!({"exp": 1e300}), "TOKEN_INVALID"),
        ("not good yet", json!({"nbf": now() + 3600}), "TOKEN_INVALID"),
    ] {
        all.push((what, bearer(signed(&but, DEV_SECRET.as_bytes())), reason));
    }
    all
}

async fn no_call_lets_in_who_shows_no_good_token(world: World) {
    let rpcs = rpcs();
    let list = rpcs.iter().find(|rpc| rpc.name == "ChatService/ListChats").unwrap();
    let friend = Knocker::with_token(world.addr(0), &good()).await;
    for way in Way::ALL {
        friend.call(way, list, vec![Bytes::new()]).await.expect("a good one is good");
    }
    let before = Dump::of(&world).await;
    for (what, authorization, reason) in forged() {
        let stranger = Knocker::signed(world.addr(0), authorization).await;
        for rpc in &rpcs {
            for way in Way::ALL {
                let came = stranger.call(way, rpc, vec![Bytes::new()]).await;
                let refused = Refusal::from(came);
                assert_eq!(
                    (refused.code, refused.what()),
                    (Code::Unauthenticated, (reason, "")),
                    "{} with one that is {what}, {way:?}",
                    rpc.name
                );
                assert!(!refused.retry && refused.metadata.is_empty());
            }
        }
    }
    let changes = before.changes(&Dump::of(&world).await);
    assert!(changes.is_empty(), "{changes:#?}");
    friend.call(Way::Native, list, vec![Bytes::new()]).await.expect("others go on");
}
