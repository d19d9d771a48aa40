//! Who is online: a lease each device's stream holds, and who may be told.
//!
//! Presence goes to those who share a direct chat in which the one watched has written, and to
//! sessions that have a common group on screen. How leases are kept is in [`leases`](super::leases).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Service;
use super::hub::Listener;
use super::limits::{MAX_RECEIPT_MEMBERS, MAX_WATCHED, PRESENCE_WITHIN};
use crate::bus::{Found, Place, To};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::{ChatId, ChatKind, Member, NodeId, UserId};
use crate::proto::node;
use crate::store::{self, WrittenBy};
use crate::webhook::{Event as Happened, Kind};

mod again;
mod peers;
mod seen;

pub(super) use again::Look;
pub(super) use seen::Turn;

/// How often what could not be found out is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// For how long a coming or going is told that cannot be told at once.
const TELL_WITHIN: Duration = Duration::from_secs(60);

/// Who hears of a user coming and going.
#[derive(Debug, Default)]
struct Watchers {
    users: Vec<UserId>,
    groups: Vec<ChatId>,
}

/// Whether a user is online, given all places.
pub(super) fn online(places: &[Found]) -> Option<(Timestamp, NodeId)> {
    places
        .iter()
        .filter(|found| found.live && found.place.foreground)
        .map(|found| (found.place.since, found.place.node.clone()))
        .min()
}

/// When a foreground stream was seen last, by leases that ran out.
pub(super) fn last_seen(places: &[Found]) -> Option<Timestamp> {
    places.iter().filter(|found| found.place.foreground).map(|found| found.renewed_at).max()
}

impl Service {
    /// The places of one user; none where the bus is away.
    pub(crate) async fn places(&self, user: &UserId) -> Vec<Found> {
        self.places_of(std::slice::from_ref(user)).await.pop().unwrap_or_default()
    }

    /// The places of users, in the order asked; none where the bus is away.
    async fn places_of(&self, users: &[UserId]) -> Vec<Vec<Found>> {
        if users.is_empty() {
            return Vec::new();
        }
        match tokio::time::timeout(PRESENCE_WITHIN, self.bus.find(users)).await {
            Ok(Ok(mut found)) if found.len() == users.len() => {
                for places in &mut found {
                    places.retain(|found| self.is_there(found));
                }
                found
            }
            Ok(Ok(_) | Err(_)) | Err(_) => vec![Vec::new(); users.len()],
        }
    }

    /// Writes a new session's place. Where presence is away the stream opens all the same.
    pub(crate) async fn arrive(self: &Arc<Self>, listener: &Arc<Listener>, before: &[Found]) {
        let place = (listener.who.user.clone(), listener.place());
        let written = tokio::time::timeout(PRESENCE_WITHIN, self.bus.renew(&[place])).await;
        if !matches!(written, Ok(Ok(_))) {
            tracing::debug!(session = %listener.who.session, "opened without presence");
            self.leases.unsure();
        }
        listener.settle();
        if !listener.in_background() && online(before).is_none() {
            self.announce_later(&listener.who.user, true, listener.place().since);
        }
    }

    /// A session has gone to the background, or has come back: its place follows, one change
    /// after the other.
    pub(crate) async fn change_ground(self: &Arc<Self>, listener: &Arc<Listener>) {
        let ended = listener.ended.lock().await;
        let (old, back) = (listener.place(), listener.in_background());
        if *ended || old.foreground != back {
            return;
        }
        let user = &listener.who.user;
        let before = self.places(user).await;
        let now = self.clock.now();
        let new = Place { foreground: !back, since: now, ..old };
        listener.set_place(new.clone());
        // It takes the place of the old one; where presence is away a renewal soon writes it.
        let place = [(user.clone(), new)];
        let written = tokio::time::timeout(PRESENCE_WITHIN, self.bus.renew(&place)).await;
        if !matches!(written, Ok(Ok(_))) {
            self.leases.unsure();
        }
        drop(ended);
        if back {
            self.note_last_active(user, now).await;
            self.check_gone_later(user.clone(), now);
        } else if online(&before).is_none() {
            self.announce_later(user, true, now);
        }
    }

