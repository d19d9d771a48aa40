//! When it rings, and when not.
//!
//! That nothing came is known by what must come after it: the log is read in order, so once a
//! later message was pushed by a look, that look has passed all before it.

use std::time::Duration;

use adda::proto;
use adda::proto::event::Event;
use tokio::time::Instant;

use super::fake::Fcm;
use super::{mute, on_both, register, world};
use crate::world::{Backends, Live, World, run, send};

on_both! {
    who_has_no_stream_is_pushed_at_once,
    who_is_silent_is_pushed_after_a_while,
    who_acknowledges_reads_or_is_muted_is_not_pushed,
    a_device_in_the_foreground_holds_the_others_back,
    a_burst_is_two_pushes_at_most,
    a_phone_that_was_woken_acknowledges_in_the_background,
    the_service_is_asked_for_its_token_once,
}

/// Looks come soon.
const SOON: &[&str] = &["--push-after", "1s", "--push-hold", "4s"];
/// Later looks are as good as never: what comes, comes at once.
const LATE: &[&str] = &["--push-after", "500s", "--push-hold", "600s"];

async fn who_has_no_stream_is_pushed_at_once(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, LATE).await else { return };
    let chat = world.direct("alice", "bob").await;
    let phone = register(&world, "bob", "phone").await;
    let own = register(&world, "alice", "phone").await;
    let sent = send(&mut world.api("alice").await, &chat, "m1", "are you there?").await;
    let got = fcm.next(&phone, 0).await;
    assert_eq!(got.says(), ("Alice", "are you there?"));
    let data = got.message["data"].as_object().unwrap();
    assert_eq!(data.keys().map(String::as_str).collect::<Vec<_>>().len(), 4);
    assert_eq!((got.data("chat_id"), got.data("message_id")), (&*chat, &*sent.message_id));
    assert_eq!((got.data("kind"), got.seq()), ("message", 1));
    assert_eq!(got.message["apns"]["payload"]["aps"]["badge"], 1);
    assert_eq!(got.message["android"]["collapse_key"], *chat);
    assert_eq!(got.message["android"]["notification"]["notification_count"], 1);
    assert_eq!(fcm.asked(&own), 0, "nobody is told of their own messages");
}

/// bob's phone is connected, and says nothing; what he is sent is pushed by this look or a later
/// one.
pub(super) async fn silent(world: &World) -> (crate::world::Live, String) {
    let phone = register(world, "bob", "phone").await;
    let mut live = world.connect("bob", "phone").await;
    live.caught_up().await;
    (live, phone)
}

async fn who_is_silent_is_pushed_after_a_while(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, SOON).await else { return };
    let chat = world.direct("alice", "bob").await;
    let (mut live, phone) = silent(&world).await;
    let began = Instant::now();
    send(&mut world.api("alice").await, &chat, "m1", "hello").await;
    assert_eq!(live.message().await.seq, 1, "it was told");
    let got = fcm.next(&phone, 0).await;
    assert!(got.at - began >= Duration::from_millis(900), "{:?}", got.at - began);
    live.settle().await;
    // Once the second look has passed it there is no other one.
    let other = world.direct("alice", "dora").await;
    let (first, second) = held(&world, "dora").await;
    send(&mut world.api("alice").await, &other, "m2", "hello").await;
    first.hears(&other, 1).await;
    fcm.next(&second, 0).await;
    assert_eq!(fcm.got(&phone).len(), 1);
}

/// A laptop in the foreground, which acknowledges.
pub(super) struct Foreground(crate::world::Live);

impl Foreground {
    pub(super) async fn hears(mut self, chat: &str, seq: u32) {
        assert_eq!(self.0.message().await.seq, seq);
        self.0.mark(chat, vec![run(seq, seq)], false).await;
        // It stays.
        tokio::spawn(async move {
            while matches!(self.0.came().await, crate::world::Came::Frame(_)) {}
        });
    }
}

/// A user with a phone that is away and a laptop in the foreground: the phone is pushed by the
/// second look.
pub(super) async fn held(world: &World, user: &str) -> (Foreground, String) {
    let phone = register(world, user, "phone").await;
    let mut laptop = world.connect(user, "laptop").await;
    laptop.caught_up().await;
    (Foreground(laptop), phone)
}

