//! Runs of receipts that are not as they must be.

use adda::proto;
use tonic::Code;

use super::Twin;
use crate::on_both_backends;
use crate::world::{Refusal, World, chat, history, run, send};

on_both_backends! {
    runs_are_checked,
    a_set_has_at_most_256_runs,
    own_messages_between_runs_are_taken_in,
}

fn acks(chat: &str, seqs: &[proto::SeqRange]) -> [Twin; 2] {
    let (chat_id, seqs) = (chat.to_owned(), seqs.to_vec());
    [
        Twin::Delivered(proto::DeliveredAck { chat_id: chat_id.clone(), seqs: seqs.clone() }),
        Twin::Read(proto::ReadAck { chat_id, seqs }),
    ]
}

async fn runs_are_checked(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    for at in 1..=3 {
        send(&mut alice, &chat_id, &format!("m{at}"), "hello").await;
    }
    let mut bob = world.connect("bob", "phone").await;
    let many: Vec<_> = (0..4_000).map(|_| run(1, 1)).collect();
    for (seqs, field, limit) in [
        (vec![], "seqs", None),
        (vec![run(0, 1)], "seqs[0]", None),
        (vec![run(0, 0)], "seqs[0]", None),
        (vec![run(1, 1), run(3, 2)], "seqs[1]", None),
        (vec![run(1, 4)], "seqs[0].last", None),
        (vec![run(1, 1), run(2, u32::MAX)], "seqs[1].last", None),
        (vec![run(u32::MAX, u32::MAX)], "seqs[0].last", None),
        (many, "seqs", Some("256")),
    ] {
        for ack in acks(&chat_id, &seqs) {
            let refused = ack.refused(&mut bob).await;
            assert_eq!(
                (refused.code, refused.what()),
                (Code::InvalidArgument, ("FIELD_INVALID", field))
            );
            assert_eq!((refused.limit(), refused.retry), (limit, false));
        }
    }
    let request = proto::MarkChatReadRequest { chat_id: chat_id.clone(), up_to_seq: 4 };
    let refused = Refusal::from(bob.api.clone().mark_chat_read(request).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "up_to_seq"));
    let seen = chat(&mut bob.api.clone(), &chat_id).await;
    let mine = seen.membership.unwrap();
    assert_eq!((mine.delivered, mine.read, seen.unread_count), (vec![], vec![], Some(3)));
    for ack in acks(&chat_id, &vec![run(1, 1); 256]) {
        bob.ask(ack.command()).await;
    }
    let mine = chat(&mut bob.api.clone(), &chat_id).await.membership.unwrap();
    assert_eq!(mine.read, [run(1, 1)]);
}

async fn a_set_has_at_most_256_runs(world: World) {
    let chat_id = world.group("alice", &["bob"]).await;
    let mut alice = world.connect("alice", "phone").await;
    for at in 0..600 {
        alice
            .command(Twin::Send(crate::world::message(&chat_id, &format!("m{at}"), "x")).command())
            .await;
    }
    alice.send(&chat_id, "last", "x").await;
    let mut bob = world.connect("bob", "phone").await;
    let odd = |from: u32, count: u32| -> Vec<_> {
        (0..count).map(|at| run(from + 2 * at, from + 2 * at)).collect()
    };
    for ack in acks(&chat_id, &odd(3, 256)) {
        bob.ask(ack.command()).await;
    }
    for ack in acks(&chat_id, &[run(590, 590)]) {
        let refused = ack.refused(&mut bob).await;
        assert_eq!(
            (refused.code, refused.what()),
            (Code::ResourceExhausted, ("TOO_MANY_RUNS", ""))
        );
        assert_eq!((refused.limit(), refused.retry), (Some("256"), false));
    }
    let mine = chat(&mut bob.api.clone(), &chat_id).await.membership.unwrap();
    assert_eq!((mine.read.len(), mine.delivered.len()), (256, 256));
    // What joins runs is welcome, and what remains can be added then.
    for ack in acks(&chat_id, &[run(1, 100)]).into_iter().chain(acks(&chat_id, &[run(590, 590)])) {
        let came = bob.ask(ack.command()).await;
        assert!(!matches!(came, proto::ack::Result::Error(_)), "{came:?}");
    }
}

async fn own_messages_between_runs_are_taken_in(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    for at in 0..260 {
        send(&mut alice, &chat_id, &format!("m{at}"), "x").await;
        send(&mut bob, &chat_id, &format!("m{at}"), "x").await;
    }
    // Each run is one message of alice; between them are bob's own.
    let mut live = world.connect("bob", "phone").await;
    for half in [0..130, 130..260] {
        let seqs: Vec<_> = half.map(|at| run(2 * at + 1, 2 * at + 1)).collect();
        let came = live.mark(&chat_id, seqs, true).await;
        assert!(matches!(came, proto::ack::Result::ReadOutcome(_)), "{came:?}");
    }
    let seen = chat(&mut bob, &chat_id).await;
    assert_eq!(seen.unread_count, Some(0));
    assert!(seen.membership.unwrap().read.len() <= 256);
    let seen = history(&mut alice, &chat_id).await;
    let ticks = seen.iter().filter(|m| m.state() == proto::MessageState::Seen).count();
    assert_eq!(ticks, 260);
}
