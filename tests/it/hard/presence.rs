//! Who came and who went while nodes could not tell each other: shown right soon after.

use std::time::Duration;

use super::Device;
use super::client::Kept;
use crate::infra::{self, mongod::ReplicaSet};
use crate::world::{World, send};

const FLAGS: [&str; 4] = ["--presence-lease", "3s", "--presence-grace", "200ms"];
/// Until all leases are renewed and sessions have looked, where nothing is slow.
const LOOKED: Duration = Duration::from_secs(7);

fn online(kept: &Kept, user: &str) -> bool {
    kept.online.get(user) == Some(&true)
}

/// Two nodes, and alice at the first, who sees bob, carol and dan once they are there.
async fn watched(store: String, bus: String) -> (World, Device) {
    let world = World::on(store, bus, 2, &FLAGS).await;
    for user in ["bob", "carol", "dan"] {
        let chat = world.direct(user, "alice").await;
        send(&mut world.api(user).await, &chat, "m1", "hello").await;
    }
    let alice = Device::open("alice", "phone", &[world.addr(0)]).await;
    (world, alice)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_while_redis_is_away_is_shown_as_it_is_after_its_return() {
    let Some(redis) = infra::redis::own().await else { return };
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let (world, alice) = watched(store, redis.url()).await;
    let _bob = Device::open("bob", "phone", &[world.addr(1)]).await;
    let carol = Device::open("carol", "phone", &[world.addr(1)]).await;
    alice.until("both online", |kept| online(kept, "bob") && online(kept, "carol")).await;
    redis.kill();
    drop(carol);
    let _dan = Device::open("dan", "phone", &[world.addr(1)]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    redis.restart().await;
    alice.until("carol offline", |kept| !online(kept, "carol")).await;
    alice.until("bob and dan online", |kept| online(kept, "bob") && online(kept, "dan")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_found_after_a_wipe_is_not_gone_for_long() {
    let Some(redis) = infra::redis::own().await else { return };
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let (world, alice) = watched(store, redis.url()).await;
    let _phone = Device::open("bob", "phone", &[world.addr(1)]).await;
    let tablet = Device::open("bob", "tablet", &[world.addr(0)]).await;
    alice.until("online", |kept| online(kept, "bob")).await;
    // The node of the tablet finds nothing of the phone.
    redis.flush().await;
    drop(tablet);
    tokio::time::sleep(LOOKED).await;
    alice.until("the phone is there", |kept| online(kept, "bob")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_while_the_store_hangs_is_shown_gone_when_it_goes_on() {
    let Some(bus) = infra::redis::fresh_url().await else { return };
    let Some(set) = ReplicaSet::own(1).await else { return };
    let (world, alice) = watched(set.uri(), bus).await;
    let bob = Device::open("bob", "phone", &[world.addr(1)]).await;
    alice.until("online", |kept| online(kept, "bob")).await;
    set.pause(0);
    drop(bob);
    // Longer than the store may take to answer.
    tokio::time::sleep(Duration::from_secs(12)).await;
    set.resume(0);
    alice.until("offline", |kept| !online(kept, "bob")).await;
}
