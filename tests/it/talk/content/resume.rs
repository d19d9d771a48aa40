//! What became of messages while a device was away.

use adda::model::{ChatId, MessageId};
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, DeleteScope};
use adda::store::Edit;
use futures_util::future::join_all;

use super::{Held, Place, delete, edit, react, say};
use crate::on_both_backends;
use crate::world::{Came, Live, World, history};

on_both_backends! {
    changes_come_back_with_their_revision,
    what_is_new_comes_as_it_is_by_then,
    what_was_hidden_elsewhere_comes_back_too,
    after_a_gap_changed_since_tells_what_was_hidden,
    changes_of_many_bytes_are_a_gap,
}

/// A stream that was caught up: what its next Hello says.
async fn was_here(world: &World, user: &str) -> proto::Hello {
    let mut live = world.connect(user, "phone").await;
    live.caught_up().await;
    live.hello("phone")
}

/// What a replay tells of messages.
async fn replayed(world: &World, user: &str, hello: proto::Hello) -> Vec<Event> {
    let mut live = Live::open(world.api(user).await, hello).await.unwrap();
    assert_eq!(live.ready.resume_outcome(), proto::ResumeOutcome::Resumed);
    let mut events = Vec::new();
    loop {
        match live.came().await {
            Came::Frame(Frame::CaughtUp(_)) => break,
            Came::Frame(Frame::Event(event)) => events.extend(event.event),
            Came::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    }
    events.retain(|event| {
        let others = matches!(
            event,
            Event::ChatUpdated(_) | Event::MessageRead(_) | Event::NotificationCreated(_)
        );
        !others
    });
    events
}

/// What a device holds that had `before` and was told `events`.
fn merged(before: &[proto::Message], events: &[Event]) -> Vec<proto::Message> {
    let mut held = Held::default();
    for message in before {
        held.message(message);
    }
    // Late and twice does no harm.
    for event in events.iter().chain(events.iter().rev()) {
        held.take(event);
    }
    held.0.into_values().collect()
}

/// What an answer says of messages, but for the ticks, which no event takes away.
fn plain(mut all: Vec<proto::Message>) -> Vec<proto::Message> {
    for message in &mut all {
        message.state = 0;
        message.delivered_to.clear();
        message.read_by.clear();
    }
    all
}

async fn changes_come_back_with_their_revision(world: World) {
    let chat = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let mut places = Vec::new();
    for at in 0..6 {
        places.push(say(&mut alice, &chat, &format!("text {at}")).await);
    }
    let (hers, his) = (was_here(&world, "alice").await, was_here(&world, "bob").await);
    let before = history(&mut bob, &chat).await;
    edit(&mut alice, &places[0], "edited").await.unwrap();
    react(&mut bob, &places[0], "👍").await.unwrap();
    edit(&mut alice, &places[0], "edited twice").await.unwrap();
    react(&mut bob, &places[1], "👍").await.unwrap();
    react(&mut alice, &places[1], "👍").await.unwrap();
    delete(&mut alice, &places[2], DeleteScope::Everyone).await.unwrap();
    for (user, api, hello) in [("alice", &mut alice, hers), ("bob", &mut bob, his)] {
        let events = replayed(&world, user, hello).await;
        assert_eq!(merged(&plain(before.clone()), &events), plain(history(api, &chat).await));
        let revisions: Vec<_> = events
            .iter()
            .map(|event| match event {
                Event::MessageEdited(of) => {
                    let of = of.message.as_ref().unwrap();
                    (of.seq, of.revision)
                }
                Event::MessageDeleted(of) => (of.seq, of.revision),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(revisions, [(1, 3), (2, 2), (3, 1)], "each once, as it is now");
    }
}

async fn what_is_new_comes_as_it_is_by_then(world: World) {
    let chat = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    say(&mut alice, &chat, "old").await;
    let his = was_here(&world, "bob").await;
    let new = say(&mut alice, &chat, "new").await;
    let gone = say(&mut alice, &chat, "gone").await;
    let hidden = say(&mut alice, &chat, "hidden").await;
    edit(&mut alice, &new, "newer").await.unwrap();
    react(&mut bob, &new, "👍").await.unwrap();
    delete(&mut alice, &gone, DeleteScope::Everyone).await.unwrap();
    delete(&mut bob, &hidden, DeleteScope::Me).await.unwrap();
    let events = replayed(&world, "bob", his).await;
    let sent: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::MessageSent(sent) => sent.message.clone(),
            other => panic!("no event of its own tells of it: {other:?}"),
        })
        .collect();
    let shown: Vec<_> =
        sent.iter().map(|of| (of.seq, of.text.as_str(), of.revision, of.hidden)).collect();
    assert_eq!(shown, [(2, "newer", 2, false), (3, "", 1, false), (4, "", 0, true)]);
    assert_eq!(sent[0].reactions.len(), 1);
}

async fn what_was_hidden_elsewhere_comes_back_too(world: World) {
    let chat = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let (one, two) = (say(&mut alice, &chat, "one").await, say(&mut alice, &chat, "two").await);
    let (hers, his) = (was_here(&world, "alice").await, was_here(&world, "bob").await);
    delete(&mut bob, &one, DeleteScope::Me).await.unwrap();
    delete(&mut bob, &two, DeleteScope::Me).await.unwrap();
    edit(&mut alice, &two, "two, edited").await.unwrap();
    let events = replayed(&world, "bob", his).await;
    let mut hidden: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::MessageHidden(of) => Some((of.chat_id.clone(), of.message_id.clone(), of.seq)),
            _ => None,
        })
        .collect();
    hidden.sort();
    let place = |of: Place| (of.chat, of.id, of.seq);
    assert_eq!(hidden, [place(one), place(two)]);
    let edited = events.iter().find_map(|event| match event {
        Event::MessageEdited(of) => of.message.clone(),
        _ => None,
    });
    let edited = edited.expect("the edit");
    assert_eq!((edited.hidden, edited.text.as_str(), edited.revision), (true, "", 1));
    let events = replayed(&world, "alice", hers).await;
    assert!(!events.iter().any(|event| matches!(event, Event::MessageHidden(_))));
}

