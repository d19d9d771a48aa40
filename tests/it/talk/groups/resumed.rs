//! What changed while a device was away.

use adda::proto::event::Event;
use adda::proto::{self, SystemNoteKind};

use super::super::resume::{replayed, resume, was_here};
use super::{add, remove, updated};
use crate::on_both_backends;
use crate::world::{World, chat, send};

on_both_backends! {
    a_device_that_was_away_learns_of_all_of_it,
    who_came_and_went_while_away_is_no_member,
}

async fn a_device_that_was_away_learns_of_all_of_it(world: World) {
    let mut alice = world.api("alice").await;
    let left = world.group("alice", &["bob"]).await;
    let deleted = world.group("alice", &["bob"]).await;
    let renamed = world.group("alice", &["bob"]).await;
    let new = world.group("alice", &["carol"]).await;
    send(&mut alice, &new, "m0", "before bob").await;
    let hello = was_here(&world, "bob").await;

    send(&mut alice, &left, "m1", "still there").await;
    remove(&mut alice, &left, "bob").await;
    send(&mut alice, &left, "m2", "without bob").await;
    let title = proto::UpdateChatRequest {
        chat_id: left.clone(),
        title: Some("Later".to_owned()),
        ..Default::default()
    };
    alice.update_chat(title).await.unwrap();
    alice.delete_chat(proto::DeleteChatRequest { chat_id: deleted.clone() }).await.unwrap();
    let title = proto::UpdateChatRequest {
        chat_id: renamed.clone(),
        title: Some("Renamed".to_owned()),
        ..Default::default()
    };
    alice.update_chat(title).await.unwrap();
    add(&mut alice, &new, &["bob"]).await;
    send(&mut alice, &new, "m1", "with bob").await;
    let archived = proto::SetChatSettingsRequest {
        chat_id: renamed.clone(),
        archived: Some(true),
        ..Default::default()
    };
    world.api("bob").await.set_chat_settings(archived).await.unwrap();

    let mut bob = resume(&world, "bob", hello).await;
    let events = replayed(&mut bob).await;
    let removed: Vec<(&str, u32)> = events
        .iter()
        .filter_map(updated)
        .filter(|it| it.removed)
        .map(|it| it.chat.as_ref().map(|it| (&*it.chat_id, it.revision)).unwrap())
        .collect();
    assert_eq!(removed.len(), 2, "{removed:?}");
    // The revision at which bob left: what happened there later is not bob's.
    assert!(removed.contains(&(&*left, 2)) && removed.contains(&(&*deleted, 2)), "{removed:?}");
    for event in &events {
        let of = |chat: &str| format!("{event:?}").contains(chat);
        let farewell = updated(event).is_some_and(|it| it.removed);
        assert!(farewell || (!of(&left) && !of(&deleted)), "{event:?}");
    }
    let shown =
        events.iter().filter_map(updated).find(|it| it.chat.as_ref().unwrap().title == "Renamed");
    assert_eq!(shown.unwrap().chat.as_ref().unwrap().revision, 2);
    let position = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted);
    let introduced = position(&|event| {
        updated(event).is_some_and(|it| it.chat.as_ref().unwrap().chat_id == new)
    });
    let in_new = |event: &Event| match event {
        Event::MessageSent(sent) => sent.message.clone().filter(|it| it.chat_id == new),
        _ => None,
    };
    let first = position(&|event| in_new(event).is_some());
    assert!(introduced.unwrap() < first.unwrap(), "the chat comes before its messages");
    let messages: Vec<_> = events.iter().filter_map(in_new).collect();
    assert_eq!(messages.iter().map(|it| it.seq).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(messages[0].system_note.as_ref().unwrap().kind(), SystemNoteKind::MembersAdded);
    let settings = events.iter().find_map(|event| match event {
        Event::ChatSettingsUpdated(it) => Some((it.chat_id.clone(), it.settings.unwrap())),
        _ => None,
    });
    let (of, settings) = settings.expect("settings are told");
    assert_eq!((of, settings.archived, settings.revision), (renamed, true, 1));
    assert_eq!(chat(&mut bob.api, &new).await.unread_count, Some(1));
}

async fn who_came_and_went_while_away_is_no_member(world: World) {
    let mut alice = world.api("alice").await;
    let group = world.group("alice", &["carol"]).await;
    let hello = was_here(&world, "bob").await;
    add(&mut alice, &group, &["bob"]).await;
    send(&mut alice, &group, "m1", "secret").await;
    remove(&mut alice, &group, "bob").await;
    let mut bob = resume(&world, "bob", hello.clone()).await;
    let events = replayed(&mut bob).await;
    assert!(events.iter().all(|event| updated(event).is_some_and(|it| it.removed)), "{events:?}");
    assert_eq!(events.len(), 1);
    // Back again by the next time.
    add(&mut alice, &group, &["bob"]).await;
    let mut bob = resume(&world, "bob", hello).await;
    let events = replayed(&mut bob).await;
    assert!(updated(&events[0]).is_some_and(|it| !it.removed));
    let seqs: Vec<_> = super::super::resume::seqs(&events);
    assert_eq!(seqs, [5]);
}
