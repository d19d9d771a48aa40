//! What users keep from each other, and whom they know.

use adda::clock::Timestamp;
use adda::model::{Privacy, Reserve, UserId};
use adda::store::{Block, Created, UNBLOCKED_KEPT};
use tokio::task::JoinSet;

use super::{Bench, on_every_store, run, sorted, user};

on_every_store!(
    a_block_is_answered_and_one_in_force_stays_as_it_is,
    a_block_over_the_limit_is_not_made,
    of_many_blocks_at_once_each_is_a_change_and_the_limit_holds,
    a_block_that_is_taken_back_is_none_and_can_be_made_anew,
    blocks_come_the_newest_first_page_by_page,
    changed_blocks_are_those_since_as_they_are_now,
    of_blocks_taken_back_the_newest_are_remembered,
    a_block_is_between_both,
    reserves_are_what_is_kept_from_others,
    privacy_changes_by_parts,
    shared_chats_are_those_of_both,
    receipts_that_are_touched_count_as_changed,
    a_chat_is_found_by_its_key_as_making_it_would,
);

async fn block(bench: &Bench, by: &str, other: &str) -> Block {
    bench.node().block(&user(by), &user(other), 10).await.unwrap().unwrap()
}

async fn unblock(bench: &Bench, by: &str, other: &str) -> Option<Block> {
    bench.node().unblock(&user(by), &user(other)).await.unwrap()
}

/// Whom a user has blocked, the newest first.
async fn blocked(bench: &Bench, by: &str) -> Vec<(String, u32)> {
    let blocks = bench.node().blocks(&user(by), u32::MAX, 100).await.unwrap();
    assert!(blocks.iter().all(|block| block.blocked));
    blocks.into_iter().map(|block| (block.user.to_string(), block.revision)).collect()
}

async fn a_block_is_answered_and_one_in_force_stays_as_it_is(bench: &Bench) {
    let before = bench.later().await;
    let made = block(bench, "ana", "bob").await;
    assert_eq!((made.user.clone(), made.blocked, made.revision), (user("bob"), true, 1));
    assert!(made.at >= before && made.at < bench.later().await);
    assert_eq!(block(bench, "ana", "bob").await, made);
    assert_eq!(block(bench, "ana", "cem").await.revision, 2);
    assert_eq!(block(bench, "ana", "bob").await, made, "nor does another change it");
    assert_eq!(block(bench, "bob", "ana").await.revision, 1, "each counts their own");
}

async fn a_block_over_the_limit_is_not_made(bench: &Bench) {
    let at_most = |other, limit| {
        let (store, ana) = (bench.node().clone(), user("ana"));
        async move { store.block(&ana, &user(other), limit).await.unwrap() }
    };
    assert_eq!(at_most("bob", 0).await, None);
    let first = at_most("bob", 2).await;
    assert!(first.is_some() && at_most("cem", 2).await.is_some());
    assert_eq!(at_most("dee", 2).await, None);
    assert_eq!(at_most("bob", 2).await, first, "one that is in force is no further one");
    assert_eq!(blocked(bench, "ana").await, [("cem".to_owned(), 2), ("bob".to_owned(), 1)]);
    unblock(bench, "ana", "cem").await.unwrap();
    assert_eq!(at_most("dee", 2).await.unwrap().revision, 4, "there is room again");
}

