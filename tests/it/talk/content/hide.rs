//! Deleting for oneself.

use adda::proto::{self, DeleteScope};

use super::{Place, delete, edit, hidden, react, say, search, words};
use crate::on_both_backends;
use crate::world::{World, chat, history};

on_both_backends! {
    what_is_hidden_is_hidden_on_all_own_devices_and_for_nobody_else,
    what_is_hidden_counts_as_read,
    what_is_hidden_stays_hidden_whatever_becomes_of_it,
    ones_own_and_a_note_are_hidden_too,
}

async fn what_is_hidden_is_hidden_on_all_own_devices_and_for_nobody_else(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    say(&mut alice, &chat_id, "first").await;
    let of = say(&mut alice, &chat_id, "secret words").await;
    react(&mut alice, &of, "👍").await.unwrap();
    let mut own = [world.connect("bob", "phone").await, world.connect("bob", "laptop").await];
    let mut hers = world.connect("alice", "phone").await;
    let answer = delete(&mut bob, &of, DeleteScope::Me).await.unwrap();
    let empty = |message: &proto::Message| {
        message.hidden && message.text.is_empty() && message.reactions.is_empty()
    };
    assert!(empty(&answer) && answer.seq == 2 && answer.deleted_at.is_none());
    for live in &mut own {
        let told = hidden(live).await;
        assert_eq!((told.chat_id, told.message_id, told.seq), (chat_id.clone(), of.id.clone(), 2));
    }
    let all = history(&mut bob, &chat_id).await;
    assert_eq!((all[0].text.as_str(), empty(&all[0])), ("first", false));
    assert!(empty(&all[1]));
    assert!(empty(&chat(&mut bob, &chat_id).await.last_message.unwrap()));
    assert!(search(&mut bob, words("secret")).await.unwrap().0.is_empty());
    let listed = bob.list_chats(proto::ListChatsRequest::default()).await.unwrap().into_inner();
    assert!(empty(listed.chats[0].last_message.as_ref().unwrap()));
    // Nobody else sees anything of it.
    assert_eq!(history(&mut alice, &chat_id).await[1].text, "secret words");
    assert_eq!(search(&mut alice, words("secret")).await.unwrap().0.len(), 1);
    hers.settle().await;
    assert!(!hers.take_seen().iter().any(|frame| format!("{frame:?}").contains("MessageHidden")));
    let again = delete(&mut bob, &of, DeleteScope::Me).await.unwrap();
    assert_eq!(again, answer);
}

async fn what_is_hidden_counts_as_read(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let mut places = Vec::new();
    for text in ["one", "two", "three"] {
        places.push(say(&mut alice, &chat_id, text).await);
    }
    delete(&mut bob, &places[1], DeleteScope::Me).await.unwrap();
    assert_eq!(chat(&mut bob, &chat_id).await.unread_count, Some(2));
    let read = history(&mut alice, &chat_id).await;
    let states: Vec<_> = read.iter().map(proto::Message::state).collect();
    let (sent, seen) = (proto::MessageState::Sent, proto::MessageState::Seen);
    assert_eq!(states, [sent, seen, sent]);
}

async fn what_is_hidden_stays_hidden_whatever_becomes_of_it(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let of = say(&mut alice, &chat_id, "one").await;
    delete(&mut bob, &of, DeleteScope::Me).await.unwrap();
    edit(&mut alice, &of, "two").await.unwrap();
    let shown = history(&mut bob, &chat_id).await.remove(0);
    assert_eq!((shown.hidden, shown.text.as_str(), shown.revision), (true, "", 1));
    // Who does not see it may still answer it, or react to it.
    let reacted = react(&mut bob, &of, "👍").await.unwrap();
    assert_eq!((reacted.hidden, reacted.reactions.len()), (true, 0));
    assert_eq!(history(&mut alice, &chat_id).await[0].reactions.len(), 1);
    delete(&mut alice, &of, DeleteScope::Everyone).await.unwrap();
    let shown = history(&mut bob, &chat_id).await.remove(0);
    assert!(shown.hidden && shown.deleted_at.is_some());
}

async fn ones_own_and_a_note_are_hidden_too(world: World) {
    let group = world.group("alice", &["bob"]).await;
    let mut alice = world.api("alice").await;
    let own = say(&mut alice, &group, "mine").await;
    delete(&mut alice, &own, DeleteScope::Me).await.unwrap();
    let note = history(&mut alice, &group).await.remove(0);
    assert!(note.system_note.is_some());
    let note = Place { chat: group.clone(), id: note.message_id, seq: 1 };
    let shown = delete(&mut alice, &note, DeleteScope::Me).await.unwrap();
    assert!(shown.hidden && shown.system_note.is_none());
    assert!(history(&mut alice, &group).await.iter().all(|message| message.hidden));
    assert!(history(&mut world.api("bob").await, &group).await.iter().all(|m| !m.hidden));
}
