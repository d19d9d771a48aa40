//! What the product's own services need: who was signed out, and how much there is.

use adda::clock::Timestamp;
use adda::store::Counts;

use super::{Bench, on_every_store, user};

on_every_store!(
    a_user_is_signed_out_now_by_the_stores_clock,
    one_user_has_one_time_the_latest,
    who_was_signed_out_is_told_earliest_first,
    no_more_than_asked_for_are_told,
    all_that_is_there_is_counted,
);

async fn a_user_is_signed_out_now_by_the_stores_clock(bench: &Bench) {
    let before = bench.node().now().await.unwrap();
    let at = bench.node().revoke(&user("ana")).await.unwrap();
    assert!(before <= at && at <= bench.node().now().await.unwrap());
    let told = bench.node().revocations(at, 10).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].user, told[0].at), (&user("ana"), at));
    assert!(bench.node().revocations(Timestamp(at.0 + 1), 10).await.unwrap().is_empty());
}

async fn one_user_has_one_time_the_latest(bench: &Bench) {
    let first = bench.node().revoke(&user("ana")).await.unwrap();
    let second = bench.node().revoke(&user("ana")).await.unwrap();
    assert!(second >= first);
    let told = bench.node().revocations(Timestamp(0), 10).await.unwrap();
    assert_eq!(told.iter().map(|it| it.at).collect::<Vec<_>>(), [second]);
}

async fn who_was_signed_out_is_told_earliest_first(bench: &Bench) {
    let mut at = Vec::new();
    for name in ["cem", "ana", "bob"] {
        at.push((user(name), bench.node().revoke(&user(name)).await.unwrap()));
    }
    let told = bench.node().revocations(Timestamp(0), 10).await.unwrap();
    let times: Vec<_> = told.iter().map(|it| it.at).collect();
    assert!(times.is_sorted());
    let mut told: Vec<_> = told.into_iter().map(|it| (it.user, it.at)).collect();
    told.sort();
    at.sort();
    assert_eq!(told, at);
}

async fn no_more_than_asked_for_are_told(bench: &Bench) {
    for name in ["ana", "bob", "cem"] {
        bench.node().revoke(&user(name)).await.unwrap();
    }
    assert_eq!(bench.node().revocations(Timestamp(0), 2).await.unwrap().len(), 2);
}

async fn all_that_is_there_is_counted(bench: &Bench) {
    assert_eq!(bench.node().counts().await.unwrap(), Counts::default());
    let chat = bench.group(&["ana", "bob"]).await;
    for at in 0..3 {
        bench.node().append(bench.message(chat, "ana", &format!("m{at}"))).await.unwrap();
    }
    bench.node().put_profile(&user("ana"), "Ana", "", Timestamp(1)).await.unwrap();
    let counts = bench.node().counts().await.unwrap();
    assert_eq!((counts.users, counts.chats), (1, 1));
    let all = bench.node().history(chat, adda::store::Span::After(0), 1, 100).await.unwrap();
    assert_eq!(counts.messages, all.len() as u64);
}
