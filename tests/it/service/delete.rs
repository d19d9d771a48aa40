//! A user is taken out of everything.

use adda::model::UserId;
use adda::proto::event::Event;
use adda::proto::{self, CloseReason, MemberRole, MessageFate, SystemNoteKind};
use adda::store::NewJob;

use super::{Admin, admin, service_token};
use crate::on_both_backends;
use crate::world::{
    Api, Live, People, Refusal, Web, World, api, chat, eventually, history, message, run, send,
    token, unique,
};

on_both_backends! {
    messages_stay_or_go_as_asked,
    groups_are_left_and_direct_chats_stay_for_the_other,
    what_a_user_did_goes,
    blocks_go_both_ways,
    streams_close_and_tokens_are_refused,
    who_was_away_learns_of_it,
    what_a_node_left_behind_is_finished,
    deleting_again_does_nothing_new,
    what_is_asked_wrongly_is_refused,
    a_browser_deletes,
}

async fn delete(admin: &mut Admin, user: &str, messages: MessageFate) -> u32 {
    let (user_id, messages) = (user.to_owned(), messages.into());
    let request = proto::DeleteUserRequest { user_id, messages };
    admin.delete_user(request).await.unwrap().into_inner().chat_count
}

async fn service(world: &World) -> Admin {
    admin(world, 0, service_token("adda.service")).await
}

async fn react(api: &mut Api, chat: &str, message_id: &str, emoji: &str) {
    let (chat_id, emoji) = (chat.to_owned(), emoji.to_owned());
    let message_id = message_id.to_owned();
    let request = proto::AddReactionRequest { chat_id, message_id, emoji };
    api.add_reaction(request).await.unwrap();
}

async fn messages_stay_or_go_as_asked(world: World) {
    for (user, fate) in [("ann", MessageFate::Keep), ("abe", MessageFate::Erase)] {
        let direct = world.direct(user, "bob").await;
        let group = world.group("bob", &[user]).await;
        let mut bob = world.connect("bob", "phone").await;
        for chat in [&direct, &group] {
            send(&mut world.api(user).await, chat, "m", "secret plan").await;
            send(&mut world.api("bob").await, chat, "n", "mine").await;
            bob.message().await;
        }
        assert_eq!(delete(&mut service(&world).await, user, fate).await, 2);
        let mut told = Vec::new();
        let mut calls = world.api("bob").await;
        for chat in [&direct, &group] {
            let all = history(&mut calls, chat).await;
            let sent = all.iter().find(|message| message.client_message_id == "m").unwrap();
            assert_eq!(sent.sender_id, user, "the place stays");
            let gone = fate == MessageFate::Erase;
            assert_eq!(sent.text, if gone { "" } else { "secret plan" });
            assert_eq!(sent.deleted_at.is_some(), gone);
            assert!(all.iter().any(|message| message.text == "mine"));
            if gone {
                told.push(sent.message_id.clone());
            }
        }
        for id in told {
            bob.event(|event| match event {
                Event::MessageDeleted(deleted) => (deleted.message_id == id).then_some(()),
                _ => None,
            })
            .await;
        }
    }
}

