//! What was read on one device goes off the screens of the others, with the badge as it then is.
//!
//! From memory: what is lost with a node stays on a screen until its app is opened.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Pushes;
use crate::chat::Service;
use crate::chat::limits::CLEAR_BATCH;
use crate::chat::unread::total;
use crate::error::Result;
use crate::metrics::{self, Pushed};
use crate::model::{ChatId, DeviceId, Seq, UserId};
use crate::push::{Note, NoteKind, Sent};
use crate::store::{Device, Spot};

/// How long they gather: a user who reads reads several.
const GATHER: Duration = Duration::from_millis(500);

/// A user has read in a chat, on this device if that is known.
pub(super) type Read = (ChatId, UserId, Option<DeviceId>);

impl Pushes {
    /// A user has read something. Never waits; what finds no room is not cleared.
    pub(in crate::chat) fn read(&self, chat: ChatId, user: &UserId, on: Option<&DeviceId>) {
        if self.push.is_on() {
            drop(self.read.try_send((chat, user.clone(), on.cloned())));
        }
    }
}

impl Service {
    /// Clears what was read, as it comes.
    pub(super) async fn clear_read(self: Arc<Self>, mut queue: mpsc::Receiver<Read>) {
        loop {
            let Some(first) = queue.recv().await else { return };
            let mut places: HashMap<(ChatId, UserId), HashSet<DeviceId>> = HashMap::new();
            let until = Instant::now() + GATHER;
            let mut next = Some(first);
            while let Some((chat, user, on)) = next {
                places.entry((chat, user)).or_default().extend(on);
                next = match places.len() {
                    CLEAR_BATCH.. => None,
                    _ => tokio::time::timeout_at(until, queue.recv()).await.ok().flatten(),
                };
            }
            if let Err(error) = self.clear_some(&places).await {
                tracing::warn!(%error, "what was read stays on some screens");
            }
        }
    }

    async fn clear_some(
        self: &Arc<Self>,
        read: &HashMap<(ChatId, UserId), HashSet<DeviceId>>,
    ) -> Result<()> {
        let users: HashSet<&UserId> = read.keys().map(|(_, user)| user).collect();
        let registered = self.registered(&users).await?;
        let with_devices =
            |user: &UserId| registered.get(user).is_some_and(|devices| !devices.is_empty());
        let places: Vec<_> = read.keys().filter(|(_, user)| with_devices(user)).cloned().collect();
        if places.is_empty() {
            return Ok(());
        }
        let shown = self.store.standings(&places).await?;
        let shown: Vec<_> = shown.into_iter().filter(|of| of.pushed_to > of.cleared_to).collect();
        if shown.is_empty() {
            return Ok(());
        }
        let members = self.store.places(&places).await?;
        let is_read = |spot: &Spot, seq: Seq| {
            let mut members = members.iter();
            let member = members.find(|of| of.chat == spot.chat && of.user == spot.user);
            member.is_some_and(|of| of.read.contains(seq))
        };
        let read_up: Vec<(Spot, Seq)> = shown
            .into_iter()
            .filter(|of| is_read(&of.spot, of.pushed_to))
            .map(|of| (of.spot, of.pushed_to))
            .collect();
        let seqs: HashMap<Spot, Seq> = read_up.iter().cloned().collect();
        let cleared = self.store.clear_pushes(&read_up).await?;
        let elsewhere = |spot: &Spot| {
            let on = read.get(&(spot.chat, spot.user.clone()));
            spot.device.as_ref().is_some_and(|device| on.is_none_or(|on| !on.contains(device)))
        };
        let cleared: Vec<Spot> = cleared.into_iter().filter(elsewhere).collect();
        self.tell_cleared(&cleared, &seqs).await
    }

    async fn tell_cleared(
        self: &Arc<Self>,
        cleared: &[Spot],
        seqs: &HashMap<Spot, Seq>,
    ) -> Result<()> {
        if cleared.is_empty() {
            return Ok(());
        }
        let users: HashSet<UserId> = cleared.iter().map(|spot| spot.user.clone()).collect();
        let users: Vec<UserId> = users.into_iter().collect();
        let devices = self.store.devices_of(&users).await?;
        let mut badges = HashMap::new();
        for user in users {
            let badge = total(self.unread_of(&user).await?.values());
            badges.insert(user, badge);
        }
        let of = |spot: &Spot| -> Option<(Device, Note)> {
            let mine = |device: &&Device| {
                device.user == spot.user && Some(&device.id) == spot.device.as_ref()
            };
            let device = devices.iter().find(mine)?.clone();
            let note = Note {
                token: device.token.clone()?,
                platform: device.platform,
                chat: spot.chat,
                seq: seqs.get(spot).copied()?,
                badge: badges.get(&spot.user).copied()?,
                kind: NoteKind::Read,
            };
            Some((device, note))
        };
        for (device, note) in cleared.iter().filter_map(of) {
            let service = Arc::clone(self);
            self.run(async move {
                match service.pushes.push.send(&note).await {
                    Sent::Taken => metrics::pushes().of(Pushed::Cleared).inc(),
                    Sent::Gone(why) => service.drop_token(&device, &why).await,
                    // The app clears it when it is opened.
                    Sent::Refused(_) | Sent::Later { .. } => {}
                }
            });
        }
        Ok(())
    }
}
