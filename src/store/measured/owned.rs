//! What is kept of one user.

use async_trait::async_trait;

use super::{Measured, timed};
use crate::metrics::Operation;
use crate::model::{AttachmentId, ChatId, Member, Message, UserId};
use crate::store::{File, Owned, Result};

#[async_trait]
impl Owned for Measured {
    async fn places_of(
        &self,
        user: &UserId,
        after: Option<ChatId>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        timed(Operation::PlacesOf, self.0.places_of(user, after, limit)).await
    }

    async fn sent(
        &self,
        chat: ChatId,
        user: &UserId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Message>> {
        timed(Operation::Sent, self.0.sent(chat, user, after, limit)).await
    }

    async fn untaken_files(
        &self,
        owner: &UserId,
        after: Option<AttachmentId>,
        limit: u32,
    ) -> Result<Vec<File>> {
        timed(Operation::UntakenFiles, self.0.untaken_files(owner, after, limit)).await
    }

    async fn blockers(&self, user: &UserId, limit: u32) -> Result<Vec<UserId>> {
        timed(Operation::Blockers, self.0.blockers(user, limit)).await
    }

    async fn forget_place(&self, chat: ChatId, user: &UserId) -> Result<()> {
        timed(Operation::ForgetPlace, self.0.forget_place(chat, user)).await
    }

    async fn forget_hidden(&self, user: &UserId, limit: u32) -> Result<bool> {
        timed(Operation::ForgetHidden, self.0.forget_hidden(user, limit)).await
    }

    async fn forget_reserve(&self, user: &UserId) -> Result<()> {
        timed(Operation::ForgetReserve, self.0.forget_reserve(user)).await
    }

    async fn forget_profile(&self, user: &UserId) -> Result<()> {
        timed(Operation::ForgetProfile, self.0.forget_profile(user)).await
    }
}
