//! Unread counts: a function of the store, never a counter.
//!
//! Unread(me, chat) is what others sent and I can see, less what I read, less what was deleted,
//! less notes about the chat. Nothing is counted where `read` covers all I was given.

use std::collections::HashMap;

use super::Service;
use super::receipts::Left;
use crate::error::Result;
use crate::model::{ChatId, Member, Seq, SeqSet, UserId};
use crate::store::{COUNT_CAP, Head, UnreadQuery};

impl Service {
    /// What is unread in one chat, up to `head`.
    pub(super) async fn count(
        &self,
        user: &UserId,
        chat: ChatId,
        visible_from: Seq,
        read: &SeqSet,
        head: Seq,
    ) -> Result<u32> {
        #[cfg(mutants)]
        if crate::mutants::are("unread-by-counter") {
            return Ok(crate::mutants::unread(chat, user));
        }
        let runs = read.missing(visible_from, head);
        if runs.is_empty() {
            return Ok(0);
        }
        let counts = self.store.count_unread(user, &[UnreadQuery { chat, runs }]).await?;
        Ok(counts.first().copied().unwrap_or(0))
    }

    /// What is unread in one chat, freshly read.
    pub(super) async fn left_unread(&self, user: &UserId, chat: ChatId) -> Result<Left> {
        let last_seq = self.newest(chat).await?;
        let member = self.admitted(user, chat).await?.member;
        let unread = self.count(user, chat, member.visible_from, &member.read, last_seq).await?;
        Ok(Left { unread, last_seq })
    }

    /// What is unread in these chats, up to these heads.
    pub(super) async fn count_all(
        &self,
        user: &UserId,
        places: &[Member],
        heads: &HashMap<ChatId, Head>,
    ) -> Result<HashMap<ChatId, u32>> {
        let mut queries = Vec::new();
        for place in places {
            let head = heads.get(&place.chat).map_or(0, |head| head.seq);
            let runs = place.read.missing(place.visible_from, head);
            if !runs.is_empty() {
                queries.push(UnreadQuery { chat: place.chat, runs });
            }
        }
        let counts = self.store.count_unread(user, &queries).await?;
        Ok(queries.iter().map(|query| query.chat).zip(counts).collect())
    }

    /// What is unread in all chats of a user; stops at 1000.
    pub async fn total_unread(&self, user: &UserId) -> Result<u32> {
        let chats = self.store.chats_of(user).await?;
        let heads = self.store.heads(&chats).await?;
        let heads = heads.into_iter().map(|head| (head.chat, head)).collect();
        let places = self.store.places(user, &chats).await?;
        let counts = self.count_all(user, &places, &heads).await?;
        Ok(total(counts.values()))
    }
}

/// The sum, as far as it is told.
pub fn total<'c>(counts: impl IntoIterator<Item = &'c u32>) -> u32 {
    counts.into_iter().fold(0, |sum: u32, count| sum.saturating_add(*count)).min(COUNT_CAP)
}
