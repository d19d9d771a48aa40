//! What messages become: edited, deleted, reacted to, hidden.

use std::collections::BTreeSet;
use std::sync::Arc;

use adda::clock::Timestamp;
use adda::model::{
    ChatId, MAX_REACTION_KINDS, MAX_REACTIONS, Message, MessageId, NoteKind, Reaction,
};
use adda::store::{ChangeCursor, Edit, Hidden};
use tokio::task::JoinSet;

use super::{Bench, on_every_store, user};

on_every_store!(
    an_edit_changes_text_and_mentions_and_says_when,
    the_same_edit_again_changes_nothing,
    an_edited_message_is_still_repeated_by_its_first_content,
    deleting_takes_mentions_and_reactions_away,
    what_is_deleted_or_a_note_does_not_change,
    what_is_not_there_is_none,
    reactions_stand_in_the_order_they_came,
    one_user_and_emoji_once,
    with_the_last_of_an_emoji_the_emoji_goes,
    there_is_room_for_so_many_kinds,
    there_is_room_for_so_many_reactions,
    changes_at_once_on_two_nodes_lose_nothing,
    names_are_values_and_nothing_else,
    what_is_hidden_is_hidden_for_one_user,
    hiding_twice_is_hiding_once,
    what_was_hidden_since_a_time,
);

fn edit(message: &Message, text: &str, mentions: &[&str]) -> Edit {
    Edit {
        chat: message.chat,
        id: message.id,
        text: text.to_owned(),
        mentions: mentions.iter().map(|name| user(name)).collect(),
        words: vec![text.to_owned()],
    }
}

impl Bench {
    async fn edit(&self, edit: Edit) -> Message {
        self.node().edit_message(edit).await.unwrap().unwrap()
    }

    async fn react(&self, message: &Message, name: &str, emoji: &str) -> Message {
        let (chat, id) = (message.chat, message.id);
        self.node().react(chat, id, &user(name), emoji).await.unwrap().unwrap()
    }

    async fn unreact(&self, message: &Message, name: &str, emoji: &str) -> Message {
        let (chat, id) = (message.chat, message.id);
        self.node().unreact(chat, id, &user(name), emoji).await.unwrap().unwrap()
    }

    /// The places of what has changed, and how often each stands there.
    async fn changed(&self, chat: ChatId) -> Vec<(u32, u32)> {
        let found = self.node().changed_messages(&[chat], ChangeCursor::default(), 100).await;
        found.unwrap().iter().map(|of| (of.message.seq, of.message.revision)).collect()
    }
}

fn reaction(emoji: &str, names: &[&str]) -> Reaction {
    let users = names.iter().map(|name| user(name)).collect();
    Reaction { emoji: emoji.to_owned(), users }
}

async fn an_edit_changes_text_and_mentions_and_says_when(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    bench.send(chat, "ana").await;
    let sent = bench.send(chat, "ana").await;
    assert_eq!((sent.edited_at, &sent.mentions[..]), (None, &[][..]));
    let before = bench.node().now().await.unwrap();
    let edited = bench.edit(edit(&sent, "new @bob $text", &["bob"])).await;
    let after = bench.node().now().await.unwrap();
    let at = edited.edited_at.expect("it says when");
    assert!(before <= at && at <= after);
    assert_eq!((edited.text.as_str(), &edited.mentions), ("new @bob $text", &vec![user("bob")]));
    let rest = Message {
        text: sent.text.clone(),
        mentions: Vec::new(),
        edited_at: None,
        revision: 0,
        ..edited.clone()
    };
    assert_eq!((edited.revision, rest), (1, sent.clone()));
    assert_eq!(bench.all(chat).await[1], edited);
    assert_eq!(bench.changed(chat).await, [(2, 1)]);
    let again = bench.edit(edit(&sent, "new @bob $text", &[])).await;
    assert_eq!((again.revision, again.mentions), (2, vec![]), "mentions alone are a change");
    assert_eq!(bench.changed(chat).await, [(2, 2)]);
}

