//! The rules, one verb a file: who may do what, what it changes, who hears of it.
//!
//! A stream's commands and their unary twins both come here, so that they mean the same. What is
//! here knows the store, the bus and the sessions of this node by their interfaces alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::Bus;
use crate::clock::Clock;
use crate::model::UserId;
use crate::store::{self, Store};

pub mod access;
pub mod calls;
pub mod create;
pub mod feed;
pub mod history;
pub mod hub;
pub mod inbox;
pub mod leases;
pub mod limits;
pub mod position;
pub mod presence;
pub mod profile;
pub mod receipts;
pub mod relay;
pub mod replay;
pub mod roster;
pub mod seal;
pub mod send;
pub mod text;
pub mod typing;
pub mod unread;
pub mod view;

/// What an operator can change.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Members of a group.
    pub max_group_members: u32,
    /// How long a resume token is good.
    pub resume_window: Duration,
    /// How long a place in presence stays without being renewed.
    pub presence_lease: Duration,
    /// How long after the last session a user still looks online.
    pub presence_grace: Duration,
}

/// The rules, and what they need.
pub struct Service {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) sealer: seal::Sealer,
    pub(crate) rosters: roster::Rosters,
    pub(crate) hub: hub::Hub,
    feeds: feed::Feeds,
    receipts: receipts::Receipts,
    typing: typing::Typing,
    profiles: profile::Profiles,
    orders: inbox::Orders,
    calls: calls::Calls,
    deafness: relay::Deafness,
    /// Users whose grace runs, and how many times.
    leaving: Mutex<HashMap<UserId, usize>>,
    leases: leases::Leases,
    look: presence::Look,
    /// Everything that runs beside the calls; awaited at the end.
    pub(crate) tasks: TaskTracker,
    /// Ends the tasks that run for ever.
    pub(crate) stop: CancellationToken,
}

impl Service {
    /// Reads the keys and starts what runs beside the calls.
    pub async fn start(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> store::Result<Arc<Self>> {
        let sealer = seal::Sealer::new(store.keys().await?);
        let (receipts, marks) = receipts::Receipts::new();
        let (typing, lapses) = typing::Typing::new();
        let service = Arc::new(Self {
            rosters: roster::Rosters::new(Arc::clone(&store)),
            hub: hub::Hub::default(),
            feeds: feed::Feeds::default(),
            profiles: profile::Profiles::default(),
            orders: inbox::orders(),
            calls: calls::Calls::default(),
            deafness: relay::Deafness::default(),
            leaving: Mutex::default(),
            leases: leases::Leases::default(),
            look: presence::Look::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            sealer,
            receipts,
            typing,
            store,
            bus,
            clock,
            settings,
        });
        service.run(Arc::clone(&service).write_receipts(marks));
        service.run(Arc::clone(&service).watch_typing(lapses));
        service.run(Arc::clone(&service).listen());
        service.run(Arc::clone(&service).make_good());
        service.run(Arc::clone(&service).keep_presence());
        Ok(service)
    }

    /// Runs something until the service stops.
    fn run(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Finishes what is under way. No session may be left.
    pub async fn stop(&self) {
        self.flush_receipts().await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
