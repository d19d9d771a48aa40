//! What stands between two users: a block, or something that one of them hides.
//!
//! Every direct message is checked by it, so it is remembered. What is remembered of a user cannot be
//! wrong once a change of it was answered: the node that makes the change first has all others forget
//! (see [`change`]), and one that may have missed that is deaf, knows it within 4 s, and asks the store
//! each time until it hears again; the change is not answered sooner. Where the node that makes it dies
//! half-way, nothing was answered, and the others are deaf to it; and nothing is remembered for
//! longer than [`RESERVE_AGE`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Service;
use super::limits::{RESERVE_AGE, RESERVES};
use super::roster::Roster;
use crate::error::{Error, Result};
use crate::model::{Chat, ChatId, ChatKind, Member, Reserve, SeqSet, UserId};
use crate::store;

mod again;
mod change;

pub(super) use change::Changed;

/// What stands between two users. The same from either side, so that neither can tell who did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Between {
    /// One of them has blocked the other.
    pub blocked: bool,
    /// One of them hides when they were here last.
    pub hides_last_active: bool,
    /// One of them hides what they have read in direct chats.
    pub hides_reads: bool,
}

impl Between {
    fn of(one: &Reserve, other: &Reserve) -> Self {
        let (a, b) = (one.privacy, other.privacy);
        Self {
            blocked: one.blocks(&other.user) || other.blocks(&one.user),
            hides_last_active: a.hide_last_active || b.hide_last_active,
            hides_reads: a.hide_read_receipts || b.hide_read_receipts,
        }
    }
}

/// What is remembered of what users keep from others.
pub struct Reserves {
    known: Cache<UserId, Arc<Reserve>>,
    /// Rises with everything that makes what is known doubtful: what was read before is not kept.
    doubts: AtomicU64,
    /// Sends that were checked by what was known before the next change, until they are stored.
    sends: Mutex<TaskTracker>,
    /// A change waits for them.
    ending: tokio::sync::Mutex<()>,
    /// Nodes that were asked to forget.
    asked: Mutex<HashMap<u64, oneshot::Sender<()>>>,
    next: AtomicU64,
}

impl Default for Reserves {
    fn default() -> Self {
        Self {
            known: Cache::builder()
                .weigher(|_, reserve: &Arc<Reserve>| {
                    u32::try_from(reserve.blocked.len() + 4).unwrap_or(u32::MAX)
                })
                .max_capacity(RESERVES)
                .time_to_live(RESERVE_AGE)
                .build(),
            doubts: AtomicU64::new(0),
            sends: Mutex::default(),
            ending: tokio::sync::Mutex::default(),
            asked: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }
}

impl Reserves {
    /// A send is on its way until this is dropped. To be taken before it is checked.
    pub(super) fn send_begins(&self) -> TaskTrackerToken {
        self.sends.lock().token()
    }

    /// Envelopes may have been lost, and what they said.
    pub(super) fn forget_all(&self) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
        self.known.invalidate_all();
    }

    fn forget(&self, user: &UserId) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
        self.known.invalidate(user);
    }

    /// Keeps what was read, unless it was changed meanwhile. `since`: the doubts before the reading.
    fn keep(&self, reserve: &Arc<Reserve>, since: u64) {
        let good = || self.doubts.load(Ordering::Acquire) == since;
        if good() {
            self.known.insert(reserve.user.clone(), Arc::clone(reserve));
            if !good() {
                self.known.invalidate(&reserve.user);
            }
        }
    }
}

impl Service {
    /// What stands between two users.
    pub(super) async fn between_two(
        &self,
        user: &UserId,
        other: &UserId,
    ) -> store::Result<Between> {
        if !self.bus.is_deaf()
            && let Some(one) = self.reserves.known.get(user)
            && let Some(other) = self.reserves.known.get(other)
        {
            return Ok(Between::of(&one, &other));
        }
        let found = self.between(user, std::slice::from_ref(other)).await?;
        Ok(found.first().copied().unwrap_or_default())
    }

