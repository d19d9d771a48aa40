//! Nodes that are killed as `kill -9` does, at any moment after a message was stored.

use std::time::Duration;

use super::fake::Fcm;
use super::{at, device};
use crate::infra::{self, adda::Adda};
use crate::world::{api, eventually, send, token};

/// How often a node is killed; `ADDA_PUSH_KILLS` says otherwise.
const KILLS: u64 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn no_push_is_lost_with_a_node_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    killed(&store, "memory:").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_push_is_lost_with_a_node_on_mongodb_and_redis() {
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let Some(bus) = infra::redis::fresh_url().await else { return };
    killed(&store, &bus).await;
}

/// A message each time to another user who is away, and then the node is killed: some are killed
/// before they push, some while they do, some after.
async fn killed(store: &str, bus: &str) {
    let kills = std::env::var("ADDA_PUSH_KILLS").ok().and_then(|kills| kills.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    let fcm = Fcm::open().await;
    let flags = fcm.flags(&["--push-after", "1s", "--push-hold", "5s"]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut node = Adda::start(store, bus, &flags).await;
    let user = |kill: u64| format!("user-{kill}");
    for kill in 0..kills {
        let request = device("phone", &user(kill));
        at(node.addr(), &user(kill)).await.register_device(request).await.unwrap();
        let mut alice = api(node.addr(), token("alice")).await;
        let create = adda::proto::CreateChatRequest {
            kind: adda::proto::ChatKind::Direct.into(),
            member_ids: vec![user(kill)],
            ..Default::default()
        };
        let chat = alice.create_chat(create).await.unwrap().into_inner().chat.unwrap().chat_id;
        send(&mut alice, &chat, "m1", "hello").await;
        // From nothing to what a push takes, and a little more.
        tokio::time::sleep(Duration::from_millis(kill * 7 % 60)).await;
        node.kill();
        node.restart().await;
    }
    let mut twice = 0;
    for kill in 0..kills {
        let user = user(kill);
        let got = eventually(&user, async || {
            let got = fcm.got(&user);
            (!got.is_empty()).then_some(got.len())
        });
        twice += u32::from(got.await > 1);
    }
    eprintln!("{kills} kills, {twice} pushed twice");
}
