//! What was read on one device goes off the others, and what is gone off all.

use std::sync::Arc;
use std::time::Duration;

use adda::clock::Clock as _;
use adda::proto;

use super::fake::Fcm;
use super::quiet::{Ahead, quiet_for, world_at};
use super::{device, notifications, on_both, prefer, register, world};
use crate::world::{Backends, run, send};

on_both! {
    what_is_read_on_one_device_is_cleared_on_the_others,
    what_is_deleted_or_left_is_cleared_everywhere,
    what_told_of_several_chats_goes_with_the_last_of_them,
}

async fn what_is_read_on_one_device_is_cleared_on_the_others(backends: Backends) {
    let fcm = Fcm::open().await;
    let late = ["--push-after", "500s", "--push-hold", "600s"];
    let Some(world) = world(backends, &fcm, &late).await else { return };
    let chat = world.direct("alice", "bob").await;
    let (phone, tablet) =
        (register(&world, "bob", "phone").await, register(&world, "bob", "tablet").await);
    let web = proto::RegisterDeviceRequest {
        platform: proto::Platform::Web.into(),
        ..device("browser", "bob-browser")
    };
    notifications(&world, "bob").await.register_device(web).await.unwrap();
    let mut alice = world.api("alice").await;
    send(&mut alice, &chat, "m1", "hello").await;
    for device in [phone.as_str(), tablet.as_str(), "bob-browser"] {
        assert_eq!(fcm.next(device, 0).await.data("kind"), "message");
    }
    let mut live = world.connect("bob", "phone").await;
    live.caught_up().await;
    live.mark(&chat, vec![run(1, 1)], true).await;
    let cleared = fcm.next(&tablet, 1).await;
    assert_eq!((cleared.data("kind"), cleared.data("badge"), cleared.seq()), ("read", "0", 1));
    assert_eq!((cleared.data("chat_id"), cleared.data("tags")), (&*chat, &*chat));
    assert!(cleared.message.get("notification").is_none(), "it does not ring");
    live.mark(&chat, vec![run(1, 1)], true).await;
    // What is read twice is cleared once; the device it was read on needs it not.
    let other = world.direct("carol", "bob").await;
    send(&mut world.api("carol").await, &other, "m1", "hello").await;
    live.message().await;
    assert_eq!((fcm.got(&phone).len(), fcm.got(&tablet).len()), (1, 2));
    // What shows nothing would cost a page its permission.
    assert!(fcm.got("bob-browser").iter().all(|got| got.data("kind") == "message"));
}

async fn what_is_deleted_or_left_is_cleared_everywhere(backends: Backends) {
    let fcm = Fcm::open().await;
    let late = ["--push-after", "500s", "--push-hold", "600s"];
    let Some(world) = world(backends, &fcm, &late).await else { return };
    let direct = world.direct("alice", "bob").await;
    let [left, kept] = [world.group("alice", &["bob"]).await, world.group("alice", &["bob"]).await];
    let phone = register(&world, "bob", "phone").await;
    let mut alice = world.api("alice").await;
    let sent = send(&mut alice, &direct, "m1", "a secret").await;
    fcm.next(&phone, 0).await;
    send(&mut alice, &left, "m1", "hello").await;
    fcm.next(&phone, 1).await;
    send(&mut alice, &kept, "m1", "hello").await;
    fcm.next(&phone, 2).await;

    let delete = proto::DeleteMessageRequest {
        chat_id: direct.clone(),
        message_id: sent.message_id,
        scope: proto::DeleteScope::Everyone.into(),
    };
    alice.delete_message(delete).await.unwrap();
    let cleared = fcm.next(&phone, 3).await;
    assert_eq!((cleared.data("kind"), cleared.data("tags")), ("read", &*direct));
    assert_eq!(cleared.data("badge"), "2");
    let remove = proto::RemoveMemberRequest { chat_id: left.clone(), user_id: "bob".to_owned() };
    alice.remove_member(remove).await.unwrap();
    let cleared = fcm.next(&phone, 4).await;
    assert_eq!((cleared.data("tags"), cleared.data("badge")), (&*left, "1"));
    // What is sent there rings here no more.
    send(&mut alice, &left, "m2", "he is gone").await;
    send(&mut alice, &kept, "m2", "hello").await;
    let next = fcm.next(&phone, 5).await;
    assert_eq!((next.data("kind"), next.data("chat_id")), ("message", &*kept));
}

async fn what_told_of_several_chats_goes_with_the_last_of_them(backends: Backends) {
    let fcm = Fcm::open().await;
    let clock = Arc::new(Ahead::default());
    let flags = fcm.flags(&["--push-after", "500s", "--push-hold", "600s"]);
    let Some((world, _kept)) = world_at(backends, &clock, &flags).await else { return };
    let mut chats = Vec::new();
    for user in ["alice", "carol", "emil"] {
        chats.push(world.direct(user, "bob").await);
    }
    let phone = register(&world, "bob", "phone").await;
    let (quiet, end) = quiet_for(&clock, Duration::from_secs(10));
    prefer(&world, "bob", quiet).await;
    for (user, chat) in ["alice", "carol"].into_iter().zip(&chats) {
        send(&mut world.api(user).await, chat, "m1", "hello").await;
    }
    assert!(clock.now() < end, "this machine is too slow: the quiet hours are over");
    assert_eq!(fcm.next(&phone, 0).await.data("kind"), "digest");
    // It has a push of its own: it is not of those.
    send(&mut world.api("emil").await, &chats[2], "m1", "hello").await;
    assert_eq!(fcm.next(&phone, 1).await.data("kind"), "message");

    let mut laptop = world.connect("bob", "laptop").await;
    laptop.caught_up().await;
    laptop.mark(&chats[0], vec![run(1, 1)], true).await;
    let first = fcm.next(&phone, 2).await;
    assert_eq!((first.data("kind"), first.data("tags")), ("read", &*chats[0]), "one is left");
    laptop.mark(&chats[1], vec![run(1, 1)], true).await;
    let last = fcm.next(&phone, 3).await;
    assert_eq!(last.data("tags"), format!("{},digest", chats[1]));
    assert_eq!(last.data("badge"), "1");
    laptop.mark(&chats[2], vec![run(1, 1)], true).await;
    assert_eq!(fcm.next(&phone, 4).await.data("tags"), chats[2], "it is off already");
}
