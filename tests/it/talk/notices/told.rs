//! What is noted, and for whom.

use adda::proto::connect_request::Command;
use adda::proto::{self, NotificationKind as Kind, NotificationLevel as Level};

use super::{listed, noted, set_level, told, told_meanwhile};
use crate::on_both_backends;
use crate::service::{admin, service_token};
use crate::world::{Live, World, eventually, message, run, send};

on_both_backends! {
    messages_that_nobody_acknowledged_are_one_notification_a_chat,
    what_a_device_has_is_not_noted,
    mentions_are_noted_each,
    who_is_added_learns_of_it,
    a_reaction_is_noted_for_the_author,
    a_word_of_the_product_is_noted_for_every_member,
    a_chat_is_as_loud_as_its_member_wants,
    a_blocked_user_is_not_heard_in_a_group,
    a_stream_that_resumes_is_told,
    what_a_node_left_another_notes,
    all_nodes_tell,
}

async fn messages_that_nobody_acknowledged_are_one_notification_a_chat(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let mut bob = world.connect("bob", "phone").await;
    assert_eq!(bob.ready.unread_notifications, 0);
    bob.caught_up().await;
    send(&mut alice, &chat, "m1", "one").await;
    let second = send(&mut alice, &chat, "m2", "two").await;
    let first = told(&mut bob).await;
    let mut last = first.clone();
    while last.notification.as_ref().unwrap().seq < 2 {
        last = told(&mut bob).await;
    }
    let notice = last.notification.unwrap();
    assert_eq!((notice.kind(), notice.chat_id.as_str()), (Kind::Messages, chat.as_str()));
    assert_eq!((notice.count, notice.actor_id.as_str()), (2, "alice"));
    assert_eq!((notice.message_id, notice.read), (second.message_id, false));
    assert_eq!(last.unread_notifications, 1);
    assert_eq!(first.notification_id, last.notification_id, "one a chat");
    let mut api = world.notifications_at(0, "bob").await;
    let (all, unread) = listed(&mut api).await;
    assert_eq!((all.len(), unread, all[0].read), (1, 1, false));

    bob.mark(&chat, vec![run(1, 1)], true).await;
    bob.mark(&chat, vec![run(2, 2)], true).await;
    let read = told(&mut bob).await;
    assert_eq!((read.notification_id, read.unread_notifications), (last.notification_id, 0));
    assert_eq!(read.notification, None);
    let (all, unread) = listed(&mut api).await;
    assert_eq!((all.len(), unread, all[0].read), (1, 0, true));

    send(&mut alice, &chat, "m3", "three").await;
    let again = told(&mut bob).await;
    let notice = again.notification.unwrap();
    assert_eq!((notice.count, notice.seq, notice.read), (1, 3, false));
    assert_eq!((listed(&mut api).await.0.len(), again.unread_notifications), (1, 1));
    assert_eq!(listed(&mut world.notifications_at(0, "alice").await).await.0, []);
}

async fn what_a_device_has_is_not_noted(world: World) {
    let [quiet, other] = [world.direct("alice", "bob").await, world.direct("bob", "carol").await];
    let mut bob = world.connect("bob", "phone").await;
    send(&mut world.api("alice").await, &quiet, "m1", "one").await;
    bob.mark(&quiet, vec![run(1, 1)], false).await;
    send(&mut world.api("carol").await, &other, "m1", "one").await;
    let first = told(&mut bob).await.notification.unwrap();
    assert_eq!(first.chat_id, other, "what came before was acknowledged");
    assert_eq!(listed(&mut world.notifications_at(0, "bob").await).await.0.len(), 1);
}

fn mention(chat: &str, id: &str, user: &str) -> proto::MessageSend {
    let mentions = vec![user.to_owned()];
    proto::MessageSend { mentions, ..message(chat, id, &format!("@{user} look")) }
}

async fn mentions_are_noted_each(world: World) {
    let chat = world.group("alice", &["bob", "carol"]).await;
    let mut alice = world.connect("alice", "phone").await;
    let mut bob = world.connect("bob", "phone").await;
    for id in ["m1", "m2"] {
        alice.ask(Command::MessageSend(mention(&chat, id, "bob"))).await;
    }
    // A device has them, but nobody has seen them.
    bob.mark(&chat, vec![run(1, 3)], false).await;
    let mut api = world.notifications_at(0, "bob").await;
    let mentions = eventually("both", async || {
        let (all, _) = listed(&mut api).await;
        let of: Vec<_> = all.into_iter().filter(|of| of.kind() == Kind::Mention).collect();
        (of.len() == 2).then_some(of)
    });
    let mentions = mentions.await;
    assert!(mentions.iter().all(|of| of.actor_id == "alice" && of.count == 1 && !of.read));
    bob.mark(&chat, vec![run(2, 2)], true).await;
    let (all, unread) = listed(&mut api).await;
    let read = |of: &&proto::Notification| of.read && of.kind() == Kind::Mention;
    assert_eq!(all.iter().filter(read).map(|of| of.seq).collect::<Vec<_>>(), [2]);
    assert_eq!(unread as usize, all.iter().filter(|of| !of.read).count());
    let (carols, _) = listed(&mut world.notifications_at(0, "carol").await).await;
    assert!(carols.iter().all(|of| of.kind() != Kind::Mention));
}

