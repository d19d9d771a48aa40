//! A session is its user's alone.

use tonic::Code;

use super::{beat, join, leave, open, typing};
use crate::on_both_backends;
use crate::world::{Api, Refusal, World};

on_both_backends! {
    a_foreign_session_and_none_look_alike,
    a_session_must_be_named,
    a_session_at_another_node_is_its_users_alone,
}

/// What the four calls for a session say.
async fn refusals(api: &mut Api, chat: &str, session: &str) -> [Refusal; 4] {
    [
        Refusal::from(api.join_chat(join(chat, session)).await),
        Refusal::from(api.leave_chat(leave(chat, session)).await),
        Refusal::from(api.set_typing(typing(chat, session, true)).await),
        Refusal::from(api.heartbeat(beat(session)).await),
    ]
}

async fn a_foreign_session_and_none_look_alike(world: World) {
    let chat = world.group("alice", &["bob"]).await;
    let mut alice = open(&world, "alice").await;
    let gone = open(&world, "bob").await;
    let session = gone.ready.session_id.clone();
    drop(gone);
    let mut bob = world.api("bob").await;
    crate::world::eventually("the stream is gone", async || {
        bob.heartbeat(beat(&session)).await.err()
    })
    .await;
    let foreign = refusals(&mut bob, &chat, &alice.ready.session_id).await;
    for refused in &foreign {
        assert_eq!(
            (refused.code, refused.what()),
            (Code::FailedPrecondition, ("SESSION_NOT_FOUND", ""))
        );
        assert!(!refused.retry);
    }
    for none in [&session, &crate::world::unique(), &chat, "{\"$gt\":\"\"}", "../..", "a\0"] {
        assert_eq!(refusals(&mut bob, &chat, none).await, foreign, "{none:?}");
    }
    assert!(alice.take_seen().is_empty());
    let mut own = alice.api.clone();
    own.heartbeat(beat(&alice.ready.session_id)).await.unwrap();
    assert!(alice.take_seen().is_empty());
}

async fn a_session_must_be_named(world: World) {
    let chat = world.group("alice", &["bob"]).await;
    let mut api = world.api("alice").await;
    let unnamed = [
        Refusal::from(api.join_chat(join(&chat, "")).await),
        Refusal::from(api.leave_chat(leave(&chat, "")).await),
        Refusal::from(api.heartbeat(beat("")).await),
    ];
    for refused in unnamed {
        assert_eq!(
            (refused.code, refused.what()),
            (Code::InvalidArgument, ("FIELD_INVALID", "session_id"))
        );
    }
}

async fn a_session_at_another_node_is_its_users_alone(mut world: World) {
    if !world.has_several_nodes() {
        return;
    }
    let other = world.add_node(&[]).await;
    let chat = world.group("alice", &["bob"]).await;
    let alice = open(&world, "alice").await;
    let _bobs = open(&world, "bob").await;
    let mut bob = world.api_at(other, "bob").await;
    let foreign = refusals(&mut bob, &chat, &alice.ready.session_id).await;
    assert!(foreign.iter().all(|refused| refused.reason == "SESSION_NOT_FOUND"));
    assert_eq!(refusals(&mut bob, &chat, &crate::world::unique()).await, foreign);
}
