//! Receipts: sets that only grow.

use adda::clock::Timestamp;
use adda::model::{ChatId, Run, SeqSet};
use adda::store::Mark;
use tokio::task::JoinSet;

use super::{Bench, on_every_store, run, sorted, user};

on_every_store!(
    a_mark_is_joined_and_answered,
    what_is_read_is_delivered,
    joining_is_free_of_order_and_of_repeats,
    marks_of_many_at_once_lose_nothing,
    who_is_no_member_marks_nothing,
    answers_come_in_the_order_of_the_marks,
    marks_of_one_member_in_one_call_all_count,
    sets_of_many_runs_are_kept,
    the_highest_seqs_can_be_marked,
    changed_receipts_are_those_since,
    changed_receipts_keep_to_the_limit,
);

fn mark(chat: ChatId, name: &str, delivered: &[(u32, u32)], read: &[(u32, u32)]) -> Mark {
    let runs = |list: &[(u32, u32)]| -> Vec<Run> {
        list.iter().map(|(first, last)| run(*first, *last)).collect()
    };
    let seen = <(SeqSet, SeqSet)>::default();
    Mark { user: user(name), chat, delivered: runs(delivered), read: runs(read), seen }
}

fn set(runs: &[(u32, u32)]) -> SeqSet {
    SeqSet::from_parts(0, runs.iter().map(|(first, last)| run(*first, *last)))
}

/// As they stand in the store, from another node.
async fn sets(bench: &Bench, chat: ChatId, name: &str) -> (SeqSet, SeqSet) {
    let member = bench.node().member(chat, &user(name)).await.unwrap().unwrap();
    (member.delivered, member.read)
}

async fn a_mark_is_joined_and_answered(bench: &Bench) {
    let chat = bench.group(&["ana", "bob"]).await;
    for (delivered, want) in [
        (vec![(1, 1)], vec![(1, 1)]),
        (vec![(5, 7)], vec![(1, 1), (5, 7)]),
        (vec![(9, 9), (3, 3)], vec![(1, 1), (3, 3), (5, 7), (9, 9)]),
        (vec![(2, 4)], vec![(1, 7), (9, 9)]),
        (vec![(8, 8)], vec![(1, 9)]),
        (vec![(4, 20)], vec![(1, 20)]),
        (vec![], vec![(1, 20)]),
    ] {
        let answer = bench.node().mark(vec![mark(chat, "ana", &delivered, &[])]).await.unwrap();
        let want = (set(&want), SeqSet::default());
        assert_eq!(answer, [Some(want.clone())], "{delivered:?}");
        assert_eq!(sets(bench, chat, "ana").await, want);
    }
    assert_eq!(sets(bench, chat, "bob").await, (SeqSet::default(), SeqSet::default()));
}

async fn what_is_read_is_delivered(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let answer = bench.node().mark(vec![mark(chat, "ana", &[(1, 2)], &[(4, 6)])]).await.unwrap();
    assert_eq!(answer, [Some((set(&[(1, 2), (4, 6)]), set(&[(4, 6)])))]);
    let answer = bench.node().mark(vec![mark(chat, "ana", &[], &[(1, 4)])]).await.unwrap();
    assert_eq!(answer, [Some((set(&[(1, 6)]), set(&[(1, 6)])))]);
    assert_eq!(sets(bench, chat, "ana").await, (set(&[(1, 6)]), set(&[(1, 6)])));
}

