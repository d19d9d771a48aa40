//! Redis killed, wiped and cut off under load: sends go on, what is local is told at once, and
//! everything is everywhere soon after its return.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{Device, a_moment, group, more, readyz, sends_on, sound_history};
use crate::infra::{self, redis::Redis};
use crate::world::{PATIENCE, World};

/// After Redis is back, everything is everywhere within this. It takes a few seconds; the rest is for
/// what is slow.
const BACK_WITHIN: Duration = Duration::from_secs(20);
/// So soon a node notices that it hears nobody, with as much to spare.
const DEAF_WITHIN: Duration = Duration::from_secs(20);

/// Two nodes on a Redis of their own; alice has a device at each, bob one at the second.
struct Scene {
    redis: Redis,
    world: World,
    alice: Device,
    laptop: Device,
    bob: Device,
    chat: String,
}

impl Scene {
    async fn new(flags: &[&str]) -> Option<Self> {
        let redis = infra::redis::own().await?;
        let store = infra::mongo::fresh_uri().await?;
        let world = World::on(store, redis.url(), 2, flags).await;
        let chat = group(world.addr(0), "alice", &["bob"]).await;
        let alice = Device::open("alice", "phone", &[world.addr(0)]).await;
        let laptop = Device::open("alice", "laptop", &[world.addr(0)]).await;
        let bob = Device::open("bob", "phone", &[world.addr(1)]).await;
        Some(Self { redis, world, alice, laptop, bob, chat })
    }

    /// Waits until both nodes say this.
    async fn both_say(&self, ready: &str) {
        let deadline = Instant::now() + PATIENCE;
        for node in 0..2 {
            loop {
                let (code, text) = readyz(self.world.addr(node)).await;
                assert_eq!(code, 200, "all nodes would leave at once");
                if text == ready {
                    break;
                }
                assert!(Instant::now() < deadline, "node {node} says {text}");
                a_moment().await;
            }
        }
    }

    /// The end: everything is everywhere, and no stream was disturbed.
    async fn finish(self) {
        let log = sound_history(&mut self.world.api("alice").await, &self.chat).await;
        for device in [&self.alice, &self.laptop, &self.bob] {
            device.has(&self.chat, u32::try_from(log.len()).unwrap()).await;
            device.assert_whole(&self.chat, &log);
            device.look(|kept| assert_eq!(kept.streams.len(), 1, "{}", kept.sketch()));
        }
        eprintln!("{} messages", log.len());
    }

