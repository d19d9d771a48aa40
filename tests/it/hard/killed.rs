//! The real program, killed as `kill -9` does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{Device, assert_sent, group, more, sends_on, sound_history};
use crate::infra::{self, adda::Adda};
use crate::world::{api, send, token};

/// After a kill -9 those who were there are offline elsewhere within a minute, by default: the
/// lease, and the next look after it. The rest is for what is slow.
const OFFLINE_WITHIN: Duration = Duration::from_secs(75);

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_killed_node_go_offline_and_its_clients_move_without_a_loss() {
    let lease = ["--presence-lease", "4s", "--presence-grace", "1s"];
    // Less than half of what the default lease takes.
    users_of_a_killed_node(&lease, Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_killed_node_go_offline_within_a_minute_by_default() {
    users_of_a_killed_node(&[], OFFLINE_WITHIN).await;
}

async fn users_of_a_killed_node(flags: &[&str], within: Duration) {
    let Some(store) = infra::mongo::fresh_uri().await else { return };
    let Some(bus) = infra::redis::fresh_url().await else { return };
    let mut killed = Adda::start(&store, &bus, flags).await;
    let other = Adda::start(&store, &bus, flags).await;
    let (gone, left) = (killed.addr(), other.addr());

    // alice stays away; carol comes back at the other node.
    let chat = group(left, "bob", &["carol"]).await;
    for user in ["alice", "carol"] {
        let mut api = api(left, token(user)).await;
        let direct = direct(&mut api, "bob").await;
        send(&mut api, &direct, "m1", "hello").await;
    }
    let alice = Device::open("alice", "phone", &[gone]).await;
    let carol = Device::open("carol", "phone", &[gone, left]).await;
    let bob = Device::open("bob", "phone", &[left]).await;
    let online = |kept: &super::client::Kept, user: &str| kept.online.get(user) == Some(&true);
    bob.until("both online", |kept| online(kept, "alice") && online(kept, "carol")).await;

    let stop = AtomicBool::new(false);
    let harm = async {
        more(&bob, 30).await;
        more(&carol, 30).await;
        killed.kill();
        let at = Instant::now();
        carol.caught_up().await;
        more(&carol, 30).await;
        stop.store(true, Ordering::Relaxed);
        at
    };
    let (sent, answered, at) =
        tokio::join!(sends_on(&bob, &chat, 2, &stop), sends_on(&carol, &chat, 2, &stop), harm);
    let mut of_bob = api(left, token("bob")).await;
    let log = sound_history(&mut of_bob, &chat).await;
    assert_eq!(log.len(), 1 + (sent + answered) as usize);
    for device in [&bob, &carol] {
        device.has(&chat, u32::try_from(log.len()).unwrap()).await;
        device.assert_whole(&chat, &log);
        device.assert_nothing_paged();
        assert_sent(device, &log);
    }
    bob.until("alice is offline", |kept| !online(kept, "alice")).await;
    let took = at.elapsed();
    eprintln!("offline {took:?} after the kill, {} messages", log.len());
    assert!(took <= within, "{took:?}");
    bob.look(|kept| assert!(online(kept, "carol"), "carol is there, at the other node"));
    let with_alice = direct(&mut of_bob, "alice").await;
    let seen = crate::world::chat(&mut of_bob, &with_alice).await.presence.unwrap();
    assert!(!seen.is_online && seen.last_active.is_some());
    drop(alice);
}

async fn direct(api: &mut crate::world::Api, other: &str) -> String {
    let request = adda::proto::CreateChatRequest {
        kind: adda::proto::ChatKind::Direct.into(),
        member_ids: vec![other.to_owned()],
        ..Default::default()
    };
    api.create_chat(request).await.unwrap().into_inner().chat.unwrap().chat_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_on_sqlite_killed_ten_times_keeps_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    let mut server = Adda::start(&store, "memory:", &[]).await;
    let addr = [server.addr()];
    let alice = Device::open("alice", "phone", &addr).await;
    let bob = Device::open("bob", "phone", &addr).await;
    let chat = group(addr[0], "alice", &["bob"]).await;
    let stop = AtomicBool::new(false);
    let harm = async {
        for _ in 0..10 {
            more(&alice, 20).await;
            server.kill();
            server.restart().await;
        }
        more(&alice, 20).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (a, b, ()) =
        tokio::join!(sends_on(&alice, &chat, 8, &stop), sends_on(&bob, &chat, 8, &stop), harm);
    let log = sound_history(&mut api(addr[0], token("alice")).await, &chat).await;
    assert_eq!(log.len(), 1 + (a + b) as usize, "what was sent is there, once");
    let mut repeats = 0;
    for device in [&alice, &bob] {
        device.has(&chat, u32::try_from(log.len()).unwrap()).await;
        device.assert_whole(&chat, &log);
        device.assert_nothing_paged();
        assert_sent(device, &log);
        repeats += device.look(|kept| kept.sent.values().filter(|sent| sent.duplicate).count());
    }
    eprintln!("{} messages, {repeats} of them answered on a repeat", log.len());
    // Whatever was stored, told or not: a repeat is one.
    let mut of_alice = api(addr[0], token("alice")).await;
    for message in log.iter().filter(|message| message.sender_id == "alice").take(50) {
        let again = send(&mut of_alice, &chat, &message.client_message_id, &message.text).await;
        assert!(again.duplicate && again.seq == message.seq);
    }
}
