//! Users who are taken out of everything by a node that is killed meanwhile, as `kill -9` does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adda::clock::SystemClock;
use adda::proto::{self, MessageFate};
use adda::store::{NewJob, Store};
use adda::vital::Vital;

use super::{admin_at, service_token};
use crate::infra::{self, adda::Adda};
use crate::world::{api, chat, eventually, history, send, token, unique};

/// So many users, each a kill later than the one before.
const USERS: u64 = 8;
/// How much each has written.
const MESSAGES: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_cut_off_anywhere_is_finished_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    cut_off(&store, "memory:").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_cut_off_anywhere_is_finished_on_mongodb_and_redis() {
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let Some(bus) = infra::redis::fresh_url().await else { return };
    cut_off(&store, &bus).await;
}

async fn cut_off(store: &str, bus: &str) {
    let mut node = Adda::start(store, bus, &[]).await;
    let mut left = Vec::new();
    for nth in 0..USERS {
        let user = format!("user-{nth}");
        left.push((user.clone(), written(node.addr(), &user).await));
        let mut admin = admin_at(node.addr(), service_token("adda.service")).await;
        let user_id = user.clone();
        let request = proto::DeleteUserRequest { user_id, messages: MessageFate::Erase.into() };
        let call = tokio::spawn(async move { admin.delete_user(request).await });
        // From before it is noted to after all is gone.
        tokio::time::sleep(Duration::from_millis(nth * nth * 2)).await;
        node.kill();
        let _cut_off = call.await.unwrap();
        let noted = opened(store).await.count_jobs("erase").await.unwrap();
        node.restart().await;
        if (noted as usize) < left.len() {
            // Killed before it was noted: then nothing of it has happened.
            let (_, (direct, _)) = left.pop().unwrap();
            let kept = history(&mut api(node.addr(), token("bob")).await, &direct).await;
            assert!(kept.iter().all(|message| message.deleted_at.is_none()));
        }
    }
    assert!(left.len() > 2, "most were noted: {left:?}");
    // What was noted is gone through once more after two minutes. The same, sooner:
    node.kill();
    let again = left
        .iter()
        .map(|(user, _)| NewJob { id: unique(), body: format!("user erase {user}").into_bytes() });
    opened(store).await.put_jobs("erase", again.collect()).await.unwrap();
    node.restart().await;
    let mut bob = api(node.addr(), token("bob")).await;
    for (user, (direct, group)) in left {
        eventually(&user, async || {
            let gone = history(&mut bob, &direct).await;
            let members = chat(&mut bob, &group).await.members;
            let all_gone = gone.len() == MESSAGES
                && gone
                    .iter()
                    .all(|message| message.deleted_at.is_some() && message.text.is_empty());
            (all_gone && members.iter().all(|member| member.user_id != user)).then_some(())
        })
        .await;
    }
}

/// A direct chat with bob in which the user has written, and a group of his.
async fn written(addr: SocketAddr, user: &str) -> (String, String) {
    let mut calls = api(addr, token(user)).await;
    let create = |kind: proto::ChatKind, title: &str, other: &str| proto::CreateChatRequest {
        kind: kind.into(),
        title: title.to_owned(),
        member_ids: vec![other.to_owned()],
        ..Default::default()
    };
    let direct = create(proto::ChatKind::Direct, "", "bob");
    let direct = calls.create_chat(direct).await.unwrap().into_inner().chat.unwrap().chat_id;
    let group = create(proto::ChatKind::Group, "plans", user);
    let mut bob = api(addr, token("bob")).await;
    let group = bob.create_chat(group).await.unwrap().into_inner().chat.unwrap().chat_id;
    for nth in 0..MESSAGES {
        send(&mut calls, &direct, &format!("m{nth}"), "secret").await;
    }
    (direct, group)
}

async fn opened(store: &str) -> Arc<dyn Store> {
    adda::store::open(store, Arc::new(SystemClock), &Vital::default()).await.unwrap()
}
