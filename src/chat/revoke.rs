//! Signing a user out: streams close on every node, and older tokens are good no more.
//!
//! Each node holds who was signed out in memory, so that a call costs no question to the store.
//! It reads all of it before it serves, hears of more over the bus at once, and reads what is
//! new every few seconds: so a node that the bus does not reach is late by that, at most.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::Service;
use super::hub::Delivery;
use super::limits::{REVOCATIONS_PAGE, REVOCATIONS_READ_EVERY};
use crate::bus::To;
use crate::clock::Timestamp;
use crate::error::{Error, Reason, Result};
use crate::model::{DeviceId, UserId};
use crate::proto::node;
use crate::store::{self, Store};

/// Who was signed out, and when last.
#[derive(Debug, Default)]
pub struct Revoked {
    users: RwLock<HashMap<UserId, Timestamp>>,
    /// Until when all is known, by the store's clock.
    read_to: RwLock<Timestamp>,
}

impl Revoked {
    /// All that the store knows.
    pub(super) async fn read(store: &dyn Store) -> store::Result<Self> {
        let revoked = Self::default();
        revoked.read_on(store).await?;
        Ok(revoked)
    }

    /// Reads what is new; answers who was signed out later than was known.
    async fn read_on(&self, store: &dyn Store) -> store::Result<Vec<(UserId, Timestamp)>> {
        let mut news = Vec::new();
        loop {
            let since = *self.read_to.read();
            let page = store.revocations(since, REVOCATIONS_PAGE).await?;
            let full = page.len() >= REVOCATIONS_PAGE as usize;
            let last = page.last().map_or(since, |last| last.at);
            for revocation in page {
                if self.note(&revocation.user, revocation.at) {
                    news.push((revocation.user, revocation.at));
                }
            }
            // Those of the last moment are read again: more of them may come.
            *self.read_to.write() = last;
            if !full || last == since {
                return Ok(news);
            }
        }
    }

    /// Answers whether that is later than what was known.
    fn note(&self, user: &UserId, at: Timestamp) -> bool {
        let mut users = self.users.write();
        match users.get_mut(user) {
            Some(known) if *known >= at => false,
            Some(known) => {
                *known = at;
                true
            }
            None => {
                users.insert(user.clone(), at);
                true
            }
        }
    }

    /// Whether a token of this user that was issued then is good no more. Tokens tell whole
    /// seconds: one of the very second counts as issued before.
    fn refuses(&self, user: &UserId, issued_at: Timestamp) -> bool {
        self.users.read().get(user).is_some_and(|at| issued_at < *at)
    }
}

impl Service {
    /// Refuses a token that was issued before its user was signed out.
    pub fn check_revoked(&self, user: &UserId, issued_at: Timestamp) -> Result<()> {
        if self.revoked.refuses(user, issued_at) {
            return Err(Error::new(
                Reason::TokenRevoked,
                "the user was signed out after this token was issued; get a new one",
            ));
        }
        Ok(())
    }

    /// Signs a user out, on one device (streams alone) or everywhere; answers how many streams
    /// were known to be open.
    pub async fn revoke(&self, user: &UserId, device: Option<&DeviceId>) -> Result<u32> {
        if device.is_none() {
            let at = self.store.revoke(user).await?;
            self.note_revoked(user, at);
        }
        let places = self.places(user).await;
        let known = places.iter().filter(|found| found.live);
        let known = known.filter(|found| device.is_none_or(|only| found.place.device == *only));
        let elsewhere = known.filter(|found| found.place.node != *self.bus.node()).count();
        if self.bus.has_peers() {
            let at = self.revoked.users.read().get(user).map_or(0, |at| at.0);
            let revoked = node::UserRevoked {
                user_id: user.to_string(),
                device_id: device.map(ToString::to_string).unwrap_or_default(),
                at: if device.is_none() { at } else { 0 },
            };
            self.publish(To::All, node::envelope::Body::Revoked(revoked));
        }
        let here = self.end_streams(user, device, None);
        Ok(u32::try_from(elsewhere + here).unwrap_or(u32::MAX))
    }

    /// What older tokens said of the user's name does not count any more either: it may be gone.
    fn note_revoked(&self, user: &UserId, at: Timestamp) {
        self.revoked.note(user, at);
        self.profiles.forget(user);
    }

    /// Another node has signed a user out.
    pub(super) fn hear_revoked(&self, revoked: &node::UserRevoked) {
        let Some(user) = UserId::parse(&revoked.user_id) else { return };
        if revoked.device_id.is_empty() {
            self.note_revoked(&user, Timestamp(revoked.at));
            self.end_streams(&user, None, None);
        } else if let Some(device) = DeviceId::parse(&revoked.device_id) {
            self.end_streams(&user, Some(&device), None);
        }
    }

    /// Ends the streams here of this user, on this device, opened before then; answers how many.
    fn end_streams(
        &self,
        user: &UserId,
        device: Option<&DeviceId>,
        before: Option<Timestamp>,
    ) -> usize {
        let mut ended = 0;
        for listener in self.hub.of(user) {
            let who = &listener.who;
            if device.is_none_or(|device| who.device == *device)
                && before.is_none_or(|before| who.session.time() < before)
            {
                listener.deliver(Delivery::Revoked);
                ended += 1;
            }
        }
        ended
    }

    /// Reads who was signed out, over and over: what the bus lost is known by then.
    pub(super) async fn read_revocations(self: Arc<Self>) {
        let mut again = tokio::time::interval(REVOCATIONS_READ_EVERY);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            match self.revoked.read_on(&*self.store).await {
                Ok(news) => {
                    for (user, at) in news {
                        self.profiles.forget(&user);
                        self.end_streams(&user, None, Some(at));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot read who was signed out; trying again");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_before_is_refused_and_one_of_after_is_not() {
        let (revoked, user) = (Revoked::default(), UserId::new("ann"));
        assert!(!revoked.refuses(&user, Timestamp(0)));
        assert!(revoked.note(&user, Timestamp(5_500)));
        assert!(!revoked.note(&user, Timestamp(4_000)));
        assert!(revoked.refuses(&user, Timestamp(5_000)));
        assert!(!revoked.refuses(&user, Timestamp(6_000)));
        assert!(!revoked.refuses(&UserId::new("bob"), Timestamp(0)));
    }
}
