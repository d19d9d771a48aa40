//! Signs of life, either way.

use std::time::{Duration, Instant};

use adda::clock::{Clock as _, SystemClock, Timestamp};
use adda::proto;
use adda::proto::connect_request::Command;
use adda::proto::server_frame::Frame;

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
    let ready = [&phone, &web].map(|live| live.ready.server_time.unwrap());
    let ended = async |live: &mut Live| (heartbeats(live).await, SystemClock.now());
    let (phone, web) = tokio::join!(ended(&mut phone), ended(&mut web));
    for (ready, ((beats, close), at)) in ready.into_iter().zip([phone, web]) {
        assert_eq!(close.reason(), proto::CloseReason::MissedHeartbeat);
        let ready = Timestamp(ready.seconds * 1000 + i64::from(ready.nanos / 1_000_000));
        // The two are read from different clocks.
        let silent = at.since(ready) + Duration::from_millis(100);
        assert!(silent > TIMEOUT, "closed after {silent:?}");
        // One an interval, but for what the Checkpoint has said, and for those that were late.
        assert!((1..=10).contains(&beats), "{beats} heartbeats came down");
    }
}

/// How long a client was silent at most.
struct Silence {
    last: Instant,
    longest: Duration,
}

impl Silence {
    fn new() -> Self {
        Self { last: Instant::now(), longest: Duration::ZERO }
    }

    /// It speaks now, or would have by now.
    fn ends(&mut self) {
        self.longest = self.longest.max(self.last.elapsed());
        self.last = Instant::now();
    }
}

/// Tries until one lives. One that was closed, and had itself been silent for long, says nothing.
async fn lives<T>(mut attempt: impl AsyncFnMut(&mut Silence) -> Option<T>) -> Option<T> {
    for _ in 0..5 {
        let mut silence = Silence::new();
        if let Some(lived) = attempt(&mut silence).await {
            return Some(lived);
        }
        silence.ends();
        let longest = silence.longest;
        assert!(longest > TIMEOUT / 2, "closed, though silent for {longest:?} at most");
    }
    eprintln!("skipped: each time the client itself was silent for long");
    None
}

/// Waits for the next heartbeat; whether the stream is still open.
async fn heartbeat(live: &mut Live) -> bool {
    loop {
        match live.came().await {
            Came::Frame(Frame::Heartbeat(_)) => return true,
            Came::Frame(Frame::Close(close)) => {
                assert_eq!(close.reason(), proto::CloseReason::MissedHeartbeat);
                return false;
            }
            Came::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn who_sends_commands_lives(world: World) {
    lives(async |silence| {
        let mut live = world.connect("alice", "phone").await;
        let began = Instant::now();
        while began.elapsed() < TIMEOUT * 4 {
            if !heartbeat(&mut live).await {
                return None;
            }
            // Any command is a sign of life, also one without an Ack, and one that is unknown.
            let known = began.elapsed() < TIMEOUT * 2;
            let command = known.then(|| Command::Heartbeat(proto::Heartbeat::default()));
            live.request(request("", command)).await;
            silence.ends();
        }
        // The last one was in time, too.
        heartbeat(&mut live).await.then_some(())
    })
    .await;
}

async fn a_reader_that_calls_heartbeat_lives(world: World) {
    let mut api = world.api("alice").await;
    let beat = |live: &Live| proto::HeartbeatRequest {
        session_id: live.ready.session_id.clone(),
        background: None,
    };
    let lived = lives(async |silence| {
        let opened = Live::subscribe(world.api("alice").await, hello("web")).await;
        let (mut live, mut api) = (opened.unwrap(), world.api("alice").await);
        let began = Instant::now();
        while began.elapsed() < TIMEOUT * 2 {
            if !heartbeat(&mut live).await {
                return None;
            }
            let answer = match api.heartbeat(beat(&live)).await {
                Ok(answer) => answer.into_inner(),
                Err(status) => {
                    assert_eq!(Refusal::of_status(&status).reason, "SESSION_NOT_FOUND");
                    return None;
                }
            };
            silence.ends();
            assert!(answer.server_time.is_some());
            assert!(
                answer.token_expires_at.unwrap().seconds
                    >= live.ready.token_expires_at.unwrap().seconds
            );
        }
        Some(live)
    });
    let Some(mut live) = lived.await else { return };
    assert_eq!(live.closed().await.reason(), proto::CloseReason::MissedHeartbeat);
    let gone = Refusal::from(api.heartbeat(beat(&live)).await);
    assert_eq!(
        (gone.code, gone.reason.as_str()),
        (tonic::Code::FailedPrecondition, "SESSION_NOT_FOUND")
    );
    assert!(!gone.retry);
}