async fn groups_are_left_and_direct_chats_stay_for_the_other(world: World) {
    let owned = world.group("alice", &["bob", "carol"]).await;
    let joined = world.group("bob", &["alice"]).await;
    let alone = world.group("alice", &[]).await;
    let direct = world.direct("alice", "bob").await;
    send(&mut world.api("alice").await, &direct, "m", "hello").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    assert_eq!(delete(&mut service(&world).await, "alice", MessageFate::Keep).await, 4);

    let renamed = bob.event(|event| match event {
        Event::UserUpdated(updated) => updated.user.clone().filter(|it| it.user_id == "alice"),
        _ => None,
    });
    let renamed = renamed.await;
    assert_eq!((&*renamed.display_name, &*renamed.avatar_url), ("", ""));
    assert!(renamed.updated_at.is_some(), "so that it takes the place of the name");

    let mut calls = world.api("bob").await;
    for group in [&owned, &joined] {
        let now = chat(&mut calls, group).await;
        assert!(now.members.iter().all(|member| member.user_id != "alice"));
        let all = history(&mut calls, group).await;
        let kinds: Vec<_> = all
            .iter()
            .filter_map(|it| it.system_note.as_ref())
            .map(proto::SystemNote::kind)
            .collect();
        assert!(kinds.contains(&SystemNoteKind::MemberLeft), "{kinds:?}");
        assert_eq!(kinds.contains(&SystemNoteKind::OwnerChanged), group == &owned);
    }
    let heir = chat(&mut calls, &owned).await;
    let heir = heir.members.iter().find(|member| member.role() == MemberRole::Owner).unwrap();
    assert_eq!(heir.user_id, "bob");

    let left = chat(&mut calls, &direct).await;
    let other = left.members.iter().find(|member| member.user_id == "alice").unwrap();
    assert_eq!((&*other.display_name, left.members.len()), ("", 2));
    assert_eq!(history(&mut calls, &direct).await[0].text, "hello");
    let sent = send(&mut calls, &direct, "n", "are you there?").await;
    assert_eq!(sent.seq, 2);
    let store = world.store();
    let alone = adda::model::ChatId::parse(&alone).unwrap();
    assert!(store.chats(&[alone]).await.unwrap().is_empty(), "the last one takes it along");
}

async fn what_a_user_did_goes(world: World) {
    let group = world.group("bob", &["alice", "carol"]).await;
    let direct = world.direct("bob", "alice").await;
    let mut bob = world.connect("bob", "phone").await;
    let mut calls = world.api("bob").await;
    let mut alice = world.api("alice").await;
    for chat_id in [&group, &direct] {
        let sent = send(&mut calls, chat_id, "m", "what do you think?").await;
        react(&mut alice, chat_id, &sent.message_id, "👍").await;
        react(&mut alice, chat_id, &sent.message_id, "🎉").await;
        if chat_id == &group {
            react(&mut world.api("carol").await, chat_id, &sent.message_id, "👍").await;
        }
        let mut live = world.connect("alice", "phone").await;
        live.mark(chat_id, vec![run(1, sent.seq)], true).await;
        let hide = proto::DeleteMessageRequest {
            chat_id: chat_id.clone(),
            message_id: sent.message_id,
            scope: proto::DeleteScope::Me.into(),
        };
        alice.delete_message(hide).await.unwrap();
        let settings = proto::SetChatSettingsRequest {
            chat_id: chat_id.clone(),
            pinned: Some(true),
            ..Default::default()
        };
        alice.set_chat_settings(settings).await.unwrap();
    }
    let mut people = world.people("alice").await;
    let hide = proto::Privacy { hide_last_active: true, hide_read_receipts: false };
    let request = proto::UpdatePrivacyRequest {
        hide_last_active: Some(hide.hide_last_active),
        ..Default::default()
    };
    people.update_privacy(request).await.unwrap();
    delete(&mut service(&world).await, "alice", MessageFate::Keep).await;

    for (chat_id, left) in [(&group, 1), (&direct, 0)] {
        let all = history(&mut calls, chat_id).await;
        let sent = all.iter().find(|message| message.client_message_id == "m").unwrap();
        assert_eq!(sent.reactions.len(), left, "{:?}", sent.reactions);
        assert!(sent.reactions.iter().all(|of| of.user_ids == ["carol"]));
        assert!(sent.read_by.is_empty() && sent.delivered_to.is_empty());
        let id = sent.message_id.clone();
        bob.event(|event| match event {
            Event::ReactionsUpdated(updated) if updated.message_id == id => {
                updated.reactions.iter().all(|of| of.user_ids == ["carol"]).then_some(())
            }
            _ => None,
        })
        .await;
    }
    let (store, alice) = (world.store(), UserId::parse("alice").unwrap());
    for place in store.places_of(&alice, None, 10).await.unwrap() {
        assert_eq!(place.settings.pinned_at, None);
        assert!(place.read.more().is_empty() && place.visible_from > place.read.to());
        let hidden: Vec<_> = (1..10).map(|seq| (place.chat, seq)).collect();
        assert!(store.hidden(&alice, &hidden).await.unwrap().is_empty());
    }
    assert!(!store.put_privacy(&alice, None, None).await.unwrap().hide_last_active);
    let known = store.users(std::slice::from_ref(&alice)).await.unwrap().remove(0);
    assert_eq!((known.display_name.as_str(), known.last_active), ("", None));
}

