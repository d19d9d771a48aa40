//! The bus on Redis: one channel a node, presence in sorted sets, loss noticed by numbers.
//!
//! | file | what lives there |
//! |---|---|
//! | `link` | connections, and how long to wait |
//! | `frame` | what goes over a channel |
//! | `peers` | who is there, what was lost: a state machine |
//! | `publisher` | the one task that sends, numbers and beats |
//! | `listener` | the subscription, and the task that reads |
//! | `presence` | where users are |
//!
//! What holds: nothing waits for Redis longer than about a second; a Redis that is away, wiped or
//! another one when it returns costs speed, and is told as [`BusEvent::Deaf`].

mod frame;
pub mod limit;
mod link;
mod listener;
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
use fred::clients::SubscriberClient;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::link::Commands;
use self::peers::{Moment, Peers};
use self::presence::Presence;
use self::publisher::{Inputs, Outbox, Publisher};
use self::shared::Shared;
use super::{Bus, BusEvent, BusOptions, Found, Place, Result, To, node_id};
use crate::clock::Clock;
use crate::model::{NodeId, UserId};

/// Events that may wait to be taken. More are lost, and that is told.
const EVENTS: usize = 4_096;
/// Nodes heard for the first time that may wait to be greeted. More are greeted by the next beat.
const GREETINGS: usize = 256;
/// Pause before a task that failed is begun anew.
const ANEW: Duration = Duration::from_secs(1);
/// How long closing may take in all.
const CLOSING: Duration = Duration::from_secs(4);

/// The bus on Redis. Dropping it is a crash: nobody is told.
pub struct RedisBus {
    shared: Arc<Shared>,
    presence: Presence,
    events: Mutex<Option<mpsc::Receiver<BusEvent>>>,
    publisher: Mutex<Option<AbortOnDropHandle<()>>>,
    tasks: Mutex<JoinSet<()>>,
}

impl RedisBus {
    /// Opens it, and waits a second for all to be well. If it is not by then the node is deaf,
    /// and will hear as soon as it can.
    pub async fn open(options: BusOptions, clock: Arc<dyn Clock>) -> Result<Self> {
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
        let publisher = tokio::spawn(publish(shared.clone(), commands.clone(), inputs));
        let bus = Self {
            tasks: Mutex::new(tasks(&shared, &commands, subscriber)),
            shared,
            presence: Presence::new(commands, options.lease),
            events: Mutex::new(Some(taken)),
            publisher: Mutex::new(Some(AbortOnDropHandle::new(publisher))),
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

/// The task that publishes. What it listens to outlives it.
async fn publish(shared: Arc<Shared>, commands: Arc<Commands>, inputs: Inputs) {
    let inputs = Arc::new(tokio::sync::Mutex::new(inputs));
    let publishing = again(shared.clone(), "publisher", move || {
        let publisher = Publisher::new(shared.clone(), commands.clone());
        let inputs = inputs.clone();
        async move { publisher.run(&mut *inputs.lock().await).await }
    });
    publishing.await;
}

/// The tasks that end when all is said: they listen, and keep the connections.
fn tasks(
    shared: &Arc<Shared>,
    commands: &Arc<Commands>,
    subscriber: SubscriberClient,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (listening, kept) = (shared.clone(), commands.clone());
    tasks.spawn(again(shared.clone(), "listener", move || {
        listener::run(listening.clone(), subscriber.clone_new())
    }));
    tasks.spawn(again(shared.clone(), "connection", move || kept.clone().keep()));
    tasks
}

/// The channel of a node.
fn channel(node: &NodeId) -> String {
    format!("node::{node}")
}

/// Runs a task for as long as the bus is open, whatever becomes of it.
async fn again<F>(shared: Arc<Shared>, what: &'static str, make: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let end = AbortOnDropHandle::new(tokio::spawn(make())).await;
        if shared.closing.is_cancelled() {
            return;
        }
        tracing::error!(what, error = ?end.err(), "a task of the bus ended; beginning anew");
        shared.peers.lock().trouble();
        tokio::time::sleep(ANEW).await;
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
        self.presence.find(users).await
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
        self.tasks.lock().abort_all();
    }
}
