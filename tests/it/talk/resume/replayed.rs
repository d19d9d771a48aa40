//! What else than messages was missed.

use adda::model::{ChatId, MessageId};
use adda::proto;
use adda::proto::event::Event;

use super::{flood, replayed, resume, sent, seqs, was_here};
use crate::on_both_backends;
use crate::world::{Live, World, hello, history, run, send};

on_both_backends! {
    receipts_that_came_meanwhile,
    reading_on_another_device,
    a_chat_that_was_made_meanwhile_comes_before_its_messages,
    a_direct_chat_without_a_message_is_its_makers_alone,
    a_message_that_was_deleted_meanwhile,
    a_subscribe_and_another_tab_go_on_from_the_same_token,
    typing_and_presence_are_not_replayed,
}

async fn receipts_that_came_meanwhile(world: World) {
    let chat = world.direct("alice", "bob").await;
    let group = world.group("alice", &["bob", "carol"]).await;
    flood(&world, "alice", &chat, 0, 4).await;
    flood(&world, "alice", &group, 10, 2).await;
    let hello = was_here(&world, "alice").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.mark(&chat, vec![run(1, 4)], false).await;
    bob.mark(&chat, vec![run(1, 1), run(3, 3)], true).await;
    bob.mark(&group, vec![run(1, 3)], true).await;
    let mut alice = resume(&world, "alice", hello).await;
    let events = replayed(&mut alice).await;
    let read = |of: &str| {
        events.iter().find_map(|event| match event {
            Event::MessageRead(read) if read.chat_id == of => Some(read.clone()),
            _ => None,
        })
    };
    let told = read(&chat).expect("what bob read");
    assert_eq!((told.user_id.as_str(), told.seqs), ("bob", vec![run(1, 1), run(3, 3)]));
    assert_eq!((told.unread_count, told.last_seq), (None, None));
    let delivered = events.iter().find_map(|event| match event {
        Event::MessageDelivered(delivered) if delivered.chat_id == chat => Some(delivered),
        _ => None,
    });
    assert_eq!(delivered.unwrap().seqs, [run(2, 2), run(4, 4)]);
    assert_eq!(read(&group).expect("what bob read there").seqs, [run(1, 3)]);
}

async fn reading_on_another_device(world: World) {
    let chat = world.direct("alice", "bob").await;
    flood(&world, "alice", &chat, 0, 4).await;
    let hello = was_here(&world, "bob").await;
    world.connect("bob", "laptop").await.mark(&chat, vec![run(2, 4)], true).await;
    let mut bob = resume(&world, "bob", hello).await;
    let events = replayed(&mut bob).await;
    let read = events.iter().find_map(|event| match event {
        Event::MessageRead(read) => Some(read),
        _ => None,
    });
    let read = read.expect("the phone learns of it");
    assert_eq!((read.user_id.as_str(), &read.seqs[..]), ("bob", &[run(2, 4)][..]));
    assert_eq!((read.unread_count, read.last_seq), (Some(1), Some(4)));
}

async fn a_chat_that_was_made_meanwhile_comes_before_its_messages(world: World) {
    let hello = was_here(&world, "bob").await;
    let direct = world.direct("alice", "bob").await;
    send(&mut world.api("alice").await, &direct, "m1", "hello").await;
    let group = world.group("alice", &["bob"]).await;
    let mut bob = resume(&world, "bob", hello).await;
    let events = replayed(&mut bob).await;
    for chat in [&direct, &group] {
        let updated = events.iter().position(|event| match event {
            Event::ChatUpdated(of) => !of.removed && of.chat.as_ref().unwrap().chat_id == *chat,
            _ => false,
        });
        let message = events.iter().position(|e| sent(e).is_some_and(|m| m.chat_id == *chat));
        assert!(updated.expect("the chat") < message.expect("its message"));
    }
    assert_eq!(seqs(&events), [1, 1]);
    for event in &events {
        let Event::ChatUpdated(proto::ChatUpdated { chat: Some(chat), .. }) = event else {
            continue;
        };
        assert_eq!((chat.members.len(), chat.member_count, chat.revision), (2, 2, 1));
        let unset = (chat.last_seq, chat.unread_count, chat.presence, chat.membership.is_none());
        assert_eq!(unset, (0, None, None, true), "shared fields alone");
        assert!(chat.members.iter().all(|member| member.read.is_empty()));
    }
}

