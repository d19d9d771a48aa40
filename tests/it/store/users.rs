//! Users, keys, the clock, and the store as a whole.

use adda::clock::Timestamp;
use adda::model::{NoteKind, User};
use adda::store::{AppendError, StoreError};
use tokio::task::JoinSet;

use super::{Bench, on_every_store, sorted, user};

on_every_store!(
    a_profile_is_kept,
    a_profile_of_an_older_token_does_not_replace_a_newer,
    of_many_profiles_at_once_the_newest_stays,
    the_latest_time_of_being_here_stays,
    being_here_and_having_a_name_are_apart,
    users_are_those_who_were_met,
    two_who_ask_for_keys_at_once_get_the_same,
    a_store_that_is_there_answers_a_ping,
    its_clock_is_near_ours_and_goes_on,
    closing_finishes_what_is_under_way,
    calls_after_closing_fail,
);

async fn known(bench: &Bench, name: &str) -> Option<User> {
    bench.node().users(&[user(name)]).await.unwrap().pop()
}

async fn put(bench: &Bench, name: &str, display_name: &str, issued_at: i64) -> bool {
    let url = format!("https://example.com/{display_name}");
    let at = Timestamp(issued_at);
    bench.node().put_profile(&user(name), display_name, &url, at).await.unwrap()
}

async fn a_profile_is_kept(bench: &Bench) {
    assert!(put(bench, "ana", "আনা", 5).await);
    let want = User {
        id: user("ana"),
        display_name: "আনা".to_owned(),
        avatar_url: "https://example.com/আনা".to_owned(),
        updated_at: Some(Timestamp(5)),
        last_active: None,
    };
    assert_eq!(known(bench, "ana").await, Some(want));
    // The same again, of the same token and of a newer one, changes nothing.
    assert!(!put(bench, "ana", "আনা", 5).await);
    assert!(!put(bench, "ana", "আনা", 6).await);
    assert!(put(bench, "ana", "Ana", 7).await);
    assert_eq!(known(bench, "ana").await.unwrap().display_name, "Ana");
    assert!(bench.node().put_profile(&user("bob"), "", "", Timestamp(1)).await.unwrap());
    assert_eq!(known(bench, "bob").await.unwrap().display_name, "");
}

async fn a_profile_of_an_older_token_does_not_replace_a_newer(bench: &Bench) {
    assert!(put(bench, "ana", "new", 10).await);
    assert!(!put(bench, "ana", "old", 9).await);
    assert_eq!(known(bench, "ana").await.unwrap().display_name, "new");
    // What a newer token says again counts as said by it.
    assert!(!put(bench, "ana", "new", 20).await);
    assert!(!put(bench, "ana", "between", 15).await);
    assert_eq!(known(bench, "ana").await.unwrap().display_name, "new");
}

async fn of_many_profiles_at_once_the_newest_stays(bench: &Bench) {
    let mut tasks = JoinSet::new();
    for at in 0..20i64 {
        let store = bench.node().clone();
        let name = format!("name {at}");
        tasks.spawn(async move {
            store.put_profile(&user("ana"), &name, &name, Timestamp(at)).await.unwrap()
        });
    }
    tasks.join_all().await;
    let ana = known(bench, "ana").await.unwrap();
    assert_eq!((ana.display_name.as_str(), ana.avatar_url.as_str()), ("name 19", "name 19"));
}

async fn the_latest_time_of_being_here_stays(bench: &Bench) {
    for (at, want) in [(5, 5), (9, 9), (7, 9), (9, 9), (10, 10)] {
        bench.node().put_last_active(&user("ana"), Timestamp(at)).await.unwrap();
        let ana = known(bench, "ana").await.unwrap();
        assert_eq!(ana.last_active, Some(Timestamp(want)));
    }
}

async fn being_here_and_having_a_name_are_apart(bench: &Bench) {
    put(bench, "ana", "Ana", 5).await;
    bench.node().put_last_active(&user("ana"), Timestamp(1)).await.unwrap();
    bench.node().put_last_active(&user("bob"), Timestamp(100)).await.unwrap();
    assert!(put(bench, "bob", "Bob", 2).await);
    for (name, display_name, last_active) in [("ana", "Ana", 1), ("bob", "Bob", 100)] {
        let found = known(bench, name).await.unwrap();
        assert_eq!(found.display_name, display_name);
        assert_eq!(found.last_active, Some(Timestamp(last_active)));
    }
}

async fn users_are_those_who_were_met(bench: &Bench) {
    put(bench, "ana", "Ana", 1).await;
    put(bench, "bob", "Bob", 1).await;
    put(bench, "cem", "Cem", 1).await;
    // Being named as a member is not being met.
    bench.group(&["ana", "dee"]).await;
    let asked = ["bob", "eve", "ana", "dee", "bob"].map(user);
    let found = bench.node().users(&asked).await.unwrap();
    assert_eq!(sorted(found.into_iter().map(|found| found.id)), ["ana", "bob"].map(user));
}

async fn two_who_ask_for_keys_at_once_get_the_same(bench: &Bench) {
    let calls = (0..10).map(|_| bench.node().keys());
    let keys = futures_util::future::join_all(calls).await;
    let first = keys[0].as_ref().unwrap().clone();
    assert!(keys.into_iter().all(|other| other.unwrap() == first));
    assert!(bench.node().keys().await.unwrap() == first);
    assert_eq!(first.tokens.len(), 1);
    assert_ne!(first.content, first.tokens[0].1);
    assert_ne!(first.content, [0; 32]);
    assert_eq!(format!("{first:?}"), "Keys(…)");
}

async fn a_store_that_is_there_answers_a_ping(bench: &Bench) {
    for _ in 0..4 {
        bench.node().ping().await.unwrap();
    }
}

async fn its_clock_is_near_ours_and_goes_on(bench: &Bench) {
    let first = bench.node().now().await.unwrap();
    let ours = bench.clock.now();
    assert!(first.0.abs_diff(ours.0) < 60_000, "{first:?} {ours:?}");
    assert!(bench.later().await > first);
}

async fn closing_finishes_what_is_under_way(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let store = bench.node();
    let calls: Vec<_> =
        (0..100).map(|at| store.append(bench.message(chat, "ana", &at.to_string()))).collect();
    store.close().await;
    for appended in futures_util::future::join_all(calls).await {
        assert!(!appended.unwrap().duplicate);
    }
}

async fn calls_after_closing_fail(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    bench.close().await;
    let store = bench.node();
    let failed = [
        store.ping().await.err(),
        store.heads(&[chat]).await.err(),
        store.create_chat(bench.new_group(&["ana"])).await.err(),
        match store.append(bench.note(chat, NoteKind::Announcement, "n")).await {
            Err(AppendError::Store(error)) => Some(error),
            _ => None,
        },
    ];
    for error in failed {
        assert!(matches!(error, Some(StoreError::Unavailable(_))), "{error:?}");
    }
}
