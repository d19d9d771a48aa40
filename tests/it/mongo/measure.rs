//! Figures to compare by: not promises. `cargo test --test it measure -- --ignored --nocapture`.

#![expect(clippy::cast_precision_loss, reason = "rates, to be read")]

use std::time::Instant;

use adda::model::{ChatId, Run};
use adda::store::{Mark, Store, UnreadQuery, WrittenBy};
use futures_util::future::join_all;
use mongodb::bson::doc;

use super::{append_surely, clock, group, message, user};
use crate::infra::mongo::{fresh_stores, fresh_uri, stores};

async fn groups(store: &dyn Store, count: usize) -> Vec<ChatId> {
    join_all((0..count).map(|_| group(store, &["ann", "bob"]))).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure_appends() {
    let Some(nodes) = fresh_stores(2, clock()).await else { return };
    for (chats, tasks) in [(1, 64), (64, 64), (500, 500), (8, 500)] {
        let ids = &groups(&*nodes[0], chats).await;
        for used in [1, 2] {
            let began = Instant::now();
            let (each, nodes) = (20_000 / tasks, &nodes);
            let senders = (0..tasks).map(|task| async move {
                for n in 0..each {
                    let mut new = message(ids[task % chats], "ann", &format!("{used}-{task}-{n}"));
                    new.member_as_of = u32::MAX;
                    append_surely(&*nodes[task % used], new).await;
                }
            });
            join_all(senders).await;
            let rate = (each * tasks) as f64 / began.elapsed().as_secs_f64();
            eprintln!("{chats} chats, {tasks} senders, {used} nodes: {rate:.0} appends/s");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure_receipts_heads_and_counts() {
    let Some(nodes) = fresh_stores(1, clock()).await else { return };
    let store = &*nodes[0];
    let chats = groups(store, 1000).await;
    let sends = chats.iter().flat_map(|chat| {
        (0..20).map(|n| append_surely(store, message(*chat, "ann", &format!("m{n}"))))
    });
    join_all(sends).await;
    let mark = |chat: &ChatId, name: &str, run: Run| Mark {
        user: user(name),
        chat: *chat,
        delivered: vec![run],
        read: vec![],
        seen: Default::default(),
    };
    for (what, run) in [
        ("a prefix", Run { first: 1, last: 5 }),
        ("nothing new", Run { first: 2, last: 4 }),
        ("a run", Run { first: 9, last: 10 }),
        ("another run", Run { first: 15, last: 16 }),
    ] {
        let names = ["ann", "bob"];
        let marks = chats.iter().flat_map(|chat| names.map(|name| mark(chat, name, run)));
        let marks: Vec<_> = marks.collect();
        let (count, began) = (marks.len(), Instant::now());
        store.mark(marks).await.unwrap();
        eprintln!("{count} marks of {what}: {:?}", began.elapsed());
    }
    for count in [1, 50, 1000] {
        let began = Instant::now();
        store.heads(&chats[..count]).await.unwrap();
        eprintln!("{count} heads: {:?}", began.elapsed());
        let began = Instant::now();
        store.written_in(WrittenBy::User(user("ann")), &chats[..count]).await.unwrap();
        eprintln!("written in {count}: {:?}", began.elapsed());
        let runs = vec![Run { first: 6, last: 20 }];
        let query =
            |chat: &ChatId| UnreadQuery { user: user("bob"), chat: *chat, runs: runs.clone() };
        let queries: Vec<_> = chats[..count].iter().map(query).collect();
        let began = Instant::now();
        store.count_unread(&queries).await.unwrap();
        eprintln!("{count} counts: {:?}", began.elapsed());
    }
    let began = Instant::now();
    store.memberships(&user("ann")).await.unwrap();
    eprintln!("memberships of one in 1000: {:?}", began.elapsed());
}

/// What it costs that messages can be searched.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure_words() {
    let Some(uri) = fresh_uri().await else { return };
    let store = &*stores(&uri, 1, clock()).await.remove(0);
    let client = mongodb::Client::with_uri_str(&uri).await.unwrap();
    let used = async || {
        let status = client.database("admin").run_command(doc! { "serverStatus": 1 }).await;
        let info = status.unwrap().get_document("extra_info").unwrap().clone();
        info.get_i64("user_time_us").unwrap() + info.get_i64("system_time_us").unwrap()
    };
    let ids = &groups(store, 64).await;
    // The first is to warm up.
    for words in [0, 0, 10, 40, 0, 10, 40] {
        let (began, before) = (Instant::now(), used().await);
        let senders = (0..64).map(|task| async move {
            for n in 0..150 {
                let name = format!("{words}-{task}-{n}-{began:?}");
                let mut new = message(ids[task], "ann", &name[..name.len().min(64)]);
                // As people write: few words often, most seldom.
                let word = |at: usize| format!("word{}", (n * 7 + at * at * 31) % (1 + at * 97));
                new.words = (0..words).map(word).collect();
                new.member_as_of = u32::MAX;
                append_surely(store, new).await;
            }
        });
        join_all(senders).await;
        let (count, took) = (64.0 * 150.0, began.elapsed());
        let (rate, cpu) = (count / took.as_secs_f64(), (used().await - before) as f64 / count);
        eprintln!("{words} words: {rate:.0} appends/s, {cpu:.0} µs of mongod each");
    }
}
