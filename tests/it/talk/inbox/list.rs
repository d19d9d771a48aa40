//! The inbox: order, preview, counts, search.

use adda::proto;

use super::{all, group, ids, page};
use crate::on_both_backends;
use crate::world::{Api, World, api, chat, run, send};

on_both_backends! {
    the_newest_message_comes_first,
    a_row_shows_what_the_contract_says,
    totals_are_of_all_chats,
    a_search_finds_titles_and_names,
}

async fn the_newest_message_comes_first(world: World) {
    let mut bob = world.api("bob").await;
    let mut alice = world.api("alice").await;
    assert!(page(&mut bob, 0, "", "").await.chats.is_empty(), "an empty inbox");
    let one = world.direct("alice", "bob").await;
    let two = world.group("alice", &["bob"]).await;
    let three = world.direct("bob", "carol").await;
    send(&mut alice, &one, "m1", "hello").await;
    assert_eq!(ids(&all(&mut bob, 10, "").await), [&one, &three, &two].map(Clone::clone));
    send(&mut alice, &two, "m1", "hello").await;
    let inbox = all(&mut bob, 10, "").await;
    assert_eq!(ids(&inbox), [&two, &one, &three].map(Clone::clone));
    // Reading moves nothing.
    bob.mark_chat_read(proto::MarkChatReadRequest { chat_id: one.clone(), up_to_seq: 0 })
        .await
        .unwrap();
    assert_eq!(ids(&all(&mut bob, 10, "").await), ids(&inbox));
    let carols = all(&mut world.api("carol").await, 10, "").await;
    assert!(carols.is_empty(), "nothing was written to her yet");
    send(&mut bob, &three, "m1", "hello").await;
    assert_eq!(ids(&all(&mut world.api("carol").await, 10, "").await), [three]);
}

