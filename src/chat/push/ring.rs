//! A push goes out: claimed, so that nobody else sends it; put into words; sent; settled.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};

use super::due::{Due, Found, age};
use crate::chat::Service;
use crate::chat::limits::{PUSH_APART, PUSH_CLAIM, PUSHES_AT_ONCE};
use crate::chat::unread::{Unread, total};
use crate::error::{Error, Reason, Result};
use crate::metrics::{self, Pushed};
use crate::model::{User, UserId};
use crate::push::words::{News, digest, words};
use crate::push::{Note, NoteKind, Push, Sent};
use crate::store::{Claimed, Device, Spot};

/// Pushes that are settled together, if as many have come back.
const SETTLED_AT_ONCE: usize = 256;
/// How often what was taken is noted, if the store does not answer.
const SETTLE_TRIES: u32 = 5;
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

/// What must be looked at again.
#[derive(Debug)]
pub(super) struct Undone {
    pub(super) due: Due,
    pub(super) why: Why,
}

/// Why it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Another is at it, or there was a push just now.
    Claimed(Duration),
    /// The push service could not take it, and said perhaps when it can.
    Later(Option<Duration>),
}

impl Service {
    /// Sends what is due, and sees to what is held back; answers what is not done. An error: the
    /// rest is not done either, and some of it is claimed for a while.
    pub(super) async fn ring(self: &Arc<Self>, found: Found) -> Result<Vec<Undone>> {
        for (due, until) in &found.held {
            self.hold(due, *until).await?;
        }
        if found.due.is_empty() && found.rules.is_empty() {
            return Ok(Vec::new());
        }
        let service = Arc::clone(self);
        // To its end, also when the node leaves: what was sent and is not settled is sent again.
        self.carry_through(async move {
            let (ours, mut undone) = service.claim(found.due).await?;
            undone.extend(service.ring_each(ours).await?);
            service.note_steps(&found.rules).await;
            Ok(undone)
        })
        .await
    }

    /// Sends what is due to one device in one push, if it is of several chats.
    pub(super) async fn ring_as_one(self: &Arc<Self>, found: Found) -> Result<Vec<Undone>> {
        let service = Arc::clone(self);
        self.carry_through(async move { service.ring_digest(found).await }).await
    }

    async fn ring_digest(self: &Arc<Self>, found: Found) -> Result<Vec<Undone>> {
        self.note_steps(&found.rules).await;
        let (ours, mut undone) = self.claim(found.due).await?;
        if ours.len() < 2 {
            undone.extend(self.ring_each(ours).await?);
            return Ok(undone);
        }
        let unread = self.unread_of_all(&ours).await?;
        if let Some(note) = digest_note(&ours, &unread) {
            // Before it is there: what is not known to be there stays.
            let of: Vec<_> = ours.iter().map(|due| (due.message.chat, due.message.seq)).collect();
            let device = &ours[0].device;
            self.store.note_digest(&device.user, &device.id, &of).await?;
            let sent = handed_over(&self.pushes.push, &note).await;
            let all = ours.into_iter().map(|due| (due, sent.clone())).collect();
            undone.extend(self.settle(all).await);
        }
        Ok(undone)
    }

    /// What of it is ours to send, and what is not done.
    async fn claim(&self, due: Vec<Due>) -> Result<(Vec<Due>, Vec<Undone>)> {
        // Nearly always: it would take a turn of the store's for nothing.
        if due.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let claims: Vec<_> = due.iter().map(|due| (due.spot(), due.message.seq)).collect();
        let claimed = self.store.claim_pushes(&claims, PUSH_CLAIM, PUSH_APART).await?;
        let (mut ours, mut undone) = (Vec::new(), Vec::new());
        for (due, claimed) in due.into_iter().zip(claimed) {
            match claimed {
                Claimed::Yes => ours.push(due),
                Claimed::Done => {}
                Claimed::Later(after) => undone.push(Undone { due, why: Why::Claimed(after) }),
            }
        }
        Ok((ours, undone))
    }

    async fn ring_each(self: &Arc<Self>, ours: Vec<Due>) -> Result<Vec<Undone>> {
        if ours.is_empty() {
            return Ok(Vec::new());
        }
        let (unread, names) = tokio::try_join!(self.unread_of_all(&ours), self.names_of(&ours))?;
        let mut left = ours.len();
        let sent = ours.into_iter().map(|due| {
            let (note, push) = (note(&due, &unread, &names), self.pushes.push.clone());
            async move {
                let sent = handed_over(&push, &note).await;
                (due, sent)
            }
        });
        let sent: Vec<_> = sent.collect();
        // A node that leaves ends what it has begun, and begins no more.
        let sent = stream::iter(sent).take_until(self.stop.cancelled());
        let sent = sent.buffer_unordered(PUSHES_AT_ONCE);
        let mut sent = pin!(sent.ready_chunks(SETTLED_AT_ONCE));
        let mut undone = Vec::new();
        while let Some(some) = sent.next().await {
            left -= some.len();
            undone.extend(self.settle(some).await);
        }
        if left > 0 {
            return Err(Error::new(
                Reason::ShuttingDown,
                "this node leaves; another pushes the rest",
            ));
        }
        Ok(undone)
    }

