//! Who is in a chat, kept for a while.
//!
//! A list belongs to a `seq`: it was read when the chat's newest message was that one or a later
//! one. Every change of members writes the members first and its note into the log after, so a
//! list is true until a note of a higher `seq` is seen. Winning an append proves that there was
//! none; the store checks where that is not known.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Instant;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use parking_lot::Mutex;

use super::limits::{MAX_RECEIPT_MEMBERS, ROSTER_AGE, ROSTER_SEATS};
use crate::clock::Timestamp;
use crate::model::{Chat, ChatId, ChatKind, Role, Seq, UserId};
use crate::store::{self, Store};

/// One member, without receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Who.
    pub user: UserId,
    /// What the member may do.
    pub role: Role,
    /// When the member came, the last time if more than once.
    pub joined_at: Timestamp,
    /// The first message the member may see.
    pub visible_from: Seq,
}

/// A chat and its members.
#[derive(Clone, Debug)]
pub struct Roster {
    /// The chat.
    pub chat: Chat,
    /// True for every message up to this one.
    pub as_of: Seq,
    seats: Vec<Seat>,
}

impl Roster {
    /// The seat of this user.
    pub fn seat(&self, user: &UserId) -> Option<&Seat> {
        let at = self.seats.binary_search_by(|seat| seat.user.cmp(user)).ok()?;
        self.seats.get(at)
    }

    /// All, by user.
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// All users.
    pub fn users(&self) -> Vec<UserId> {
        self.seats.iter().map(|seat| seat.user.clone()).collect()
    }

    /// The other member of a direct chat.
    pub fn other(&self, user: &UserId) -> Option<&UserId> {
        (self.chat.kind == ChatKind::Direct)
            .then(|| self.seats.iter().map(|seat| &seat.user).find(|other| *other != user))
            .flatten()
    }

    /// Whether the chat has ticks, receipts of others and presence.
    pub fn has_receipts(&self) -> bool {
        self.seats.len() <= MAX_RECEIPT_MEMBERS
    }
}

/// The lists in use.
pub struct Rosters {
    store: Arc<dyn Store>,
    cache: Cache<ChatId, Arc<Roster>>,
    /// Newest note seen of a chat, and when. Kept as long as an older list could live.
    noted: Mutex<HashMap<ChatId, (Seq, Instant)>>,
    /// One load of a chat at a time.
    loading: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
}

impl Rosters {
    /// None yet.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let cache = Cache::builder()
            .max_capacity(ROSTER_SEATS)
            .weigher(|_, roster: &Arc<Roster>| {
                u32::try_from(roster.seats.len() + 4).unwrap_or(u32::MAX)
            })
            .time_to_live(ROSTER_AGE)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        let loading = (0..64).map(|_| tokio::sync::Mutex::new(())).collect();
        Self { store, cache, noted: Mutex::default(), loading, hasher: RandomState::new() }
    }

    /// A list that is at hand and not known to be out of date.
    pub fn at_hand(&self, chat: ChatId) -> Option<Arc<Roster>> {
        self.cache.get(&chat).filter(|roster| self.is_good(roster))
    }

    /// Whether no note was seen that makes it out of date.
    pub fn is_good(&self, roster: &Roster) -> bool {
        roster.as_of >= self.floor(roster.chat.id)
    }

    /// The list; `None`: there is no such chat.
    pub async fn get(&self, chat: ChatId) -> store::Result<Option<Arc<Roster>>> {
        if let Some(roster) = self.at_hand(chat) {
            return Ok(Some(roster));
        }
        let lane = self.hasher.hash_one(chat) % self.loading.len() as u64;
        let _one = self.loading[usize::try_from(lane).unwrap_or(0)].lock().await;
        if let Some(roster) = self.at_hand(chat) {
            return Ok(Some(roster));
        }
        self.load(chat).await
    }

    /// Reads the list anew: what an answer must not be behind.
    pub async fn load(&self, chat: ChatId) -> store::Result<Option<Arc<Roster>>> {
        // The head and the chat first: the list is then at least as new as either.
        let ids = [chat];
        let (heads, chats) = tokio::try_join!(self.store.heads(&ids), self.store.chats(&ids))?;
        let as_of = heads.first().map_or(0, |head| head.seq);
        let Some(found) = chats.into_iter().next() else {
            self.cache.invalidate(&chat);
            return Ok(None);
        };
        let members = self.store.members(chat).await?;
        let mut seats: Vec<Seat> = members
            .into_iter()
            .map(|m| Seat {
                user: m.user,
                role: m.role,
                joined_at: m.joined_at,
                visible_from: m.visible_from,
            })
            .collect();
        seats.sort_by(|a, b| a.user.cmp(&b.user));
        let roster = Arc::new(Roster { chat: found, as_of, seats });
        self.cache.insert(chat, Arc::clone(&roster));
        Ok(Some(roster))
    }

    /// A note that changes members was seen: older lists are out of date.
    pub fn note(&self, chat: ChatId, seq: Seq) {
        let mut noted = self.noted.lock();
        let now = Instant::now();
        if noted.len() >= 1024 {
            noted.retain(|_, (_, at)| now.duration_since(*at) <= ROSTER_AGE * 2);
        }
        let entry = noted.entry(chat).or_insert((seq, now));
        *entry = (entry.0.max(seq), now);
    }

    /// The list at hand has proved wrong.
    pub fn forget(&self, chat: ChatId) {
        self.cache.invalidate(&chat);
    }

    fn floor(&self, chat: ChatId) -> Seq {
        self.noted.lock().get(&chat).map_or(0, |(seq, _)| *seq)
    }
}
