//! Who sends more than one person does is held up, and nobody else is.

use adda::proto;
use adda::proto::connect_request::Command;
use tonic::Code;

use crate::world::{Backends, World, eventually, message};

#[tokio::test(flavor = "multi_thread")]
async fn one_message_more_than_allowed_waits() {
    let flags = ["--max-messages", "5"];
    let Some(world) = World::with(Backends::Sqlite, &flags).await else { return };
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.connect("alice", "phone").await;
    let mut bob = world.connect("bob", "phone").await;
    for nth in 0..5 {
        alice.send(&chat, &format!("a{nth}"), "quick").await;
    }
    let more = message(&chat, "more", "too quick");
    let refused = alice.refused(Command::MessageSend(more.clone())).await;
    assert_eq!(
        (refused.code, refused.reason.as_str(), refused.retry),
        (Code::ResourceExhausted, "RATE_LIMITED", true)
    );
    bob.send(&chat, "b", "my own pace").await;
    // A fifth of ten seconds makes room for one.
    let sent = eventually("room for one more", async || {
        let request = proto::SendMessageRequest { message: Some(more.clone()) };
        alice.api.send_message(request).await.ok()
    });
    assert!(!sent.await.into_inner().outcome.unwrap().duplicate);
}