async fn a_row_shows_what_the_contract_says(world: World) {
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let direct = world.direct("alice", "bob").await;
    let made = world.group("alice", &["bob", "carol"]).await;
    for id in ["m1", "m2", "m3"] {
        send(&mut alice, &direct, id, "hello").await;
    }
    let ack = proto::ReadAck { chat_id: direct.clone(), seqs: vec![run(2, 2)] };
    bob.ack_read(proto::AckReadRequest { ack: Some(ack) }).await.unwrap();

    let his = all(&mut bob, 10, "").await;
    let row = &his[0];
    assert_eq!((row.kind(), row.title.as_str()), (proto::ChatKind::Direct, ""));
    assert_eq!((row.last_seq, row.unread_count, row.revision), (3, Some(2), 1));
    assert_eq!((row.members.len(), row.member_count), (2, 2));
    let last = row.last_message.as_ref().unwrap();
    assert_eq!(
        (last.seq, last.text.as_str(), last.state()),
        (3, "hello", proto::MessageState::Unspecified)
    );
    assert_eq!(row.updated_at, last.created_at);
    let mine = row.membership.as_ref().unwrap();
    assert_eq!((mine.user_id.as_str(), &mine.read[..]), ("bob", &[run(2, 2)][..]));
    assert_eq!((mine.role(), mine.visible_from_seq), (proto::MemberRole::Member, 1));
    assert_eq!(*row, chat(&mut bob, &direct).await, "GetChat shows the same of a direct chat");

    let hers = all(&mut alice, 10, "").await;
    let last = hers[0].last_message.as_ref().unwrap();
    assert_eq!((last.state(), hers[0].unread_count), (proto::MessageState::Sent, Some(0)));
    assert!(last.delivered_to.is_empty() && last.read_by.is_empty());
    let other = hers[0].members.iter().find(|member| member.user_id == "bob").unwrap();
    assert_eq!((other.display_name.as_str(), &other.read[..]), ("Bob", &[run(2, 2)][..]));

    let row = &his[1];
    assert_eq!(
        (row.chat_id.as_str(), row.kind(), row.title.as_str()),
        (made.as_str(), proto::ChatKind::Group, "Group")
    );
    assert_eq!((row.members.len(), row.member_count), (0, 3), "none in a list");
    assert_eq!((row.last_seq, row.unread_count), (1, Some(0)), "a note does not count");
    let note = row.last_message.as_ref().unwrap();
    assert_eq!((note.r#type(), note.sender_id.as_str()), (proto::MessageType::System, ""));
    let full = chat(&mut bob, &made).await;
    let roles: Vec<_> = full.members.iter().map(|m| (m.user_id.as_str(), m.role())).collect();
    let (owner, member) = (proto::MemberRole::Owner, proto::MemberRole::Member);
    assert_eq!(roles, [("alice", owner), ("bob", member), ("carol", member)]);
    let named: Vec<_> = full.members.iter().map(|m| m.display_name.as_str()).collect();
    assert_eq!(named, ["Alice", "Bob", ""], "carol was not met yet");
}

async fn totals_are_of_all_chats(world: World) {
    let mut bob = world.api("bob").await;
    for (at, user) in ["u1", "u2", "u3"].into_iter().enumerate() {
        let chat = world.direct(user, "bob").await;
        let mut api = world.api(user).await;
        for message in 0..=at {
            send(&mut api, &chat, &format!("m{message}"), "hello").await;
        }
    }
    let first = page(&mut bob, 1, "", "").await;
    assert_eq!((first.total_unread_count, first.chats[0].unread_count), (Some(6), Some(3)));
    let found = page(&mut bob, 1, "", "u1").await;
    assert_eq!(
        (found.total_unread_count, found.chats.len()),
        (Some(6), 1),
        "not only of those found"
    );
}

async fn named(world: &World, user: &str, name: &str) -> Api {
    let signer = adda::auth::Signer::new(adda::config::DEV_SECRET.into(), None, None);
    let user = adda::model::UserId::new(user);
    let hour = std::time::Duration::from_secs(3600);
    let (token, _) = signer.sign(&user, Some(name), hour, &adda::clock::SystemClock);
    api(world.addr(0), token).await
}

async fn a_search_finds_titles_and_names(world: World) {
    let mut bob = world.api("bob").await;
    let mut chats = Vec::new();
    for (user, name) in [("u1", "Ärger Müller"), ("u2", "রবীন্দ্রনাথ ঠাকুর"), ("u3", "a.b(c)*")]
    {
        let made = world.direct(user, "bob").await;
        send(&mut named(&world, user, name).await, &made, "m", "needle").await;
        chats.push(made);
    }
    let unmet = world.direct("bob", "never.met").await;
    for title in ["Die Straße", "বাংলা আড্ডা", "100% {\"$gt\":\"\"}"] {
        let made = bob.create_chat(group(title, &["u1"], "")).await.unwrap().into_inner();
        chats.push(made.chat.unwrap().chat_id);
    }
    for (query, found) in [
        ("MÜLLER", vec![0]),
        ("ärger m", vec![0]),
        ("u\u{308}ller", vec![0]),
        ("ঠাকুর", vec![1]),
        ("আড্ডা", vec![4]),
        ("STRAßE", vec![3]),
        (".*", vec![]),
        ("a.b(", vec![2]),
        ("%", vec![5]),
        ("_", vec![]),
        ("{\"$gt\":\"\"}", vec![5]),
        (".*(a+)+$", vec![]),
        ("../..", vec![]),
        ("\0", vec![]),
        ("needle", vec![]),
        ("bob", vec![]),
    ] {
        let mut want: Vec<_> = found.iter().map(|at: &usize| chats[*at].clone()).collect();
        let mut got = ids(&all(&mut bob, 100, query).await);
        want.sort();
        got.sort();
        assert_eq!(got, want, "{query:?}");
    }
    assert_eq!(ids(&all(&mut bob, 100, "NEVER.").await), [unmet], "shown by id, found by id");
    assert_eq!(all(&mut bob, 2, "").await.len(), 7);
}
