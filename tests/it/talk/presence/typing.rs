//! Who writes.

use std::time::{Duration, Instant};

use adda::proto;
use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;

use super::{join, leave};
use crate::on_both_backends;
use crate::world::{Live, World, hello};

on_both_backends! {
    typing_is_told_to_those_who_look,
    typing_ends_with_a_message_a_stop_and_the_session,
    typing_lapses_by_itself,
    by_a_call_it_ends_with_the_session_named,
    over_thirty_two_chats_the_first_is_left,
    nodes_tell_each_other,
}

fn start(chat: &str) -> Command {
    Command::TypingStart(proto::TypingStart { chat_id: chat.to_owned() })
}

fn stop(chat: &str) -> Command {
    Command::TypingStop(proto::TypingStop { chat_id: chat.to_owned() })
}

/// Waits for the next word of someone writing.
async fn typing(live: &mut Live) -> (String, String, bool) {
    live.event(|event| match event {
        Event::UserTyping(of) => Some((of.chat_id.clone(), of.user_id.clone(), of.typing)),
        _ => None,
    })
    .await
}

fn typings(live: &mut Live) -> usize {
    let of = |frame: &Frame| match frame {
        Frame::Event(event) => matches!(event.event, Some(Event::UserTyping(_))),
        _ => false,
    };
    live.take_seen().iter().filter(|frame| of(frame)).count()
}

/// A stream that has the chat on screen.
async fn looking(world: &World, node: usize, user: &str, chat: &str) -> Live {
    let mut live = world.connect_at(node, user, "looking").await;
    live.done(join(chat)).await;
    live
}

async fn typing_is_told_to_those_who_look(world: World) {
    let chat = world.group("alice", &["bob", "carol"]).await;
    let other = world.group("alice", &["bob", "carol"]).await;
    let mut bob = looking(&world, 0, "bob", &chat).await;
    let mut carol = looking(&world, 0, "carol", &other).await;
    let mut own = looking(&world, 0, "alice", &chat).await;
    let mut alice = looking(&world, 0, "alice", &chat).await;
    assert_eq!(own.closed().await.reason(), proto::CloseReason::Superseded);
    let mut own = world.connect("alice", "laptop").await;
    own.done(join(&chat)).await;
    let mut blind = world.connect("bob", "blind").await;
    let began = Instant::now();
    alice.done(start(&chat)).await;
    assert_eq!(typing(&mut bob).await, (chat.clone(), "alice".to_owned(), true));
    // More than one a second is dropped in silence.
    for _ in 0..20 {
        alice.done(start(&chat)).await;
    }
    bob.done(leave(&chat)).await;
    // One each second that this took, and its lapse.
    let mut allowed = 2 * usize::try_from(began.elapsed().as_secs()).unwrap();
    alice.send(&chat, "m1", "hello").await;
    for live in [&mut bob, &mut blind, &mut carol, &mut own, &mut alice] {
        live.wait(|frame| match frame {
            Frame::Event(proto::Event { event: Some(Event::MessageSent(sent)) }) => {
                (sent.message.as_ref().unwrap().client_message_id == "m1").then_some(())
            }
            _ => None,
        })
        .await;
        live.settle().await;
        assert!(typings(live) <= allowed, "{}", live.ready.user_id);
        // The others were told nothing at any time.
        allowed = 0;
    }
}

async fn typing_ends_with_a_message_a_stop_and_the_session(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut bob = looking(&world, 0, "bob", &chat).await;
    let told = |typing| (chat.clone(), "alice".to_owned(), typing);
    sooner_than_the_lapse(async |nth| {
        let mut alice = world.connect("alice", "phone").await;
        alice.done(start(&chat)).await;
        assert_eq!(typing(&mut bob).await, told(true));
        let began = Instant::now();
        alice.done(stop(&chat)).await;
        assert_eq!(typing(&mut bob).await, told(false));
        let by_stop = began.elapsed();
        alice.done(stop(&chat)).await;
        alice.done(start(&chat)).await;
        assert_eq!(typing(&mut bob).await, told(true));
        let began = Instant::now();
        alice.send(&chat, &format!("m{nth}"), "hello").await;
        assert_eq!(typing(&mut bob).await, told(false));
        let by_message = began.elapsed();
        alice.done(start(&chat)).await;
        assert_eq!(typing(&mut bob).await, told(true));
        let began = Instant::now();
        drop(alice);
        assert_eq!(typing(&mut bob).await, told(false));
        let by_end = began.elapsed();
        bob.settle().await;
        assert_eq!(typings(&mut bob), 0);
        by_stop.max(by_message).max(by_end)
    })
    .await;
}

