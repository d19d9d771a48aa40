//! What is refused because of a block, to both alike, and what goes on.

use adda::model::UserId;
use adda::proto;
use adda::proto::ack;
use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use tonic::Code;

use super::{block, events, friends, unblock};
use crate::on_both_backends;
use crate::world::{Api, Live, Refusal, World, chat, history, message, send};

on_both_backends! {
    a_direct_message_is_refused_and_not_stored,
    a_repeat_of_what_was_sent_gets_its_outcome,
    edits_and_reactions_do_not_reach_the_other_either,
    a_new_chat_is_refused_and_one_that_is_there_is_returned,
    own_devices_are_told_and_nobody_else,
    a_device_that_was_away_is_told_when_it_comes_back,
    blocked_users_are_listed_the_last_first,
    no_more_than_a_thousand_are_blocked,
}

fn create(kind: proto::ChatKind, others: &[&str], id: &str) -> proto::CreateChatRequest {
    proto::CreateChatRequest {
        kind: kind.into(),
        member_ids: others.iter().map(ToString::to_string).collect(),
        title: if kind == proto::ChatKind::Group { "Group".to_owned() } else { String::new() },
        client_chat_id: id.to_owned(),
        ..Default::default()
    }
}

async fn try_send(api: &mut Api, chat: &str, id: &str) -> Result<proto::SendOutcome, Refusal> {
    let message = Some(message(chat, id, "hello"));
    let sent = api.send_message(proto::SendMessageRequest { message }).await;
    sent.map(|sent| sent.into_inner().outcome.unwrap())
        .map_err(|status| Refusal::of_status(&status))
}

async fn a_direct_message_is_refused_and_not_stored(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    let group = world.group("alice", &["bob"]).await;
    block(&world, "alice", "bob").await;
    let mut refusals = Vec::new();
    for user in ["alice", "bob"] {
        let mut live = world.connect(user, "phone").await;
        let mut api = live.api.clone();
        refusals.push(live.refused(Command::MessageSend(message(&direct, "no", "hello"))).await);
        refusals.push(try_send(&mut api, &direct, "no").await.unwrap_err());
        send(&mut api, &group, &format!("of-{user}"), "in the group").await;
        let all = history(&mut api, &direct).await;
        assert_eq!(all.len(), 2, "nothing is stored");
        assert_eq!(chat(&mut api, &direct).await.last_seq, 2);
    }
    assert!(refusals.iter().all(|refused| *refused == refusals[0]), "{refusals:?}");
    assert_eq!(
        (refusals[0].code, refusals[0].reason.as_str()),
        (Code::PermissionDenied, "BLOCKED")
    );
    assert!(!refusals[0].retry && refusals[0].field.is_empty() && refusals[0].metadata.is_empty());
    // Both have blocked: one of them taking it back is not enough.
    block(&world, "bob", "alice").await;
    unblock(&world, "alice", "bob").await;
    assert!(try_send(&mut world.api("alice").await, &direct, "no").await.is_err());
    unblock(&world, "bob", "alice").await;
    for user in ["alice", "bob"] {
        let sent = try_send(&mut world.api(user).await, &direct, "no").await.unwrap();
        assert!(!sent.duplicate, "what was refused was never sent");
    }
}

async fn a_repeat_of_what_was_sent_gets_its_outcome(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    let mut sent = Vec::new();
    for user in ["alice", "bob"] {
        sent.push(try_send(&mut world.api(user).await, &direct, "once").await.unwrap());
    }
    block(&world, "alice", "bob").await;
    for (user, first) in ["alice", "bob"].into_iter().zip(sent) {
        let mut live = world.connect(user, "phone").await;
        let again = live.send(&direct, "once", "hello").await;
        assert_eq!(again, proto::SendOutcome { duplicate: true, ..first });
        let other = live.ask(Command::MessageSend(message(&direct, "once", "other"))).await;
        let ack::Result::Error(error) = other else { panic!() };
        assert_eq!(error.reason(), proto::ErrorReason::ClientIdReused);
    }
}

