//! Users: whom they have blocked, what they hide, whom they know.

use async_trait::async_trait;

use super::{Measured, timed};
use crate::clock::Timestamp;
use crate::metrics::Operation;
use crate::model::{ChatId, Privacy, Reserve, UserId};
use crate::store::{Block, People, Result, Shared};

#[async_trait]
impl People for Measured {
    async fn block(&self, user: &UserId, other: &UserId, limit: u32) -> Result<Option<Block>> {
        timed(Operation::Block, self.0.block(user, other, limit)).await
    }

    async fn unblock(&self, user: &UserId, other: &UserId) -> Result<Option<Block>> {
        timed(Operation::Unblock, self.0.unblock(user, other)).await
    }

    async fn blocks(&self, user: &UserId, below: u32, limit: u32) -> Result<Vec<Block>> {
        timed(Operation::Blocks, self.0.blocks(user, below, limit)).await
    }

    async fn changed_blocks(&self, user: &UserId, since: Timestamp) -> Result<Vec<Block>> {
        timed(Operation::ChangedBlocks, self.0.changed_blocks(user, since)).await
    }

    async fn blocked_between(&self, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        timed(Operation::BlockedBetween, self.0.blocked_between(user, others)).await
    }

    async fn reserves(&self, users: &[UserId]) -> Result<Vec<Reserve>> {
        timed(Operation::Reserves, self.0.reserves(users)).await
    }

    async fn put_privacy(
        &self,
        user: &UserId,
        hide_last_active: Option<bool>,
        hide_read_receipts: Option<bool>,
    ) -> Result<Privacy> {
        let put = self.0.put_privacy(user, hide_last_active, hide_read_receipts);
        timed(Operation::PutPrivacy, put).await
    }

    async fn shared(&self, user: &UserId, others: &[UserId]) -> Result<Vec<Shared>> {
        timed(Operation::Shared, self.0.shared(user, others)).await
    }

    async fn touch_receipts(&self, chat: ChatId) -> Result<()> {
        timed(Operation::TouchReceipts, self.0.touch_receipts(chat)).await
    }
}
