//! What users wish, and what is not worth a push any more.

use std::sync::Arc;
use std::time::Duration;

use adda::model::{MessageId, NodeId};
use adda::proto::{self, NotificationLevel as Level, NotificationPreview as Preview};

use super::away::{held, silent};
use super::fake::Fcm;
use super::quiet::{Ahead, world_at};
use super::{block, notifications, on_both, prefer, register, world};
use crate::world::{Backends, api, message, send, token_for};

on_both! {
    a_push_is_as_each_user_wishes,
    who_has_blocked_the_sender_is_not_pushed,
    what_is_old_rings_as_the_newest_of_its_chat_alone,
}

const LATE: &[&str] = &["--push-after", "500s", "--push-hold", "600s"];

/// All are decided together, and what rings once more comes 5 s later at the soonest: so what has
/// not rung by then does not.
async fn a_push_is_as_each_user_wishes(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, LATE).await else { return };
    let chat = world.group("alice", &["bob", "carol", "dora"]).await;
    let mut phones = Vec::new();
    for user in ["bob", "carol", "dora"] {
        phones.push(register(&world, user, "phone").await);
    }
    let [off, mentioned, discreet] = &phones[..] else { panic!() };
    let none = Preview::None.into();
    prefer(&world, "bob", proto::NotificationPreferences { off: true, ..Default::default() }).await;
    let wish = proto::NotificationPreferences { preview: none, silent: true, ..Default::default() };
    prefer(&world, "dora", wish).await;
    let level = proto::SetChatNotificationsRequest {
        chat_id: chat.clone(),
        level: Level::Mentions.into(),
        until: None,
    };
    notifications(&world, "carol").await.set_chat_notifications(level).await.unwrap();

    let mut alice = world.api("alice").await;
    send(&mut alice, &chat, "m1", "a secret").await;
    let got = fcm.next(discreet, 0).await;
    assert_eq!(got.says(), ("New message", ""));
    for word in ["secret", "Alice", "Group", "default"] {
        assert!(!got.message.to_string().contains(word), "{word}: {got:?}");
    }
    let mentions = vec!["bob".to_owned(), "carol".to_owned()];
    let calls = proto::MessageSend { mentions, ..message(&chat, "m2", "@bob @carol look") };
    alice.send_message(proto::SendMessageRequest { message: Some(calls) }).await.unwrap();
    assert_eq!(fcm.next(discreet, 1).await.seq(), 3);
    let got = fcm.next(mentioned, 0).await;
    assert_eq!((got.seq(), got.says().0), (3, "Group"));
    assert!(got.says().1.contains("look"), "{got:?}");
    assert_eq!((fcm.asked(off), fcm.asked(mentioned), fcm.asked(discreet)), (0, 1, 2));
}

async fn who_has_blocked_the_sender_is_not_pushed(backends: Backends) {
    let fcm = Fcm::open().await;
    let soon = ["--push-after", "4s", "--push-hold", "6s"];
    let Some(world) = world(backends, &fcm, &soon).await else { return };
    let chat = world.direct("alice", "bob").await;
    let other = world.direct("alice", "emil").await;
    let (mut bob, phone) = silent(&world).await;
    let (emil, later) = held(&world, "emil").await;
    let mut alice = world.api("alice").await;
    send(&mut alice, &chat, "m1", "hello").await;
    block(&world, "bob", "alice").await;
    assert_eq!(bob.message().await.seq, 1, "it came");
    send(&mut alice, &other, "m1", "hello").await;
    emil.hears(&other, 1).await;
    fcm.next(&later, 0).await;
    assert_eq!(fcm.asked(&phone), 0, "both looks have passed it");
}

async fn what_is_old_rings_as_the_newest_of_its_chat_alone(backends: Backends) {
    let fcm = Fcm::open().await;
    let clock = Arc::new(Ahead::default());
    let flags = fcm.flags(&["--push-after", "60s", "--push-hold", "120s"]);
    let Some((world, _kept)) = world_at(backends, &clock, &flags).await else { return };
    // However soon the clock moves, the looks begin before what is sent now.
    for turn in ["pushes-first", "pushes-second"] {
        let (none, nobody) = (MessageId(uuid::Uuid::nil()), NodeId::new("nobody"));
        world.store().take_turn(turn, &nobody, Duration::ZERO, none).await.unwrap();
    }
    let (answered, newest) =
        (world.direct("alice", "bob").await, world.direct("alice", "carol").await);
    let (mut bob, of_bob) = silent(&world).await;
    let of_carol = register(&world, "carol", "phone").await;
    let mut carol = world.connect("carol", "phone").await;
    carol.caught_up().await;
    let other = world.direct("alice", "fay").await;
    let of_fay = register(&world, "fay", "phone").await;
    let hours = Duration::from_secs(4 * 3600);
    let mut alice = api(world.addr(0), token_for("alice", hours)).await;
    send(&mut alice, &answered, "m1", "hello").await;
    send(&mut alice, &newest, "m1", "hello").await;
    assert_eq!((bob.message().await.seq, carol.message().await.seq), (1, 1));
    send(&mut world.api("bob").await, &answered, "m2", "hi").await;
    assert_eq!((fcm.asked(&of_bob), fcm.asked(&of_carol)), (0, 0), "they have streams");
    clock.by(Duration::from_secs(2 * 3600));
    assert_eq!(fcm.next(&of_carol, 0).await.data("chat_id"), newest);
    // What rings at once after it comes later than what was decided with it.
    send(&mut alice, &other, "m1", "hello").await;
    fcm.next(&of_fay, 0).await;
    assert_eq!(fcm.asked(&of_bob), 0, "it is old, and not the newest");
}
