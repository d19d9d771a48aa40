//! Webhooks: what happened, told to the product's own services by HTTP POST.
//!
//! What is to be told is a job in the store ([`crate::store::Jobs`]), one for each endpoint, done
//! by whichever node takes it: tried again for three days, with the same id each time. That a
//! message was sent is noted by the node that stored it, and again from the log a minute later
//! ([`log`]), which counts for nothing unless that node died between: so it is told at least
//! once. What else happened is noted by the node where it happened, and lost if that dies just
//! then. No order is kept. How a request is signed: [`sign`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::metrics::{self, Hook};
use crate::model::NodeId;
use crate::store::Store;
use crate::vital::Vital;

mod deliver;
mod event;
mod log;
mod note;
mod sign;

pub use event::{Event, Kind};
pub use sign::Key;

/// What happened and is not noted yet. What does not fit is lost, but for messages, which the
/// log has.
const WAITING: usize = 8_192;

/// Where to tell what.
#[derive(Clone, Debug)]
pub struct Options {
    /// The endpoints, https or http.
    pub urls: Vec<String>,
    /// What requests are signed with.
    pub key: Key,
    /// What is told.
    pub kinds: Vec<Kind>,
}

/// What happens on this node goes in here.
pub struct Webhooks {
    kinds: Vec<Kind>,
    notes: Option<mpsc::Sender<Event>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What all tasks of webhooks have in common.
struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    node: NodeId,
    options: Options,
    /// There is work that was not there before.
    work: Notify,
    stop: CancellationToken,
}

impl Webhooks {
    /// Nobody wants to be told.
    pub fn off() -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        Self { kinds: Vec::new(), notes: None, tasks, stop }
    }

    /// Tells from now on.
    pub fn start(
        options: Options,
        (store, clock): (Arc<dyn Store>, Arc<dyn Clock>),
        node: NodeId,
        vital: &Vital,
    ) -> Result<Self, reqwest::Error> {
        let client = deliver::client()?;
        let (notes, events) = mpsc::channel(WAITING);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let kinds = options.kinds.clone();
        let (work, stopping) = (Notify::new(), stop.clone());
        let shared = Arc::new(Shared { store, clock, node, options, work, stop: stopping });
        let own = || Arc::clone(&shared);
        tasks.spawn(vital.watched("webhook notes", note::run(own(), events)));
        if kinds.contains(&Kind::MessageSent) {
            tasks.spawn(vital.watched("webhook log", log::run(own())));
        }
        for endpoint in 0..shared.options.urls.len() {
            let deliveries = deliver::run(own(), endpoint, client.clone());
            tasks.spawn(vital.watched("webhook deliveries", deliveries));
        }
        Ok(Self { kinds, notes: Some(notes), tasks, stop })
    }

    /// Something happened that somebody may want to be told. Never waits.
    pub fn note(&self, kind: Kind, event: impl FnOnce() -> Event) {
        let Some(notes) = self.notes.as_ref().filter(|_| self.kinds.contains(&kind)) else {
            return;
        };
        if notes.try_send(event()).is_err() {
            metrics::webhooks().of(Hook::Dropped).inc();
        }
    }

    /// Notes what is not noted yet, ends what is under way, and stops.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Shared {
    /// The queue of an endpoint: by its URL, so that one more does not mix them up.
    fn queue(&self, endpoint: usize) -> String {
        let url = self.options.urls.get(endpoint).map_or("", String::as_str);
        format!("webhook:{}", sign::name_of(url))
    }

    /// Waits this long, or until all is to stop: then `false`.
    async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }
}
