//! What comes in quiet hours rings once, at their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adda::clock::{Clock, SystemClock, Timestamp};
use adda::proto::{self, QuietHours};
use uuid::Uuid;

use super::fake::Fcm;
use super::{block, mute, on_both, prefer, register};
use crate::infra;
use crate::world::{Backends, World, run, send};

on_both! { what_came_in_quiet_hours_is_one_push_at_their_end }

/// Ahead of the machine's by what it is told.
#[derive(Default)]
pub(super) struct Ahead(AtomicU64);

impl Ahead {
    pub(super) fn by(&self, by: Duration) {
        self.0.store(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Duration::from_millis(self.0.load(Ordering::SeqCst)))
    }

    fn new_id(&self) -> Uuid {
        SystemClock.new_id()
    }
}

/// A world of one node by this clock, and what it is kept in.
pub(super) async fn world_at(
    backends: Backends,
    clock: &Arc<Ahead>,
    flags: &[String],
) -> Option<(World, tempfile::TempDir)> {
    let dir = tempfile::tempdir().unwrap();
    let (store, bus) = match backends {
        Backends::Sqlite => {
            (format!("sqlite:{}", dir.path().join("adda.db").display()), "memory:".to_owned())
        }
        Backends::MongoRedis => {
            (infra::mongo::fresh_uri().await?, infra::redis::fresh_url().await?)
        }
    };
    let mut world = World::on(store, bus, 0, &[]).await;
    join(&mut world, clock, flags).await;
    Some((world, dir))
}

async fn join(world: &mut World, clock: &Arc<Ahead>, flags: &[String]) -> usize {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let clock: Arc<Ahead> = Arc::clone(clock);
    world.add_node_at(clock, &flags).await
}

/// Quiet from a minute ago until so long from now: the clock is moved so that a minute ends then.
fn quiet_for(clock: &Ahead, lasts: Duration) -> (proto::NotificationPreferences, Timestamp) {
    const MINUTE: u64 = 60_000;
    let now = u64::try_from(SystemClock.now().0).unwrap();
    let lasts = u64::try_from(lasts.as_millis()).unwrap();
    let by = 2 * MINUTE - (now + lasts) % MINUTE;
    clock.by(Duration::from_millis(by));
    let end = now + by + lasts;
    assert_eq!(end % MINUTE, 0);
    let minute = |at: u64| u32::try_from(at / MINUTE % 1_440).unwrap();
    let hours = QuietHours {
        weekdays: Vec::new(),
        start_minute: minute(end - 2 * MINUTE),
        end_minute: minute(end),
    };
    let prefers = proto::NotificationPreferences { quiet_hours: vec![hours], ..Default::default() };
    (prefers, Timestamp(i64::try_from(end).unwrap()))
}

async fn what_came_in_quiet_hours_is_one_push_at_their_end(backends: Backends) {
    let fcm = Fcm::open().await;
    let clock = Arc::new(Ahead::default());
    let flags = fcm.flags(&["--push-after", "500s", "--push-hold", "600s"]);
    let Some((mut world, _kept)) = world_at(backends, &clock, &flags).await else { return };
    let mut chats = Vec::new();
    for user in ["alice", "carol", "emil", "fay"] {
        chats.push(world.direct(user, "bob").await);
    }
    let group = world.group("alice", &["bob"]).await;
    let single = world.direct("alice", "gina").await;
    let phone = register(&world, "bob", "phone").await;
    let of_one = register(&world, "gina", "phone").await;
    let (quiet, end) = quiet_for(&clock, Duration::from_secs(12));
    prefer(&world, "bob", quiet.clone()).await;
    prefer(&world, "gina", quiet).await;

    let mut alice = world.api("alice").await;
    for at in 1..=2 {
        send(&mut alice, &chats[0], &format!("a{at}"), "a secret").await;
        send(&mut alice, &single, &format!("s{at}"), "hello gina").await;
    }
    for (user, chat) in ["carol", "emil", "fay"].into_iter().zip(&chats[1..]) {
        send(&mut world.api(user).await, chat, "m", "a secret").await;
    }
    send(&mut alice, &group, "g1", "a secret").await;
    mute(&world, "bob", &group).await;
    block(&world, "bob", "emil").await;
    let mut laptop = world.connect("bob", "laptop").await;
    laptop.caught_up().await;
    laptop.mark(&chats[3], vec![run(1, 1)], true).await;
    laptop.end();
    // Who noted it goes.
    world.leave(0).await;
    let node = join(&mut world, &clock, &flags).await;
    assert!(clock.now() < end, "this machine is too slow: the quiet hours are over");
    assert_eq!((fcm.asked(&phone), fcm.asked(&of_one)), (0, 0), "it is quiet");

    let got = fcm.next(&phone, 0).await;
    assert!(clock.now() >= end);
    assert_eq!(got.says(), ("3 new messages in 2 chats", ""));
    assert_eq!(got.message["data"], serde_json::json!({ "kind": "digest" }));
    assert_eq!(got.message["android"]["collapse_key"], "digest");
    assert!(!got.message.to_string().contains("secret"), "{got:?}");
    let usual = fcm.next(&of_one, 0).await;
    assert_eq!((usual.data("chat_id"), usual.seq()), (&*single, 2));
    assert_eq!(usual.says().0, "Alice");

    // Both chats count as pushed: what comes now rings alone.
    let mut alice = world.api_at(node, "alice").await;
    send(&mut alice, &chats[0], "a3", "good morning").await;
    let next = fcm.next(&phone, 1).await;
    assert_eq!((next.data("chat_id"), next.seq()), (&*chats[0], 3));
    let mut carol = world.api_at(node, "carol").await;
    send(&mut carol, &chats[1], "m2", "good morning").await;
    assert_eq!(fcm.next(&phone, 2).await.data("chat_id"), chats[1]);
    assert_eq!((fcm.got(&phone).len(), fcm.got(&of_one).len()), (3, 1));
}
