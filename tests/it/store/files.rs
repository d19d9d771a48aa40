//! What is known of attachments.

use std::time::Duration;

use adda::clock::Timestamp;
use adda::model::{Attachment, AttachmentId, ChatId, Message};
use adda::store::{Claim, File, NewFile, Settled, WholeFile};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Bench, on_every_store, sorted, user};

on_every_store!(
    a_file_is_opened_once,
    who_has_too_many_that_no_message_holds_opens_no_more,
    bytes_advance_from_where_they_are,
    a_file_becomes_whole_once,
    a_preview_is_noted,
    a_claim_is_for_one_message_whoever_claims_at_the_same_time,
    only_what_is_whole_ones_own_and_not_doomed_is_claimed,
    what_is_due_is_given_to_one,
    a_claim_that_changed_meanwhile_is_not_settled,
    a_doomed_file_is_nobodys,
    what_is_made_due_is_so_at_the_earlier_time,
    a_message_carries_what_it_was_sent_with,
    deleting_a_message_makes_what_it_carried_due,
);

const LATER: Timestamp = Timestamp(9_000_000_000_000);

/// One that is opened, due at 1000.
async fn open(bench: &Bench, owner: &str) -> AttachmentId {
    let id = AttachmentId(bench.clock.new_id());
    assert!(bench.node().open_file(new(id, owner), 50).await.unwrap());
    id
}

fn new(id: AttachmentId, owner: &str) -> NewFile {
    let file_name = "ছবি.png".to_owned();
    NewFile { id, owner: user(owner), file_name, size: 100, due_at: Timestamp(1000) }
}

fn whole(id: AttachmentId) -> WholeFile {
    WholeFile {
        id,
        body: Uuid::from_u128(7),
        content_type: "image/png".to_owned(),
        size: 90,
        came: 100,
        width: 4,
        height: 3,
        wants_preview: true,
    }
}

/// One that is whole.
async fn uploaded(bench: &Bench, owner: &str) -> AttachmentId {
    let id = open(bench, owner).await;
    assert!(bench.node().complete_file(whole(id)).await.unwrap());
    id
}

async fn read(bench: &Bench, id: AttachmentId) -> Option<File> {
    bench.node().files(&[id, id]).await.unwrap().pop()
}

fn claim(chat: ChatId, message: &str, since: i64) -> Claim {
    Claim { chat, client_message_id: message.to_owned(), since: Timestamp(since), held: true }
}

async fn claimed(
    bench: &Bench,
    owner: &str,
    ids: &[AttachmentId],
    claim: Claim,
) -> Vec<AttachmentId> {
    let files = bench.node().claim_files(&user(owner), ids, claim, Timestamp(2000)).await.unwrap();
    sorted(files.into_iter().map(|file| file.attachment.id))
}

/// Which are due at a time; they are due again never.
async fn due(bench: &Bench, at: i64) -> Vec<AttachmentId> {
    let files = bench.node().due_files(Timestamp(at), LATER, 100).await.unwrap();
    sorted(files.into_iter().map(|file| file.attachment.id))
}

async fn a_file_is_opened_once(bench: &Bench) {
    let id = open(bench, "ana").await;
    assert!(bench.node().open_file(new(id, "ana"), 1).await.unwrap(), "the same again");
    let want = File {
        owner: user("ana"),
        attachment: Attachment {
            id,
            file_name: "ছবি.png".to_owned(),
            content_type: String::new(),
            size: 100,
            width: 0,
            height: 0,
            blurhash: String::new(),
            thumbnail: false,
        },
        uploaded: 0,
        body: None,
        wants_preview: false,
        claim: None,
        doomed: false,
    };
    assert_eq!(bench.node().files(&[id, id]).await.unwrap(), [want]);
    assert!(bench.node().files(&[]).await.unwrap().is_empty());
    assert_eq!(read(bench, AttachmentId(bench.clock.new_id())).await, None);
}

async fn who_has_too_many_that_no_message_holds_opens_no_more(bench: &Bench) {
    let taken = uploaded(bench, "ana").await;
    let free = uploaded(bench, "ana").await;
    let id = AttachmentId(bench.clock.new_id());
    assert!(!bench.node().open_file(new(id, "ana"), 2).await.unwrap());
    assert_eq!(read(bench, id).await, None, "nothing is noted");
    assert!(
        bench.node().open_file(new(AttachmentId(bench.clock.new_id()), "bob"), 2).await.unwrap()
    );
    claimed(bench, "ana", &[taken], claim(bench.chat_id(), "m", 1)).await;
    assert!(bench.node().open_file(new(id, "ana"), 2).await.unwrap());
    assert_eq!(read(bench, free).await.unwrap().claim, None);
}

