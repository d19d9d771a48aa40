//! The end of quiet hours: one push to a device for all that came in them.
//!
//! What is held back notes one job for its device and that end, whoever holds back first. The job
//! names no message: at its time the store says what is unread, and the rules decide again, so what
//! was read, muted or blocked meanwhile does not ring. They decide before that time, too, if the
//! user comes to want something else: quiet hours may be over early, or last longer.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Look;
use super::due::{Candidate, Due, Found};
use super::ring::Undone;
use crate::chat::Service;
use crate::chat::limits::{DIGEST_CHATS, DIGEST_MESSAGES, PUSH_AGE, PUSH_APART};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::{ChatId, DeviceId, Member, Message, MessageId, Seq, UserId};
use crate::store::{self, Head};

/// What such a job says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Digest {
    #[serde(rename = "digest_of")]
    user: String,
    device: String,
    /// Nothing older counts, in milliseconds.
    since: i64,
    until: i64,
}

impl Digest {
    /// Of all that is held back until then, this being the first of it. What was stored up to
    /// `earlier` before it may be held back after it.
    pub(super) fn new(due: &Due, until: Timestamp, earlier: Duration) -> Self {
        Self {
            user: due.device.user.to_string(),
            device: due.device.id.to_string(),
            since: due.message.created_at().minus(earlier).0,
            until: until.0,
        }
    }

    /// Names it: one for a device and an end.
    pub(super) fn id(&self) -> String {
        format!("{}{}|{}", Self::ids_of(&self.user), self.device, self.until)
    }

    /// How the names of all of a user begin.
    pub(super) fn ids_of(user: &str) -> String {
        format!("digest|{user}|")
    }

    /// All that came since, held back until then.
    fn until_then(&self, until: Timestamp) -> Self {
        let (user, device) = (self.user.clone(), self.device.clone());
        Self { user, device, since: self.since, until: until.0 }
    }

    /// Whose.
    pub(super) fn user(&self) -> UserId {
        UserId::new(&self.user)
    }

    /// When the quiet hours end.
    pub(super) fn until(&self) -> Timestamp {
        Timestamp(self.until)
    }
}

impl Service {
    /// Pushes what came in quiet hours; answers what is not done, and how long the job is to stay
    /// all the same.
    pub(super) async fn do_digest(
        self: &Arc<Self>,
        digest: &Digest,
    ) -> Result<(Vec<Undone>, Option<Duration>)> {
        let mut found = self.due_since(digest).await?;
        let now = self.clock.now();
        // Put forward, or the store's clock is not ours. It stays until its time: quiet hours with
        // the same end may begin again, and what is finished is not noted anew.
        let early = Some(digest.until().since(now)).filter(|early| !early.is_zero());
        let mut stays: Vec<Duration> = early.into_iter().collect();
        let ends: HashSet<Timestamp> = found.held.drain(..).map(|(_, until)| until).collect();
        for until in ends.into_iter().filter(|until| *until != digest.until()) {
            self.put_digest(&digest.until_then(until)).await?;
            // Where one for that end is known already it may be of less than this one.
            stays.push(until.since(now) + PUSH_APART);
        }
        Ok((self.ring_as_one(found).await?, stays.into_iter().min()))
    }

    /// What is due to the device of what is unread and came since.
    async fn due_since(&self, digest: &Digest) -> store::Result<Found> {
        let user = digest.user();
        let mut chats = HashMap::<ChatId, Vec<Arc<Message>>>::new();
        for message in self.unread_since(&user, Timestamp(digest.since)).await? {
            chats.entry(message.chat).or_default().push(message);
        }
        // Late: as all that comes late.
        let late = self.clock.now().since(digest.until()) >= PUSH_AGE;
        let mut candidates = Vec::new();
        for (chat, mut messages) in chats {
            if late {
                messages = self.worth_it(&messages).await?;
            }
            messages.sort_by_key(|message| message.seq);
            let Some(roster) = self.rosters.get(chat).await? else { continue };
            let (user, device) = (user.clone(), Some(DeviceId::new(&digest.device)));
            candidates.push(Candidate { roster, user, messages, device });
        }
        let mut found = Found::default();
        self.judge_all(Look::Again, candidates, &mut found).await?;
        Ok(found)
    }

    /// The newest unread messages of others, of the chats in which something came since.
    async fn unread_since(
        &self,
        user: &UserId,
        since: Timestamp,
    ) -> store::Result<Vec<Arc<Message>>> {
        let since = MessageId(since.first_id());
        let chats = self.store.chats_of(std::slice::from_ref(user)).await?;
        let chats: Vec<ChatId> = chats.into_iter().map(|(chat, _)| chat).collect();
        let mut heads = self.store.heads(&chats).await?;
        heads.retain(|head| head.id >= since);
        heads.sort_by_key(|head| Reverse(head.id));
        heads.truncate(DIGEST_CHATS);
        let places: Vec<_> = heads.iter().map(|head| (head.chat, user.clone())).collect();
        let places = self.store.places(&places).await?;
        let wanted: HashSet<(ChatId, Seq)> =
            places.iter().flat_map(|place| newest_unread(place, &heads)).collect();
        let wanted: Vec<_> = wanted.into_iter().collect();
        let messages = self.store.messages(&wanted).await?.into_iter();
        let counts = |message: &Message| {
            message.counts() && message.id >= since && message.sender.as_ref() != Some(user)
        };
        Ok(messages.filter(counts).map(Arc::new).collect())
    }
}

fn newest_unread(place: &Member, heads: &[Head]) -> Vec<(ChatId, Seq)> {
    let head = heads.iter().find(|head| head.chat == place.chat).map_or(0, |head| head.seq);
    let runs = place.read.missing(place.visible_from, head);
    let seqs = runs.iter().rev().flat_map(|run| (run.first..=run.last).rev());
    seqs.take(DIGEST_MESSAGES).map(|seq| (place.chat, seq)).collect()
}
