//! Coming and going.

use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, MemberRole, SystemNoteKind};

use super::{add, gone, hears, note, remove, roles, told_by_now, told_of, updated};
use crate::on_both_backends;
use crate::world::{Live, World, chat, hello, history, run, send};

on_both_backends! {
    who_is_added_sees_messages_from_then_on,
    who_is_removed_hears_nothing_more,
    who_comes_back_sees_messages_from_then_on,
    members_added_while_others_write_miss_nothing,
}

async fn who_is_added_sees_messages_from_then_on(world: World) {
    let group = world.group("alice", &["bob"]).await;
    let (mut alice, mut api) = (world.api("alice").await, world.api("carol").await);
    send(&mut alice, &group, "m1", "before").await;
    let mut bob = world.connect("bob", "phone").await;
    let mut carol = world.connect("carol", "phone").await;
    carol.caught_up().await;
    let answer = add(&mut alice, &group, &["carol", "dave", "bob", "alice", "carol"]).await;
    assert_eq!(answer.added_user_ids, ["carol", "dave"]);
    let now = answer.chat.unwrap();
    assert_eq!((now.member_count, now.revision), (4, 2));
    let listed = roles(&now);
    assert_eq!(&listed[..2], [("alice", MemberRole::Owner), ("bob", MemberRole::Member)]);
    assert_eq!(listed.len(), 4);

    // The chat itself comes before its first message.
    let first = carol.event(|event| match event {
        Event::ChatUpdated(_) | Event::MessageSent(_) => Some(event.clone()),
        _ => None,
    });
    let first = first.await;
    let told = updated(&first).expect("the chat comes first");
    let shown = told.chat.as_ref().unwrap();
    assert_eq!((&shown.chat_id, shown.revision, told.removed), (&group, 2, false));
    let carols = shown.members.iter().find(|member| member.user_id == "carol").unwrap();
    assert_eq!(carols.visible_from_seq, 3);
    let shown = told_of(&mut bob, &group, 2).await;
    assert_eq!(shown.members.len(), 4);
    for live in [&mut bob, &mut carol] {
        let (seq, kind, what) = note(live, &group).await;
        assert_eq!((seq, kind), (3, SystemNoteKind::MembersAdded));
        assert_eq!((what.actor_id.as_str(), what.user_ids.len()), ("alice", 2));
    }
    let seen = chat(&mut api, &group).await;
    assert_eq!((seen.unread_count, seen.last_seq), (Some(0), 3), "a note is not unread");
    assert_eq!(seen.membership.unwrap().visible_from_seq, 3);
    send(&mut alice, &group, "m2", "after").await;
    assert_eq!(hears(&mut carol, "after").await.seq, 4);
    assert_eq!(chat(&mut api, &group).await.unread_count, Some(1));
    let seqs: Vec<_> = history(&mut api, &group).await.iter().map(|it| it.seq).collect();
    assert_eq!(seqs, [3, 4], "what was before does not exist for carol");
    carol.mark(&group, vec![run(3, 4)], true).await;
    let message = history(&mut alice, &group).await.remove(3);
    assert_eq!(message.read_by, ["carol"]);
    let old = history(&mut alice, &group).await.remove(1);
    assert!(old.read_by.is_empty() && old.delivered_to.is_empty(), "not waited for either");

    let again = add(&mut alice, &group, &["carol"]).await;
    assert_eq!((again.added_user_ids.len(), again.chat.unwrap().revision), (0, 2));
    assert_eq!(history(&mut alice, &group).await.len(), 4, "and nothing is told again");
}

async fn who_is_removed_hears_nothing_more(world: World) {
    let group = world.group("alice", &["bob", "carol"]).await;
    let mut alice = world.connect("alice", "phone").await;
    let mut carol = world.connect("carol", "phone").await;
    let mut phone = world.connect("bob", "phone").await;
    let mut page = Live::subscribe(world.api("bob").await, hello("page")).await.unwrap();
    let mine = phone.send(&group, "mine", "of bob").await;
    let join = |chat: &str| Command::JoinChat(proto::JoinChat { chat_id: chat.to_owned() });
    let start = |chat: &str| Command::TypingStart(proto::TypingStart { chat_id: chat.to_owned() });
    phone.done(join(&group)).await;
    carol.done(join(&group)).await;
    let request = proto::JoinChatRequest {
        chat_id: group.clone(),
        session_id: page.ready.session_id.clone(),
    };
    page.api.join_chat(request).await.unwrap();
    hears(&mut page, "of bob").await;
    phone.done(start(&group)).await;

    let now = remove(&mut alice.api.clone(), &group, "bob").await;
    assert_eq!((now.revision, now.member_count), (2, 2));
    for live in [&mut phone, &mut page] {
        assert_eq!(gone(live, &group).await.revision, 2);
    }
    let (seq, kind, what) = note(&mut carol, &group).await;
    assert_eq!((seq, kind), (3, SystemNoteKind::MembersRemoved));
    assert_eq!((what.actor_id.as_str(), what.user_ids), ("alice", vec!["bob".to_owned()]));
    let typing = |on: bool| {
        move |event: &Event| match event {
            Event::UserTyping(it) if it.user_id == "bob" && it.typing == on => Some(()),
            _ => None,
        }
    };
    carol.event(typing(true)).await;
    carol.event(typing(false)).await;

    // Whatever happens there is not bob's any more.
    alice.done(start(&group)).await;
    alice.send(&group, "m2", "without bob").await;
    carol.mark(&group, vec![run(1, 4)], true).await;
    hears(&mut carol, "without bob").await;
    for live in [&mut phone, &mut page] {
        assert_eq!(told_by_now(&world, live, &group).await, []);
    }
    let refused = phone.refused(join(&group)).await;
    assert_eq!(refused.what(), ("CHAT_NOT_FOUND", ""));
    let late = Command::MessageSend(crate::world::message(&group, "late", "hello"));
    assert_eq!(phone.refused(late).await.what(), ("CHAT_NOT_FOUND", ""));
    let repeat = phone.send(&group, "mine", "of bob").await;
    assert_eq!((repeat.message_id, repeat.duplicate), (mine.message_id, true));
    assert_eq!(history(&mut alice.api, &group).await.len(), 4);
    let again = remove(&mut alice.api.clone(), &group, "bob").await;
    assert_eq!(again.revision, 2, "who is no member stays none");
}

