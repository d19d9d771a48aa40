//! What users keep from each other, and whom they know.

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;
use crate::model::{ChatId, Privacy, Reserve, UserId};

/// Blocks of one user that were taken back are remembered, the newest of them so many: as many as
/// can be in force.
pub const UNBLOCKED_KEPT: u32 = 1_000;

/// One user's block of another, or what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Whom.
    pub user: UserId,
    /// In force; false: taken back.
    pub blocked: bool,
    /// Since when, by the store's clock.
    pub at: Timestamp,
    /// Which change of this user's blocks it was: 1, 2, 3, …
    pub revision: u32,
}

/// A chat that two users share or shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// With whom.
    pub user: UserId,
    /// Which.
    pub chat: ChatId,
    /// Both are members; false: one has left, less than seven days ago.
    pub now: bool,
}

/// Users: whom they have blocked, what they hide, whom they know. As in [`Store`](super::Store):
/// answers are of what is durable, what one call has answered every later call sees, lists of ids
/// may hold repeats.
#[async_trait]
pub trait People: Send + Sync {
    /// Blocks a user and answers the block. One that is in force stays as it is. `None`: `limit`
    /// are in force, and nothing was done. Two at once are two changes, and the limit holds.
    async fn block(&self, user: &UserId, other: &UserId, limit: u32) -> Result<Option<Block>>;

    /// Takes a block back, if it is in force, and answers what became of it; `None`: there was none,
    /// or that is forgotten.
    async fn unblock(&self, user: &UserId, other: &UserId) -> Result<Option<Block>>;

    /// The blocks in force of a user with a revision below this, the highest first, at most
    /// `limit`.
    async fn blocks(&self, user: &UserId, below: u32, limit: u32) -> Result<Vec<Block>>;

    /// What became of a user's blocks at or after `since`, by the store's clock and by revision:
    /// each user once, as it is now. Of those taken back only the newest [`UNBLOCKED_KEPT`].
    async fn changed_blocks(&self, user: &UserId, since: Timestamp) -> Result<Vec<Block>>;

    /// Those of `others` who have blocked this user or are blocked by this user, by id.
    async fn blocked_between(&self, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>>;

    /// What these users keep from others, in no order; who never kept anything may be left out.
    async fn reserves(&self, users: &[UserId]) -> Result<Vec<Reserve>>;

    /// Changes what a user hides, `None`: leaves it. Answers what it is then.
    async fn put_privacy(
        &self,
        user: &UserId,
        hide_last_active: Option<bool>,
        hide_read_receipts: Option<bool>,
    ) -> Result<Privacy>;

    /// The chats that a user shares or shared with each of these others, in no order: both were
    /// members at one time, and who left did so less than seven days ago. A chat that is not
    /// there, or is being made, may be among them.
    async fn shared(&self, user: &UserId, others: &[UserId]) -> Result<Vec<Shared>>;

    /// Counts the receipts of a chat's members as changed now.
    async fn touch_receipts(&self, chat: ChatId) -> Result<()>;
}
