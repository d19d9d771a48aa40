//! The store fails over in the middle of sends from two nodes.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Device, assert_sent, group, more, sends_on, sound_history};
use crate::infra::{self, mongod::ReplicaSet};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_steps_down_costs_no_message() {
    under_load(async |set| set.step_down().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_killed_costs_no_message() {
    under_load(async |set| set.kill(set.primary().await)).await;
}

async fn under_load(harm: impl AsyncFnOnce(&mut ReplicaSet)) {
    let Some(mut set) = ReplicaSet::own(3).await else { return };
    let Some(bus) = infra::redis::fresh_url().await else { return };
    let world = World::on(set.uri(), bus, 2, &[]).await;
    let nodes = [world.addr(0), world.addr(1)];
    let users = ["alice", "bob", "carol", "dan"];
    let mut devices = Vec::new();
    for (at, user) in users.iter().enumerate() {
        devices.push(Device::open(user, "phone", &[nodes[at % 2], nodes[(at + 1) % 2]]).await);
    }
    let all = group(nodes[0], "alice", &users[1..]).await;
    let pair = group(nodes[1], "bob", &["alice"]).await;
    let stop = AtomicBool::new(false);
    let failing = async {
        more(&devices[0], 50).await;
        harm(&mut set).await;
        let harmed = tokio::time::Instant::now();
        more(&devices[0], 20).await;
        eprintln!("20 more sends answered {:?} after the harm", harmed.elapsed());
        more(&devices[1], 50).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (a, b, c, d, ()) = tokio::join!(
        sends_on(&devices[0], &all, 4, &stop),
        sends_on(&devices[1], &pair, 4, &stop),
        sends_on(&devices[2], &all, 4, &stop),
        sends_on(&devices[3], &all, 4, &stop),
        failing
    );
    let in_all = sound_history(&mut world.api("alice").await, &all).await;
    let in_pair = sound_history(&mut world.api("alice").await, &pair).await;
    assert_eq!((in_all.len(), in_pair.len()), (1 + (a + c + d) as usize, 1 + b as usize));
    for (at, device) in devices.iter().enumerate() {
        device.has(&all, u32::try_from(in_all.len()).unwrap()).await;
        device.assert_whole(&all, &in_all);
        if at < 2 {
            device.has(&pair, u32::try_from(in_pair.len()).unwrap()).await;
            device.assert_whole(&pair, &in_pair);
        }
        assert_sent(device, if at == 1 { &in_pair } else { &in_all });
    }
}
