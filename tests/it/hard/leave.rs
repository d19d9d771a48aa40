//! A node leaves under load, and its clients move to the other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Device, assert_sent, group, more, sends_on, sound_history, two_nodes};
use crate::infra::{self, adda::Adda};
use crate::world::{api, token};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_under_load_loses_and_doubles_nothing() {
    let Some(mut world) = two_nodes(&[]).await else { return };
    let nodes = [world.addr(0), world.addr(1)];
    under_load(nodes, async || world.leave(0).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_asked_to_end_under_load_loses_and_doubles_nothing() {
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let Some(bus) = infra::redis::fresh_url().await else { return };
    let mut leaving = Adda::start(&store, &bus, &[]).await;
    let staying = Adda::start(&store, &bus, &[]).await;
    let nodes = [leaving.addr(), staying.addr()];
    under_load(nodes, async || leaving.leave().await).await;
}

/// Devices that send and listen at the first node, and move to the second.
async fn under_load(nodes: [SocketAddr; 2], leave: impl AsyncFnOnce()) {
    let [_, staying] = nodes;
    let alice = Device::open("alice", "phone", &nodes).await;
    let bob = Device::open("bob", "phone", &nodes).await;
    let carol = Device::open("carol", "phone", &[staying]).await;
    let chat = group(nodes[0], "alice", &["bob", "carol"]).await;
    let stop = AtomicBool::new(false);
    let harm = async {
        more(&alice, 50).await;
        leave().await;
        alice.caught_up().await;
        bob.caught_up().await;
        more(&alice, 50).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (a, b, c, ()) = tokio::join!(
        sends_on(&alice, &chat, 4, &stop),
        sends_on(&bob, &chat, 4, &stop),
        sends_on(&carol, &chat, 4, &stop),
        harm
    );
    let log = sound_history(&mut api(staying, token("alice")).await, &chat).await;
    assert_eq!(log.len(), 1 + (a + b + c) as usize, "what was sent is there, once");
    for device in [&alice, &bob, &carol] {
        device.has(&chat, u32::try_from(log.len()).unwrap()).await;
        device.assert_whole(&chat, &log);
        device.assert_nothing_paged();
        assert_sent(device, &log);
    }
    for device in [&alice, &bob] {
        let ends =
            device.look(|kept| kept.streams.iter().map(|s| s.end.clone()).collect::<Vec<_>>());
        assert!(ends.iter().any(|end| end == "ShuttingDown"), "{ends:?}");
    }
    carol.look(|kept| assert_eq!(kept.streams.len(), 1, "who stays is not disturbed"));
    eprintln!("{} messages", log.len());
}
