//! Coming and going, as others are told of it.

use std::time::Duration;

use adda::clock::{Clock as _, SystemClock};

use super::{comes, friends, goes, join, leave, seen, went};
use crate::on_both_backends;
use crate::world::{World, send};

on_both_backends! {
    with super::super::FLAGS;
    coming_and_going_are_told_to_friends,
    the_last_device_that_goes_is_what_counts,
    a_stranger_is_told_nothing,
    who_is_there_is_told_after_caught_up,
    a_group_on_screen_shows_its_members,
    nodes_tell_each_other,
}

async fn coming_and_going_are_told_to_friends(world: World) {
    friends(&world, "alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let before = SystemClock.now();
    let mut alice = world.connect("alice", "phone").await;
    let ready = alice.ready.server_time.unwrap();
    let since = comes(&mut bob, "alice").await.unwrap();
    let millis = |at: prost_types::Timestamp| at.seconds * 1000 + i64::from(at.nanos / 1_000_000);
    assert!(before.0 <= millis(since) && millis(since) <= millis(ready), "{since:?} {ready:?}");
    alice.end();
    let last = goes(&mut bob, "alice").await.unwrap();
    assert!((last.seconds, last.nanos) >= (since.seconds, since.nanos));
    // A connection that is cut, without a word.
    let alice = world.connect("alice", "phone").await;
    comes(&mut bob, "alice").await;
    drop(alice);
    goes(&mut bob, "alice").await;
    assert!(went(&mut bob).is_empty(), "each once");
}

async fn the_last_device_that_goes_is_what_counts(world: World) {
    friends(&world, "alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let mut phone = world.connect("alice", "phone").await;
    comes(&mut bob, "alice").await;
    let mut laptop = world.connect("alice", "laptop").await;
    laptop.caught_up().await;
    phone.end();
    while !matches!(phone.came().await, crate::world::Came::End) {}
    // Long enough for a grace to have passed, if one had been counted.
    tokio::time::sleep(Duration::from_millis(600)).await;
    bob.settle().await;
    assert!(went(&mut bob).is_empty(), "the laptop is still there");
    laptop.end();
    goes(&mut bob, "alice").await;
}

async fn a_stranger_is_told_nothing(world: World) {
    // Mallory writes to alice, who has not answered.
    let chat = world.direct("mallory", "alice").await;
    let mut watcher = world.api("mallory").await;
    send(&mut watcher, &chat, "m1", "hello?").await;
    let mut mallory = world.connect("mallory", "phone").await;
    mallory.ask(join(&chat)).await;
    let mut alice = world.connect("alice", "phone").await;
    // She, for her part, has had a letter of his.
    comes(&mut alice, "mallory").await;
    assert!(crate::world::chat(&mut watcher, &chat).await.presence.is_none());
    alice.end();
    while !matches!(alice.came().await, crate::world::Came::End) {}
    tokio::time::sleep(Duration::from_millis(600)).await;
    mallory.settle().await;
    assert_eq!(seen(&mut mallory), []);

    let mut alice = world.connect("alice", "phone").await;
    send(&mut world.api("alice").await, &chat, "m2", "hello").await;
    assert!(crate::world::chat(&mut watcher, &chat).await.presence.unwrap().is_online);
    alice.end();
    goes(&mut mallory, "alice").await;
}

async fn who_is_there_is_told_after_caught_up(world: World) {
    for friend in ["bob", "carol", "dave"] {
        friends(&world, "alice", friend).await;
    }
    let _bob = world.connect("bob", "phone").await;
    let _carol = world.connect("carol", "phone").await;
    let mut alice = world.connect("alice", "phone").await;
    alice.caught_up().await;
    comes(&mut alice, "bob").await;
    comes(&mut alice, "carol").await;
    let again = alice.hello("phone");
    let mut alice = crate::world::Live::open(world.api("alice").await, again).await.unwrap();
    comes(&mut alice, "bob").await;
    comes(&mut alice, "carol").await;
    alice.settle().await;
    // That someone is there may be told twice: by who looks, and by who comes.
    let others = seen(&mut alice);
    assert!(
        others.iter().all(|(user, came)| user != "dave" && *came),
        "dave is not there: {others:?}"
    );
}

async fn a_group_on_screen_shows_its_members(world: World) {
    let group = world.group("alice", &["bob", "carol"]).await;
    let mut alice = world.connect("alice", "phone").await;
    let mut carol = world.connect("carol", "phone").await;
    let mut bob = world.connect("bob", "phone").await;
    alice.done(join(&group)).await;
    comes(&mut alice, "bob").await;
    comes(&mut alice, "carol").await;
    carol.end();
    goes(&mut alice, "carol").await;
    let mut carol = world.connect("carol", "phone").await;
    comes(&mut alice, "carol").await;
    alice.done(leave(&group)).await;
    carol.end();
    while !matches!(carol.came().await, crate::world::Came::End) {}
    tokio::time::sleep(Duration::from_millis(600)).await;
    alice.settle().await;
    assert!(went(&mut alice).is_empty(), "alice does not look any more");
    bob.settle().await;
    assert_eq!(seen(&mut bob), [], "bob does not look");
}

async fn nodes_tell_each_other(mut world: World) {
    if !world.has_several_nodes() {
        return;
    }
    let other = world.add_node(super::FLAGS).await;
    friends(&world, "alice", "bob").await;
    let group = world.group("carol", &["alice"]).await;
    let mut bob = world.connect("bob", "phone").await;
    let mut carol = world.connect("carol", "phone").await;
    carol.done(join(&group)).await;
    let mut alice = world.connect_at(other, "alice", "phone").await;
    comes(&mut bob, "alice").await;
    comes(&mut carol, "alice").await;
    // From one node to the other: no flicker.
    let mut moved = world.connect("alice", "phone").await;
    assert_eq!(alice.closed().await.reason(), adda::proto::CloseReason::Superseded);
    tokio::time::sleep(Duration::from_millis(600)).await;
    for live in [&mut bob, &mut carol] {
        live.settle().await;
        assert!(went(live).is_empty());
    }
    moved.end();
    goes(&mut bob, "alice").await;
    goes(&mut carol, "alice").await;
}
