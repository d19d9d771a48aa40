//! Who sends more than one person does is held up, and nobody else is.

use std::time::{Duration, Instant};

use adda::proto::connect_request::Command;
use adda::proto::{self, ack};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::world::{Backends, Live, Refusal, World, eventually, hello, message, token};

#[tokio::test(flavor = "multi_thread")]
async fn one_message_more_than_allowed_waits() {
    let flags = ["--max-messages", "5"];
    let Some(world) = World::with(Backends::Sqlite, &flags).await else { return };
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.connect("alice", "phone").await;
    let mut bob = world.connect("bob", "phone").await;
    let began = Instant::now();
    let mut sent = 0;
    let (more, refused) = loop {
        let next = message(&chat, &format!("a{sent}"), "quick");
        match alice.ask(Command::MessageSend(next.clone())).await {
            ack::Result::SendOutcome(_) => sent += 1,
            ack::Result::Error(error) => break (next, Refusal::of_error(&error)),
            other => panic!("{other:?}"),
        }
        // A fifth of ten seconds makes room for one.
        let room = 5 + began.elapsed().as_secs().div_ceil(2);
        assert!(sent <= room, "{sent} were let through");
    };
    assert!(sent >= 5, "only {sent} were let through");
    assert_eq!(
        (refused.code, refused.reason.as_str(), refused.retry),
        (Code::ResourceExhausted, "RATE_LIMITED", true)
    );
    bob.send(&chat, "b", "my own pace").await;
    let sent = eventually("room for one more", async || {
        let request = proto::SendMessageRequest { message: Some(more.clone()) };
        alice.api.send_message(request).await.ok()
    });
    assert!(!sent.await.into_inner().outcome.unwrap().duplicate);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_more_than_allowed_waits() {
    let flags = ["--rate-limits", "on", "--max-calls", "5"];
    let Some(world) = World::with(Backends::Sqlite, &flags).await else { return };
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let list = proto::ListChatsRequest::default;
    let refused = eventually("one is refused", async || {
        alice.list_chats(list()).await.err().map(|status| Refusal::of_status(&status))
    });
    let refused = refused.await;
    assert_eq!((refused.code, refused.what()), (Code::ResourceExhausted, ("RATE_LIMITED", "")));
    assert!(refused.retry);
    bob.list_chats(list()).await.expect("he has called for the first time");
    eventually("room for one more", async || alice.list_chats(list()).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_more_than_allowed_waits() {
    let flags = ["--rate-limits", "on", "--max-streams", "3"];
    let Some(world) = World::with(Backends::Sqlite, &flags).await else { return };
    for _ in 0..3 {
        Live::open(world.api("alice").await, hello("phone")).await.unwrap();
    }
    let status = Live::open(world.api("alice").await, hello("phone")).await.err().unwrap();
    let refused = Refusal::of_status(&status);
    assert_eq!((refused.reason.as_str(), refused.retry), ("RATE_LIMITED", true));
    let pause = status.get_error_details().retry_info().unwrap().retry_delay.unwrap();
    assert!(pause > Duration::from_secs(5) && pause <= Duration::from_secs(20), "{pause:?}");
    Live::open(world.api("bob").await, hello("phone")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_may_not_ask_for_all() {
    let flags = ["--rate-limits", "on", "--max-calls-per-address", "20"];
    let flags = [&flags[..], &["--trusted-proxy", "127.0.0.0/8"]].concat();
    let Some(world) = World::with(Backends::Sqlite, &flags).await else { return };
    let url = format!("http://{}", world.addr(0));
    let http = reqwest::Client::new();
    let ask = |from: &'static str| {
        let request = http.get(format!("{url}/healthz")).header("x-forwarded-for", from);
        async move { request.send().await.unwrap() }
    };
    let refused = eventually("one is refused", async || {
        let answer = ask("198.51.100.1").await;
        (answer.status() == 429).then_some(answer)
    });
    let after = refused.await.headers()["retry-after"].to_str().unwrap().parse::<u64>();
    assert!((1..=2).contains(&after.unwrap()));
    assert_eq!(ask("198.51.100.2").await.status(), 200, "another address");

    let list = proto::ListChatsRequest::default;
    let mut native = world.api("alice").await;
    let web = crate::world::Web::new(world.addr(0), token("alice"));
    native.list_chats(list()).await.expect("the proxy itself has not asked yet");
    let refused = eventually("one is refused", async || native.list_chats(list()).await.err());
    assert_eq!(Refusal::of_status(&refused.await).reason, "RATE_LIMITED");
    let refused = eventually("of the web too", async || {
        web.call::<proto::ListChatsResponse>("ListChats", &list()).await.err()
    });
    assert_eq!(Refusal::of_status(&refused.await).reason, "RATE_LIMITED");
}
