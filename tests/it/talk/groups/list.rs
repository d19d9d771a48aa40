//! The members of a chat, page by page.

use adda::proto::{self, MemberRole};

use super::{add, set_role};
use crate::on_both_backends;
use crate::world::{Api, Refusal, World};

on_both_backends! {
    members_come_by_role_then_by_when_they_joined,
    a_page_token_is_of_its_list_alone,
}

fn request(chat: &str, size: u32, token: &str, query: &str) -> proto::ListMembersRequest {
    proto::ListMembersRequest {
        chat_id: chat.to_owned(),
        page_size: size,
        page_token: token.to_owned(),
        query: query.to_owned(),
    }
}

async fn all(api: &mut Api, chat: &str, size: u32, query: &str) -> Vec<proto::Member> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let page = api.list_members(request(chat, size, &token, query)).await.unwrap();
        let page = page.into_inner();
        assert!(size == 0 || page.members.len() <= size as usize);
        all.extend(page.members);
        token = page.next_page_token;
        if token.is_empty() {
            return all;
        }
    }
}

async fn members_come_by_role_then_by_when_they_joined(world: World) {
    let group = world.group("mia", &[]).await;
    let mut mia = world.api("mia").await;
    for user in ["dave", "carol", "bob", "alice"] {
        add(&mut mia, &group, &[user]).await;
    }
    for admin in ["bob", "carol"] {
        set_role(&mut mia, &group, admin, MemberRole::Admin).await;
    }
    // Whom adda has met has a name.
    let mut carol = world.api("carol").await;
    for size in [0, 1, 2, 5, 1_000] {
        let members = all(&mut carol, &group, size, "").await;
        let names: Vec<_> = members.iter().map(|it| it.user_id.as_str()).collect();
        assert_eq!(names, ["mia", "carol", "bob", "dave", "alice"], "pages of {size}");
        assert_eq!((members[0].role(), members[1].role()), (MemberRole::Owner, MemberRole::Admin));
        assert_eq!((&*members[1].display_name, &*members[3].display_name), ("Carol", ""));
        for member in members {
            let receipts = !member.delivered.is_empty() || !member.read.is_empty();
            assert_eq!(receipts, member.user_id == "carol", "receipts are the caller's alone");
        }
    }
    for (query, want) in [("CAR", vec!["carol"]), ("a", vec!["mia", "carol", "dave", "alice"])] {
        let found = all(&mut carol, &group, 1, query).await;
        assert_eq!(found.iter().map(|it| &*it.user_id).collect::<Vec<_>>(), want, "{query}");
    }
    assert!(all(&mut carol, &group, 2, ".*").await.is_empty());
    let direct = world.direct("carol", "bob").await;
    let both = all(&mut carol, &direct, 0, "").await;
    assert_eq!(both.iter().map(|it| &*it.user_id).collect::<Vec<_>>(), ["bob", "carol"]);
}

async fn a_page_token_is_of_its_list_alone(world: World) {
    let (one, two) = (world.group("ana", &["bob"]).await, world.group("ana", &["bob"]).await);
    let (mut ana, mut bob) = (world.api("ana").await, world.api("bob").await);
    let token = ana.list_members(request(&one, 1, "", "")).await.unwrap();
    let token = token.into_inner().next_page_token;
    assert!(!token.is_empty());
    let refused = [
        Refusal::from(ana.list_members(request(&two, 1, &token, "")).await),
        Refusal::from(ana.list_members(request(&one, 1, &token, "b")).await),
        Refusal::from(bob.list_members(request(&one, 1, &token, "")).await),
        Refusal::from(ana.list_members(request(&one, 1, &token[1..], "")).await),
        Refusal::from(ana.list_members(request(&one, 1, "x", "")).await),
    ];
    for refused in refused {
        assert_eq!(refused.what(), ("PAGE_TOKEN_INVALID", ""));
    }
    let long = request(&one, 1, "", &"আ".repeat(101));
    let refused = Refusal::from(ana.list_members(long).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "query"));
}
