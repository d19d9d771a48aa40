//! Work that some node must do, and turns at reading the log.

use std::time::Duration;

use adda::model::{MessageId, NodeId};
use adda::store::turn::Turn;
use adda::store::{Job, NewJob};
use tokio::task::JoinSet;

use super::{Bench, on_every_store, sorted};
use crate::world::eventually;

on_every_store!(
    work_is_due_at_once_and_as_it_was_noted,
    work_that_is_known_stays_as_it_is,
    what_is_taken_nobody_else_gets_until_its_lease_is_over,
    of_many_who_take_at_once_each_gets_other_work,
    no_more_is_taken_than_asked_for_the_longest_due_first,
    finished_work_is_gone_and_remembered,
    what_is_put_off_comes_later_and_counts_its_attempts,
    what_is_noted_for_later_is_not_due_before,
    what_is_put_forward_is_due_at_once,
    queues_are_apart,
    a_turn_is_of_one_holder_until_its_lease_is_over,
    a_turn_remembers_how_far_it_came,
    who_has_lost_the_turn_moves_nothing,
    what_was_stored_before_the_first_turn_is_read_in_it,
);

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(200);

fn job(id: &str) -> NewJob {
    NewJob { id: id.to_owned(), body: format!("$body of {id}\0").into_bytes() }
}

async fn put(bench: &Bench, ids: &[&str]) {
    bench.node().put_jobs("q", ids.iter().map(|id| job(id)).collect()).await.unwrap();
}

async fn take(bench: &Bench, lease: Duration) -> Vec<Job> {
    bench.node().take_jobs("q", lease, 100).await.unwrap()
}

fn ids(jobs: &[Job]) -> Vec<&str> {
    sorted(jobs.iter().map(|job| job.id.as_str()))
}

async fn work_is_due_at_once_and_as_it_was_noted(bench: &Bench) {
    let before = bench.node().now().await.unwrap();
    put(bench, &["a", "$b", "c|d"]).await;
    let taken = take(bench, LONG).await;
    assert_eq!(ids(&taken), ["$b", "a", "c|d"]);
    for taken in taken {
        assert_eq!((taken.attempts, taken.body), (0, job(&taken.id).body));
        assert!(taken.noted_at >= before);
    }
    bench.node().put_jobs("q", Vec::new()).await.unwrap();
}

async fn work_that_is_known_stays_as_it_is(bench: &Bench) {
    put(bench, &["a"]).await;
    assert_eq!(take(bench, LONG).await.len(), 1);
    let other = NewJob { id: "a".to_owned(), body: b"other".to_vec() };
    bench.node().put_jobs("q", vec![other]).await.unwrap();
    assert!(take(bench, LONG).await.is_empty(), "it is not due anew");
    bench.node().put_off_job("q", "a", Duration::ZERO).await.unwrap();
    assert_eq!(take(bench, LONG).await[0].body, job("a").body);
}

async fn what_is_taken_nobody_else_gets_until_its_lease_is_over(bench: &Bench) {
    put(bench, &["a"]).await;
    assert_eq!(take(bench, SHORT).await.len(), 1);
    let again = eventually("it is given again", async || take(bench, LONG).await.pop()).await;
    assert_eq!((again.id.as_str(), again.attempts), ("a", 0));
    assert!(take(bench, LONG).await.is_empty());
}

async fn of_many_who_take_at_once_each_gets_other_work(bench: &Bench) {
    let names: Vec<String> = (0..60).map(|at| format!("j{at:02}")).collect();
    put(bench, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = std::sync::Arc::clone(bench.node());
        tasks.spawn(async move {
            let mut own = Vec::new();
            loop {
                let taken = store.take_jobs("q", LONG, 5).await.unwrap();
                if taken.is_empty() && store.take_jobs("q", LONG, 60).await.unwrap().is_empty() {
                    return own;
                }
                own.extend(taken.into_iter().map(|job| job.id));
            }
        });
    }
    let all: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
    let distinct = sorted(all.iter().cloned()).len();
    assert_eq!(all.len(), distinct, "nothing was given twice");
}