    /// A session has ended.
    pub(crate) async fn depart(self: &Arc<Self>, listener: &Arc<Listener>) {
        let mut ended = listener.ended.lock().await;
        *ended = true;
        let user = listener.who.user.clone();
        let place = listener.place();
        let foreground = place.foreground;
        let gone = [(user.clone(), place)];
        // A bus that is away forgets the place by itself.
        drop(tokio::time::timeout(PRESENCE_WITHIN, self.bus.remove(&gone)).await);
        if foreground {
            let now = self.clock.now();
            self.note_last_active(&user, now).await;
            self.check_gone_later(user, now);
        }
    }

    async fn note_last_active(&self, user: &UserId, at: Timestamp) {
        if let Err(error) = self.store.put_last_active(user, at).await {
            tracing::warn!(%user, %error, "cannot note when a user was last here");
        }
    }

    /// After the grace: offline, if no other session has come.
    fn check_gone_later(self: &Arc<Self>, user: UserId, last_active: Timestamp) {
        let service = Arc::clone(self);
        let grace = self.settings.presence_grace;
        *self.leaving.lock().entry(user.clone()).or_default() += 1;
        self.departures.spawn(self.until_stopped(async move {
            tokio::time::sleep(grace).await;
            if !service.is_last_check(&user) {
                return;
            }
            while !service.is_here(&user) {
                match service.known_places(&user).await.map(|places| service.elsewhere(places)) {
                    Some(places) if online(&places).is_none() => {
                        return service.announce(&user, false, last_active).await;
                    }
                    Some(_) => return,
                    // Where the bus is away the user may be on another node.
                    None => tokio::time::sleep(ASK_AGAIN).await,
                }
            }
        }));
    }

    /// Of sessions of this node the node itself knows best: what the bus still has of one that
    /// ended may only have been lost on its way out.
    pub(super) fn is_there(&self, found: &Found) -> bool {
        let place = &found.place;
        place.node != *self.bus.node() || self.hub.session(place.session).is_some()
    }

    /// Of places, those that are not on this node.
    fn elsewhere(&self, mut places: Vec<Found>) -> Vec<Found> {
        places.retain(|found| found.place.node != *self.bus.node());
        places
    }

    /// Whether a session of this user is in the foreground on this node.
    fn is_here(&self, user: &UserId) -> bool {
        self.hub.of(user).iter().any(|listener| !listener.in_background())
    }

    /// The places of one user; `None`: the bus is away.
    async fn known_places(&self, user: &UserId) -> Option<Vec<Found>> {
        let found = self.bus.find(std::slice::from_ref(user));
        tokio::time::timeout(PRESENCE_WITHIN, found).await.ok()?.ok()?.pop()
    }

    /// Who went again meanwhile has a grace of their own.
    fn is_last_check(&self, user: &UserId) -> bool {
        let mut leaving = self.leaving.lock();
        let Some(checks) = leaving.get_mut(user) else { return true };
        *checks -= 1;
        let last = *checks == 0;
        if last {
            leaving.remove(user);
        }
        last
    }

    fn announce_later(self: &Arc<Self>, user: &UserId, online: bool, at: Timestamp) {
        let (service, user) = (Arc::clone(self), user.clone());
        self.run(async move { service.announce(&user, online, at).await });
    }

