//! The bus within one process: for a server that is alone, and for tests of several nodes.
//!
//! Nothing is lost here but by a queue that is full, or on demand ([`MemoryHub::deafen`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::{Bus, BusEvent, Found, Place, ROUTED_AFTER_EXPIRY, Result, To, node_id};
use crate::clock::{Clock, Timestamp};
use crate::model::{NodeId, UserId};

/// Events that may wait to be taken. More are lost, and that is told.
const EVENTS: usize = 4_096;
/// How often places are looked through for such as nobody will ask for again.
const SWEEP: Duration = Duration::from_secs(60);
/// How often a lasting deafness is told.
const TOLD_LASTING: Duration = Duration::from_secs(5);

/// What the nodes of one process share: places, and each other.
pub struct MemoryHub {
    lease: Duration,
    clock: Arc<dyn Clock>,
    places: Mutex<Places>,
    nodes: Mutex<HashMap<NodeId, Arc<Ears>>>,
}

impl MemoryHub {
    /// A hub without nodes.
    pub fn new(lease: Duration, clock: Arc<dyn Clock>) -> Arc<Self> {
        let places = Mutex::new(Places { users: HashMap::new(), swept: clock.now() });
        Arc::new(Self { lease, clock, places, nodes: Mutex::default() })
    }

    /// A new node on it. Must be called within a runtime. Dropping it is a crash: it is gone at
    /// once, but for its places.
    pub fn node(self: &Arc<Self>) -> MemoryBus {
        let mut bus = MemoryBus::new(Arc::clone(self), EVENTS);
        let telling = Arc::clone(&bus.ears).tell();
        bus.teller = Some(AbortOnDropHandle::new(tokio::spawn(telling)));
        self.nodes.lock().insert(bus.node.clone(), Arc::clone(&bus.ears));
        bus
    }

    /// From now on nothing reaches this node, and it is told so, until [`MemoryHub::mend`].
    pub fn deafen(&self, node: &NodeId) {
        self.change(node, |state, now| {
            state.cut = Some(now);
            state.untold = Some(state.untold.map_or(now, |since| since.min(now)));
        });
    }

    /// The node hears again.
    pub fn mend(&self, node: &NodeId) {
        self.change(node, |state, _| {
            // Told once more: what was lost since it was told last.
            let cut = state.cut.take();
            state.untold = state.untold.or(cut);
        });
    }

    fn change(&self, node: &NodeId, how: impl FnOnce(&mut Hearing, Timestamp)) {
        let ears = self.nodes.lock().get(node).cloned();
        if let Some(ears) = ears {
            how(&mut ears.state.lock(), self.clock.now());
            ears.changed.notify_one();
        }
    }
}

/// How one node hears.
struct Ears {
    events: mpsc::Sender<BusEvent>,
    state: Mutex<Hearing>,
    changed: Notify,
}

#[derive(Default)]
struct Hearing {
    /// Nothing reaches the node, since.
    cut: Option<Timestamp>,
    /// A loss not told yet.
    untold: Option<Timestamp>,
    /// `Deaf` was told, and `Hearing` was not.
    told: bool,
}

impl Ears {
    fn envelope(&self, envelope: BusEvent, now: Timestamp) {
        let mut state = self.state.lock();
        let lost = state.cut.is_some() || self.events.try_send(envelope).is_err();
        if lost && !self.events.is_closed() {
            state.untold = Some(state.untold.unwrap_or(state.cut.unwrap_or(now)));
            self.changed.notify_one();
        }
    }

    fn is_deaf(&self) -> bool {
        let state = self.state.lock();
        state.cut.is_some() || state.untold.is_some()
    }

    /// Tells losses as soon as there is room. Ends when nobody listens any more.
    async fn tell(self: Arc<Self>) {
        loop {
            let room = tokio::select! {
                () = self.changed.notified() => self.events.reserve().await,
                () = tokio::time::sleep(TOLD_LASTING) => self.events.reserve().await,
            };
            let Ok(room) = room else { return };
            let mut state = self.state.lock();
            let since = state.untold.take().or(state.cut);
            if let Some(since) = since {
                state.told = true;
                room.send(BusEvent::Deaf { since });
                if state.cut.is_none() {
                    self.changed.notify_one();
                }
            } else if std::mem::take(&mut state.told) {
                room.send(BusEvent::Hearing);
            }
        }
    }
}

/// A node of a [`MemoryHub`], or one that is alone.
pub struct MemoryBus {
    node: NodeId,
    hub: Arc<MemoryHub>,
    ears: Arc<Ears>,
    events: Mutex<Option<mpsc::Receiver<BusEvent>>>,
    /// Of a node that has others.
    teller: Option<AbortOnDropHandle<()>>,
}

impl MemoryBus {
    /// The bus of a server without others. It has no peers, and is never deaf.
    pub fn alone(lease: Duration, clock: Arc<dyn Clock>) -> Self {
        Self::new(MemoryHub::new(lease, clock), 1)
    }

    fn new(hub: Arc<MemoryHub>, room: usize) -> Self {
        let (events, taken) = mpsc::channel(room);
        let ears = Arc::new(Ears { events, state: Mutex::default(), changed: Notify::new() });
        let node = node_id(&*hub.clock);
        Self { node, hub, ears, events: Mutex::new(Some(taken)), teller: None }
    }