async fn blocks(people: &mut People) -> Vec<String> {
    let answer = people.list_blocked_users(proto::ListBlockedUsersRequest::default()).await;
    let blocked = answer.unwrap().into_inner().users;
    blocked.into_iter().map(|blocked| blocked.user.unwrap().user_id).collect()
}

async fn blocks_go_both_ways(world: World) {
    for (by, other) in [("alice", "carol"), ("bob", "alice"), ("bob", "carol")] {
        let request = proto::BlockUserRequest { user_id: other.to_owned() };
        world.people(by).await.block_user(request).await.unwrap();
    }
    let mut bob = world.connect("bob", "phone").await;
    delete(&mut service(&world).await, "alice", MessageFate::Keep).await;
    assert_eq!(blocks(&mut world.people("bob").await).await, ["carol"]);
    let told = bob.event(|event| match event {
        Event::BlockUpdated(updated) => Some((updated.user_id.clone(), updated.blocked)),
        _ => None,
    });
    assert_eq!(told.await, ("alice".to_owned(), false));
    let store = world.store();
    let own = store.blocks(&UserId::parse("alice").unwrap(), u32::MAX, 10).await.unwrap();
    assert!(own.is_empty());
}

async fn streams_close_and_tokens_are_refused(mut world: World) {
    let other = if world.has_several_nodes() { world.add_node(&[]).await } else { 0 };
    world.direct("alice", "bob").await;
    let old = token("alice");
    let mut streams = Vec::new();
    for (node, device) in [(0, "phone"), (other, "laptop")] {
        let api = api(world.addr(node), old.clone()).await;
        let mut live = Live::open(api, crate::world::hello(device)).await.unwrap();
        live.caught_up().await;
        streams.push(live);
    }
    delete(&mut service(&world).await, "alice", MessageFate::Keep).await;
    for live in &mut streams {
        assert_eq!(live.closed().await.reason(), CloseReason::SessionRevoked);
    }
    for node in [0, other] {
        let mut alice = api(world.addr(node), old.clone()).await;
        let refused = Refusal::from(alice.list_chats(proto::ListChatsRequest::default()).await);
        assert_eq!(refused.reason, "TOKEN_REVOKED");
        let users = proto::GetUsersRequest { user_ids: vec!["alice".to_owned()] };
        let seen = world.people_at(node, "bob").await.get_users(users).await;
        assert_eq!(seen.unwrap().into_inner().users[0].display_name, "");
    }
}

async fn who_was_away_learns_of_it(world: World) {
    let direct = world.direct("alice", "bob").await;
    let group = world.group("bob", &["alice"]).await;
    let mut alice = world.api("alice").await;
    let sent = send(&mut alice, &direct, "m", "secret").await;
    let own = send(&mut world.api("bob").await, &group, "n", "well?").await;
    react(&mut alice, &group, &own.message_id, "👍").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let hello = bob.hello("phone");
    drop(bob);
    delete(&mut service(&world).await, "alice", MessageFate::Erase).await;
    let mut back = Live::open(world.api("bob").await, hello).await.unwrap();
    back.event(|event| match event {
        Event::MessageDeleted(deleted) => (deleted.message_id == sent.message_id).then_some(()),
        _ => None,
    })
    .await;
    back.event(|event| match event {
        Event::MessageEdited(edited) => {
            let now = edited.message.as_ref()?;
            (now.message_id == own.message_id && now.reactions.is_empty()).then_some(())
        }
        _ => None,
    })
    .await;
    back.event(|event| match event {
        Event::MessageSent(sent) => {
            let note = sent.message.as_ref()?.system_note.as_ref()?;
            (note.kind() == SystemNoteKind::MemberLeft).then_some(())
        }
        _ => None,
    })
    .await;
}