async fn joining_is_free_of_order_and_of_repeats(bench: &Bench) {
    let (one, two) = (bench.group(&["ana"]).await, bench.group(&["ana"]).await);
    let marks = |chat| {
        vec![
            mark(chat, "ana", &[(3, 5)], &[]),
            mark(chat, "ana", &[(1, 1)], &[(9, 9)]),
            mark(chat, "ana", &[], &[(4, 4), (6, 7)]),
            mark(chat, "ana", &[(2, 2)], &[(1, 1)]),
        ]
    };
    for at in [0, 1, 2, 3] {
        bench.node().mark(vec![marks(one)[at].clone()]).await.unwrap();
    }
    for at in [3, 1, 2, 2, 0, 1, 3, 3] {
        bench.node().mark(vec![marks(two)[at].clone()]).await.unwrap();
    }
    let want = (set(&[(1, 7), (9, 9)]), set(&[(1, 1), (4, 4), (6, 7), (9, 9)]));
    assert_eq!(sets(bench, one, "ana").await, want);
    assert_eq!(sets(bench, two, "ana").await, want);
}

async fn marks_of_many_at_once_lose_nothing(bench: &Bench) {
    const TASKS: u32 = 12;
    const EACH: u32 = 10;
    let chat = bench.group(&["ana", "bob"]).await;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = bench.node().clone();
        tasks.spawn(async move {
            // What this task has seen last is out of date, and of some tasks always empty.
            let mut seen = [(); 2].map(|()| <(SeqSet, SeqSet)>::default());
            for at in 0..EACH {
                // The numbers of the tasks interlock; a third of them is only delivered.
                let seq = 1 + at * TASKS + task;
                let read: &[(u32, u32)] = if task % 3 == 0 { &[] } else { &[(seq, seq)] };
                let mut marks = vec![
                    mark(chat, "ana", &[(seq, seq)], read),
                    mark(chat, "bob", &[(seq, seq)], &[]),
                ];
                for (mark, seen) in marks.iter_mut().zip(&seen) {
                    mark.seen = seen.clone();
                }
                for (answer, seen) in store.mark(marks).await.unwrap().into_iter().zip(&mut seen) {
                    let sets = answer.expect("a member");
                    assert!(sets.0.contains(seq));
                    if task % 4 != 0 {
                        *seen = sets;
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    let all = set(&[(1, TASKS * EACH)]);
    let read = (1..=TASKS * EACH).filter(|seq| (seq - 1) % 3 != 0).map(|seq| run(seq, seq));
    let read = SeqSet::from_parts(0, read);
    assert_eq!(sets(bench, chat, "ana").await, (all.clone(), read));
    assert_eq!(sets(bench, chat, "bob").await, (all, SeqSet::default()));
}

async fn who_is_no_member_marks_nothing(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let nowhere = bench.chat_id();
    let marks = vec![mark(chat, "eve", &[(1, 1)], &[(1, 1)]), mark(nowhere, "ana", &[(1, 1)], &[])];
    assert_eq!(bench.node().mark(marks).await.unwrap(), [None, None]);
    assert_eq!(bench.node().member(chat, &user("eve")).await.unwrap(), None);
    assert_eq!(bench.node().member(nowhere, &user("ana")).await.unwrap(), None);
    assert_eq!(bench.node().memberships(&user("eve")).await.unwrap(), []);
    assert_eq!(bench.node().members(chat).await.unwrap().len(), 1);
}

async fn answers_come_in_the_order_of_the_marks(bench: &Bench) {
    let one = bench.group(&["ana", "bob"]).await;
    let two = bench.group(&["bob"]).await;
    let marks = vec![
        mark(two, "bob", &[(1, 3)], &[]),
        mark(two, "ana", &[(1, 1)], &[]),
        mark(one, "ana", &[(1, 1)], &[]),
        mark(one, "bob", &[(1, 2)], &[(1, 1)]),
    ];
    let none = SeqSet::default;
    let want = [
        Some((set(&[(1, 3)]), none())),
        None,
        Some((set(&[(1, 1)]), none())),
        Some((set(&[(1, 2)]), set(&[(1, 1)]))),
    ];
    assert_eq!(bench.node().mark(marks).await.unwrap(), want);
}

async fn marks_of_one_member_in_one_call_all_count(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let marks = vec![
        mark(chat, "ana", &[(5, 5)], &[]),
        mark(chat, "ana", &[(1, 1)], &[]),
        mark(chat, "ana", &[], &[(3, 3)]),
    ];
    let answers = bench.node().mark(marks).await.unwrap();
    let want = (set(&[(1, 1), (3, 3), (5, 5)]), set(&[(3, 3)]));
    assert_eq!(answers.last().unwrap().as_ref(), Some(&want));
    for (answer, seq) in answers.iter().zip([5, 1, 3]) {
        assert!(answer.as_ref().unwrap().0.contains(seq));
    }
    assert_eq!(sets(bench, chat, "ana").await, want);
}

async fn sets_of_many_runs_are_kept(bench: &Bench) {
    let chat = bench.group(&["ana"]).await;
    let runs: Vec<(u32, u32)> = (0..400).map(|at| (3 + 3 * at, 4 + 3 * at)).collect();
    let answer = bench.node().mark(vec![mark(chat, "ana", &runs, &runs)]).await.unwrap();
    let want = (set(&runs), set(&runs));
    assert_eq!(answer, [Some(want.clone())]);
    assert_eq!(sets(bench, chat, "ana").await, want);
    let places = bench.node().memberships(&user("ana")).await.unwrap();
    assert_eq!(places[0].read, want.1);
}

async fn the_highest_seqs_can_be_marked(bench: &Bench) {
    let max = adda::model::MAX_SEQ;
    let chat = bench.group(&["ana"]).await;
    bench.node().mark(vec![mark(chat, "ana", &[(max, max)], &[])]).await.unwrap();
    assert_eq!(sets(bench, chat, "ana").await.0, set(&[(max, max)]));
    bench.node().mark(vec![mark(chat, "ana", &[(1, max)], &[(1, max)])]).await.unwrap();
    assert_eq!(sets(bench, chat, "ana").await, (SeqSet::up_to(max), SeqSet::up_to(max)));
}

async fn changed_receipts_are_those_since(bench: &Bench) {
    let (one, two) = (bench.group(&["ana", "bob"]).await, bench.group(&["ana"]).await);
    let not_asked = bench.group(&["ana"]).await;
    bench.node().mark(vec![mark(one, "ana", &[(1, 1)], &[])]).await.unwrap();
    let since = bench.later().await;
    let marks = vec![
        mark(one, "bob", &[(1, 2)], &[(2, 2)]),
        mark(two, "ana", &[(1, 1)], &[]),
        mark(not_asked, "ana", &[(1, 1)], &[]),
    ];
    bench.node().mark(marks).await.unwrap();
    let asked = [one, two, one, bench.chat_id()];
    let found = bench.node().changed_receipts(&asked, since, 100).await.unwrap();
    for member in &found {
        let there = bench.node().member(member.chat, &member.user).await.unwrap();
        assert_eq!(there.as_ref(), Some(member));
    }
    let places = |found: Vec<adda::model::Member>| {
        sorted(found.into_iter().map(|member| (member.chat, member.user)))
    };
    assert_eq!(places(found), sorted([(one, user("bob")), (two, user("ana"))]));
    let all = bench.node().changed_receipts(&asked, Timestamp(0), 100).await.unwrap();
    let want = sorted([(one, user("ana")), (one, user("bob")), (two, user("ana"))]);
    assert_eq!(places(all), want);
    let since = bench.later().await;
    assert_eq!(bench.node().changed_receipts(&asked, since, 100).await.unwrap(), []);
}

async fn changed_receipts_keep_to_the_limit(bench: &Bench) {
    let chat = bench.group(&["ana", "bob", "cem"]).await;
    let marks = ["ana", "bob", "cem"].map(|name| mark(chat, name, &[(1, 1)], &[]));
    bench.node().mark(marks.to_vec()).await.unwrap();
    for limit in [0, 1, 2, 3, 4] {
        let found = bench.node().changed_receipts(&[chat], Timestamp(0), limit).await.unwrap();
        assert_eq!(found.len(), usize::try_from(limit.min(3)).unwrap());
    }
}