    /// Notes what came of pushes; answers those that must be tried again.
    async fn settle(&self, sent: Vec<(Due, Sent)>) -> Vec<Undone> {
        let (mut settled, mut traces, mut undone) = (Vec::new(), Vec::new(), Vec::new());
        for (due, sent) in sent {
            traces.push(self.step_of_push(&due, &sent));
            let taken = (sent == Sent::Taken).then_some(due.message.seq);
            settled.push((due.spot(), taken));
            match sent {
                Sent::Taken => {
                    metrics::push_age_seconds().took(age(&due.message, self.clock.now()));
                }
                Sent::Gone(why) => self.drop_token(&due.device, &why).await,
                Sent::Refused(why) => {
                    let (user, device) = (&due.device.user, &due.device.id);
                    tracing::error!(%user, %device, why, "the push service refuses a push");
                }
                Sent::Later { after, .. } => undone.push(Undone { due, why: Why::Later(after) }),
            }
        }
        self.note_settled(&settled).await;
        self.note_steps(&traces).await;
        undone
    }

    /// What was taken and is not noted is sent again by a later look: so it is tried for a while.
    async fn note_settled(&self, settled: &[(Spot, Option<u32>)]) {
        for _ in 0..SETTLE_TRIES {
            match self.store.settle_pushes(settled).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "cannot note that pushes are done"),
            }
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
    }

    pub(super) async fn drop_token(&self, of: &Device, why: &str) {
        let (user, device) = (&of.user, &of.id);
        tracing::info!(%user, %device, why, "the push service knows a token no more");
        let Some(token) = &of.token else { return };
        // If it cannot be noted now, the next push tells it again.
        if let Err(error) = self.store.fail_device(user, device, token, why).await {
            tracing::warn!(%error, "cannot note that a token is gone");
        }
        self.pushes.registered.invalidate(user);
    }

    /// What is unread of each of these users: the badge is the sum, as in the inbox.
    async fn unread_of_all(&self, due: &[Due]) -> Result<Unread> {
        let users: HashSet<UserId> = due.iter().map(|due| due.device.user.clone()).collect();
        self.unread_of(&users.into_iter().collect::<Vec<_>>()).await
    }

    async fn names_of(&self, due: &[Due]) -> Result<HashMap<UserId, User>> {
        let senders = due.iter().filter_map(|due| due.message.sender.clone());
        let senders: HashSet<UserId> = senders.collect();
        let users = self.store.users(&senders.into_iter().collect::<Vec<_>>()).await?;
        Ok(users.into_iter().map(|user| (user.id.clone(), user)).collect())
    }
}

async fn handed_over(push: &Push, note: &Note) -> Sent {
    let began = Instant::now();
    let sent = push.send(note).await;
    metrics::push_seconds().took(began.elapsed());
    metrics::pushes().of(outcome(&sent)).inc();
    sent
}

/// One for all of them, which are of one device; `None`: there are none.
fn digest_note(due: &[Due], unread: &Unread) -> Option<Note> {
    let newest = due.iter().max_by_key(|due| due.message.id)?;
    let device = &newest.device;
    let counts = unread.get(&device.user);
    let of = |due: &Due| counts.and_then(|counts| counts.get(&due.message.chat)).copied();
    let count = due.iter().map(|due| of(due).unwrap_or(1)).sum();
    let words = digest(&device.locale, count, u32::try_from(due.len()).unwrap_or(u32::MAX));
    Some(Note {
        token: device.token.clone().unwrap_or_default(),
        platform: device.platform,
        chat: newest.message.chat,
        seq: newest.message.seq,
        badge: total(counts.into_iter().flat_map(HashMap::values)),
        kind: NoteKind::Digest { title: words.title, body: words.body, sound: newest.sound },
    })
}

fn note(due: &Due, unread: &Unread, names: &HashMap<UserId, User>) -> Note {
    let (device, message) = (&due.device, &due.message);
    let counts = unread.get(&device.user);
    let count = counts.and_then(|counts| counts.get(&message.chat)).copied().unwrap_or(1);
    // Who has not been met yet is shown by id.
    let shown = |sender| names.get(sender).map(|user| user.display_name.as_str());
    let sender = message
        .sender
        .as_ref()
        .map(|sender| shown(sender).filter(|name| !name.is_empty()).unwrap_or(sender.as_str()));
    let news = News {
        sender,
        group: due.group.as_deref(),
        text: &message.text,
        attachments: &message.attachments,
        count,
    };
    let words = words(&device.locale, due.preview, &news);
    Note {
        token: device.token.clone().unwrap_or_default(),
        platform: device.platform,
        chat: message.chat,
        seq: message.seq,
        badge: total(counts.into_iter().flat_map(HashMap::values)),
        kind: NoteKind::Message {
            message: message.id,
            title: words.title,
            body: words.body,
            sound: due.sound,
        },
    }
}

fn outcome(sent: &Sent) -> Pushed {
    match sent {
        Sent::Taken => Pushed::Taken,
        Sent::Gone(_) => Pushed::Gone,
        Sent::Refused(_) => Pushed::Refused,
        Sent::Later { .. } => Pushed::Later,
    }
}