async fn edits_and_reactions_do_not_reach_the_other_either(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    let messages = history(&mut world.api("alice").await, &direct).await;
    let reaction = |nth: usize, emoji: &str| proto::AddReactionRequest {
        chat_id: direct.clone(),
        message_id: messages[nth].message_id.clone(),
        emoji: emoji.to_owned(),
    };
    let edit = |nth: usize, text: &str| proto::EditMessageRequest {
        chat_id: direct.clone(),
        message_id: messages[nth].message_id.clone(),
        text: text.to_owned(),
        ..Default::default()
    };
    for user in ["alice", "bob"] {
        world.api(user).await.add_reaction(reaction(0, "👍")).await.unwrap();
    }
    block(&world, "alice", "bob").await;
    for (own, user) in ["alice", "bob"].into_iter().enumerate() {
        let mut api = world.api(user).await;
        let refused = Refusal::from(api.edit_message(edit(own, "changed")).await);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "BLOCKED"));
        let again = Refusal::from(api.add_reaction(reaction(1, "🎉")).await);
        assert_eq!(again, refused);
        // What is so already is no news.
        api.edit_message(edit(own, "hi")).await.unwrap();
        api.add_reaction(reaction(0, "👍")).await.unwrap();
    }
    let after = history(&mut world.api("bob").await, &direct).await;
    assert!(after.iter().all(|message| message.text == "hi"));
    assert_eq!((after[0].reactions.len(), after[1].reactions.len()), (1, 0));
    let delete = proto::DeleteMessageRequest {
        chat_id: direct.clone(),
        message_id: messages[1].message_id.clone(),
        scope: proto::DeleteScope::Everyone.into(),
    };
    world.api("bob").await.delete_message(delete).await.unwrap();
}

async fn a_new_chat_is_refused_and_one_that_is_there_is_returned(world: World) {
    use proto::ChatKind::{Direct, Group};
    let there = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let made = alice.create_chat(create(Group, &["bob", "dave"], "g")).await.unwrap().into_inner();
    for whom in ["bob", "carol"] {
        block(&world, "alice", whom).await;
    }
    for user in ["alice", "bob"] {
        let other = if user == "alice" { "bob" } else { "alice" };
        let mut api = world.api(user).await;
        let found = api.create_chat(create(Direct, &[other], "")).await.unwrap().into_inner();
        assert_eq!((found.chat.unwrap().chat_id, found.created), (there.clone(), false));
        let refused = Refusal::from(api.create_chat(create(Group, &["dave", other], "")).await);
        assert_eq!(refused.what(), ("BLOCKED", "member_ids[1]"), "{user}");
    }
    let again = alice.create_chat(create(Group, &["bob", "dave"], "g")).await.unwrap().into_inner();
    assert_eq!((again.chat.unwrap().chat_id, again.created), (made.chat.unwrap().chat_id, false));
    let other = Refusal::from(alice.create_chat(create(Group, &["bob"], "g")).await);
    assert_eq!(other.reason, "CLIENT_ID_REUSED");
    let mut refusals = Vec::new();
    for (user, other) in [("alice", "carol"), ("carol", "alice")] {
        let mut api = world.api(user).await;
        refusals.push(Refusal::from(api.create_chat(create(Direct, &[other], "")).await));
        let inbox = api.list_chats(proto::ListChatsRequest::default()).await.unwrap().into_inner();
        assert!(user == "alice" || inbox.chats.is_empty(), "nothing is made");
    }
    assert_eq!(refusals[0], refusals[1]);
    assert_eq!(refusals[0].what(), ("BLOCKED", "member_ids[0]"));
    // Two whom a third one brings together may have blocked each other.
    world.group("dave", &["alice", "carol"]).await;
}

fn updates(live: &mut Live) -> Vec<(String, bool, u32)> {
    let of = |event| match event {
        Event::BlockUpdated(of) => Some((of.user_id, of.blocked, of.revision)),
        _ => None,
    };
    events(live).into_iter().filter_map(of).collect()
}

async fn block_update(live: &mut Live) -> (String, bool, u32) {
    live.event(|event| match event {
        Event::BlockUpdated(of) => Some((of.user_id.clone(), of.blocked, of.revision)),
        _ => None,
    })
    .await
}

async fn own_devices_are_told_and_nobody_else(mut world: World) {
    let node = if world.has_several_nodes() { world.add_node(&[]).await } else { 0 };
    let direct = friends(&world, "alice", "bob").await;
    let mut phone = world.connect("alice", "phone").await;
    let mut tablet = world.connect_at(node, "alice", "tablet").await;
    let mut bob = world.connect_at(node, "bob", "phone").await;
    bob.caught_up().await;
    block(&world, "alice", "bob").await;
    block(&world, "alice", "carol").await;
    unblock(&world, "alice", "bob").await;
    let want = [("bob", true, 1), ("carol", true, 2), ("bob", false, 3)];
    for live in [&mut phone, &mut tablet] {
        for (user, blocked, revision) in want {
            assert_eq!(block_update(live).await, (user.to_owned(), blocked, revision));
        }
    }
    send(&mut world.api("alice").await, &direct, "after", "after").await;
    super::told(&mut bob, "after").await;
    assert_eq!(updates(&mut bob), []);
}

