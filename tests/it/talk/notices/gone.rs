//! What is taken back, deleted, or of a chat that was left, is not listed any more.

use adda::proto::connect_request::Command;
use adda::proto::{self, Notification, NotificationKind as Kind};

use super::{listed, noted, told};
use crate::on_both_backends;
use crate::world::{Live, Notifications, World, eventually, message, run, send};

on_both_backends! {
    a_reaction_that_is_taken_back_is_noted_no_more,
    a_reaction_of_several_that_is_taken_back_is_counted_no_more,
    a_deleted_message_takes_what_it_told_with_it,
    an_edit_takes_a_mention_with_it,
    of_missed_messages_one_that_is_deleted_counts_no_more,
    who_is_not_in_a_chat_any_more_has_nothing_of_it,
    a_stream_that_resumes_is_told_what_is_gone,
}

fn reaction(chat: &str, message: &str, emoji: &str) -> proto::AddReactionRequest {
    proto::AddReactionRequest {
        chat_id: chat.to_owned(),
        message_id: message.to_owned(),
        emoji: emoji.to_owned(),
    }
}

async fn react(world: &World, user: &str, (chat, message): (&str, &str), emoji: &str) {
    world.api(user).await.add_reaction(reaction(chat, message, emoji)).await.unwrap();
}

async fn take_back(world: &World, user: &str, (chat, message): (&str, &str), emoji: &str) {
    let proto::AddReactionRequest { chat_id, message_id, emoji } = reaction(chat, message, emoji);
    let request = proto::RemoveReactionRequest { chat_id, message_id, emoji };
    world.api(user).await.remove_reaction(request).await.unwrap();
}

async fn delete(world: &World, user: &str, chat: &str, message_id: String) {
    let request = proto::DeleteMessageRequest {
        chat_id: chat.to_owned(),
        message_id,
        scope: proto::DeleteScope::Everyone.into(),
    };
    world.api(user).await.delete_message(request).await.unwrap();
}

/// A stream is told that this one tells nothing any more.
async fn gone(live: &mut Live, id: &str) -> proto::NotificationCreated {
    loop {
        let told = told(live).await;
        let is_it = |of: &&Notification| of.notification_id == id && of.count == 0;
        if let Some(notice) = told.notification.as_ref().filter(is_it) {
            assert!(notice.read);
            return told;
        }
    }
}

/// A stream is told that so many are unread; what came to be before may be told late.
async fn unread(live: &mut Live, count: u32) {
    while told(live).await.unread_notifications != count {}
}

/// Waits until so many are listed and unread.
async fn left(api: &mut Notifications, count: usize, unread: u32) -> Vec<Notification> {
    eventually(&format!("{count} are listed, {unread} unread"), async || {
        let (all, now) = listed(api).await;
        (all.len() == count && now == unread).then_some(all)
    })
    .await
}

async fn a_reaction_that_is_taken_back_is_noted_no_more(world: World) {
    let chat = world.direct("alice", "bob").await;
    let sent = send(&mut world.api("alice").await, &chat, "m1", "one").await;
    let of = (chat.as_str(), sent.message_id.as_str());
    let mut alice = world.connect("alice", "phone").await;
    react(&world, "bob", of, "👍").await;
    let id = told(&mut alice).await.notification_id;
    take_back(&world, "bob", of, "👍").await;
    assert_eq!(gone(&mut alice, &id).await.unread_notifications, 0);
    let mut api = world.notifications_at(0, "alice").await;
    assert_eq!(listed(&mut api).await, (vec![], 0));
    // One that is not there changes nothing; a new one is news.
    take_back(&world, "bob", of, "👍").await;
    react(&world, "bob", of, "🎉").await;
    let again = told(&mut alice).await;
    assert_eq!((again.notification_id.as_str(), again.unread_notifications), (id.as_str(), 1));
    let notice = again.notification.unwrap();
    assert_eq!((notice.count, notice.emoji.as_str(), notice.read), (1, "🎉", false));
    assert_eq!(left(&mut api, 1, 1).await, [notice]);
}

async fn a_reaction_of_several_that_is_taken_back_is_counted_no_more(world: World) {
    let chat = world.group("alice", &["bob", "carol"]).await;
    let sent = send(&mut world.api("alice").await, &chat, "m1", "one").await;
    let of = (chat.as_str(), sent.message_id.as_str());
    let mut api = world.notifications_at(0, "alice").await;
    for user in ["bob", "carol"] {
        react(&world, user, of, "👍").await;
        noted(&mut api, Kind::Reaction, &chat).await;
    }
    let both = eventually("both are noted", async || {
        listed(&mut api).await.0.pop().filter(|of| of.count == 2)
    });
    let id = both.await.notification_id;
    let request =
        proto::MarkNotificationsReadRequest { notification_ids: vec![id.clone()], all_until: None };
    api.mark_notifications_read(request).await.unwrap();
    take_back(&world, "carol", of, "👍").await;
    let one = eventually("one is left", async || {
        listed(&mut api).await.0.pop().filter(|of| of.count == 1)
    });
    let one = one.await;
    assert_eq!((one.notification_id.as_str(), one.actor_id.as_str()), (id.as_str(), "bob"));
    assert!(one.read, "less is no news");
    take_back(&world, "bob", of, "👍").await;
    left(&mut api, 0, 0).await;
}

