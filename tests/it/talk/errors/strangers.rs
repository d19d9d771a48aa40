//! A stranger learns nothing, not even whether a chat exists.

use adda::proto;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use tonic::Code;

use super::Twin;
use crate::on_both_backends;
use crate::world::{Api, Refusal, World, chat, history, send, unique};

on_both_backends! {
    a_chat_one_is_not_in_and_none_are_the_same,
    what_can_be_no_id_is_of_no_chat,
    a_message_of_another_chat_is_none,
}

/// What calls about a chat say that have no twin.
async fn calls(api: &mut Api, chat: &str) -> Vec<Refusal> {
    let chat_id = || chat.to_owned();
    let list = proto::ListMessagesRequest { chat_id: chat_id(), ..Default::default() };
    let before = proto::ListMessagesRequest {
        anchor: Some(proto::list_messages_request::Anchor::BeforeSeq(0)),
        page_token: "not one".to_owned(),
        ..list.clone()
    };
    let beyond = proto::MarkChatReadRequest { chat_id: chat_id(), up_to_seq: 1_000_000 };
    let read = proto::MarkChatReadRequest { chat_id: chat_id(), up_to_seq: 0 };
    let message =
        proto::MarkMessageReadRequest { chat_id: chat_id(), message_id: "not one".to_owned() };
    let message_id = || "not one".to_owned();
    let edit = proto::EditMessageRequest {
        chat_id: chat_id(),
        message_id: message_id(),
        ..Default::default()
    };
    let delete = |scope: proto::DeleteScope| proto::DeleteMessageRequest {
        chat_id: chat_id(),
        message_id: message_id(),
        scope: scope.into(),
    };
    let emoji = String::new();
    let (add, remove) = (
        proto::AddReactionRequest {
            chat_id: chat_id(),
            message_id: message_id(),
            emoji: emoji.clone(),
        },
        proto::RemoveReactionRequest { chat_id: chat_id(), message_id: message_id(), emoji },
    );
    vec![
        Refusal::from(api.edit_message(edit).await),
        Refusal::from(api.delete_message(delete(proto::DeleteScope::Everyone)).await),
        Refusal::from(api.delete_message(delete(proto::DeleteScope::Me)).await),
        Refusal::from(api.add_reaction(add).await),
        Refusal::from(api.remove_reaction(remove).await),
        Refusal::from(api.get_chat(proto::GetChatRequest { chat_id: chat_id() }).await),
        Refusal::from(api.list_messages(list).await),
        Refusal::from(api.list_messages(before).await),
        Refusal::from(api.mark_chat_read(read).await),
        Refusal::from(api.mark_chat_read(beyond).await),
        Refusal::from(api.mark_message_read(message).await),
    ]
}

async fn a_chat_one_is_not_in_and_none_are_the_same(world: World) {
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let direct = world.direct("alice", "bob").await;
    let group = world.group("alice", &["bob"]).await;
    let mut alice = world.api("alice").await;
    for chat in [&direct, &group] {
        send(&mut alice, chat, "m1", "hello").await;
        // All that is told of it is then told, but perhaps for the chat itself.
        while bob.message().await.text != "hello" {}
    }
    let before = [chat(&mut alice, &direct).await, chat(&mut alice, &group).await];
    let mut mallory = world.connect("mallory", "phone").await;
    let mut api = mallory.api.clone();
    let mut all = Vec::new();
    for of in [&direct, &group, &unique(), &mallory.ready.session_id.clone()] {
        let mut refusals = calls(&mut api, of).await;
        for twin in Twin::all(of) {
            refusals.push(twin.refused(&mut mallory).await);
        }
        all.extend(refusals);
    }
    for refused in &all {
        assert_eq!(refused, &all[0]);
    }
    assert_eq!((all[0].code, all[0].what()), (Code::NotFound, ("CHAT_NOT_FOUND", "")));
    assert!(!all[0].retry && all[0].metadata.is_empty());

    assert_eq!([chat(&mut alice, &direct).await, chat(&mut alice, &group).await], before);
    assert_eq!(history(&mut alice, &direct).await.len(), 1);
    bob.settle().await;
    let disturbs = |frame: &Frame| match frame {
        Frame::Event(event) => match &event.event {
            Some(Event::ChatUpdated(updated)) => {
                let told = updated.chat.as_ref().unwrap();
                !before
                    .iter()
                    .any(|chat| told.chat_id == chat.chat_id && told.revision <= chat.revision)
            }
            _ => true,
        },
        _ => false,
    };
    let mut seen = bob.take_seen();
    seen.retain(disturbs);
    assert_eq!(seen, [], "bob went on undisturbed");
}

async fn what_can_be_no_id_is_of_no_chat(world: World) {
    let real = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    let mut api = live.api.clone();
    let plain = real.replace('-', "");
    let long = "x".repeat(10_000);
    for odd in ["{\"$gt\":\"\"}", "../..", "a\0", ".*(a+)+$", "১", "%", &plain, &long, " ", "null"]
    {
        let mut refusals = calls(&mut api, odd).await;
        for twin in Twin::all(odd) {
            refusals.push(twin.refused(&mut live).await);
        }
        for refused in refusals {
            assert_eq!(refused.what(), ("CHAT_NOT_FOUND", ""), "{odd:?}");
            assert!(odd == " " || !refused.message.contains(odd), "it is not repeated");
        }
    }
    let mut unset = calls(&mut api, "").await;
    for twin in Twin::all("") {
        unset.push(twin.refused(&mut live).await);
    }
    for refused in unset {
        assert_eq!(
            (refused.code, refused.what()),
            (Code::InvalidArgument, ("FIELD_INVALID", "chat_id"))
        );
    }
}

async fn a_message_of_another_chat_is_none(world: World) {
    let (one, two) = (world.direct("alice", "bob").await, world.direct("carol", "bob").await);
    let mut alice = world.connect("alice", "phone").await;
    let foreign = send(&mut world.api("carol").await, &two, "m1", "hello").await.message_id;
    let mut api = alice.api.clone();
    for odd in [foreign.as_str(), &unique(), "{\"$gt\":\"\"}", "../..", "a\0"] {
        let reply = proto::MessageSend {
            reply_to_message_id: odd.to_owned(),
            ..crate::world::message(&one, "reply", "hello")
        };
        let refused = Twin::Send(reply).refused(&mut alice).await;
        assert_eq!(
            (refused.code, refused.what()),
            (Code::NotFound, ("MESSAGE_NOT_FOUND", "reply_to_message_id"))
        );
        let (chat_id, message_id) = (one.clone(), odd.to_owned());
        let mark = proto::MarkMessageReadRequest { chat_id, message_id };
        let refused = Refusal::from(api.mark_message_read(mark).await);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, "MESSAGE_NOT_FOUND"));
        assert!(!refused.retry);
    }
    assert!(history(&mut api, &one).await.is_empty());
    let first = alice.send(&one, "m1", "hello").await;
    let reply = proto::MessageSend {
        reply_to_message_id: first.message_id.clone(),
        ..crate::world::message(&one, "m2", "indeed")
    };
    alice.ask(Twin::Send(reply).command()).await;
    let reply = history(&mut api, &one).await.remove(1);
    assert_eq!((reply.reply_to_message_id, reply.reply_to_seq), (first.message_id, 1));
}