    /// Sends one each way and measures how long it takes to arrive with its tick.
    async fn there_and_back(&self, id: &str) -> Duration {
        let began = Instant::now();
        for (from, to) in [(&self.alice, &self.bob), (&self.bob, &self.alice)] {
            let seq = from.sent(&self.chat, &format!("{id}-{}", from.phone.user)).await.seq;
            to.has(&self.chat, seq).await;
            let by = to.phone.user.clone();
            from.until("the tick", |kept| kept.ticked(&self.chat, &by, seq, false)).await;
        }
        began.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_and_restarted_under_load_costs_speed_alone() {
    let Some(scene) = Scene::new(&[]).await else { return };
    let (redis, chat) = (&scene.redis, scene.chat.as_str());
    let stop = AtomicBool::new(false);
    let harm = async {
        more(&scene.alice, 20).await;
        redis.kill();
        let killed = Instant::now();
        scene.both_say("degraded: bus").await;
        assert!(killed.elapsed() < DEAF_WITHIN, "{:?}", killed.elapsed());
        // Sends go on, and what is local is told at once.
        for at in 0..20 {
            let began = Instant::now();
            let seq = scene.alice.sent(chat, &format!("away-{at}")).await.seq;
            scene.laptop.has(chat, seq).await;
            assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        }
        more(&scene.bob, 20).await;
        redis.restart().await;
        let back = Instant::now();
        let last = scene.alice.sent(chat, "after the return").await.seq;
        let seq = scene.bob.sent(chat, "after the return").await.seq;
        scene.bob.has(chat, last).await;
        scene.alice.has(chat, seq).await;
        let took = back.elapsed();
        eprintln!("all is everywhere {took:?} after the return");
        assert!(took < BACK_WITHIN, "{took:?}");
        scene.both_say("ready").await;
        eprintln!("both ready {:?} after the return", back.elapsed());
        let took = scene.there_and_back("again").await;
        eprintln!("there and back with ticks, once ready: {took:?}");
        assert!(took < BACK_WITHIN, "{took:?}");
        stop.store(true, Ordering::Relaxed);
        back
    };
    let (.., back) = tokio::join!(
        sends_on(&scene.alice, chat, 2, &stop),
        sends_on(&scene.bob, chat, 2, &stop),
        harm
    );
    // Ticks that were lost meanwhile are there, too.
    let heads = sound_history(&mut scene.world.api("alice").await, chat).await;
    for (device, other) in [(&scene.alice, "bob"), (&scene.laptop, "bob"), (&scene.bob, "alice")] {
        let own = device.phone.user.clone();
        let own: Vec<u32> = heads.iter().filter(|m| m.sender_id == own).map(|m| m.seq).collect();
        let all =
            |kept: &super::client::Kept| own.iter().all(|s| kept.ticked(chat, other, *s, false));
        device.until("all ticks", all).await;
    }
    eprintln!("all ticks {:?} after the return", back.elapsed());
    scene.finish().await;
}

/// Where nobody at the second node writes, no hole tells it that something is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_node_has_everything_soon_after_redis_is_back() {
    let Some(scene) = Scene::new(&[]).await else { return };
    let chat = scene.chat.as_str();
    scene.alice.sent(chat, "before").await;
    for round in 0..2 {
        scene.redis.kill();
        if round == 0 {
            scene.both_say("degraded: bus").await;
        }
        for at in 0..5 {
            scene.alice.sent(chat, &format!("away-{round}-{at}")).await;
        }
        scene.redis.restart().await;
        let back = Instant::now();
        // Until each node has found out, and after it.
        for at in 0..30 {
            let began = Instant::now();
            let seq = scene.alice.sent(chat, &format!("back-{round}-{at}")).await.seq;
            scene.bob.has(chat, seq).await;
            let by = |kept: &super::client::Kept| (1..=seq).all(|s| ticked_or_note(kept, chat, s));
            scene.alice.until("all ticks", by).await;
            let took = began.elapsed();
            assert!(took < BACK_WITHIN, "{took:?}, {:?} after the return", back.elapsed());
            if at == 0 {
                eprintln!("all is there with its ticks {took:?} after the return");
            }
        }
        scene.both_say("ready").await;
    }
    scene.finish().await;
}

fn ticked_or_note(kept: &super::client::Kept, chat: &str, seq: u32) -> bool {
    seq == 1 || kept.ticked(chat, "bob", seq, false)
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_wiped_under_load_is_filled_again_by_itself() {
    // Leases are renewed every second.
    let Some(scene) = Scene::new(&["--presence-lease", "3s", "--presence-grace", "1s"]).await
    else {
        return;
    };
    let chat = scene.chat.as_str();
    let stop = AtomicBool::new(false);
    let harm = async {
        for round in 0..3 {
            more(&scene.alice, 20).await;
            scene.redis.flush().await;
            let wiped = Instant::now();
            let seq = scene.alice.sent(chat, &format!("wiped-{round}")).await.seq;
            scene.bob.has(chat, seq).await;
            eprintln!("a message sent into the void came after {:?}", wiped.elapsed());
            let key = "EXISTS presence:user_sockets:bob presence:user_sockets:alice presence:nodes";
            while scene.redis.ask(key).await.unwrap() != ":3" {
                a_moment().await;
            }
            eprintln!("presence is back after {:?}", wiped.elapsed());
            assert!(wiped.elapsed() < Duration::from_secs(30), "{:?}", wiped.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(
        sends_on(&scene.alice, chat, 2, &stop),
        sends_on(&scene.bob, chat, 2, &stop),
        harm
    );
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_cut_off_under_load_hear_everything_late_at_worst() {
    let Some(scene) = Scene::new(&[]).await else { return };
    let chat = scene.chat.as_str();
    let stop = AtomicBool::new(false);
    let harm = async {
        for round in 0..5 {
            more(&scene.alice, 20).await;
            // One that is between two connections has none to cut.
            while scene.redis.ask("CLIENT KILL TYPE pubsub").await.unwrap() == ":0" {
                a_moment().await;
            }
            let cut = Instant::now();
            let seq = scene.alice.sent(chat, &format!("cut-{round}")).await.seq;
            scene.bob.has(chat, seq).await;
            assert!(cut.elapsed() < BACK_WITHIN, "{:?}", cut.elapsed());
            scene.both_say("ready").await;
            eprintln!("all is well {:?} after the cut", cut.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(
        sends_on(&scene.alice, chat, 2, &stop),
        sends_on(&scene.bob, chat, 2, &stop),
        harm
    );
    scene.finish().await;
}
