//! How mongod goes about what is asked often.

use adda::store::Span;
use mongodb::Client;
use mongodb::bson::{Document, doc};

use super::{clock, group, message};
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
    store.written_in(&super::user("ann"), &chats).await.unwrap();
    profile(0).await.unwrap();
    let entries = database.collection::<Document>("system.profile");
    let mut found = Vec::new();
    let mut cursor = entries.find(doc! { "command.aggregate": "messages" }).await.unwrap();
    while cursor.advance().await.unwrap() {
        let entry = cursor.deserialize_current().unwrap();
        assert!(entry.get_i32("keysExamined").unwrap() <= 8, "{entry}");
        found.push(entry.get_str("planSummary").unwrap().to_owned());
    }
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|plan| plan.starts_with("DISTINCT_SCAN")), "{found:?}");
}
