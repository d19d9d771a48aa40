//! How users want to be told, and their notifications in the app.

use async_trait::async_trait;
use uuid::Uuid;

use super::{Measured, timed};
use crate::metrics::Operation;
use crate::model::{Notice, Preferences, UserId};
use crate::store::{NoticeChoice, NoticeQuery, Notices, NoticesKept, Result};

#[async_trait]
impl Notices for Measured {
    async fn preferences(&self, users: &[UserId]) -> Result<Vec<(UserId, Preferences)>> {
        timed(Operation::Preferences, self.0.preferences(users)).await
    }

    async fn put_preferences(&self, user: &UserId, new: Preferences) -> Result<Preferences> {
        timed(Operation::PutPreferences, self.0.put_preferences(user, new)).await
    }

    async fn put_notices(&self, notices: Vec<Notice>, kept: NoticesKept) -> Result<Vec<Notice>> {
        timed(Operation::PutNotices, self.0.put_notices(notices, kept)).await
    }

    async fn correct_notices(
        &self,
        notices: Vec<Notice>,
        kept: NoticesKept,
    ) -> Result<Vec<Notice>> {
        timed(Operation::CorrectNotices, self.0.correct_notices(notices, kept)).await
    }

    async fn notices(&self, query: NoticeQuery) -> Result<Vec<Notice>> {
        timed(Operation::Notices, self.0.notices(query)).await
    }

    async fn notices_by_id(&self, ids: &[Uuid]) -> Result<Vec<Notice>> {
        timed(Operation::NoticesById, self.0.notices_by_id(ids)).await
    }

    async fn count_unread_notices(&self, users: &[UserId]) -> Result<Vec<u32>> {
        timed(Operation::CountUnreadNotices, self.0.count_unread_notices(users)).await
    }

    async fn read_notices(&self, user: &UserId, which: NoticeChoice) -> Result<u32> {
        timed(Operation::ReadNotices, self.0.read_notices(user, which)).await
    }

    async fn forget_notices(&self, user: &UserId) -> Result<()> {
        timed(Operation::ForgetNotices, self.0.forget_notices(user)).await
    }
}
