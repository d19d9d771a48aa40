//! What comes in quiet hours rings once, at their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adda::clock::{Clock, SystemClock, Timestamp};
use adda::proto::{self, QuietHours};
use mongodb::bson::{Document, doc};
use uuid::Uuid;

use super::fake::Fcm;
use super::{at, block, device, mute, on_both, prefer, register};
use crate::infra;
use crate::world::{Backends, World, eventually, run, send};

on_both! {
    what_came_in_quiet_hours_is_one_push_at_their_end,
    who_ends_quiet_hours_hears_what_came_at_once,
    who_wants_them_shorter_hears_all_at_the_new_end,
}

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
pub(super) fn quiet_for(
    clock: &Ahead,
    lasts: Duration,
) -> (proto::NotificationPreferences, Timestamp) {
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

/// As `prefer`, at this node.
async fn prefer_at(world: &World, node: usize, new: &proto::NotificationPreferences) {
    let request = proto::UpdatePreferencesRequest { preferences: Some(new.clone()) };
    at(world.addr(node), "bob").await.update_preferences(request).await.unwrap();
}

fn noted_in_sqlite(path: &str) -> u64 {
    let of = "SELECT count(*) FROM jobs WHERE queue = 'push' AND due_at IS NOT NULL";
    let db = rusqlite::Connection::open(path).unwrap();
    db.query_row(of, [], |row| row.get::<_, u32>(0)).unwrap().into()
}

async fn noted_in_mongo(uri: &str) -> u64 {
    let client = mongodb::Client::with_uri_str(uri).await.unwrap();
    let jobs = client.default_database().unwrap().collection::<Document>("jobs");
    let waiting = doc! { "queue": "push", "due_at": { "$exists": true } };
    jobs.count_documents(waiting).await.unwrap()
}

/// Waits until the store holds so much work for later: what is held back is noted, one for a device.
/// So a device that has none yet tells that a message was looked at.
async fn held(world: &World, count: u64) {
    let noted = eventually("work is noted", async || {
        let noted = match world.store.strip_prefix("sqlite:") {
            Some(path) => noted_in_sqlite(path),
            None => noted_in_mongo(&world.store).await,
        };
        (noted >= count).then_some(noted)
    });
    assert_eq!(noted.await, count);
}

async fn who_ends_quiet_hours_hears_what_came_at_once(backends: Backends) {
    let fcm = Fcm::open().await;
    let clock = Arc::new(Ahead::default());
    let flags = fcm.flags(&["--push-after", "500s", "--push-hold", "600s"]);
    let Some((mut world, _kept)) = world_at(backends, &clock, &flags).await else { return };
    let chats = [world.direct("alice", "bob").await, world.direct("carol", "bob").await];
    let phone = register(&world, "bob", "phone").await;
    let (quiet, end) = quiet_for(&clock, Duration::from_secs(110));
    prefer(&world, "bob", quiet.clone()).await;
    send(&mut world.api("alice").await, &chats[0], "a1", "hello").await;
    held(&world, 1).await;
    let tablet = register(&world, "bob", "tablet").await;
    send(&mut world.api("carol").await, &chats[1], "c1", "hello").await;
    held(&world, 2).await;

    prefer(&world, "bob", proto::NotificationPreferences { silent: true, ..quiet.clone() }).await;
    assert_eq!((fcm.asked(&phone), fcm.asked(&tablet)), (0, 0), "it is quiet still");
    let loud = proto::NotificationPreferences::default();
    prefer(&world, "bob", loud.clone()).await;
    for device in [&phone, &tablet] {
        assert_eq!(fcm.next(device, 0).await.says(), ("2 new messages in 2 chats", ""));
    }

    // The node goes, and ends what it has begun. The same end once more: it was not used up.
    world.leave(0).await;
    let node = join(&mut world, &clock, &flags).await;
    prefer_at(&world, node, &quiet).await;
    let request = device("watch", "bob-watch");
    at(world.addr(node), "bob").await.register_device(request).await.unwrap();
    send(&mut world.api_at(node, "alice").await, &chats[0], "a2", "good night").await;
    held(&world, 3).await;
    assert_eq!((fcm.asked(&phone), fcm.asked(&tablet)), (1, 1), "it is quiet again");
    prefer_at(&world, node, &loud).await;
    let got = fcm.next(&phone, 1).await;
    assert_eq!((got.data("chat_id"), got.seq()), (&*chats[0], 2));
    assert!(clock.now() < end, "this machine is too slow: the quiet hours are over");
}

async fn who_wants_them_shorter_hears_all_at_the_new_end(backends: Backends) {
    let fcm = Fcm::open().await;
    let clock = Arc::new(Ahead::default());
    let flags = fcm.flags(&["--push-after", "1s", "--push-hold", "2s"]);
    let Some((world, _kept)) = world_at(backends, &clock, &flags).await else { return };
    let chats = [world.direct("alice", "bob").await, world.direct("carol", "bob").await];
    let phone = register(&world, "bob", "phone").await;
    let (long, end) = quiet_for(&clock, Duration::from_secs(80));
    prefer(&world, "bob", long.clone()).await;
    send(&mut world.api("alice").await, &chats[0], "a1", "hello").await;
    held(&world, 1).await;
    register(&world, "bob", "tablet").await;
    send(&mut world.api("carol").await, &chats[1], "c1", "hello").await;
    held(&world, 2).await;

    let mut short = long;
    short.quiet_hours[0].end_minute = (short.quiet_hours[0].end_minute + 1_439) % 1_440;
    let sooner = end.minus(Duration::from_secs(60));
    prefer(&world, "bob", short).await;
    assert!(clock.now() < sooner, "this machine is too slow: the quiet hours are over");
    let got = fcm.next(&phone, 0).await;
    assert!(clock.now() >= sooner);
    assert_eq!(got.says(), ("2 new messages in 2 chats", ""));
    assert!(clock.now() < end, "at the new end");
}
