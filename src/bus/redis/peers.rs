//! Who the other nodes are, what was heard of each, and from that: whether this node is deaf.
//!
//! A state machine without clock, network or lock: frames, readings of the registry and the time
//! go in, [`BusEvent::Deaf`] and [`BusEvent::Hearing`] come out. What it keeps true:
//!
//! - A number that is not the next one, or a heartbeat that names another than the last, is a
//!   loss. So is 3 s of silence, of a peer (deaf to it) or of ourselves (deaf to all).
//! - A loss is told, even if all is well again before it can be.
//! - A peer is well again at its next heartbeat in sequence, that came after our own did.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::frame::{Frame, Kind};
use super::moment::Moment;
use crate::bus::BusEvent;
use crate::clock::Timestamp;
use crate::metrics::{self, Gap};
use crate::model::NodeId;

/// Who beats once a second and is silent for this long is not heard.
pub(super) const SILENCE: Duration = Duration::from_secs(3);
/// A node is forgotten that is silent and was not in the registry for so long.
const FORGOTTEN: Duration = Duration::from_secs(3);
/// A peer is in the registry within a second of its start, and then has [`SILENCE`] to be heard:
/// so old is at most what one that was never heard has sent.
const UNHEARD: Duration = Duration::from_secs(5);
/// Who said goodbye is not taken up again from a reading of the registry that crossed it.
const GONE: Duration = Duration::from_secs(60);
/// While deaf, more loss is told at most this often …
const TOLD_AGAIN: Duration = Duration::from_secs(1);
/// … and without more loss, so often.
const TOLD_LASTING: Duration = Duration::from_secs(5);
/// A node that starts is deaf; it says so if that lasts.
pub(super) const STARTING: Duration = Duration::from_secs(1);

/// What to do about a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Hand its payload on.
    pub(super) deliver: bool,
    /// Its sender was not heard before: send it a heartbeat, it waits for one.
    pub(super) greet: bool,
}

struct Peer {
    /// Up to this number all is accounted for: heard, or told as lost.
    last: u64,
    seen: Moment,
    heard: Option<Moment>,
    /// Since when the registry lacks it.
    missing: Option<Instant>,
    /// Deaf to it, since.
    lost: Option<Timestamp>,
    /// It may have sent to all without us among them, and so without a number for us.
    unnumbered: bool,
}

impl Peer {
    fn new(now: Moment) -> Self {
        Self { last: 0, seen: now, heard: None, missing: None, lost: None, unnumbered: false }
    }

    fn is_heard(&self, now: Moment) -> bool {
        self.heard.is_some_and(|heard| now.since(heard.at) < SILENCE)
    }

    /// How long it was silent.
    fn silent(&self, now: Moment) -> Duration {
        now.since(self.heard.unwrap_or(self.seen).at)
    }

    /// When all was known to be well with it.
    fn well(&self, start: Moment) -> Timestamp {
        match self.heard {
            Some(heard) => heard.wall,
            None => self.seen.wall.minus(UNHEARD).max(start.wall),
        }
    }

    fn lose(&mut self, since: Timestamp) {
        self.lost = Some(earliest(self.lost, since));
    }
}

/// What a node knows of itself by its own heartbeats.
struct Own {
    /// The number of the last beat.
    sent: u64,
    /// Only a beat above this shows that the present subscription works.
    above: u64,
    heard: Option<Moment>,
    /// Deaf to all, since.
    lost: Option<Timestamp>,
    /// Our beat came back, and the registry was read, since we were deaf to all.
    back: bool,
    read: bool,
}

/// See the module.
pub(super) struct Peers {
    me: NodeId,
    start: Moment,
    own: Own,
    others: HashMap<NodeId, Peer>,
    gone: HashMap<NodeId, Instant>,
    /// A loss not told yet.
    untold: Option<Timestamp>,
    /// When `Deaf` was told last; `None` once `Hearing` was, and at the start.
    told: Option<Instant>,
    /// Deaf from the start, which nobody needs to be told unless it lasts.
    starting: bool,
}

impl Peers {
    /// Of a node that starts now: deaf.
    pub(super) fn new(me: NodeId, now: Moment) -> Self {
        let lost = Some(now.wall);
        let own = Own { sent: 0, above: 0, heard: None, lost, back: false, read: false };
        Self {
            me,
            start: now,
            own,
            others: HashMap::new(),
            gone: HashMap::new(),
            untold: None,
            told: None,
            starting: true,
        }
    }