    fn leave(&self) {
        self.hub.nodes.lock().remove(&self.node);
    }
}

impl Drop for MemoryBus {
    fn drop(&mut self) {
        self.leave();
    }
}

#[async_trait]
impl Bus for MemoryBus {
    fn node(&self) -> &NodeId {
        &self.node
    }

    fn has_peers(&self) -> bool {
        self.teller.is_some()
    }

    fn publish(&self, to: To, payload: Bytes) {
        let nodes = self.hub.nodes.lock();
        if !nodes.contains_key(&self.node) {
            return;
        }
        let now = self.hub.clock.now();
        for (node, ears) in nodes.iter().filter(|(node, _)| **node != self.node) {
            if to == To::All || matches!(&to, To::Nodes(named) if named.contains(node)) {
                let (from, payload) = (self.node.clone(), payload.clone());
                ears.envelope(BusEvent::Envelope { from, payload }, now);
            }
        }
    }

    fn events(&self) -> Option<mpsc::Receiver<BusEvent>> {
        self.events.lock().take()
    }

    fn hears(&self, node: &NodeId) -> bool {
        let cut = self.ears.state.lock().cut.is_some();
        *node == self.node || (!cut && self.hub.nodes.lock().contains_key(node))
    }

    fn peers(&self) -> Vec<NodeId> {
        self.hub.nodes.lock().keys().filter(|node| **node != self.node).cloned().collect()
    }

    fn is_deaf(&self) -> bool {
        self.ears.is_deaf()
    }

    async fn renew(&self, places: &[(UserId, Place)]) -> Result<usize> {
        Ok(self.hub.places.lock().renew(places, self.hub.clock.now(), self.hub.lease))
    }

    async fn remove(&self, places: &[(UserId, Place)]) -> Result<()> {
        self.hub.places.lock().remove(places);
        Ok(())
    }

    async fn find(&self, users: &[UserId]) -> Result<Vec<Vec<Found>>> {
        let (now, places) = (self.hub.clock.now(), self.hub.places.lock());
        Ok(users.iter().map(|user| places.find(user, now, self.hub.lease)).collect())
    }

    async fn close(&self) {
        self.leave();
    }
}

/// Places by user, each with the end of its lease.
struct Places {
    users: HashMap<UserId, Vec<(Place, Timestamp)>>,
    swept: Timestamp,
}

impl Places {
    fn renew(&mut self, places: &[(UserId, Place)], now: Timestamp, lease: Duration) -> usize {
        self.sweep(now);
        let mut added = 0;
        for (user, place) in places {
            // Most users have one.
            let of_user = self.users.entry(user.clone()).or_insert_with(|| Vec::with_capacity(1));
            of_user.retain(|(_, end)| is_kept(*end, now));
            let before = of_user.len();
            of_user.retain(|(other, _)| !is_same(other, place));
            added += usize::from(of_user.len() == before);
            of_user.push((place.clone(), now.plus(lease)));
        }
        added
    }

    fn remove(&mut self, places: &[(UserId, Place)]) {
        for (user, place) in places {
            if let Some(of_user) = self.users.get_mut(user) {
                of_user.retain(|(other, _)| !is_same(other, place));
                if of_user.is_empty() {
                    self.users.remove(user);
                }
            }
        }
    }

    fn find(&self, user: &UserId, now: Timestamp, lease: Duration) -> Vec<Found> {
        let of_user = self.users.get(user).map(Vec::as_slice).unwrap_or_default();
        let kept = of_user.iter().filter(|(_, end)| is_kept(*end, now));
        kept.map(|(place, end)| Found {
            place: place.clone(),
            live: *end > now,
            renewed_at: end.minus(lease),
        })
        .collect()
    }

    fn sweep(&mut self, now: Timestamp) {
        if now.since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        self.users.retain(|_, places| {
            places.retain(|(_, end)| is_kept(*end, now));
            !places.is_empty()
        });
    }
}

/// One session has one place, whatever else became of it.
fn is_same(a: &Place, b: &Place) -> bool {
    a.node == b.node && a.session == b.session
}

fn is_kept(end: Timestamp, now: Timestamp) -> bool {
    end.plus(ROUTED_AFTER_EXPIRY) > now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::model::{DeviceId, SessionId};

    #[test]
    fn memory_is_given_back_without_anyone_asking_for_a_user() {
        let mut places = Places { users: HashMap::new(), swept: Timestamp(0) };
        let lease = Duration::from_secs(45);
        let of = |name: &str| {
            let place = Place {
                node: NodeId::new("n"),
                session: SessionId(SystemClock.new_id()),
                device: DeviceId::new("d"),
                foreground: true,
                since: Timestamp(0),
            };
            (UserId::new(name), place)
        };
        for i in 0..100 {
            places.renew(&[of(&i.to_string())], Timestamp(0), lease);
        }
        assert_eq!(places.users.len(), 100);
        places.renew(&[of("later")], Timestamp(0).plus(lease + ROUTED_AFTER_EXPIRY), lease);
        assert_eq!(places.users.len(), 1);
    }
}
