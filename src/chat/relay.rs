//! Between this node and the others: what is told goes out, what is heard goes to sessions here.
//!
//! The bus may lose. When it says so, the log is read since then and sessions compare themselves
//! with the store; while it lasts, again every few seconds.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Service;
use super::feed::Sent;
use super::hub::Delivery;
use super::limits::{DEAF_READ_EVERY, LOG_OVERLAP, MAX_RECEIPT_MEMBERS, PRESENCE_WITHIN};
use crate::bus::{BusEvent, To};
use crate::clock::Timestamp;
use crate::metrics::{self, Direction, Envelope, Went};
use crate::model::{ChatId, Message, NodeId, SessionId, UserId};
use crate::proto::{self, node};
use crate::wire::{self, About, Told};

/// What is known of losses.
#[derive(Debug, Default)]
pub struct Deafness {
    /// What may be missing and was not wholly read yet.
    open: Mutex<Option<Gap>>,
    /// What was lost can be made good now.
    hearing: Notify,
    /// When the bus was heard again.
    heard_again: Mutex<Option<Instant>>,
}

#[derive(Clone, Copy, Debug)]
struct Gap {
    /// Since when: changes may be missing from then on.
    since: Timestamp,
    /// The log was read until then.
    read_to: Timestamp,
}

impl Service {
    /// Until when this node was surely told of everything.
    pub fn known_until(&self) -> Timestamp {
        let now = self.clock.now();
        self.deafness.open.lock().map_or(now, |gap| gap.since.min(now))
    }

    /// Until when other nodes may have said what was not heard here: now, while deaf.
    pub(crate) fn unheard_until(&self) -> Option<Instant> {
        if self.bus.is_deaf() { Some(Instant::now()) } else { *self.deafness.heard_again.lock() }
    }

    /// Publishes a stored message to the nodes that have members.
    pub(super) async fn publish_message(&self, message: &Message) {
        #[cfg(mutants)]
        if crate::mutants::are("publish-dropped") {
            return;
        }
        if !self.bus.has_peers() {
            return;
        }
        let to = match self.rosters.get(message.chat).await {
            Ok(Some(roster)) if roster.seats().len() <= MAX_RECEIPT_MEMBERS => {
                self.nodes_of(&roster.users()).await
            }
            Ok(None) => return,
            // Not knowing where to, all are told: better too many than none.
            Ok(Some(_)) | Err(_) => To::All,
        };
        self.publish(to, node::envelope::Body::Message(self.links.message(message)));
    }

    /// Tells all sessions of these users, on all nodes.
    pub(super) async fn tell_users(&self, users: &[UserId], event: proto::event::Event) {
        let told = Arc::new(Told::Change(wire::event_frame(event.clone())));
        self.hub.each(users, |listener| listener.tell(&told));
        if !self.bus.has_peers() || users.is_empty() {
            return;
        }
        let to = self.nodes_of(users).await;
        let user_ids = users.iter().map(ToString::to_string).collect();
        let event = Some(proto::Event { event: Some(event) });
        self.publish(to, node::envelope::Body::TellUsers(node::TellUsers { user_ids, event }));
    }

    /// Tells a user's own sessions, on all nodes, but for one that knows it by its answer.
    pub(super) async fn tell_own_devices(
        &self,
        user: &UserId,
        but: Option<SessionId>,
        event: proto::event::Event,
    ) {
        let told = Arc::new(Told::Change(wire::event_frame(event.clone())));
        for listener in self.hub.of(user) {
            if Some(listener.who.session) != but {
                listener.tell(&told);
            }
        }
        if self.bus.has_peers() {
            let to = self.nodes_of(std::slice::from_ref(user)).await;
            let user_ids = vec![user.to_string()];
            let event = Some(proto::Event { event: Some(event) });
            self.publish(to, node::envelope::Body::TellUsers(node::TellUsers { user_ids, event }));
        }
    }

