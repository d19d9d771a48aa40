//! Whoever is away is pushed: a device that has not acknowledged a message, unless its user has
//! read it, or wants to hear nothing.
//!
//! The log is the queue. A message is looked at three times: by the node that stored it, at once,
//! for users without any stream ([`Look::AtOnce`]); from the log some seconds later, for devices
//! that are silent ([`Look::First`]); and from the log a minute later ([`Look::Second`]), when what
//! was stored late is there, and whom another device of the user in the foreground held back. The
//! readers of the log take turns, and move on only when all that was due is settled or noted as a
//! job: so what a node that dies leaves half-way another does.
//!
//! | here | is |
//! |---|---|
//! | `due` | who is to be pushed what |
//! | `ring` | claimed, put into words, sent, settled |
//! | `now` | what this node has just stored, and what a burst brings |
//! | `pass` | the log, 5 s and 60 s late |
//! | `jobs` | what must be tried later |
//! | `pause` | a pause that the push service asks for is every node's |
//! | `reached` | what devices have acknowledged |
//! | `clear` | what was read elsewhere goes off the screen |
//! | `digest` | one push for all that came in quiet hours |
//! | `devices` | the calls about devices |
//! | `trail` | what is noted of the way to a device |
//! | `written` | what was given to streams |
//! | `explain` | why it rang, or did not |

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::mpsc;

use super::Service;
use super::limits::{ACKED_QUEUE, CLEAR_QUEUE, PUSH_QUEUE};
use crate::metrics;
use crate::model::{DeviceId, Message, UserId};
use crate::push::Push;
use crate::store::Spot;
use crate::vital::Vital;

mod clear;
mod devices;
mod digest;
mod due;
mod explain;
mod jobs;
mod now;
mod pass;
mod pause;
mod reached;
mod ring;
mod trail;
mod written;

pub use devices::DeviceDraft;
pub use explain::Way;
pub use written::Written;

/// Which devices of a user are registered is remembered for so long, so that acknowledgements of
/// those that are not cost nothing.
const REGISTERED_AGE: Duration = Duration::from_secs(10);
/// Users of whom that is remembered.
const REGISTERED: u64 = 100_000;

/// When it is looked for who is to be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Just stored: users without a stream.
    AtOnce,
    /// Some seconds later: unless the user has it in the foreground, on another device.
    First,
    /// A minute later: unless the user has read it.
    Second,
    /// A job: as the second.
    Again,
}

impl Look {
    fn label(self) -> metrics::Look {
        match self {
            Self::AtOnce => metrics::Look::AtOnce,
            Self::First => metrics::Look::First,
            Self::Second => metrics::Look::Second,
            Self::Again => metrics::Look::Again,
        }
    }

    fn name(self) -> &'static str {
        self.label().name()
    }
}

/// What pushes need that outlives a call.
pub struct Pushes {
    push: Push,
    fresh: mpsc::Sender<Arc<Message>>,
    reached: mpsc::Sender<reached::Reached>,
    read: mpsc::Sender<clear::Read>,
    registered: Cache<UserId, Arc<[DeviceId]>>,
    bursts: now::Bursts,
    ended: written::Ended,
    rules_noted: trail::Budget,
}

/// The ends that its tasks hold.
pub struct Queues {
    fresh: mpsc::Receiver<Arc<Message>>,
    reached: mpsc::Receiver<reached::Reached>,
    read: mpsc::Receiver<clear::Read>,
}

impl Pushes {
    /// With nothing to do yet.
    pub fn new(push: Push) -> (Self, Queues) {
        let (fresh, stored) = mpsc::channel(PUSH_QUEUE);
        let (reached, acked) = mpsc::channel(ACKED_QUEUE);
        let (read, seen) = mpsc::channel(CLEAR_QUEUE);
        let registered =
            Cache::builder().max_capacity(REGISTERED).time_to_live(REGISTERED_AGE).build();
        let (bursts, ended) = (now::Bursts::default(), written::Ended::default());
        let rules_noted = trail::Budget::default();
        let this = Self { push, fresh, reached, read, registered, bursts, ended, rules_noted };
        (this, Queues { fresh: stored, reached: acked, read: seen })
    }
}

impl Service {
    /// Starts what looks for whom to push, where there are pushes.
    pub(super) fn start_pushes(self: &Arc<Self>, queues: Queues, vital: &Vital) {
        if !self.pushes.push.is_on() {
            return;
        }
        let own = || Arc::clone(self);
        self.keep(vital, "pushes at once", own().push_at_once(queues.fresh));
        self.keep(vital, "what devices have", own().write_reached(queues.reached));
        self.keep(vital, "what was read", own().clear_read(queues.read));
        self.keep(vital, "pushes, first look", own().look_again(Look::First));
        self.keep(vital, "pushes, second look", own().look_again(Look::Second));
        self.keep(vital, "pushes put off", own().do_push_jobs());
        if self.bus.has_peers() {
            self.keep(vital, "pauses of pushes", own().share_pauses());
        }
    }
}

/// One device in one chat.
fn spot(device: &crate::store::Device, message: &Message) -> Spot {
    Spot { chat: message.chat, user: device.user.clone(), device: Some(device.id.clone()) }
}
