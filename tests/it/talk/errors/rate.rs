//! Who sends more than one person does is held up, and nobody else is.

use std::time::Instant;

use adda::proto::connect_request::Command;
use adda::proto::{self, ack};
use tonic::Code;

use crate::world::{Backends, Refusal, World, eventually, message};

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