    /// The other nodes on which these users have sessions, as far as the bus knows; all if it
    /// cannot be asked.
    pub(super) async fn nodes_of(&self, users: &[UserId]) -> To {
        let found = tokio::time::timeout(PRESENCE_WITHIN, self.bus.find(users)).await;
        let Ok(Ok(found)) = found else { return To::All };
        let mut nodes: Vec<NodeId> =
            found.into_iter().flatten().map(|found| found.place.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.retain(|node| node != self.bus.node());
        To::Nodes(nodes)
    }

    pub(super) fn publish(&self, to: To, body: node::envelope::Body) {
        if matches!(&to, To::Nodes(nodes) if nodes.is_empty()) {
            return;
        }
        metrics::bus_envelopes().of((Direction::Out, kind(&body))).inc();
        let envelope = node::Envelope { body: Some(body) };
        self.bus.publish(to, envelope.encode_to_vec().into());
    }

    /// Hears the bus until it ends.
    pub(super) async fn listen(self: Arc<Self>) {
        let Some(mut events) = self.bus.events() else { return };
        while let Some(event) = events.recv().await {
            match event {
                BusEvent::Envelope { from, payload } => self.hear(&from, payload),
                BusEvent::Deaf { since } => {
                    self.reserves.forget_all();
                    self.lost(since);
                }
                BusEvent::Hearing => {
                    *self.deafness.heard_again.lock() = Some(Instant::now());
                    self.deafness.hearing.notify_one();
                }
            }
        }
    }

    /// Makes good what was lost: at once when all is heard again, and every few seconds until
    /// then.
    pub(super) async fn make_good(self: Arc<Self>) {
        let mut again = tokio::time::interval(DEAF_READ_EVERY);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // First be found again, then read: what is stored after that reading is sent here.
                () = self.deafness.hearing.notified() => self.renew_leases().await,
                _ = again.tick() => {
                    self.feeds.sweep();
                    self.rates.sweep();
                    if self.leases.are_unsure() && !self.bus.is_deaf() {
                        self.renew_leases().await;
                    }
                }
            }
            self.catch_up(!self.bus.is_deaf()).await;
        }
    }

    /// Something may have been lost since then.
    pub(super) fn lost(&self, since: Timestamp) {
        tracing::warn!(since = since.0, "envelopes may have been lost; reading the log");
        let mut open = self.deafness.open.lock();
        let gap = open.get_or_insert_with(|| {
            metrics::deafness().inc();
            Gap { since, read_to: since }
        });
        if since < gap.since {
            *gap = Gap { since, read_to: since };
        }
    }

    /// Something was lost since then, and no more is.
    pub(super) fn lost_for_a_while(&self, since: Timestamp) {
        self.lost(since);
        self.deafness.hearing.notify_one();
    }

    /// Reads what may have been missed. `healed`: nothing more is being lost, so sessions compare
    /// everything once and the gap is closed.
    async fn catch_up(self: &Arc<Self>, healed: bool) {
        let Some(gap) = *self.deafness.open.lock() else { return };
        let now = self.clock.now();
        let read = self.read_log_since(gap.read_to.minus(LOG_OVERLAP)).await;
        metrics::resyncs().of(Went::of(&read)).inc();
        match read {
            Ok(messages) => {
                metrics::resync_messages().add(messages);
                tracing::info!(messages, healed, "read the log after a loss");
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read the log after a loss; trying again");
                return;
            }
        }
        let mut open = self.deafness.open.lock();
        let Some(read) = open.as_mut().filter(|read| read.since == gap.since) else { return };
        read.read_to = now;
        if healed {
            *open = None;
            metrics::deafness_seconds().took(now.since(gap.since));
            drop(open);
            for listener in self.hub.all() {
                listener.deliver(Delivery::Compare(gap.since.minus(LOG_OVERLAP)));
            }
            self.look_at_presence_soon();
        }
    }

    fn hear(self: &Arc<Self>, from: &NodeId, payload: Bytes) {
        use node::envelope::Body;
        let body = match node::Envelope::decode(payload) {
            Ok(envelope) => envelope.body,
            Err(error) => {
                tracing::warn!(%from, %error, "an envelope that cannot be read");
                return;
            }
        };
        let counted = body.as_ref().map_or(Envelope::Unknown, kind);
        metrics::bus_envelopes().of((Direction::In, counted)).inc();
        match body {
            Some(Body::Message(message)) => {
                if let Some(sent) = Sent::from_wire(message) {
                    self.hand_on(sent);
                } else {
                    tracing::warn!(%from, "a message that makes no sense");
                }
            }
            Some(Body::TellUsers(tell)) => self.hear_event(tell),
            Some(Body::TellMembers(tell)) => self.hear_members_event(tell),
            Some(Body::Typing(typing)) => {
                let ids = (ChatId::parse(&typing.chat_id), UserId::parse(&typing.user_id));
                if let (Some(chat), Some(user)) = ids {
                    self.show_typing(chat, &user, typing.typing);
                }
            }
            Some(Body::Presence(changed)) => self.hear_presence(from, &changed),
            Some(Body::Opened(opened)) => self.hear_opened(from, &opened),
            Some(Body::Call(call)) => self.hear_call(from.clone(), call),
            Some(Body::Answer(answer)) => self.calls.answered(&answer),
            Some(Body::ReserveChanged(changed)) => self.hear_reserve_changed(from, &changed),
            Some(Body::ReserveForgotten(done)) => self.reserves.forgotten(done.call_id),
            Some(Body::Revoked(revoked)) => self.hear_revoked(&revoked),
            Some(Body::PushesDue(pushes)) => self.hear_pushes_due(&pushes),
            Some(Body::PushPause(pause)) => self.hear_push_pause(pause),
            Some(Body::DevicesChanged(changed)) => self.hear_devices_changed(&changed),
            None => tracing::debug!(%from, "an envelope of a newer version"),
        }
    }

    fn hear_event(&self, tell: node::TellUsers) {
        let Some(event) = tell.event.and_then(|event| event.event) else { return };
        let frame = wire::event_frame(event);
        if let About::Gone(chat, _) = frame.about() {
            self.rosters.forget(chat);
        }
        let told = Arc::new(Told::Change(frame));
        let users: Vec<_> = tell.user_ids.iter().filter_map(|id| UserId::parse(id)).collect();
        self.hub.each(&users, |listener| listener.tell(&told));
    }
}

/// How an envelope is counted.
fn kind(body: &node::envelope::Body) -> Envelope {
    use node::envelope::Body;
    match body {
        Body::Message(_) => Envelope::Message,
        Body::TellUsers(_) => Envelope::TellUsers,
        Body::TellMembers(_) => Envelope::TellMembers,
        Body::Typing(_) => Envelope::Typing,
        Body::Presence(_) => Envelope::Presence,
        Body::Opened(_) => Envelope::Opened,
        Body::Call(_) => Envelope::Call,
        Body::Answer(_) => Envelope::Answer,
        Body::ReserveChanged(_) => Envelope::ReserveChanged,
        Body::ReserveForgotten(_) => Envelope::ReserveForgotten,
        Body::Revoked(_) => Envelope::Revoked,
        Body::PushesDue(_) => Envelope::PushesDue,
        Body::PushPause(_) => Envelope::PushPause,
        Body::DevicesChanged(_) => Envelope::DevicesChanged,
    }
}
