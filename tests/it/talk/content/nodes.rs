//! Changes reach devices at other nodes, in small chats and in large ones, and whichever comes
//! last, the newest stays.

use adda::proto::DeleteScope;

use super::{Held, delete, deleted, edit, edited, hidden, react, reacted, say};
use crate::on_both_backends;
use crate::world::{World, eventually, history, message};

on_both_backends! {
    changes_reach_devices_at_another_node,
    changes_reach_the_members_of_a_large_group,
    an_older_change_never_undoes_a_newer,
}

/// A second node, where there can be one.
async fn other_node(world: &mut World) -> usize {
    if world.has_several_nodes() { world.add_node(&[]).await } else { 0 }
}

async fn changes_reach_devices_at_another_node(mut world: World) {
    let other = other_node(&mut world).await;
    let chat = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let of = say(&mut alice, &chat, "hello").await;
    let gone = say(&mut alice, &chat, "gone").await;
    let mut there = world.connect_at(other, "bob", "phone").await;
    let mut hers = world.connect_at(other, "alice", "phone").await;
    there.caught_up().await;
    hers.caught_up().await;
    react(&mut bob, &of, "👍").await.unwrap();
    edit(&mut alice, &of, "edited").await.unwrap();
    delete(&mut alice, &gone, DeleteScope::Everyone).await.unwrap();
    delete(&mut bob, &of, DeleteScope::Me).await.unwrap();
    for live in [&mut there, &mut hers] {
        assert_eq!(reacted(live, 1).await.reactions[0].count, 1);
        assert_eq!(edited(live, 2).await.text, "edited");
        let told = deleted(live).await;
        assert_eq!((told.seq, told.revision), (2, 1));
    }
    assert_eq!(hidden(&mut there).await.seq, 1);
}

async fn changes_reach_the_members_of_a_large_group(mut world: World) {
    let other = other_node(&mut world).await;
    let names: Vec<String> = (0..300).map(|at| format!("u{at}")).collect();
    let group = world.group("alice", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &group, "hello").await;
    let mut devices = vec![world.connect("u0", "phone").await];
    devices.push(world.connect_at(other, "u299", "phone").await);
    let mut stranger = world.connect_at(other, "mallory", "phone").await;
    for live in devices.iter_mut().chain([&mut stranger]) {
        live.caught_up().await;
    }
    react(&mut alice, &of, "👍").await.unwrap();
    edit(&mut alice, &of, "edited").await.unwrap();
    delete(&mut alice, &of, DeleteScope::Everyone).await.unwrap();
    for live in &mut devices {
        assert_eq!(reacted(live, 1).await.reactions[0].count, 1);
        assert_eq!(edited(live, 2).await.text, "edited");
        assert_eq!(deleted(live).await.revision, 3);
    }
    stranger.settle().await;
    assert!(!stranger.take_seen().iter().any(|frame| format!("{frame:?}").contains(&group)));
}

async fn an_older_change_never_undoes_a_newer(mut world: World) {
    let other = other_node(&mut world).await;
    let group = world.group("alice", &["bob", "carol"]).await;
    let mut alice = world.api("alice").await;
    let mut places = Vec::new();
    for at in 0..4 {
        places.push(say(&mut alice, &group, &format!("text {at}")).await);
    }
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let mut held = Held::default();
    for message in history(&mut bob.api.clone(), &group).await {
        held.message(&message);
    }
    // Three users at two nodes change the same messages at once.
    let (edits, reactions, others) = (
        async {
            let mut api = world.api("alice").await;
            for at in 0..20 {
                edit(&mut api, &places[at % 4], &format!("edited {at}")).await.unwrap();
            }
            delete(&mut api, &places[3], DeleteScope::Everyone).await.unwrap();
        },
        async {
            let mut api = world.api_at(other, "carol").await;
            for at in 0..20 {
                // One of them may be deleted by then.
                drop(react(&mut api, &places[at % 4], ["👍", "👎", "😀"][at % 3]).await);
            }
        },
        async {
            let mut api = world.api_at(other, "bob").await;
            for at in 0..20 {
                drop(react(&mut api, &places[at % 4], "🎉").await);
                drop(super::unreact(&mut api, &places[at % 4], "🎉").await);
            }
        },
    );
    tokio::join!(edits, reactions, others);
    let want = history(&mut bob.api.clone(), &group).await;
    let want: Vec<_> = want.into_iter().map(|m| (m.seq, m.revision, m.text)).collect();
    let mut api = bob.api.clone();
    eventually("bob holds what the store holds", async || {
        while let Ok(came) =
            tokio::time::timeout(std::time::Duration::from_millis(50), bob.came()).await
        {
            let crate::world::Came::Frame(frame) = came else { panic!("{came:?}") };
            if let adda::proto::server_frame::Frame::Event(event) = frame {
                event.event.iter().for_each(|event| held.take(event));
            }
        }
        let holds: Vec<_> = held.0.values().map(|m| (m.seq, m.revision, m.text.clone())).collect();
        (holds == want).then_some(())
    })
    .await;
    let answers = history(&mut api, &group).await;
    for (held, answer) in held.0.values().zip(&answers) {
        let emojis = |of: &adda::proto::Message| -> Vec<_> {
            of.reactions.iter().map(|of| (of.emoji.clone(), of.count)).collect()
        };
        assert_eq!(emojis(held), emojis(answer));
    }
    // The chat goes on as before.
    let sent = adda::proto::SendMessageRequest { message: Some(message(&group, "on", "on")) };
    alice.send_message(sent).await.unwrap();
}
