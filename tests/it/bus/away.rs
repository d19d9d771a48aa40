//! Redis fails: killed, wiped, stopped, cut off, not there yet.

use std::time::Duration;

use adda::bus::{Bus, BusEvent, To};
use tokio::time::Instant;

use super::server::{Cluster, Redis};
use super::{LEASE, bytes, deaf, envelope, event, hearing, open, open_well, place, until, user};

/// Says how long something took, which must not be for ever: what is meant to take a second may take
/// many where much else runs.
fn in_time(what: &str, since: Instant) {
    let took = since.elapsed();
    eprintln!("{what}: {took:?}");
    assert!(took < Duration::from_secs(20), "{what}: {took:?}");
}

#[tokio::test]
async fn redis_killed_and_restarted_is_deafness_and_then_hearing() {
    let Some(mut redis) = Redis::start().await else { return };
    let (a, b) = (open_well(redis.url(), LEASE).await, open_well(redis.url(), LEASE).await);
    let (mut of_a, mut of_b) = (a.events().unwrap(), b.events().unwrap());
    let here = [(user("u"), place(&*a))];
    assert_eq!(a.renew(&here).await.unwrap(), 1);

    redis.kill();
    let killed = Instant::now();
    deaf(&mut of_a).await;
    deaf(&mut of_b).await;
    in_time("deaf after the end", killed);
    assert!(a.is_deaf() && b.is_deaf());
    for _ in 0..20_000 {
        a.publish(To::All, bytes("lost"));
    }
    fails_soon(&*a).await;
    // It lasts, and is told again.
    deaf(&mut of_a).await;

    while of_a.try_recv().is_ok() {}
    redis.restart().await;
    let back = Instant::now();
    deaf(&mut of_a).await; // Of what was lost since it was told last.
    hearing(&mut of_a).await;
    hearing(&mut of_b).await;
    eprintln!("hearing {:?} after the return", back.elapsed());
    a.publish(To::All, bytes("of a"));
    b.publish(To::Nodes(vec![a.node().clone()]), bytes("of b"));
    assert_eq!(envelope(&mut of_b).await, "of a");
    assert_eq!(envelope(&mut of_a).await, "of b");
    assert!(a.hears(b.node()) && b.hears(a.node()));
    assert_eq!(a.renew(&here).await.unwrap(), 1, "the server is empty");
    assert_eq!(b.find(&[user("u")]).await.unwrap()[0].len(), 1);
}

async fn fails_soon(bus: &dyn Bus) {
    let here = [(user("u"), place(bus))];
    let start = Instant::now();
    assert!(bus.renew(&here).await.is_err());
    in_time("one call failed", start);
    assert!(bus.find(&[user("u")]).await.is_err());
    assert!(bus.remove(&here).await.is_err());
    in_time("three calls failed", start);
}

#[tokio::test]
async fn redis_wiped_adds_places_again_and_is_no_deafness() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (open_well(redis.url(), LEASE).await, open_well(redis.url(), LEASE).await);
    let mut events = b.events().unwrap();
    let here = [(user("u"), place(&*a)), (user("v"), place(&*a))];
    assert_eq!(a.renew(&here).await.unwrap(), 2);
    assert_eq!(a.renew(&here).await.unwrap(), 0);
    redis.command("FLUSHALL");
    assert_eq!(a.renew(&here).await.unwrap(), 2);
    a.publish(To::All, bytes("still here"));
    assert_eq!(event(&mut events).await, envelope_of(&*a, "still here"));
    until("both are registered again", async || {
        redis.command("ZCARD presence:nodes").starts_with(":2")
    })
    .await;
    assert!(!a.is_deaf() && !b.is_deaf());
}

fn envelope_of(bus: &dyn Bus, text: &str) -> BusEvent {
    BusEvent::Envelope { from: bus.node().clone(), payload: bytes(text) }
}

