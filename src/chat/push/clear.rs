//! What was read on one device goes off the screens of the others, with the badge as it then is; so
//! does what was deleted, and what is of a chat that was left. What rang once for several chats goes
//! when nothing of it is unread any more.
//!
//! Browsers are told nothing of it: a push that shows nothing costs a page its permission. A page
//! that is open knows, and takes it off itself.
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
use crate::model::{ChatId, DeviceId, Member, Platform, Seq, UserId};
use crate::push::{Note, NoteKind, Sent};
use crate::store::{Device, Spot, Standing};

/// How long they gather: a user who reads reads several.
const GATHER: Duration = Duration::from_millis(500);

/// A user has read in a chat, on this device if that is known. Or what was there to read is gone.
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
        let read_up = self.over(shown).await?;
        let seqs: HashMap<Spot, Seq> = read_up.iter().cloned().collect();
        let cleared = self.store.clear_pushes(&read_up).await?;
        let elsewhere = |spot: &Spot| {
            let on = read.get(&(spot.chat, spot.user.clone()));
            spot.device.as_ref().is_some_and(|device| on.is_none_or(|on| !on.contains(device)))
        };
        let cleared: Vec<Spot> = cleared.into_iter().filter(elsewhere).collect();
        self.tell_cleared(&cleared, &seqs).await
    }

    /// Of what is shown that of which nothing is left to read.
    async fn over(&self, shown: Vec<Standing>) -> Result<Vec<(Spot, Seq)>> {
        let places: Vec<_> =
            shown.iter().map(|of| (of.spot.chat, of.spot.user.clone(), of.pushed_to)).collect();
        let over = self.nothing_left(&places).await?;
        let shown = shown.into_iter().zip(over).filter(|(_, over)| *over);
        Ok(shown.map(|(of, _)| (of.spot, of.pushed_to)).collect())
    }

    /// Whether these users have read these messages, or cannot any more.
    async fn nothing_left(&self, of: &[(ChatId, UserId, Seq)]) -> Result<Vec<bool>> {
        let places: HashSet<_> = of.iter().map(|(chat, user, _)| (*chat, user.clone())).collect();
        let members = self.store.places(&places.into_iter().collect::<Vec<_>>()).await?;
        let members: HashMap<(ChatId, UserId), Member> =
            members.into_iter().map(|of| ((of.chat, of.user.clone()), of)).collect();
        let is_read = |(chat, user, seq): &(ChatId, UserId, Seq)| {
            members.get(&(*chat, user.clone())).is_none_or(|member| member.read.contains(*seq))
        };
        let unread: HashSet<_> =
            of.iter().filter(|of| !is_read(of)).map(|(chat, _, seq)| (*chat, *seq)).collect();
        let unread: Vec<(ChatId, Seq)> = unread.into_iter().collect();
        let left: HashSet<(ChatId, Seq)> = match unread.as_slice() {
            [] => HashSet::new(),
            unread => {
                let there = self.store.messages(unread).await?.into_iter();
                let there = there.filter(|message| message.deleted_at.is_none());
                there.map(|message| (message.chat, message.seq)).collect()
            }
        };
        Ok(of.iter().map(|of| is_read(of) || !left.contains(&(of.0, of.2))).collect())
    }

    /// Those of these devices on whose screen is a push of several chats of which nothing is left.
    async fn digests_over(&self, devices: &[&Device]) -> Result<HashSet<(UserId, DeviceId)>> {
        let mut places = Vec::new();
        for device in devices {
            let of = device.digest.iter();
            places.extend(of.map(|(chat, seq)| (*chat, device.user.clone(), *seq)));
        }
        let mut over = HashSet::new();
        if places.is_empty() {
            return Ok(over);
        }
        let mut left = self.nothing_left(&places).await?.into_iter();
        for device in devices.iter().filter(|device| !device.digest.is_empty()) {
            // All of them are taken, whatever they are.
            let kept = left.by_ref().take(device.digest.len()).filter(|over| !over).count();
            if kept == 0 {
                self.store.note_digest(&device.user, &device.id, &[]).await?;
                over.insert((device.user.clone(), device.id.clone()));
            }
        }
        Ok(over)
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
        let unread = self.unread_of(&users).await?;
        let badge = |user: &UserId| total(unread.get(user).into_iter().flat_map(HashMap::values));
        let mine: HashSet<(&UserId, Option<&DeviceId>)> =
            cleared.iter().map(|spot| (&spot.user, spot.device.as_ref())).collect();
        let here: Vec<&Device> =
            devices.iter().filter(|of| mine.contains(&(&of.user, Some(&of.id)))).collect();
        let digests = self.digests_over(&here).await?;
        let of = |spot: &Spot| -> Option<(Device, Note)> {
            let mine = |device: &&Device| {
                device.user == spot.user && Some(&device.id) == spot.device.as_ref()
            };
            let device = devices.iter().find(mine)?.clone();
            if device.platform == Platform::Web {
                return None;
            }
            let note = Note {
                token: device.token.clone()?,
                platform: device.platform,
                chat: spot.chat,
                seq: seqs.get(spot).copied()?,
                badge: badge(&spot.user),
                kind: NoteKind::Read {
                    digest: digests.contains(&(device.user.clone(), device.id.clone())),
                },
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
