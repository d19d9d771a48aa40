//! What passes between two while there is a block, which is nothing, and after it.

use std::time::Duration;

use adda::proto;
use adda::proto::connect_request::Command;
use adda::proto::event::Event;

use super::{block, events, friends, tells_of, told, unblock};
use crate::on_both_backends;
use crate::world::{Came, Live, World, chat, history, run, send};

on_both_backends! {
    with super::super::FLAGS;
    nothing_passes_while_there_is_a_block,
    groups_go_on,
    what_was_kept_back_is_told_afterwards,
    who_was_away_is_told_afterwards_too,
    what_is_being_written_ends_without_a_word,
}

fn typing(chat: &str) -> Command {
    Command::TypingStart(proto::TypingStart { chat_id: chat.to_owned() })
}

fn join(chat: &str) -> Command {
    Command::JoinChat(proto::JoinChat { chat_id: chat.to_owned() })
}

/// Goes, for longer than the grace.
async fn goes(mut live: Live) {
    live.end();
    while !matches!(live.came().await, Came::End) {}
    tokio::time::sleep(Duration::from_millis(800)).await;
}

/// A stream that has the chat on screen, and was told what it is told at first.
async fn looking(world: &World, user: &str, chats: &[&str]) -> Live {
    let mut live = world.connect(user, "phone").await;
    live.caught_up().await;
    for chat in chats {
        live.done(join(chat)).await;
    }
    live
}

async fn nothing_passes_while_there_is_a_block(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    let group = world.group("carol", &["alice", "bob"]).await;
    block(&world, "alice", "bob").await;
    for (watcher, watched) in [("alice", "bob"), ("bob", "alice")] {
        let mut live = looking(&world, watcher, &[&direct, &group]).await;
        let mut other = looking(&world, watched, &[&direct]).await;
        other.done(typing(&direct)).await;
        other.mark(&direct, vec![run(1, 2)], false).await;
        other.mark(&direct, vec![run(1, 2)], true).await;
        let mut api = world.api(watched).await;
        let request = proto::SetTypingRequest {
            chat_id: direct.clone(),
            typing: true,
            session_id: other.ready.session_id.clone(),
        };
        api.set_typing(request).await.unwrap();
        goes(other).await;
        let other = looking(&world, watched, &[]).await;
        send(&mut api, &group, &format!("last-{watched}"), &format!("last of {watched}")).await;
        told(&mut live, &format!("last of {watched}")).await;
        live.settle().await;
        let heard: Vec<_> =
            events(&mut live).into_iter().filter(|event| tells_of(event, watched)).collect();
        assert_eq!(heard, [], "{watcher} of {watched}");

        let shown = chat(&mut live.api, &direct).await;
        assert_eq!(shown.presence, None);
        let member = shown.members.iter().find(|member| member.user_id == watched).unwrap();
        assert!(member.delivered.is_empty() && member.read.is_empty());
        let own = shown.membership.unwrap();
        assert!(own.user_id == watcher && own.read.len() == usize::from(watcher == "bob"));
        let inbox = proto::ListChatsRequest::default();
        let inbox = live.api.list_chats(inbox).await.unwrap().into_inner();
        let row = inbox.chats.iter().find(|row| row.chat_id == direct).unwrap();
        assert_eq!((row.presence, &row.members), (None, &shown.members));
        for message in history(&mut live.api, &direct).await {
            let own = message.sender_id == watcher;
            let state =
                if own { proto::MessageState::Sent } else { proto::MessageState::default() };
            assert_eq!(message.state(), state);
            assert!(message.delivered_to.is_empty() && message.read_by.is_empty());
        }
        let ask = proto::GetPresenceRequest { user_ids: vec![watched.into(), watcher.into()] };
        let presence = world.people(watcher).await.get_presence(ask).await.unwrap().into_inner();
        let seen: Vec<_> = presence.presences.iter().map(|of| of.user_id.as_str()).collect();
        assert_eq!(seen, [watcher]);
        goes(other).await;
        goes(live).await;
    }
}

