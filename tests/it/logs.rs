//! What the program logs, at its most talkative: never message text, never a token.

use crate::infra::adda::Adda;
use crate::world::{Live, api, message, send, token};

#[tokio::test(flavor = "multi_thread")]
async fn no_text_and_no_token_is_ever_logged() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    let mut server =
        Adda::start(&store, "memory:", &["--log-level", "trace", "--log", "json"]).await;
    let (alice, bob) = (token("alice"), token("bob"));
    let mut calls = api(server.addr(), alice.clone()).await;
    let request = adda::proto::CreateChatRequest {
        kind: adda::proto::ChatKind::Direct.into(),
        member_ids: vec!["bob".to_owned()],
        ..adda::proto::CreateChatRequest::default()
    };
    let chat = calls.create_chat(request).await.unwrap().into_inner().chat.unwrap().chat_id;
    let hello = adda::proto::Hello { device_id: "phone".to_owned(), ..Default::default() };
    let mut live = Live::open(api(server.addr(), bob.clone()).await, hello).await.unwrap();
    send(&mut calls, &chat, "m1", "the-needle").await;
    assert_eq!(live.message().await.text, "the-needle");
    let refused =
        adda::proto::SendMessageRequest { message: Some(message(&chat, "m1", "another-needle")) };
    calls.send_message(refused).await.unwrap_err();
    let nothing = adda::proto::GetChatRequest::default();
    api(server.addr(), format!("{alice}x")).await.get_chat(nothing).await.unwrap_err();
    server.leave().await;
    let log = server.log();
    assert!(log.contains("a stream opens"), "it logs at this level");
    let secrets = [alice.as_str(), bob.as_str(), "needle", adda::config::DEV_SECRET];
    for secret in secrets {
        assert!(!log.contains(secret), "the log has {secret:.12}…");
    }
}
