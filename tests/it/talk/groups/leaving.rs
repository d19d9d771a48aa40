//! Leaving and deleting.

use adda::proto::{self, MemberRole, SystemNoteKind};

use super::{add, gone, leave, note, notes, roles, set_role};
use crate::on_both_backends;
use crate::world::{Refusal, World, chat};

on_both_backends! {
    an_owner_who_leaves_hands_over,
    the_last_one_takes_the_group_along,
    a_deleted_group_is_there_for_nobody,
}

async fn an_owner_who_leaves_hands_over(world: World) {
    let group = world.group("alice", &[]).await;
    let mut alice = world.api("alice").await;
    for user in ["bob", "carol", "dave"] {
        add(&mut alice, &group, &[user]).await;
    }
    set_role(&mut alice, &group, "dave", MemberRole::Admin).await;
    set_role(&mut alice, &group, "carol", MemberRole::Admin).await;
    let mut phone = world.connect("alice", "phone").await;
    let mut bob = world.connect("bob", "phone").await;
    leave(&mut alice, &group).await;
    assert_eq!(gone(&mut phone, &group).await.revision, 7);
    let (_, kind, what) = note(&mut bob, &group).await;
    assert_eq!((kind, what.actor_id.as_str()), (SystemNoteKind::MemberLeft, "alice"));
    let (_, kind, what) = note(&mut bob, &group).await;
    assert_eq!(kind, SystemNoteKind::OwnerChanged);
    assert_eq!(what.user_ids, ["carol"], "the admin who joined first");
    let now = chat(&mut bob.api, &group).await;
    assert_eq!((now.member_count, now.revision), (3, 7));
    assert!(roles(&now).contains(&("carol", MemberRole::Owner)));
    let refused = alice.leave_group(proto::LeaveGroupRequest { chat_id: group.clone() }).await;
    assert_eq!(Refusal::from(refused).what(), ("CHAT_NOT_FOUND", ""));

    let (mut carol, mut dave) = (world.api("carol").await, world.api("dave").await);
    leave(&mut dave, &group).await;
    leave(&mut carol, &group).await;
    let now = chat(&mut bob.api, &group).await;
    assert_eq!(roles(&now), [("bob", MemberRole::Owner)], "no admin is left");
    let told = notes(&mut bob.api, &group).await;
    let left = told.iter().filter(|kind| **kind == SystemNoteKind::MemberLeft).count();
    let handed = told.iter().filter(|kind| **kind == SystemNoteKind::OwnerChanged).count();
    assert_eq!((left, handed), (3, 2), "who is no owner hands nothing over");
}

async fn the_last_one_takes_the_group_along(world: World) {
    let group = world.group("alice", &[]).await;
    let mut phone = world.connect("alice", "phone").await;
    leave(&mut world.api("alice").await, &group).await;
    gone(&mut phone, &group).await;
    let get = proto::GetChatRequest { chat_id: group.clone() };
    assert_eq!(Refusal::from(phone.api.get_chat(get).await).what(), ("CHAT_NOT_FOUND", ""));
    let all = phone.api.list_chats(proto::ListChatsRequest::default()).await.unwrap();
    assert!(all.into_inner().chats.is_empty());
}

async fn a_deleted_group_is_there_for_nobody(world: World) {
    let request = proto::CreateChatRequest {
        kind: proto::ChatKind::Group.into(),
        member_ids: vec!["bob".to_owned(), "carol".to_owned()],
        title: "Picnic".to_owned(),
        client_chat_id: "once".to_owned(),
        ..proto::CreateChatRequest::default()
    };
    let mut alice = world.connect("alice", "phone").await;
    let made = alice.api.create_chat(request.clone()).await.unwrap().into_inner();
    let group = made.chat.unwrap().chat_id;
    let mut bob = world.connect("bob", "phone").await;
    let mut carol = world.connect("carol", "phone").await;
    bob.send(&group, "m1", "hello").await;
    let delete = proto::DeleteChatRequest { chat_id: group.clone() };
    alice.api.delete_chat(delete.clone()).await.unwrap();
    for live in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(gone(live, &group).await.revision, 2);
        let get = proto::GetChatRequest { chat_id: group.clone() };
        assert_eq!(Refusal::from(live.api.get_chat(get).await).what(), ("CHAT_NOT_FOUND", ""));
        let inbox = live.api.list_chats(proto::ListChatsRequest::default()).await.unwrap();
        assert_eq!((inbox.get_ref().chats.len(), inbox.get_ref().total_unread_count), (0, Some(0)));
        let id = format!("late-{}", live.ready.user_id);
        let send = crate::world::message(&group, &id, "late");
        let refused = live.refused(adda::proto::connect_request::Command::MessageSend(send)).await;
        assert_eq!(refused.what(), ("CHAT_NOT_FOUND", ""));
    }
    let refused = Refusal::from(alice.api.delete_chat(delete).await);
    assert_eq!(refused.what(), ("CHAT_NOT_FOUND", ""));
    let refused = Refusal::from(alice.api.create_chat(request).await);
    assert_eq!(refused.what(), ("CHAT_NOT_FOUND", ""), "a repeat does not revive it");
}
