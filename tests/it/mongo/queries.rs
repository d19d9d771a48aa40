//! How mongod goes about what is asked often.

use adda::clock::Clock as _;
use adda::model::{MessageId, Run};
use adda::store::{Search, Span, UnreadQuery, WrittenBy};
use futures_util::future::join_all;
use mongodb::Client;
use mongodb::bson::{Document, doc};

use super::{clock, group, message, user};
use crate::infra::mongo::{fresh_uri, stores};

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_one_seek_a_chat() {
    let Some(uri) = fresh_uri().await else { return };
    let store = stores(&uri, 1, clock()).await.remove(0);
    let mut chats = Vec::new();
    for _ in 0..3 {
        let chat = group(&*store, &["ann"]).await;
        for n in 0..20 {
            store.append(message(chat, "ann", &format!("m{n}"))).await.unwrap();
        }
        chats.push(chat);
    }
    let heads = store.heads(&chats).await.unwrap();
    assert_eq!(heads.len(), 3);
    assert!(heads.iter().all(|head| head.seq == 20));
    assert_eq!(store.history(chats[0], Span::Before(4), 1, 2).await.unwrap()[0].seq, 3);

    let client = Client::with_uri_str(&uri).await.unwrap();
    let database = client.default_database().unwrap();
    let profile = |level: i32| database.run_command(doc! { "profile": level });
    profile(2).await.unwrap();
    store.heads(&chats).await.unwrap();
    store.written_in(WrittenBy::User(user("ann")), &chats).await.unwrap();
    store.written_in(WrittenBy::AnyoneBut(user("bob")), &chats).await.unwrap();
    profile(0).await.unwrap();
    let entries = database.collection::<Document>("system.profile");
    let mut found = Vec::new();
    let mut cursor = entries.find(doc! { "command.aggregate": "messages" }).await.unwrap();
    while cursor.advance().await.unwrap() {
        let entry = cursor.deserialize_current().unwrap();
        assert!(entry.get_i32("keysExamined").unwrap() <= 8, "{entry}");
        found.push(entry.get_str("planSummary").unwrap().to_owned());
    }
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|plan| plan.starts_with("DISTINCT_SCAN")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_reads_little_more_than_it_finds() {
    let Some(uri) = fresh_uri().await else { return };
    let store = stores(&uri, 1, clock()).await.remove(0);
    let mut chats = Vec::new();
    for _ in 0..3 {
        let chat = group(&*store, &["ann"]).await;
        let sends = (0..200).map(|n| {
            let mut new = message(chat, "ann", &format!("m{n}"));
            new.words = vec!["often".to_owned(), format!("word{n}")];
            new.words.extend((n % 100 == 0).then(|| "seldom".to_owned()));
            store.append(new)
        });
        join_all(sends).await.into_iter().for_each(|sent| assert!(sent.is_ok()));
        chats.push(chat);
    }
    let client = Client::with_uri_str(&uri).await.unwrap();
    let database = client.default_database().unwrap();
    let profile = |level: i32| database.run_command(doc! { "profile": level });
    let ask = |words: &[&str], prefix: Option<&str>| Search {
        chats: chats.clone(),
        words: words.iter().map(ToString::to_string).collect(),
        prefix: prefix.map(str::to_owned),
        sender: None,
        from: MessageId(uuid::Uuid::nil()),
        until: MessageId(clock().new_id()),
        after: None,
        limit: 10,
    };
    for (words, prefix, found, keys) in [
        (&["often"][..], None, 10, 20),
        (&["often", "seldom"], None, 6, 12),
        (&["often"], Some("sel"), 6, 620),
        (&[], Some("sel"), 6, 40),
        (&[], Some("word19"), 10, 120),
    ] {
        database.collection::<Document>("system.profile").drop().await.unwrap();
        profile(2).await.unwrap();
        let page = store.search(ask(words, prefix)).await.unwrap();
        profile(0).await.unwrap();
        assert_eq!(page.messages.len(), found, "{words:?} {prefix:?}");
        let entries = database.collection::<Document>("system.profile");
        let mut cursor = entries.find(doc! { "command.find": "messages" }).await.unwrap();
        let mut examined = 0;
        while cursor.advance().await.unwrap() {
            let entry = cursor.deserialize_current().unwrap();
            assert!(entry.get_str("planSummary").unwrap().contains("words: 1"), "{entry}");
            examined += entry.get_i32("keysExamined").unwrap();
        }
        assert!((1..=keys).contains(&examined), "{words:?} {prefix:?}: {examined} keys");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_go_together_are_told_apart() {
    let Some(uri) = fresh_uri().await else { return };
    let store = stores(&uri, 1, clock()).await.remove(0);
    let mut queries = Vec::new();
    let mut want = Vec::new();
    let run = |first, last| Run { first, last };
    for length in 1..=70_u32 {
        let chat = group(&*store, &["ann", "bob"]).await;
        let sends = (0..length).map(|n| store.append(message(chat, "ann", &format!("m{n}"))));
        join_all(sends).await.into_iter().for_each(|sent| assert!(sent.is_ok()));
        // Of one chat more than once, with several runs, far beyond its end, with none.
        for (runs, count) in [
            (vec![run(1, 100)], length),
            (vec![run(length, length)], 1),
            (vec![run(1, 1), run(3, 4)], length.min(1) + length.clamp(2, 4) - 2),
            (vec![run(1, 1_000_000)], length),
            (vec![], 0),
        ] {
            queries.push(UnreadQuery { user: user("bob"), chat, runs });
            want.push(count);
        }
    }
    assert_eq!(store.count_unread(&queries).await.unwrap(), want);
    let none = vec![0; queries.len()];
    for query in &mut queries {
        query.user = user("ann");
    }
    assert_eq!(store.count_unread(&queries).await.unwrap(), none);
}
