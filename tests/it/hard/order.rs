//! One order without holes, whoever sends through whichever node.

use std::collections::HashSet;

use adda::proto;
use tokio::task::JoinSet;

use super::{Device, group, sound_history, two_nodes};
use crate::world::{history, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_goes_through_two_nodes_at_once_is_stored_once() {
    let Some(world) = two_nodes(&[]).await else { return };
    let chat = world.direct("alice", "bob").await;
    let (mut here, mut there) = (world.api_at(0, "alice").await, world.api_at(1, "alice").await);
    for round in 1..=50 {
        let id = format!("m{round}");
        let (one, other) =
            tokio::join!(send(&mut here, &chat, &id, &id), send(&mut there, &chat, &id, &id));
        assert_ne!(one.duplicate, other.duplicate, "exactly one of the two was first");
        assert_eq!((&one.message_id, one.seq), (&other.message_id, other.seq));
        assert_eq!(one.created_at, other.created_at);
        assert_eq!(one.seq, round);
    }
    assert_eq!(sound_history(&mut here, &chat).await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_sends_at_once_from_two_nodes_make_one_order_for_all() {
    const SENDS: u32 = 1_000;
    let Some(world) = two_nodes(&[]).await else { return };
    let users = ["alice", "bob", "carol", "dan"];
    let mut devices = Vec::new();
    for (at, user) in users.iter().enumerate() {
        devices.push(Device::open(user, "phone", &[world.addr(at % 2)]).await);
    }
    let chat = group(world.addr(0), "alice", &users[1..]).await;
    let mut sends = JoinSet::new();
    for at in 0..SENDS {
        let user = users[at as usize % 4];
        // Every user sends through both nodes.
        let mut api = world.api_at(at as usize / 4 % 2, user).await;
        let chat = chat.clone();
        let id = format!("m{at}");
        sends.spawn(async move { (id.clone(), send(&mut api, &chat, &id, &id).await) });
    }
    let outcomes = sends.join_all().await;
    assert!(outcomes.iter().all(|(_, outcome)| !outcome.duplicate));
    let seqs: HashSet<u32> = outcomes.iter().map(|(_, outcome)| outcome.seq).collect();
    assert_eq!(seqs, (2..=SENDS + 1).collect(), "GROUP_CREATED is seq 1, and then no hole");

    let log = sound_history(&mut world.api("alice").await, &chat).await;
    assert_eq!(log.len(), SENDS as usize + 1);
    for (id, outcome) in outcomes {
        let message = &log[outcome.seq as usize - 1];
        assert_eq!((&message.client_message_id, &message.message_id), (&id, &outcome.message_id));
    }
    for (at, user) in users.iter().enumerate() {
        let mut api = world.api_at((at + 1) % 2, user).await;
        let seen: Vec<_> =
            history(&mut api, &chat).await.into_iter().map(|m| m.message_id).collect();
        let all: Vec<_> = log.iter().map(|message| message.message_id.clone()).collect();
        assert_eq!(seen, all, "the history of {user}");
        devices[at].has(&chat, SENDS + 1).await;
        devices[at].assert_whole(&chat, &log);
        devices[at].assert_nothing_paged();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_another_began_comes_before_it() {
    let Some(world) = two_nodes(&[]).await else { return };
    let chat = world.direct("alice", "bob").await;
    let mut apis = [world.api_at(0, "alice").await, world.api_at(1, "bob").await];
    for at in 0..100_usize {
        let outcome = send(&mut apis[at % 2], &chat, &format!("m{at}"), "hello").await;
        assert_eq!(outcome.seq as usize, at + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_chat_asked_for_by_both_at_once_on_two_nodes_is_one() {
    let Some(world) = two_nodes(&[]).await else { return };
    for round in 0..20 {
        let (one, other) = (format!("ann{round}"), format!("ben{round}"));
        let (mut a, mut b) = (world.api_at(0, &one).await, world.api_at(1, &other).await);
        let with = |user: &str| proto::CreateChatRequest {
            kind: proto::ChatKind::Direct.into(),
            member_ids: vec![user.to_owned()],
            ..proto::CreateChatRequest::default()
        };
        let (a, b) = tokio::join!(a.create_chat(with(&other)), b.create_chat(with(&one)));
        let (a, b) = (a.unwrap().into_inner(), b.unwrap().into_inner());
        assert_ne!(a.created, b.created, "one of the two made it");
        let (a, b) = (a.chat.unwrap(), b.chat.unwrap());
        assert_eq!(a.chat_id, b.chat_id);
        assert_eq!((a.member_count, a.members.len(), b.members.len()), (2, 2, 2));
    }
}