async fn the_same_edit_again_changes_nothing(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let mut new = bench.message(chat, "ana", "c1");
    new.mentions = vec![user("bob")];
    let sent = bench.append(new).await;
    assert_eq!(sent.mentions, [user("bob")]);
    assert_eq!(bench.edit(edit(&sent, &sent.text, &["bob"])).await, sent);
    assert_eq!(bench.changed(chat).await, []);
    let first = bench.edit(edit(&sent, "x", &["bob", "ana"])).await;
    let edits = (0..10).map(|_| bench.node().edit_message(edit(&sent, "x", &["bob", "ana"])));
    for again in futures_util::future::join_all(edits).await {
        assert_eq!(again.unwrap().unwrap(), first);
    }
    let plain = bench.send(chat, "ana").await;
    assert_eq!(bench.edit(edit(&plain, &plain.text, &[])).await, plain);
    assert_eq!(bench.changed(chat).await, [(1, 1)]);
}

async fn an_edited_message_is_still_repeated_by_its_first_content(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let sent = bench.append(bench.message(chat, "ana", "c1")).await;
    let edited = bench.edit(edit(&sent, "x", &[])).await;
    let again = bench.node().append(bench.message(chat, "ana", "c1")).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(*again.message, edited);
}

async fn deleting_takes_mentions_and_reactions_away(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let mut new = bench.message(chat, "ana", "c1");
    new.mentions = vec![user("bob")];
    let sent = bench.append(new).await;
    bench.react(&sent, "bob", "👍").await;
    let gone = bench.node().delete_message(chat, sent.id).await.unwrap().unwrap();
    let rest = (gone.text.as_str(), gone.mentions.len(), gone.reactions.len(), gone.revision);
    assert_eq!(rest, ("", 0, 0, 2));
    assert_eq!(bench.all(chat).await, [gone]);
}

async fn what_is_deleted_or_a_note_does_not_change(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let sent = bench.send(chat, "ana").await;
    let gone = bench.node().delete_message(chat, sent.id).await.unwrap().unwrap();
    let note = bench.append(bench.note(chat, NoteKind::TitleChanged, "n1")).await;
    let places = bench.changed(chat).await;
    for fixed in [gone, note] {
        assert_eq!(bench.edit(edit(&fixed, "x", &["ana"])).await, fixed);
        assert_eq!(bench.react(&fixed, "ana", "👍").await, fixed);
        assert_eq!(bench.unreact(&fixed, "ana", "👍").await, fixed);
    }
    assert_eq!(bench.changed(chat).await, places);
}

async fn what_is_not_there_is_none(bench: &Bench) {
    let (chat, other) = (bench.group(&["ana"]).await, bench.group(&["ana"]).await);
    let sent = bench.send(chat, "ana").await;
    let (unknown, ana) = (MessageId(bench.clock.new_id()), user("ana"));
    for (chat, id) in [(chat, unknown), (other, sent.id)] {
        let of = Message { chat, id, ..sent.clone() };
        assert_eq!(bench.node().edit_message(edit(&of, "x", &[])).await.unwrap(), None);
        assert_eq!(bench.node().react(chat, id, &ana, "👍").await.unwrap(), None);
        assert_eq!(bench.node().unreact(chat, id, &ana, "👍").await.unwrap(), None);
    }
    assert_eq!(bench.all(chat).await, [sent]);
}

async fn reactions_stand_in_the_order_they_came(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let sent = bench.send(chat, "ana").await;
    let before = bench.node().now().await.unwrap();
    bench.react(&sent, "bob", "👍").await;
    bench.react(&sent, "ana", "❤\u{fe0f}").await;
    let last = bench.react(&sent, "ana", "👍").await;
    assert_eq!(last.reactions, [reaction("👍", &["bob", "ana"]), reaction("❤\u{fe0f}", &["ana"])]);
    let rest = Message { reactions: Vec::new(), revision: 0, ..last.clone() };
    assert_eq!((last.revision, rest), (3, sent));
    assert_eq!(bench.all(chat).await, [last]);
    assert_eq!(bench.changed(chat).await, [(1, 3)]);
    let cursor = ChangeCursor { at: before, seq: 0 };
    assert_eq!(bench.node().changed_messages(&[chat], cursor, 9).await.unwrap().len(), 1);
}

