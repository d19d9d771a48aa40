//! Editing.

use adda::proto;
use tonic::Code;

use super::{Place, edit, edited, say};
use crate::on_both_backends;
use crate::world::{
    Backends, Refusal, World, chat, eventually, history, message, run, send, token,
};

on_both_backends! {
    an_edit_reaches_every_device,
    the_same_text_again_changes_nothing,
    a_send_repeated_after_an_edit_is_a_duplicate,
    a_reply_to_what_was_edited_or_deleted_is_taken,
}

async fn an_edit_reaches_every_device(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat_id, "helo").await;
    let mut devices = vec![world.connect("alice", "phone").await];
    devices.push(world.connect("alice", "laptop").await);
    devices.push(world.connect("bob", "phone").await);
    devices[2].mark(&chat_id, vec![run(1, 1)], true).await;

    let answer = edit(&mut alice, &of, "he\u{301}llo").await.unwrap();
    assert_eq!((answer.text.as_str(), answer.revision, answer.seq), ("h\u{e9}llo", 1, 1));
    assert!(answer.edited_at.is_some() && answer.deleted_at.is_none());
    assert_eq!(answer.state(), proto::MessageState::Seen, "an answer has the ticks");
    for live in &mut devices {
        let told = edited(live, 1).await;
        let plain = proto::Message {
            state: 0,
            delivered_to: Vec::new(),
            read_by: Vec::new(),
            ..answer.clone()
        };
        assert_eq!(told, plain, "an event has none");
    }
    let mut bob = world.api("bob").await;
    assert_eq!(history(&mut bob, &chat_id).await[0].text, "h\u{e9}llo");
    let shown = chat(&mut bob, &chat_id).await;
    assert_eq!(shown.last_message.unwrap().text, "h\u{e9}llo");
    assert_eq!(shown.unread_count, Some(0), "what was read stays read");
    let again = edit(&mut alice, &of, "hello").await.unwrap();
    assert_eq!((again.revision, again.created_at), (2, answer.created_at));
}

async fn the_same_text_again_changes_nothing(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat_id, "hello").await;
    let same = edit(&mut alice, &of, "hello").await.unwrap();
    assert_eq!((same.revision, same.edited_at), (0, None));
    let first = edit(&mut alice, &of, "hullo").await.unwrap();
    let mut bob = world.connect("bob", "phone").await;
    let again = edit(&mut alice, &of, "hullo\0").await.unwrap();
    assert_eq!(again, first);
    let told = edited(&mut bob, 1).await;
    assert_eq!(told.text, "hullo", "told once more: the first may not have been");
}

async fn a_send_repeated_after_an_edit_is_a_duplicate(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let first = send(&mut alice, &chat_id, "m1", "hello").await;
    let of = Place { chat: chat_id.clone(), id: first.message_id.clone(), seq: 1 };
    edit(&mut alice, &of, "other").await.unwrap();
    let again = send(&mut alice, &chat_id, "m1", "hello").await;
    assert_eq!((again.message_id, again.duplicate), (first.message_id, true));
    let message = Some(message(&chat_id, "m1", "other"));
    let refused = alice.send_message(proto::SendMessageRequest { message }).await;
    assert_eq!(Refusal::from(refused).reason, "CLIENT_ID_REUSED");
    assert_eq!(history(&mut alice, &chat_id).await[0].text, "other");
}

async fn a_reply_to_what_was_edited_or_deleted_is_taken(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat_id, "hello").await;
    edit(&mut alice, &of, "other").await.unwrap();
    super::delete(&mut alice, &of, proto::DeleteScope::Everyone).await.unwrap();
    let reply = proto::MessageSend {
        reply_to_message_id: of.id.clone(),
        ..message(&chat_id, "reply", "which one?")
    };
    let request = proto::SendMessageRequest { message: Some(reply) };
    world.api("bob").await.send_message(request).await.unwrap();
    let reply = history(&mut alice, &chat_id).await.remove(1);
    assert_eq!((reply.reply_to_message_id, reply.reply_to_seq), (of.id, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_window_a_message_stays_as_it_is() {
    let world = World::with(Backends::Sqlite, &["--edit-window", "1s"]).await.unwrap();
    let chat_id = world.direct("alice", "bob").await;
    let live = world.connect("alice", "phone").await;
    let window = live.ready.limits.unwrap().edit_window.unwrap();
    assert_eq!((window.seconds, window.nanos), (1, 0));
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat_id, "hello").await;
    let refused = eventually("the window ends", async || {
        // Another text each time: the same is no edit.
        edit(&mut alice, &of, &crate::world::unique()).await.err()
    });
    let refused = Refusal::of_status(&refused.await);
    assert_eq!(
        (refused.code, refused.what()),
        (Code::FailedPrecondition, ("EDIT_WINDOW_OVER", ""))
    );
    assert_eq!((refused.limit(), refused.retry), (Some("1"), false));
    let kept = history(&mut alice, &chat_id).await.remove(0);
    // One whose answer was lost may still be repeated.
    assert_eq!(edit(&mut alice, &of, &kept.text).await.unwrap().revision, kept.revision);
    // Whoever edits through another way in meets the same window.
    let web = crate::world::Web::new(world.addr(0), token("alice"));
    let request = proto::EditMessageRequest {
        chat_id,
        message_id: of.id,
        text: "y".to_owned(),
        mentions: Vec::new(),
    };
    let refused = web.call::<proto::EditMessageResponse>("EditMessage", &request).await;
    assert_eq!(Refusal::from(refused).reason, "EDIT_WINDOW_OVER");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_counted_as_messages_are() {
    let world = World::with(Backends::Sqlite, &["--max-messages", "3"]).await.unwrap();
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat_id, "hello").await;
    for _ in 0..2 {
        super::react(&mut alice, &of, "👍").await.unwrap();
    }
    let mut refused = None;
    for at in 0..10 {
        refused = refused.or(edit(&mut alice, &of, &at.to_string()).await.err());
    }
    let refused = Refusal::of_status(&refused.expect("one too many"));
    assert_eq!((refused.reason.as_str(), refused.retry), ("RATE_LIMITED", true));
}
