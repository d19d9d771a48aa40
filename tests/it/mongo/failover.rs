//! The commit rule while primaries come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use adda::model::{ChatId, MessageId, Seq};
use adda::store::Store;
use mongodb::bson::doc;

use super::{append_surely, assert_sound, clock, group, log_of, message};
use crate::infra::mongo::stores;
use crate::infra::mongod::ReplicaSet;
use crate::infra::process::until;

/// What a client was told: client id to (id, seq).
type Told = BTreeMap<String, (MessageId, Seq)>;

const SENDERS: usize = 12;

/// Everyone sends, one after the other, until told to stop.
struct Load {
    acknowledged: AtomicU32,
    stop: AtomicBool,
}

impl Load {
    async fn send(self: Arc<Self>, store: Arc<dyn Store>, chat: ChatId, sender: usize) -> Told {
        let mut told = Told::new();
        let mut n = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let id = format!("{sender}-{n}");
            let appended = append_surely(&*store, message(chat, "ann", &id)).await;
            told.insert(id, (appended.message.id, appended.message.seq));
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
            n += 1;
        }
        told
    }

    /// Waits until this many more were acknowledged.
    async fn more(&self, count: u32) {
        let goal = self.acknowledged.load(Ordering::Relaxed) + count;
        let there = until(async || self.acknowledged.load(Ordering::Relaxed) >= goal).await;
        assert!(there, "the senders are stuck");
    }
}

/// Two nodes, three chats and many senders on a set of three, while `harm` is done to it.
async fn under_load(harm: impl AsyncFnOnce(&mut ReplicaSet, &Load)) {
    let Some(mut set) = ReplicaSet::own(3).await else { return };
    let nodes = stores(&set.uri(), 2, clock()).await;
    let mut chats = Vec::new();
    for _ in 0..3 {
        chats.push(group(&*nodes[0], &["ann"]).await);
    }
    let load = Arc::new(Load { acknowledged: AtomicU32::new(0), stop: AtomicBool::new(false) });
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (store, chat) = (nodes[sender % 2].clone(), chats[sender % 3]);
            tokio::spawn(load.clone().send(store, chat, sender))
        })
        .collect();
    load.more(200).await;
    harm(&mut set, &load).await;
    load.more(200).await;
    load.stop.store(true, Ordering::Relaxed);

    let mut told = vec![Told::new(); 3];
    for (sender, task) in senders.into_iter().enumerate() {
        told[sender % 3].extend(task.await.expect("a sender ends well"));
    }
    for (chat, told) in chats.into_iter().zip(told) {
        let log = log_of(&*nodes[0], chat).await;
        assert_sound(&log);
        // Nothing was sent that was not acknowledged in the end, so the two are the same.
        assert_eq!(log.len(), told.len());
        for (client_id, (id, seq)) in told {
            let message = &log[seq as usize - 1];
            assert_eq!((&message.client_message_id, message.id), (&client_id, id));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_failover_makes_a_hole_or_loses_or_doubles_a_message() {
    under_load(async |set, load| {
        set.step_down().await;
        load.more(200).await;
        set.step_down().await;
        load.more(200).await;
        set.kill(set.primary().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_primary_wrote_alone_is_written_again() {
    under_load(async |set, load| {
        let mut tries = 0;
        let (primary, others) = loop {
            let primary = set.primary().await;
            let others: Vec<_> = (0..3).filter(|member| *member != primary).collect();
            for member in &others {
                set.pause(*member);
            }
            // It writes on, and nobody follows: this is what the others will never have.
            let alone = until(async || {
                let written = count(set, primary, "local").await;
                let followed = count(set, primary, "majority").await;
                written.zip(followed).is_some_and(|(written, followed)| written > followed)
            });
            if let Ok(true) = tokio::time::timeout(Duration::from_secs(10), alone).await {
                break (primary, others);
            }
            // It was primary no more when the others were stopped, or for too short a time.
            tries += 1;
            assert!(tries < 10, "nothing was written that the others lack");
            for member in &others {
                set.resume(*member);
            }
            load.more(20).await;
        };
        set.kill(primary);
        for member in &others {
            set.resume(*member);
        }
        load.more(200).await;
        set.restart(primary).await;
        load.more(200).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_hangs_and_comes_back_does_no_harm() {
    under_load(async |set, load| {
        let hanging = set.primary().await;
        set.pause(hanging);
        // Answers now come from another, while what this one was sent still waits in it.
        load.more(200).await;
        set.resume(hanging);
        load.more(200).await;
    })
    .await;
}

/// All of it, again and again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn soak() {
    under_load(async |set, load| {
        for round in 0..20 {
            eprintln!("round {round}");
            let primary = set.primary().await;
            match round % 3 {
                0 => set.step_down().await,
                1 => {
                    set.kill(primary);
                    load.more(100).await;
                    set.restart(primary).await;
                }
                _ => {
                    set.pause(primary);
                    load.more(100).await;
                    set.resume(primary);
                }
            }
            load.more(300).await;
        }
    })
    .await;
}

/// How many messages a member has, by this read concern, if it answers.
async fn count(set: &ReplicaSet, member: usize, concern: &str) -> Option<i32> {
    // With a query they are counted, without one mongod tells a figure that knows no read concern.
    let query = doc! { "seq": { "$gte": 0 } };
    let concern = doc! { "level": concern };
    let command = doc! { "count": "messages", "query": query, "readConcern": concern };
    let answer = set.members[member].ask("adda", command).await.ok()?;
    Some(answer.get_i32("n").expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_an_append_is_given_up_and_its_repeat_finds_it() {
    let Some(mut set) = ReplicaSet::own(3).await else { return };
    let store = stores(&set.uri(), 1, clock()).await.remove(0);
    let chat = group(&*store, &["ann"]).await;
    store.append(message(chat, "ann", "before")).await.unwrap();
    let primary = set.primary().await;
    let others: Vec<_> = (0..3).filter(|member| *member != primary).collect();
    for member in &others {
        set.kill(*member);
    }
    // Whether it was written nobody can know; only that nobody is told so.
    let outcome = store.append(message(chat, "ann", "meanwhile")).await;
    assert!(matches!(outcome, Err(adda::store::AppendError::Store(_))), "{outcome:?}");
    for member in others {
        set.restart(member).await;
    }
    append_surely(&*store, message(chat, "ann", "meanwhile")).await;
    let log = log_of(&*store, chat).await;
    assert_eq!(log.len(), 2);
    assert_sound(&log);
}
