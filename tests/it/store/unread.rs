//! Unread counts.

use std::collections::BTreeSet;

use adda::model::{ChatId, Message, NoteKind, Run, SeqSet};
use adda::store::{COUNT_CAP, UnreadQuery};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{Bench, on_every_store, run, user};

on_every_store!(
    what_others_sent_counts_and_what_i_sent_does_not,
    what_is_deleted_does_not_count,
    notes_do_not_count_but_announcements_do,
    only_what_is_in_the_runs_counts,
    counts_come_in_the_order_asked,
    counts_stop_at_the_cap,
    counts_are_those_of_brute_force,
);

fn query(name: &str, chat: ChatId, runs: &[(u32, u32)]) -> UnreadQuery {
    let runs = runs.iter().map(|(first, last)| run(*first, *last)).collect();
    UnreadQuery { user: user(name), chat, runs }
}

async fn count(bench: &Bench, name: &str, chat: ChatId, runs: &[(u32, u32)]) -> u32 {
    let counts = bench.node().count_unread(&[query(name, chat, runs)]).await.unwrap();
    assert_eq!(counts.len(), 1);
    counts[0]
}

async fn what_others_sent_counts_and_what_i_sent_does_not(bench: &Bench) {
    let chat = bench.group(&["ana", "bob", "cem"]).await;
    for sender in ["ana", "bob", "ana", "ana", "cem"] {
        bench.send(chat, sender).await;
    }
    for (name, want) in [("ana", 2), ("bob", 4), ("cem", 4), ("eve", 5)] {
        assert_eq!(count(bench, name, chat, &[(1, 5)]).await, want, "{name}");
    }
}

async fn what_is_deleted_does_not_count(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(bench.send(chat, "ana").await);
    }
    for left in [2, 1, 0] {
        bench.node().delete_message(chat, sent[left].id).await.unwrap();
        let want = u32::try_from(left).unwrap();
        assert_eq!(count(bench, "bob", chat, &[(1, 3)]).await, want);
    }
}

async fn notes_do_not_count_but_announcements_do(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    for kind in NoteKind::ALL {
        bench.append(bench.note(chat, kind, &kind.number().to_string())).await;
    }
    // Also for who is told of as its actor.
    assert_eq!(count(bench, "ana", chat, &[(1, 10)]).await, 1);
    assert_eq!(count(bench, "bob", chat, &[(1, 9)]).await, 0);
    assert_eq!(count(bench, "bob", chat, &[(10, 10)]).await, 1);
}

async fn only_what_is_in_the_runs_counts(bench: &Bench) {
    let (chat, other) = (bench.group(&["ana", "bob"]).await, bench.group(&["ana", "bob"]).await);
    for _ in 0..9 {
        bench.send(chat, "ana").await;
        bench.send(other, "ana").await;
    }
    for (runs, want) in [
        (vec![], 0),
        (vec![(1, 9)], 9),
        (vec![(9, 9)], 1),
        (vec![(2, 3), (5, 5), (8, 9)], 5),
        (vec![(10, 20)], 0),
        (vec![(9, u32::MAX)], 1),
    ] {
        assert_eq!(count(bench, "bob", chat, &runs).await, want, "{runs:?}");
    }
    assert_eq!(count(bench, "bob", bench.chat_id(), &[(1, 9)]).await, 0);
}

async fn counts_come_in_the_order_asked(bench: &Bench) {
    let (one, two) = (bench.group(&["ana", "bob"]).await, bench.group(&["ana", "bob"]).await);
    for _ in 0..4 {
        bench.send(one, "ana").await;
    }
    bench.send(two, "ana").await;
    let all = [(1, 9)];
    let queries = [
        query("bob", two, &all),
        query("bob", bench.chat_id(), &all),
        query("bob", one, &all),
        query("bob", two, &all),
        query("bob", one, &[(1, 2)]),
        query("bob", one, &[]),
        query("ana", one, &all),
        query("eve", two, &all),
    ];
    let counts = bench.node().count_unread(&queries).await.unwrap();
    assert_eq!(counts, [1, 0, 4, 1, 2, 0, 0, 1]);
}

async fn counts_stop_at_the_cap(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    let store = bench.node();
    let calls: Vec<_> = (0..COUNT_CAP + 50)
        .map(|at| store.append(bench.message(chat, "ana", &at.to_string())))
        .collect();
    for appended in futures_util::future::join_all(calls).await {
        appended.unwrap();
    }
    let cap = COUNT_CAP;
    for (runs, want) in [
        (vec![(1, cap - 1)], cap - 1),
        (vec![(1, cap)], cap),
        (vec![(1, cap + 1)], cap),
        (vec![(1, u32::MAX)], cap),
        (vec![(1, 600), (602, cap + 50)], cap),
        (vec![(1, 10), (21, cap)], cap - 10),
    ] {
        assert_eq!(count(bench, "bob", chat, &runs).await, want, "{runs:?}");
    }
}

async fn counts_are_those_of_brute_force(bench: &Bench) {
    const USERS: [&str; 3] = ["ana", "bob", "cem"];
    let mut runner = TestRunner::deterministic();
    let mut draw =
        |range: std::ops::Range<u32>| range.new_tree(&mut runner).expect("a number").current();
    let chat = bench.group(&USERS).await;
    for at in 0..60 {
        let message = match draw(0..10) {
            0 => bench.note(chat, NoteKind::MembersAdded, &at.to_string()),
            1 => bench.note(chat, NoteKind::Announcement, &at.to_string()),
            sender => bench.message(chat, USERS[sender as usize % 3], &at.to_string()),
        };
        let sent = bench.append(message).await;
        if draw(0..5) == 0 {
            bench.node().delete_message(chat, sent.id).await.unwrap();
        }
    }
    let all = bench.all(chat).await;
    let mut want = Vec::new();
    let mut queries = Vec::new();
    for _ in 0..100 {
        let runs = (0..draw(0..6)).map(|_| {
            let first = draw(1..70);
            run(first, first + draw(0..9))
        });
        let runs = SeqSet::from_parts(0, runs.collect::<Vec<_>>()).runs();
        let reader = USERS[draw(0..3) as usize];
        want.push(brute_force(&all, reader, &runs));
        queries.push(UnreadQuery { user: user(reader), chat, runs });
    }
    let counts = bench.node().count_unread(&queries).await.unwrap();
    assert_eq!(counts, want);
    assert!(want.iter().collect::<BTreeSet<_>>().len() > 5, "the cases are too alike");
}

fn brute_force(all: &[Message], name: &str, runs: &[Run]) -> u32 {
    let me = Some(user(name));
    let counted = all.iter().filter(|message| {
        message.sender != me
            && message.counts()
            && runs.iter().any(|run| (run.first..=run.last).contains(&message.seq))
    });
    u32::try_from(counted.count()).unwrap()
}
