//! A new name is told to those who know its user.

use std::time::Duration;

use adda::proto;
use adda::proto::event::Event;

use super::{events, friends, told};
use crate::on_both_backends;
use crate::world::{Live, World, api, chat, send, token_named};

on_both_backends! {
    a_new_name_is_told_to_those_who_know_its_user,
    who_is_met_for_the_first_time_gets_a_name,
    of_names_that_change_all_the_time_the_last_is_told,
    what_an_older_token_says_is_not_told,
}

/// The user calls with a token that gives this name.
async fn calls_as(world: &World, node: usize, user: &str, name: &str) {
    let token = token_named(user, name, Duration::from_secs(3600));
    let mut api = api(world.addr(node), token).await;
    api.list_chats(proto::ListChatsRequest::default()).await.unwrap();
}

/// Waits until this user is told to be called so.
async fn named(live: &mut Live, user: &str, name: &str) -> proto::User {
    live.event(|event| match event {
        Event::UserUpdated(of) => {
            of.user.clone().filter(|of| of.user_id == user && of.display_name == name)
        }
        _ => None,
    })
    .await
}

fn names(live: &mut Live) -> Vec<String> {
    let of = |event| match event {
        Event::UserUpdated(of) => Some(of.user.unwrap().display_name),
        _ => None,
    };
    events(live).into_iter().filter_map(of).collect()
}

async fn a_new_name_is_told_to_those_who_know_its_user(mut world: World) {
    let node = if world.has_several_nodes() { world.add_node(&[]).await } else { 0 };
    friends(&world, "alice", "bob").await;
    let group = world.group("carol", &["alice", "dave"]).await;
    let apart = friends(&world, "bob", "eve").await;
    let mut knowing = vec![
        world.connect_at(node, "bob", "phone").await,
        world.connect("carol", "phone").await,
        world.connect_at(node, "dave", "phone").await,
        world.connect_at(node, "alice", "phone").await,
        world.connect("alice", "laptop").await,
    ];
    let mut eve = world.connect_at(node, "eve", "phone").await;
    for live in knowing.iter_mut().chain([&mut eve]) {
        live.caught_up().await;
        live.take_seen();
    }
    calls_as(&world, 0, "alice", "Alice the Great").await;
    for live in &mut knowing {
        let user = named(live, "alice", "Alice the Great").await;
        let asked = proto::GetUsersRequest { user_ids: vec!["alice".to_owned()] };
        let mut people = world.people(&live.ready.user_id).await;
        let known = people.get_users(asked).await.unwrap().into_inner().users;
        // A call with the old name, of alice herself, is of the same second.
        assert!(live.ready.user_id == "alice" || known == [user.clone()]);
        assert!(user.updated_at.unwrap().seconds > 1_700_000_000);
    }
    let shown = chat(&mut world.api("carol").await, &group).await;
    let member = shown.members.iter().find(|member| member.user_id == "alice").unwrap();
    assert!(member.display_name.starts_with("Alice"));
    let asked = proto::GetUsersRequest { user_ids: vec!["alice".to_owned()] };
    let known = world.people("carol").await.get_users(asked).await.unwrap().into_inner().users;
    assert_eq!(member.profile_updated_at, known[0].updated_at, "so that copies can be told apart");
    send(&mut world.api("bob").await, &apart, "last", "last").await;
    told(&mut eve, "last").await;
    assert_eq!(names(&mut eve), Vec::<String>::new(), "a stranger is told nothing");
}

async fn who_is_met_for_the_first_time_gets_a_name(world: World) {
    let group = world.group("alice", &["newcomer"]).await;
    let mut alice = world.connect("alice", "phone").await;
    alice.caught_up().await;
    let shown = chat(&mut alice.api, &group).await;
    let member = shown.members.iter().find(|of| of.user_id == "newcomer").unwrap();
    assert!(member.display_name.is_empty() && member.profile_updated_at.is_none());
    let _live = world.connect("newcomer", "phone").await;
    named(&mut alice, "newcomer", "Newcomer").await;
}

async fn of_names_that_change_all_the_time_the_last_is_told(world: World) {
    friends(&world, "alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    bob.take_seen();
    for at in 0..30 {
        calls_as(&world, 0, "alice", &format!("Alice {at}")).await;
    }
    named(&mut bob, "alice", "Alice 29").await;
    bob.settle().await;
    let told = names(&mut bob).len();
    // The first, and what came in each pause.
    assert!(told <= 3, "{told} were told before the last");
}

async fn what_an_older_token_says_is_not_told(world: World) {
    let direct = friends(&world, "alice", "bob").await;
    let old = token_named("alice", "Old", Duration::from_secs(3600));
    // Times of tokens are in seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let mut bob = world.connect("bob", "phone").await;
    calls_as(&world, 0, "alice", "New").await;
    named(&mut bob, "alice", "New").await;
    let mut alice = api(world.addr(0), old).await;
    send(&mut alice, &direct, "old", "by an old token").await;
    told(&mut bob, "by an old token").await;
    bob.settle().await;
    assert_eq!(names(&mut bob), Vec::<String>::new());
}
