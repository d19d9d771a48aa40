//! One node, wired: store, bus, rules, streams, port. And how it leaves again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{Bound, Edge, Readiness, Running, all_routes, bind};
use crate::auth::Verifier;
use crate::bus::{self, Bus, BusOptions};
use crate::chat::rate::UserLimits;
use crate::chat::{Service, Settings};
use crate::clock::Clock;
use crate::config::{Config, Refused};
use crate::files::{self, Depot};
use crate::push::Push;
use crate::rpc::Door;
use crate::session::{Sessions, Times};
use crate::store::{self, Measured, Store};
use crate::vital::{Crash, Vital};
use crate::webhook::Webhooks;

/// How often the store is asked whether it is there.
const STORE_ASKED_EVERY: Duration = Duration::from_secs(5);
/// How often readiness follows the bus.
const BUS_ASKED_EVERY: Duration = Duration::from_millis(250);

/// How long leaving may take that a crash has forced.
const CRASHED: Duration = Duration::from_secs(5);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A value that is refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The port cannot be had.
    #[error("cannot listen on {0}: {1}")]
    Listen(std::net::SocketAddr, std::io::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// The bus cannot be opened.
    #[error(transparent)]
    Bus(#[from] bus::OpenError),
    /// The depot of attachments cannot be opened.
    #[error(transparent)]
    Depot(#[from] files::OpenError),
    /// Nothing can be sent by HTTP.
    #[error("webhooks cannot be sent: {0}")]
    Webhooks(reqwest::Error),
    /// Likewise.
    #[error("pushes cannot be sent: {0}")]
    Pushes(reqwest::Error),
    /// The store was opened, and then did not answer.
    #[error("the store does not answer: {0}")]
    Away(#[from] store::StoreError),
}

/// A node that serves.
pub struct Node {
    running: Running,
    admin: Option<Running>,
    sessions: Arc<Sessions>,
    service: Arc<Service>,
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    readiness: Arc<watch::Sender<Readiness>>,
    vital: Vital,
    _watching: AbortOnDropHandle<()>,
    stop: CancellationToken,
    drain: Duration,
}

impl Node {
    /// Opens what the configuration names, and serves.
    pub async fn start(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let verifier = Arc::new(Verifier::open(&config.tokens, Arc::clone(&clock)).await?);
        let (bound, admin) = ports(config)?;
        let vital = Vital::default();
        let store = store::open(config.store.expose(), Arc::clone(&clock), &vital).await?;
        let store: Arc<dyn Store> = Arc::new(Measured::new(store));
        let options =
            BusOptions { url: config.bus.expose().to_owned(), lease: config.times.presence_lease };
        let bus = bus::open(options, Arc::clone(&clock), &vital).await?;
        let settings = Settings {
            max_group_members: config.max_group_members,
            rates: UserLimits {
                messages: config.rates.map(|rates| rates.messages),
                calls: config.rates.map(|rates| rates.calls),
                streams: config.rates.map(|rates| rates.streams),
            },
            edit_window: config.times.edit_window,
            notices_kept: config.times.notifications,
            search: config.search,
            resume_window: config.times.resume_window,
            presence_lease: config.times.presence_lease,
            presence_grace: config.times.presence_grace,
            attachments: config.attachments.as_deref().map(Depot::open).transpose()?,
            max_attachment_bytes: config.max_attachment_bytes,
            push: Push::new(config.push.clone(), Arc::clone(&clock)).map_err(StartError::Pushes)?,
        };
        let webhooks = match &config.webhooks {
            None => Webhooks::off(),
            Some(options) => {
                let with = (Arc::clone(&store), Arc::clone(&clock));
                Webhooks::start(options.clone(), with, bus.node().clone(), &vital)
                    .map_err(StartError::Webhooks)?
            }
        };
        let backends = (Arc::clone(&store), Arc::clone(&bus));
        let given = (settings, webhooks);
        let service =
            Service::start(backends.0, backends.1, Arc::clone(&clock), given, &vital).await?;
        let times = Times {
            heartbeat: config.times.heartbeat,
            heartbeat_timeout: config.times.heartbeat_timeout,
            subscribe_heartbeat: config.times.subscribe_heartbeat,
            subscribe_heartbeat_timeout: config.times.subscribe_heartbeat_timeout,
            token_leeway: config.tokens.leeway,
        };
        let sessions = Arc::new(Sessions::new(Arc::clone(&service), Arc::clone(&verifier), times));
        let (sender, readiness) = watch::channel(Readiness::READY);
        let readiness_sender = Arc::new(sender);
        let watch =
            watch_backends(Arc::clone(&store), Arc::clone(&bus), Arc::clone(&readiness_sender));
        let watching = AbortOnDropHandle::new(vital.spawn("readiness", watch));
        let stop = CancellationToken::new();
        let door = Arc::new(Door::new(Arc::clone(&service), Arc::clone(&sessions)));
        let admin = admin.map(|bound| bound.serve_admin(readiness.clone(), &vital));
        let files = Some(Arc::clone(&service));
        let edge = Edge { verifier, clock, readiness, vital: vital.clone(), files };
        let running = bound.serve(config, edge, all_routes(&door), stop.clone());
        Ok(Self {
            running,
            admin,
            sessions,
            service,
            store,
            bus,
            readiness: readiness_sender,
            vital,
            _watching: watching,
            stop,
            drain: config.times.drain_timeout,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> std::net::SocketAddr {
        self.running.addr
    }

    /// Where operators ask it, if they may.
    pub fn admin_addr(&self) -> Option<std::net::SocketAddr> {
        self.admin.as_ref().map(|admin| admin.addr)
    }

    /// What it keeps its data in. For tests, which do to it what no call does yet.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Serves until it is asked to stop, or until a task has crashed that it cannot do without;
    /// then leaves. The error is the crash.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Crash> {
        let time = tokio::select! {
            _ = self.vital.crash() => self.drain.min(CRASHED),
            () = stop.cancelled() => self.drain,
        };
        self.leave_within(time).await
    }

    /// Leaves: not ready; streams end with SHUTTING_DOWN after what is under way; presence is
    /// handed over; then the rest. All that within the drain time.
    pub async fn leave(self) -> Result<(), Crash> {
        let time = self.drain;
        self.leave_within(time).await
    }

    async fn leave_within(mut self, time: Duration) -> Result<(), Crash> {
        let end = Instant::now() + time;
        let (streams_by, service_by) = (end - time / 4, end - time / 8);
        self.vital.leaving();
        self.readiness.send_modify(|readiness| readiness.draining = true);
        if timeout_at(streams_by, self.sessions.close(time / 4)).await.is_err() {
            tracing::warn!(open = self.sessions.len(), "streams did not end in time");
        }
        self.stop.cancel();
        if timeout_at(streams_by, self.running.stopped()).await.is_err() {
            tracing::warn!("connections did not end in time");
            self.running.kill();
        }
        // It is given time to end what waited for presence in vain.
        let presence_by = service_by - time / 16;
        if timeout_at(service_by, self.service.stop(presence_by)).await.is_err() {
            tracing::warn!("not everything under way came to its end in time");
        }
        let close = async {
            self.bus.close().await;
            self.store.close().await;
        };
        if timeout_at(end, close).await.is_err() {
            tracing::warn!("the bus and the store did not close in time");
        }
        if let Some(admin) = self.admin {
            // Scraped to the last.
            admin.kill();
        }
        self.vital.crashed().map_or(Ok(()), Err)
    }
}

/// Takes the ports that clients and operators ask.
fn ports(config: &Config) -> Result<(Bound, Option<Bound>), StartError> {
    let take = |addr| bind(addr).map_err(|error| StartError::Listen(addr, error));
    let admin = config.admin_listen.map(take).transpose()?;
    Ok((take(config.listen)?, admin))
}

/// Keeps readiness true.
async fn watch_backends(
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    readiness: Arc<watch::Sender<Readiness>>,
) {
    let mut ask_store = tokio::time::interval(STORE_ASKED_EVERY);
    ask_store.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ask_bus = tokio::time::interval(BUS_ASKED_EVERY);
    ask_bus.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ask_store.tick() => {
                let there = store.ping().await;
                if let Err(error) = &there {
                    tracing::error!(%error, "the store is away");
                }
                set(&readiness, |readiness| readiness.store = there.is_ok());
            }
            _ = ask_bus.tick() => set(&readiness, |readiness| readiness.bus = !bus.is_deaf()),
        }
    }
}

fn set(readiness: &watch::Sender<Readiness>, change: impl FnOnce(&mut Readiness)) {
    readiness.send_if_modified(|readiness| {
        let before = *readiness;
        change(readiness);
        *readiness != before
    });
}
