//! The contract of the bus, sentence by sentence, on memory, on Redis and on a Redis cluster; and
//! what only a Redis that fails can show.

#![expect(clippy::unwrap_used, reason = "in a test that is a finding")]

mod away;
mod server;
mod suite;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use adda::bus::memory::MemoryHub;
use adda::bus::{Bus, BusEvent, BusOptions, Place};
use adda::clock::{Clock, SystemClock, Timestamp};
use adda::model::{DeviceId, SessionId, UserId};
use adda::vital::Vital;
use bytes::Bytes;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use self::server::{Cluster, Redis};

/// Nothing here takes as long, unless it never comes.
const DEADLINE: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(45);

/// Waits until a condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < DEADLINE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A clock that can be put forward.
#[derive(Default)]
struct TestClock {
    ahead: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.ahead.load(Ordering::Relaxed))
    }

    fn new_id(&self) -> uuid::Uuid {
        SystemClock.new_id()
    }
}

enum Backend {
    Memory(Arc<MemoryHub>, Arc<TestClock>),
    Redis(Redis),
    Cluster(&'static Cluster, #[expect(dead_code, reason = "held")] MutexGuard<'static, ()>),
}

/// What nodes have in common.
struct World(Backend);

impl World {
    #[expect(clippy::unused_async, reason = "as the others")]
    async fn memory() -> Option<Self> {
        let clock = Arc::new(TestClock::default());
        Some(Self(Backend::Memory(MemoryHub::new(LEASE, clock.clone()), clock)))
    }

    async fn redis() -> Option<Self> {
        Redis::start().await.map(|redis| Self(Backend::Redis(redis)))
    }

    /// One cluster for all tests, one after the other: starting one takes seconds.
    async fn cluster() -> Option<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());
        static CLUSTER: tokio::sync::OnceCell<Option<Cluster>> = tokio::sync::OnceCell::const_new();
        let turn = TURN.lock().await;
        let cluster = CLUSTER.get_or_init(Cluster::start).await.as_ref()?;
        for server in &cluster.servers {
            server.command("FLUSHALL");
        }
        Some(Self(Backend::Cluster(cluster, turn)))
    }

    fn servers(&self) -> &[Redis] {
        match &self.0 {
            Backend::Memory(..) => &[],
            Backend::Redis(redis) => std::slice::from_ref(redis),
            Backend::Cluster(cluster, _) => &cluster.servers,
        }
    }

    /// A new node.
    async fn node(&self) -> Arc<dyn Bus> {
        let url = match &self.0 {
            Backend::Memory(hub, _) => return Arc::new(hub.node()),
            Backend::Redis(redis) => redis.url(),
            Backend::Cluster(cluster, _) => cluster.url(),
        };
        open_well(url, LEASE).await
    }

    /// Makes all leases as old as if so much time had gone by.
    fn let_pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).expect("it is not that long");
        if let Backend::Memory(_, clock) = &self.0 {
            clock.ahead.fetch_add(millis, Ordering::Relaxed);
        }
        for server in self.servers() {
            let aging = format!(
                "for _, key in ipairs(redis.call('KEYS', 'presence:user_sockets:*')) do \
                 for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do \
                 redis.call('ZINCRBY', key, -{millis}, member) end end return 1"
            );
            let aged = server.command(&format!("EVAL \"{aging}\" 0"));
            assert!(aged.starts_with(":1"), "{aged}");
        }
    }
}

async fn open(url: String, lease: Duration) -> Arc<dyn Bus> {
    let opened =
        adda::bus::open(BusOptions { url, lease }, Arc::new(SystemClock), &Vital::default()).await;
    opened.expect("the URL is good")
}

/// A node that hears from its start: one that was slow to connect would first tell that it was deaf.
async fn open_well(url: String, lease: Duration) -> Arc<dyn Bus> {
    let start = Instant::now();
    loop {
        let node = open(url.clone(), lease).await;
        if !node.is_deaf() {
            return node;
        }
        assert!(start.elapsed() < DEADLINE, "no new node hears");
        node.close().await;
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name)
}