async fn of_many_blocks_at_once_each_is_a_change_and_the_limit_holds(bench: &Bench) {
    let mut tasks = JoinSet::new();
    for at in 0..20 {
        let store = bench.node().clone();
        // Each twice.
        let other = user(&format!("user-{}", at / 2));
        tasks.spawn(async move { store.block(&user("ana"), &other, 7).await.unwrap() });
    }
    let made = tasks.join_all().await;
    let made = sorted(made.into_iter().flatten().map(|block| block.revision));
    let all = blocked(bench, "ana").await;
    assert_eq!(sorted(all.iter().map(|(_, revision)| *revision)), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(made, (1..=7).flat_map(|revision| [revision; 2]).collect::<Vec<u32>>());
}

async fn a_block_that_is_taken_back_is_none_and_can_be_made_anew(bench: &Bench) {
    assert_eq!(unblock(bench, "ana", "bob").await, None);
    let made = block(bench, "ana", "bob").await;
    block(bench, "ana", "cem").await;
    assert_eq!(unblock(bench, "ana", "dee").await, None, "there was never one");
    let gone = unblock(bench, "ana", "bob").await.unwrap();
    assert_eq!((gone.user.clone(), gone.blocked, gone.revision), (user("bob"), false, 3));
    assert!(gone.at >= made.at);
    assert_eq!(unblock(bench, "ana", "bob").await, Some(gone), "once is enough");
    assert_eq!(blocked(bench, "ana").await, [("cem".to_owned(), 2)]);
    assert_eq!(bench.node().blocked_between(&user("ana"), &[user("bob")]).await.unwrap(), []);
    let anew = block(bench, "ana", "bob").await;
    assert_eq!((anew.blocked, anew.revision), (true, 4));
    assert_eq!(blocked(bench, "ana").await, [("bob".to_owned(), 4), ("cem".to_owned(), 2)]);
}

async fn blocks_come_the_newest_first_page_by_page(bench: &Bench) {
    assert_eq!(blocked(bench, "ana").await, []);
    for at in 1..=7 {
        block(bench, "ana", &format!("user-{at}")).await;
    }
    unblock(bench, "ana", "user-4").await;
    let page = |below, limit| {
        let store = bench.node().clone();
        async move {
            let page = store.blocks(&user("ana"), below, limit).await.unwrap();
            page.into_iter().map(|block| block.revision).collect::<Vec<_>>()
        }
    };
    assert_eq!(page(u32::MAX, 3).await, [7, 6, 5]);
    assert_eq!(page(5, 2).await, [3, 2]);
    assert_eq!(page(2, 10).await, [1]);
    assert!(page(1, 10).await.is_empty());
    assert!(page(u32::MAX, 0).await.is_empty());
}

async fn changed_blocks_are_those_since_as_they_are_now(bench: &Bench) {
    let first = block(bench, "ana", "bob").await;
    block(bench, "ana", "cem").await;
    let since = bench.later().await;
    assert_eq!(bench.node().changed_blocks(&user("ana"), since).await.unwrap(), []);
    block(bench, "ana", "dee").await;
    unblock(bench, "ana", "cem").await;
    unblock(bench, "ana", "dee").await;
    block(bench, "ana", "dee").await;
    let changed = async |since| {
        let changed = bench.node().changed_blocks(&user("ana"), since).await.unwrap();
        let changed = changed.into_iter().map(|b| (b.user.to_string(), b.blocked, b.revision));
        changed.collect::<Vec<_>>()
    };
    let of = |name: &str, blocked, revision| (name.to_owned(), blocked, revision);
    assert_eq!(changed(since).await, [of("cem", false, 4), of("dee", true, 6)]);
    let all = [of("bob", true, 1), of("cem", false, 4), of("dee", true, 6)];
    assert_eq!(changed(first.at).await, all, "at that time, too");
    let later = bench.later().await;
    assert_eq!(changed(later).await, []);
    assert_eq!(bench.node().changed_blocks(&user("eve"), Timestamp(0)).await.unwrap(), []);
}

async fn of_blocks_taken_back_the_newest_are_remembered(bench: &Bench) {
    let others: Vec<String> = (0..UNBLOCKED_KEPT + 2).map(|at| format!("user-{at}")).collect();
    block(bench, "ana", "stays").await;
    for other in &others {
        block(bench, "ana", other).await;
        unblock(bench, "ana", other).await.unwrap();
    }
    let changed = bench.node().changed_blocks(&user("ana"), Timestamp(0)).await.unwrap();
    let names: Vec<_> = changed.iter().map(|block| block.user.as_str()).collect();
    let kept = others[2..].iter().map(String::as_str);
    assert_eq!(names, ["stays"].into_iter().chain(kept).collect::<Vec<_>>());
    assert!(changed[1..].iter().all(|block| !block.blocked));
    assert_eq!(unblock(bench, "ana", "user-0").await, None, "it is forgotten");
    assert!(unblock(bench, "ana", "user-2").await.is_some());
}

async fn a_block_is_between_both(bench: &Bench) {
    block(bench, "ana", "bob").await;
    block(bench, "cem", "ana").await;
    block(bench, "bob", "cem").await;
    let between = async |of: &str, others: &[&str]| {
        let others: Vec<UserId> = others.iter().map(|other| user(other)).collect();
        bench.node().blocked_between(&user(of), &others).await.unwrap()
    };
    assert_eq!(between("ana", &["dee", "cem", "bob", "cem"]).await, ["bob", "cem"].map(user));
    assert_eq!(between("bob", &["ana", "dee"]).await, ["ana"].map(user));
    assert_eq!(between("cem", &["bob", "ana"]).await, ["ana", "bob"].map(user));
    assert_eq!(between("dee", &["ana", "bob", "cem"]).await, []);
    assert_eq!(between("ana", &[]).await, []);
    let many: Vec<UserId> = (0..10_000).map(|at| user(&format!("user-{at}"))).collect();
    block(bench, "user-9999", "ana").await;
    block(bench, "ana", "user-7").await;
    let found = bench.node().blocked_between(&user("ana"), &many).await.unwrap();
    assert_eq!(found, ["user-7", "user-9999"].map(user));
}

async fn reserves_are_what_is_kept_from_others(bench: &Bench) {
    for other in ["cem", "bob", "dee"] {
        block(bench, "ana", other).await;
    }
    unblock(bench, "ana", "cem").await;
    bench.node().put_privacy(&user("bob"), Some(true), None).await.unwrap();
    let asked = ["eve", "bob", "ana", "bob"].map(user);
    let mut found = bench.node().reserves(&asked).await.unwrap();
    found.sort_by(|a, b| a.user.cmp(&b.user));
    let ana = Reserve {
        user: user("ana"),
        blocked: vec![user("bob"), user("dee")],
        privacy: Privacy::default(),
    };
    let privacy = Privacy { hide_last_active: true, hide_read_receipts: false };
    let bob = Reserve { privacy, ..Reserve::none(user("bob")) };
    found.retain(|reserve| *reserve != Reserve::none(user("eve")));
    assert_eq!(found, [ana, bob]);
    // To keep something from others is not to be met.
    assert_eq!(bench.node().users(&asked).await.unwrap(), []);
}

async fn privacy_changes_by_parts(bench: &Bench) {
    let put = async |last_active, reads| {
        let hides = bench.node().put_privacy(&user("ana"), last_active, reads).await.unwrap();
        (hides.hide_last_active, hides.hide_read_receipts)
    };
    assert_eq!(put(None, None).await, (false, false));
    assert_eq!(put(None, Some(true)).await, (false, true));
    assert_eq!(put(Some(true), None).await, (true, true));
    assert_eq!(put(None, None).await, (true, true));
    assert_eq!(put(Some(false), Some(true)).await, (false, true));
    block(bench, "ana", "bob").await;
    assert_eq!(put(None, Some(false)).await, (false, false));
    assert_eq!(blocked(bench, "ana").await, [("bob".to_owned(), 1)], "blocks are apart");
}

async fn shared_chats_are_those_of_both(bench: &Bench) {
    let direct = bench.create(bench.new_direct("ana", "bob")).await;
    let group = bench.group(&["cem", "ana", "bob"]).await;
    bench.group(&["bob", "dee"]).await;
    let shared = async |of: &str, others: &[&str]| {
        let others: Vec<UserId> = others.iter().map(|other| user(other)).collect();
        let found = bench.node().shared(&user(of), &others).await.unwrap();
        sorted(found.into_iter().map(|of| (of.user.to_string(), of.chat, of.now)))
    };
    let with = |other: &str, chat| (other.to_owned(), chat, true);
    let want = [with("bob", direct), with("bob", group), with("cem", group)];
    assert_eq!(shared("ana", &["bob", "cem", "dee", "bob", "eve"]).await, sorted(want));
    assert_eq!(shared("dee", &["ana", "cem"]).await, []);
    assert_eq!(shared("eve", &["ana", "bob"]).await, []);
    assert_eq!(shared("ana", &[]).await, []);
}

async fn receipts_that_are_touched_count_as_changed(bench: &Bench) {
    let (chat, other) = (bench.group(&["ana", "bob"]).await, bench.group(&["ana"]).await);
    let mark = adda::store::Mark {
        user: user("ana"),
        chat,
        delivered: Vec::new(),
        read: vec![run(1, 2)],
        seen: Default::default(),
    };
    bench.node().mark(vec![mark]).await.unwrap();
    let since = bench.later().await;
    bench.node().touch_receipts(chat).await.unwrap();
    let found = bench.node().changed_receipts(&[chat, other], since, 10).await.unwrap();
    let found = sorted(found.into_iter().map(|member| (member.user.to_string(), member.read.to())));
    assert_eq!(found, [("ana".to_owned(), 2), ("bob".to_owned(), 0)]);
    bench.node().touch_receipts(bench.chat_id()).await.unwrap();
}

async fn a_chat_is_found_by_its_key_as_making_it_would(bench: &Bench) {
    let new = bench.new_direct("ana", "bob");
    let (key, hash) = (new.key.clone().unwrap(), new.content_hash);
    assert_eq!(bench.node().find_chat(&key, hash).await.unwrap(), None);
    bench.create(new.clone()).await;
    let found = bench.node().find_chat(&key, hash).await.unwrap();
    assert_eq!(found, Some(Created::Chat(new.chat, false)));
    let found = bench.node().find_chat(&key, [9; 16]).await.unwrap();
    assert_eq!(found, Some(Created::Reused));
    assert_eq!(bench.node().find_chat("d|ana|cem", hash).await.unwrap(), None);
}
