//! Unread counts: a function of the store, never a counter.
//!
//! Unread(me, chat) is what others sent and I can see, less what I read, less what was deleted,
//! less notes about the chat. Nothing is counted where `read` covers all I was given.

use std::collections::HashMap;

use super::Service;
use super::limits::{UNREAD_PLACES, UNREAD_USERS};
use super::receipts::Left;
use crate::error::Result;
use crate::model::{ChatId, Member, Run, Seq, UserId};
use crate::store::{COUNT_CAP, Head, UnreadQuery};

/// Unread messages of each chat of users.
pub(super) type Unread = HashMap<UserId, HashMap<ChatId, u32>>;

impl Service {
    /// How many each of these queries counts, in their order; those without runs ask nobody.
    pub(super) async fn count(&self, queries: &[UnreadQuery]) -> Result<Vec<u32>> {
        #[cfg(mutants)]
        if crate::mutants::are("unread-by-counter") {
            let counted = |query: &UnreadQuery| crate::mutants::unread(query.chat, &query.user);
            return Ok(queries.iter().map(counted).collect());
        }
        if queries.iter().all(|query| query.runs.is_empty()) {
            return Ok(vec![0; queries.len()]);
        }
        Ok(self.store.count_unread(queries).await?)
    }

    /// What is unread of these runs of one chat.
    pub(super) async fn count_one(
        &self,
        user: &UserId,
        chat: ChatId,
        runs: Vec<Run>,
    ) -> Result<u32> {
        let counts = self.count(&[UnreadQuery { user: user.clone(), chat, runs }]).await?;
        Ok(counts.first().copied().unwrap_or(0))
    }

    /// What is unread in one chat, freshly read.
    pub(super) async fn left_unread(&self, user: &UserId, chat: ChatId) -> Result<Left> {
        let last_seq = self.newest(chat).await?;
        let member = self.admitted(user, chat).await?.member;
        let runs = member.read.missing(member.visible_from, last_seq);
        Ok(Left { unread: self.count_one(user, chat, runs).await?, last_seq })
    }

    /// What is unread at these places of one user, up to these heads.
    pub(super) async fn count_all(
        &self,
        places: &[Member],
        heads: &HashMap<ChatId, Head>,
    ) -> Result<HashMap<ChatId, u32>> {
        let queries = unread_in(places, |chat| heads.get(&chat).map(|head| head.seq));
        let counts = self.store.count_unread(&queries).await?;
        Ok(queries.iter().map(|query| query.chat).zip(counts).collect())
    }

    /// A user's places in these chats.
    pub(super) async fn memberships_in(
        &self,
        user: &UserId,
        chats: &[ChatId],
    ) -> Result<Vec<Member>> {
        let of: Vec<_> = chats.iter().map(|chat| (*chat, user.clone())).collect();
        Ok(self.store.places(&of).await?)
    }

    /// What is unread in all chats of a user; stops at 1000.
    pub async fn total_unread(&self, user: &UserId) -> Result<u32> {
        let unread = self.unread_of(std::slice::from_ref(user)).await?;
        Ok(total(unread.values().flat_map(HashMap::values)))
    }

    /// What is unread in each chat of each of these users; chats and users in which nothing is may
    /// be left out.
    pub(super) async fn unread_of(&self, users: &[UserId]) -> Result<Unread> {
        let mut unread = Unread::new();
        // A user may have 2,000 chats.
        for users in users.chunks(UNREAD_USERS) {
            let chats = self.store.chats_of(users).await?;
            for places in chats.chunks(UNREAD_PLACES) {
                self.count_places(places, &mut unread).await?;
            }
        }
        Ok(unread)
    }

    async fn count_places(&self, of: &[(ChatId, UserId)], unread: &mut Unread) -> Result<()> {
        let chats: Vec<ChatId> = of.iter().map(|(chat, _)| *chat).collect();
        // Heads first: what is read meanwhile is not counted, and what comes meanwhile tells of
        // itself.
        let heads = self.store.heads(&chats).await?;
        let heads: HashMap<ChatId, Seq> =
            heads.into_iter().map(|head| (head.chat, head.seq)).collect();
        let places = self.store.places(of).await?;
        let queries = unread_in(&places, |chat| heads.get(&chat).copied());
        let counts = self.store.count_unread(&queries).await?;
        for (UnreadQuery { user, chat, .. }, count) in queries.into_iter().zip(counts) {
            unread.entry(user).or_default().insert(chat, count);
        }
        Ok(())
    }
}

/// What is to be counted of these places, up to these heads.
fn unread_in(places: &[Member], head: impl Fn(ChatId) -> Option<Seq>) -> Vec<UnreadQuery> {
    let query = |place: &Member| {
        let runs = place.read.missing(place.visible_from, head(place.chat).unwrap_or(0));
        let (user, chat) = (place.user.clone(), place.chat);
        (!runs.is_empty()).then_some(UnreadQuery { user, chat, runs })
    };
    places.iter().filter_map(query).collect()
}

/// The sum, as far as it is told.
pub fn total<'c>(counts: impl IntoIterator<Item = &'c u32>) -> u32 {
    counts.into_iter().fold(0, |sum: u32, count| sum.saturating_add(*count)).min(COUNT_CAP)
}
