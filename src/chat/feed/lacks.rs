//! What a feed lacks, read from the store: members, what came before, what a hole left out.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::super::Service;
use super::super::limits::{HOLE_PATIENCE, LOG_PAGE};
use super::super::roster::{Roster, Seat};
use super::{Feed, Introduction, MAX_WAITING, Need, Sent, introduced};
use crate::clock::Timestamp;
use crate::metrics;
use crate::model::{ChatId, Message, MessageId, Seq};
use crate::store::{self, Span};
use crate::wire::Told;

/// When a chat is first seen, messages before it of this age are handed on with it.
const FIRST_LOOK_BACK: Duration = Duration::from_secs(30);
const FIRST_LOOK_PAGE: u32 = 64;
/// Pause after a read that failed, at most.
const AGAIN: Duration = Duration::from_secs(1);

impl Service {
    /// Has a hole filled from the store if it stays. Appends end in any order, so most holes are
    /// filled by the next message: that one must find the feed free to go on.
    pub(super) fn watch(self: &Arc<Self>, chat: ChatId, feed: &mut Feed, handed: Seq) {
        if !feed.watched {
            feed.watched = true;
            self.run(Arc::clone(self).watch_hole(chat, handed));
        }
    }

    async fn watch_hole(self: Arc<Self>, chat: ChatId, mut handed: Seq) {
        let mut pause = HOLE_PATIENCE;
        loop {
            tokio::time::sleep(pause).await;
            let stays = {
                let mut shard = self.feeds.shard(chat).lock();
                let feed = shard.entry(chat).or_default();
                let Some(hole) = feed.hole() else {
                    feed.watched = false;
                    return;
                };
                // Who reads for the feed meets the hole by itself.
                let stays = hole == handed && !feed.busy;
                handed = hole;
                stays
            };
            pause = HOLE_PATIENCE;
            if !stays {
                continue;
            }
            match self.fill_holes(chat, handed).await {
                Ok(()) => self.go_on(chat),
                Err(error) => {
                    tracing::warn!(%chat, %error, "cannot read what a chat's feed lacks");
                    pause = AGAIN;
                }
            }
        }
    }