async fn a_direct_chat_without_a_message_is_its_makers_alone(world: World) {
    let (hers, his) = (was_here(&world, "alice").await, was_here(&world, "bob").await);
    let chat = world.direct("alice", "bob").await;
    let mut alice = resume(&world, "alice", hers).await;
    let events = replayed(&mut alice).await;
    assert!(events.iter().any(|event| format!("{event:?}").contains(&chat)));
    let mut bob = resume(&world, "bob", his).await;
    assert_eq!(replayed(&mut bob).await, []);
    send(&mut world.api("alice").await, &chat, "m1", "hello").await;
    let updated = bob.event(|event| match event {
        Event::ChatUpdated(updated) => updated.chat.clone(),
        _ => None,
    });
    assert_eq!(updated.await.chat_id, chat);
    assert_eq!(bob.message().await.seq, 1);
}

async fn a_message_that_was_deleted_meanwhile(world: World) {
    let chat = world.direct("alice", "bob").await;
    flood(&world, "alice", &chat, 1, 2).await;
    let hello = was_here(&world, "bob").await;
    flood(&world, "alice", &chat, 3, 2).await;
    let messages = history(&mut world.api("alice").await, &chat).await;
    for at in [0, 2] {
        let id = MessageId::parse(&messages[at].message_id).unwrap();
        let gone = world.store().delete_message(ChatId::parse(&chat).unwrap(), id).await;
        assert!(gone.unwrap().is_some());
    }
    let mut bob = resume(&world, "bob", hello).await;
    let events = replayed(&mut bob).await;
    let told: Vec<_> = events.iter().filter_map(sent).collect();
    assert_eq!((told[0].seq, told[0].text.as_str(), told[0].revision), (3, "", 1));
    assert!(told[0].deleted_at.is_some());
    assert_eq!((told[1].seq, told[1].text.as_str(), told[1].revision), (4, "message 4", 0));
    let deleted: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::MessageDeleted(deleted) => Some(deleted),
            _ => None,
        })
        .collect();
    assert_eq!(deleted.len(), 1, "what is new comes as it is by now");
    assert_eq!((deleted[0].seq, deleted[0].revision), (1, 1));
    assert_eq!(deleted[0].message_id, messages[0].message_id);
    assert_eq!(deleted[0].sender_id, "alice");
    assert!(deleted[0].deleted_at.is_some());
}

async fn a_subscribe_and_another_tab_go_on_from_the_same_token(world: World) {
    let chat = world.direct("alice", "bob").await;
    let from = was_here(&world, "bob").await;
    flood(&world, "alice", &chat, 0, 3).await;
    let tab = proto::Hello { instance_id: "tab".to_owned(), ..from.clone() };
    let other = proto::Hello { resume_token: from.resume_token.clone(), ..hello("laptop") };
    for hello in [from, tab, other] {
        let mut web = Live::subscribe(world.api("bob").await, hello).await.unwrap();
        assert_eq!(web.ready.resume_outcome(), proto::ResumeOutcome::Resumed);
        assert_eq!(seqs(&replayed(&mut web).await), [1, 2, 3]);
    }
}

async fn typing_and_presence_are_not_replayed(world: World) {
    let chat = world.direct("alice", "bob").await;
    flood(&world, "bob", &chat, 0, 1).await;
    let hello = was_here(&world, "alice").await;
    let mut bob = world.connect("bob", "phone").await;
    let chat_id = chat.clone();
    bob.done(proto::connect_request::Command::TypingStart(proto::TypingStart { chat_id })).await;
    let mut alice = resume(&world, "alice", hello).await;
    let of_the_moment = |event: &Event| {
        matches!(event, Event::UserTyping(_) | Event::UserOnline(_) | Event::UserOffline(_))
    };
    assert!(!replayed(&mut alice).await.iter().any(of_the_moment));
}