    /// The number for this node's next beat to itself.
    pub(super) fn beat(&mut self) -> u64 {
        self.own.sent += 1;
        self.own.sent
    }

    /// How long our own beat has not come back.
    pub(super) fn own_silence(&self, now: Moment) -> Duration {
        now.since(self.own.heard.unwrap_or(self.start).at)
    }

    /// All nodes that are there but us.
    pub(super) fn others(&self) -> Vec<NodeId> {
        self.others.keys().cloned().collect()
    }

    /// Whether the registry was read since we were deaf to all.
    pub(super) fn has_read(&self) -> bool {
        self.own.read
    }

    /// See [`crate::bus::Bus::hears`].
    pub(super) fn hears(&self, node: &NodeId, now: Moment) -> bool {
        *node == self.me || self.others.get(node).is_some_and(|peer| peer.is_heard(now))
    }

    /// See [`crate::bus::Bus::is_deaf`].
    pub(super) fn is_deaf(&self) -> bool {
        self.untold.is_some() || self.lasting().is_some()
    }

    /// A frame came.
    pub(super) fn heard(&mut self, frame: &Frame, now: Moment) -> Verdict {
        if frame.from == self.me {
            self.own_beat(frame.number, now);
            return Verdict::default();
        }
        match frame.kind {
            _ if self.gone.contains_key(&frame.from) => Verdict::default(),
            Kind::Goodbye => {
                self.goodbye(frame, now);
                Verdict::default()
            }
            Kind::Envelope => self.envelope(frame, now),
            Kind::Heartbeat => self.heartbeat(frame, now),
        }
    }

    fn own_beat(&mut self, number: u64, now: Moment) {
        if number > self.own.above {
            self.own.heard = Some(now);
            self.own.back = true;
            self.settle();
        }
    }

    /// No longer deaf to all, if our beat is back and we know who is there.
    fn settle(&mut self) {
        if !(self.own.back && self.own.read) {
            return;
        }
        if let Some(since) = self.own.lost.take()
            && self.others.is_empty()
        {
            // Else it is told when each of them is heard, or forgotten.
            self.remember(since);
        }
        self.started();
    }

    fn envelope(&mut self, frame: &Frame, now: Moment) -> Verdict {
        let peer = self.others.entry(frame.from.clone()).or_insert_with(|| Peer::new(now));
        let greet = peer.heard.is_none();
        let (next, deliver) = (peer.last.saturating_add(1), frame.number > peer.last);
        let loss = (frame.number != next).then(|| peer.well(self.start));
        if let Some(since) = loss {
            metrics::bus_gaps().of(Gap::Number).inc();
            peer.lose(since);
        }
        peer.last = peer.last.max(frame.number);
        peer.heard = Some(now);
        if let Some(since) = loss {
            self.remember(since);
        }
        Verdict { deliver, greet }
    }

    fn heartbeat(&mut self, frame: &Frame, now: Moment) -> Verdict {
        let peer = self.others.entry(frame.from.clone()).or_insert_with(|| Peer::new(now));
        let greet = peer.heard.is_none();
        let mut told = None;
        if frame.number != peer.last {
            metrics::bus_gaps().of(Gap::Number).inc();
            let since = peer.well(self.start);
            peer.lose(since);
            told = Some(since);
        } else if self.own.lost.is_none() {
            let since = peer.lost.take();
            told = since.filter(|_| std::mem::take(&mut peer.unnumbered));
        }
        peer.last = frame.number;
        peer.heard = Some(now);
        if let Some(since) = told {
            self.remember(since);
        }
        self.started();
        Verdict { deliver: false, greet }
    }

    fn goodbye(&mut self, frame: &Frame, now: Moment) {
        self.gone.insert(frame.from.clone(), now.at);
        let Some(peer) = self.others.remove(&frame.from) else { return };
        if peer.last != frame.number {
            metrics::bus_gaps().of(Gap::Number).inc();
            self.remember(peer.well(self.start));
        }
    }

