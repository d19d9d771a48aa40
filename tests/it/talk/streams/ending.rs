//! How a stream ends: what was begun is answered, and what was not told comes again.

use std::collections::BTreeSet;
use std::time::Duration;

use adda::proto::connect_request::Command;
use adda::proto::server_frame::Frame;
use adda::proto::{self, ack, chat_service_client::ChatServiceClient};

use crate::on_both_backends;
use crate::world::{
    Came, Live, Refusal, World, eventually, hello, history, message, request, send,
};

on_both_backends! {
    a_client_that_leaves_is_answered_first,
    a_node_that_leaves_answers_first,
    a_reader_that_stops_is_cut_off_and_loses_nothing,
}

async fn a_client_that_leaves_is_answered_first(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    for at in 0..40 {
        let id = format!("m{at}");
        live.request(request(&id, Some(Command::MessageSend(message(&chat, &id, "hello"))))).await;
    }
    let seqs = Vec::new();
    let bad = Command::ReadAck(proto::ReadAck { chat_id: chat.clone(), seqs });
    live.request(request("read", Some(bad))).await;
    live.end();
    let mut acks = BTreeSet::new();
    loop {
        match live.came().await {
            Came::Frame(Frame::Ack(ack)) => assert!(acks.insert(ack.ack_id)),
            Came::Frame(Frame::Close(close)) => panic!("{close:?}"),
            Came::Frame(_) => {}
            Came::End => break,
            Came::Status(status) => panic!("{status:?}"),
        }
    }
    assert_eq!(acks.len(), 41);
}

async fn a_node_that_leaves_answers_first(mut world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    let mut web = Live::subscribe(world.api("bob").await, hello("web")).await.unwrap();
    live.caught_up().await;
    web.caught_up().await;
    for at in 0..60 {
        let id = format!("m{at}");
        live.request(request(&id, Some(Command::MessageSend(message(&chat, &id, "hello"))))).await;
    }
    live.ack("m0").await;
    let read = async {
        let (mut acked, mut last) = (BTreeSet::from(["m0".to_owned()]), None);
        for frame in live.take_seen() {
            if let Frame::Ack(ack) = frame {
                acked.insert(ack.ack_id);
            }
        }
        loop {
            match live.came().await {
                Came::Frame(Frame::Ack(ack)) => {
                    assert!(matches!(ack.result, Some(ack::Result::SendOutcome(_))), "{ack:?}");
                    acked.insert(ack.ack_id);
                }
                Came::Frame(Frame::Close(close)) => {
                    assert!(matches!(last, Some(Frame::Checkpoint(_))), "before Close: {last:?}");
                    assert!(matches!(live.came().await, Came::End));
                    return (acked, close);
                }
                Came::Frame(frame) => last = Some(frame),
                other => panic!("{other:?}"),
            }
        }
    };
    let ((), (acked, close), webs) = tokio::join!(world.leave(0), read, web.closed());
    for close in [close, webs] {
        assert_eq!(close.reason(), proto::CloseReason::ShuttingDown);
        assert!(close.reconnect_after.is_some());
    }
    let node = world.add_node(&[]).await;
    let mut api = world.api_at(node, "alice").await;
    let stored: BTreeSet<_> =
        history(&mut api, &chat).await.into_iter().map(|m| m.client_message_id).collect();
    assert_eq!(stored, acked, "what was stored is what was acknowledged");

    let hello = web.hello("web");
    let mut seen: Vec<u32> = sent(&web.take_seen());
    let mut again = Live::subscribe(world.api_at(node, "bob").await, hello).await.unwrap();
    assert_eq!(again.ready.resume_outcome(), proto::ResumeOutcome::Resumed);
    again.caught_up().await;
    seen.extend(sent(&again.take_seen()));
    let all: Vec<u32> = (1..).take(stored.len()).collect();
    assert_eq!(seen, all, "each once, and none left out");
}

/// The `seq` of each new message among frames.
fn sent(frames: &[Frame]) -> Vec<u32> {
    let seq = |frame: &Frame| match frame {
        Frame::Event(proto::Event { event: Some(proto::event::Event::MessageSent(sent)) }) => {
            sent.message.as_ref().map(|message| message.seq)
        }
        _ => None,
    };
    frames.iter().filter_map(seq).collect()
}

async fn a_reader_that_stops_is_cut_off_and_loses_nothing(world: World) {
    let chat = world.group("alice", &["bob", "carol"]).await;
    let mut alice = world.api("alice").await;
    let mut slow = slow_stream(&world, "bob").await;
    slow.caught_up().await;
    let mut carol = world.connect("carol", "phone").await;
    carol.caught_up().await;
    let text = "x".repeat(8192);
    let mut sent_count = 1;
    // More than the stream's window and the outbox hold together, and not much more: who does not
    // read is told why for 5 s only.
    for at in 0..75 {
        send(&mut alice, &chat, &format!("m{at}"), &text).await;
        sent_count += 1;
        assert_eq!(carol.message().await.seq, sent_count, "others go on");
    }
    let close = slow.closed().await;
    assert_eq!(close.reason(), proto::CloseReason::SlowConsumer);
    // What came after the last Checkpoint comes again, and nothing is missing.
    let mut seen: BTreeSet<u32> = sent(&slow.take_seen()).into_iter().collect();
    let mut again = Live::open(world.api("bob").await, slow.hello("phone")).await.unwrap();
    assert_eq!(again.ready.resume_outcome(), proto::ResumeOutcome::Resumed);
    again.caught_up().await;
    seen.extend(sent(&again.take_seen()));
    assert!((2..=sent_count).all(|seq| seen.contains(&seq)), "{seen:?}");
}

/// A stream with a small window, so that little is under way.
async fn slow_stream(world: &World, user: &str) -> Live {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", world.addr(0)));
    let channel = endpoint.unwrap().initial_stream_window_size(65_535).connect().await.unwrap();
    let bearer = crate::world::Bearer(crate::world::token(user));
    let api = ChatServiceClient::with_interceptor(channel, bearer);
    Live::open(api, hello("phone")).await.unwrap()
}

/// While a node leaves, what asks to be let in is sent elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_leaves_takes_no_more_streams() {
    let flags = ["--drain-timeout", "20s"];
    let mut world = World::with(crate::world::Backends::Sqlite, &flags).await.unwrap();
    let mut live = world.connect("alice", "phone").await;
    let late = world.api("bob").await;
    // A stream that nobody reads keeps the node waiting for a while.
    let chat = world.group("alice", &["carol"]).await;
    let mut slow = slow_stream(&world, "carol").await;
    slow.caught_up().await;
    let mut alice = world.api("alice").await;
    for at in 0..20 {
        send(&mut alice, &chat, &format!("m{at}"), &"x".repeat(8192)).await;
    }
    let refused = async {
        assert_eq!(live.closed().await.reason(), proto::CloseReason::ShuttingDown);
        eventually("streams are refused", async || {
            Live::open(late.clone(), hello("phone")).await.err()
        })
        .await
    };
    let leave = tokio::time::timeout(Duration::from_secs(60), world.leave(0));
    let (left, refused) = tokio::join!(leave, refused);
    left.unwrap();
    let refused = Refusal::of_status(&refused);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (tonic::Code::Unavailable, "SHUTTING_DOWN")
    );
    assert!(refused.retry);
}
