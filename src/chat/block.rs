//! Blocking: neither of the two reaches the other any more, or sees the other.
//!
//! What follows from a block is checked where it would pass: sends, new chats, presence, typing,
//! receipts. Here it is made, and taken back.

use std::sync::Arc;
use std::time::Duration;

use super::Service;
use super::limits::MAX_BLOCKS;
use super::people::user_id;
use super::reserve::Changed;
use super::seal::{Purpose, armour, bad_token, unarmour};
use crate::error::{Error, Reason, Result};
use crate::model::UserId;
use crate::proto::{self, event::Event};
use crate::store::Block;
use crate::wire;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 200;
/// A block that was taken back longer ago was told long ago; the other one is not told of it anew.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

impl Service {
    /// Blocks a user. Once this is answered nothing passes between the two, on any node. Goes on when
    /// who asked has gone: all nodes must be told.
    pub async fn block_user(self: &Arc<Self>, user: &UserId, other: &str) -> Result<()> {
        let other = user_id("user_id", other)?;
        if other == *user {
            return Err(Error::field("user_id", "nobody blocks themselves"));
        }
        self.carry_through(Arc::clone(self).make_block(user.clone(), other)).await
    }

    /// Takes a block back.
    pub async fn unblock_user(self: &Arc<Self>, user: &UserId, other: &str) -> Result<()> {
        let other = user_id("user_id", other)?;
        self.carry_through(Arc::clone(self).take_block_back(user.clone(), other)).await
    }

    async fn make_block(self: Arc<Self>, user: UserId, other: UserId) -> Result<()> {
        let made = self.store.block(&user, &other, MAX_BLOCKS).await?.ok_or_else(|| {
            let mut error = Error::new(Reason::TooManyBlocks, "you have blocked too many users");
            error.metadata.push(("limit", MAX_BLOCKS.to_string()));
            error
        })?;
        self.block_changed(&user, made).await;
        Ok(())
    }

    async fn take_block_back(self: Arc<Self>, user: UserId, other: UserId) -> Result<()> {
        let Some(was) = self.store.unblock(&user, &other).await? else { return Ok(()) };
        if was.at < self.clock.now().minus(TOLD_AGAIN) {
            return Ok(());
        }
        if let Some(chat) = self.direct_chat_of(&user, &other).await? {
            // So that also who comes back later is told what was kept back.
            self.store.touch_receipts(chat).await?;
        }
        self.block_changed(&user, was).await;
        Ok(())
    }

    /// Told also where nothing has changed: the call before may have come to nothing half-way.
    async fn block_changed(self: &Arc<Self>, user: &UserId, block: Block) {
        let event = block_updated(&block);
        let changed =
            Changed { user: user.clone(), other: Some(block.user), again: !block.blocked };
        self.reserve_changed(changed).await;
        self.tell_own_devices(user, None, event).await;
    }

    /// One page of those whom a user has blocked, and the token of the next.
    pub async fn list_blocked_users(
        &self,
        user: &UserId,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<proto::BlockedUser>, String)> {
        let below = self.blocks_below(user, page_token)?;
        let limit = if page_size == 0 { DEFAULT_PAGE } else { page_size.min(MAX_PAGE) };
        // One more than asked for tells whether there are more.
        let mut blocks = self.store.blocks(user, below, limit + 1).await?;
        let more = blocks.len() > limit as usize;
        blocks.truncate(limit as usize);
        let next = blocks.last().filter(|_| more).map(|last| {
            let token = self.sealer.seal(user, Purpose::Blocks, &last.revision.to_be_bytes());
            armour(&token)
        });
        Ok((self.show_blocks(user, blocks).await?, next.unwrap_or_default()))
    }

    fn blocks_below(&self, user: &UserId, page_token: &str) -> Result<u32> {
        if page_token.is_empty() {
            return Ok(u32::MAX);
        }
        let token = unarmour(page_token).ok_or_else(bad_token)?;
        let body = self.sealer.open(user, Purpose::Blocks, &token).ok_or_else(bad_token)?;
        body.try_into().map(u32::from_be_bytes).map_err(|_| bad_token())
    }

    /// Anybody can be blocked: of strangers no more is told than was given.
    async fn show_blocks(
        &self,
        user: &UserId,
        blocks: Vec<Block>,
    ) -> Result<Vec<proto::BlockedUser>> {
        let ids: Vec<UserId> = blocks.iter().map(|block| block.user.clone()).collect();
        let known = self.known_users(user, &ids).await?;
        let shown = blocks.into_iter().map(|block| {
            let user = known.get(&block.user).cloned().unwrap_or_else(|| proto::User {
                user_id: block.user.to_string(),
                ..proto::User::default()
            });
            let blocked_at = Some(wire::timestamp(block.at));
            proto::BlockedUser { user: Some(user), blocked_at }
        });
        Ok(shown.collect())
    }
}

/// The event that tells a user's own devices.
pub(super) fn block_updated(block: &Block) -> Event {
    Event::BlockUpdated(proto::BlockUpdated {
        user_id: block.user.to_string(),
        blocked: block.blocked,
        revision: block.revision,
    })
}
