//! The bus on Redis: one channel a node, presence in sorted sets, loss noticed by numbers.
//!
//! | file | what lives there |
//! |---|---|
//! | `link` | connections, and how long to wait |
//! | `frame` | what goes over a channel |
//! | `peers` | who is there, what was lost: a state machine |
//! | `publisher` | the one task that sends, numbers and beats |
//! | `listener` | the subscription, and the task that reads |
//! | `presence` | where users are, written |
//! | `finder` | where users are, asked |
//!
//! What holds: nothing waits for Redis longer than about a second; a Redis that is away, wiped or
//! another one when it returns costs speed, and is told as [`BusEvent::Deaf`].

mod finder;
mod frame;
pub mod limit;
mod link;
mod listener;
mod moment;
mod peers;
mod presence;
mod publisher;
mod script;
mod shared;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::finder::Finder;
use self::link::Commands;
use self::moment::Moment;
use self::peers::Peers;
use self::presence::Presence;
use self::publisher::{Inputs, Outbox, Publisher};
use self::shared::Shared;
use super::{Bus, BusEvent, BusOptions, Found, Place, Result, To, node_id};
use crate::clock::Clock;
use crate::model::{NodeId, UserId};
use crate::vital::Vital;

/// Events that may wait to be taken. More are lost, and that is told.
const EVENTS: usize = 4_096;
/// Nodes heard for the first time that may wait to be greeted. More are greeted by the next beat.
const GREETINGS: usize = 256;
/// How long closing may take in all.
const CLOSING: Duration = Duration::from_secs(4);

/// The bus on Redis. Dropping it is a crash: nobody is told.
pub struct RedisBus {
    shared: Arc<Shared>,
    presence: Presence,
    finder: Finder,
    events: Mutex<Option<mpsc::Receiver<BusEvent>>>,
    publisher: Mutex<Option<AbortOnDropHandle<()>>>,
    /// The tasks that end when all is said.
    others: [AbortOnDropHandle<()>; 3],
}

impl RedisBus {
    /// Opens it, and waits a second for all to be well. If it is not by then the node is deaf,
    /// and will hear as soon as it can.
    pub async fn open(options: BusOptions, clock: Arc<dyn Clock>, vital: &Vital) -> Result<Self> {
        let tls = options.url.starts_with("rediss");
        if tls && rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("the process has chosen its cryptography already");
        }
        let commands = Arc::new(Commands::new(&options.url)?);
        let subscriber = link::subscriber(&options.url)?;
        let (outbox, queued) = Outbox::new();
        let (events, taken) = mpsc::channel(EVENTS);
        let (greetings, greeted) = mpsc::channel(GREETINGS);
        let me = node_id(&*clock);
        let start = Moment { at: tokio::time::Instant::now(), wall: clock.now() };
        let shared = Arc::new(Shared {
            peers: Mutex::new(Peers::new(me.clone(), start)),
            me,
            clock,
            outbox,
            events,
            greetings,
            beat_now: Notify::new(),
            listen_anew: Notify::new(),
            changed: Notify::new(),
            closing: CancellationToken::new(),
            once_subscribed: AtomicBool::new(false),
        });
        let inputs = Inputs { queued, greetings: greeted };
        let publisher = Publisher::new(shared.clone(), commands.clone());
        let publisher = vital.spawn("publisher of the bus", publisher.run(inputs));
        let listening = listener::run(shared.clone(), subscriber);
        let listener = vital.spawn("listener of the bus", listening);
        let keeper = vital.spawn("connection of the bus", commands.clone().keep());
        let (finder, asks) = Finder::new();
        let asking = vital.spawn("finder of the bus", asks.run(commands.clone(), options.lease));
        let bus = Self {
            shared,
            presence: Presence::new(commands, options.lease),
            finder,
            events: Mutex::new(Some(taken)),
            publisher: Mutex::new(Some(AbortOnDropHandle::new(publisher))),
            others: [listener, keeper, asking].map(AbortOnDropHandle::new),
        };
        bus.started().await;
        Ok(bus)
    }

    async fn started(&self) {
        let hearing = async {
            while self.is_deaf() {
                self.shared.changed.notified().await;
            }
        };
        let _ = tokio::time::timeout(peers::STARTING, hearing).await;
    }
}

/// The channel of a node.
fn channel(node: &NodeId) -> String {
    format!("node::{node}")
}

/// Any bytes of a channel are a frame, written back as they came, or refused.
#[cfg(fuzzing)]
pub fn fuzz_frame(data: &[u8]) {
    if let Ok(frame) = frame::decode(&Bytes::copy_from_slice(data)) {
        assert_eq!(frame::encode(frame.kind, frame.number, &frame.from, &frame.payload), data);
    }
}

#[async_trait]
impl Bus for RedisBus {
    fn node(&self) -> &NodeId {
        &self.shared.me
    }

    fn has_peers(&self) -> bool {
        true
    }

    fn publish(&self, to: To, payload: Bytes) {
        self.shared.outbox.put(to, payload);
    }

    fn events(&self) -> Option<mpsc::Receiver<BusEvent>> {
        self.events.lock().take()
    }

    fn hears(&self, node: &NodeId) -> bool {
        self.shared.peers.lock().hears(node, self.shared.now())
    }

    fn peers(&self) -> Vec<NodeId> {
        self.shared.peers.lock().others()
    }

    fn is_deaf(&self) -> bool {
        self.shared.peers.lock().is_deaf()
    }

    async fn renew(&self, places: &[(UserId, Place)]) -> Result<usize> {
        self.presence.renew(places).await
    }

    async fn remove(&self, places: &[(UserId, Place)]) -> Result<()> {
        self.presence.remove(places).await
    }

    async fn find(&self, users: &[UserId]) -> Result<Vec<Vec<Found>>> {
        self.finder.find(users).await
    }

    async fn close(&self) {
        self.shared.closing.cancel();
        let publisher = self.publisher.lock().take();
        if let Some(publisher) = publisher
            && tokio::time::timeout(CLOSING, publisher).await.is_err()
        {
            tracing::warn!("the bus did not close in time");
        }
        // What was published has been answered, so the connections can go as they are.
        self.others.iter().for_each(AbortOnDropHandle::abort);
    }
}
