//! Deletion, and the messages that were changed.

use std::collections::BTreeSet;

use adda::clock::Timestamp;
use adda::model::{ChatId, MessageId, Run, Seq, UserId};
use adda::store::{ChangeCursor, ChangedMessage, Mark};
use tokio::task::JoinSet;

use super::{Bench, on_every_store, seqs};

on_every_store!(
    of_a_deleted_message_the_text_goes_and_the_place_stays,
    deleting_twice_is_deleting_once,
    deleting_what_is_not_there_does_nothing,
    a_deleted_message_counts_as_changed,
    what_did_not_change_is_not_among_the_changed,
    pages_of_changed_messages_lose_and_repeat_nothing,
    changed_messages_are_those_after_the_cursor,
    who_ask_at_once_are_told_each_what_is_of_their_own_time,
);

async fn of_a_deleted_message_the_text_goes_and_the_place_stays(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let first = bench.send(chat, "ana").await;
    let mut new = bench.message(chat, "ana", "c1");
    new.reply_to = Some((first.id, 1));
    let sent = bench.append(new).await;
    bench.send(chat, "ana").await;
    let before = bench.node().now().await.unwrap();
    let deleted = bench.node().delete_message(chat, sent.id).await.unwrap().unwrap();
    let after = bench.node().now().await.unwrap();
    let at = deleted.deleted_at.expect("it says when");
    assert!(before <= at && at <= after, "{before:?} {at:?} {after:?}");
    assert_eq!(deleted.text, "");
    assert_eq!(deleted.revision, 1);
    let rest = adda::model::Message {
        text: sent.text.clone(),
        deleted_at: None,
        revision: 0,
        ..deleted.clone()
    };
    assert_eq!(rest, sent);
    let all = bench.all(chat).await;
    assert_eq!(seqs(&all), [1, 2, 3]);
    assert_eq!(all[1], deleted);
    assert_eq!(bench.send(chat, "ana").await.seq, 4);
}

async fn deleting_twice_is_deleting_once(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let sent = bench.send(chat, "ana").await;
    let calls = (0..10).map(|_| bench.node().delete_message(chat, sent.id));
    let answers = futures_util::future::join_all(calls).await;
    let first = answers[0].as_ref().unwrap().clone().unwrap();
    assert_eq!(first.revision, 1);
    for answer in answers {
        assert_eq!(answer.unwrap().unwrap(), first);
    }
    let cursor = all_changed(bench, &[chat]).await[0].cursor;
    let again = bench.node().delete_message(chat, sent.id).await.unwrap().unwrap();
    assert_eq!(again, first);
    assert_eq!(all_changed(bench, &[chat]).await[0].cursor, cursor);
}

async fn deleting_what_is_not_there_does_nothing(bench: &Bench) {
    let (chat, other) = (bench.group(&["ana"]).await, bench.group(&["ana"]).await);
    let sent = bench.send(chat, "ana").await;
    let unknown = MessageId(bench.clock.new_id());
    assert_eq!(bench.node().delete_message(chat, unknown).await.unwrap(), None);
    assert_eq!(bench.node().delete_message(other, sent.id).await.unwrap(), None);
    assert_eq!(bench.all(chat).await, [sent]);
}

async fn a_deleted_message_counts_as_changed(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    bench.send(chat, "ana").await;
    let sent = bench.send(chat, "ana").await;
    let deleted = bench.node().delete_message(chat, sent.id).await.unwrap().unwrap();
    let changed = all_changed(bench, &[chat]).await;
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].message, deleted);
    assert_eq!(changed[0].cursor.seq, 2);
}

async fn what_did_not_change_is_not_among_the_changed(bench: &Bench) {
    let (chat, other) = (bench.group(&["ana"]).await, bench.group(&["ana"]).await);
    bench.send(chat, "ana").await;
    let sent = bench.send(other, "ana").await;
    bench.node().delete_message(other, sent.id).await.unwrap();
    assert!(all_changed(bench, &[chat, bench.chat_id()]).await.is_empty());
}

