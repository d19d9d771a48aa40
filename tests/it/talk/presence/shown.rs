//! Presence in answers.

use adda::proto;

use super::{comes, friends, goes, shown};
use crate::on_both_backends;
use crate::world::World;

on_both_backends! {
    with super::super::FLAGS;
    a_direct_chat_shows_who_is_there,
}

async fn a_direct_chat_shows_who_is_there(world: World) {
    let chat = friends(&world, "alice", "bob").await;
    let group = world.group("alice", &["bob"]).await;
    let mut api = world.api("bob").await;
    let before = shown(&world, "bob", &chat, false).await;
    assert_eq!((before.last_active, before.since), (None, None), "never seen");
    let mut bob = world.connect("bob", "phone").await;
    let mut alice = world.connect("alice", "phone").await;
    let told = comes(&mut bob, "alice").await;
    let inbox = api.list_chats(proto::ListChatsRequest::default()).await.unwrap().into_inner();
    let row = inbox.chats.iter().find(|row| row.chat_id == chat).unwrap();
    for presence in [row.presence, crate::world::chat(&mut api, &chat).await.presence] {
        let presence = presence.unwrap();
        assert_eq!((presence.is_online, presence.since), (true, told));
    }
    let row = inbox.chats.iter().find(|row| row.chat_id == group).unwrap();
    assert!(row.presence.is_none());
    assert!(crate::world::chat(&mut api, &group).await.presence.is_none());
    alice.end();
    let told = goes(&mut bob, "alice").await;
    let after = shown(&world, "bob", &chat, false).await;
    assert_eq!((after.last_active, after.since), (told, None));
}
