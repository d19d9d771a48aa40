//! The hard cases: several nodes, cuts, crashes and failovers, with every device's history
//! recorded and checked against the promises.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adda::proto;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Api, World, api, history, token};

mod client;
mod cut;
mod disk;
mod failover;
mod killed;
mod leave;
mod line;
mod nodes;
mod order;
mod presence;
mod redis;
mod stream;
mod unread;

pub(crate) use client::Device;

/// Two nodes on one MongoDB and one Redis.
pub(crate) async fn two_nodes(flags: &[&str]) -> Option<World> {
    let store = crate::infra::mongo::fresh_uri().await?;
    let bus = crate::infra::redis::fresh_url().await?;
    Some(World::on(store, bus, 2, flags).await)
}

/// A group, made at some node.
pub(crate) async fn group(addr: SocketAddr, owner: &str, others: &[&str]) -> String {
    let request = proto::CreateChatRequest {
        kind: proto::ChatKind::Group.into(),
        member_ids: others.iter().map(ToString::to_string).collect(),
        title: "Group".to_owned(),
        client_chat_id: crate::world::unique(),
        ..Default::default()
    };
    let answer = api(addr, token(owner)).await.create_chat(request).await.unwrap().into_inner();
    answer.chat.unwrap().chat_id
}

/// What the log has of a chat, which must run 1, 2, 3, … without a hole and hold nothing twice.
pub(crate) async fn sound_history(api: &mut Api, chat: &str) -> Vec<proto::Message> {
    let all = history(api, chat).await;
    let seqs: Vec<u32> = all.iter().map(|message| message.seq).collect();
    let whole: Vec<u32> = (1..).take(all.len()).collect();
    assert_eq!(seqs, whole, "a hole in the log");
    let mut ids: Vec<_> =
        all.iter().map(|message| (&message.sender_id, &message.client_message_id)).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "a message is in the log twice");
    all
}

/// That all that a device was told is stored is in the log as told.
fn assert_sent(device: &Device, log: &[proto::Message]) {
    device.look(|kept| {
        assert!(kept.outbox.is_empty(), "{} sends were not answered", kept.outbox.len());
        for (id, outcome) in &kept.sent {
            let message = &log[outcome.seq as usize - 1];
            assert_eq!(message.message_id, outcome.message_id, "{id} is not where it was told");
            assert_eq!(&message.client_message_id, id);
        }
    });
}

/// `/readyz` of a node: the code and the text.
pub(crate) async fn readyz(addr: SocketAddr) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let request = "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    (code, body.trim().to_owned())
}

/// The reason in a Status.
pub(crate) fn reason(status: &tonic::Status) -> String {
    use tonic_types::StatusExt as _;
    let details = status.get_error_details();
    details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}")).reason.clone()
}

/// A device that sends to a chat until it is told to stop, so many at a time without an answer;
/// how many it sent.
async fn sends_on(device: &Device, chat: &str, at_a_time: usize, stop: &AtomicBool) -> u32 {
    let mut count = 0;
    let name = format!("{}-{}", device.phone.user, device.phone.device);
    while !stop.load(Ordering::Relaxed) {
        if device.look(|kept| kept.outbox.len()) < at_a_time {
            device.send(chat, &format!("{name}-{}-{count}", &chat[24..]));
            count += 1;
        } else {
            a_moment().await;
        }
    }
    device.until("all is answered", |kept| kept.outbox.is_empty()).await;
    count
}

/// Waits until so many more sends of this device were answered.
async fn more(device: &Device, count: usize) {
    let goal = device.look(|kept| kept.sent.len()) + count;
    device.until("more answers", |kept| kept.sent.len() >= goal).await;
}

/// A seed for what a test does at random, printed so that it can be done again: ADDA_TEST_SEED.
fn seeded() -> StdRng {
    let given = std::env::var("ADDA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand::random::<u64>);
    eprintln!("ADDA_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// A pause between looks.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
