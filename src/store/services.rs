//! What the product's own services need: who was signed out, and how much there is.

use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;
use crate::model::UserId;

/// How long it is remembered that a user was signed out: longer than any token should last.
pub const REVOCATIONS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// A user who was signed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Who.
    pub user: UserId,
    /// When, by the store's clock: tokens that were issued before are good no more.
    pub at: Timestamp,
}

/// How much there is, as the store estimates it without counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Users met.
    pub users: u64,
    /// Chats, deleted ones included.
    pub chats: u64,
    /// Messages, deleted ones included.
    pub messages: u64,
}

/// What the product's own services need. As in [`Store`](super::Store): answers are durable.
#[async_trait]
pub trait Services: Send + Sync {
    /// Notes that a user is signed out now, by the store's clock, and answers the time. One user
    /// has one such time, the latest.
    async fn revoke(&self, user: &UserId) -> Result<Timestamp>;

    /// Who was signed out at or after `since`, by the store's clock, the earliest first, at most
    /// `limit`. What is older than [`REVOCATIONS_KEPT`] may be gone.
    async fn revocations(&self, since: Timestamp, limit: u32) -> Result<Vec<Revocation>>;

    /// How much there is: exact while nothing is written, and right but for what was written in
    /// the last moments otherwise.
    async fn counts(&self) -> Result<Counts>;
}