async fn groups_go_on(world: World) {
    friends(&world, "alice", "bob").await;
    let group = world.group("alice", &["bob"]).await;
    block(&world, "alice", "bob").await;
    let mut alice = looking(&world, "alice", &[&group]).await;
    let mut bob = looking(&world, "bob", &[&group]).await;
    alice.done(typing(&group)).await;
    bob.event(|event| matches!(event, Event::UserTyping(of) if of.typing).then_some(())).await;
    alice.send(&group, "m", "hello").await;
    told(&mut bob, "hello").await;
    bob.mark(&group, vec![run(1, 2)], true).await;
    alice
        .event(|event| matches!(event, Event::MessageRead(of) if of.user_id == "bob").then_some(()))
        .await;
    let message = history(&mut alice.api, &group).await.remove(1);
    assert_eq!(message.state(), proto::MessageState::Seen);
}

async fn what_was_kept_back_is_told_afterwards(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    block(&world, "alice", "bob").await;
    let mut alice = looking(&world, "alice", &[&direct]).await;
    let mut bob = looking(&world, "bob", &[&direct]).await;
    bob.mark(&direct, vec![run(1, 2)], true).await;
    alice.mark(&direct, vec![run(1, 2)], false).await;
    unblock(&world, "alice", "bob").await;
    for (live, other) in [(&mut alice, "bob"), (&mut bob, "alice")] {
        live.event(|event| {
            matches!(event, Event::UserOnline(of) if of.user_id == other).then_some(())
        })
        .await;
    }
    let of_bob = |event: &Event| match event {
        Event::MessageRead(of) if of.user_id == "bob" => Some(of.seqs.clone()),
        _ => None,
    };
    assert_eq!(alice.event(of_bob).await, [run(1, 2)]);
    let of_alice = |event: &Event| match event {
        Event::MessageDelivered(of) if of.user_id == "alice" => Some(of.seqs.clone()),
        _ => None,
    };
    assert_eq!(bob.event(of_alice).await, [run(1, 2)]);
    assert_eq!(history(&mut alice.api, &direct).await[0].state(), proto::MessageState::Seen);
    assert!(chat(&mut alice.api, &direct).await.presence.unwrap().is_online);
    // And from then on, as ever.
    bob.done(typing(&direct)).await;
    alice.event(|event| matches!(event, Event::UserTyping(of) if of.typing).then_some(())).await;
    goes(bob).await;
    alice
        .event(|event| matches!(event, Event::UserOffline(of) if of.user_id == "bob").then_some(()))
        .await;
}

async fn who_was_away_is_told_afterwards_too(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    block(&world, "bob", "alice").await;
    let mut api = world.api("bob").await;
    let all = proto::MarkChatReadRequest { chat_id: direct.clone(), up_to_seq: 0 };
    api.mark_chat_read(all).await.unwrap();
    let mut alice = world.connect("alice", "phone").await;
    alice.caught_up().await;
    let hello = alice.hello("phone");
    drop(alice);
    unblock(&world, "bob", "alice").await;
    let mut alice = Live::open(world.api("alice").await, hello).await.unwrap();
    let of_bob = |event: &Event| match event {
        Event::MessageRead(of) if of.user_id == "bob" => Some(of.seqs.clone()),
        _ => None,
    };
    assert_eq!(alice.event(of_bob).await, [run(1, 2)]);
}

async fn what_is_being_written_ends_without_a_word(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    let mut alice = looking(&world, "alice", &[&direct]).await;
    let mut bob = looking(&world, "bob", &[&direct]).await;
    bob.done(typing(&direct)).await;
    alice.event(|event| matches!(event, Event::UserTyping(of) if of.typing).then_some(())).await;
    block(&world, "alice", "bob").await;
    bob.done(Command::TypingStop(proto::TypingStop { chat_id: direct.clone() })).await;
    // Longer than typing lasts.
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    alice.settle().await;
    assert!(!events(&mut alice).iter().any(|event| matches!(event, Event::UserTyping(_))));
}
