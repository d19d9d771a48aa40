//! One flush of a lane: the commit rule.
//!
//! What is *committed* was acknowledged with `w: majority, j: true` or read with a majority
//! read. The first seq a command writes of a chat comes only after one that is committed, and
//! within a command a chat's messages are written in order; so whatever a failover undoes, a
//! chat's log stays a prefix: no hole.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::{AppendError, Appended, Result};
use super::lane::{Draft, Lane, Part};
use super::write::{Written, write};
use crate::metrics::{self, Backend};
use crate::model::{ChatId, MAX_SEQ, Message, Seq, UserId};
use crate::trace;

#[cfg(mutants)]
mod mutants;

/// A commit that takes longer says nothing of the next one.
const SLOW: Duration = Duration::from_millis(100);

impl Lane {
    /// Writes these parts and answers whom it can; the rest goes back to the head of the queue.
    pub(super) async fn flush(&mut self, parts: Vec<Part>) {
        let Some(parts) = self.prepare(parts).await else {
            self.stumbled = true;
            return;
        };
        #[cfg(mutants)]
        let parts = mutants::answered_early(parts).await;
        let began = Instant::now();
        if parts.is_empty() {
            return;
        }
        let messages = parts.iter().map(|part| part.drafts.len()).sum();
        let drafts = parts.iter().flat_map(|part| &part.drafts);
        let waiting = drafts.filter_map(|draft| draft.pending.span.as_ref());
        let _span = trace::flush(Backend::MongoDb, messages, waiting);
        let written = write(&self.db, parts).await;
        metrics::flush_writes().of(Backend::MongoDb).size(messages);
        metrics::flush_seconds().of(Backend::MongoDb).took(began.elapsed());
        if written.known {
            self.commit_time = (self.commit_time * 7 + began.elapsed().min(SLOW)) / 8;
        } else {
            self.stumbled = true;
        }
        for (part, outcomes) in written.parts {
            self.settle(part, outcomes);
        }
    }

    /// Gives each message its seq, once the heads are known and the senders are members. `None`:
    /// the store did not answer, and all went back.
    async fn prepare(&mut self, parts: Vec<Part>) -> Option<Vec<Part>> {
        let parts = match self.learn_heads(parts).await {
            Ok(parts) => parts,
            Err(parts) => return self.all_back(parts),
        };
        let doubtful = self.doubtful(&parts);
        let members = if doubtful.is_empty() {
            HashSet::new()
        } else {
            match self.db.are_members(&doubtful).await {
                Ok(members) => members,
                Err(_) => return self.all_back(parts),
            }
        };
        for (chat, member) in &members {
            if let Some(queue) = self.chats.get_mut(chat) {
                queue.saw(member);
            }
        }
        let strangers: HashSet<_> =
            doubtful.into_iter().filter(|place| !members.contains(place)).collect();
        let mut refused = Vec::new();
        let mut numbered = Vec::with_capacity(parts.len());
        for part in parts {
            let part = self.number(part, &strangers, &mut refused);
            if !part.drafts.is_empty() {
                numbered.push(part);
            }
        }
        self.refuse(refused).await;
        Some(numbered)
    }

    fn all_back(&mut self, parts: Vec<Part>) -> Option<Vec<Part>> {
        for part in parts.into_iter().rev() {
            self.put_back(part.chat, part.drafts);
        }
        None
    }

    /// Reads the heads that are wanted. Parts that have to wait go back.
    async fn learn_heads(&mut self, parts: Vec<Part>) -> Result<Vec<Part>, Vec<Part>> {
        #[cfg(mutants)]
        if crate::mutants::are("seq-by-counter") {
            return self.take_numbers(parts).await;
        }
        let now = Instant::now();
        let unknown: Vec<ChatId> = parts
            .iter()
            .map(|part| part.chat)
            .filter(|chat| self.chats.get(chat).is_none_or(|it| it.wants_head(now)))
            .collect();
        if unknown.is_empty() {
            return Ok(parts);
        }
        let Ok(heads) = self.db.heads(&unknown).await else { return Err(parts) };
        let heads: HashMap<ChatId, Seq> = heads.iter().map(|head| (head.chat, head.seq)).collect();
        let mut early = HashSet::new();
        for chat in unknown {
            let head = heads.get(&chat).copied().unwrap_or(0);
            if let Some(queue) = self.chats.get_mut(&chat)
                && !queue.learn(head, now)
            {
                queue.not_before = now + self.commit_time;
                early.insert(chat);
            }
        }
        let (early, parts) = parts.into_iter().partition(|part| early.contains(&part.chat));
        self.all_back(early);
        Ok(parts)
    }