async fn who_is_added_learns_of_it(world: World) {
    let chat = world.group("alice", &["bob"]).await;
    let add =
        proto::AddMembersRequest { chat_id: chat.clone(), user_ids: vec!["carol".to_owned()] };
    world.api("alice").await.add_members(add).await.unwrap();
    for (user, seq) in [("bob", 1), ("carol", 2)] {
        let mut api = world.notifications_at(0, user).await;
        let added = noted(&mut api, Kind::Added, &chat).await;
        assert_eq!((added.actor_id.as_str(), added.seq, added.read), ("alice", seq, false));
    }
    let (alices, _) = listed(&mut world.notifications_at(0, "alice").await).await;
    assert_eq!(alices, []);
}

async fn a_reaction_is_noted_for_the_author(world: World) {
    let chat = world.group("alice", &["bob", "carol"]).await;
    let sent = send(&mut world.api("alice").await, &chat, "m1", "one").await;
    let mut alice = world.connect("alice", "phone").await;
    let react = async |user: &str, emoji: &str| {
        let request = proto::AddReactionRequest {
            chat_id: chat.clone(),
            message_id: sent.message_id.clone(),
            emoji: emoji.to_owned(),
        };
        world.api(user).await.add_reaction(request).await.unwrap();
    };
    react("alice", "👍").await;
    react("bob", "👍").await;
    let first = told(&mut alice).await.notification.unwrap();
    assert_eq!((first.kind(), first.count), (Kind::Reaction, 1));
    assert_eq!((first.actor_id.as_str(), first.emoji.as_str()), ("bob", "👍"));
    assert_eq!((first.message_id.as_str(), first.seq), (sent.message_id.as_str(), 2));
    react("carol", "🎉").await;
    let second = told(&mut alice).await;
    let notice = second.notification.unwrap();
    assert_eq!((second.notification_id, second.unread_notifications), (first.notification_id, 1));
    assert_eq!((notice.actor_id.as_str(), notice.emoji.as_str(), notice.count), ("carol", "🎉", 2));
    react("carol", "🎉").await;
    alice.settle().await;
    assert_eq!(told_meanwhile(&mut alice), [], "what is there already is told to nobody");
}

async fn a_word_of_the_product_is_noted_for_every_member(world: World) {
    let chat = world.group("alice", &["bob", "carol"]).await;
    set_level(&world, "carol", &chat, Level::None).await;
    let mut bob = world.connect("bob", "phone").await;
    let mut service = admin(&world, 0, service_token("adda.service")).await;
    let say = proto::SendSystemMessageRequest {
        chat_id: chat.clone(),
        client_message_id: "trip-7".to_owned(),
        text: "Your trip begins tomorrow".to_owned(),
    };
    let said = service.send_system_message(say.clone()).await.unwrap().into_inner();
    let said = said.outcome.unwrap();
    service.send_system_message(say).await.expect("the same again");
    for user in ["alice", "bob", "carol"] {
        let mut api = world.notifications_at(0, user).await;
        let notice = noted(&mut api, Kind::Announcement, &chat).await;
        assert_eq!((&notice.message_id, notice.seq), (&said.message_id, said.seq), "{user}");
        assert_eq!((notice.actor_id.as_str(), notice.count, notice.read), ("", 1, false));
    }
    let announced = loop {
        let told = told(&mut bob).await;
        if told.notification.as_ref().is_some_and(|of| of.kind() == Kind::Announcement) {
            break told;
        }
    };
    bob.mark(&chat, vec![run(said.seq, said.seq)], true).await;
    let read = told(&mut bob).await;
    assert_eq!(read.notification_id, announced.notification_id);
    assert_eq!(read.unread_notifications, announced.unread_notifications - 1);

    let add = proto::AddMembersRequest { chat_id: chat.clone(), user_ids: vec!["dora".to_owned()] };
    world.api("alice").await.add_members(add).await.unwrap();
    let mut api = world.notifications_at(0, "dora").await;
    noted(&mut api, Kind::Added, &chat).await;
    assert_eq!(listed(&mut api).await.0.len(), 1, "what was said before she came is not hers");
}

