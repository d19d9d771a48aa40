//! The rules, one verb a file: who may do what, what it changes, who hears of it.
//!
//! A stream's commands and their unary twins both come here, so that they mean the same. What is
//! here knows the store, the bus and the sessions of this node by their interfaces alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::bus::Bus;
use crate::clock::Clock;
use crate::files::Depot;
use crate::model::UserId;
use crate::push::Push;
use crate::store::{self, Store};
use crate::vital::Vital;
use crate::webhook::Webhooks;

pub mod access;
pub mod announce;
pub mod attachments;
pub mod block;
pub mod calls;
mod change;
pub mod create;
pub mod delete;
pub mod edit;
pub mod emoji;
pub mod erase;
pub mod export;
pub mod feed;
pub mod groups;
pub mod history;
pub mod hub;
pub mod inbox;
pub mod leases;
pub mod limits;
mod mentions;
mod notices;
pub mod people;
pub mod position;
pub mod preferences;
pub mod presence;
pub mod privacy;
pub mod profile;
pub mod push;
pub mod rate;
pub mod react;
pub mod receipts;
pub mod relay;
pub mod replay;
pub mod reserve;
pub mod revoke;
pub mod roster;
pub mod seal;
pub mod search;
pub mod send;
pub mod settings;
pub mod stats;
pub mod text;
pub mod typing;
pub mod unread;
pub mod upsert;
pub mod view;
pub mod words;

/// What an operator can change.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Members of a group.
    pub max_group_members: u32,
    /// What a user may do how often.
    pub rates: rate::UserLimits,
    /// How long after a message was sent it may be edited.
    pub edit_window: Duration,
    /// Whether messages can be searched.
    pub search: bool,
    /// How long notifications in the app are kept.
    pub notices_kept: Duration,
    /// How long a resume token is good.
    pub resume_window: Duration,
    /// How long a place in presence stays without being renewed.
    pub presence_lease: Duration,
    /// How long after the last session a user still looks online.
    pub presence_grace: Duration,
    /// Where the bytes of attachments are; `None`: there are none here.
    pub attachments: Option<Depot>,
    /// Bytes of one attachment.
    pub max_attachment_bytes: u32,
    /// The way to devices that are away.
    pub push: Push,
}

/// The rules, and what they need.
pub struct Service {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    webhooks: Webhooks,
    pushes: push::Pushes,
    pub(crate) sealer: seal::Sealer,
    pub(crate) rosters: roster::Rosters,
    pub(crate) hub: hub::Hub,
    feeds: feed::Feeds,
    receipts: receipts::Receipts,
    typing: typing::Typing,
    profiles: profile::Profiles,
    reserves: reserve::Reserves,
    orders: inbox::Orders,
    pub(crate) rates: rate::UserRates,
    revoked: revoke::Revoked,
    calls: calls::Calls,
    deafness: relay::Deafness,
    /// Users whose grace runs, and how many times.
    leaving: Mutex<HashMap<UserId, usize>>,
    leases: leases::Leases,
    untold: groups::Untold,
    /// One for each coming or going whose watchers are looked up.
    announcing: Semaphore,
    look: presence::Look,
    attachments: attachments::Attachments,
    erasing: erase::Erasing,
    /// One for each export under way.
    exports: Arc<Semaphore>,
    pub(crate) links: attachments::Links,
    /// Sessions that have ended, until it is told who went for good.
    pub(crate) departures: TaskTracker,
    /// Everything else that runs beside the calls; awaited at the end.
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
        (settings, webhooks): (Settings, Webhooks),
        vital: &Vital,
    ) -> store::Result<Arc<Self>> {
        let sealer = seal::Sealer::new(store.keys().await?);
        let revoked = revoke::Revoked::read(&*store).await?;
        let (receipts, marks) = receipts::Receipts::new();
        let (typing, lapses) = typing::Typing::new();
        let (untold, found) = groups::Untold::new();
        let (pushes, to_push) = push::Pushes::new(settings.push.clone());
        let service = Arc::new(Self {
            rosters: roster::Rosters::new(Arc::clone(&store)),
            hub: hub::Hub::default(),
            feeds: feed::Feeds::default(),
            profiles: profile::Profiles::default(),
            reserves: reserve::Reserves::default(),
            orders: inbox::orders(),
            rates: rate::UserRates::new(settings.rates),
            calls: calls::Calls::default(),
            revoked,
            deafness: relay::Deafness::default(),
            leaving: Mutex::default(),
            leases: leases::Leases::default(),
            untold,
            announcing: Semaphore::new(limits::MAX_ANNOUNCED),
            departures: TaskTracker::new(),
            look: presence::Look::default(),
            attachments: attachments::Attachments::default(),
            erasing: erase::Erasing::default(),
            exports: Arc::new(Semaphore::new(limits::EXPORTS_AT_ONCE)),
            links: attachments::Links::new(&sealer, &clock, settings.attachments.is_some()),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            sealer,
            receipts,
            typing,
            store,
            bus,
            clock,
            settings,
            webhooks,
            pushes,
        });
        let own = || Arc::clone(&service);
        service.keep(vital, "receipts", own().write_receipts(marks));
        service.keep(vital, "typing", own().watch_typing(lapses));
        service.keep(vital, "listening to nodes", own().listen());
        service.keep(vital, "healing", own().make_good());
        service.keep(vital, "changes left untold", own().tell_untold(found));
        service.keep(vital, "presence", own().keep_presence());
        service.keep(vital, "notifications", own().keep_notices());
        service.keep(vital, "attachments", own().look_after_files());
        service.keep(vital, "who was signed out", own().read_revocations());
        service.keep(vital, "what is to go", own().erase_what_is_due());
        service.start_pushes(to_push, vital);
        Ok(service)
    }

    /// Runs something for as long as the service does.
    fn keep(
        &self,
        vital: &Vital,
        task: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        self.run(vital.watched(task, work));
    }

    /// Runs something until the service stops.
    fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.until_stopped(work).in_current_span());
    }

    fn until_stopped(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let stop = self.stop.clone();
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        }
    }

    /// Finishes what is under way; no session may be left. By then others know who of them went
    /// for good, if that is known before `by`.
    pub async fn stop(&self, by: Instant) {
        self.flush_receipts().await;
        self.departures.close();
        if self.bus.has_peers()
            && tokio::time::timeout_at(by, self.departures.wait()).await.is_err()
        {
            tracing::warn!(left = self.departures.len(), "not all were told who went offline");
        }
        self.stop.cancel();
        self.departures.wait().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.webhooks.stop().await;
    }
}
