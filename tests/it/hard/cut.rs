//! Streams cut at random moments under load.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::RngExt as _;

use super::{Device, assert_sent, group, seeded, sends_on, sound_history};
use crate::world::{Backends, World, api, token};

const CUTS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_cut_at_random_brings_all_and_nothing_twice_on_sqlite() {
    let Some(world) = World::with(Backends::Sqlite, &[]).await else { return };
    cut_at_random(&[world.addr(0)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_cut_at_random_brings_all_and_nothing_twice_on_two_nodes() {
    let Some(world) = super::two_nodes(&[]).await else { return };
    cut_at_random(&[world.addr(0), world.addr(1)]).await;
}

async fn cut_at_random(nodes: &[SocketAddr]) {
    let mut random = seeded();
    let users = ["alice", "bob", "carol"];
    let mut devices = Vec::new();
    for (at, user) in users.iter().enumerate() {
        let first = nodes[at % nodes.len()];
        devices.push(Device::open(user, "phone", &[first]).await);
        devices.push(Device::open(user, "tablet", &[first]).await);
    }
    let all = group(nodes[0], "alice", &users[1..]).await;
    let pair = group(nodes[0], "alice", &["bob"]).await;

    let stop = AtomicBool::new(false);
    let load = async {
        tokio::join!(
            sends_on(&devices[0], &all, 4, &stop),
            sends_on(&devices[2], &pair, 4, &stop),
            sends_on(&devices[4], &all, 4, &stop),
        )
    };
    let harm = async {
        for _ in 0..CUTS {
            let pause = Duration::from_millis(random.random_range(0..60));
            tokio::time::sleep(pause).await;
            let device = &devices[random.random_range(0..devices.len())];
            // Sometimes it comes back elsewhere.
            device.point_at(&[nodes[random.random_range(0..nodes.len())]]);
            device.cut();
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(load, harm);

    for (chat, members) in [(&all, &users[..]), (&pair, &users[..2])] {
        let log = sound_history(&mut api(nodes[0], token("alice")).await, chat).await;
        for device in devices.iter().filter(|d| members.contains(&d.phone.user.as_str())) {
            device.has(chat, u32::try_from(log.len()).unwrap()).await;
            device.assert_whole(chat, &log);
        }
        let sent: usize = devices
            .iter()
            .map(|d| d.look(|kept| kept.sent.values().filter(|o| is_in(&log, o)).count()))
            .sum();
        assert_eq!(sent + 1, log.len(), "what is in the log is what was acknowledged");
        eprintln!("{} messages, {} streams", log.len(), devices.iter().map(streams).sum::<usize>());
    }
    assert!(devices.iter().map(streams).sum::<usize>() > devices.len() + CUTS / 2);
    for device in &devices {
        device.assert_nothing_paged();
        device.look(|kept| assert!(kept.outbox.is_empty() && kept.failed.is_empty()));
    }
    let of_all = sound_history(&mut api(nodes[0], token("alice")).await, &all).await;
    assert_sent(&devices[4], &of_all);
}

fn is_in(log: &[adda::proto::Message], outcome: &adda::proto::SendOutcome) -> bool {
    log.get(outcome.seq as usize - 1).is_some_and(|m| m.message_id == outcome.message_id)
}

fn streams(device: &Device) -> usize {
    device.look(|kept| kept.streams.len())
}

/// More than one resume replays: the server says GAP, and the client reads pages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_missed_too_much_for_a_replay_lacks_nothing_after_reading_pages() {
    const MISSED: u32 = 1_100;
    let Some(world) = World::with(Backends::Sqlite, &[]).await else { return };
    let node = [world.addr(0)];
    let chat = group(node[0], "alice", &["bob"]).await;
    let alice = Device::open("alice", "phone", &node).await;
    let bob = Device::open("bob", "phone", &node).await;
    alice.sent(&chat, "before").await;
    bob.has(&chat, 2).await;
    // Nobody listens on port 1.
    bob.point_at(&[SocketAddr::from(([127, 0, 0, 1], 1))]);
    bob.cut();
    let away = streams(&bob) + 1;
    bob.until("away", |kept| kept.streams.len() > away).await;
    let old = bob.look(|kept| kept.token.clone());
    for at in 0..MISSED {
        alice.send(&chat, &format!("missed-{at}"));
    }
    alice.has(&chat, MISSED + 2).await;
    bob.point_at(&node);
    bob.caught_up().await;
    alice.sent(&chat, "after").await;
    let log = sound_history(&mut api(node[0], token("bob")).await, &chat).await;
    for device in [&alice, &bob] {
        device.has(&chat, MISSED + 3).await;
        device.assert_whole(&chat, &log);
    }
    bob.look(|kept| {
        assert_eq!(kept.streams.last().unwrap().outcome, adda::proto::ResumeOutcome::Gap);
        assert!(kept.chats[&chat].paged > 0);
    });
    // From here on it resumes again.
    bob.until("a token after the pages", |kept| kept.token != old).await;
    bob.cut();
    alice.sent(&chat, "last").await;
    bob.has(&chat, MISSED + 4).await;
    let log = sound_history(&mut api(node[0], token("bob")).await, &chat).await;
    bob.assert_whole(&chat, &log);
    // The last message may have come just before the cut.
    let resumed = adda::proto::ResumeOutcome::Resumed;
    bob.until("resumed", |kept| kept.streams.last().unwrap().outcome == resumed).await;
}
