//! Who users are, and whether they are here, for those who ask; and what is refused.

use adda::proto;
use tonic::Code;

use super::friends;
use crate::on_both_backends;
use crate::world::{People, Refusal, Web, World, token};

on_both_backends! {
    with super::super::FLAGS;
    users_are_those_one_knows,
    presence_is_of_those_one_may_see,
    what_is_no_list_of_users_is_refused,
    every_call_about_people_refuses_with_a_reason,
    a_browser_does_the_same,
}

fn ids(of: &[&str]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

async fn users(people: &mut People, of: &[&str]) -> Vec<proto::User> {
    let request = proto::GetUsersRequest { user_ids: ids(of) };
    people.get_users(request).await.unwrap().into_inner().users
}

async fn presence(people: &mut People, of: &[&str]) -> Vec<(String, bool)> {
    let request = proto::GetPresenceRequest { user_ids: ids(of) };
    let answer = people.get_presence(request).await.unwrap().into_inner();
    answer.presences.into_iter().map(|of| (of.user_id, of.presence.unwrap().is_online)).collect()
}

async fn users_are_those_one_knows(world: World) {
    friends(&world, "alice", "bob").await;
    world.group("carol", &["alice", "unmet"]).await;
    friends(&world, "bob", "dave").await;
    let mut people = world.people("alice").await;
    let asked = ["unmet", "dave", "bob", "nobody", "alice", "bob", "carol"];
    let found = users(&mut people, &asked).await;
    let names: Vec<_> = found.iter().map(|of| (&of.user_id[..], &of.display_name[..])).collect();
    let want = [("unmet", ""), ("bob", "Bob"), ("alice", "Alice"), ("carol", "Carol")];
    assert_eq!(names, want, "in the order asked, each once, no stranger");
    assert_eq!(found.iter().filter(|of| of.updated_at.is_some()).count(), 3);
    assert_eq!(users(&mut world.people("eve").await, &["alice", "bob", "carol"]).await, []);
}

async fn presence_is_of_those_one_may_see(world: World) {
    friends(&world, "alice", "bob").await;
    // Mallory has written; alice has not.
    let chat = world.direct("mallory", "alice").await;
    crate::world::send(&mut world.api("mallory").await, &chat, "m", "hello?").await;
    world.group("carol", &["alice"]).await;
    let mut live = Vec::new();
    for user in ["alice", "bob", "carol", "mallory"] {
        let mut stream = world.connect(user, "phone").await;
        stream.caught_up().await;
        live.push(stream);
    }
    let of = |of: &[&str]| of.iter().map(|user| (user.to_string(), true)).collect::<Vec<_>>();
    let mut alice = world.people("alice").await;
    let asked = ["nobody", "mallory", "carol", "bob", "alice", "bob"];
    assert_eq!(presence(&mut alice, &asked).await, of(&["mallory", "carol", "bob", "alice"]));
    let mut mallory = world.people("mallory").await;
    assert_eq!(presence(&mut mallory, &asked).await, of(&["mallory"]), "a stranger sees nobody");
    let mut bob = world.people("bob").await;
    assert_eq!(presence(&mut bob, &["carol", "alice"]).await, of(&["alice"]));
    crate::world::send(&mut world.api("alice").await, &chat, "m", "hello").await;
    assert_eq!(presence(&mut mallory, &asked).await, of(&["mallory", "alice"]));
    let mut gone = live.remove(1);
    gone.end();
    crate::world::eventually("bob is gone", async || {
        (presence(&mut alice, &["bob"]).await == [("bob".to_owned(), false)]).then_some(())
    })
    .await;
}

async fn what_is_no_list_of_users_is_refused(world: World) {
    let mut people = world.people("alice").await;
    let hundred: Vec<String> = (0..100).map(|at| format!("user-{at}")).collect();
    let more: Vec<String> = (0..101).map(|at| format!("user-{at}")).collect();
    let long = "x".repeat(65);
    for (user_ids, field) in [
        (Vec::new(), "user_ids"),
        (more, "user_ids"),
        (ids(&["bob", ""]), "user_ids[1]"),
        (ids(&["{\"$gt\":\"\"}"]), "user_ids[0]"),
        (ids(&["bob", "carol", &long]), "user_ids[2]"),
        (ids(&["a\0"]), "user_ids[0]"),
    ] {
        let request = proto::GetUsersRequest { user_ids: user_ids.clone() };
        let users = Refusal::from(people.get_users(request).await);
        let presence = proto::GetPresenceRequest { user_ids };
        let presence = Refusal::from(people.get_presence(presence).await);
        assert_eq!(users, presence);
        assert_eq!((users.code, users.what()), (Code::InvalidArgument, ("FIELD_INVALID", field)));
    }
    let request = proto::GetUsersRequest { user_ids: hundred };
    assert_eq!(people.get_users(request).await.unwrap().into_inner().users, []);
}

/// Each call with something that must be refused.
async fn refusals(people: &mut People) -> Vec<Refusal> {
    let odd = || "no id".to_owned();
    let page = proto::ListBlockedUsersRequest { page_token: "x".to_owned(), ..Default::default() };
    vec![
        Refusal::from(people.get_users(proto::GetUsersRequest { user_ids: vec![odd()] }).await),
        Refusal::from(
            people.get_presence(proto::GetPresenceRequest { user_ids: vec![odd()] }).await,
        ),
        Refusal::from(people.block_user(proto::BlockUserRequest { user_id: odd() }).await),
        Refusal::from(people.unblock_user(proto::UnblockUserRequest { user_id: odd() }).await),
        Refusal::from(people.list_blocked_users(page).await),
    ]
}

async fn every_call_about_people_refuses_with_a_reason(world: World) {
    let mut people = world.people("alice").await;
    for refused in refusals(&mut people).await {
        assert_eq!(refused.code, Code::InvalidArgument);
        let known = ["FIELD_INVALID", "PAGE_TOKEN_INVALID"].contains(&refused.reason.as_str());
        assert!(known && !refused.retry && refused.message.is_ascii(), "{refused:?}");
    }
    let own = proto::BlockUserRequest { user_id: "alice".to_owned() };
    let refused = Refusal::from(people.block_user(own).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "user_id"), "nobody blocks themselves");
    // One that was never made, or of who is not there, is no error.
    super::unblock(&world, "alice", "nobody").await;
    super::block(&world, "alice", "nobody").await;

    let mut nobody = crate::world::people(world.addr(0), "a.b.c".to_owned()).await;
    let mut all = refusals(&mut nobody).await;
    all.push(Refusal::from(nobody.get_privacy(proto::GetPrivacyRequest {}).await));
    all.push(Refusal::from(nobody.update_privacy(proto::UpdatePrivacyRequest::default()).await));
    for refused in all {
        assert_eq!((refused.code, refused.what()), (Code::Unauthenticated, ("TOKEN_INVALID", "")));
    }
}

async fn a_browser_does_the_same(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    let (alice, bob) =
        (Web::new(world.addr(0), token("alice")), Web::new(world.addr(0), token("bob")));
    let ask = proto::GetUsersRequest { user_ids: ids(&["bob"]) };
    let users: proto::GetUsersResponse = alice.call("UserService/GetUsers", &ask).await.unwrap();
    assert_eq!(users.users[0].display_name, "Bob");
    let block = proto::BlockUserRequest { user_id: "bob".to_owned() };
    let _done: proto::BlockUserResponse =
        alice.call("UserService/BlockUser", &block).await.unwrap();
    let message = Some(crate::world::message(&direct, "no", "hello"));
    let send = proto::SendMessageRequest { message };
    for web in [&alice, &bob] {
        let came = web.call::<proto::SendMessageResponse>("SendMessage", &send).await;
        let refused = Refusal::of_status(&came.unwrap_err());
        assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "BLOCKED"));
    }
    let list: proto::ListBlockedUsersResponse = alice
        .call("UserService/ListBlockedUsers", &proto::ListBlockedUsersRequest::default())
        .await
        .unwrap();
    assert_eq!(list.users.len(), 1);
}
