//! How users want to be told of what they missed, and their notifications in the app.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::Result;
use crate::clock::Timestamp;
use crate::model::{Notice, Preferences, UserId};

/// What a user has of notifications: the newest so many, and none that is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticesKept {
    /// How long one is kept after it was noted.
    pub age: Duration,
    /// How many a user has.
    pub most: u32,
}

/// Which notifications of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeQuery {
    /// Whose.
    pub user: UserId,
    /// Only such as are read, or are not.
    pub read: Option<bool>,
    /// Only such as were noted then or later.
    pub since: Timestamp,
    /// Only such as come after this one.
    pub after: Option<(Timestamp, Uuid)>,
    /// Those that tell nothing any more, too.
    pub gone: bool,
    /// At most so many.
    pub limit: u32,
}

/// Which notifications are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeChoice {
    /// These, as they were seen: one that was brought up to a higher version since stays.
    These(Vec<(Uuid, u32)>),
    /// These, whatever their version.
    Named(Vec<Uuid>),
    /// All that were noted then or before.
    Until(Timestamp),
}

/// How users want to be told, and what they were told in the app. As in
/// [`Store`](super::Store): answers are durable, lists of ids may hold repeats.
#[async_trait]
pub trait Notices: Send + Sync {
    /// How these users want to be told, in no order; who has never said so is left out.
    async fn preferences(&self, users: &[UserId]) -> Result<Vec<(UserId, Preferences)>>;

    /// Sets how a user wants to be told, and answers it. Its `revision` is not looked at: it is one
    /// more than before, or what it was where nothing has changed.
    async fn put_preferences(&self, user: &UserId, new: Preferences) -> Result<Preferences>;

    /// Notes notifications, as unread and of now by the store's clock, whatever they say; answers
    /// those that were taken, as they are kept, in no order. One whose id is there already is taken
    /// only if its `version` is higher. Of a user who has more than there may be the oldest go.
    async fn put_notices(&self, notices: Vec<Notice>, kept: NoticesKept) -> Result<Vec<Notice>>;

    /// Corrects what was noted, where the version is not lower and something else differs: the actor,
    /// the count, the emoji and the version are these now. Whether it is read stays, and so does its
    /// place in the list; `updated_at` is one higher. With a count of 0 it tells nothing any more: it
    /// is read, and of now; so is noted one that is not there, while with another count nothing is
    /// done then. Answers those that were there and are corrected, as they are kept, in no order.
    async fn correct_notices(&self, notices: Vec<Notice>, kept: NoticesKept)
    -> Result<Vec<Notice>>;

    /// Notifications of a user, the one noted last first, then by id from the highest. What is too
    /// old is left out, and what tells nothing any more unless that is wished.
    async fn notices(&self, query: NoticeQuery) -> Result<Vec<Notice>>;

    /// Those of these notifications that are there, in no order; what is too old may be left out.
    async fn notices_by_id(&self, ids: &[Uuid]) -> Result<Vec<Notice>>;

    /// How many unread notifications each of these users has, in the order asked, at most
    /// [`COUNT_CAP`](super::COUNT_CAP).
    async fn count_unread_notices(&self, users: &[UserId]) -> Result<Vec<u32>>;

    /// Marks notifications of a user read; answers how many were not. Those of others stay.
    async fn read_notices(&self, user: &UserId, which: NoticeChoice) -> Result<u32>;

    /// Forgets how a user wants to be told, and what the user was told.
    async fn forget_notices(&self, user: &UserId) -> Result<()>;
}
