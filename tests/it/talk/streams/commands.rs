//! What an open stream takes, and what it answers.

use std::collections::{HashMap, VecDeque};

use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, ack};
use bytes::Bytes;
use prost::Message as _;
use tonic::Code;

use crate::on_both_backends;
use crate::world::{
    Came, Live, PATIENCE, RawConnect, Refusal, World, hello, history, message, request, token,
};

on_both_backends! {
    an_unknown_command_is_told_and_the_stream_goes_on,
    an_ack_id_is_short,
    without_an_ack_id_only_errors_are_told,
    what_cannot_be_read_ends_the_stream,
    more_commands_than_are_allowed_in_flight_are_all_answered,
    an_ack_comes_first_also_where_the_chat_is_spelled_in_capitals,
}

async fn an_unknown_command_is_told_and_the_stream_goes_on(world: World) {
    let mut live = world.connect("alice", "phone").await;
    live.request(request("empty", None)).await;
    let ack::Result::Error(error) = live.ack("empty").await else { panic!() };
    let refused = Refusal::of_error(&error);
    assert_eq!((refused.code, refused.what()), (Code::Unimplemented, ("UNKNOWN_COMMAND", "")));
    assert!(!refused.retry);
    live.settle().await;

    // A command of a newer contract: field 99 of ConnectRequest, with something in it.
    let first =
        proto::ConnectRequest { ack_id: String::new(), command: Some(Command::Hello(hello("b"))) };
    let mut raw = raw(&world, &first.encode_to_vec()).await;
    let newer = [&[0x0a, 1, b'n'][..], &[0x9a, 0x06, 3, 0x0a, 1, b'x']].concat();
    raw.up.send(newer.into()).await.unwrap();
    let answer = loop {
        let frame = raw.down.message().await.unwrap().unwrap().frame.unwrap().frame;
        if let Some(Frame::Ack(ack)) = frame {
            break ack;
        }
    };
    let Some(ack::Result::Error(error)) = answer.result else { panic!() };
    assert_eq!((answer.ack_id.as_str(), error.reason()), ("n", proto::ErrorReason::UnknownCommand));
}

async fn raw(world: &World, first: &[u8]) -> RawConnect {
    let first = Some(Bytes::copy_from_slice(first));
    RawConnect::open(world.addr(0), &token("alice"), first).await.unwrap()
}

async fn an_ack_id_is_short(world: World) {
    let mut live = world.connect("alice", "phone").await;
    let beat = || Some(Command::Heartbeat(proto::Heartbeat::default()));
    let id = "é".repeat(64);
    live.request(request(&id, beat())).await;
    assert!(matches!(live.ack(&id).await, ack::Result::Done(_)));
    live.request(request(&"é".repeat(65), beat())).await;
    let ack::Result::Error(error) = live.ack("").await else { panic!() };
    let refused = Refusal::of_error(&error);
    assert_eq!((refused.what(), refused.limit()), (("FIELD_INVALID", "ack_id"), Some("64")));
    live.settle().await;
}

async fn without_an_ack_id_only_errors_are_told(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    live.caught_up().await;
    let chat_id = || chat.clone();
    let seqs = vec![crate::world::run(1, 1)];
    for command in [
        Command::MessageSend(message(&chat, "m1", "hello")),
        Command::TypingStart(proto::TypingStart { chat_id: chat_id() }),
        Command::TypingStop(proto::TypingStop { chat_id: chat_id() }),
        Command::JoinChat(proto::JoinChat { chat_id: chat_id() }),
        Command::LeaveChat(proto::LeaveChat { chat_id: chat_id() }),
        Command::RefreshToken(proto::RefreshToken { token: token("alice") }),
        Command::Heartbeat(proto::Heartbeat::default()),
    ] {
        live.request(request("", Some(command))).await;
    }
    assert_eq!(live.message().await.seq, 1);
    live.request(request("", Some(Command::ReadAck(proto::ReadAck { chat_id: chat_id(), seqs }))))
        .await;
    live.settle().await;
    let acks =
        |frames: Vec<Frame>| frames.into_iter().filter(|f| matches!(f, Frame::Ack(_))).count();
    assert_eq!(acks(live.take_seen()), 0, "nobody asked for an Ack");
    live.request(request("", Some(Command::MessageSend(message(&chat, "m2", ""))))).await;
    let ack::Result::Error(error) = live.ack("").await else { panic!() };
    assert_eq!(error.field, "message_send.text");
    let mut api = world.api("alice").await;
    assert_eq!(history(&mut api, &chat).await.len(), 1);
}

