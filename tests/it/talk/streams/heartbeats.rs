//! Signs of life, either way.

use adda::proto;
use adda::proto::connect_request::Command;
use adda::proto::server_frame::Frame;
use std::time::{Duration, Instant};

use crate::on_both_backends;
use crate::world::{Came, Live, Refusal, World, hello, request};

const FLAGS: &[&str] = &[
    "--heartbeat",
    "200ms",
    "--heartbeat-timeout",
    "2s",
    "--subscribe-heartbeat",
    "200ms",
    "--subscribe-heartbeat-timeout",
    "2s",
];
const TIMEOUT: Duration = Duration::from_secs(2);

on_both_backends! {
    with super::FLAGS;
    who_says_nothing_is_closed,
    who_sends_commands_lives,
    a_reader_that_calls_heartbeat_lives,
}

/// Counts heartbeats until the stream is closed.
async fn heartbeats(live: &mut Live) -> (usize, proto::Close) {
    let mut beats = 0;
    loop {
        match live.came().await {
            Came::Frame(Frame::Heartbeat(_)) => beats += 1,
            Came::Frame(Frame::Close(close)) => {
                assert!(matches!(live.came().await, Came::End));
                return (beats, close);
            }
            Came::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn who_says_nothing_is_closed(world: World) {
    let mut phone = Live::open(world.api("alice").await, hello("phone")).await.unwrap();
    let mut web = Live::subscribe(world.api("alice").await, hello("web")).await.unwrap();
    let began = Instant::now();
    let (phone, web) = tokio::join!(heartbeats(&mut phone), heartbeats(&mut web));
    assert!(began.elapsed() + Duration::from_millis(500) > TIMEOUT);
    for (beats, close) in [phone, web] {
        assert_eq!(close.reason(), proto::CloseReason::MissedHeartbeat);
        // Each interval but for what the Checkpoint has said, with room for a slow machine.
        assert!((4..=10).contains(&beats), "{beats} heartbeats came down");
    }
}

async fn who_sends_commands_lives(world: World) {
    let mut live = world.connect("alice", "phone").await;
    let began = Instant::now();
    while began.elapsed() < TIMEOUT * 2 {
        live.wait(|frame| matches!(frame, Frame::Heartbeat(_)).then_some(())).await;
        // Any command is a sign of life, also one without an Ack, and one that is unknown.
        live.request(request("", Some(Command::Heartbeat(proto::Heartbeat::default())))).await;
    }
    while began.elapsed() < TIMEOUT * 4 {
        live.wait(|frame| matches!(frame, Frame::Heartbeat(_)).then_some(())).await;
        live.request(request("", None)).await;
    }
    live.settle().await;
}

async fn a_reader_that_calls_heartbeat_lives(world: World) {
    let mut live = Live::subscribe(world.api("alice").await, hello("web")).await.unwrap();
    let mut api = world.api("alice").await;
    let session_id = live.ready.session_id.clone();
    let beat = || proto::HeartbeatRequest { session_id: session_id.clone(), background: None };
    let began = Instant::now();
    while began.elapsed() < TIMEOUT * 2 {
        live.wait(|frame| matches!(frame, Frame::Heartbeat(_)).then_some(())).await;
        let answer = api.heartbeat(beat()).await.unwrap().into_inner();
        assert!(answer.server_time.is_some());
        assert!(
            answer.token_expires_at.unwrap().seconds
                >= live.ready.token_expires_at.unwrap().seconds
        );
    }
    assert_eq!(live.closed().await.reason(), proto::CloseReason::MissedHeartbeat);
    let gone = Refusal::from(api.heartbeat(beat()).await);
    assert_eq!(
        (gone.code, gone.reason.as_str()),
        (tonic::Code::FailedPrecondition, "SESSION_NOT_FOUND")
    );
    assert!(!gone.retry);
}