async fn pages_of_changed_messages_lose_and_repeat_nothing(bench: &Bench) {
    let mut chats = Vec::new();
    let mut deletions = JoinSet::new();
    let mut want = BTreeSet::new();
    for _ in 0..4 {
        let chat = bench.group(&["ana"]).await;
        chats.push(chat);
        for _ in 0..12 {
            let sent = bench.send(chat, "ana").await;
            want.insert((chat, sent.seq));
        }
    }
    // All at once, so that many are changed at one time.
    for chat in &chats {
        for message in bench.all(*chat).await {
            let store = bench.node().clone();
            deletions.spawn(async move { store.delete_message(message.chat, message.id).await });
        }
    }
    for deleted in deletions.join_all().await {
        deleted.unwrap().unwrap();
    }
    let asked = [&chats[..], &chats[..2], &[bench.chat_id()]].concat();
    for limit in [1, 2, 7, 48, 1000] {
        let pages = paged(bench, &asked, limit).await;
        let places: Vec<_> = pages.iter().map(place).collect();
        let distinct: BTreeSet<_> = places.iter().copied().collect();
        assert_eq!(distinct, want, "limit {limit}");
        assert_eq!(places.len(), want.len(), "one came twice, limit {limit}");
        assert!(pages.windows(2).all(|pair| pair[0].cursor <= pair[1].cursor));
    }
}

async fn changed_messages_are_those_after_the_cursor(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    for _ in 0..3 {
        let sent = bench.send(chat, "ana").await;
        bench.node().delete_message(chat, sent.id).await.unwrap();
    }
    let all = all_changed(bench, &[chat]).await;
    for (at, one) in all.iter().enumerate() {
        let rest = bench.node().changed_messages(&[chat], one.cursor, 100).await.unwrap();
        let rest: Vec<_> = rest.iter().map(place).collect();
        assert_eq!(rest, all[at + 1..].iter().map(place).collect::<Vec<_>>());
    }
    let last = all[2].cursor;
    let just_before = ChangeCursor { at: Timestamp(last.at.0), seq: last.seq - 1 };
    let rest = bench.node().changed_messages(&[chat], just_before, 100).await.unwrap();
    assert_eq!(rest.iter().map(place).collect::<Vec<_>>(), [(chat, 3)]);
}

async fn who_ask_at_once_are_told_each_what_is_of_their_own_time(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let made = bench.node().now().await.unwrap();
    let mut times = vec![Timestamp(0), made];
    for _ in 0..4 {
        let sent = bench.send(chat, "ana").await;
        bench.node().delete_message(chat, sent.id).await.unwrap();
        let read = vec![Run { first: sent.seq, last: sent.seq }];
        let (user, delivered, seen) = (UserId::new("ana"), Vec::new(), Default::default());
        bench.node().mark(vec![Mark { user, chat, delivered, read, seen }]).await.unwrap();
        times.push(bench.node().now().await.unwrap());
        times.push(all_changed(bench, &[chat]).await.last().unwrap().cursor.at);
    }
    let all = all_changed(bench, &[chat]).await;
    let store = &bench.stores[0];
    let asks = times.iter().map(|since| async move {
        let (cursor, chats) = (ChangeCursor { at: *since, seq: 0 }, [chat, chat]);
        tokio::try_join!(
            store.changed_messages(&chats, cursor, 100),
            store.changed_chats(&chats, *since),
            store.changed_receipts(&chats, *since, 100),
        )
    });
    for (since, answer) in times.iter().zip(futures_util::future::join_all(asks).await) {
        let (messages, chats, receipts) = answer.unwrap();
        let own = all.iter().filter(|changed| changed.cursor.at >= *since);
        let messages: Vec<_> = messages.iter().map(place).collect();
        assert_eq!(messages, own.map(place).collect::<Vec<_>>(), "since {since:?}");
        // Made, and marked last, at a time that only the store knows, within a moment of these.
        assert!(since.0 > 0 || (chats.len() == 1 && receipts.len() == 1));
        let alone = store.changed_receipts(&[chat], *since, 100).await.unwrap();
        assert_eq!(receipts, alone);
        assert_eq!(chats, store.changed_chats(&[chat], *since).await.unwrap());
    }
}

fn place(changed: &ChangedMessage) -> (ChatId, Seq) {
    (changed.message.chat, changed.message.seq)
}

async fn all_changed(bench: &Bench, chats: &[ChatId]) -> Vec<ChangedMessage> {
    bench.node().changed_messages(chats, ChangeCursor::default(), 1000).await.unwrap()
}

/// All pages, one after the other, each from the cursor of the last one given.
async fn paged(bench: &Bench, chats: &[ChatId], limit: u32) -> Vec<ChangedMessage> {
    let mut all: Vec<ChangedMessage> = Vec::new();
    loop {
        let after = all.last().map(|changed| changed.cursor).unwrap_or_default();
        let page = bench.node().changed_messages(chats, after, limit).await.unwrap();
        let Some(last) = page.last() else { return all };
        // Over the limit only with what stands at the very last place.
        let over = page.iter().skip(usize::try_from(limit).unwrap());
        assert!(over.into_iter().all(|changed| changed.cursor == last.cursor));
        all.extend(page);
    }
}