async fn what_cannot_be_read_ends_the_stream(world: World) {
    let mut other = world.connect("bob", "phone").await;
    let not_text = [&[0x0a, 2][..], &[0xff, 0xfe]].concat();
    let chat = world.direct("alice", "bob").await;
    let large = request("", Some(Command::MessageSend(message(&chat, "m", &"x".repeat(65_536)))));
    for bad in [not_text, vec![0xff; 9], large.encode_to_vec()] {
        let first = request("", Some(Command::Hello(hello("phone"))));
        let mut raw = raw(&world, &first.encode_to_vec()).await;
        let send = Command::MessageSend(message(&chat, "before", "before"));
        raw.up.send(request("s", Some(send)).encode_to_vec().into()).await.unwrap();
        raw.up.send(bad.into()).await.unwrap();
        let close = raw.closed().await;
        assert_eq!(close.reason(), proto::CloseReason::ProtocolError);
        assert!(close.reconnect_after.is_none());
    }
    other.settle().await;
    let mut api = world.api("alice").await;
    assert_eq!(history(&mut api, &chat).await.len(), 1, "what came before it is done");
}

async fn more_commands_than_are_allowed_in_flight_are_all_answered(world: World) {
    let chats = [world.direct("alice", "bob").await, world.direct("alice", "carol").await];
    burst(&world, &chats).await;
}

/// 800 messages of alice right behind her Hello, each answered and told, in order.
async fn burst(world: &World, chats: &[String]) {
    let mut first = vec![request("", Some(Command::Hello(hello("phone"))))];
    let mut ids: HashMap<&str, VecDeque<String>> = HashMap::new();
    for (at, chat) in (0..800).zip(chats.iter().cycle()) {
        let id = format!("m{at}");
        let send = Command::MessageSend(message(chat, &id, "hello"));
        first.push(request(&id, Some(send)));
        ids.entry(chat).or_default().push_back(id);
    }
    let mut live = Live::open_with(world.api("alice").await, first).await.unwrap();
    let (mut to_ack, mut to_tell) = (ids.clone(), ids.clone());
    let left = |ids: &HashMap<&str, VecDeque<String>>| ids.values().any(|ids| !ids.is_empty());
    while left(&to_ack) || left(&to_tell) {
        let Ok(came) = tokio::time::timeout(PATIENCE / 2, live.came()).await else {
            panic!("not answered are {to_ack:?}, not told are {to_tell:?}");
        };
        match came {
            Came::Frame(Frame::Ack(ack)) => {
                let of = to_ack.values_mut().find(|ids| ids.front() == Some(&ack.ack_id));
                of.unwrap_or_else(|| panic!("{} is out of turn", ack.ack_id)).pop_front();
                assert!(matches!(ack.result, Some(ack::Result::SendOutcome(_))));
            }
            Came::Frame(Frame::Event(event)) => {
                let Some(Event::MessageSent(sent)) = event.event else { continue };
                let told = sent.message.unwrap();
                let next = to_tell.get_mut(&*told.chat_id).and_then(VecDeque::pop_front);
                assert_eq!(next, Some(told.client_message_id), "told in the chat's order");
            }
            Came::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let mut api = world.api("alice").await;
    for chat in chats {
        assert_eq!(history(&mut api, chat).await.len(), 800 / chats.len());
    }
}

async fn an_ack_comes_first_also_where_the_chat_is_spelled_in_capitals(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    for at in 0..50 {
        // Some languages write UUIDs in capitals.
        let spelled = if at % 2 == 0 { chat.to_uppercase() } else { chat.clone() };
        let id = format!("m{at}");
        let send = Command::MessageSend(message(&spelled, &id, "hello"));
        live.request(request(&id, Some(send))).await;
    }
    let (mut acked, mut told) = (Vec::new(), 0);
    while told < 50 {
        match live.came().await {
            Came::Frame(Frame::Ack(ack)) => acked.push(ack.ack_id),
            Came::Frame(Frame::Event(event)) => {
                if let Some(proto::event::Event::MessageSent(sent)) = event.event {
                    let id = sent.message.unwrap().client_message_id;
                    assert!(acked.contains(&id), "{id} was told before its Ack");
                    told += 1;
                }
            }
            Came::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let sent: Vec<_> = (0..50).map(|at| format!("m{at}")).collect();
    assert_eq!(acked, sent, "one chat, one order");
}
