//! Reactions.

use adda::model::{ChatId, MAX_REACTION_KINDS, MessageId, UserId};
use adda::proto;
use adda::proto::event::Event;
use tonic::Code;

use super::{edit, react, reacted, say, unreact};
use crate::on_both_backends;
use crate::world::{Refusal, World, chat, history};

on_both_backends! {
    reactions_reach_every_device,
    one_user_and_emoji_once_however_it_is_written,
    of_many_fifty_are_named_and_the_caller_first,
    one_kind_too_many_is_refused,
    after_an_edit_all_of_the_message_comes_first,
}

fn shown(reactions: &[proto::Reaction]) -> Vec<(&str, Vec<&str>, u32)> {
    reactions
        .iter()
        .map(|of| {
            assert_eq!(u32::try_from(of.user_ids.len()).unwrap(), of.count.min(50));
            (of.emoji.as_str(), of.user_ids.iter().map(String::as_str).collect(), of.count)
        })
        .collect()
}

async fn reactions_reach_every_device(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let of = say(&mut alice, &chat_id, "hello").await;
    let mut devices = vec![world.connect("alice", "phone").await];
    devices.push(world.connect("bob", "phone").await);
    devices.push(world.connect("bob", "laptop").await);
    react(&mut bob, &of, "👍").await.unwrap();
    react(&mut bob, &of, "❤\u{fe0f}").await.unwrap();
    let answer = react(&mut alice, &of, "👍").await.unwrap();
    let (both, one) = (vec!["alice", "bob"], vec!["bob"]);
    let heart = "❤\u{fe0f}";
    assert_eq!(shown(&answer.reactions), [("👍", both, 2), (heart, one.clone(), 1)]);
    assert_eq!(answer.edited_at, None);
    let last = unreact(&mut bob, &of, "👍").await.unwrap();
    assert_eq!(shown(&last.reactions), [("👍", vec!["alice"], 1), (heart, one, 1)]);
    for live in &mut devices {
        let mut told = Vec::new();
        for revision in 1..=4 {
            let event = reacted(live, revision).await;
            assert_eq!(event.seq, 1);
            assert_eq!((event.chat_id.as_str(), &event.message_id), (chat_id.as_str(), &of.id));
            told.push((event.user_id, event.user_emojis, event.reactions));
        }
        assert_eq!((told[1].0.as_str(), told[1].1.join(" ")), ("bob", format!("👍 {heart}")));
        assert_eq!((told[2].0.as_str(), told[2].1.join(" ")), ("alice", "👍".to_owned()));
        assert_eq!((told[3].0.as_str(), told[3].1.join(" ")), ("bob", heart.to_owned()));
        assert_eq!(told[3].2, last.reactions);
    }
    let kept = history(&mut bob, &chat_id).await.remove(0);
    assert_eq!((&kept.reactions, kept.revision, kept.text.as_str()), (&last.reactions, 4, "hello"));
    let preview = chat(&mut alice, &chat_id).await;
    assert_eq!(preview.last_message.unwrap().reactions, last.reactions);
    assert_eq!(preview.unread_count, Some(0), "a reaction is nothing to read");
}

async fn one_user_and_emoji_once_however_it_is_written(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &chat_id, "hello").await;
    let first = react(&mut alice, &of, "❤").await.unwrap();
    assert_eq!(shown(&first.reactions), [("❤\u{fe0f}", vec!["alice"], 1)]);
    assert_eq!(react(&mut alice, &of, "❤\u{fe0f}").await.unwrap(), first);
    assert_eq!(unreact(&mut alice, &of, "👎").await.unwrap(), first, "not there: nothing changes");
    let mut bob = world.api("bob").await;
    assert_eq!(unreact(&mut bob, &of, "❤").await.unwrap().revision, 1, "another's stays");
    let none = unreact(&mut alice, &of, "❤").await.unwrap();
    assert_eq!((none.reactions.len(), none.revision), (0, 2));
}

async fn of_many_fifty_are_named_and_the_caller_first(world: World) {
    let names: Vec<String> = (0..60).map(|at| format!("u{at}")).collect();
    let group = world.group("alice", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut alice = world.api("alice").await;
    let of = say(&mut alice, &group, "hello").await;
    let (id, store) = (ChatId::parse(&group).unwrap(), world.store());
    for name in &names {
        let user = UserId::parse(name).unwrap();
        store.react(id, MessageId::parse(&of.id).unwrap(), &user, "👍").await.unwrap();
    }
    let mut live = world.connect("u1", "phone").await;
    let answer = react(&mut alice, &of, "👍").await.unwrap();
    let fifty = |first: &str| -> Vec<String> {
        let others = names.iter().filter(|name| *name != first).take(49);
        std::iter::once(first.to_owned()).chain(others.cloned()).collect()
    };
    assert_eq!((&answer.reactions[0].user_ids, answer.reactions[0].count), (&fifty("alice"), 61));
    let told = reacted(&mut live, 61).await;
    assert_eq!((&told.reactions[0].user_ids[..], told.reactions[0].count), (&names[..50], 61));
    assert_eq!((told.user_id.as_str(), &told.user_emojis[..]), ("alice", &["👍".to_owned()][..]));
    let last = history(&mut world.api("u59").await, &group).await.remove(1);
    assert_eq!(last.reactions[0].user_ids, fifty("u59"));
}

async fn one_kind_too_many_is_refused(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let of = say(&mut alice, &chat_id, "hello").await;
    let faces: Vec<String> =
        ('😀'..).take(MAX_REACTION_KINDS + 1).map(|face| face.to_string()).collect();
    for face in &faces[..MAX_REACTION_KINDS] {
        react(&mut alice, &of, face).await.unwrap();
    }
    let refused = Refusal::from(react(&mut bob, &of, &faces[MAX_REACTION_KINDS]).await);
    assert_eq!(
        (refused.code, refused.what()),
        (Code::ResourceExhausted, ("TOO_MANY_REACTIONS", ""))
    );
    assert_eq!((refused.limit(), refused.retry), (Some("20"), false));
    let kept = history(&mut bob, &chat_id).await.remove(0);
    let emojis: Vec<_> = kept.reactions.iter().map(|of| of.emoji.clone()).collect();
    assert_eq!((&emojis[..], kept.revision), (&faces[..MAX_REACTION_KINDS], 20));
    assert_eq!(react(&mut bob, &of, &faces[0]).await.unwrap().reactions[0].count, 2);
}

async fn after_an_edit_all_of_the_message_comes_first(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let of = say(&mut alice, &chat_id, "helo").await;
    edit(&mut alice, &of, "hello").await.unwrap();
    let mut live = world.connect("alice", "phone").await;
    react(&mut bob, &of, "👍").await.unwrap();
    // The edit itself may be told late.
    let first = live.event(|event| match event {
        Event::MessageEdited(of) => of.message.clone().filter(|of| of.revision == 2),
        Event::ReactionsUpdated(of) => panic!("not all of it first, but {of:?}"),
        _ => None,
    });
    let whole = first.await;
    assert_eq!(whole.text, "hello");
    assert_eq!(reacted(&mut live, 2).await.reactions, whole.reactions);
}