async fn who_comes_back_sees_messages_from_then_on(world: World) {
    let group = world.group("alice", &["bob"]).await;
    let mut alice = world.api("alice").await;
    let mut bob = world.connect("bob", "phone").await;
    send(&mut alice, &group, "m1", "one").await;
    hears(&mut bob, "one").await;
    remove(&mut alice, &group, "bob").await;
    gone(&mut bob, &group).await;
    send(&mut alice, &group, "m2", "two").await;
    add(&mut alice, &group, &["bob"]).await;
    send(&mut alice, &group, "m3", "three").await;
    hears(&mut bob, "three").await;
    let seen = bob.take_seen().into_iter().filter_map(|frame| match frame {
        Frame::Event(event) => event.event,
        _ => None,
    });
    // Of users a newcomer may hear at any time.
    let seen: Vec<Event> = seen.filter(|it| !matches!(it, Event::UserUpdated(_))).collect();
    assert_eq!(updated(&seen[0]).unwrap().chat.as_ref().unwrap().revision, 3);
    let seqs: Vec<u32> = seen
        .iter()
        .filter_map(|event| match event {
            Event::MessageSent(sent) => sent.message.as_ref().map(|message| message.seq),
            _ => None,
        })
        .collect();
    assert_eq!(seqs, [5], "the note of coming, nothing of the time between");
    let shown = chat(&mut bob.api, &group).await;
    assert_eq!((shown.unread_count, shown.membership.unwrap().visible_from_seq), (Some(1), 5));
    let seqs: Vec<_> = history(&mut bob.api, &group).await.iter().map(|it| it.seq).collect();
    assert_eq!(seqs, [5, 6]);
}

async fn members_added_while_others_write_miss_nothing(mut world: World) {
    let nodes =
        if world.has_several_nodes() { vec![0, world.add_node(&[]).await] } else { vec![0] };
    let group = world.group("alice", &["bob"]).await;
    let guests: Vec<String> = (0..8).map(|at| format!("guest{at}")).collect();
    let mut streams = Vec::new();
    for (at, guest) in guests.iter().enumerate() {
        let mut live = world.connect_at(nodes[at % nodes.len()], guest, "phone").await;
        live.caught_up().await;
        streams.push(live);
    }
    let mut writers = Vec::new();
    for at in 0..3 {
        let mut api = world.api_at(nodes[at % nodes.len()], "bob").await;
        let group = group.clone();
        writers.push(async move {
            for number in 0..60 {
                send(&mut api, &group, &format!("w{at}-{number}"), "busy").await;
            }
        });
    }
    let adding = async {
        let mut alice = world.api("alice").await;
        for guest in &guests {
            assert_eq!(add(&mut alice, &group, &[guest.as_str()]).await.added_user_ids.len(), 1);
        }
    };
    tokio::join!(futures_util::future::join_all(writers), adding);
    let last = send(&mut world.api("bob").await, &group, "last", "last").await.seq;
    assert_eq!(last, 1 + 180 + 8 + 1);
    for (live, guest) in streams.iter_mut().zip(&guests) {
        hears(live, "last").await;
        let from = chat(&mut world.api(guest).await, &group).await.membership.unwrap();
        let mut seqs = Vec::new();
        for frame in live.take_seen() {
            let Frame::Event(event) = frame else { continue };
            match event.event {
                Some(Event::MessageSent(sent)) => seqs.push(sent.message.unwrap().seq),
                // Of users a newcomer may hear at any time.
                Some(Event::ChatUpdated(_) | Event::UserUpdated(_)) | None => {}
                Some(_) if seqs.is_empty() => panic!("{guest} is told before the chat"),
                Some(_) => {}
            }
        }
        assert_eq!(seqs, (from.visible_from_seq..last).collect::<Vec<_>>(), "{guest}");
    }
}
