//! A change on one node, and who is on another.

use adda::model::{ChatId, NoteKind};
use adda::proto::connect_request::Command;
use adda::proto::server_frame::Frame;
use adda::proto::{self, SystemNoteKind};

use super::{add, gone, hears, note, remove, told_of};
use crate::mongo::groups::{leave_untold, pending};
use crate::world::{Backends, Refusal, World, chat, eventually, history, send, unique};

async fn two_nodes() -> Option<World> {
    let mut world = World::with(Backends::MongoRedis, &[]).await?;
    world.add_node(&[]).await;
    Some(world)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_on_one_node_hears_nothing_more_on_another() {
    let Some(world) = two_nodes().await else { return };
    let group = world.group("alice", &["bob", "carol"]).await;
    let mut alice = world.connect_at(0, "alice", "phone").await;
    let mut bob = world.connect_at(1, "bob", "phone").await;
    let mut carol = world.connect_at(1, "carol", "phone").await;
    bob.done(Command::JoinChat(proto::JoinChat { chat_id: group.clone() })).await;
    bob.send(&group, "m1", "hello").await;
    hears(&mut carol, "hello").await;
    remove(&mut alice.api.clone(), &group, "bob").await;
    // Each answer is true on every node at once.
    let refused = bob.refused(Command::MessageSend(crate::world::message(&group, "late", "late")));
    assert_eq!(refused.await.what(), ("CHAT_NOT_FOUND", ""));
    assert_eq!(gone(&mut bob, &group).await.revision, 2);
    assert_eq!(note(&mut carol, &group).await.1, SystemNoteKind::MembersRemoved);
    carol.send(&group, "m2", "without bob").await;
    alice.done(Command::TypingStart(proto::TypingStart { chat_id: group.clone() })).await;
    let elsewhere = world.direct("carol", "bob").await;
    carol.send(&elsewhere, "m3", "elsewhere").await;
    hears(&mut bob, "elsewhere").await;
    let told: Vec<Frame> = bob.take_seen();
    assert!(told.iter().all(|frame| !format!("{frame:?}").contains(&group)), "{told:?}");
    add(&mut alice.api.clone(), &group, &["bob"]).await;
    told_of(&mut bob, &group, 3).await;
    bob.send(&group, "m4", "back").await;
    assert_eq!(hears(&mut alice, "back").await.sender_id, "bob");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hears_nothing_refuses_who_was_removed() {
    let Some(store) = crate::infra::mongo::fresh_uri().await else { return };
    // Each has a bus of its own: neither hears a word of the other.
    let world = World::on(store, "memory:".to_owned(), 2, &[]).await;
    let group = world.group("alice", &["bob", "carol"]).await;
    let (mut alice, mut bob) = (world.api_at(0, "alice").await, world.api_at(1, "bob").await);
    let mut carol = world.api_at(1, "carol").await;
    for (api, id) in [(&mut bob, "b1"), (&mut carol, "c1")] {
        send(api, &group, id, "hello").await;
    }
    remove(&mut alice, &group, "bob").await;
    let late =
        proto::SendMessageRequest { message: Some(crate::world::message(&group, "b2", "late")) };
    let refused = Refusal::from(bob.send_message(late).await);
    assert_eq!(refused.what(), ("CHAT_NOT_FOUND", ""));
    send(&mut carol, &group, "c2", "still here").await;
    let seqs: Vec<_> = history(&mut alice, &group).await.iter().map(|it| it.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    alice.delete_chat(proto::DeleteChatRequest { chat_id: group.clone() }).await.unwrap();
    let late =
        proto::SendMessageRequest { message: Some(crate::world::message(&group, "c3", "late")) };
    let refused = Refusal::from(carol.send_message(late).await);
    assert_eq!(refused.what(), ("CHAT_NOT_FOUND", ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_a_node_died_over_is_told_by_who_finds_it() {
    let Some(world) = two_nodes().await else { return };
    let group = world.group("alice", &["bob", "carol"]).await;
    let mut streams =
        [world.connect_at(0, "alice", "phone").await, world.connect_at(1, "carol", "phone").await];
    for live in &mut streams {
        live.caught_up().await;
    }
    let id = ChatId::parse(&group).unwrap();
    // A node made a change, and was killed before the note of it.
    let note_of = pending("change-2-0", NoteKind::AvatarChanged, &[]);
    leave_untold(&world.store, id, vec![note_of]).await;
    chat(&mut world.api_at(1, "bob").await, &group).await;
    for live in &mut streams {
        told_of(live, &group, 2).await;
        let (seq, kind, _) = note(live, &group).await;
        assert_eq!((seq, kind), (2, SystemNoteKind::AvatarChanged));
    }
    // The next one is found by who resumes, and by who writes.
    for (at, revision) in [(3, 3), (5, 4)] {
        let note_of = pending(&format!("change-{revision}-0"), NoteKind::AvatarChanged, &[]);
        leave_untold(&world.store, id, vec![note_of]).await;
        let mut bob = world.connect_at(0, "bob", &unique()).await;
        bob.caught_up().await;
        let seen = eventually("it is told", async || {
            let all = history(&mut world.api_at(1, "carol").await, &group).await;
            all.into_iter().find(|it| it.seq == at)
        });
        assert!(seen.await.system_note.is_some());
        bob.send(&group, &format!("m{at}"), "goes on").await;
        for live in &mut streams {
            assert_eq!(note(live, &group).await.0, at);
        }
    }
}