#[tokio::test]
async fn a_subscriber_cut_off_is_deaf_and_hears_again() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (open_well(redis.url(), LEASE).await, open_well(redis.url(), LEASE).await);
    let (mut of_a, mut of_b) = (a.events().unwrap(), b.events().unwrap());
    assert!(redis.command("CLIENT KILL TYPE pubsub").starts_with(":2"));
    a.publish(To::All, bytes("perhaps lost"));
    let cut = Instant::now();
    deaf(&mut of_a).await;
    deaf(&mut of_b).await;
    in_time("deaf after the cut", cut);
    hearing(&mut of_a).await;
    hearing(&mut of_b).await;
    eprintln!("hearing {:?} after the cut", cut.elapsed());
    a.publish(To::All, bytes("heard"));
    while envelope(&mut of_b).await != "heard" {}
}

#[tokio::test]
async fn a_redis_that_stands_still_fails_soon_and_is_deafness() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (open_well(redis.url(), LEASE).await, open_well(redis.url(), LEASE).await);
    let (mut of_a, mut of_b) = (a.events().unwrap(), b.events().unwrap());
    redis.signal("-STOP");
    let stopped = Instant::now();
    fails_soon(&*a).await;
    deaf(&mut of_a).await;
    in_time("deaf after the stop", stopped);
    for _ in 0..20_000 {
        b.publish(To::All, bytes("lost, or late"));
    }
    // So long that connections are given up.
    deaf(&mut of_a).await;
    deaf(&mut of_a).await;
    redis.signal("-CONT");
    hearing(&mut of_a).await;
    hearing(&mut of_b).await;
    b.publish(To::All, bytes("heard"));
    while envelope(&mut of_a).await != "heard" {}
    a.renew(&[(user("u"), place(&*a))]).await.unwrap();
}

#[tokio::test]
async fn a_node_opens_without_redis_and_hears_when_it_comes() {
    let Some(mut redis) = Redis::start().await else { return };
    redis.kill();
    let start = Instant::now();
    let a = open(redis.url(), LEASE).await;
    in_time("open without Redis", start);
    assert!(a.is_deaf() && a.has_peers());
    let mut events = a.events().unwrap();
    deaf(&mut events).await;
    fails_soon(&*a).await;
    let sealed = open(redis.url().replace("redis", "rediss"), LEASE).await;
    redis.restart().await;
    hearing(&mut events).await;
    assert!(sealed.is_deaf(), "nobody there speaks TLS");
    assert_eq!(a.renew(&[(user("u"), place(&*a))]).await.unwrap(), 1);
    a.close().await;
}

#[tokio::test]
async fn a_node_closes_though_redis_is_away() {
    let Some(mut redis) = Redis::start().await else { return };
    let (a, b) = (open_well(redis.url(), LEASE).await, open_well(redis.url(), LEASE).await);
    redis.signal("-STOP");
    a.publish(To::All, bytes("lost"));
    let start = Instant::now();
    a.close().await;
    in_time("closed without Redis", start);
    redis.kill();
    b.close().await;
    assert!(a.find(&[user("u")]).await.is_err());
}

#[tokio::test]
async fn a_server_of_a_cluster_killed_and_restarted_is_deafness_and_then_hearing() {
    let Some(mut cluster) = Cluster::start().await else { return };
    let (a, b) = (open_well(cluster.url(), LEASE).await, open_well(cluster.url(), LEASE).await);
    let mut events = a.events().unwrap();
    let places: Vec<_> = (0..50).map(|n| (user(&format!("u{n}")), place(&*a))).collect();
    assert_eq!(a.renew(&places).await.unwrap(), 50);
    cluster.servers[1].kill();
    deaf(&mut events).await;
    assert!(a.renew(&places).await.is_err());
    cluster.servers[1].restart().await;
    hearing(&mut events).await;
    b.publish(To::Nodes(vec![a.node().clone()]), bytes("heard"));
    while envelope(&mut events).await != "heard" {}
    let mut added = None;
    until("all places can be written", async || {
        added = a.renew(&places).await.ok();
        added.is_some()
    })
    .await;
    assert!((1..50).contains(&added.unwrap()), "what was on one server: {added:?}");
}