    /// Reads what the feed needs, and goes on until nothing is missing.
    pub(super) async fn pump_slowly(self: Arc<Self>, chat: ChatId) {
        let mut failures = 0;
        let mut read = None;
        loop {
            let need = {
                let mut shard = self.feeds.shard(chat).lock();
                let feed = shard.entry(chat).or_default();
                match self.pump(chat, feed, read.as_ref()) {
                    Need::Nothing => {
                        feed.busy = false;
                        return;
                    }
                    Need::Hole(handed) => {
                        feed.busy = false;
                        self.watch(chat, feed, handed);
                        return;
                    }
                    need => need,
                }
            };
            match self.satisfy(chat, need).await {
                Ok(roster) => read = roster.or(read),
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%chat, %error, failures, "cannot read what a chat's feed lacks");
                    tokio::time::sleep(AGAIN.min(HOLE_PATIENCE * failures)).await;
                }
            }
        }
    }

    /// Reads what is needed; the members, if it was them.
    async fn satisfy(
        self: &Arc<Self>,
        chat: ChatId,
        need: Need,
    ) -> store::Result<Option<Arc<Roster>>> {
        match need {
            Need::Nothing | Need::Hole(_) => {}
            Need::Members => {
                let roster = self.rosters.get(chat).await?;
                if roster.is_none() {
                    self.skip(chat);
                }
                return Ok(roster);
            }
            Need::FirstLook(seq) => self.first_look(chat, seq).await?,
            Need::Introduction(introduction) => self.introduce(&introduction).await?,
        }
        Ok(None)
    }

    /// Reads all that lacks below the last message that waits, unless the bus has brought what
    /// follows `handed`. All holes at once: while the bus is away every other message may be
    /// behind one, and each would wait by itself.
    async fn fill_holes(&self, chat: ChatId, handed: Seq) -> store::Result<()> {
        let last = {
            let shard = self.feeds.shard(chat).lock();
            let waiting = shard.get(&chat).filter(|feed| feed.handed == Some(handed));
            waiting.and_then(|feed| feed.waiting.last_key_value().map(|(&seq, _)| seq))
        };
        let Some(last) = last else { return Ok(()) };
        metrics::holes().inc();
        let limit = (last - 1).saturating_sub(handed).min(LOG_PAGE);
        let found = self.store.history(chat, Span::After(handed), 1, limit).await?;
        self.fill(chat, &found);
        Ok(())
    }

    /// A chat that is not there has nobody to tell.
    fn skip(&self, chat: ChatId) {
        let mut shard = self.feeds.shard(chat).lock();
        if let Some(feed) = shard.get_mut(&chat) {
            feed.waiting.clear();
        }
    }

    /// Begins a feed at the oldest young message. Sessions see a hole themselves in chats that they
    /// knew when they came; of one that was silent until now, they have only this.
    async fn first_look(&self, chat: ChatId, seq: Seq) -> store::Result<()> {
        let someone = match self.rosters.get(chat).await? {
            Some(roster) => self.hub.has_any(roster.seats().iter().map(|seat| &seat.user)),
            None => false,
        };
        let found = if someone { self.young(chat, seq).await? } else { Vec::new() };
        let from = found.last().map_or(seq, |oldest| oldest.seq);
        let mut shard = self.feeds.shard(chat).lock();
        let feed = shard.entry(chat).or_default();
        let from = feed.waiting.first_key_value().map_or(from, |(first, _)| from.min(*first));
        feed.handed.get_or_insert(from - 1);
        drop(shard);
        self.fill(chat, &found);
        Ok(())
    }

    /// The young messages before this one, the newest first.
    async fn young(&self, chat: ChatId, mut before: Seq) -> store::Result<Vec<Message>> {
        // What was stored while nothing was heard may be older.
        let young = self.known_until().minus(FIRST_LOOK_BACK);
        let mut found: Vec<Message> = Vec::new();
        // Mostly the first page is older: a chat that was at rest.
        let mut limit = FIRST_LOOK_PAGE;
        while found.len() < MAX_WAITING {
            let mut page = self.store.history(chat, Span::Before(before), 1, limit).await?;
            page.retain(|message| message.created_at() >= young);
            let goes_on = page.len() >= limit as usize;
            found.append(&mut page);
            match found.last() {
                Some(oldest) if goes_on => before = oldest.seq,
                _ => break,
            }
            limit = LOG_PAGE;
        }
        Ok(found)
    }

    fn fill(&self, chat: ChatId, found: &[Message]) {
        let mut shard = self.feeds.shard(chat).lock();
        let feed = shard.entry(chat).or_default();
        for message in found {
            if message.changes_members() {
                self.rosters.note(chat, message.seq);
            }
            feed.waiting.entry(message.seq).or_insert_with(|| Sent::of(message, &self.links));
        }
    }

    /// Tells of the chat, then what newcomers lack of it, then the message. Sessions know what
    /// they have.
    async fn introduce(self: &Arc<Self>, introduction: &Introduction) -> store::Result<()> {
        let Introduction { roster, sent, late } = introduction;
        let (chat, seq) = (sent.chat, sent.seq);
        let told = Arc::new(Told::Change(self.chat_updated(&roster.chat).await?));
        let missed = self.missed(sent, late).await?;
        let mut shard = self.feeds.shard(chat).lock();
        let Some(feed) = shard.get_mut(&chat) else { return Ok(()) };
        if feed.handed.is_some_and(|handed| handed >= seq) {
            return Ok(());
        }
        let already: HashSet<_> = introduced(roster, sent).collect();
        let others = late.iter().map(|seat| &seat.user).filter(|user| !already.contains(user));
        self.hub.each(others, |listener| listener.tell(&told));
        self.hub.each(already.iter().copied(), |listener| listener.tell(&told));
        for message in &missed {
            let to = late.iter().filter(|seat| seat.visible_from <= message.seq);
            let told = Arc::new(Sent::of(message, &self.links).told());
            self.hub.each(to.map(|seat| &seat.user), |listener| listener.tell(&told));
        }
        feed.meet(roster, sent, late);
        if let Some(sent) = feed.waiting.remove(&seq) {
            self.deliver(roster, &sent);
            feed.handed = Some(seq);
        }
        Ok(())
    }

    /// What the first of them may have missed.
    async fn missed(&self, sent: &Sent, late: &[Seat]) -> store::Result<Vec<Message>> {
        let Some(from) = late.iter().map(|seat| seat.visible_from).min() else {
            return Ok(Vec::new());
        };
        let limit = sent.seq.saturating_sub(from).min(LOG_PAGE);
        self.store.history(sent.chat, Span::After(from - 1), from, limit).await
    }

    /// Reads the log since then and hands on what sessions here may lack.
    pub(in crate::chat) async fn read_log_since(
        self: &Arc<Self>,
        since: Timestamp,
    ) -> store::Result<u64> {
        let mut after = MessageId(since.first_id());
        let mut count = 0;
        loop {
            let page = self.store.log(after, LOG_PAGE).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = last.id;
            count += page.len() as u64;
            let full = page.len() >= LOG_PAGE as usize;
            for message in &page {
                self.hand_on(Sent::of(message, &self.links));
            }
            if !full {
                return Ok(count);
            }
        }
    }
}