    /// Tells that a user came or went: as soon as the store can be read, if it is true still.
    async fn announce(&self, user: &UserId, online: bool, at: Timestamp) {
        if online {
            self.webhooks.note(Kind::UserOnline, || Happened::user_online(user, at));
        }
        let began = Instant::now();
        let watchers = loop {
            let Ok(turn) = self.announcing.acquire().await else { return };
            let watchers = self.watchers(user).await;
            drop(turn);
            match watchers {
                Ok(watchers) => break watchers,
                Err(error) if began.elapsed() < TELL_WITHIN => {
                    tracing::debug!(%user, %error, "presence is told later");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                Err(error) => {
                    tracing::warn!(%user, %error, "presence is not told: the store cannot be read");
                    return;
                }
            }
            if online != self.is_here(user) {
                return;
            }
        };
        let turn = Turn { user: user.clone(), node: online.then(|| self.bus.node().clone()), at };
        tokio::join!(self.show_presence(&turn, &watchers), self.publish_presence(&turn, &watchers));
    }

    async fn publish_presence(&self, turn: &Turn, watchers: &Watchers) {
        if !self.bus.has_peers() {
            return;
        }
        let to =
            if watchers.groups.is_empty() { self.nodes_of(&watchers.users).await } else { To::All };
        let changed = node::PresenceChanged {
            user_id: turn.user.to_string(),
            watcher_ids: watchers.users.iter().map(ToString::to_string).collect(),
            chat_ids: watchers.groups.iter().map(ToString::to_string).collect(),
            online: turn.node.is_some(),
            at: turn.at.0,
        };
        self.publish(to, node::envelope::Body::Presence(changed));
    }

    async fn watchers(&self, user: &UserId) -> store::Result<Watchers> {
        let chats: Vec<ChatId> = self
            .store
            .memberships(user)
            .await?
            .into_iter()
            .filter(|place| place.left_at.is_none())
            .map(|place| place.chat)
            .collect();
        let chats = self.store.chats(&chats).await?;
        let of = |kind| chats.iter().filter(move |chat| chat.kind == kind);
        let direct: Vec<ChatId> = of(ChatKind::Direct).map(|chat| chat.id).collect();
        let written = self.store.written_in(WrittenBy::User(user.clone()), &direct).await?;
        let pairs = self.store.pairs(&written).await?;
        let users = pairs.into_iter().map(|m| m.user).filter(|other| other != user).collect();
        let groups = of(ChatKind::Group)
            .filter(|chat| chat.member_count as usize <= MAX_RECEIPT_MEMBERS)
            .map(|chat| chat.id)
            .collect();
        Ok(Watchers { users, groups })
    }

    /// Tells a session which of these users are online.
    async fn show_online(&self, listener: &Arc<Listener>, users: &[UserId]) -> store::Result<()> {
        let places = self.places_of(users).await;
        let turns = users.iter().zip(places).filter_map(|(user, places)| {
            let (at, node) = online(&places)?;
            Some(Turn { user: user.clone(), node: Some(node), at })
        });
        self.tell_turns(listener, turns.collect()).await
    }

    /// Tells a session who is online among the peers of its direct chats, `chats` by inbox order.
    pub(crate) async fn show_online_peers(
        &self,
        listener: &Arc<Listener>,
        chats: &[ChatId],
    ) -> store::Result<()> {
        let users = self.shown_of_peers(listener, chats).await?;
        self.show_online(listener, &users).await
    }

    /// Whose presence a session is shown for its direct chats.
    async fn shown_of_peers(
        &self,
        listener: &Arc<Listener>,
        chats: &[ChatId],
    ) -> store::Result<Vec<UserId>> {
        let direct = &chats[..chats.len().min(MAX_WATCHED)];
        let user = &listener.who.user;
        let written = WrittenBy::AnyoneBut(user.clone());
        let written = self.store.written_in(written, direct).await?;
        let peers = peers(user, self.store.pairs(&written).await?);
        Ok(peers.into_iter().map(|(_, user)| user).collect())
    }

    /// Tells a session that has just put a chat on screen who is online there.
    pub(crate) async fn show_online_in(
        &self,
        listener: &Arc<Listener>,
        chat: ChatId,
    ) -> Result<()> {
        if !listener.in_background() {
            let users = self.shown_in(listener, chat).await?;
            self.show_online(listener, &users).await?;
        }
        Ok(())
    }

    /// Whose presence a session is shown for a chat that it has on screen.
    async fn shown_in(&self, listener: &Arc<Listener>, chat: ChatId) -> Result<Vec<UserId>> {
        let seated = self.seated(&listener.who.user, chat).await?;
        let roster = &seated.roster;
        if !roster.has_receipts() {
            return Ok(Vec::new());
        }
        if roster.chat.kind == ChatKind::Direct {
            return Ok(self.shown_of_peers(listener, &[chat]).await?);
        }
        let mut users = roster.users();
        users.retain(|user| *user != listener.who.user);
        Ok(users)
    }

    /// Tells a session that is in the foreground again what it was not told meanwhile: who went,
    /// and who is there, `joined` being the chats it has on screen.
    pub(crate) async fn show_presence_anew(
        &self,
        listener: &Arc<Listener>,
        joined: &[ChatId],
    ) -> Result<()> {
        if listener.in_background() {
            return Ok(());
        }
        self.show_gone(listener).await?;
        let direct = self.direct_chats(&listener.who.user).await?;
        self.show_online_peers(listener, &direct).await?;
        for chat in joined {
            self.show_online_in(listener, *chat).await?;
        }
        Ok(())
    }
}

/// The other members, by chat.
fn peers(user: &UserId, pairs: Vec<Member>) -> Vec<(ChatId, UserId)> {
    pairs
        .into_iter()
        .filter(|member| member.user != *user)
        .map(|member| (member.chat, member.user))
        .collect()
}