async fn one_user_and_emoji_once(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let sent = bench.send(chat, "ana").await;
    let calls = (0..10).map(|_| bench.react(&sent, "ana", "👍"));
    let answers = futures_util::future::join_all(calls).await;
    for answer in &answers {
        assert_eq!((&answer.reactions, answer.revision), (&vec![reaction("👍", &["ana"])], 1));
    }
    assert_eq!(bench.unreact(&sent, "ana", "👎").await, answers[0]);
    assert_eq!(bench.unreact(&sent, "bob", "👍").await, answers[0]);
}

async fn with_the_last_of_an_emoji_the_emoji_goes(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let sent = bench.send(chat, "ana").await;
    for name in ["ana", "bob"] {
        for emoji in ["👍", "👎"] {
            bench.react(&sent, name, emoji).await;
        }
    }
    let less = bench.unreact(&sent, "ana", "👍").await;
    assert_eq!(less.reactions, [reaction("👍", &["bob"]), reaction("👎", &["ana", "bob"])]);
    let less = bench.unreact(&sent, "bob", "👍").await;
    assert_eq!((&less.reactions, less.revision), (&vec![reaction("👎", &["ana", "bob"])], 6));
    bench.unreact(&sent, "ana", "👎").await;
    let none = bench.unreact(&sent, "bob", "👎").await;
    assert_eq!((&none.reactions, none.revision), (&vec![], 8));
    assert_eq!(bench.unreact(&sent, "bob", "👎").await, none);
    let again = bench.react(&sent, "bob", "👎").await;
    assert_eq!((again.reactions, again.revision), (vec![reaction("👎", &["bob"])], 9));
}

async fn there_is_room_for_so_many_kinds(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let sent = bench.send(chat, "ana").await;
    for at in 0..MAX_REACTION_KINDS {
        bench.react(&sent, "ana", &format!("e{at}")).await;
    }
    let full = bench.react(&sent, "bob", "one more").await;
    assert_eq!(full.reactions.len(), MAX_REACTION_KINDS);
    assert!(!full.has_reaction(&user("bob"), "one more") && !full.has_room("one more"));
    let more = bench.react(&sent, "bob", "e19").await;
    assert!(more.has_reaction(&user("bob"), "e19"), "of a kind that is there one more fits");
    bench.unreact(&sent, "ana", "e0").await;
    assert!(bench.react(&sent, "bob", "one more").await.has_reaction(&user("bob"), "one more"));
}

async fn there_is_room_for_so_many_reactions(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let sent = bench.send(chat, "ana").await;
    let names: Vec<String> = (0..=MAX_REACTIONS).map(|at| format!("user-{at}")).collect();
    for some in names.chunks(25) {
        let calls = some.iter().map(|name| bench.react(&sent, name, "👍"));
        futures_util::future::join_all(calls).await;
    }
    let full = bench.all(chat).await.remove(0);
    assert_eq!(full.reactions[0].users.len(), MAX_REACTIONS);
    assert_eq!(full.revision as usize, MAX_REACTIONS, "each counts, the one too many does not");
    let distinct: BTreeSet<_> = full.reactions[0].users.iter().collect();
    assert_eq!(distinct.len(), MAX_REACTIONS);
    assert_eq!(bench.react(&sent, "ana", "👎").await, full, "nor does another kind");
}

async fn changes_at_once_on_two_nodes_lose_nothing(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let sent = Arc::new(bench.send(chat, "ana").await);
    let mut calls = JoinSet::new();
    for at in 0..40 {
        let (store, sent) = (bench.node().clone(), Arc::clone(&sent));
        calls.spawn(async move {
            let (name, emoji) = (user(&format!("user-{at}")), format!("e{}", at % 4));
            store.react(sent.chat, sent.id, &name, &emoji).await.unwrap();
            if at % 2 == 0 {
                store.unreact(sent.chat, sent.id, &name, &emoji).await.unwrap();
            }
            store.edit_message(edit(&sent, &format!("text {at}"), &[])).await.unwrap();
        });
    }
    calls.join_all().await;
    let after = bench.all(chat).await.remove(0);
    assert_eq!(after.revision, 40 + 20 + 40, "each change is one");
    let kept: usize = after.reactions.iter().map(|of| of.users.len()).sum();
    assert_eq!(kept, 20);
    assert!(after.text.starts_with("text "));
}

