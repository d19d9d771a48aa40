//! What is refused: to strangers and former members alike, to direct chats, and for its form.

use adda::proto::{self, MemberRole, UpdateChatResponse};
use tonic::Code;

use super::{add, removal, remove, role_of};
use crate::on_both_backends;
use crate::world::{Api, Refusal, Web, World, chat, token, unique};

on_both_backends! {
    strangers_and_former_members_learn_nothing,
    a_direct_chat_is_no_group,
    fields_are_checked,
    nobody_is_added_over_a_block,
    through_the_web_door_it_is_the_same,
}

mod full {
    use super::a_group_can_be_full;
    crate::on_both_backends! { with &["--max-group-members", "4"]; a_group_can_be_full }
}

/// All calls about one chat.
async fn calls(api: &mut Api, chat: &str, user: &str) -> Vec<Refusal> {
    let chat_id = || chat.to_owned();
    let members = proto::ListMembersRequest { chat_id: chat_id(), ..Default::default() };
    let settings = proto::SetChatSettingsRequest {
        chat_id: chat_id(),
        pinned: Some(true),
        ..Default::default()
    };
    let mut all = group_calls(api, chat, user).await;
    all.push(Refusal::from(api.list_members(members).await));
    all.push(Refusal::from(api.set_chat_settings(settings).await));
    all
}

/// Those that only a group has.
async fn group_calls(api: &mut Api, chat: &str, user: &str) -> Vec<Refusal> {
    let chat_id = || chat.to_owned();
    let add = proto::AddMembersRequest { chat_id: chat_id(), user_ids: vec![user.to_owned()] };
    let title = proto::UpdateChatRequest {
        chat_id: chat_id(),
        title: Some("Mine".to_owned()),
        ..Default::default()
    };
    let leave = proto::LeaveGroupRequest { chat_id: chat_id() };
    let delete = proto::DeleteChatRequest { chat_id: chat_id() };
    vec![
        Refusal::from(api.update_chat(title).await),
        Refusal::from(api.add_members(add).await),
        Refusal::from(api.remove_member(removal(chat, user)).await),
        Refusal::from(api.set_member_role(role_of(chat, user, MemberRole::Admin)).await),
        Refusal::from(api.leave_group(leave).await),
        Refusal::from(api.delete_chat(delete).await),
    ]
}

async fn strangers_and_former_members_learn_nothing(world: World) {
    let group = world.group("alice", &["bob", "fay", "una"]).await;
    let mut alice = world.api("alice").await;
    remove(&mut alice, &group, "fay").await;
    super::leave(&mut world.api("una").await, &group).await;
    let before = chat(&mut alice, &group).await;
    let mut all = Vec::new();
    for user in ["mallory", "fay", "una"] {
        let mut api = world.api(user).await;
        for of in [&group, &unique(), "{\"$gt\":\"\"}"] {
            all.extend(calls(&mut api, of, "bob").await);
        }
    }
    for refused in &all {
        assert_eq!(refused, &all[0]);
    }
    assert_eq!((all[0].code, all[0].what()), (Code::NotFound, ("CHAT_NOT_FOUND", "")));
    assert_eq!(chat(&mut alice, &group).await, before);
}

async fn a_direct_chat_is_no_group(world: World) {
    let direct = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    let before = chat(&mut alice, &direct).await;
    for refused in group_calls(&mut alice, &direct, "bob").await {
        assert_eq!((refused.code, refused.what()), (Code::FailedPrecondition, ("NOT_A_GROUP", "")));
        assert!(!refused.retry);
    }
    assert_eq!(chat(&mut alice, &direct).await, before);
}

async fn fields_are_checked(world: World) {
    let group = world.group("alice", &["bob"]).await;
    let mut alice = world.api("alice").await;
    let many = |count| proto::AddMembersRequest {
        chat_id: group.clone(),
        user_ids: (0..count).map(|at| format!("u{at}")).collect(),
    };
    let odd = proto::AddMembersRequest {
        chat_id: group.clone(),
        user_ids: vec!["ok".to_owned(), "{\"$gt\":\"\"}".to_owned()],
    };
    let refused = [
        (Refusal::from(alice.add_members(many(0)).await), "user_ids"),
        (Refusal::from(alice.add_members(many(257)).await), "user_ids"),
        (Refusal::from(alice.add_members(odd).await), "user_ids[1]"),
        (Refusal::from(alice.remove_member(removal(&group, "alice")).await), "user_id"),
        (Refusal::from(alice.remove_member(removal(&group, "")).await), "user_id"),
        (
            Refusal::from(alice.set_member_role(role_of(&group, "alice", MemberRole::Admin)).await),
            "user_id",
        ),
        (
            Refusal::from(
                alice.set_member_role(role_of(&group, "bob", MemberRole::Unspecified)).await,
            ),
            "role",
        ),
    ];
    for (refused, field) in refused {
        assert_eq!(refused.what(), ("FIELD_INVALID", field));
    }
    let nobody = alice.set_member_role(role_of(&group, "nobody", MemberRole::Admin)).await;
    let refused = Refusal::from(nobody);
    assert_eq!((refused.code, refused.what()), (Code::NotFound, ("USER_NOT_FOUND", "")));
    for refused in calls(&mut alice, "", "bob").await {
        assert_eq!(refused.what(), ("FIELD_INVALID", "chat_id"));
    }
    let now = chat(&mut alice, &group).await;
    assert_eq!((now.revision, now.member_count), (1, 2));
    let added = alice.add_members(many(256)).await.unwrap().into_inner();
    let now = added.chat.unwrap();
    assert_eq!((added.added_user_ids.len(), now.member_count), (256, 258));
    assert_eq!(now.members.len(), 1, "of a large group its leaders are listed");
}

