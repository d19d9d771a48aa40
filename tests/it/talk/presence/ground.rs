//! Streams in the background, and streams that come back soon.

use std::time::{Duration, Instant};

use adda::proto;
use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;

use super::{beat, comes, friends, goes, join, seen, shown, went};
use crate::on_both_backends;
use crate::world::{Live, World, hello, send};

on_both_backends! {
    with super::super::FLAGS;
    a_stream_in_the_background_does_not_look_online,
    a_stream_in_the_background_is_told_of_messages_alone,
    a_heartbeat_changes_it_either_way,
    the_last_heartbeat_counts,
    a_stream_that_ends_after_a_change_leaves_nothing,
    coming_back_to_the_foreground_brings_what_was_missed,
}

async fn in_background(world: &World, user: &str) -> Live {
    let hello = proto::Hello { background: true, ..hello("tablet") };
    let mut live = Live::open(world.api(user).await, hello).await.unwrap();
    live.caught_up().await;
    live
}

async fn a_stream_in_the_background_does_not_look_online(world: World) {
    let chat = friends(&world, "alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let mut alice = in_background(&world, "alice").await;
    assert!(!shown(&world, "bob", &chat, false).await.is_online);
    alice.end();
    while !matches!(alice.came().await, crate::world::Came::End) {}
    tokio::time::sleep(Duration::from_millis(600)).await;
    bob.settle().await;
    assert_eq!(seen(&mut bob), []);
    assert!(shown(&world, "bob", &chat, false).await.last_active.is_none(), "never seen");
}

async fn a_stream_in_the_background_is_told_of_messages_alone(world: World) {
    let chat = friends(&world, "alice", "bob").await;
    let mut alice = in_background(&world, "alice").await;
    alice.done(join(&chat)).await;
    let mut bob = world.connect("bob", "phone").await;
    let writes = Command::TypingStart(proto::TypingStart { chat_id: chat.clone() });
    bob.done(writes).await;
    bob.send(&chat, "m3", "there").await;
    assert_eq!(alice.message().await.seq, 3);
    // Of names one may hear at any time.
    let others = alice.take_seen().into_iter().filter(|frame| match frame {
        Frame::Event(event) => {
            !matches!(event.event, Some(Event::MessageSent(_) | Event::UserUpdated(_)))
        }
        _ => false,
    });
    assert_eq!(others.count(), 0);
}

async fn a_heartbeat_changes_it_either_way(world: World) {
    let chat = friends(&world, "alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let mut phone = in_background(&world, "alice").await;
    phone.done(beat(false)).await;
    comes(&mut bob, "alice").await;
    phone.done(Command::Heartbeat(proto::Heartbeat { background: None })).await;
    assert!(shown(&world, "bob", &chat, true).await.since.is_some());
    phone.done(beat(true)).await;
    goes(&mut bob, "alice").await;

    let web = Live::subscribe(world.api("alice").await, hello("web")).await.unwrap();
    comes(&mut bob, "alice").await;
    let mut api = world.api("alice").await;
    let session_id = web.ready.session_id.clone();
    for background in [true, false, true] {
        let beat = proto::HeartbeatRequest {
            session_id: session_id.clone(),
            background: Some(background),
        };
        api.heartbeat(beat).await.unwrap();
        if background {
            goes(&mut bob, "alice").await;
        } else {
            comes(&mut bob, "alice").await;
        }
    }
    assert!(went(&mut bob).is_empty());
}

async fn the_last_heartbeat_counts(world: World) {
    let chat = friends(&world, "alice", "bob").await;
    let mut alice = world.connect("alice", "phone").await;
    alice.caught_up().await;
    for _ in 0..20 {
        for background in [true, false] {
            alice.command(beat(background)).await;
        }
    }
    alice.settle().await;
    // What is shown may lag behind; where it comes to rest does not.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(shown(&world, "bob", &chat, true).await.is_online);
    alice.command(beat(false)).await;
    alice.command(beat(true)).await;
    shown(&world, "bob", &chat, false).await;
    for _ in 0..20 {
        alice.command(beat(false)).await;
        alice.command(beat(true)).await;
    }
    alice.settle().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    shown(&world, "bob", &chat, false).await;
}

async fn a_stream_that_ends_after_a_change_leaves_nothing(world: World) {
    let chat = friends(&world, "alice", "bob").await;
    for _ in 0..10 {
        let mut alice = in_background(&world, "alice").await;
        alice.command(beat(false)).await;
        alice.end();
        while !matches!(alice.came().await, crate::world::Came::End) {}
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    let began = Instant::now();
    shown(&world, "bob", &chat, false).await;
    // A place that is left behind lasts for its lease.
    assert!(began.elapsed() < Duration::from_secs(30), "a place was left behind");
}

async fn coming_back_to_the_foreground_brings_what_was_missed(world: World) {
    friends(&world, "alice", "bob").await;
    friends(&world, "alice", "carol").await;
    let group = world.group("alice", &["dave"]).await;
    let mut bob = world.connect("bob", "phone").await;
    let mut alice = world.connect("alice", "phone").await;
    alice.done(join(&group)).await;
    comes(&mut alice, "bob").await;
    alice.done(beat(true)).await;
    // That he is there may be told twice: as what is, and as what happens.
    seen(&mut alice);
    bob.end();
    while !matches!(bob.came().await, crate::world::Came::End) {}
    let _carol = world.connect("carol", "phone").await;
    let _dave = world.connect("dave", "phone").await;
    let chat = world.direct("alice", "bob").await;
    shown(&world, "alice", &chat, false).await;
    send(&mut world.api("bob").await, &chat, "m3", "gone").await;
    alice.message().await;
    assert_eq!(seen(&mut alice), [], "nothing meanwhile");
    alice.done(beat(false)).await;
    goes(&mut alice, "bob").await;
    comes(&mut alice, "carol").await;
    comes(&mut alice, "dave").await;
}

/// A phone whose connection is cut again and again, each time for less than the grace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quick_reconnect_does_not_flicker() {
    let flags = ["--presence-grace", "30s"];
    let world = World::with(crate::world::Backends::Sqlite, &flags).await.unwrap();
    let chat = friends(&world, "alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    for _ in 0..3 {
        let alice = world.connect("alice", "phone").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(alice);
        tokio::time::sleep(Duration::from_millis(1200)).await;
    }
    let mut alice = world.connect("alice", "phone").await;
    alice.send(&chat, "m3", "there").await;
    bob.message().await;
    assert!(went(&mut bob).is_empty(), "alice was never away for 30 s");
}