    /// The registry was read. Answers who is new in it: they wait for a heartbeat of ours.
    pub(super) fn registry(&mut self, nodes: Vec<NodeId>, now: Moment) -> Vec<NodeId> {
        let mut missing: Vec<_> = self.others();
        missing.retain(|node| !nodes.contains(node));
        for node in missing {
            if let Some(peer) = self.others.get_mut(&node) {
                peer.missing.get_or_insert(now.at);
            }
        }
        let unnumbered = !self.own.read;
        let lost = self.own.lost.filter(|_| unnumbered);
        let mut fresh = Vec::new();
        for node in nodes {
            if node == self.me || self.gone.contains_key(&node) {
                continue;
            }
            let peer = self.others.entry(node.clone()).or_insert_with(|| {
                fresh.push(node);
                Peer { lost, unnumbered, ..Peer::new(now) }
            });
            peer.missing = None;
        }
        self.own.read = true;
        self.settle();
        fresh
    }

    /// The subscription was lost or is new, or frames were dropped unread: deaf to all, until a
    /// beat comes back that was sent from now on.
    pub(super) fn trouble(&mut self) {
        self.own.above = self.own.sent;
        self.own.back = false;
        self.own.read = false;
        if self.own.lost.is_none() {
            metrics::bus_gaps().of(Gap::Connection).inc();
            let own = self.own.heard.unwrap_or(self.start).wall;
            let mut first = own;
            for peer in self.others.values_mut() {
                let since = own.min(peer.well(self.start));
                peer.lose(since);
                peer.unnumbered = true;
                first = first.min(since);
            }
            self.own.lost = Some(first);
            self.remember(first);
        }
    }

    /// What was heard could not be handed on.
    pub(super) fn overflow(&mut self, now: Moment) {
        metrics::bus_gaps().of(Gap::Overflow).inc();
        self.untold = Some(earliest(self.untold, now.wall));
    }

    /// Time went by.
    pub(super) fn tick(&mut self, now: Moment) {
        if self.own.lost.is_none() && self.own_silence(now) > SILENCE {
            self.trouble();
        }
        let mut told = None;
        let settled = self.own.lost.is_none();
        let start = self.start;
        self.others.retain(|_, peer| {
            let silent = peer.silent(now) > SILENCE;
            if silent && peer.lost.is_none() {
                metrics::bus_gaps().of(Gap::Silence).inc();
                let since = peer.well(start);
                peer.lose(since);
                told = Some(earliest(told, since));
            }
            let missing = peer.missing.is_some_and(|since| now.since(since) >= FORGOTTEN);
            let forget = settled && silent && missing;
            if let (true, Some(since)) = (forget, peer.lost) {
                // Nobody will ever say by number what it sent at the end.
                told = Some(earliest(told, since));
            }
            !forget
        });
        self.gone.retain(|_, since| now.since(*since) < GONE);
        if let Some(since) = told {
            self.remember(since);
        }
        self.started();
    }

    /// What is to be told now, if anything; [`Peers::told`] if it could be.
    pub(super) fn report(&self, now: Moment) -> Option<BusEvent> {
        let lasting = self.lasting();
        let since = self.untold.map(|since| earliest(lasting, since)).or(lasting);
        let Some(since) = since else { return self.told.map(|_| BusEvent::Hearing) };
        let wait = match (self.told, self.untold) {
            (None, Some(_)) => Duration::ZERO,
            (Some(_), Some(_)) => TOLD_AGAIN,
            (None, None) => STARTING,
            (Some(_), None) => TOLD_LASTING,
        };
        let due = now.since(self.told.unwrap_or(self.start.at)) >= wait;
        due.then_some(BusEvent::Deaf { since })
    }

    /// That report was handed over.
    pub(super) fn told(&mut self, event: &BusEvent, now: Moment) {
        match event {
            BusEvent::Deaf { .. } => {
                self.untold = None;
                self.told = Some(now.at);
                self.starting = false;
            }
            BusEvent::Hearing => self.told = None,
            BusEvent::Envelope { .. } => {}
        }
    }

    fn lasting(&self) -> Option<Timestamp> {
        self.others.values().filter_map(|peer| peer.lost).chain(self.own.lost).min()
    }

    /// A loss that is to be told. While we start there is nobody yet who could miss it.
    fn remember(&mut self, since: Timestamp) {
        if !self.starting {
            self.untold = Some(earliest(self.untold, since));
        }
    }

    fn started(&mut self) {
        if self.starting && self.lasting().is_none() {
            self.starting = false;
        }
    }
}

fn earliest(a: Option<Timestamp>, b: Timestamp) -> Timestamp {
    a.map_or(b, |a| a.min(b))
}

#[cfg(test)]
#[path = "peers_tests.rs"]
mod tests;
