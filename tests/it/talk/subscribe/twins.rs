//! Each call means what its command means.

use adda::proto;
use adda::proto::MessageState::{Delivered, Seen};
use adda::proto::event::Event;

use super::{join, leave, open, typing};
use crate::on_both_backends;
use crate::world::{Live, World, chat, history, run, send};

on_both_backends! {
    a_send_by_call_comes_back_on_the_stream,
    ticks_move_by_calls,
    marking_one_message_and_a_chat_read,
    a_chat_comes_on_screen_and_leaves_it,
}

async fn read(live: &mut Live) -> proto::MessageRead {
    live.event(|event| match event {
        Event::MessageRead(read) => Some(read.clone()),
        _ => None,
    })
    .await
}

async fn a_send_by_call_comes_back_on_the_stream(world: World) {
    let chat = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (open(&world, "alice").await, open(&world, "bob").await);
    let mut api = alice.api.clone();
    let sent = send(&mut api, &chat, "m1", "hello").await;
    for live in [&mut alice, &mut bob] {
        let message = live.message().await;
        assert_eq!((message.seq, message.message_id), (1, sent.message_id.clone()));
        assert_eq!(message.created_at, sent.created_at);
    }
    let again = send(&mut api, &chat, "m1", "hello").await;
    assert_eq!(again, proto::SendOutcome { duplicate: true, ..sent });
}

async fn ticks_move_by_calls(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = open(&world, "alice").await;
    let (mut own, mut bob) = (open(&world, "bob").await, world.api("bob").await);
    let mut api = alice.api.clone();
    for id in ["m1", "m2", "m3"] {
        send(&mut api, &chat_id, id, "hello").await;
    }
    for device_id in ["web", ""] {
        let ack = proto::DeliveredAck { chat_id: chat_id.clone(), seqs: vec![run(1, 2)] };
        let request =
            proto::AckDeliveredRequest { ack: Some(ack), device_id: device_id.to_owned() };
        bob.ack_delivered(request).await.unwrap();
    }
    let delivered = alice.event(|event| match event {
        Event::MessageDelivered(delivered) => Some(delivered.clone()),
        _ => None,
    });
    assert_eq!(delivered.await.seqs, [run(1, 2)]);
    let ack = proto::ReadAck { chat_id: chat_id.clone(), seqs: vec![run(2, 3)] };
    let request = proto::AckReadRequest { ack: Some(ack) };
    let outcome = bob.ack_read(request).await.unwrap().into_inner().outcome.unwrap();
    let want = proto::ReadOutcome { unread_count: 1, total_unread_count: None, last_seq: 3 };
    assert_eq!(outcome, want);
    let told = read(&mut alice).await;
    assert_eq!((told.seqs, told.unread_count, told.last_seq), (vec![run(2, 3)], None, None));
    let told = read(&mut own).await;
    assert_eq!((told.unread_count, told.last_seq), (Some(1), Some(3)));
    let states: Vec<_> =
        history(&mut api, &chat_id).await.iter().map(proto::Message::state).collect();
    assert_eq!(states, [Delivered, Seen, Seen], "reading implies delivery");
    let mine = chat(&mut bob, &chat_id).await.membership.unwrap();
    assert_eq!((mine.delivered, mine.read), (vec![run(1, 3)], vec![run(2, 3)]));
}

async fn marking_one_message_and_a_chat_read(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = open(&world, "alice").await;
    let mut api = alice.api.clone();
    let mut bob = world.api("bob").await;
    for at in 1..=4 {
        send(&mut api, &chat_id, &format!("m{at}"), "hello").await;
    }
    let message_id = history(&mut bob, &chat_id).await[2].message_id.clone();
    let one = proto::MarkMessageReadRequest { chat_id: chat_id.clone(), message_id };
    let outcome = bob.mark_message_read(one).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!((outcome.unread_count, outcome.total_unread_count), (3, Some(3)));
    assert_eq!(read(&mut alice).await.seqs, [run(3, 3)]);
    let up_to = |up_to_seq| proto::MarkChatReadRequest { chat_id: chat_id.clone(), up_to_seq };
    bob.mark_chat_read(up_to(2)).await.unwrap();
    assert_eq!(read(&mut alice).await.seqs, [run(1, 2)]);
    let outcome = bob.mark_chat_read(up_to(0)).await.unwrap().into_inner().outcome.unwrap();
    assert_eq!((outcome.unread_count, outcome.last_seq), (0, 4));
    assert_eq!(read(&mut alice).await.seqs, [run(4, 4)]);
    // A repeat, and one that lags behind, change nothing and are told to nobody.
    bob.mark_chat_read(up_to(1)).await.unwrap();
    send(&mut api, &chat_id, "m5", "hello").await;
    alice
        .event(|event| {
            matches!(event, Event::MessageSent(s) if s.message.as_ref()?.seq == 5).then_some(())
        })
        .await;
}

async fn a_chat_comes_on_screen_and_leaves_it(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = open(&world, "alice").await;
    let mut bob = open(&world, "bob").await;
    let (mut his, mut hers) = (bob.api.clone(), alice.api.clone());
    let (session, own) = (bob.ready.session_id.clone(), alice.ready.session_id.clone());
    his.join_chat(join(&chat, &session)).await.unwrap();
    hers.set_typing(typing(&chat, &own, true)).await.unwrap();
    let writes = |event: &Event| match event {
        Event::UserTyping(typing) => Some((typing.user_id.clone(), typing.typing)),
        _ => None,
    };
    assert_eq!(bob.event(writes).await, ("alice".to_owned(), true));
    hers.set_typing(typing(&chat, "", false)).await.unwrap();
    assert_eq!(bob.event(writes).await, ("alice".to_owned(), false));
    his.leave_chat(leave(&chat, &session)).await.unwrap();
    hers.set_typing(typing(&chat, &own, true)).await.unwrap();
    send(&mut hers, &chat, "m1", "hello").await;
    bob.message().await;
    alice.message().await;
    assert!(!bob.take_seen().iter().any(|frame| format!("{frame:?}").contains("UserTyping")));
}
