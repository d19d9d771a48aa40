//! What may be lost: envelopes between nodes, and where each user's devices are now.
//!
//! The bus carries speed, never truth. It tells, as best it can, when it has lost something
//! ([`BusEvent::Deaf`]); who listens then reads the store. The docs of [`Bus`] are its contract,
//! and each sentence has a test that runs on every backend (`tests/it/bus`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::clock::{Clock, Timestamp};
use crate::model::{DeviceId, NodeId, SessionId, UserId};
use crate::vital::Vital;

pub mod memory;
pub mod redis;

/// Why the bus did not do something.
#[derive(Debug, thiserror::Error)]
#[error("the bus cannot be reached: {0}")]
pub struct BusError(pub String);

/// What the bus answers.
pub type Result<T> = std::result::Result<T, BusError>;

/// How long places stay known for routing after their lease has run out.
pub const ROUTED_AFTER_EXPIRY: Duration = Duration::from_secs(300);

/// To which nodes an envelope goes. Never to the node that publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// These, each once however often named.
    Nodes(Vec<NodeId>),
    /// All that are there.
    All,
}

/// What a node hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// An envelope of another node.
    Envelope {
        /// Who published it.
        from: NodeId,
        /// What.
        payload: Bytes,
    },
    /// Envelopes may have been lost, or are being lost, since this time by the node's clock.
    /// Told at once when noticed, again when more is lost, and while it lasts: after each loss at
    /// least once, and before [`BusEvent::Hearing`]. So who reads the store at each `Deaf` misses
    /// nothing; and who remembers when it read last need not go back further than that.
    Deaf {
        /// The last time all was known to be well.
        since: Timestamp,
    },
    /// All is well again: what is published from now on will be heard, or `Deaf` told again.
    Hearing,
}

/// One session of one device of a user, as it stands in presence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Where its stream is.
    pub node: NodeId,
    /// Which stream.
    pub session: SessionId,
    /// Of which device.
    pub device: DeviceId,
    /// Not in the background.
    pub foreground: bool,
    /// Since when it is in the foreground, or in the background.
    pub since: Timestamp,
}

/// A place as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The place.
    pub place: Place,
    /// The lease runs: the place may be shown. Otherwise it is good for routing alone.
    pub live: bool,
    /// When the lease was renewed last, by the bus's clock.
    pub renewed_at: Timestamp,
}

/// Fan-out and presence between nodes.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// This node, as others name it. Another at each start.
    fn node(&self) -> &NodeId;

    /// Whether there can be other nodes at all. If not, `publish` does nothing and places need
    /// not be looked up to route.
    fn has_peers(&self) -> bool;

    /// Hands an envelope over; never waits and never fails. Envelopes of one node reach another
    /// in the order they were published, each at most once. What is lost on the way (the bus
    /// away, a queue full) makes the receiver, if it lives, say [`BusEvent::Deaf`] within 4 s of
    /// the loss or of the bus's return.
    fn publish(&self, to: To, payload: Bytes);

    /// What this node hears. Can be taken once; `None` after that. The queue is bounded: falling
    /// behind is a loss like any other, and told as one.
    fn events(&self) -> Option<mpsc::Receiver<BusEvent>>;

    /// Whether that node has been heard within the last 3 s. This node always is.
    fn hears(&self, node: &NodeId) -> bool;

    /// The other nodes that are there, as far as this one knows. While it is deaf there may be more.
    fn peers(&self) -> Vec<NodeId>;

    /// Whether this node is deaf now.
    fn is_deaf(&self) -> bool;

    /// Writes places and renews their leases, in one batch. A session of a node has one place: what
    /// else was known of it makes way. Answers of how many sessions nothing was there before,
    /// lapsed or not.
    async fn renew(&self, places: &[(UserId, Place)]) -> Result<usize>;

    /// Takes the places of these sessions away. One that is not there is no error.
    async fn remove(&self, places: &[(UserId, Place)]) -> Result<()>;

    /// Where these users' devices are, in the order asked. Holds places whose lease ran out less
    /// than [`ROUTED_AFTER_EXPIRY`] ago, marked as not live; later they are gone without anyone
    /// cleaning up. Each answer is read anew.
    async fn find(&self, users: &[UserId]) -> Result<Vec<Vec<Found>>>;

    /// Says goodbye to the others, sends what is queued, then closes.
    async fn close(&self);
}

/// How to open a bus. Printed without the password.
#[derive(Clone)]
pub struct BusOptions {
    /// `memory:` or `redis://…` (`rediss://`, `redis-cluster://`, `rediss-cluster://`).
    pub url: String,
    /// How long a place stays without being renewed.
    pub lease: Duration,
}

impl fmt::Debug for BusOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusOptions")
            .field("url", &without_password(&self.url))
            .field("lease", &self.lease)
            .finish()
    }
}

/// What of a URL may be shown: its scheme, and what comes after the credentials.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => url.to_owned(),
    }
}

/// A name for this run of this process.
fn node_id(clock: &dyn Clock) -> NodeId {
    // The latter half of a UUIDv7 is chance, but for two bits.
    let (_, chance) = clock.new_id().as_u64_pair();
    NodeId::new(&format!("{chance:016x}"))
}

/// Why a bus could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is of no kind we know.
    #[error("{0}: not a bus; use memory: or redis://HOST")]
    Url(String),
    /// The URL is of a kind we know but not whole.
    #[error("cannot open the bus: {0}")]
    Bus(#[from] BusError),
}

/// Opens the bus that a URL names. A Redis that is away is no error: after a second the node starts
/// deaf. Its tasks are among the vital ones.
pub async fn open(
    options: BusOptions,
    clock: Arc<dyn Clock>,
    vital: &Vital,
) -> std::result::Result<Arc<dyn Bus>, OpenError> {
    if options.url == "memory:" {
        return Ok(Arc::new(memory::MemoryBus::alone(options.lease, clock)));
    }
    let scheme = options.url.split_once("://").map(|(scheme, _)| scheme);
    if let Some("redis" | "rediss" | "redis-cluster" | "rediss-cluster") = scheme {
        return Ok(Arc::new(redis::RedisBus::open(options, clock, vital).await?));
    }
    Err(OpenError::Url(without_password(&options.url)))
}
