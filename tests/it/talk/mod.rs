//! Two people talk: the life of a message through real streams, on both pairs of backends.

mod content;
mod errors;
pub(crate) mod files;
mod groups;
mod inbox;
mod large;
mod notices;
mod people;
mod presence;
mod resume;
mod streams;
mod subscribe;

use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, ack};

use crate::on_both_backends;
use crate::world::{World, chat, history, run, send};

on_both_backends! {
    a_message_lives_from_sent_to_seen,
    a_repeat_gets_the_first_outcome,
    acks_come_in_order_and_before_the_event,
    unread_counts_follow_reading,
    a_stream_resumes_without_a_gap_or_a_repeat,
}

async fn a_message_lives_from_sent_to_seen(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut phone = world.connect("alice", "phone").await;
    let mut laptop = world.connect("alice", "laptop").await;
    let mut bob = world.connect("bob", "phone").await;
    let mut bobs_tablet = world.connect("bob", "tablet").await;

    let sent = phone.send(&chat_id, "m1", "hello").await;
    assert_eq!((sent.seq, sent.duplicate), (1, false));
    for live in [&mut phone, &mut laptop, &mut bob, &mut bobs_tablet] {
        let message = live.message().await;
        assert_eq!((message.seq, message.text.as_str()), (1, "hello"));
        assert_eq!(message.message_id, sent.message_id);
        assert_eq!(
            (message.sender_id.as_str(), message.client_message_id.as_str()),
            ("alice", "m1")
        );
    }
    let updated = bob.event(|event| match event {
        Event::ChatUpdated(updated) => updated.chat.clone(),
        _ => None,
    });
    assert_eq!(updated.await.chat_id, chat_id, "bob hears of the chat");

    let mut alice = world.api("alice").await;
    assert_eq!(history(&mut alice, &chat_id).await[0].state(), proto::MessageState::Sent);
    bob.mark(&chat_id, vec![run(1, 1)], false).await;
    for live in [&mut phone, &mut laptop] {
        let delivered = live.event(|event| match event {
            Event::MessageDelivered(delivered) => Some(delivered.clone()),
            _ => None,
        });
        let delivered = delivered.await;
        assert_eq!((delivered.user_id.as_str(), delivered.seqs), ("bob", vec![run(1, 1)]));
    }
    let message = history(&mut alice, &chat_id).await.remove(0);
    assert_eq!(message.state(), proto::MessageState::Delivered);
    assert_eq!((message.delivered_to, message.read_by), (vec!["bob".to_owned()], vec![]));

    // The second device of one user changes nothing.
    bobs_tablet.mark(&chat_id, vec![run(1, 1)], false).await;
    let outcome = bobs_tablet.mark(&chat_id, vec![run(1, 1)], true).await;
    assert!(matches!(outcome, ack::Result::ReadOutcome(read) if read.unread_count == 0));
    for live in [&mut phone, &mut laptop] {
        let read = live.event(|event| match event {
            Event::MessageRead(read) => Some(read.clone()),
            _ => None,
        });
        let read = read.await;
        assert_eq!((read.user_id.as_str(), read.unread_count), ("bob", None));
        assert!(
            !live.take_seen().iter().any(|frame| matches!(frame, Frame::Event(event)
                if matches!(event.event, Some(Event::MessageDelivered(_))))),
            "the second device's acknowledgement is told to nobody"
        );
    }
    let own = bob.event(|event| match event {
        Event::MessageRead(read) => Some(read.clone()),
        _ => None,
    });
    let own = own.await;
    assert_eq!((own.unread_count, own.last_seq), (Some(0), Some(1)));
    let message = history(&mut alice, &chat_id).await.remove(0);
    assert_eq!(
        (message.state(), message.read_by),
        (proto::MessageState::Seen, vec!["bob".to_owned()])
    );
}

async fn a_repeat_gets_the_first_outcome(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    let first = live.send(&chat_id, "m1", "hello").await;
    let again = live.send(&chat_id, "m1", "hello").await;
    assert_eq!((again.message_id, again.seq), (first.message_id.clone(), 1));
    assert_eq!((first.duplicate, again.duplicate), (false, true));
    let mut api = world.api("alice").await;
    assert!(send(&mut api, &chat_id, "m1", "hello").await.duplicate);
    let other = live.ask(Command::MessageSend(crate::world::message(&chat_id, "m1", "other")));
    let ack::Result::Error(error) = other.await else { panic!() };
    assert_eq!(error.reason(), proto::ErrorReason::ClientIdReused);
    assert!(error.retry_after.is_none() && !error.request_id.is_empty());
    assert_eq!(history(&mut api, &chat_id).await.len(), 1);
}

