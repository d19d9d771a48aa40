//! The leases by which the sessions of this node are found, and what follows when they were not.
//!
//! A node that dies sends nothing: its leases run out, and the others read again where those are
//! whom their sessions hold for online there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Service;
use super::hub::Listener;
use super::limits::PRESENCE_SWEEP;
use super::presence::{Turn, last_seen, online};
use crate::bus::Place;
use crate::clock::Timestamp;
use crate::metrics::{self, Went};
use crate::model::UserId;

/// A renewal later than this after the last good one leaves a time in which nobody could find
/// the sessions of this node.
const RENEWAL_TOO_LATE: Duration = Duration::from_secs(30);

/// What is known of the leases of this node's sessions.
#[derive(Debug, Default)]
pub struct Leases {
    /// When they were last renewed for sure; `None`: never.
    renewed: Mutex<Option<(Instant, Timestamp)>>,
    /// Some may not have been written.
    unsure: AtomicBool,
}

impl Leases {
    /// A place may not have been written: it is tried again before long.
    pub(super) fn unsure(&self) {
        self.unsure.store(true, Ordering::Release);
    }

    /// Whether to try again.
    pub(super) fn are_unsure(&self) -> bool {
        self.unsure.load(Ordering::Acquire)
    }
}

impl Service {
    /// Renews the leases of this node's sessions, and reads again where watched users are whose
    /// node is silent.
    pub(super) async fn keep_presence(self: Arc<Self>) {
        let every = self.settings.presence_lease / 3;
        let mut renewal = tokio::time::interval(every);
        renewal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut sweep = tokio::time::interval(PRESENCE_SWEEP.min(every));
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = renewal.tick() => self.renew_leases().await,
                _ = sweep.tick() => self.read_silent_again().await,
            }
        }
    }

    /// Renews the leases of this node's sessions. Where they were gone, messages may have passed
    /// them by.
    pub(super) async fn renew_leases(&self) {
        self.leases.unsure.store(false, Ordering::Release);
        let began = (Instant::now(), self.clock.now());
        let sessions = self.hub.all();
        let places: Vec<(UserId, Place)> = sessions
            .iter()
            .filter(|listener| listener.is_settled())
            .map(|listener| (listener.who.user.clone(), listener.place()))
            .collect();
        if places.is_empty() {
            *self.leases.renewed.lock() = Some(began);
            return;
        }
        let renewed = self.bus.renew(&places).await;
        metrics::lease_renewals().of(Went::of(&renewed)).inc();
        match renewed {
            Ok(added) => {
                metrics::leases_lost().add(added as u64);
                let gone = self.removed_meanwhile(&places);
                if !gone.is_empty() {
                    // Sessions that ended while the renewal was under way.
                    drop(self.bus.remove(&gone).await);
                }
                let last = self.leases.renewed.lock().replace(began).unwrap_or(began);
                let every = self.settings.presence_lease / 3;
                let late = last.0.elapsed() > RENEWAL_TOO_LATE.max(every * 2);
                if (added > 0 || late) && self.bus.has_peers() {
                    tracing::warn!(added, late, "sessions of this node could not be found");
                    self.lost_for_a_while(last.1);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot renew presence");
                self.leases.unsure();
            }
        }
    }

    fn removed_meanwhile(&self, places: &[(UserId, Place)]) -> Vec<(UserId, Place)> {
        let left = |place: &Place| self.hub.session(place.session).is_none();
        places.iter().filter(|(_, place)| left(place)).cloned().collect()
    }

    async fn read_silent_again(self: &Arc<Self>) {
        let mut watching: HashMap<UserId, Vec<Arc<Listener>>> = HashMap::new();
        for listener in self.hub.all() {
            for (user, node, _) in listener.watched() {
                if !self.bus.hears(&node) {
                    watching.entry(user).or_default().push(Arc::clone(&listener));
                }
            }
        }
        if watching.is_empty() {
            return;
        }
        let users: Vec<UserId> = watching.keys().cloned().collect();
        // Where the bus is away nothing is known, and nothing told.
        let Ok(places) = self.bus.find(&users).await else { return };
        let mut turns = Vec::new();
        for (user, places) in users.iter().zip(places) {
            let user = user.clone();
            let listeners = watching.remove(&user).unwrap_or_default();
            let turn = match online(&places) {
                // Silent, but its lease runs still.
                Some((_, node)) if !self.bus.hears(&node) => continue,
                Some((at, node)) => Turn { user, node: Some(node), at },
                None => {
                    let at = last_seen(&places).unwrap_or_else(|| self.clock.now());
                    Turn { user, node: None, at }
                }
            };
            turns.push((turn, listeners));
        }
        // Renewals do not wait for the store.
        let service = Arc::clone(self);
        let tell = async move {
            for (turn, listeners) in turns {
                if let Err(error) = service.tell_turn(&turn, &listeners).await {
                    tracing::debug!(%error, "who went with a node is told later");
                }
            }
        };
        // Whom it does not come to is watched still, and looked for again.
        self.run(async move { drop(tokio::time::timeout(PRESENCE_SWEEP, tell).await) });
    }
}