async fn a_deleted_message_takes_what_it_told_with_it(world: World) {
    let chat = world.group("alice", &["bob"]).await;
    let mut alice = world.connect("alice", "phone").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.mark(&chat, vec![run(1, 1)], true).await;
    let mentions = vec!["bob".to_owned()];
    let sends = proto::MessageSend { mentions, ..message(&chat, "m1", "@bob look") };
    alice.ask(Command::MessageSend(sends)).await;
    let sent = bob.message().await;
    let (mut alices, mut bobs) =
        (world.notifications_at(0, "alice").await, world.notifications_at(0, "bob").await);
    bob.mark(&chat, vec![run(2, 2)], false).await;
    let mention = noted(&mut bobs, Kind::Mention, &chat).await;
    react(&world, "bob", (&chat, &sent.message_id), "👍").await;
    noted(&mut alices, Kind::Reaction, &chat).await;

    delete(&world, "alice", &chat, sent.message_id).await;
    gone(&mut bob, &mention.notification_id).await;
    left(&mut alices, 0, 0).await;
    let (bobs, _) = listed(&mut bobs).await;
    assert!(bobs.iter().all(|of| of.kind() != Kind::Mention), "{bobs:?}");
}

async fn an_edit_takes_a_mention_with_it(world: World) {
    let chat = world.group("alice", &["bob", "carol"]).await;
    let mut alice = world.api("alice").await;
    let mentions = vec!["bob".to_owned(), "carol".to_owned()];
    let sends = proto::MessageSend { mentions, ..message(&chat, "m1", "@bob @carol look") };
    let request = proto::SendMessageRequest { message: Some(sends) };
    let sent = alice.send_message(request).await.unwrap().into_inner().outcome.unwrap();
    let mut bobs = world.notifications_at(0, "bob").await;
    let mut carols = world.notifications_at(0, "carol").await;
    let mention = noted(&mut bobs, Kind::Mention, &chat).await;
    noted(&mut carols, Kind::Mention, &chat).await;
    let mut bob = world.connect("bob", "phone").await;

    let request = proto::EditMessageRequest {
        chat_id: chat.clone(),
        message_id: sent.message_id,
        text: "@carol look".to_owned(),
        mentions: vec!["carol".to_owned()],
    };
    alice.edit_message(request).await.unwrap();
    gone(&mut bob, &mention.notification_id).await;
    let (bobs, _) = listed(&mut bobs).await;
    assert!(bobs.iter().all(|of| of.kind() != Kind::Mention), "{bobs:?}");
    noted(&mut carols, Kind::Mention, &chat).await;
}

async fn of_missed_messages_one_that_is_deleted_counts_no_more(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let first = send(&mut alice, &chat, "m1", "one").await;
    let second = send(&mut alice, &chat, "m2", "two").await;
    let mut api = world.notifications_at(0, "bob").await;
    eventually("both are noted", async || {
        listed(&mut api).await.0.pop().filter(|of| of.count == 2)
    })
    .await;
    delete(&world, "alice", &chat, second.message_id).await;
    let one = eventually("one is left", async || {
        listed(&mut api).await.0.pop().filter(|of| of.count == 1)
    });
    assert!(!one.await.read);
    delete(&world, "alice", &chat, first.message_id).await;
    left(&mut api, 0, 0).await;
    // The next is news.
    send(&mut alice, &chat, "m3", "three").await;
    let next = noted(&mut api, Kind::Messages, &chat).await;
    assert_eq!((next.count, next.seq, next.read), (1, 3, false));
}

async fn who_is_not_in_a_chat_any_more_has_nothing_of_it(world: World) {
    let mut groups = Vec::new();
    for _ in 0..3 {
        groups.push(world.group("alice", &["bob"]).await);
    }
    let mut bobs = world.notifications_at(0, "bob").await;
    left(&mut bobs, 3, 3).await;
    let mine = send(&mut world.api("bob").await, &groups[0], "m1", "mine").await;
    react(&world, "alice", (&groups[0], &mine.message_id), "👍").await;
    left(&mut bobs, 4, 4).await;
    let mut bob = world.connect("bob", "phone").await;
    let mut alice = world.api("alice").await;
    let (chat_id, user_id) = (groups[0].clone(), "bob".to_owned());
    alice.remove_member(proto::RemoveMemberRequest { chat_id, user_id }).await.unwrap();
    unread(&mut bob, 2).await;
    left(&mut bobs, 2, 2).await;
    alice.delete_chat(proto::DeleteChatRequest { chat_id: groups[1].clone() }).await.unwrap();
    unread(&mut bob, 1).await;
    let last = left(&mut bobs, 1, 1).await;
    assert_eq!(last[0].chat_id, groups[2]);
    // Who comes back begins anew.
    let add =
        proto::AddMembersRequest { chat_id: groups[0].clone(), user_ids: vec!["bob".to_owned()] };
    alice.add_members(add).await.unwrap();
    let added = noted(&mut bobs, Kind::Added, &groups[0]).await;
    assert!(added.seq > 1 && !added.read);
}

async fn a_stream_that_resumes_is_told_what_is_gone(world: World) {
    let chat = world.direct("alice", "bob").await;
    let sent = send(&mut world.api("alice").await, &chat, "m1", "one").await;
    let of = (chat.as_str(), sent.message_id.as_str());
    let mut alice = world.connect("alice", "phone").await;
    react(&world, "bob", of, "👍").await;
    let id = told(&mut alice).await.notification_id;
    alice.caught_up().await;
    let hello = alice.hello("phone");
    drop(alice);
    take_back(&world, "bob", of, "👍").await;
    left(&mut world.notifications_at(0, "alice").await, 0, 0).await;
    let mut alice = Live::open(world.api("alice").await, hello).await.unwrap();
    assert_eq!(alice.ready.unread_notifications, 0);
    assert_eq!(gone(&mut alice, &id).await.unread_notifications, 0);
}
