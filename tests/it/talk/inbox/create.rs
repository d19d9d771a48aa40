//! Making chats.

use adda::proto;
use adda::proto::event::Event;
use tonic::Code;

use super::{direct, group};
use crate::on_both_backends;
use crate::world::{Refusal, World, history};

on_both_backends! {
    a_direct_chat_is_found_from_both_sides,
    a_direct_chat_is_with_exactly_one_other,
    a_group_is_made_once_a_client_chat_id,
    a_group_begins_with_its_note,
    what_a_chat_may_not_be,
}

async fn a_direct_chat_is_found_from_both_sides(mut world: World) {
    let other = if world.has_several_nodes() { world.add_node(&[]).await } else { 0 };
    for round in 0..5 {
        let names = [format!("a{round}"), format!("b{round}")];
        let ask = async |node, me: &str, peer: &str| {
            let mut api = world.api_at(node, me).await;
            let answer = api.create_chat(direct(&[peer])).await.unwrap().into_inner();
            (answer.chat.unwrap(), answer.created)
        };
        let (one, two, three) = tokio::join!(
            ask(0, &names[0], &names[1]),
            ask(other, &names[1], &names[0]),
            ask(other, &names[0], &names[1]),
        );
        let made = [&one, &two, &three].iter().filter(|(_, created)| *created).count();
        assert_eq!(made, 1, "one of them made it");
        assert_eq!(one.0.chat_id, two.0.chat_id);
        assert_eq!(one.0.chat_id, three.0.chat_id);
        let (again, created) = ask(0, &names[1], &names[0]).await;
        assert_eq!((again.chat_id, created), (one.0.chat_id, false));
        assert_eq!((again.member_count, again.members.len(), again.last_seq), (2, 2, 0));
    }
}

async fn a_direct_chat_is_with_exactly_one_other(world: World) {
    let mut api = world.api("alice").await;
    for members in [&["alice"][..], &[], &["bob", "carol"]] {
        let refused = Refusal::from(api.create_chat(direct(members)).await);
        assert_eq!(refused.what(), ("FIELD_INVALID", "member_ids"), "{members:?}");
    }
    let titled = proto::CreateChatRequest { title: "x".to_owned(), ..direct(&["bob"]) };
    assert_eq!(Refusal::from(api.create_chat(titled).await).field, "title");
    let named = proto::CreateChatRequest { client_chat_id: "x".to_owned(), ..direct(&["bob"]) };
    assert_eq!(Refusal::from(api.create_chat(named).await).field, "client_chat_id");
}

async fn a_group_is_made_once_a_client_chat_id(world: World) {
    let mut api = world.api("alice").await;
    let mut make = async |request| {
        let answer = api.create_chat(request).await.map(tonic::Response::into_inner);
        answer.map(|answer| (answer.chat.unwrap().chat_id, answer.created))
    };
    let (id, created) = make(group("Team", &["bob", "carol"], "c1")).await.unwrap();
    assert!(created);
    for repeat in [
        group("Team", &["bob", "carol"], "c1"),
        group(" Team ", &["carol", "bob", "carol", "alice"], "c1"),
    ] {
        assert_eq!(make(repeat).await.unwrap(), (id.clone(), false));
    }
    for other in [group("Teams", &["bob", "carol"], "c1"), group("Team", &["bob"], "c1")] {
        let refused = Refusal::from(make(other).await);
        assert_eq!((refused.code, refused.what()), (Code::AlreadyExists, ("CLIENT_ID_REUSED", "")));
        assert!(!refused.retry);
    }
    let (one, _) = make(group("Team", &["bob"], "")).await.unwrap();
    let (two, created) = make(group("Team", &["bob"], "")).await.unwrap();
    assert!(created && one != two, "without an id a repeat makes another");
    // Another user's id is another id.
    let mut bob = world.api("bob").await;
    let other = bob.create_chat(group("Other", &["dave"], "c1")).await.unwrap().into_inner();
    assert!(other.created && other.chat.unwrap().chat_id != id);
}

async fn a_group_begins_with_its_note(world: World) {
    let mut bob = world.connect("bob", "phone").await;
    let mut alice = world.connect("alice", "phone").await;
    let chat = world.group("alice", &["bob"]).await;
    for live in [&mut alice, &mut bob] {
        let updated = live.event(|event| match event {
            Event::ChatUpdated(updated) => updated.chat.clone(),
            Event::MessageSent(_) => panic!("the chat comes first"),
            _ => None,
        });
        assert_eq!(updated.await.chat_id, chat);
        let message = live.message().await;
        assert_eq!((message.seq, message.r#type()), (1, proto::MessageType::System));
        let note = message.system_note.unwrap();
        assert_eq!(note.kind(), proto::SystemNoteKind::GroupCreated);
        assert_eq!(note.actor_id, "alice");
        assert!(!message.text.is_empty() && message.sender_id.is_empty());
    }
    let message = history(&mut world.api("bob").await, &chat).await.remove(0);
    assert_eq!((message.seq, message.state()), (1, proto::MessageState::Unspecified));
    assert_eq!(alice.send(&chat, "m1", "hello").await.seq, 2);
}

async fn what_a_chat_may_not_be(world: World) {
    let mut api = world.api("alice").await;
    let mut bob = world.connect("bob", "phone").await;
    let long = "x".repeat(129);
    let id = "x".repeat(65);
    for (request, field, limit) in [
        (proto::CreateChatRequest::default(), "kind", None),
        (proto::CreateChatRequest { kind: 77, ..group("T", &["bob"], "") }, "kind", None),
        (group("", &["bob"], ""), "title", None),
        (group(" \n\u{200b}", &["bob"], ""), "title", None),
        (group(&long, &["bob"], ""), "title", Some("128")),
        (group("T", &["bob"], &id), "client_chat_id", Some("64")),
        (group("T", &["bob"], "a\0"), "client_chat_id", None),
        (group("T", &["bob", "a b"], ""), "member_ids[1]", None),
        (group("T", &["{\"$gt\":\"\"}", "bob"], ""), "member_ids[0]", None),
        (group("T", &["bob", "carol", ""], ""), "member_ids[2]", None),
        (direct(&["../.."]), "member_ids[0]", None),
        (direct(&[&id]), "member_ids[0]", None),
    ] {
        let refused = Refusal::from(api.create_chat(request).await);
        assert_eq!(
            (refused.code, refused.what()),
            (Code::InvalidArgument, ("FIELD_INVALID", field))
        );
        assert_eq!((refused.limit(), refused.retry), (limit, false));
    }
    let many: Vec<String> = (0..10_000).map(|at| format!("u{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = Refusal::from(api.create_chat(group("T", &many, "")).await);
    assert_eq!((refused.what(), refused.limit()), (("FIELD_INVALID", "member_ids"), Some("9999")));
    assert!(super::all(&mut api, 10, "").await.is_empty(), "nothing was made");
    bob.settle().await;
    assert!(!bob.take_seen().iter().any(|frame| format!("{frame:?}").contains("ChatUpdated")));

    let fits = "ক".repeat(128);
    let made = api.create_chat(group(&fits, &[], "")).await.unwrap().into_inner().chat.unwrap();
    assert_eq!((made.title, made.member_count), (fits, 1), "alone for the time being");
}
