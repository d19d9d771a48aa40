//! What was read on one device goes off the others.

use super::fake::Fcm;
use super::{on_both, register, world};
use crate::world::{Backends, run, send};

on_both! { what_is_read_on_one_device_is_cleared_on_the_others }

async fn what_is_read_on_one_device_is_cleared_on_the_others(backends: Backends) {
    let fcm = Fcm::open().await;
    let late = ["--push-after", "500s", "--push-hold", "600s"];
    let Some(world) = world(backends, &fcm, &late).await else { return };
    let chat = world.direct("alice", "bob").await;
    let (phone, tablet) =
        (register(&world, "bob", "phone").await, register(&world, "bob", "tablet").await);
    let mut alice = world.api("alice").await;
    send(&mut alice, &chat, "m1", "hello").await;
    for device in [&phone, &tablet] {
        assert_eq!(fcm.next(device, 0).await.data("kind"), "message");
    }
    let mut live = world.connect("bob", "phone").await;
    live.caught_up().await;
    live.mark(&chat, vec![run(1, 1)], true).await;
    let cleared = fcm.next(&tablet, 1).await;
    assert_eq!((cleared.data("kind"), cleared.data("badge"), cleared.seq()), ("read", "0", 1));
    assert_eq!(cleared.data("chat_id"), chat);
    assert!(cleared.message.get("notification").is_none(), "it does not ring");
    live.mark(&chat, vec![run(1, 1)], true).await;
    // What is read twice is cleared once; the device it was read on needs it not.
    let other = world.direct("carol", "bob").await;
    send(&mut world.api("carol").await, &other, "m1", "hello").await;
    live.message().await;
    assert_eq!((fcm.got(&phone).len(), fcm.got(&tablet).len()), (1, 2));
}