async fn a_chat_is_as_loud_as_its_member_wants(world: World) {
    let mut chats = Vec::new();
    for level in [Level::None, Level::Mentions, Level::All] {
        let chat = world.group("alice", &["bob"]).await;
        set_level(&world, "bob", &chat, level).await;
        chats.push(chat);
    }
    let muted = world.direct("alice", "bob").await;
    let mute = proto::SetChatSettingsRequest {
        chat_id: muted.clone(),
        muted_until: Some(prost_types::Timestamp { seconds: 253_402_300_799, nanos: 0 }),
        ..Default::default()
    };
    world.api("bob").await.set_chat_settings(mute).await.unwrap();
    // What bob wrote is answered in the second.
    let own = send(&mut world.api("bob").await, &chats[1], "b1", "mine").await;
    let mut alice = world.connect("alice", "phone").await;
    for chat in [&muted, &chats[0], &chats[1]] {
        alice.send(chat, "m1", "hello").await;
    }
    alice.ask(Command::MessageSend(mention(&chats[0], "m2", "bob"))).await;
    let answer = proto::MessageSend {
        reply_to_message_id: own.message_id,
        ..message(&chats[1], "m2", "an answer")
    };
    alice.ask(Command::MessageSend(answer)).await;
    alice.send(&chats[1], "m3", "hello again").await;
    alice.send(&chats[2], "m1", "hello").await;
    let mut api = world.notifications_at(0, "bob").await;
    noted(&mut api, Kind::Messages, &chats[2]).await;
    let answered = noted(&mut api, Kind::Messages, &chats[1]).await;
    assert_eq!(answered.seq, 4, "the answer, not what came after");
    let (all, _) = listed(&mut api).await;
    let silent = |of: &&proto::Notification| {
        of.kind() != Kind::Added && (of.chat_id == muted || of.chat_id == chats[0])
    };
    assert_eq!(all.iter().find(silent), None);
}

async fn a_blocked_user_is_not_heard_in_a_group(world: World) {
    let chat = world.group("alice", &["bob", "carol"]).await;
    let block = proto::BlockUserRequest { user_id: "alice".to_owned() };
    world.people("bob").await.block_user(block).await.unwrap();
    let mut alice = world.connect("alice", "phone").await;
    alice.ask(Command::MessageSend(mention(&chat, "m1", "bob"))).await;
    let carols = noted(&mut world.notifications_at(0, "carol").await, Kind::Messages, &chat).await;
    assert_eq!(carols.seq, 2);
    let (bobs, _) = listed(&mut world.notifications_at(0, "bob").await).await;
    assert!(bobs.iter().all(|of| of.kind() == Kind::Added), "{bobs:?}");
}

async fn a_stream_that_resumes_is_told(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let hello = bob.hello("phone");
    drop(bob);
    send(&mut world.api("alice").await, &chat, "m1", "one").await;
    let notice = noted(&mut world.notifications_at(0, "bob").await, Kind::Messages, &chat).await;
    let mut bob = Live::open(world.api("bob").await, hello).await.unwrap();
    assert_eq!(bob.ready.unread_notifications, 1);
    let replayed = told(&mut bob).await;
    assert_eq!((replayed.notification, replayed.unread_notifications), (Some(notice), 1));
    // Read where nobody was told: it is read all the same.
    bob.mark(&chat, vec![run(1, 1)], true).await;
    let fresh = world.connect("bob", "tablet").await;
    assert_eq!(fresh.ready.unread_notifications, 0);
}

async fn what_a_node_left_another_notes(mut world: World) {
    let chat = world.direct("alice", "bob").await;
    send(&mut world.api("alice").await, &chat, "m1", "one").await;
    world.leave(0).await;
    let next = world.add_node(&[]).await;
    let mut api = world.notifications_at(next, "bob").await;
    assert_eq!(noted(&mut api, Kind::Messages, &chat).await.seq, 1);
}

async fn all_nodes_tell(mut world: World) {
    if !world.has_several_nodes() {
        return;
    }
    let other = world.add_node(&[]).await;
    let chat = world.direct("alice", "bob").await;
    let mut phones =
        [world.connect_at(0, "bob", "phone").await, world.connect_at(other, "bob", "tablet").await];
    send(&mut world.api("alice").await, &chat, "m1", "one").await;
    let mut ids = Vec::new();
    for phone in &mut phones {
        let told = told(phone).await;
        assert_eq!(told.unread_notifications, 1);
        ids.push(told.notification_id);
    }
    assert_eq!(ids[0], ids[1]);
    phones[0].mark(&chat, vec![run(1, 1)], true).await;
    for phone in &mut phones {
        assert_eq!(told(phone).await.unread_notifications, 0);
        assert_eq!(told_meanwhile(phone), [], "told once");
    }
}