#[tokio::test]
async fn a_crashed_peer_is_deafness_until_it_is_forgotten() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (open_well(redis.url(), LEASE).await, open_well(redis.url(), LEASE).await);
    let mut events = a.events().unwrap();
    let name = b.node().clone();
    drop(b);
    let crashed = Instant::now();
    deaf(&mut events).await;
    in_time("deaf after the crash", crashed);
    assert!(!a.hears(&name));
    hearing(&mut events).await;
    in_time("forgotten after the crash", crashed);
}

#[tokio::test]
async fn a_lease_runs_in_redis_time_and_keys_go_by_themselves() {
    let Some(redis) = Redis::start().await else { return };
    let lease = Duration::from_millis(300);
    let node = open_well(redis.url(), lease).await;
    let here = [(user("u"), place(&*node))];
    node.renew(&here).await.unwrap();
    until("the lease runs out", async || {
        let found = node.find(&[user("u")]).await.unwrap().remove(0);
        found.len() == 1 && !found[0].live
    })
    .await;
    let left = redis.command("PTTL presence:user_sockets:u");
    let left: u64 = left.lines().next().unwrap().trim_start_matches(':').parse().unwrap();
    assert!((200_000..=300_300).contains(&left), "{left}");
}

#[tokio::test]
async fn what_is_no_frame_is_ignored() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (open_well(redis.url(), LEASE).await, open_well(redis.url(), LEASE).await);
    let mut events = a.events().unwrap();
    for noise in ["noise", "\"\"", "\"\\x02\\x01\"", "\"\\x01\\x07\""] {
        redis.command(&format!("PUBLISH node::{} {noise}", a.node()));
    }
    redis.command("ZADD presence:user_sockets:u 99999999999999 noise");
    b.publish(To::All, bytes("x"));
    assert_eq!(event(&mut events).await, envelope_of(&*b, "x"));
    assert!(a.find(&[user("u")]).await.unwrap()[0].is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_deafness_and_is_not_shown() {
    let Some(redis) = Redis::start().await else { return };
    redis.command("CONFIG SET requirepass right");
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", redis.port);
    open_well(url("right"), LEASE).await;
    let node = open(url("wrong"), LEASE).await;
    assert!(node.is_deaf());
    let error = node.find(&[user("u")]).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("wrong"), "{error}");
}

/// Not a test: how fast it is. `cargo test --release --test it -- --ignored how_fast --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn how_fast() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (open_well(redis.url(), LEASE).await, open_well(redis.url(), LEASE).await);
    let mut events = b.events().unwrap();
    let start = Instant::now();
    for _ in 0..20 {
        for _ in 0..2_000 {
            a.publish(To::All, bytes(&"x".repeat(300)));
        }
        for _ in 0..2_000 {
            envelope(&mut events).await;
        }
    }
    eprintln!("envelopes: {:.0}/s", 40_000.0 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    for _ in 0..1_000 {
        a.publish(To::All, bytes("x"));
        envelope(&mut events).await;
    }
    eprintln!("one envelope: {:?}", start.elapsed() / 1_000);
    let places: Vec<_> = (0..10_000).map(|n| (user(&format!("u{n}")), place(&*a))).collect();
    for what in ["added", "renewed"] {
        let start = Instant::now();
        a.renew(&places).await.unwrap();
        eprintln!("10,000 places {what}: {:?}", start.elapsed());
    }
    let users: Vec<_> = places.iter().map(|(user, _)| user.clone()).collect();
    for many in [1, 50, 256] {
        let start = Instant::now();
        for _ in 0..100 {
            a.find(&users[..many]).await.unwrap();
        }
        eprintln!("{many} users found: {:?}", start.elapsed() / 100);
    }
}
