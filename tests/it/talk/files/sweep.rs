//! What nobody needs any more goes, whoever stopped where.

use std::sync::Arc;
use std::time::Duration;

use adda::clock::{Clock, SystemClock, Timestamp};
use adda::model::{AttachmentId, ChatId, MessageId, UserId};
use adda::store::Claim;
use uuid::Uuid;

use super::{Files, PART, kept, message, pdf, send};
use crate::on_both_backends;
use crate::world::{Refusal, World, eventually};

on_both_backends! {
    what_is_not_sent_goes_after_a_day,
    what_a_deleted_message_carried_goes,
    a_claim_without_its_message_is_given_back,
    a_message_keeps_its_file_whatever_was_noted,
}

/// A clock that is ahead.
struct Ahead(Duration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.0)
    }

    fn new_id(&self) -> Uuid {
        SystemClock.new_id()
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The node leaves, and one comes whose clock is ahead: it looks after files when it starts.
async fn later(world: &mut World, by: Duration) {
    world.leave(world.nodes_made() - 1).await;
    world.add_node_at(Arc::new(Ahead(by)), &[]).await;
}

fn id(text: &str) -> AttachmentId {
    AttachmentId::parse(text).unwrap()
}

async fn what_is_not_sent_goes_after_a_day(mut world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let sent = files.upload("sent", &pdf(50)).await.unwrap().attachment_id;
    let unsent = files.upload("unsent", &pdf(50)).await.unwrap().attachment_id;
    let opened = files.create("opened", PART + 5).await;
    let bytes = pdf(PART + 5);
    let part = files
        .http(reqwest::Method::PUT, &opened.upload_url)
        .header("content-range", format!("bytes 0-{}/{}", PART - 1, PART + 5))
        .body(bytes[..PART].to_vec());
    assert_eq!(part.send().await.unwrap().status(), 204);
    send(&world, "alice", message(&chat, "m", "", &[&sent])).await.unwrap();
    assert_eq!(kept(&world).len(), 3);
    later(&mut world, DAY.checked_sub(MINUTE).unwrap()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(kept(&world).len(), 3, "not before");
    later(&mut world, DAY + MINUTE).await;
    eventually("orphans go", async || (kept(&world) == [sent.clone()]).then_some(())).await;
    let store = world.store();
    eventually("nothing is known of them", async || {
        let left = store.files(&[id(&unsent), id(&opened.attachment_id)]).await.unwrap();
        left.is_empty().then_some(())
    })
    .await;
    later(&mut world, DAY * 300).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(kept(&world), [sent], "what was sent stays");
}

async fn what_a_deleted_message_carried_goes(mut world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(files.upload(name, &pdf(50)).await.unwrap().attachment_id);
    }
    let first = message(&chat, "m1", "", &[&ids[0], &ids[1]]);
    let deleted = send(&world, "alice", first).await.unwrap().message_id;
    send(&world, "alice", message(&chat, "m2", "", &[&ids[2]])).await.unwrap();
    let (chat, deleted) = (ChatId::parse(&chat).unwrap(), MessageId::parse(&deleted).unwrap());
    world.store().delete_message(chat, deleted).await.unwrap();
    // Also where the node that did so went right after.
    later(&mut world, Duration::from_secs(1)).await;
    eventually("they go", async || (kept(&world) == [ids[2].clone()]).then_some(())).await;
}

/// A claim whose send never came to its append.
async fn claim(world: &World, file: &str, chat: &str, message: &str) {
    let now = SystemClock.now();
    let client_message_id = message.to_owned();
    let chat = ChatId::parse(chat).unwrap();
    let claim = Claim { chat, client_message_id, since: now, held: true };
    let alice = UserId::parse("alice").unwrap();
    let due = now.plus(Duration::from_secs(3600));
    let claimed = world.store().claim_files(&alice, &[id(file)], claim, due).await.unwrap();
    assert_eq!(claimed.len(), 1);
}

async fn a_claim_without_its_message_is_given_back(mut world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let file = files.upload("a", &pdf(50)).await.unwrap().attachment_id;
    claim(&world, &file, &chat, "never").await;
    let refused = send(&world, "alice", message(&chat, "m", "", &[&file])).await;
    assert_eq!(Refusal::from(refused).reason, "ATTACHMENT_NOT_FOUND");
    later(&mut world, Duration::from_secs(3700)).await;
    let store = world.store();
    eventually("it is given back", async || {
        let file = store.files(&[id(&file)]).await.unwrap().remove(0);
        (!file.claim.unwrap().held).then_some(())
    })
    .await;
    later(&mut world, Duration::ZERO).await;
    let draft = message(&chat, "m", "", &[&file]);
    let request = adda::proto::SendMessageRequest { message: Some(draft) };
    let mut api = world.api_at(world.nodes_made() - 1, "alice").await;
    api.send_message(request).await.unwrap();
}

async fn a_message_keeps_its_file_whatever_was_noted(mut world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let file = files.upload("a", &pdf(50)).await.unwrap().attachment_id;
    send(&world, "alice", message(&chat, "m", "", &[&file])).await.unwrap();
    // As if the node had slept between claim and append, and another had given the claim back.
    let store = world.store();
    let seen = store.files(&[id(&file)]).await.unwrap().remove(0).claim.unwrap().since;
    let free = adda::store::Settled::Free(SystemClock.now());
    assert!(store.settle_file(id(&file), Some(seen), free).await.unwrap());
    drop(store);
    later(&mut world, DAY * 2).await;
    let store = world.store();
    eventually("it is held again", async || {
        let file = store.files(&[id(&file)]).await.unwrap().remove(0);
        file.claim.unwrap().held.then_some(())
    })
    .await;
    assert_eq!(kept(&world), [file]);
}
