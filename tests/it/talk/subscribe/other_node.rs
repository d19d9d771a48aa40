//! A call reaches its session on whichever node.

use adda::proto;
use adda::proto::event::Event;

use super::{beat, join, leave, open, typing};
use crate::on_both_backends;
use crate::world::{Live, World, api, eventually, hello, send, token_for};

on_both_backends! {
    with &["--token-leeway", "1s", "--subscribe-heartbeat", "300ms", "--subscribe-heartbeat-timeout", "12s"];
    calls_reach_a_session_elsewhere,
    a_heartbeat_reaches_a_session_elsewhere,
}

async fn writes(live: &mut Live) -> bool {
    live.event(|event| match event {
        Event::UserTyping(of) => Some(of.typing),
        _ => None,
    })
    .await
}

async fn calls_reach_a_session_elsewhere(mut world: World) {
    if !world.has_several_nodes() {
        return;
    }
    let other = world.add_node(&[]).await;
    let chat = world.direct("alice", "bob").await;
    let mut bob = open(&world, "bob").await;
    let session = bob.ready.session_id.clone();
    let mut his = world.api_at(other, "bob").await;
    let mut hers = world.api_at(other, "alice").await;
    his.join_chat(join(&chat, &session)).await.unwrap();
    hers.set_typing(typing(&chat, "", true)).await.unwrap();
    assert!(writes(&mut bob).await);
    send(&mut hers, &chat, "m1", "hello").await;
    assert!(!writes(&mut bob).await);
    assert_eq!(bob.message().await.seq, 1);
    his.leave_chat(leave(&chat, &session)).await.unwrap();
    hers.set_typing(typing(&chat, "", true)).await.unwrap();
    send(&mut hers, &chat, "m2", "hello").await;
    assert_eq!(bob.message().await.seq, 2);
    assert!(!bob.take_seen().iter().any(|frame| format!("{frame:?}").contains("UserTyping")));
}

async fn a_heartbeat_reaches_a_session_elsewhere(mut world: World) {
    if !world.has_several_nodes() {
        return;
    }
    let other = world.add_node(&[]).await;
    let short = token_for("alice", std::time::Duration::from_secs(12));
    let opened = Live::subscribe(api(world.addr(0), short).await, hello("web")).await;
    let mut live = opened.unwrap();
    let mut calls = world.api_at(other, "alice").await;
    let ends = live.ready.token_expires_at.unwrap();
    let began = std::time::Instant::now();
    // Until the token with which it was opened has run out.
    while began.elapsed() < std::time::Duration::from_secs(15) {
        live.wait(|frame| matches!(frame, proto::server_frame::Frame::Heartbeat(_)).then_some(()))
            .await;
        let answer = eventually("the other node reaches it", async || {
            calls.heartbeat(beat(&live.ready.session_id)).await.ok()
        });
        let answer = answer.await.into_inner();
        assert!(answer.token_expires_at.unwrap().seconds > ends.seconds + 3000);
    }
    let close = live.closed().await;
    assert_eq!(close.reason(), proto::CloseReason::MissedHeartbeat, "not the token");
}