async fn after_a_gap_changed_since_tells_what_was_hidden(world: World) {
    let chat = world.direct("alice", "bob").await;
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let mut places = Vec::new();
    for at in 0..4 {
        places.push(say(&mut alice, &chat, &format!("text {at}")).await);
    }
    let mut live = world.connect("bob", "phone").await;
    live.caught_up().await;
    let since = live.as_of.unwrap();
    delete(&mut bob, &places[0], DeleteScope::Me).await.unwrap();
    edit(&mut alice, &places[1], "edited").await.unwrap();
    edit(&mut alice, &places[2], "edited").await.unwrap();
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let request = proto::ListMessagesRequest {
            chat_id: chat.clone(),
            page_size: 1,
            page_token: token,
            anchor: Some(proto::list_messages_request::Anchor::ChangedSince(since)),
        };
        let page = bob.list_messages(request).await.unwrap().into_inner();
        found.extend(page.messages.into_iter().map(|m| (m.seq, m.hidden, m.text)));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let text = |text: &str| text.to_owned();
    assert_eq!(
        found,
        [(1, true, text("")), (2, false, text("edited")), (3, false, text("edited"))]
    );
}

async fn changes_of_many_bytes_are_a_gap(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let mut places = Vec::new();
    for at in 0..520 {
        places.push(say(&mut alice, &chat, &at.to_string()).await);
    }
    let his = was_here(&world, "bob").await;
    let store = world.store();
    let long = |of: &Place| Edit {
        chat: ChatId::parse(&of.chat).unwrap(),
        id: MessageId::parse(&of.id).unwrap(),
        text: "x".repeat(8192),
        mentions: Vec::new(),
        words: Vec::new(),
    };
    for some in places.chunks(40) {
        for edited in join_all(some.iter().map(|of| store.edit_message(long(of)))).await {
            assert_eq!(edited.unwrap().unwrap().revision, 1);
        }
    }
    let live = Live::open(world.api("bob").await, his).await.unwrap();
    assert_eq!(live.ready.resume_outcome(), proto::ResumeOutcome::Gap);
}
