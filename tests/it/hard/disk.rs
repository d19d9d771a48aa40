//! A disk with no more room under the program on SQLite.

use std::collections::BTreeMap;
use std::process::Command;

use adda::proto;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use super::{Device, group, sound_history};
use crate::infra::adda::Adda;
use crate::world::{Api, api, eventually, message, token};

const SENDERS: [&str; 4] = ["alice", "bob", "carol", "dan"];
/// Sends of each at once: many share a transaction, so that some are behind what is cut off.
const AT_ONCE: usize = 8;
/// What there is room for when the writing begins.
const ROOM: u64 = 512 * 1024;
/// More sends of each than there is room for.
const MANY: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_disk_refuses_is_stored_once_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", dir.path().join("adda.db").display());
    // A write that the limit forbids is to fail, not to end the program.
    let deaf = ["--ignore-signal=XFSZ".to_owned()];
    let server = Adda::start_in(&deaf, &store, "memory:", &[]).await;
    let addr = server.addr();
    let chat = group(addr, SENDERS[0], &SENDERS[1..]).await;
    let phone = Device::open("dan", "phone", &[addr]).await;

    let log = dir.path().join("adda.db-wal");
    limit(&server, &format!("{}:unlimited", std::fs::metadata(&log).unwrap().len() + ROOM));
    let mut writers = JoinSet::new();
    for user in SENDERS {
        let api = api(addr, token(user)).await;
        for at in 0..AT_ONCE {
            let (api, chat) = (api.clone(), chat.clone());
            writers.spawn(async move { until_refused(api, &chat, &format!("{user}-{at}")).await });
        }
    }
    let (mut stored, mut refused) = (BTreeMap::new(), Vec::new());
    for (done, api, last, status) in writers.join_all().await {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        stored.extend(done);
        refused.push((api, last));
    }
    assert!(!stored.is_empty(), "there was room for some");

    limit(&server, "unlimited");
    for (mut api, id) in refused {
        let again = async || try_send(&mut api, &chat, &id).await.ok();
        stored.insert(id.clone(), eventually("a send when there is room again", again).await);
    }
    let mut alice = api(addr, token("alice")).await;
    let log = sound_history(&mut alice, &chat).await;
    // GROUP_CREATED is the first.
    assert_eq!(log.len(), stored.len() + 1);
    for (id, outcome) in &stored {
        let message = &log[outcome.seq as usize - 1];
        assert_eq!((&message.client_message_id, &message.message_id), (id, &outcome.message_id));
    }
    phone.has(&chat, u32::try_from(log.len()).unwrap()).await;
    phone.assert_whole(&chat, &log);
}

type Refused = (BTreeMap<String, proto::SendOutcome>, Api, String, Status);

/// Sends one after the other: what was stored, and what was not, and why.
async fn until_refused(mut api: Api, chat: &str, name: &str) -> Refused {
    let mut stored = BTreeMap::new();
    for nth in 0..MANY {
        let id = format!("{name}-{nth}");
        match try_send(&mut api, chat, &id).await {
            Ok(outcome) => drop(stored.insert(id, outcome)),
            Err(status) => return (stored, api, id, status),
        }
    }
    panic!("the disk was never full");
}

async fn try_send(api: &mut Api, chat: &str, id: &str) -> Result<proto::SendOutcome, Status> {
    let message = Some(message(chat, id, &format!("{id}: {}", "x".repeat(1_000))));
    let answer = api.send_message(proto::SendMessageRequest { message }).await?;
    Ok(answer.into_inner().outcome.unwrap())
}

/// Files may grow to so many bytes from now on: what holds, and up to what it may be raised.
fn limit(server: &Adda, bytes: &str) {
    let (pid, size) = (server.pid().to_string(), format!("--fsize={bytes}"));
    let set = Command::new("prlimit").args(["--pid", &pid, &size]).status();
    assert!(set.is_ok_and(|status| status.success()), "prlimit (util-linux) sets a limit");
}
