//! A task that a node cannot do without crashes; a stream's or a call's own panic.
//!
//! The harm comes by the clock, which every part of a node is given from outside: it panics once
//! it is asked from a certain source file.

use std::sync::Arc;
use std::time::Duration;

use adda::clock::{Clock, SystemClock, Timestamp};
use adda::proto::connect_request::Command;
use adda::proto::{self, CloseReason};
use adda::server::Node;
use adda::vital::{Crash, How};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use uuid::Uuid;

use crate::hard::{readyz, reason};
use crate::infra;
use crate::world::{Live, api, config, eventually, hello, message, send, token};

/// A clock that panics once it is asked from a certain source file.
#[derive(Debug, Default)]
struct Trap {
    place: Mutex<Option<&'static str>>,
}

impl Trap {
    fn set(&self, place: &'static str) {
        *self.place.lock() = Some(place);
    }

    fn perhaps_spring(&self) {
        let mut place = self.place.lock();
        let Some(name) = *place else { return };
        let stack = std::backtrace::Backtrace::force_capture().to_string();
        if stack.contains(name) {
            *place = None;
            drop(place);
            panic!("a trap at {name}");
        }
    }
}

impl Clock for Trap {
    fn now(&self) -> Timestamp {
        self.perhaps_spring();
        SystemClock.now()
    }

    fn new_id(&self) -> Uuid {
        self.perhaps_spring();
        SystemClock.new_id()
    }
}

/// A node, and the trap in it.
async fn node(store: &str, bus: &str) -> (Node, Arc<Trap>) {
    let trap = Arc::new(Trap::default());
    let flags = ["--presence-lease", "3s", "--presence-grace", "200ms"];
    (Node::start(&config(store, bus, &flags), trap.clone()).await.unwrap(), trap)
}

/// The node ends by itself, and says that this task has panicked.
async fn ends(store: &str, bus: &str, place: &'static str, task: &'static str) {
    let (node, trap) = node(store, bus).await;
    let addr = node.addr();
    let runs = tokio::spawn(node.run(CancellationToken::new()));
    let mut live = Live::open(api(addr, token("alice")).await, hello("phone")).await.unwrap();
    trap.set(place);
    let end = tokio::time::timeout(Duration::from_secs(20), runs).await;
    let end = end.unwrap_or_else(|_| panic!("{place} did not end the node")).unwrap();
    assert_eq!(end, Err(Crash { task, how: How::Panicked }));
    assert_eq!(live.closed().await.reason(), CloseReason::ShuttingDown, "clients are told to move");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_task_ends_a_node_on_sqlite() {
    for (place, task) in
        [("src/store/sqlite/writer.rs", "sqlite-writer"), ("src/chat/leases.rs", "presence")]
    {
        let dir = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", dir.path().join("adda.db").display());
        ends(&store, "memory:", place, task).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_task_ends_a_node_on_mongodb_and_redis() {
    for (place, task) in [
        ("src/bus/redis/publisher.rs", "publisher of the bus"),
        ("src/bus/redis/listener.rs", "listener of the bus"),
    ] {
        let Some(store) = infra::mongo::fresh_uri().await else { return };
        let Some(bus) = infra::redis::fresh_url().await else { return };
        ends(&store, &bus, place, task).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_one_stream_or_one_call_ends_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    let (node, trap) = node(&store, "memory:").await;
    let addr = node.addr();
    let runs = tokio::spawn(node.run(CancellationToken::new()));
    let mut of_bob = api(addr, token("bob")).await;
    let request = proto::CreateChatRequest {
        kind: proto::ChatKind::Direct.into(),
        member_ids: vec!["alice".to_owned()],
        ..proto::CreateChatRequest::default()
    };
    let chat = of_bob.create_chat(request).await.unwrap().into_inner().chat.unwrap().chat_id;
    // Who has not written is not shown.
    send(&mut api(addr, token("alice")).await, &chat, "a0", "hello").await;
    let mut bob = Live::open(of_bob.clone(), hello("phone")).await.unwrap();

    // A stream.
    let mut alice = Live::open(api(addr, token("alice")).await, hello("phone")).await.unwrap();
    trap.set("src/session/commands.rs");
    alice.command(Command::MessageSend(message(&chat, "a1", "text"))).await;
    assert_eq!(alice.closed().await.reason(), CloseReason::Internal);
    let gone = async || {
        let presence = crate::world::chat(&mut of_bob.clone(), &chat).await.presence.unwrap();
        (!presence.is_online).then_some(())
    };
    eventually("who was on it is offline", gone).await;
    let mut alice = Live::open(api(addr, token("alice")).await, hello("phone")).await.unwrap();
    assert_eq!(alice.send(&chat, "a1", "text").await.seq, 2, "the same send again");
    assert_eq!(bob.message().await.seq, 2, "others are not disturbed");

    // A call.
    trap.set("src/rpc/chat_service.rs");
    let send_it = proto::SendMessageRequest { message: Some(message(&chat, "b2", "text")) };
    let refused = of_bob.send_message(send_it).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Internal, "INTERNAL"));
    assert!(!refused.message().contains("trap"), "what went wrong is not told");
    send(&mut of_bob, &chat, "b2", "text").await;

    assert_eq!(readyz(addr).await.0, 200);
    assert!(!runs.is_finished());
}
