//! A node is asked to leave: what it finishes, what it hands over, and that it does not take
//! longer than it was given.

use std::time::Duration;

use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, CloseReason, ack};
use tokio::time::Instant;

use crate::hard::{Device, readyz, reason, two_nodes};
use crate::infra::{self, adda::Adda, mongod::ReplicaSet};
use crate::world::{Api, Backends, Live, World, api, eventually, hello, message, send, token};

/// What a busy machine may add to any time here.
const SLACK: Duration = Duration::from_secs(15);

async fn direct(api: &mut Api, other: &str) -> String {
    let request = proto::CreateChatRequest {
        kind: proto::ChatKind::Direct.into(),
        member_ids: vec![other.to_owned()],
        ..proto::CreateChatRequest::default()
    };
    api.create_chat(request).await.unwrap().into_inner().chat.unwrap().chat_id
}

/// A program on a store of its own, and a stream with a send under way that the store does not
/// answer.
async fn stuck(flags: &[&str]) -> Option<(ReplicaSet, Adda, Live, String)> {
    let set = ReplicaSet::own(1).await?;
    let bus = infra::redis::fresh_url().await?;
    let node = Adda::start(&set.uri(), &bus, flags).await;
    let chat = direct(&mut api(node.addr(), token("alice")).await, "bob").await;
    let mut live =
        Live::open(api(node.addr(), token("alice")).await, hello("phone")).await.unwrap();
    live.send(&chat, "m1", "hello").await;
    live.settle().await;
    set.pause(0);
    let asked = live.command(Command::MessageSend(message(&chat, "m2", "hello"))).await;
    live.settle().await;
    Some((set, node, live, asked))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_finished_and_nothing_new_begun() {
    let Some((set, mut node, mut live, asked)) = stuck(&[]).await else { return };
    let mut other = api(node.addr(), token("bob")).await;
    node.terminate();
    let draining =
        async || (readyz(node.addr()).await == (503, "draining".to_owned())).then_some(());
    eventually("not ready", draining).await;
    let refused = Live::open(other.clone(), hello("phone")).await.err().unwrap();
    assert_eq!(reason(&refused), "SHUTTING_DOWN");
    set.resume(0);
    let answer = live.ack(&asked).await;
    assert!(matches!(answer, ack::Result::SendOutcome(it) if it.seq == 2 && !it.duplicate));
    assert_eq!(live.closed().await.reason(), CloseReason::ShuttingDown);
    assert_eq!(node.ended().await, Some(0));
    let gone = other.list_chats(proto::ListChatsRequest::default()).await.unwrap_err();
    assert_eq!(gone.code(), tonic::Code::Unavailable, "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_out_in_time_whatever_does_not_answer() {
    let flags = ["--drain-timeout", "4s"];
    let Some((_set, mut node, mut live, _)) = stuck(&flags).await else { return };
    let start = Instant::now();
    node.terminate();
    let code = node.ended().await;
    let took = start.elapsed();
    assert_eq!(code, Some(0), "{}", node.log());
    assert!(took < Duration::from_secs(4) + SLACK, "{took:?}");
    assert!(node.log().contains("did not end in time"), "{}", node.log());
    // Cut, or told; but not left open.
    while let crate::world::Came::Frame(_) = live.came().await {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let flags = ["--drain-timeout", "60s"];
    let Some((_set, mut node, _live, _)) = stuck(&flags).await else { return };
    node.terminate();
    let draining = async || (readyz(node.addr()).await.0 == 503).then_some(());
    eventually("not ready", draining).await;
    let start = Instant::now();
    node.terminate();
    let code = node.ended().await;
    assert_eq!(code, Some(1));
    assert!(start.elapsed() < SLACK, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_to_come_back_each_at_its_own_time() {
    let Some(mut world) = World::with(Backends::Sqlite, &[]).await else { return };
    let mut streams = Vec::new();
    for at in 0..40 {
        streams.push(world.connect(&format!("user-{at}"), "phone").await);
    }
    world.leave(0).await;
    let mut pauses = Vec::new();
    for stream in &mut streams {
        let close = stream.closed().await;
        assert_eq!(close.reason(), CloseReason::ShuttingDown);
        pauses.push(Duration::try_from(close.reconnect_after.unwrap()).unwrap());
    }
    pauses.sort_unstable();
    let (first, last) = (pauses[0], pauses[pauses.len() - 1]);
    // What a client adds to it is a half.
    assert!(first >= Duration::from_millis(100) && last.mul_f64(1.5) < Duration::from_secs(2));
    assert!(last > first * 2, "spread: {pauses:?}");
    pauses.dedup();
    assert!(pauses.len() > 30, "{pauses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_handed_over() {
    let Some(mut world) = two_nodes(&["--presence-grace", "10s"]).await else { return };
    let (leaving, staying) = (world.addr(0), world.addr(1));
    // Who has not written is not shown.
    for user in ["moves", "goes"] {
        let mut api = api(staying, token(user)).await;
        let chat = direct(&mut api, "watches").await;
        send(&mut api, &chat, "m1", "hello").await;
    }
    let moves = Device::open("moves", "phone", &[leaving, staying]).await;
    let _goes = Device::open("goes", "phone", &[leaving]).await;
    let mut watches = world.connect_at(1, "watches", "phone").await;
    watches.caught_up().await;
    for user in ["moves", "goes"] {
        watches.event(|event| comes(event, user)).await;
    }
    let start = Instant::now();
    world.leave(0).await;
    watches.event(|event| went(event, "goes")).await;
    let took = start.elapsed();
    moves.caught_up().await;
    // Twice the time in which those of a silent node are looked up again.
    while start.elapsed() < Duration::from_secs(30) {
        watches.settle().await;
        let offline = watches.take_seen().into_iter().find(|frame| match frame {
            Frame::Event(event) => event.event.as_ref().is_some_and(|e| went(e, "moves").is_some()),
            _ => false,
        });
        assert!(offline.is_none(), "who moves is not shown to go");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Sooner than by the lease.
    assert!(took < Duration::from_secs(10 + 20), "{took:?} until who went was shown to");
}

fn comes(event: &Event, user: &str) -> Option<()> {
    matches!(event, Event::UserOnline(it) if it.user_id == user).then_some(())
}

fn went(event: &Event, user: &str) -> Option<()> {
    matches!(event, Event::UserOffline(it) if it.user_id == user).then_some(())
}
