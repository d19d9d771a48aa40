//! One stream on which new sends, repeats and refused ones follow each other, while others write
//! in the same chat.

use std::collections::HashSet;
use std::net::SocketAddr;

use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, ack};

use super::two_nodes;
use crate::world::{Api, Backends, Live, World, api, message, send, token};

const ROUNDS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_among_new_sends_keep_a_stream_in_turn_on_sqlite() {
    let Some(world) = World::with(Backends::Sqlite, &[]).await else { return };
    let chat = world.direct("alice", "bob").await;
    repeats_among_new_sends(&chat, world.addr(0), world.addr(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_among_new_sends_keep_a_stream_in_turn_on_two_nodes() {
    let Some(world) = two_nodes(&[]).await else { return };
    let chat = world.direct("alice", "bob").await;
    repeats_among_new_sends(&chat, world.addr(0), world.addr(1)).await;
}

async fn repeats_among_new_sends(chat: &str, here: SocketAddr, there: SocketAddr) {
    let hello = proto::Hello { device_id: "phone".to_owned(), ..proto::Hello::default() };
    let mut live = Live::open(api(here, token("alice")).await, hello).await.unwrap();
    for of_four in 0..4 {
        let mut bob = api(there, token("bob")).await;
        let chat = chat.to_owned();
        tokio::spawn(async move { writes(&mut bob, &chat, of_four).await });
    }
    live.send(chat, "new 0", "text").await;
    let mut asked = Vec::new();
    for round in 1..ROUNDS {
        let known = format!("new {}", round - 1);
        let sends = [
            message(chat, &known, "text"),
            message(chat, &format!("new {round}"), "text"),
            message(chat, "new 0", "another text"),
        ];
        for send in sends {
            let id = send.client_message_id.clone();
            asked.push((live.command(Command::MessageSend(send)).await, id));
        }
    }
    // All were written: those of bob, too.
    let last = u32::try_from(ROUNDS + 4 * ROUNDS).unwrap();
    let (mut answered, mut told, mut own) = (0, vec![], HashSet::new());
    while answered < asked.len() || told.last() != Some(&last) {
        live.wait(|frame| {
            match frame {
                Frame::Ack(it) => {
                    let (ack_id, id) = &asked[answered];
                    assert_eq!(&it.ack_id, ack_id, "Acks come in the order of the sends");
                    match &it.result {
                        Some(ack::Result::SendOutcome(_)) => drop(own.insert(id.clone())),
                        // It may be stored, and may be told.
                        Some(ack::Result::Error(error)) if error.retry_after.is_some() => {
                            own.insert(id.clone());
                        }
                        _ => assert_eq!(id, "new 0", "another text under its id"),
                    }
                    answered += 1;
                }
                Frame::Event(event) => {
                    if let Some(Event::MessageSent(sent)) = &event.event {
                        let message = sent.message.as_ref().unwrap();
                        let known = message.sender_id != "alice"
                            || message.client_message_id == "new 0"
                            || own.contains(&message.client_message_id);
                        assert!(known, "{} was told before its Ack", message.client_message_id);
                        let next = told.last().map_or(1, |seq| seq + 1);
                        assert_eq!(message.seq, next, "out of turn");
                        told.push(message.seq);
                    }
                }
                _ => {}
            }
            Some(())
        })
        .await;
    }
}

async fn writes(bob: &mut Api, chat: &str, of_four: usize) {
    for at in 0..ROUNDS {
        send(bob, chat, &format!("{of_four} {at}"), "text").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgements_that_are_written_together_are_answered_each_in_its_kind() {
    let Some(world) = World::with(Backends::Sqlite, &[]).await else { return };
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    send(&mut alice, &chat, "m", "text").await;
    let mut bob = world.connect("bob", "phone").await;
    let mut asked = Vec::new();
    for _ in 0..50 {
        let (chat_id, seqs) = (chat.clone(), vec![crate::world::run(1, 1)]);
        let delivered = proto::DeliveredAck { chat_id: chat_id.clone(), seqs: seqs.clone() };
        asked.push((bob.command(Command::DeliveredAck(delivered)).await, false));
        let read = proto::ReadAck { chat_id, seqs };
        asked.push((bob.command(Command::ReadAck(read)).await, true));
    }
    for (id, read) in asked {
        match bob.ack(&id).await {
            ack::Result::Done(_) => assert!(!read, "a ReadAck is answered by ReadOutcome"),
            ack::Result::ReadOutcome(_) => assert!(read, "a DeliveredAck is answered by Done"),
            other => panic!("{other:?}"),
        }
    }
}