async fn names_are_values_and_nothing_else(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let sent = bench.send(chat, "ana").await;
    for odd in ["$text", "$$NOW", "{\"$gt\":\"\"}", "'; DROP TABLE messages; --"] {
        assert_eq!(bench.edit(edit(&sent, odd, &[])).await.text, odd);
        let (name, id) = (adda::model::UserId::new("$text"), sent.id);
        let reacted = bench.node().react(chat, id, &name, odd).await.unwrap().unwrap();
        assert!(reacted.has_reaction(&name, odd));
        let none = bench.node().unreact(chat, id, &name, odd).await.unwrap().unwrap();
        assert_eq!(none.reactions, []);
    }
}

fn place(message: &Message) -> Hidden {
    Hidden { chat: message.chat, seq: message.seq, id: message.id }
}

async fn what_is_hidden_is_hidden_for_one_user(bench: &Bench) {
    let (one, two) = (bench.group(&["ana", "bob"]).await, bench.group(&["ana", "bob"]).await);
    let (ana, bob) = (user("ana"), user("bob"));
    let mut sent = Vec::new();
    for chat in [one, two] {
        for _ in 0..3 {
            sent.push(bench.send(chat, "ana").await);
        }
    }
    bench.node().hide(&ana, place(&sent[1])).await.unwrap();
    bench.node().hide(&ana, place(&sent[5])).await.unwrap();
    let mut places: Vec<_> = sent.iter().map(|message| (message.chat, message.seq)).collect();
    places.extend(places.clone());
    places.push((bench.chat_id(), 2));
    let mut found = bench.node().hidden(&ana, &places).await.unwrap();
    found.sort_unstable();
    let mut want = vec![(one, 2), (two, 3)];
    want.sort_unstable();
    assert_eq!(found, want);
    assert_eq!(bench.node().hidden(&ana, &[(one, 3), (two, 2)]).await.unwrap(), []);
    assert_eq!(bench.node().hidden(&ana, &[]).await.unwrap(), []);
    assert_eq!(bench.node().hidden(&bob, &places).await.unwrap(), []);
    assert_eq!(bench.all(one).await, sent[..3], "nothing else has changed");
    assert_eq!(bench.changed(one).await, []);
}

async fn hiding_twice_is_hiding_once(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let sent = bench.send(chat, "ana").await;
    let (ana, what) = (user("ana"), place(&sent));
    let calls = (0..10).map(|_| bench.node().hide(&ana, what));
    for hidden in futures_util::future::join_all(calls).await {
        hidden.unwrap();
    }
    let after = bench.node().now().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    bench.node().hide(&ana, what).await.unwrap();
    let since = Timestamp(after.0 + 1);
    assert_eq!(
        bench.node().hidden_since(&ana, since, 9).await.unwrap(),
        [],
        "the first time stays"
    );
    assert_eq!(bench.node().hidden_since(&ana, Timestamp::default(), 9).await.unwrap(), [what]);
}

async fn what_was_hidden_since_a_time(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let (first, second) = (bench.send(chat, "ana").await, bench.send(chat, "ana").await);
    let ana = user("ana");
    bench.node().hide(&ana, place(&first)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let since = bench.node().now().await.unwrap();
    bench.node().hide(&ana, place(&second)).await.unwrap();
    assert_eq!(bench.node().hidden_since(&ana, since, 9).await.unwrap(), [place(&second)]);
    assert_eq!(bench.node().hidden_since(&ana, Timestamp::default(), 9).await.unwrap().len(), 2);
    assert_eq!(bench.node().hidden_since(&ana, Timestamp::default(), 1).await.unwrap().len(), 1);
    assert_eq!(bench.node().hidden_since(&ana, Timestamp::default(), 0).await.unwrap(), []);
    assert_eq!(bench.node().hidden_since(&user("bob"), since, 9).await.unwrap(), []);
}
