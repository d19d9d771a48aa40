//! What of a user's coming and going may be seen, and by whom: nothing where there is a block, and
//! not when they were last here where one of the two hides that.

use std::sync::Arc;

use super::{last_seen, online};
use crate::chat::Service;
use crate::chat::hub::Listener;
use crate::clock::Timestamp;
use crate::model::{NodeId, UserId};
use crate::proto::{self, event::Event};
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
        let event = match &self.node {
            Some(_) => Event::UserOnline(proto::UserOnline { user_id, since: at }),
            None => {
                let last_active = at.filter(|_| !hidden);
                Event::UserOffline(proto::UserOffline { user_id, last_active })
            }
        };
        let frame = wire::event_frame(event);
        Arc::new(Told::Presence { user, node: self.node.clone(), at: self.at, frame })
    }
}

impl Service {
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
