//! What a stream must begin with.

use std::time::Duration;

use adda::proto;
use adda::proto::connect_request::Command;
use adda::proto::server_frame::Frame;
use bytes::Bytes;
use prost::Message as _;
use tonic::Code;

use crate::on_both_backends;
use crate::world::{Came, Live, RawConnect, Refusal, World, hello, request, token};

on_both_backends! {
    hello_must_come_first,
    a_stream_begins_with_ready_and_what_the_server_allows,
    a_hello_is_checked,
    a_second_hello_ends_the_stream,
}

fn refusal(opened: Result<Live, tonic::Status>) -> Refusal {
    match opened {
        Ok(_) => panic!("a stream was opened"),
        Err(status) => Refusal::of_status(&status),
    }
}

async fn hello_must_come_first(world: World) {
    let beat = Some(Command::Heartbeat(proto::Heartbeat::default()));
    for first in [vec![request("a", beat)], vec![request("a", None)]] {
        let refused = refusal(Live::open_with(world.api("alice").await, first).await);
        assert_eq!((refused.code, refused.what()), (Code::InvalidArgument, ("HELLO_EXPECTED", "")));
        assert!(!refused.retry);
    }
    let ended = world.api("alice").await.connect(tokio_stream::empty()).await.map(|_| ());
    assert_eq!(
        Refusal::from(ended).reason,
        "HELLO_EXPECTED",
        "a client that says nothing and goes"
    );
    let bytes = Bytes::from_static(&[0xff; 9]);
    let opened = RawConnect::open(world.addr(0), &token("alice"), Some(bytes)).await;
    let refused = Refusal::of_status(&opened.err().unwrap());
    assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "FIELD_INVALID"));
    let large = proto::Hello { resume_token: vec![0; 1 << 20].into(), ..hello("phone") };
    let refused = refusal(Live::open(world.api("alice").await, large).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "TOO_LARGE"));
    let subscribe = proto::SubscribeRequest { hello: None };
    let refused = world.api("alice").await.subscribe(subscribe).await.map(|_| ());
    assert_eq!(Refusal::from(refused).what(), ("FIELD_INVALID", "hello"));
}

async fn a_stream_begins_with_ready_and_what_the_server_allows(world: World) {
    for subscribe in [false, true] {
        let api = world.api("alice").await;
        let mut live = if subscribe {
            Live::subscribe(api, hello("web")).await.unwrap()
        } else {
            Live::open(api, hello("phone")).await.unwrap()
        };
        let (interval, timeout) = if subscribe { (45, 150) } else { (30, 90) };
        let ready = live.ready.clone();
        assert_eq!((ready.user_id.as_str(), ready.session_id.len()), ("alice", 36));
        assert_eq!(ready.resume_outcome(), proto::ResumeOutcome::Fresh);
        assert_eq!(ready.heartbeat_interval.unwrap().seconds, interval);
        assert_eq!(ready.heartbeat_timeout.unwrap().seconds, timeout);
        let left = ready.token_expires_at.unwrap().seconds - ready.server_time.unwrap().seconds;
        assert!((3590..=3600).contains(&left), "{left}");
        let limits = proto::Limits {
            max_text_bytes: 8192,
            max_commands_in_flight: 256,
            max_group_members: 10_000,
            max_receipt_members: 256,
            max_joined_chats: 32,
            max_attachment_bytes: 25_000_000,
            max_attachments: 10,
            edit_window: Some(prost_types::Duration { seconds: 15 * 60, nanos: 0 }),
        };
        assert_eq!(ready.limits, Some(limits));
        assert!(matches!(live.came().await, Came::Frame(Frame::CaughtUp(_))));
        assert!(matches!(live.came().await, Came::Frame(Frame::Checkpoint(_))));
        assert!(!live.token.is_empty() && live.token.len() < 1024);
    }
}

async fn a_hello_is_checked(world: World) {
    let long = "x".repeat(65);
    let longer = "x".repeat(129);
    for (bad, field, limit) in [
        (hello(""), "hello.device_id", None),
        (hello("a b"), "hello.device_id", None),
        (hello("../.."), "hello.device_id", None),
        (hello(&long), "hello.device_id", None),
        (proto::Hello { instance_id: long.clone(), ..hello("a") }, "hello.instance_id", Some("64")),
        (proto::Hello { client: longer, ..hello("a") }, "hello.client", Some("128")),
    ] {
        let opened = Live::open(world.api("alice").await, bad.clone()).await;
        let refused = refusal(opened);
        assert_eq!(
            (refused.code, refused.what()),
            (Code::InvalidArgument, ("FIELD_INVALID", field))
        );
        assert_eq!(refused.limit(), limit);
        let opened = Live::subscribe(world.api("alice").await, bad).await;
        assert_eq!(refusal(opened), refused, "Subscribe says the same");
    }
    let odd = proto::Hello {
        instance_id: "{\"$gt\":\"\"}\0\n".to_owned(),
        client: "a\n\u{1b}[31m/১".to_owned(),
        generation: u32::MAX,
        ..hello("a")
    };
    Live::open(world.api("alice").await, odd).await.unwrap();
}

async fn a_second_hello_ends_the_stream(world: World) {
    let mut live = world.connect("alice", "phone").await;
    let mut other = world.connect("alice", "laptop").await;
    let refused = live.refused(Command::Hello(hello("phone"))).await;
    assert_eq!((refused.code, refused.what()), (Code::InvalidArgument, ("FIELD_INVALID", "hello")));
    assert_eq!(live.closed().await.reason(), proto::CloseReason::ProtocolError);
    other.settle().await;
}

/// Whoever opens a stream and says nothing is not kept.
#[tokio::test]
async fn a_connect_that_says_nothing_ends() {
    let world = World::with(crate::world::Backends::Sqlite, &[]).await.unwrap();
    let token = token("alice");
    let opened = RawConnect::open(world.addr(0), &token, None);
    let opened = tokio::time::timeout(Duration::from_secs(15), opened);
    let refused = Refusal::of_status(&opened.await.unwrap().err().unwrap());
    assert_eq!((refused.code, refused.reason.as_str()), (Code::DeadlineExceeded, "TIMED_OUT"));
    assert!(refused.retry);
    let first =
        proto::ConnectRequest { command: Some(Command::Hello(hello("a"))), ..Default::default() };
    let first = Bytes::from(first.encode_to_vec());
    RawConnect::open(world.addr(0), &token, Some(first)).await.unwrap();
}
