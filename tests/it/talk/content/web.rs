//! The same from a browser.

use adda::proto;

use super::{reacted, say};
use crate::on_both_backends;
use crate::world::{Refusal, Web, World, token};

on_both_backends! { a_browser_edits_reacts_finds_and_deletes }

async fn a_browser_edits_reacts_finds_and_deletes(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat_id, "helo").await;
    let mut bob = world.connect("bob", "phone").await;
    let web = Web::new(world.addr(0), token("alice"));
    let (chat, message_id) = (|| chat_id.clone(), || of.id.clone());

    let emoji = || "👍".to_owned();
    let request =
        proto::AddReactionRequest { chat_id: chat(), message_id: message_id(), emoji: emoji() };
    let came: proto::AddReactionResponse = web.call("AddReaction", &request).await.unwrap();
    assert_eq!(came.message.unwrap().reactions.len(), 1);
    assert_eq!(reacted(&mut bob, 1).await.user_id, "alice");
    let request =
        proto::RemoveReactionRequest { chat_id: chat(), message_id: message_id(), emoji: emoji() };
    let came: proto::RemoveReactionResponse = web.call("RemoveReaction", &request).await.unwrap();
    assert_eq!(came.message.unwrap().revision, 2);

    let request = proto::EditMessageRequest {
        chat_id: chat(),
        message_id: message_id(),
        text: "hello".to_owned(),
        mentions: Vec::new(),
    };
    let came: proto::EditMessageResponse = web.call("EditMessage", &request).await.unwrap();
    assert_eq!(came.message.unwrap().text, "hello");
    let stranger = Web::new(world.addr(0), token("mallory"));
    let refused = stranger.call::<proto::EditMessageResponse>("EditMessage", &request).await;
    assert_eq!(Refusal::from(refused).what(), ("CHAT_NOT_FOUND", ""));

    let request = super::words("hello");
    let came: proto::SearchMessagesResponse = web.call("SearchMessages", &request).await.unwrap();
    assert_eq!(came.messages.len(), 1);

    for (scope, gone) in [(proto::DeleteScope::Me, false), (proto::DeleteScope::Everyone, true)] {
        let request = proto::DeleteMessageRequest {
            chat_id: chat(),
            message_id: message_id(),
            scope: scope.into(),
        };
        let came: proto::DeleteMessageResponse = web.call("DeleteMessage", &request).await.unwrap();
        let message = came.message.unwrap();
        assert_eq!((message.hidden, message.deleted_at.is_some()), (true, gone));
    }
}