async fn no_more_is_taken_than_asked_for_the_longest_due_first(bench: &Bench) {
    for id in ["c", "b", "a"] {
        put(bench, &[id]).await;
        bench.later().await;
    }
    let first = bench.node().take_jobs("q", LONG, 2).await.unwrap();
    assert_eq!(first.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    assert_eq!(ids(&take(bench, LONG).await), ["a"]);
}

async fn finished_work_is_gone_and_remembered(bench: &Bench) {
    put(bench, &["a", "b"]).await;
    assert_eq!(bench.node().count_jobs("q").await.unwrap(), 2);
    take(bench, Duration::ZERO).await;
    bench.node().finish_jobs("q", &["a".to_owned(), "unknown".to_owned()]).await.unwrap();
    bench.node().finish_jobs("q", &[]).await.unwrap();
    assert_eq!(bench.node().count_jobs("q").await.unwrap(), 1);
    put(bench, &["a"]).await;
    bench.node().put_off_job("q", "a", Duration::ZERO).await.unwrap();
    assert_eq!(ids(&take(bench, LONG).await), ["b"], "noting it again does nothing");
}

async fn what_is_put_off_comes_later_and_counts_its_attempts(bench: &Bench) {
    put(bench, &["a"]).await;
    take(bench, LONG).await;
    bench.node().put_off_job("q", "a", LONG).await.unwrap();
    assert!(take(bench, LONG).await.is_empty());
    bench.node().put_off_job("q", "a", SHORT).await.unwrap();
    let again = eventually("it is due again", async || take(bench, LONG).await.pop()).await;
    assert_eq!(again.attempts, 2);
}

async fn what_is_noted_for_later_is_not_due_before(bench: &Bench) {
    bench.node().put_job_later("q", job("far"), LONG).await.unwrap();
    bench.node().put_job_later("q", job("near"), SHORT).await.unwrap();
    bench.node().put_job_later("q", job("near"), LONG).await.unwrap();
    assert_eq!(bench.node().count_jobs("q").await.unwrap(), 2);
    let due = async || Some(take(bench, LONG).await).filter(|due| !due.is_empty());
    let due = eventually("the one that was noted for soon", due).await;
    assert_eq!(ids(&due), ["near"]);
}

async fn what_is_put_forward_is_due_at_once(bench: &Bench) {
    let store = bench.node();
    for id in ["$a|", "$a|1", "$a|2|x", "$a|done", "$a", "$aa|1", "$A|1", "b"] {
        store.put_job_later("q", job(id), LONG).await.unwrap();
    }
    store.put_job_later("q2", job("$a|1"), LONG).await.unwrap();
    store.finish_jobs("q", &["$a|done".to_owned()]).await.unwrap();
    store.put_jobs_forward("q", "none").await.unwrap();
    assert!(take(bench, LONG).await.is_empty());
    store.put_jobs_forward("q", "$a|").await.unwrap();
    let taken = take(bench, LONG).await;
    assert_eq!(ids(&taken), ["$a|", "$a|1", "$a|2|x"]);
    assert!(taken.iter().all(|job| job.attempts == 0));
    assert!(store.take_jobs("q2", LONG, 10).await.unwrap().is_empty());
    store.put_jobs_forward("q", "$a|1").await.unwrap();
    assert_eq!(ids(&take(bench, LONG).await), ["$a|1"], "it may be given to another");
}

async fn queues_are_apart(bench: &Bench) {
    put(bench, &["a"]).await;
    bench.node().put_jobs("q2", vec![job("a")]).await.unwrap();
    assert_eq!(ids(&bench.node().take_jobs("q2", LONG, 10).await.unwrap()), ["a"]);
    assert_eq!(ids(&take(bench, LONG).await), ["a"]);
    bench.node().finish_jobs("q2", &["a".to_owned()]).await.unwrap();
    assert_eq!(bench.node().count_jobs("q").await.unwrap(), 1);
    assert_eq!(bench.node().count_jobs("q2").await.unwrap(), 0);
}

fn node(name: &str) -> NodeId {
    NodeId::new(name)
}

async fn turn(bench: &Bench, holder: &str, lease: Duration, start: MessageId) -> Option<MessageId> {
    bench.node().take_turn("log", &node(holder), lease, start).await.unwrap()
}

async fn a_turn_is_of_one_holder_until_its_lease_is_over(bench: &Bench) {
    let start = MessageId(bench.clock.new_id());
    assert_eq!(turn(bench, "$a", SHORT, start).await, Some(start));
    assert_eq!(turn(bench, "$a", LONG, start).await, Some(start), "its holder keeps it");
    assert_eq!(turn(bench, "b", LONG, start).await, None);
    assert_eq!(turn(bench, "$a", Duration::ZERO, start).await, Some(start));
    let taken = eventually("the lease is over", async || turn(bench, "b", LONG, start).await).await;
    assert_eq!(taken, start);
    assert_eq!(turn(bench, "$a", LONG, start).await, None);
}

async fn a_turn_remembers_how_far_it_came(bench: &Bench) {
    let (start, next) = (MessageId(bench.clock.new_id()), MessageId(bench.clock.new_id()));
    assert_eq!(turn(bench, "a", Duration::ZERO, start).await, Some(start));
    assert!(bench.node().move_turn("log", &node("a"), next).await.unwrap());
    let later = MessageId(bench.clock.new_id());
    let taken = eventually("b gets it", async || turn(bench, "b", LONG, later).await).await;
    assert_eq!(taken, next, "not from where a newcomer would start");
}

async fn who_has_lost_the_turn_moves_nothing(bench: &Bench) {
    let (start, next) = (MessageId(bench.clock.new_id()), MessageId(bench.clock.new_id()));
    assert!(!bench.node().move_turn("log", &node("a"), next).await.unwrap(), "nobody has it");
    turn(bench, "a", Duration::ZERO, start).await;
    eventually("b gets it", async || turn(bench, "b", LONG, start).await).await;
    assert!(!bench.node().move_turn("log", &node("a"), next).await.unwrap());
    assert_eq!(turn(bench, "b", LONG, start).await, Some(start));
}

async fn what_was_stored_before_the_first_turn_is_read_in_it(bench: &Bench) {
    let id = bench.group(&["ana", "bob"]).await;
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(bench.send(id, "ana").await.id);
        bench.later().await;
    }
    let holder = node("a");
    let turn = Turn { name: "log", holder: &holder, lease: LONG, page: 2 };
    // Once all of it has been there for a while: longer than whoever stored it has lived, say.
    let until = bench.clock.now().plus(LONG);
    let store = bench.node();
    let mut read = Vec::new();
    loop {
        let page = turn.next(&**store, until).await.unwrap().expect("nobody else has it");
        let Some(last) = page.messages.last().map(|message| message.id) else { break };
        read.extend(page.messages.iter().map(|message| message.id));
        assert!(turn.move_on(&**store, last).await.unwrap());
    }
    assert!(read.ends_with(&sent), "{read:?}");
    let page = turn.next(&**store, bench.clock.now().minus(LONG)).await.unwrap().unwrap();
    assert!(page.messages.is_empty() && !page.more, "what is younger waits");
    let other = node("b");
    let other = Turn { holder: &other, ..turn };
    assert!(other.next(&**store, until).await.unwrap().is_none());
}