/// Tries until what is to end at once took less than the 5 s after which it lapses.
async fn sooner_than_the_lapse(mut ends: impl AsyncFnMut(usize) -> Duration) {
    for nth in 0..5 {
        if ends(nth).await < Duration::from_secs(4) {
            return;
        }
    }
    panic!("it waited for the lapse each time");
}

async fn typing_lapses_by_itself(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut bob = looking(&world, 0, "bob", &chat).await;
    let mut api = world.api("alice").await;
    let request = |typing| proto::SetTypingRequest {
        chat_id: chat.clone(),
        typing,
        session_id: String::new(),
    };
    let mut went_on = false;
    for _ in 0..5 {
        api.set_typing(request(true)).await.unwrap();
        assert!(typing(&mut bob).await.2);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        // It goes on, unless this came too late.
        let again = Instant::now();
        api.set_typing(request(true)).await.unwrap();
        went_on = typing(&mut bob).await.2;
        if went_on {
            assert!(!typing(&mut bob).await.2);
            assert!(again.elapsed() > Duration::from_millis(4500), "5 s from the last sign");
            break;
        }
        assert!(typing(&mut bob).await.2, "then it begins anew");
        assert!(!typing(&mut bob).await.2);
    }
    assert!(went_on, "it lapsed each time");
    api.set_typing(request(true)).await.unwrap();
    assert!(typing(&mut bob).await.2);
    api.set_typing(request(false)).await.unwrap();
    assert!(!typing(&mut bob).await.2);
}

async fn by_a_call_it_ends_with_the_session_named(mut world: World) {
    let chat = world.direct("alice", "bob").await;
    let node = if world.has_several_nodes() { world.add_node(&[]).await } else { 0 };
    let mut bob = looking(&world, 0, "bob", &chat).await;
    // At another node than the session's own, where there is one.
    let mut api = world.api_at(node, "alice").await;
    sooner_than_the_lapse(async |_| {
        let web = Live::subscribe(world.api("alice").await, hello("web")).await.unwrap();
        let request = proto::SetTypingRequest {
            chat_id: chat.clone(),
            typing: true,
            session_id: web.ready.session_id.clone(),
        };
        api.set_typing(request).await.unwrap();
        assert!(typing(&mut bob).await.2);
        let began = Instant::now();
        drop(web);
        assert!(!typing(&mut bob).await.2);
        began.elapsed()
    })
    .await;
}

async fn over_thirty_two_chats_the_first_is_left(world: World) {
    let mut alice = world.connect("alice", "phone").await;
    let mut bob = world.connect("bob", "phone").await;
    let mut chats = Vec::new();
    for _ in 0..33 {
        let chat = world.group("bob", &["alice"]).await;
        alice.done(join(&chat)).await;
        chats.push(chat);
    }
    // Joining again is not joining later.
    alice.done(join(&chats[1])).await;
    for chat in [&chats[0], &chats[1], &chats[32]] {
        bob.done(start(chat)).await;
    }
    assert_eq!(typing(&mut alice).await.0, chats[1]);
    assert_eq!(typing(&mut alice).await.0, chats[32]);
}

async fn nodes_tell_each_other(mut world: World) {
    if !world.has_several_nodes() {
        return;
    }
    let other = world.add_node(&[]).await;
    let chat = world.direct("alice", "bob").await;
    let mut bob = looking(&world, other, "bob", &chat).await;
    let mut alice = world.connect("alice", "phone").await;
    for at in 0..10 {
        alice.done(start(&chat)).await;
        assert!(typing(&mut bob).await.2);
        alice.send(&chat, &format!("m{at}"), "hello").await;
        assert!(!typing(&mut bob).await.2);
    }
    // However close the two are, the end is the last that is heard.
    for _ in 0..20 {
        alice.command(start(&chat)).await;
        alice.done(stop(&chat)).await;
    }
    alice.send(&chat, "last", "hello").await;
    while bob.message().await.client_message_id != "last" {}
    let words = bob.take_seen().into_iter().filter_map(|frame| match frame {
        Frame::Event(proto::Event { event: Some(Event::UserTyping(of)) }) => Some(of.typing),
        _ => None,
    });
    assert_eq!(words.last(), Some(false));
}
