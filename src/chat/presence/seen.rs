//! What of a user's coming and going may be seen, and by whom: nothing where there is a block, and
//! not when they were last here where one of the two hides that.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;

use super::{ASK_AGAIN, TELL_WITHIN, Watchers, last_seen, online};
use crate::chat::Service;
use crate::chat::hub::Listener;
use crate::clock::Timestamp;
use crate::model::{ChatId, NodeId, UserId};
use crate::proto::{self, event::Event, node};
use crate::store;
use crate::wire::{self, Told};

/// A user came, or went.
#[derive(Clone, Debug)]
pub(in crate::chat) struct Turn {
    /// Who.
    pub(in crate::chat) user: UserId,
    /// Came, and where; `None`: went.
    pub(in crate::chat) node: Option<NodeId>,
    /// Since when, or when last.
    pub(in crate::chat) at: Timestamp,
}

impl Turn {
    /// How it stands with a user now. `None`: never seen.
    pub(in crate::chat) async fn latest(
        service: &Service,
        user: &UserId,
    ) -> store::Result<Option<Self>> {
        let places = service.places(user).await;
        let user = user.clone();
        if let Some((at, node)) = online(&places) {
            return Ok(Some(Self { user, node: Some(node), at }));
        }
        let users = service.users_by_id(std::slice::from_ref(&user)).await?;
        let noted = users.get(&user).and_then(|user| user.last_active);
        Ok(noted.max(last_seen(&places)).map(|at| Self { user, node: None, at }))
    }

    fn told(&self, hidden: bool) -> Arc<Told> {
        let (user, user_id) = (self.user.clone(), self.user.to_string());
        let at = Some(wire::timestamp(self.at));
        let event = if self.node.is_some() {
            Event::UserOnline(proto::UserOnline { user_id, since: at })
        } else {
            let last_active = at.filter(|_| !hidden);
            Event::UserOffline(proto::UserOffline { user_id, last_active })
        };
        let frame = wire::event_frame(event);
        Arc::new(Told::Presence { user, node: self.node.clone(), at: self.at, frame })
    }
}

impl Service {
    /// Presence of a user elsewhere has changed.
    pub(in crate::chat) fn hear_presence(
        self: &Arc<Self>,
        from: &NodeId,
        changed: &node::PresenceChanged,
    ) {
        let Some(user) = UserId::parse(&changed.user_id) else { return };
        let watchers = Watchers {
            users: changed.watcher_ids.iter().filter_map(|id| UserId::parse(id)).collect(),
            groups: changed.chat_ids.iter().filter_map(|id| ChatId::parse(id)).collect(),
        };
        let (node, at) = (changed.online.then(|| from.clone()), Timestamp(changed.at));
        let service = Arc::clone(self);
        let show = async move { service.show_presence(&Turn { user, node, at }, &watchers).await };
        let mut show = show.boxed();
        // Mostly nothing has to be read for it, and it is told in the order in which it came.
        if (&mut show).now_or_never().is_none() {
            self.run(show);
        }
    }

    /// Shows it to those here whom it concerns, each as far as they may see it.
    pub(super) async fn show_presence(&self, turn: &Turn, watchers: &Watchers) {
        let (mut seen, mut to) = (HashSet::new(), Vec::new());
        let mut show = |listener: &Arc<Listener>| {
            if listener.who.user != turn.user && seen.insert(listener.who.session) {
                to.push(Arc::clone(listener));
            }
        };
        self.hub.each(&watchers.users, &mut show);
        for group in &watchers.groups {
            self.hub.on_screen(*group).iter().for_each(&mut show);
        }
        let began = Instant::now();
        while let Err(error) = self.tell_turn(turn, &to).await {
            if began.elapsed() >= TELL_WITHIN {
                tracing::warn!(%error, "presence is not told: the store cannot be read");
                return;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Tells sessions of one user's turn, each what its user may see.
    pub(in crate::chat) async fn tell_turn(
        &self,
        turn: &Turn,
        to: &[Arc<Listener>],
    ) -> store::Result<()> {
        let viewers: Vec<UserId> = to.iter().map(|listener| listener.who.user.clone()).collect();
        let between = self.between(&turn.user, &viewers).await?;
        let (mut shown, mut hidden) = (None, None);
        for (listener, between) in to.iter().zip(between) {
            if !between.blocked {
                let hides = between.hides_last_active;
                let told = if hides { &mut hidden } else { &mut shown };
                listener.tell(told.get_or_insert_with(|| turn.told(hides)));
            } else if turn.node.is_none() {
                // Nor is it looked for any more.
                listener.watch(&turn.user, None, turn.at);
            }
        }
        Ok(())
    }

    /// Tells a session of several users' turns, what its user may see of them.
    pub(in crate::chat) async fn tell_turns(
        &self,
        listener: &Arc<Listener>,
        turns: Vec<Turn>,
    ) -> store::Result<()> {
        let users: Vec<UserId> = turns.iter().map(|turn| turn.user.clone()).collect();
        let between = self.between(&listener.who.user, &users).await?;
        for (turn, between) in turns.iter().zip(between) {
            if !between.blocked {
                listener.tell(&turn.told(between.hides_last_active));
            } else if turn.node.is_none() {
                listener.watch(&turn.user, None, turn.at);
            }
        }
        Ok(())
    }

    /// The presence of these users as one sees it, in their order; `None`: there is a block.
    pub(in crate::chat) async fn presences(
        &self,
        viewer: &UserId,
        of: &[UserId],
    ) -> store::Result<Vec<Option<proto::Presence>>> {
        let (users, places, between) =
            tokio::join!(self.users_by_id(of), self.places_of(of), self.between(viewer, of));
        let (users, between) = (users?, between?);
        let shown = of.iter().zip(places).zip(between).map(|((user, places), between)| {
            let hides = between.hides_last_active && user != viewer;
            let online = online(&places);
            let noted = users.get(user).and_then(|user| user.last_active);
            let last_active = noted.max(last_seen(&places)).filter(|_| !hides);
            (!between.blocked).then(|| proto::Presence {
                is_online: online.is_some(),
                last_active: last_active.map(wire::timestamp),
                since: online.map(|(since, _)| wire::timestamp(since)),
            })
        });
        Ok(shown.collect())
    }
}
