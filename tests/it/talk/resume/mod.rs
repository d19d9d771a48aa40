//! Coming back: what was missed, in order, once, and then what happens.

mod cut;
mod gap;
mod order;
mod replayed;

use adda::proto;
use adda::proto::ack;
use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;

use crate::world::{Came, Live, World, message, request};

/// Goes on from where another stream was.
pub(super) async fn resume(world: &World, user: &str, hello: proto::Hello) -> Live {
    let live = Live::open(world.api(user).await, hello).await.unwrap();
    assert_eq!(live.ready.resume_outcome(), proto::ResumeOutcome::Resumed);
    live
}

/// A stream that was caught up and is no more: what its next Hello says.
pub(super) async fn was_here(world: &World, user: &str) -> proto::Hello {
    let mut live = world.connect(user, "phone").await;
    live.caught_up().await;
    live.hello("phone")
}

/// Sends many messages at once.
async fn flood(world: &World, user: &str, chat: &str, first: usize, count: usize) {
    let mut live = world.connect(user, "flood").await;
    for at in first..first + count {
        let id = format!("m{at}");
        let send = Command::MessageSend(message(chat, &id, &format!("message {at}")));
        live.request(request(&id, Some(send))).await;
    }
    for at in first..first + count {
        let came = live.ack(&format!("m{at}")).await;
        assert!(matches!(came, ack::Result::SendOutcome(_)), "{came:?}");
    }
}

/// All frames up to CaughtUp, which is not among them.
async fn replay(live: &mut Live) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        match live.came().await {
            Came::Frame(Frame::CaughtUp(_)) => return frames,
            Came::Frame(frame) => frames.push(frame),
            other => panic!("{other:?}"),
        }
    }
}

/// All events of a replay.
pub(super) async fn replayed(live: &mut Live) -> Vec<Event> {
    replay(live).await.into_iter().filter_map(event).collect()
}

fn event(frame: Frame) -> Option<Event> {
    match frame {
        Frame::Event(event) => event.event,
        _ => None,
    }
}

/// The message of an event that tells of a new one.
fn sent(event: &Event) -> Option<&proto::Message> {
    match event {
        Event::MessageSent(sent) => sent.message.as_ref(),
        _ => None,
    }
}

/// The `seq` of each new message.
pub(super) fn seqs(events: &[Event]) -> Vec<u32> {
    events.iter().filter_map(sent).map(|message| message.seq).collect()
}
