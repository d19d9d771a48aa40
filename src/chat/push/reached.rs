//! What devices have acknowledged, written a moment later and many together.
//!
//! Apart from receipts: those of large groups gather longer than a push waits. What is lost with a
//! node is one push too many.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Pushes;
use crate::chat::Service;
use crate::chat::limits::ACKED_BATCH;
use crate::model::{ChatId, DeviceId, Seq, UserId};
use crate::store::{self, Spot};

/// How long they gather: far less than what a push waits.
const GATHER: Duration = Duration::from_millis(400);

/// A device has a message.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    spot: Spot,
    foreground: bool,
    to: Seq,
}

impl Pushes {
    /// A device has acknowledged up to this message. Never waits.
    pub(in crate::chat) fn reached(
        &self,
        chat: ChatId,
        user: &UserId,
        (device, foreground): (&DeviceId, bool),
        to: Seq,
    ) {
        if !self.push.is_on() {
            return;
        }
        let spot = Spot { chat, user: user.clone(), device: Some(device.clone()) };
        if self.reached.try_send(Reached { spot, foreground, to }).is_err() {
            tracing::warn!("too many acknowledgements: some devices may be pushed what they have");
        }
    }
}

impl Service {
    /// Writes what comes.
    pub(super) async fn write_reached(self: Arc<Self>, mut queue: mpsc::Receiver<Reached>) {
        loop {
            let Some(first) = queue.recv().await else { return };
            let mut highest: HashMap<Spot, Seq> = HashMap::new();
            let mut in_front: HashMap<Spot, Seq> = HashMap::new();
            let until = Instant::now() + GATHER;
            let mut next = Some(first);
            while let Some(Reached { spot, foreground, to }) = next {
                if foreground {
                    raise(&mut in_front, Spot { device: None, ..spot.clone() }, to);
                }
                raise(&mut highest, spot, to);
                next = match highest.len() {
                    ACKED_BATCH.. => None,
                    _ => tokio::time::timeout_at(until, queue.recv()).await.ok().flatten(),
                };
            }
            if let Err(error) = self.write_some(highest, in_front).await {
                tracing::warn!(%error, "devices may be pushed what they have");
            }
        }
    }

    /// Of devices that are registered; and what is in the foreground of users who have one.
    async fn write_some(
        &self,
        highest: HashMap<Spot, Seq>,
        in_front: HashMap<Spot, Seq>,
    ) -> store::Result<()> {
        let users: HashSet<&UserId> = highest.keys().map(|spot| &spot.user).collect();
        let registered = self.registered(&users).await?;
        let counts = |spot: &Spot| match (registered.get(&spot.user), &spot.device) {
            (None, _) => false,
            (Some(devices), None) => !devices.is_empty(),
            (Some(devices), Some(device)) => devices.contains(device),
        };
        let all = highest.into_iter().chain(in_front);
        let reached: Vec<(Spot, Seq)> = all.filter(|(spot, _)| counts(spot)).collect();
        if reached.is_empty() {
            return Ok(());
        }
        self.store.raise_acked(&reached).await
    }

    /// The registered devices of these users, as known a moment ago.
    pub(super) async fn registered(
        &self,
        users: &HashSet<&UserId>,
    ) -> store::Result<HashMap<UserId, Arc<[DeviceId]>>> {
        let (mut known, mut unknown) = (HashMap::new(), Vec::new());
        for user in users {
            match self.pushes.registered.get(*user) {
                Some(devices) => drop(known.insert((*user).clone(), devices)),
                None => unknown.push((*user).clone()),
            }
        }
        if unknown.is_empty() {
            return Ok(known);
        }
        let mut found: HashMap<UserId, Vec<DeviceId>> = HashMap::new();
        for device in self.store.devices_of(&unknown).await? {
            found.entry(device.user).or_default().push(device.id);
        }
        for user in unknown {
            let devices: Arc<[DeviceId]> = found.remove(&user).unwrap_or_default().into();
            self.pushes.registered.insert(user.clone(), Arc::clone(&devices));
            known.insert(user, devices);
        }
        Ok(known)
    }
}

fn raise(highest: &mut HashMap<Spot, Seq>, spot: Spot, to: Seq) {
    let known = highest.entry(spot).or_insert(to);
    *known = to.max(*known);
}