/// A place of a new session on a node.
fn place(node: &dyn Bus) -> Place {
    Place {
        node: node.node().clone(),
        session: SessionId(SystemClock.new_id()),
        device: DeviceId::new("phone"),
        foreground: true,
        since: SystemClock.now(),
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// The next event, whatever it is.
async fn event(events: &mut Receiver<BusEvent>) -> BusEvent {
    let event = tokio::time::timeout(DEADLINE, events.recv()).await;
    event.expect("an event comes in time").expect("the bus is there")
}

/// The next envelope.
async fn envelope(events: &mut Receiver<BusEvent>) -> Bytes {
    loop {
        if let BusEvent::Envelope { payload, .. } = event(events).await {
            return payload;
        }
    }
}

/// The next `Deaf`.
async fn deaf(events: &mut Receiver<BusEvent>) -> Timestamp {
    loop {
        if let BusEvent::Deaf { since } = event(events).await {
            return since;
        }
    }
}

/// Waits for `Hearing`.
async fn hearing(events: &mut Receiver<BusEvent>) {
    let heard = async { while event(events).await != BusEvent::Hearing {} };
    tokio::time::timeout(DEADLINE, heard).await.expect("it hears in time");
}

/// Makes of each function of the suite a test on each bus.
macro_rules! on_every_bus {
    ($($test:ident),* $(,)?) => {
        on_every_bus!(@on memory: $($test),*);
        on_every_bus!(@on redis: $($test),*);
        on_every_bus!(@on cluster: $($test),*);
    };
    (@on $bus:ident: $($test:ident),*) => {
        mod $bus {
            $(
                #[tokio::test]
                async fn $test() {
                    if let Some(world) = super::World::$bus().await {
                        super::suite::$test(&world).await;
                    }
                }
            )*
        }
    };
}

on_every_bus!(
    a_node_is_another_at_each_start,
    a_node_of_many_has_peers,
    an_envelope_reaches_those_named_each_once_and_never_the_publisher,
    an_envelope_to_all_reaches_all_others,
    envelopes_come_in_order_each_once,
    a_payload_comes_as_it_was,
    what_finds_a_queue_full_is_told_as_lost,
    events_can_be_taken_once,
    a_node_hears_itself_and_those_that_are_there,
    peers_are_the_others_that_are_there,
    a_node_that_is_well_is_not_deaf,
    renewing_answers_how_many_were_added,
    a_session_has_one_place,
    renewing_keeps_a_place_live,
    a_lapsed_place_is_routed_to_for_five_minutes_and_then_gone,
    places_are_removed_and_one_not_there_is_no_error,
    places_are_found_in_the_order_asked,
    many_places_go_in_one_batch,
    a_place_is_found_as_it_was_written,
    closing_sends_what_is_queued_and_says_goodbye,
);

#[tokio::test]
async fn a_node_alone_has_no_peers_and_keeps_places() {
    let bus = open("memory:".to_owned(), LEASE).await;
    assert!(!bus.has_peers());
    assert!(!bus.is_deaf());
    bus.publish(adda::bus::To::All, bytes("to nobody"));
    let mut events = bus.events().expect("they were not taken");
    assert!(events.try_recv().is_err());
    let here = (user("u"), place(&*bus));
    assert_eq!(bus.renew(std::slice::from_ref(&here)).await.unwrap(), 1);
    assert_eq!(bus.find(&[user("u")]).await.unwrap()[0][0].place, here.1);
    bus.close().await;
}

#[tokio::test]
async fn a_node_can_be_deafened_for_a_test() {
    let hub = MemoryHub::new(LEASE, Arc::new(SystemClock));
    let (one, other) = (hub.node(), hub.node());
    let mut events = one.events().unwrap();
    let before = SystemClock.now();
    hub.deafen(one.node());
    assert!(deaf(&mut events).await >= before);
    assert!(one.is_deaf() && !one.hears(other.node()));
    other.publish(adda::bus::To::All, bytes("lost"));
    deaf(&mut events).await;
    hub.mend(one.node());
    deaf(&mut events).await;
    assert_eq!(event(&mut events).await, BusEvent::Hearing);
    other.publish(adda::bus::To::All, bytes("heard"));
    assert_eq!(envelope(&mut events).await, "heard");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_its_password() {
    for url in ["mongodb://u:secret@h/", "redis-sentinel://u:secret@h", "secret@h", "redis:h"] {
        let options = BusOptions { url: url.to_owned(), lease: LEASE };
        assert!(!format!("{options:?}").contains("secret"), "{url}");
        let refused =
            adda::bus::open(options, Arc::new(SystemClock), &Vital::default()).await.err();
        let refused = refused.expect(url);
        assert!(!format!("{refused} {refused:?}").contains("secret"), "{url}");
    }
}