    /// What stands between a user and each of these others, in their order.
    pub(super) async fn between(
        &self,
        user: &UserId,
        others: &[UserId],
    ) -> store::Result<Vec<Between>> {
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.known_reserves(user, others).await?;
        let Some(own) = known.get(user) else { return Ok(vec![Between::default(); others.len()]) };
        let with = |other: &UserId| known.get(other).map(|other| Between::of(own, other));
        Ok(others.iter().map(|other| with(other).unwrap_or_default()).collect())
    }

    async fn known_reserves(
        &self,
        user: &UserId,
        others: &[UserId],
    ) -> store::Result<HashMap<UserId, Arc<Reserve>>> {
        let doubts = self.reserves.doubts.load(Ordering::Acquire);
        let hears = !self.bus.is_deaf();
        let (mut known, mut unknown) = (HashMap::new(), Vec::new());
        // Each once: a user may look by several sessions.
        for id in others.iter().chain([user]).collect::<HashSet<_>>() {
            match self.reserves.known.get(id).filter(|_| hears) {
                Some(reserve) => drop(known.insert(id.clone(), reserve)),
                None => unknown.push(id.clone()),
            }
        }
        if unknown.is_empty() {
            return Ok(known);
        }
        let found = self.store.reserves(&unknown).await?;
        let mut found: HashMap<UserId, Reserve> =
            found.into_iter().map(|reserve| (reserve.user.clone(), reserve)).collect();
        let hears = hears && !self.bus.is_deaf();
        for id in unknown {
            let reserve = Arc::new(found.remove(&id).unwrap_or_else(|| Reserve::none(id.clone())));
            if hears {
                self.reserves.keep(&reserve, doubts);
            }
            known.insert(id, reserve);
        }
        Ok(known)
    }

    /// Those of `others` between whom and the user there is a block, as the store says now: none
    /// of them may be taken into a chat by this user.
    pub(super) async fn blocked_with(
        &self,
        user: &UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>> {
        Ok(self.store.blocked_between(user, others).await?)
    }

    /// Whether this is a direct chat of two between whom there is a block.
    pub(super) async fn is_cut(&self, user: &UserId, roster: &Roster) -> Result<bool> {
        match roster.other(user) {
            Some(other) => Ok(self.between_two(user, other).await?.blocked),
            None => Ok(false),
        }
    }

    /// Refuses what would reach the other member of a direct chat in spite of a block.
    pub(super) async fn check_reaches(&self, user: &UserId, chat: &Chat) -> Result<()> {
        if chat.kind != ChatKind::Direct {
            return Ok(());
        }
        let roster = self.rosters.get(chat.id).await?.ok_or_else(Error::chat_not_found)?;
        if self.is_cut(user, &roster).await? { Err(Error::blocked()) } else { Ok(()) }
    }

    /// Takes from the other members of direct chats what `user` is not shown of their receipts.
    pub(super) async fn mask_pairs(
        &self,
        user: &UserId,
        members: &mut [Member],
    ) -> store::Result<()> {
        let others: Vec<UserId> =
            members.iter().map(|member| &member.user).filter(|id| *id != user).cloned().collect();
        let between = self.between(user, &others).await?;
        let others = members.iter_mut().filter(|member| member.user != *user);
        for (member, between) in others.zip(between) {
            if between.blocked {
                member.delivered = SeqSet::default();
            }
            if between.blocked || between.hides_reads {
                member.read = SeqSet::default();
            }
        }
        Ok(())
    }

    /// The same for members of all sorts of chats; their order changes.
    pub(super) async fn mask_some(
        &self,
        user: &UserId,
        members: &mut [Member],
        is_direct: impl Fn(ChatId) -> bool,
    ) -> store::Result<()> {
        members.sort_by_key(|member| !is_direct(member.chat));
        let pairs = members.partition_point(|member| is_direct(member.chat));
        self.mask_pairs(user, &mut members[..pairs]).await
    }
}
