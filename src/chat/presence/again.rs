//! Presence that was missed: while the bus was away, or leases were gone, comings and goings were
//! not told, or told wrongly. Once all nodes have renewed their leases it is read anew, and each
//! session is told what differs from what it holds.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::super::Service;
use super::super::hub::{Delivery, Listener};
use super::super::limits::PRESENCE_WITHIN;
use super::{Turn, last_seen, online};
use crate::error::Result;
use crate::model::{ChatId, UserId};
use crate::store;

/// Between the renewal by which the last node is found again, and the look.
const AFTER_RENEWAL: Duration = Duration::from_secs(1);
/// Sessions do not look all at once, but over this long.
const SPREAD: Duration = Duration::from_secs(4);

/// When presence is to be read anew.
#[derive(Debug, Default)]
pub(in crate::chat) struct Look(Mutex<Option<Instant>>);

impl Service {
    /// Something was lost and no more is: once every node has had its turn to renew its leases,
    /// sessions look who is there.
    pub(in crate::chat) fn look_at_presence_soon(self: &Arc<Self>) {
        let due = Instant::now() + self.settings.presence_lease / 3 + AFTER_RENEWAL;
        if self.look.0.lock().replace(due).is_some() {
            // A task waits already, and sees the new time.
            return;
        }
        let service = Arc::clone(self);
        self.run(async move {
            while let Some(due) = service.look_due() {
                tokio::time::sleep_until(due).await;
            }
            for listener in service.hub.all() {
                listener.deliver(Delivery::LookAtPresence);
            }
        });
    }

    /// When to look; `None`: now.
    fn look_due(&self) -> Option<Instant> {
        let mut look = self.look.0.lock();
        if look.is_some_and(|due| due <= Instant::now()) {
            *look = None;
        }
        *look
    }

    /// Tells a session what of presence is not as it holds it; `joined` is what it has on screen.
    pub(crate) async fn show_presence_missed(
        &self,
        listener: &Arc<Listener>,
        joined: &[ChatId],
    ) -> Result<()> {
        tokio::time::sleep(SPREAD.mul_f64(rand::random())).await;
        if listener.in_background() {
            return Ok(());
        }
        self.show_gone(listener).await?;
        let direct = self.direct_chats(&listener.who.user).await?;
        let mut users = self.shown_of_peers(listener, &direct).await?;
        for chat in joined {
            users.extend(self.shown_in(listener, *chat).await?);
        }
        users.sort_unstable();
        users.dedup();
        let watched = listener.watched();
        users.retain(|user| !watched.iter().any(|(known, ..)| known == user));
        // Who was wrongly told to be gone since they came would stay so, were they told to be
        // there since then: the later time wins.
        let now = self.clock.now();
        let places = self.places_of(&users).await;
        let turns = users.into_iter().zip(places).filter_map(|(user, places)| {
            let (_, node) = online(&places)?;
            Some(Turn { user, node: Some(node), at: now })
        });
        Ok(self.tell_turns(listener, turns.collect()).await?)
    }

    /// A session is shown the presence of its direct chats and of what it has on screen, `joined`;
    /// of others it hears no more.
    pub(crate) async fn unwatch_strangers(
        &self,
        listener: &Arc<Listener>,
        joined: &[ChatId],
    ) -> Result<()> {
        if listener.watched().is_empty() {
            return Ok(());
        }
        let direct = self.direct_chats(&listener.who.user).await?;
        let mut users = self.shown_of_peers(listener, &direct).await?;
        for chat in joined {
            users.extend(self.shown_in(listener, *chat).await?);
        }
        listener.unwatch(|user| users.contains(user));
        Ok(())
    }

    /// Tells a session which of those whom it holds for online are not.
    pub(super) async fn show_gone(&self, listener: &Arc<Listener>) -> store::Result<()> {
        let watched = listener.watched();
        let ids: Vec<UserId> = watched.iter().map(|(user, ..)| user.clone()).collect();
        let found = tokio::time::timeout(PRESENCE_WITHIN, self.bus.find(&ids)).await;
        // Where the bus is away nothing is known, and nothing told.
        let Ok(Ok(places)) = found else { return Ok(()) };
        let users = self.users_by_id(&ids).await?;
        let gone = watched.into_iter().zip(places).filter(|(_, places)| online(places).is_none());
        let turns = gone.map(|((user, _, since), places)| {
            let noted = users.get(&user).and_then(|user| user.last_active);
            // What was noted before they came is not of their going.
            let last = noted.max(last_seen(&places)).filter(|last| *last >= since);
            Turn { user, node: None, at: last.unwrap_or_else(|| self.clock.now()) }
        });
        self.tell_turns(listener, turns.collect()).await
    }
}
