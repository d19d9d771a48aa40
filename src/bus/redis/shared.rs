//! What the tasks of one bus share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::moment::Moment;
use super::peers::Peers;
use super::publisher::Outbox;
use crate::bus::BusEvent;
use crate::clock::Clock;
use crate::model::NodeId;

/// Held by the bus, its publisher and its listener. No lock is held across an await.
pub(super) struct Shared {
    pub(super) me: NodeId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) peers: Mutex<Peers>,
    pub(super) outbox: Outbox,
    /// To the session side; the other end is what `events` gives.
    pub(super) events: mpsc::Sender<BusEvent>,
    /// From the listener to the publisher: these were heard for the first time.
    pub(super) greetings: mpsc::Sender<NodeId>,
    /// From the listener to the publisher: the subscription is new.
    pub(super) beat_now: Notify,
    /// From the publisher to the listener: nothing comes back, connect anew.
    pub(super) listen_anew: Notify,
    /// From the listener to `open`: deaf or hearing, anew.
    pub(super) changed: Notify,
    pub(super) closing: CancellationToken,
    pub(super) once_subscribed: AtomicBool,
}

impl Shared {
    pub(super) fn now(&self) -> Moment {
        Moment { at: Instant::now(), wall: self.clock.now() }
    }

    /// Whether anything could be heard yet. Before that nobody should send to this node.
    pub(super) fn subscribed(&self) -> bool {
        self.once_subscribed.load(Ordering::Acquire)
    }
}