async fn bytes_advance_from_where_they_are(bench: &Bench) {
    let id = open(bench, "ana").await;
    assert_eq!(bench.node().advance_file(id, 0, 40).await.unwrap(), Some(40));
    assert_eq!(bench.node().advance_file(id, 0, 30).await.unwrap(), Some(40), "a repeat");
    assert_eq!(bench.node().advance_file(id, 60, 80).await.unwrap(), Some(40), "a hole");
    assert_eq!(bench.node().advance_file(id, 40, 100).await.unwrap(), Some(100));
    assert!(bench.node().complete_file(whole(id)).await.unwrap());
    assert_eq!(bench.node().advance_file(id, 100, 110).await.unwrap(), None);
    let unknown = AttachmentId(bench.clock.new_id());
    assert_eq!(bench.node().advance_file(unknown, 0, 1).await.unwrap(), None);
}

async fn a_file_becomes_whole_once(bench: &Bench) {
    let id = uploaded(bench, "ana").await;
    assert!(bench.node().complete_file(whole(id)).await.unwrap(), "the same again");
    let other = WholeFile { body: Uuid::from_u128(8), ..whole(id) };
    assert!(!bench.node().complete_file(other).await.unwrap());
    assert!(!bench.node().complete_file(whole(AttachmentId(bench.clock.new_id()))).await.unwrap());
    let file = read(bench, id).await.unwrap();
    assert_eq!((file.body, file.uploaded), (Some(Uuid::from_u128(7)), 100));
    let Attachment { content_type, size, width, height, .. } = file.attachment;
    assert_eq!((content_type.as_str(), size, width, height), ("image/png", 90, 4, 3));
    assert!(file.wants_preview);
}

async fn a_preview_is_noted(bench: &Bench) {
    let id = uploaded(bench, "ana").await;
    bench.node().put_preview(id, "LEHV6nWB", true).await.unwrap();
    let file = read(bench, id).await.unwrap();
    assert_eq!((file.attachment.blurhash.as_str(), file.attachment.thumbnail), ("LEHV6nWB", true));
    assert!(!file.wants_preview);
}

async fn a_claim_is_for_one_message_whoever_claims_at_the_same_time(bench: &Bench) {
    let (chat, ids) =
        (bench.chat_id(), [uploaded(bench, "ana").await, uploaded(bench, "ana").await]);
    let mut claims = JoinSet::new();
    for number in 0..8 {
        let (store, claim) = (bench.node().clone(), claim(chat, &format!("m{number}"), number));
        claims.spawn(async move {
            store.claim_files(&user("ana"), &ids, claim, Timestamp(2000)).await.unwrap()
        });
    }
    let all: Vec<File> = claims.join_all().await.into_iter().flatten().collect();
    assert_eq!(sorted(all.iter().map(|file| file.attachment.id)), sorted(ids), "each once");
    // For the same message again: another `since`.
    let file = read(bench, ids[0]).await.unwrap();
    let held = file.claim.unwrap();
    assert!(held.held);
    let again = Claim { since: Timestamp(99), ..held };
    assert_eq!(claimed(bench, "ana", &ids[..1], again.clone()).await, &ids[..1]);
    assert_eq!(read(bench, ids[0]).await.unwrap().claim, Some(again));
    // The same id in another chat is another message.
    let elsewhere = claim(bench.chat_id(), &file_message(bench, ids[0]).await, 1);
    assert!(claimed(bench, "ana", &ids[..1], elsewhere).await.is_empty());
}

async fn file_message(bench: &Bench, id: AttachmentId) -> String {
    read(bench, id).await.unwrap().claim.unwrap().client_message_id
}

async fn only_what_is_whole_ones_own_and_not_doomed_is_claimed(bench: &Bench) {
    let good = uploaded(bench, "ana").await;
    let doomed = uploaded(bench, "ana").await;
    assert!(bench.node().settle_file(doomed, None, Settled::Doomed).await.unwrap());
    let unknown = AttachmentId(bench.clock.new_id());
    let ids = [open(bench, "ana").await, uploaded(bench, "bob").await, doomed, unknown, good, good];
    let chat = bench.chat_id();
    assert_eq!(claimed(bench, "ana", &ids, claim(chat, "m", 1)).await, [good]);
    // It is due when the claim says.
    assert!(!due(bench, 1999).await.contains(&good));
    assert!(due(bench, 2000).await.contains(&good));
}

async fn what_is_due_is_given_to_one(bench: &Bench) {
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(open(bench, "ana").await);
    }
    assert!(due(bench, 999).await.is_empty());
    assert_eq!(bench.node().due_files(Timestamp(1000), LATER, 3).await.unwrap().len(), 3);
    let mut looks = JoinSet::new();
    for _ in 0..4 {
        let store = bench.node().clone();
        let again = Timestamp(5000);
        looks.spawn(async move { store.due_files(Timestamp(1000), again, 100).await.unwrap() });
    }
    let rest: Vec<File> = looks.join_all().await.into_iter().flatten().collect();
    let rest = sorted(rest.into_iter().map(|file| file.attachment.id));
    assert_eq!(rest.len(), 7, "each once");
    assert!(due(bench, 4999).await.is_empty());
    assert_eq!(due(bench, 5000).await, rest);
    for id in ids {
        bench.node().forget_file(id).await.unwrap();
        bench.node().forget_file(id).await.unwrap();
        assert_eq!(read(bench, id).await, None);
    }
}