async fn nobody_is_added_over_a_block(world: World) {
    let group = world.group("alice", &["bob"]).await;
    let mut alice = world.api("alice").await;
    for (by, whom) in [("alice", "carol"), ("dave", "alice")] {
        let request = proto::BlockUserRequest { user_id: whom.to_owned() };
        world.people(by).await.block_user(request).await.unwrap();
    }
    let mut refused = Vec::new();
    for blocked in ["carol", "dave"] {
        let add = proto::AddMembersRequest {
            chat_id: group.clone(),
            user_ids: vec!["erin".to_owned(), blocked.to_owned()],
        };
        refused.push(Refusal::from(alice.add_members(add).await));
    }
    assert_eq!(
        (refused[0].code, refused[0].what()),
        (Code::PermissionDenied, ("BLOCKED", "user_ids[1]"))
    );
    assert_eq!(refused[0], refused[1], "who blocked whom is not told");
    assert_eq!(chat(&mut alice, &group).await.member_count, 2, "nobody is added");
    // Groups go on: who is in one with somebody blocked stays there.
    add(&mut alice, &group, &["erin"]).await;
    let mut bob = world.api("bob").await;
    super::set_role(&mut alice, &group, "bob", MemberRole::Admin).await;
    add(&mut bob, &group, &["carol"]).await;
    assert_eq!(chat(&mut alice, &group).await.member_count, 4);
}

async fn a_group_can_be_full(world: World) {
    let group = world.group("alice", &["bob", "carol"]).await;
    let mut alice = world.api("alice").await;
    let two = proto::AddMembersRequest {
        chat_id: group.clone(),
        user_ids: vec!["dave".to_owned(), "erin".to_owned(), "bob".to_owned()],
    };
    let refused = Refusal::from(alice.add_members(two).await);
    assert_eq!((refused.code, refused.what()), (Code::ResourceExhausted, ("TOO_MANY_MEMBERS", "")));
    assert_eq!((refused.metadata["limit"].as_str(), refused.retry), ("4", false));
    assert_eq!(chat(&mut alice, &group).await.member_count, 3, "nobody is added");
    add(&mut alice, &group, &["dave", "bob"]).await;
    remove(&mut alice, &group, "dave").await;
    assert_eq!(add(&mut alice, &group, &["erin"]).await.chat.unwrap().member_count, 4);
}

async fn through_the_web_door_it_is_the_same(world: World) {
    let group = world.group("alice", &["bob"]).await;
    let alice = Web::new(world.addr(0), token("alice"));
    let mallory = Web::new(world.addr(0), token("mallory"));
    let title = proto::UpdateChatRequest {
        chat_id: group.clone(),
        title: Some("From a page".to_owned()),
        ..Default::default()
    };
    let strange = mallory.call::<UpdateChatResponse>("UpdateChat", &title).await.unwrap_err();
    assert_eq!(Refusal::of_status(&strange).what(), ("CHAT_NOT_FOUND", ""));
    let now: UpdateChatResponse = alice.call("UpdateChat", &title).await.unwrap();
    assert_eq!(now.chat.unwrap().title, "From a page");
    let carol =
        proto::AddMembersRequest { chat_id: group.clone(), user_ids: vec!["carol".to_owned()] };
    let added: proto::AddMembersResponse = alice.call("AddMembers", &carol).await.unwrap();
    assert_eq!(added.added_user_ids, ["carol"]);
    let gone: proto::RemoveMemberResponse =
        alice.call("RemoveMember", &removal(&group, "carol")).await.unwrap();
    assert_eq!(gone.chat.unwrap().member_count, 2);
    let leave = proto::LeaveGroupRequest { chat_id: group.clone() };
    let _left: proto::LeaveGroupResponse = alice.call("LeaveGroup", &leave).await.unwrap();
    let again = alice.call::<proto::LeaveGroupResponse>("LeaveGroup", &leave).await.unwrap_err();
    assert_eq!(Refusal::of_status(&again).what(), ("CHAT_NOT_FOUND", ""));
}
