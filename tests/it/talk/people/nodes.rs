//! Blocks between nodes: once one is answered, no node stores a message between the two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adda::proto;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{block, friends, unblock};
use crate::infra;
use crate::world::{Api, Refusal, World, api, history, message, token};

/// Sends until it is told to stop; how many were stored, and how many refused.
async fn storm(mut api: Api, chat: String, name: String, stop: Arc<AtomicBool>) -> (u32, u32) {
    let (mut stored, mut refused) = (0, 0);
    for at in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let message = Some(message(&chat, &format!("{name}-{at}"), "hello"));
        match api.send_message(proto::SendMessageRequest { message }).await {
            Ok(_) => stored += 1,
            Err(status) => {
                assert_eq!(Refusal::of_status(&status).reason, "BLOCKED");
                refused += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    (stored, refused)
}

/// Both send by all nodes all the time, while one of them blocks the other again and again.
async fn nothing_is_stored_after_a_block(world: &World, nodes: usize) {
    let chat = friends(world, "alice", "bob").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut senders = JoinSet::new();
    for at in 0..8 {
        let (node, user) = (at % nodes, if at < 4 { "alice" } else { "bob" });
        let api = world.api_at(node, user).await;
        let name = format!("{user}-{at}");
        senders.spawn(storm(api, chat.clone(), name, Arc::clone(&stop)));
    }
    let mut watcher = world.api_at(nodes - 1, "alice").await;
    let last = async |api: &mut Api| crate::world::chat(api, &chat).await.last_seq;
    for round in 0..10 {
        let before = last(&mut watcher).await;
        crate::world::eventually("sends go on", async || {
            (last(&mut watcher).await > before + 10).then_some(())
        })
        .await;
        let (by, whom) = if round % 2 == 0 { ("alice", "bob") } else { ("bob", "alice") };
        block(world, by, whom).await;
        let at_once = last(&mut watcher).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(last(&mut watcher).await, at_once, "stored after the block was answered");
        unblock(world, by, whom).await;
    }
    stop.store(true, Ordering::Relaxed);
    let counts = senders.join_all().await;
    let stored: u32 = counts.iter().map(|(stored, _)| stored).sum();
    assert!(counts.iter().all(|(_, refused)| *refused > 0), "{counts:?}");
    assert_eq!(history(&mut watcher, &chat).await.len(), stored as usize + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_stored_after_a_block_on_one_node() {
    let world = World::with(crate::world::Backends::Sqlite, &[]).await.unwrap();
    nothing_is_stored_after_a_block(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_stored_after_a_block_on_two_nodes() {
    let Some(world) = crate::hard::two_nodes(&[]).await else { return };
    nothing_is_stored_after_a_block(&world, 2).await;
}

/// Redis away: nodes cannot tell each other, and each asks the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_holds_on_nodes_that_hear_nothing() {
    let Some(redis) = infra::redis::own().await else { return };
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let world = World::on(store, redis.url(), 2, &[]).await;
    let chat = friends(&world, "alice", "bob").await;
    let mut bob = api(world.addr(1), token("bob")).await;
    let mut try_send = async |id: &str| {
        let message = Some(message(&chat, id, "hello"));
        let sent = bob.send_message(proto::SendMessageRequest { message }).await;
        sent.map_err(|status| Refusal::of_status(&status).reason)
    };
    try_send("before").await.unwrap();
    redis.kill();
    let began = Instant::now();
    block(&world, "alice", "bob").await;
    assert!(began.elapsed() < Duration::from_secs(15), "it waits for nobody for long");
    assert_eq!(try_send("after").await.unwrap_err(), "BLOCKED");
    unblock(&world, "alice", "bob").await;
    try_send("again").await.unwrap();
    // What was known before it was deaf is not believed afterwards.
    block(&world, "alice", "bob").await;
    redis.restart().await;
    for node in 0..2 {
        crate::world::eventually("the nodes hear each other", async || {
            (crate::hard::readyz(world.addr(node)).await.1 == "ready").then_some(())
        })
        .await;
    }
    assert_eq!(try_send("heard").await.unwrap_err(), "BLOCKED");
    unblock(&world, "alice", "bob").await;
    try_send("last").await.unwrap();
    let began = Instant::now();
    block(&world, "alice", "bob").await;
    assert!(began.elapsed() < Duration::from_secs(4), "all answer");
    assert_eq!(try_send("over").await.unwrap_err(), "BLOCKED");
}
