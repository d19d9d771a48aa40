//! What is said again late, and what is said too often.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adda::clock::{Clock, SystemClock, Timestamp};
use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, ack};

use super::Bystander;
use crate::on_both_backends;
use crate::world::{World, api, history, token_for};

on_both_backends! {
    what_is_sent_again_an_hour_later_is_a_duplicate,
    typing_without_a_pause_is_told_now_and_then,
}

/// An hour ahead of all others.
struct Later;

impl Clock for Later {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Duration::from_secs(3600))
    }

    fn new_id(&self) -> uuid::Uuid {
        SystemClock.new_id()
    }
}

/// At another node, where there may be several.
async fn what_is_sent_again_an_hour_later_is_a_duplicate(mut world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let first = crate::world::send(&mut alice, &chat, "m1", "hello").await;
    if !world.has_several_nodes() {
        world.leave(0).await;
    }
    let later = world.add_node_at(Arc::new(Later), &[]).await;
    let token = token_for("alice", Duration::from_secs(3 * 3600));
    let mut alice = api(world.addr(later), token).await;
    let again = crate::world::send(&mut alice, &chat, "m1", "hello").await;
    assert_eq!(again, proto::SendOutcome { duplicate: true, ..first });
    let message = Some(crate::world::message(&chat, "m1", "another"));
    let reused = alice.send_message(proto::SendMessageRequest { message }).await;
    assert_eq!(crate::world::Refusal::from(reused).reason, "CLIENT_ID_REUSED");
    assert_eq!(history(&mut alice, &chat).await.len(), 1);
}

async fn typing_without_a_pause_is_told_now_and_then(world: World) {
    let mut other = Bystander::at(&world).await;
    let chat = world.group("alice", &["bob"]).await;
    let mut alice = world.connect("alice", "phone").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.done(Command::JoinChat(proto::JoinChat { chat_id: chat.clone() })).await;
    let began = Instant::now();
    for _ in 0..200 {
        let start = proto::TypingStart { chat_id: chat.clone() };
        let came = alice.ask(Command::TypingStart(start)).await;
        assert!(matches!(came, ack::Result::Done(_)), "dropped in silence: {came:?}");
        let session_id = alice.ready.session_id.clone();
        let request = proto::SetTypingRequest { chat_id: chat.clone(), typing: true, session_id };
        alice.api.set_typing(request).await.expect("the call as well");
    }
    let most = began.elapsed().as_secs() + 2;
    alice.send(&chat, "m1", "that is all").await;
    bob.message().await;
    let began = bob.take_seen().into_iter().filter(|frame| match frame {
        Frame::Event(event) => {
            matches!(&event.event, Some(Event::UserTyping(of)) if of.typing)
        }
        _ => false,
    });
    let told = u64::try_from(began.count()).unwrap();
    assert!((1..=most).contains(&told), "{told} of 400, at most {most}");
    other.goes_on().await;
}
