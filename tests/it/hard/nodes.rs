//! Two nodes behave as one.

use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, ack};
use std::time::Duration;

use super::{readyz, reason, two_nodes};
use crate::infra;
use crate::world::{Live, World, chat, eventually, run, unique};

/// Longer than a Subscribe may be silent.
const AWAY: Duration = Duration::from_secs(18);

#[tokio::test(flavor = "multi_thread")]
async fn a_talk_over_two_nodes_is_as_on_one() {
    let Some(world) = two_nodes(&["--presence-grace", "200ms"]).await else { return };
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.connect_at(0, "alice", "phone").await;
    let mut bob = world.connect_at(1, "bob", "phone").await;
    let mut tablet = world.connect_at(0, "bob", "tablet").await;

    let sent = alice.send(&chat_id, "m1", "hello").await;
    for live in [&mut alice, &mut bob, &mut tablet] {
        let message = live.message().await;
        assert_eq!((message.seq, &message.message_id), (1, &sent.message_id));
    }
    let mut of_bob = world.api_at(0, "bob").await;
    assert_eq!(chat(&mut of_bob, &chat_id).await.unread_count, Some(1));

    bob.mark(&chat_id, vec![run(1, 1)], false).await;
    let delivered = alice.event(|event| match event {
        Event::MessageDelivered(it) => Some((it.user_id.clone(), it.seqs.clone())),
        _ => None,
    });
    assert_eq!(delivered.await, ("bob".to_owned(), vec![run(1, 1)]));
    bob.mark(&chat_id, vec![run(1, 1)], true).await;
    assert_eq!(read(&mut alice).await, ("bob".to_owned(), None), "blue ticks over the nodes");
    assert_eq!(
        read(&mut tablet).await,
        ("bob".to_owned(), Some(0)),
        "the badge of the other device"
    );
    assert_eq!(chat(&mut of_bob, &chat_id).await.unread_count, Some(0));

    // Typing, to who looks.
    join(&mut alice, &chat_id).await;
    bob.ask(Command::TypingStart(proto::TypingStart { chat_id: chat_id.clone() })).await;
    assert!(typing(&mut alice).await);
    bob.send(&chat_id, "m2", "hello yourself").await;
    assert!(!typing(&mut alice).await, "it ends with the message");

    // Presence, now that bob has written: joining again tells who is there.
    let leave = Command::LeaveChat(proto::LeaveChat { chat_id: chat_id.clone() });
    alice.ask(leave).await;
    join(&mut alice, &chat_id).await;
    shown(&mut alice, "bob", true).await;
    let seen = chat(&mut world.api_at(0, "alice").await, &chat_id).await.presence.unwrap();
    assert!(seen.is_online);
    drop((bob, tablet));
    shown(&mut alice, "bob", false).await;
    let seen = chat(&mut world.api_at(0, "alice").await, &chat_id).await.presence.unwrap();
    assert!(!seen.is_online && seen.last_active.is_some());
    let _bob = world.connect_at(1, "bob", "phone").await;
    shown(&mut alice, "bob", true).await;
}

async fn join(live: &mut Live, chat: &str) {
    let done = live.ask(Command::JoinChat(proto::JoinChat { chat_id: chat.to_owned() })).await;
    assert!(matches!(done, ack::Result::Done(_)));
}

async fn read(live: &mut Live) -> (String, Option<u32>) {
    live.event(|event| match event {
        Event::MessageRead(it) => Some((it.user_id.clone(), it.unread_count)),
        _ => None,
    })
    .await
}

async fn typing(live: &mut Live) -> bool {
    live.event(|event| match event {
        Event::UserTyping(it) => Some(it.typing),
        _ => None,
    })
    .await
}

/// Waits until a user is shown online, or offline.
async fn shown(live: &mut Live, who: &str, online: bool) {
    live.event(|event| match event {
        Event::UserOnline(it) => (it.user_id == who && online).then_some(()),
        Event::UserOffline(it) => (it.user_id == who && !online).then_some(()),
        _ => None,
    })
    .await;
}

async fn subscribe(world: &World, node: usize, user: &str) -> Live {
    let hello = proto::Hello { device_id: "browser".to_owned(), ..proto::Hello::default() };
    Live::subscribe(world.api_at(node, user).await, hello).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_for_a_session_go_through_the_other_node() {
    let Some(redis) = infra::redis::own().await else { return };
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let flags = ["--subscribe-heartbeat", "500ms", "--subscribe-heartbeat-timeout", "12s"];
    let world = World::on(store, redis.url(), 2, &flags).await;
    let chat_id = world.direct("alice", "bob").await;
    let mut tab = subscribe(&world, 0, "alice").await;
    let session_id = tab.ready.session_id.clone();
    let mut there = world.api_at(1, "alice").await;
    let mut bob = world.api_at(1, "bob").await;

    let beat = proto::HeartbeatRequest { session_id: session_id.clone(), background: None };
    let answer = there.heartbeat(beat.clone()).await.unwrap().into_inner();
    assert_eq!(answer.token_expires_at.map(|at| at.seconds > 0), Some(true));
    let join = proto::JoinChatRequest { chat_id: chat_id.clone(), session_id: session_id.clone() };
    there.join_chat(join.clone()).await.unwrap();
    let writes =
        proto::SetTypingRequest { chat_id: chat_id.clone(), typing: true, ..Default::default() };
    bob.set_typing(writes).await.unwrap();
    assert!(typing(&mut tab).await);

    // Of nobody, of another, and not a session at all: all alike.
    let wrong = [(&there, unique()), (&bob, session_id), (&there, "no id".to_owned())];
    for (api, id) in wrong {
        let mut api = api.clone();
        let beat = proto::HeartbeatRequest { session_id: id, background: None };
        assert_eq!(reason(&api.heartbeat(beat).await.unwrap_err()), "SESSION_NOT_FOUND");
    }

    redis.kill();
    let refused = there.heartbeat(beat.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "NODE_UNREACHABLE");
    assert_eq!(reason(&there.join_chat(join).await.unwrap_err()), "NODE_UNREACHABLE");
    // The session stays, though nothing that keeps it alive can reach it.
    let away = tokio::time::Instant::now();
    while away.elapsed() < AWAY {
        tab.wait(|frame| matches!(frame, Frame::Heartbeat(_)).then_some(())).await;
        let closed = tab.take_seen().iter().any(|frame| matches!(frame, Frame::Close(_)));
        assert!(!closed, "no Subscribe is closed for silence while the bus is away");
    }
    assert_eq!(readyz(world.addr(0)).await, (200, "degraded: bus".to_owned()));
    redis.restart().await;
    eventually("the session is found again", || {
        let (mut there, beat) = (there.clone(), beat.clone());
        async move { there.heartbeat(beat).await.ok().map(|_| ()) }
    })
    .await;
}