async fn what_a_node_left_behind_is_finished(world: World) {
    let direct = world.direct("alice", "bob").await;
    let group = world.group("bob", &["alice"]).await;
    send(&mut world.api("alice").await, &direct, "m", "secret").await;
    // A node noted it, and died right after.
    let job = NewJob { id: unique(), body: b"user erase alice".to_vec() };
    world.store().put_jobs("erase", vec![job]).await.unwrap();
    let mut bob = world.api("bob").await;
    eventually("all of it is done", async || {
        let gone = history(&mut bob, &direct).await[0].deleted_at.is_some();
        let members = chat(&mut bob, &group).await.members;
        let left = members.iter().all(|member| member.user_id != "alice");
        let waiting = world.store().count_jobs("erase").await.unwrap();
        (gone && left && waiting == 0).then_some(())
    })
    .await;
}

async fn deleting_again_does_nothing_new(world: World) {
    let direct = world.direct("alice", "bob").await;
    let group = world.group("bob", &["alice"]).await;
    send(&mut world.api("alice").await, &direct, "m", "secret").await;
    let mut admin = service(&world).await;
    assert_eq!(delete(&mut admin, "alice", MessageFate::Keep).await, 2);
    let before = history(&mut world.api("bob").await, &group).await;
    assert_eq!(delete(&mut admin, "alice", MessageFate::Keep).await, 2);
    assert_eq!(history(&mut world.api("bob").await, &group).await, before);
    // What stayed can go later.
    assert_eq!(delete(&mut admin, "alice", MessageFate::Erase).await, 2);
    assert_eq!(history(&mut world.api("bob").await, &direct).await[0].text, "");
    assert_eq!(delete(&mut admin, "nobody", MessageFate::Erase).await, 0);
}

async fn what_is_asked_wrongly_is_refused(world: World) {
    let mut admin = service(&world).await;
    let request =
        |user: &str, messages: i32| proto::DeleteUserRequest { user_id: user.to_owned(), messages };
    for (wrong, field) in [
        (request("", 1), "user_id"),
        (request("a b", 1), "user_id"),
        (request("alice", 0), "messages"),
        (request("alice", 9), "messages"),
    ] {
        let refused = Refusal::from(admin.delete_user(wrong).await);
        assert_eq!(refused.what(), ("FIELD_INVALID", field));
    }
    let mut alice = super::admin(&world, 0, token("alice")).await;
    let refused = Refusal::from(alice.delete_user(request("alice", 1)).await);
    assert_eq!(refused.what(), ("SCOPE_MISSING", ""));
    world.api("alice").await.list_chats(proto::ListChatsRequest::default()).await.unwrap();
}

async fn a_browser_deletes(world: World) {
    let direct = world.direct("alice", "bob").await;
    let message = message(&direct, "m", "hello");
    let send = proto::SendMessageRequest { message: Some(message) };
    world.api("alice").await.send_message(send).await.unwrap();
    let web = Web::new(world.addr(0), service_token("adda.service"));
    let (user_id, messages) = ("alice".to_owned(), MessageFate::Erase.into());
    let request = proto::DeleteUserRequest { user_id, messages };
    let came: proto::DeleteUserResponse =
        web.call("AdminService/DeleteUser", &request).await.unwrap();
    assert_eq!(came.chat_count, 1);
    assert!(history(&mut world.api("bob").await, &direct).await[0].deleted_at.is_some());
}
