//! Several nodes look for whom to push, and one of them does.

use std::time::Duration;

use adda::proto::DeliveryStepKind as Kind;
use tokio::time::Instant;

use super::away::held;
use super::explain::trail;
use super::fake::{Does, Fcm};
use super::{at, device, world};
use crate::world::{Backends, World, eventually, run, send};

/// Users who are away.
const AWAY: usize = 20;

async fn two_nodes(fcm: &Fcm, flags: &[&str]) -> Option<World> {
    let mut world = world(Backends::MongoRedis, fcm, flags).await?;
    let flags = fcm.flags(flags);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    world.add_node(&flags).await;
    Some(world)
}

/// Both nodes look at all messages twice more; once one that came last was pushed by the second
/// look, all were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_push_nothing_twice() {
    let fcm = Fcm::open().await;
    let soon = ["--push-after", "1s", "--push-hold", "3s"];
    let Some(world) = two_nodes(&fcm, &soon).await else { return };
    let user = |number: usize| format!("user-{number}");
    for number in 0..AWAY {
        let (user, node) = (user(number), world.addr(number % 2));
        at(node, &user).await.register_device(device("phone", &user)).await.unwrap();
        let chat = world.direct("alice", &user).await;
        let mut alice = world.api_at(number % 2, "alice").await;
        send(&mut alice, &chat, "m1", "hello").await;
    }
    let last = world.direct("alice", "emil").await;
    let (emil, phone) = held(&world, "emil").await;
    send(&mut world.api_at(1, "alice").await, &last, "m1", "hello").await;
    emil.hears(&last, 1).await;
    fcm.next(&phone, 0).await;
    let asked: Vec<u32> = (0..AWAY).map(|number| fcm.asked(&user(number))).collect();
    assert_eq!(asked, vec![1; AWAY]);
}

/// The first node is asked for a pause; the second keeps it as well.
async fn paused(does: Does, least: Duration, starts_late: bool) {
    let fcm = Fcm::open().await;
    let late = ["--push-after", "500s", "--push-hold", "600s"];
    let Some(mut world) = world(Backends::MongoRedis, &fcm, &late).await else { return };
    let flags = fcm.flags(&late);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    for user in ["bob", "carol"] {
        at(world.addr(0), user).await.register_device(device("phone", user)).await.unwrap();
    }
    let [to_bob, to_carol] =
        [world.direct("alice", "bob").await, world.direct("alice", "carol").await];
    if !starts_late {
        world.add_node(&flags).await;
    }
    fcm.script("bob", &[does]);
    let began = Instant::now();
    send(&mut world.api("alice").await, &to_bob, "m1", "hello").await;
    eventually("it is refused", async || (fcm.asked("bob") == 1).then_some(())).await;
    if starts_late {
        world.add_node(&flags).await;
        // It is told every few seconds.
        tokio::time::sleep(Duration::from_secs(6)).await;
    } else {
        // The answer is on its way back.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    send(&mut world.api_at(1, "alice").await, &to_carol, "m1", "hello").await;
    for user in ["bob", "carol"] {
        let waited = fcm.next(user, 0).await.at - began;
        assert!(waited >= least, "{user} {waited:?}");
    }
    assert_eq!((fcm.asked("bob"), fcm.asked("carol")), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_one_node_is_asked_for_is_the_others() {
    paused(Does::TooMany(6), Duration::from_secs(6), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_is_told_to_a_node_that_starts_meanwhile() {
    paused(Does::AwayUntil(15), Duration::from_secs(14), true).await;
}

/// What a device was given is told by the node of its stream, whichever looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_tells_what_it_has_written() {
    let fcm = Fcm::open().await;
    let soon = ["--push-after", "1s", "--push-hold", "600s"];
    let Some(world) = two_nodes(&fcm, &soon).await else { return };
    let chat = world.direct("alice", "bob").await;
    let mut streams = Vec::new();
    for (node, id) in ["phone", "tablet"].into_iter().enumerate() {
        let token = format!("bob-{id}");
        at(world.addr(node), "bob").await.register_device(device(id, &token)).await.unwrap();
        let mut live = world.connect_at(node, "bob", id).await;
        live.caught_up().await;
        streams.push(live);
    }
    let sent = send(&mut world.api("alice").await, &chat, "m1", "hello").await;
    for live in &mut streams {
        live.message().await;
    }
    let written = eventually("both have told", async || {
        let steps = trail(&world, &chat, &sent.message_id, "bob").await;
        let written = steps.into_iter().filter(|step| step.kind() == Kind::Written);
        let written: Vec<_> = written.map(|step| (step.device_id, step.node_id)).collect();
        (written.len() == 2).then_some(written)
    });
    let mut written = written.await;
    written.sort();
    let [(phone, one), (tablet, other)] = &written[..] else { panic!() };
    assert_eq!((phone.as_str(), tablet.as_str()), ("phone", "tablet"));
    assert!(!one.is_empty() && !other.is_empty() && one != other, "{written:?}");
}

/// A node has just learned that a device is not registered when it is, by another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_registered_at_one_node_counts_at_the_node_of_the_stream() {
    let fcm = Fcm::open().await;
    let soon = ["--push-after", "2s", "--push-hold", "600s"];
    let Some(world) = two_nodes(&fcm, &soon).await else { return };
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let mut live = world.connect_at(1, "bob", "phone").await;
    live.caught_up().await;
    send(&mut alice, &chat, "m1", "hello").await;
    live.message().await;
    live.mark(&chat, vec![run(1, 1)], false).await;
    // What a device has is written a moment later.
    tokio::time::sleep(Duration::from_millis(800)).await;
    at(world.addr(0), "bob").await.register_device(device("phone", "bob")).await.unwrap();
    send(&mut alice, &chat, "m2", "hello").await;
    live.message().await;
    live.mark(&chat, vec![run(2, 2)], false).await;
    // Once another was pushed by the first look, that has passed all before it.
    at(world.addr(0), "carol").await.register_device(device("phone", "carol")).await.unwrap();
    let mut silent = world.connect_at(0, "carol", "phone").await;
    silent.caught_up().await;
    let other = world.direct("alice", "carol").await;
    send(&mut alice, &other, "m1", "hello").await;
    fcm.next("carol", 0).await;
    assert_eq!(fcm.asked("bob"), 0);
}
