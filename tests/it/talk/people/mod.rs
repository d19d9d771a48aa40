//! People: who they are, whether they are here, whom they block, what they hide.

mod alike;
mod blocks;
mod calls;
mod nodes;
mod passes;
mod privacy;
mod renamed;

use adda::proto;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;

use crate::world::{Live, World, send};

/// A short grace, so that tests need not wait for the usual one.
const FLAGS: &[&str] = &["--presence-grace", "300ms"];

/// A direct chat in which both have written.
async fn friends(world: &World, one: &str, other: &str) -> String {
    let chat = world.direct(one, other).await;
    for user in [one, other] {
        send(&mut world.api(user).await, &chat, &format!("hi-{user}"), "hi").await;
    }
    chat
}

async fn block(world: &World, by: &str, whom: &str) {
    let request = proto::BlockUserRequest { user_id: whom.to_owned() };
    world.people(by).await.block_user(request).await.unwrap();
}

async fn unblock(world: &World, by: &str, whom: &str) {
    let request = proto::UnblockUserRequest { user_id: whom.to_owned() };
    world.people(by).await.unblock_user(request).await.unwrap();
}

async fn hide(world: &World, by: &str, last_active: bool, reads: bool) {
    let request = proto::UpdatePrivacyRequest {
        hide_last_active: Some(last_active),
        hide_read_receipts: Some(reads),
    };
    world.people(by).await.update_privacy(request).await.unwrap();
}

/// Waits until a message of this text is told.
async fn told(live: &mut Live, text: &str) {
    live.event(|event| match event {
        Event::MessageSent(sent) if sent.message.as_ref()?.text == text => Some(()),
        _ => None,
    })
    .await;
}

/// The events that came and were not waited for.
fn events(live: &mut Live) -> Vec<Event> {
    let event = |frame| match frame {
        Frame::Event(event) => event.event,
        _ => None,
    };
    live.take_seen().into_iter().filter_map(event).collect()
}

/// Whether an event tells of this user: that they write, are here, have received or read.
fn tells_of(event: &Event, user: &str) -> bool {
    match event {
        Event::UserTyping(of) => of.user_id == user,
        Event::UserOnline(of) => of.user_id == user,
        Event::UserOffline(of) => of.user_id == user,
        Event::MessageDelivered(of) => of.user_id == user,
        Event::MessageRead(of) => of.user_id == user,
        _ => false,
    }
}