async fn who_acknowledges_reads_or_is_muted_is_not_pushed(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, SOON).await else { return };
    let chat = world.group("alice", &["bob", "carol", "dora", "emil"]).await;
    let (mut bob, acknowledged) = silent(&world).await;
    let read = register(&world, "carol", "phone").await;
    let mut carol = world.connect("carol", "laptop").await;
    carol.caught_up().await;
    let muted = register(&world, "dora", "phone").await;
    mute(&world, "dora", &chat).await;
    let (emil, held) = held(&world, "emil").await;
    send(&mut world.api("alice").await, &chat, "m1", "hello").await;
    assert_eq!(bob.message().await.seq, 2);
    bob.mark(&chat, vec![run(2, 2)], false).await;
    assert_eq!(carol.message().await.seq, 2);
    carol.mark(&chat, vec![run(2, 2)], true).await;
    emil.hears(&chat, 2).await;
    fcm.next(&held, 0).await;
    // The same message was pushed by the second look, so it is decided of all.
    for token in [acknowledged, read, muted] {
        assert_eq!(fcm.asked(&token), 0, "{token}");
    }
}

async fn a_device_in_the_foreground_holds_the_others_back(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, SOON).await else { return };
    let chat = world.direct("alice", "bob").await;
    let (laptop, phone) = held(&world, "bob").await;
    let began = Instant::now();
    send(&mut world.api("alice").await, &chat, "m1", "hello").await;
    laptop.hears(&chat, 1).await;
    let got = fcm.next(&phone, 0).await;
    assert!(got.at - began >= Duration::from_secs(3), "{:?}", got.at - began);
}

async fn a_burst_is_two_pushes_at_most(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, LATE).await else { return };
    let chat = world.direct("alice", "bob").await;
    let phone = register(&world, "bob", "phone").await;
    let mut alice = world.api("alice").await;
    let began = Instant::now();
    for at in 1..=10 {
        send(&mut alice, &chat, &format!("m{at}"), "hello").await;
    }
    let last = loop {
        let got = fcm.next(&phone, fcm.got(&phone).len().saturating_sub(1)).await;
        if got.seq() == 10 {
            break got;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let got = fcm.got(&phone);
    assert!(began.elapsed() < Duration::from_secs(30) && got.len() <= 2, "{got:?}");
    assert!(last.says().1.contains("10"), "{:?}", last.says());
    assert_eq!(got[0].message["android"]["collapse_key"], last.message["android"]["collapse_key"]);
}

async fn the_service_is_asked_for_its_token_once(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, LATE).await else { return };
    let mut alice = world.api("alice").await;
    for user in ["bob", "carol", "dora"] {
        let chat = world.direct("alice", user).await;
        let phone = register(&world, user, "phone").await;
        send(&mut alice, &chat, "m", "hello").await;
        fcm.next(&phone, 0).await;
    }
    assert_eq!(fcm.access_given(), 1);
}

async fn a_phone_that_was_woken_acknowledges_in_the_background(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, SOON).await else { return };
    let chat = world.direct("alice", "bob").await;
    let (mut bob, token) = silent(&world).await;
    let woken = proto::Hello { background: true, ..bob.hello("phone") };
    bob.end();
    let mut alice = world.connect("alice", "phone").await;
    alice.caught_up().await;
    alice.send(&chat, "m1", "are you there?").await;
    fcm.next(&token, 0).await;
    alice.take_seen();
    let mut bob = Live::open(world.api("bob").await, woken).await.unwrap();
    let missed = bob.message().await;
    assert_eq!((&*missed.text, missed.seq), ("are you there?", 1));
    bob.mark(&chat, vec![run(1, 1)], false).await;
    let two_ticks = alice.event(|event| match event {
        Event::MessageDelivered(delivered) if delivered.chat_id == chat => Some(delivered.clone()),
        _ => None,
    });
    let two_ticks = two_ticks.await;
    assert_eq!((&*two_ticks.user_id, two_ticks.seqs), ("bob", vec![run(1, 1)]));
    let seen = alice.take_seen();
    assert!(!seen.iter().any(|frame| format!("{frame:?}").contains("UserOnline")), "{seen:?}");
}
