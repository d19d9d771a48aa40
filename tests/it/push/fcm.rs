//! What the push service answers, and what becomes of it.

use std::time::Duration;

use adda::proto;
use tokio::time::Instant;

use super::fake::{Does, Fcm};
use super::{notifications, on_both, register, world};
use crate::world::{Backends, eventually, send};

on_both! {
    a_token_that_is_gone_is_dropped_and_why_is_told,
    what_is_not_taken_is_tried_again,
    a_pause_that_is_asked_for_is_everybodys,
    what_a_leaving_node_had_taken_is_done_by_the_next,
}

const LATE: &[&str] = &["--push-after", "500s", "--push-hold", "600s"];

async fn a_token_that_is_gone_is_dropped_and_why_is_told(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, LATE).await else { return };
    let mut alice = world.api("alice").await;
    for (user, does, why) in
        [("bob", Does::Unregistered, "UNREGISTERED"), ("carol", Does::BadToken, "INVALID_ARGUMENT")]
    {
        let chat = world.direct("alice", user).await;
        let phone = register(&world, user, "phone").await;
        let laptop = register(&world, user, "laptop").await;
        fcm.script(&phone, &[does]);
        send(&mut alice, &chat, "m1", "hello").await;
        let mut of = notifications(&world, user).await;
        let failed = eventually("it has failed", async || {
            let list = of.list_devices(proto::ListDevicesRequest {}).await.unwrap().into_inner();
            list.devices.into_iter().find(|device| device.failed_at.is_some())
        });
        let failed = failed.await;
        assert_eq!((failed.device_id.as_str(), failed.failure.as_str()), ("phone", why));
        fcm.next(&laptop, 0).await;
        assert_eq!(fcm.asked(&phone), 1);
        register(&world, user, "phone").await;
        let again = world.direct("dora", user).await;
        send(&mut world.api("dora").await, &again, "m1", "hello").await;
        assert_eq!(fcm.next(&phone, 0).await.data("chat_id"), again, "once it is registered anew");
    }
}

async fn what_is_not_taken_is_tried_again(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, LATE).await else { return };
    let mut alice = world.api("alice").await;
    let cases = [
        ("bob", vec![Does::TooMany(2)]),
        ("carol", vec![Does::Unavailable, Does::Unavailable]),
        ("dora", vec![Does::Reset]),
        ("emil", vec![Does::Unauthorized]),
        ("fay", vec![Does::Hang]),
    ];
    let mut phones = Vec::new();
    for (user, does) in cases {
        let chat = world.direct("alice", user).await;
        let phone = register(&world, user, "phone").await;
        fcm.script(&phone, &does);
        send(&mut alice, &chat, "m1", "hello").await;
        phones.push((phone, u32::try_from(does.len()).unwrap()));
    }
    for (phone, refused) in phones {
        let got = fcm.next(&phone, 0).await;
        assert_eq!(got.says(), ("Alice", "hello"));
        assert!(fcm.asked(&phone) > refused, "{phone}");
        assert_eq!(fcm.got(&phone).len(), 1, "{phone}");
    }
}

async fn a_pause_that_is_asked_for_is_everybodys(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, LATE).await else { return };
    let mut alice = world.api("alice").await;
    let mut places = Vec::new();
    for user in ["bob", "carol"] {
        let chat = world.direct("alice", user).await;
        places.push((chat, register(&world, user, "phone").await));
    }
    let [(refused, bob), (other, carol)] = &places[..] else { panic!() };
    fcm.script(bob, &[Does::TooMany(6)]);
    let began = Instant::now();
    send(&mut alice, refused, "m1", "hello").await;
    eventually("it is refused", async || (fcm.asked(bob) == 1).then_some(())).await;
    // The answer is on its way back.
    tokio::time::sleep(Duration::from_secs(1)).await;
    send(&mut alice, other, "m1", "hello").await;
    for phone in [bob, carol] {
        let waited = fcm.next(phone, 0).await.at - began;
        assert!(waited >= Duration::from_secs(6), "{waited:?}");
    }
    assert_eq!((fcm.asked(bob), fcm.asked(carol)), (2, 1));
}

async fn what_a_leaving_node_had_taken_is_done_by_the_next(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(mut world) = world(backends, &fcm, LATE).await else { return };
    let chat = world.direct("alice", "bob").await;
    let phone = register(&world, "bob", "phone").await;
    fcm.script(&phone, &[Does::Unavailable, Does::Hang]);
    send(&mut world.api("alice").await, &chat, "m1", "hello").await;
    let taken = eventually("a job is at it", async || (fcm.asked(&phone) == 2).then_some(()));
    taken.await;
    world.leave(0).await;
    let flags = fcm.flags(LATE);
    world.add_node(&flags.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // Who dies keeps what it has taken for a minute.
    let soon = tokio::time::timeout(Duration::from_secs(30), fcm.next(&phone, 0));
    assert_eq!(soon.await.expect("it is not kept from others").says(), ("Alice", "hello"));
}