async fn a_device_that_was_away_is_told_when_it_comes_back(world: World) {
    block(&world, "alice", "bob").await;
    let mut phone = world.connect("alice", "phone").await;
    phone.caught_up().await;
    let hello = phone.hello("phone");
    drop(phone);
    block(&world, "alice", "carol").await;
    unblock(&world, "alice", "bob").await;
    let mut phone = Live::open(world.api("alice").await, hello).await.unwrap();
    assert_eq!(phone.ready.resume_outcome(), proto::ResumeOutcome::Resumed);
    phone.caught_up().await;
    assert_eq!(updates(&mut phone), [("carol".to_owned(), true, 2), ("bob".to_owned(), false, 3)]);
}

async fn blocked_users_are_listed_the_last_first(world: World) {
    friends(&world, "alice", "bob").await;
    // Met by the server, but not by alice.
    world.api("carol").await.list_chats(proto::ListChatsRequest::default()).await.unwrap();
    for whom in ["bob", "carol", "nobody"] {
        block(&world, "alice", whom).await;
    }
    let mut people = world.people("alice").await;
    let mut page = async |page_size, token: &str| {
        let page_token = token.to_owned();
        let request = proto::ListBlockedUsersRequest { page_size, page_token };
        people.list_blocked_users(request).await.map(tonic::Response::into_inner)
    };
    let all = page(0, "").await.unwrap();
    assert!(all.next_page_token.is_empty());
    let names = all.users.iter().map(|of| of.user.clone().unwrap());
    let names: Vec<_> = names.map(|user| (user.user_id, user.display_name)).collect();
    let want = [("nobody", ""), ("carol", ""), ("bob", "Bob")];
    assert_eq!(
        names,
        want.map(|(id, name)| (id.to_owned(), name.to_owned())),
        "no stranger's name"
    );
    let times: Vec<_> = all.users.iter().map(|of| of.blocked_at.unwrap()).collect();
    assert!(times.is_sorted_by_key(|at| std::cmp::Reverse((at.seconds, at.nanos))));
    let first = page(2, "").await.unwrap();
    assert_eq!(first.users[..], all.users[..2]);
    // What comes meanwhile is not on a later page.
    block(&world, "alice", "dave").await;
    let second = page(2, &first.next_page_token).await.unwrap();
    assert_eq!((&second.users[..], second.next_page_token.as_str()), (&all.users[2..], ""));
    let refused = Refusal::from(page(2, &format!("{}x", first.next_page_token)).await);
    assert_eq!(refused.reason, "PAGE_TOKEN_INVALID");
    let foreign =
        proto::ListBlockedUsersRequest { page_size: 2, page_token: first.next_page_token };
    let refused = Refusal::from(world.people("bob").await.list_blocked_users(foreign).await);
    assert_eq!(refused.reason, "PAGE_TOKEN_INVALID");
}

async fn no_more_than_a_thousand_are_blocked(world: World) {
    let (store, alice) = (world.store(), UserId::parse("alice").unwrap());
    for at in 1..1_000 {
        let other = UserId::parse(&format!("user-{at}")).unwrap();
        store.block(&alice, &other, 1_000).await.unwrap().unwrap();
    }
    let request = |whom: &str| proto::BlockUserRequest { user_id: whom.to_owned() };
    let mut people = world.people("alice").await;
    people.block_user(request("bob")).await.unwrap();
    people.block_user(request("bob")).await.unwrap();
    let refused = Refusal::from(people.block_user(request("carol")).await);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::ResourceExhausted, "TOO_MANY_BLOCKS")
    );
    assert_eq!((refused.limit(), refused.retry), (Some("1000"), false));
    let page = proto::ListBlockedUsersRequest { page_size: 1_000_000, ..Default::default() };
    let page = people.list_blocked_users(page).await.unwrap().into_inner();
    assert_eq!((page.users.len(), page.next_page_token.is_empty()), (200, false));
    unblock(&world, "alice", "user-7").await;
    people.block_user(request("carol")).await.unwrap();
}