async fn a_claim_that_changed_meanwhile_is_not_settled(bench: &Bench) {
    let id = uploaded(bench, "ana").await;
    let settle = async |seen: Option<i64>, settled| {
        bench.node().settle_file(id, seen.map(Timestamp), settled).await.unwrap()
    };
    assert!(!settle(Some(1), Settled::Taken).await, "never claimed");
    assert!(settle(None, Settled::Free(Timestamp(3000))).await);
    claimed(bench, "ana", &[id], claim(bench.chat_id(), "m", 5)).await;
    assert!(!settle(None, Settled::Doomed).await);
    assert!(!settle(Some(4), Settled::Free(Timestamp(1))).await);
    assert!(settle(Some(5), Settled::Taken).await);
    assert!(due(bench, LATER.0 - 1).await.is_empty(), "due no more");
    assert!(settle(Some(5), Settled::Free(Timestamp(3000))).await);
    let file = read(bench, id).await.unwrap();
    assert!(!file.claim.unwrap().held);
    assert_eq!(due(bench, 3000).await, [id]);
    assert_eq!(claimed(bench, "ana", &[id], claim(bench.chat_id(), "n", 6)).await, [id]);
    let unknown = AttachmentId(bench.clock.new_id());
    assert!(!bench.node().settle_file(unknown, None, Settled::Doomed).await.unwrap());
}

async fn a_doomed_file_is_nobodys(bench: &Bench) {
    let id = open(bench, "ana").await;
    assert!(bench.node().settle_file(id, None, Settled::Doomed).await.unwrap());
    assert!(!bench.node().settle_file(id, None, Settled::Doomed).await.unwrap());
    assert!(!bench.node().complete_file(whole(id)).await.unwrap());
    assert_eq!(bench.node().advance_file(id, 0, 1).await.unwrap(), None);
    assert!(read(bench, id).await.unwrap().doomed);
    assert_eq!(due(bench, 1000).await, [id], "it stays due");
}

async fn what_is_made_due_is_so_at_the_earlier_time(bench: &Bench) {
    let (soon, late) = (open(bench, "ana").await, uploaded(bench, "ana").await);
    claimed(bench, "ana", &[late], claim(bench.chat_id(), "m", 5)).await;
    bench.node().settle_file(late, Some(Timestamp(5)), Settled::Taken).await.unwrap();
    bench.node().make_due(&[soon, late], Timestamp(1500)).await.unwrap();
    bench.node().make_due(&[], Timestamp(1)).await.unwrap();
    assert_eq!(due(bench, 1000).await, [soon]);
    assert_eq!(due(bench, 1500).await, [late]);
}

/// A message with two files.
async fn sent(bench: &Bench) -> Message {
    let chat = bench.group(&["ana", "bob"]).await;
    let ids = [uploaded(bench, "ana").await, uploaded(bench, "ana").await];
    bench.node().put_preview(ids[0], "LEHV6nWB", true).await.unwrap();
    let held = claim(chat, "m", 5);
    let files = bench.node().claim_files(&user("ana"), &ids, held, Timestamp(2000)).await.unwrap();
    let attachments = files.into_iter().map(|file| file.attachment).collect();
    bench.append(adda::store::NewMessage { attachments, ..bench.message(chat, "ana", "m") }).await
}

async fn a_message_carries_what_it_was_sent_with(bench: &Bench) {
    let message = sent(bench).await;
    assert_eq!(message.attachments.len(), 2);
    let found = bench.node().message(message.chat, message.id).await.unwrap().unwrap();
    assert_eq!(found, message);
    let carried = found.attachments.iter().find(|of| of.thumbnail).unwrap();
    assert_eq!((carried.size, carried.blurhash.as_str()), (90, "LEHV6nWB"));
    let found = bench.node().by_client_id(message.chat, &user("ana"), "m").await.unwrap();
    assert_eq!(found, Some(message));
}

async fn deleting_a_message_makes_what_it_carried_due(bench: &Bench) {
    let message = sent(bench).await;
    let ids = sorted(message.attachments.iter().map(|of| of.id));
    for id in &ids {
        bench.node().settle_file(*id, Some(Timestamp(5)), Settled::Taken).await.unwrap();
    }
    let deleted = bench.node().delete_message(message.chat, message.id).await.unwrap().unwrap();
    assert!(deleted.attachments.is_empty());
    let now = bench.node().now().await.unwrap().plus(Duration::from_secs(1));
    assert_eq!(due(bench, now.0).await, ids);
    // Deleted again: nothing is due again.
    bench.node().delete_message(message.chat, message.id).await.unwrap();
    assert!(due(bench, now.0).await.is_empty());
}
