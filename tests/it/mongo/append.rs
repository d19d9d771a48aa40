//! The commit rule with several nodes on one healthy set.

use std::collections::BTreeSet;

use adda::store::{AppendError, NewMessage, StoreError};
use futures_util::future::join_all;

use super::{append_surely, assert_sound, clock, group, log_of, message};
use crate::infra::mongo::{fresh_stores, fresh_uri, stores};

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_two_nodes_write_at_once_has_no_hole() {
    let Some(nodes) = fresh_stores(2, clock()).await else { return };
    let chat = group(&*nodes[0], &["ann", "bob"]).await;
    let appends = (0..1000).map(|n| {
        let sender = if n % 3 == 0 { "ann" } else { "bob" };
        nodes[n % 2].append(message(chat, sender, &format!("m{n}")))
    });
    let answers: Vec<_> = join_all(appends).await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| !answer.duplicate));
    // On one node, the order of the calls is that of the seqs.
    for node in 0..2 {
        let seqs: Vec<_> = answers.iter().skip(node).step_by(2).map(|a| a.message.seq).collect();
        assert!(seqs.is_sorted(), "one node's calls are not in order");
    }
    let log = log_of(&*nodes[0], chat).await;
    assert_eq!(log.len(), 1000);
    assert_sound(&log);
    for answer in &answers {
        assert_eq!(*answer.message, log[answer.message.seq as usize - 1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_client_id_on_two_nodes_at_once_one_is_new() {
    let Some(nodes) = fresh_stores(2, clock()).await else { return };
    let chat = group(&*nodes[0], &["ann", "bob"]).await;
    for n in 0..50 {
        let id = format!("m{n}");
        let sends = (0..6).map(|k| nodes[k % 2].append(message(chat, "ann", &id)));
        let answers: Vec<_> = join_all(sends).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1);
        let places: BTreeSet<_> =
            answers.iter().map(|answer| (answer.message.id, answer.message.seq)).collect();
        assert_eq!(places.len(), 1, "two outcomes of one send");
    }
    let log = log_of(&*nodes[1], chat).await;
    assert_eq!(log.len(), 50);
    assert_sound(&log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_known_where_nothing_is_remembered() {
    let Some(uri) = fresh_uri().await else { return };
    let first = stores(&uri, 1, clock()).await.remove(0);
    let chat = group(&*first, &["ann", "bob"]).await;
    let sent = first.append(message(chat, "ann", "once")).await.unwrap();
    first.append(message(chat, "bob", "more")).await.unwrap();
    first.close().await;
    assert!(first.append(message(chat, "ann", "late")).await.is_err());

    let second = stores(&uri, 1, clock()).await.remove(0);
    let again = second.append(message(chat, "ann", "once")).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.message, sent.message);
    let other = NewMessage { content_hash: [8; 16], ..message(chat, "ann", "once") };
    assert!(matches!(second.append(other).await, Err(AppendError::Reused)));
    let next = second.append(message(chat, "ann", "next")).await.unwrap();
    assert_eq!((next.message.seq, next.duplicate), (3, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_repeats_among_new_ones_are_told_apart() {
    let Some(nodes) = fresh_stores(2, clock()).await else { return };
    let chat = group(&*nodes[0], &["ann", "bob"]).await;
    let first = (0..200).map(|n| nodes[0].append(message(chat, "ann", &format!("m{n}"))));
    join_all(first).await;
    let again = (100..300).map(|n| nodes[1].append(message(chat, "ann", &format!("m{n}"))));
    let answers: Vec<_> = join_all(again).await.into_iter().map(Result::unwrap).collect();
    for (n, answer) in (100..).zip(&answers) {
        assert_eq!(answer.duplicate, n < 200, "m{n}");
        assert_eq!(answer.message.seq, n + 1);
    }
    assert_sound(&log_of(&*nodes[0], chat).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_among_members() {
    let Some(nodes) = fresh_stores(1, clock()).await else { return };
    let chat = group(&*nodes[0], &["ann", "bob"]).await;
    let sends = (0..30).map(|n| {
        let sender = ["ann", "eve", "bob"][n % 3];
        nodes[0].append(message(chat, sender, &format!("m{n}")))
    });
    for (n, answer) in join_all(sends).await.into_iter().enumerate() {
        assert_eq!(matches!(answer, Err(AppendError::NotMember)), n % 3 == 1, "m{n}");
    }
    let log = log_of(&*nodes[0], chat).await;
    assert_eq!(log.len(), 20);
    assert_sound(&log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_lane_says_so_at_once_and_keeps_what_it_took() {
    let Some(nodes) = fresh_stores(1, clock()).await else { return };
    let chat = group(&*nodes[0], &["ann"]).await;
    let appends: Vec<_> =
        (0..20_000).map(|n| nodes[0].append(message(chat, "ann", &format!("m{n}")))).collect();
    let (mut taken, mut busy) = (0, 0);
    for outcome in join_all(appends).await {
        match outcome {
            Ok(_) => taken += 1,
            Err(AppendError::Store(StoreError::Busy)) => busy += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(taken > 0 && busy > 0, "{taken} taken, {busy} refused");
    let log = log_of(&*nodes[0], chat).await;
    assert_eq!(log.len(), taken);
    assert_sound(&log);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_used_for_two_messages_does_not_stop_its_chat() {
    let Some(nodes) = fresh_stores(1, clock()).await else { return };
    let chat = group(&*nodes[0], &["ann"]).await;
    let first = message(chat, "ann", "first");
    let same = NewMessage { client_message_id: "second".into(), ..first.clone() };
    nodes[0].append(first).await.unwrap();
    let same = nodes[0].append(same);
    let third = append_surely(&*nodes[0], message(chat, "ann", "third"));
    let (same, third) = tokio::join!(same, third);
    assert!(matches!(same, Err(AppendError::Store(_))));
    assert_eq!(third.message.seq, 2);
}
