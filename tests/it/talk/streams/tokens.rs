//! A stream lives as long as its token, and a newer one of the same user keeps it open.

use adda::clock::{Clock as _, SystemClock, Timestamp};
use adda::proto::connect_request::Command;
use adda::proto::{self, ack};
use std::time::Duration;
use tonic::Code;

use crate::on_both_backends;
use crate::world::{Api, Live, Refusal, World, api, hello, token, token_for};

const LEEWAY: Duration = Duration::from_secs(1);
/// Seconds that a token is good for which is to run out: enough to open a stream with it.
const SHORT: u64 = 12;

on_both_backends! {
    with &["--token-leeway", "1s"];
    a_stream_ends_when_its_token_has_run_out,
    a_newer_token_keeps_a_stream_open,
    a_call_with_a_newer_token_keeps_its_session_open,
    a_token_that_is_of_no_use_changes_nothing,
    a_token_of_another_user_ends_the_stream,
}

fn refresh(token: String) -> Command {
    Command::RefreshToken(proto::RefreshToken { token })
}

fn millis(at: prost_types::Timestamp) -> Timestamp {
    Timestamp(at.seconds * 1000 + i64::from(at.nanos / 1_000_000))
}

async fn with_token(world: &World, ttl: u64) -> Api {
    api(world.addr(0), token_for("alice", Duration::from_secs(ttl))).await
}

async fn a_stream_ends_when_its_token_has_run_out(world: World) {
    let mut phone = Live::open(with_token(&world, SHORT).await, hello("phone")).await.unwrap();
    let mut web = Live::subscribe(with_token(&world, SHORT).await, hello("web")).await.unwrap();
    for live in [&mut phone, &mut web] {
        let ends = millis(live.ready.token_expires_at.unwrap()).plus(LEEWAY);
        let close = live.closed().await;
        let now = SystemClock.now();
        assert_eq!(close.reason(), proto::CloseReason::TokenExpired);
        assert!(now >= ends, "{now:?} is before {ends:?}");
        assert!(now.since(ends) < Duration::from_secs(15), "late: {:?}", now.since(ends));
        assert!(!live.token.is_empty(), "a Checkpoint came before");
    }
}

async fn a_newer_token_keeps_a_stream_open(world: World) {
    let mut kept = Live::open(with_token(&world, SHORT).await, hello("phone")).await.unwrap();
    let mut left = Live::open(with_token(&world, SHORT + 2).await, hello("laptop")).await.unwrap();
    let ack::Result::RefreshOutcome(outcome) = kept.ask(refresh(token("alice"))).await else {
        panic!()
    };
    let until = millis(outcome.token_expires_at.unwrap());
    assert!(until > SystemClock.now().plus(Duration::from_secs(3500)));
    // One that expires sooner takes nothing back.
    let sooner = refresh(token_for("alice", Duration::from_secs(SHORT)));
    let ack::Result::RefreshOutcome(outcome) = kept.ask(sooner).await else { panic!() };
    assert_eq!(millis(outcome.token_expires_at.unwrap()), until);
    assert_eq!(left.closed().await.reason(), proto::CloseReason::TokenExpired);
    kept.settle().await;
}

async fn a_call_with_a_newer_token_keeps_its_session_open(world: World) {
    let mut kept = Live::subscribe(with_token(&world, SHORT).await, hello("web")).await.unwrap();
    let mut left =
        Live::subscribe(with_token(&world, SHORT + 2).await, hello("other")).await.unwrap();
    let beat =
        proto::HeartbeatRequest { session_id: kept.ready.session_id.clone(), background: None };
    let answer = world.api("alice").await.heartbeat(beat.clone()).await.unwrap().into_inner();
    let until = millis(answer.token_expires_at.unwrap());
    assert!(until > SystemClock.now().plus(Duration::from_secs(3500)));
    let answer =
        with_token(&world, SHORT).await.heartbeat(beat.clone()).await.unwrap().into_inner();
    assert_eq!(millis(answer.token_expires_at.unwrap()), until);
    assert_eq!(left.closed().await.reason(), proto::CloseReason::TokenExpired);
    world.api("alice").await.heartbeat(beat).await.unwrap();
    assert!(kept.take_seen().is_empty());
}

async fn a_token_that_is_of_no_use_changes_nothing(world: World) {
    let mut live = world.connect("alice", "phone").await;
    let expired = token_for("alice", Duration::ZERO);
    let refused = crate::world::eventually("a token expires", async || {
        let came = live.ask(refresh(expired.clone())).await;
        match came {
            ack::Result::Error(error) => Some(Refusal::of_error(&error)),
            _ => None,
        }
    });
    let refused = refused.await;
    assert_eq!((refused.code, refused.what()), (Code::Unauthenticated, ("TOKEN_EXPIRED", "")));
    for bad in [String::new(), "a.b.c".to_owned(), format!("Bearer {}", token("alice"))] {
        let refused = live.refused(refresh(bad)).await;
        assert_eq!((refused.code, refused.what()), (Code::Unauthenticated, ("TOKEN_INVALID", "")));
        assert!(!refused.retry && refused.metadata.is_empty());
    }
    live.settle().await;
}

async fn a_token_of_another_user_ends_the_stream(world: World) {
    let mut live = world.connect("alice", "phone").await;
    let mut other = world.connect("alice", "laptop").await;
    let refused = live.refused(refresh(token("bob"))).await;
    assert_eq!(
        (refused.code, refused.what()),
        (Code::PermissionDenied, ("TOKEN_OF_ANOTHER_USER", ""))
    );
    assert_eq!(live.closed().await.reason(), proto::CloseReason::ProtocolError);
    other.settle().await;
}
