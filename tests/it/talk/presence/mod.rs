//! Who is there, and who writes: of the moment, and only for those whom it concerns.

mod ground;
mod shown;
mod told;
mod typing;

use adda::proto;
use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;

use crate::world::{Live, World, chat, send};

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

/// Who came (true) or went, in the order told.
fn seen(live: &mut Live) -> Vec<(String, bool)> {
    let came = |frame: Frame| match frame {
        Frame::Event(proto::Event { event: Some(Event::UserOnline(on)) }) => {
            Some((on.user_id, true))
        }
        Frame::Event(proto::Event { event: Some(Event::UserOffline(off)) }) => {
            Some((off.user_id, false))
        }
        _ => None,
    };
    live.take_seen().into_iter().filter_map(came).collect()
}

/// Who went. That someone is there may be told twice: by who looks, and by who comes.
fn went(live: &mut Live) -> Vec<String> {
    seen(live).into_iter().filter(|(_, came)| !came).map(|(user, _)| user).collect()
}

/// Waits until this user comes; since when.
async fn comes(live: &mut Live, user: &str) -> Option<prost_types::Timestamp> {
    live.event(|event| match event {
        Event::UserOnline(on) if on.user_id == user => Some(on.since),
        _ => None,
    })
    .await
}

/// Waits until this user goes; when last seen.
async fn goes(live: &mut Live, user: &str) -> Option<prost_types::Timestamp> {
    live.event(|event| match event {
        Event::UserOffline(off) if off.user_id == user => Some(off.last_active),
        _ => None,
    })
    .await
}

/// Waits until a call shows whether the other one is online.
async fn shown(world: &World, user: &str, chat_id: &str, online: bool) -> proto::Presence {
    let mut api = world.api(user).await;
    crate::world::eventually("presence is shown", async || {
        let presence = chat(&mut api, chat_id).await.presence;
        presence.filter(|presence| presence.is_online == online)
    })
    .await
}

fn beat(background: bool) -> Command {
    Command::Heartbeat(proto::Heartbeat { background: Some(background) })
}

fn join(chat: &str) -> Command {
    Command::JoinChat(proto::JoinChat { chat_id: chat.to_owned() })
}

fn leave(chat: &str) -> Command {
    Command::LeaveChat(proto::LeaveChat { chat_id: chat.to_owned() })
}