    /// The (chat, sender) of which it is not known that they are members at the seq they would
    /// get: members may have changed since the list was read in which they were seen.
    fn doubtful(&self, parts: &[Part]) -> Vec<(ChatId, UserId)> {
        let mut doubtful = HashSet::new();
        for part in parts {
            let Some(queue) = self.chats.get(&part.chat) else { continue };
            let mut clean_since = queue.clean_since;
            for pending in part.drafts.iter().map(|draft| &draft.pending) {
                if let Some(sender) = &pending.new.sender
                    && !queue.trusts(&pending.new, clean_since)
                {
                    doubtful.insert((part.chat, sender.clone()));
                }
                if pending.changes_members() {
                    clean_since = Seq::MAX;
                }
            }
        }
        doubtful.into_iter().collect()
    }

    fn number(
        &self,
        part: Part,
        strangers: &HashSet<(ChatId, UserId)>,
        refused: &mut Vec<(Draft, AppendError)>,
    ) -> Part {
        let head = self.chats.get(&part.chat).and_then(|queue| queue.head).unwrap_or(0);
        let mut drafts: Vec<Draft> = Vec::with_capacity(part.drafts.len());
        for mut draft in part.drafts {
            draft.seq = drafts.last().map_or(head, |last| last.seq).saturating_add(1);
            let sender = draft.pending.new.sender.clone();
            if sender.is_some_and(|sender| strangers.contains(&(part.chat, sender))) {
                refused.push((draft, AppendError::NotMember));
            } else if draft.seq > MAX_SEQ {
                refused.push((draft, AppendError::Full));
            } else {
                drafts.push(draft);
            }
        }
        Part { chat: part.chat, drafts }
    }

    /// Answers those who may not write, but for what they have written before.
    async fn refuse(&mut self, refused: Vec<(Draft, AppendError)>) {
        if refused.is_empty() {
            return;
        }
        let Ok(mut first) = self.db.first_of(refused.iter().map(|(draft, _)| draft)).await else {
            self.stumbled = true;
            for (draft, _) in refused.into_iter().rev() {
                self.put_back(draft.pending.new.chat, vec![draft]);
            }
            return;
        };
        for (draft, error) in refused {
            match first.remove(&(draft.pending.new.chat, draft.pending.key())) {
                Some(message) => repeat(draft, *message),
                None => draft.pending.answer(Err(error)),
            }
        }
    }

    /// Answers what is certain of a part, notes what was learned of the chat, and puts the rest
    /// back.
    fn settle(&mut self, part: Part, outcomes: Vec<Written>) {
        let now = Instant::now();
        let Some(queue) = self.chats.get_mut(&part.chat) else { return };
        let mut rest = Vec::new();
        let mut won = false;
        for (draft, outcome) in part.drafts.into_iter().zip(outcomes) {
            match outcome {
                Written::Here => {
                    queue.advance(draft.seq, draft.pending.changes_members());
                    won = true;
                    let message = Arc::new(draft.pending.new.at(draft.seq));
                    draft.pending.answer(Ok(Appended { message, duplicate: false }));
                }
                Written::Found(message) if message.id == draft.pending.new.id => {
                    queue.advance(message.seq, draft.pending.changes_members());
                    won = true;
                    let message = Arc::new(*message);
                    draft.pending.answer(Ok(Appended { message, duplicate: false }));
                }
                Written::Found(message) => {
                    if queue.head.is_some_and(|head| head < message.seq) {
                        queue.lose(message.seq, now);
                    }
                    repeat(draft, *message);
                }
                Written::Lost => {
                    queue.lose(draft.seq, now);
                    rest.push(draft);
                }
                Written::NotYet => {
                    // Another chat ended the command; here, too, others may have written.
                    queue.doubted |= rest.is_empty() && !won;
                    rest.push(draft);
                }
                Written::Unknown => {
                    queue.head = None;
                    rest.push(draft);
                }
            }
        }
        if won && queue.contended(now) {
            // The one who lost goes next.
            queue.not_before = now + self.commit_time;
        }
        self.put_back(part.chat, rest);
    }
}

/// Answers one that was there before, if it is the same.
fn repeat(draft: Draft, first: Message) {
    let same = first.content_hash == draft.pending.new.content_hash;
    let outcome = if same {
        Ok(Appended { message: Arc::new(first), duplicate: true })
    } else {
        Err(AppendError::Reused)
    };
    draft.pending.answer(outcome);
}
