//! Who may do what, and who becomes what.

use adda::proto::{self, MemberRole, SystemNoteKind};

use super::{notes, removal, role_of, roles, set_role};
use crate::on_both_backends;
use crate::world::{Refusal, World, chat};

on_both_backends! {
    admins_come_and_go_and_the_owner_hands_over,
    nobody_acts_on_a_role_equal_to_or_above_their_own,
    a_group_has_one_owner_whoever_asks_at_once,
}

async fn admins_come_and_go_and_the_owner_hands_over(world: World) {
    let group = world.group("alice", &["bob", "carol"]).await;
    let mut alice = world.api("alice").await;
    let now = set_role(&mut alice, &group, "bob", MemberRole::Admin).await;
    assert_eq!(now.revision, 2);
    assert!(roles(&now).contains(&("bob", MemberRole::Admin)));
    let again = set_role(&mut alice, &group, "bob", MemberRole::Admin).await;
    assert_eq!(again.revision, 2, "it is so already");
    set_role(&mut alice, &group, "bob", MemberRole::Member).await;
    let now = set_role(&mut alice, &group, "carol", MemberRole::Owner).await;
    let mut now_roles = roles(&now);
    now_roles.sort_unstable_by_key(|(user, _)| *user);
    assert_eq!(
        now_roles,
        [("alice", MemberRole::Admin), ("bob", MemberRole::Member), ("carol", MemberRole::Owner),]
    );
    // A call that had no answer is repeated by who is an admin now.
    let again = set_role(&mut alice, &group, "carol", MemberRole::Owner).await;
    assert_eq!(again.revision, now.revision);
    assert_eq!(
        notes(&mut alice, &group).await[1..],
        [
            SystemNoteKind::AdminsAppointed,
            SystemNoteKind::AdminsDismissed,
            SystemNoteKind::OwnerChanged
        ]
    );
}

async fn nobody_acts_on_a_role_equal_to_or_above_their_own(world: World) {
    let group = world.group("olga", &["adam", "abel", "mia"]).await;
    let mut olga = world.api("olga").await;
    for admin in ["adam", "abel"] {
        set_role(&mut olga, &group, admin, MemberRole::Admin).await;
    }
    let (mut adam, mut mia) = (world.api("adam").await, world.api("mia").await);
    // Met by now, they have names.
    chat(&mut adam, &group).await;
    chat(&mut mia, &group).await;
    let before = chat(&mut olga, &group).await;
    let title = proto::UpdateChatRequest {
        chat_id: group.clone(),
        title: Some("Mine".to_owned()),
        ..proto::UpdateChatRequest::default()
    };
    let eve = proto::AddMembersRequest { chat_id: group.clone(), user_ids: vec!["eve".into()] };
    let delete = proto::DeleteChatRequest { chat_id: group.clone() };
    let refused = [
        Refusal::from(mia.remove_member(removal(&group, "adam")).await),
        Refusal::from(mia.remove_member(removal(&group, "nobody")).await),
        Refusal::from(mia.add_members(eve).await),
        Refusal::from(mia.update_chat(title).await),
        Refusal::from(mia.set_member_role(role_of(&group, "olga", MemberRole::Owner)).await),
        Refusal::from(mia.delete_chat(delete.clone()).await),
        Refusal::from(adam.remove_member(removal(&group, "abel")).await),
        Refusal::from(adam.remove_member(removal(&group, "olga")).await),
        Refusal::from(adam.set_member_role(role_of(&group, "mia", MemberRole::Admin)).await),
        Refusal::from(adam.set_member_role(role_of(&group, "abel", MemberRole::Member)).await),
        Refusal::from(adam.set_member_role(role_of(&group, "nobody", MemberRole::Admin)).await),
        Refusal::from(adam.delete_chat(delete).await),
    ];
    for (at, refused) in refused.iter().enumerate() {
        assert_eq!(
            (refused.code, refused.what(), refused.retry),
            (tonic::Code::PermissionDenied, ("ROLE_TOO_LOW", ""), false),
            "{at}"
        );
    }
    assert_eq!(chat(&mut olga, &group).await, before);
    super::remove(&mut adam, &group, "mia").await;
    super::remove(&mut olga, &group, "adam").await;
    assert_eq!(chat(&mut olga, &group).await.member_count, 2);
}

async fn a_group_has_one_owner_whoever_asks_at_once(mut world: World) {
    let nodes =
        if world.has_several_nodes() { vec![0, world.add_node(&[]).await] } else { vec![0] };
    for round in 0..4 {
        let names: Vec<String> = (0..4).map(|at| format!("m{round}-{at}")).collect();
        let owner = format!("owner{round}");
        let others: Vec<&str> = names.iter().map(String::as_str).collect();
        let group = world.group(&owner, &others).await;
        let mut calls = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let mut api = world.api_at(nodes[at % nodes.len()], &owner).await;
            let hand_over = role_of(&group, name, MemberRole::Owner);
            calls.push(async move { api.set_member_role(hand_over).await.map(drop) });
        }
        let mut leaving = world.api_at(nodes[round % nodes.len()], &owner).await;
        let leaves = leaving.leave_group(proto::LeaveGroupRequest { chat_id: group.clone() });
        let (came, left) = tokio::join!(futures_util::future::join_all(calls), leaves);
        left.unwrap();
        let handed = came.iter().filter(|came| came.is_ok()).count();
        assert!(handed <= 1, "handed over {handed} times");
        for refused in came.into_iter().filter(Result::is_err).map(Refusal::from) {
            assert!(["ROLE_TOO_LOW", "CHAT_NOT_FOUND"].contains(&refused.what().0), "{refused:?}");
        }
        let mut found = Vec::new();
        let mut count = 0;
        for name in &names {
            let now = chat(&mut world.api(name).await, &group).await;
            count = now.member_count;
            let owners = now.members.into_iter().filter(|it| it.role() == MemberRole::Owner);
            found.push(owners.map(|it| it.user_id).collect::<Vec<_>>());
        }
        assert_eq!(count, 4);
        assert!(found.iter().all(|owners| *owners == found[0] && owners.len() == 1), "{found:?}");
    }
}