async fn acks_come_in_order_and_before_the_event(world: World) {
    let chats = [world.direct("alice", "bob").await, world.direct("alice", "carol").await];
    let mut live = world.connect("alice", "phone").await;
    for at in 0..64 {
        let (chat, text) = (&chats[at % 2], if at == 10 { "" } else { "hello" });
        let id = format!("m{at}");
        let command = Command::MessageSend(crate::world::message(chat, &id, text));
        live.request(proto::ConnectRequest { ack_id: id, command: Some(command) }).await;
    }
    let (mut acks, mut events) = (Vec::new(), Vec::new());
    while acks.len() < 64 || events.len() < 63 {
        live.wait(|frame| {
            match frame {
                Frame::Ack(ack) => acks.push(ack.ack_id.clone()),
                Frame::Event(event) => {
                    if let Some(Event::MessageSent(sent)) = &event.event {
                        let id = sent.message.as_ref().unwrap().client_message_id.clone();
                        assert!(acks.contains(&id), "{id} was told before its Ack");
                        events.push(id);
                    }
                }
                _ => {}
            }
            Some(())
        })
        .await;
    }
    for parity in 0..2 {
        let of: Vec<_> = (0..64).filter(|at| at % 2 == parity).map(|at| format!("m{at}")).collect();
        let acked: Vec<_> = acks.iter().filter(|id| of.contains(id)).cloned().collect();
        assert_eq!(acked, of, "Acks of one chat come in the order of its sends");
    }
}

async fn unread_counts_follow_reading(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    for at in 1..=5 {
        send(&mut alice, &chat_id, &format!("m{at}"), "hello").await;
    }
    assert_eq!(chat(&mut bob, &chat_id).await.unread_count, Some(5));
    assert_eq!(chat(&mut alice, &chat_id).await.unread_count, Some(0));
    let third = history(&mut bob, &chat_id).await[2].message_id.clone();
    let one = proto::MarkMessageReadRequest { chat_id: chat_id.clone(), message_id: third };
    let outcome = bob.mark_message_read(one.clone()).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!(
        (outcome.unread_count, outcome.total_unread_count, outcome.last_seq),
        (4, Some(4), 5)
    );
    let outcome = alice.mark_message_read(one).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!(outcome.unread_count, 0, "an own one is without effect");
    let up_to = proto::MarkChatReadRequest { chat_id: chat_id.clone(), up_to_seq: 4 };
    let outcome = bob.mark_chat_read(up_to).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!(outcome.unread_count, 1);
    let all = proto::MarkChatReadRequest { chat_id: chat_id.clone(), up_to_seq: 0 };
    let outcome = bob.mark_chat_read(all).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!((outcome.unread_count, outcome.total_unread_count), (0, Some(0)));
    let inbox = bob.list_chats(proto::ListChatsRequest::default()).await.unwrap().into_inner();
    assert_eq!((inbox.chats[0].unread_count, inbox.total_unread_count), (Some(0), Some(0)));
}

async fn a_stream_resumes_without_a_gap_or_a_repeat(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    send(&mut alice, &chat_id, "m1", "one").await;
    let mut bob = world.connect("bob", "phone").await;
    assert_eq!(bob.ready.resume_outcome(), proto::ResumeOutcome::Fresh);
    bob.caught_up().await;
    let hello = bob.hello("phone");
    drop(bob);
    for at in 2..=4 {
        send(&mut alice, &chat_id, &format!("m{at}"), "more").await;
    }
    let mut bob = crate::world::Live::open(world.api("bob").await, hello).await.unwrap();
    assert_eq!(bob.ready.resume_outcome(), proto::ResumeOutcome::Resumed);
    bob.caught_up().await;
    send(&mut alice, &chat_id, "m5", "live").await;
    let mut seqs = Vec::new();
    while seqs.last() != Some(&5) {
        seqs.push(bob.message().await.seq);
    }
    assert_eq!(seqs, [2, 3, 4, 5]);
}
