//! What is kept of one user, wherever it stands: to be handed out, and to be taken away.

use async_trait::async_trait;

use super::{File, Result};
use crate::model::{AttachmentId, ChatId, Member, Message, UserId};

/// What is kept of one user. As in [`Store`](super::Store): answers are durable.
///
/// All of it is bounded work: what may be much comes in pages, or goes in pieces. What forgets may
/// be repeated.
#[async_trait]
pub trait Owned: Send + Sync {
    /// All places that a user ever had, by chat, above `after`, at most `limit`: also those that
    /// were left, however long ago, and those in chats that were deleted or are being made.
    async fn places_of(
        &self,
        user: &UserId,
        after: Option<ChatId>,
        limit: u32,
    ) -> Result<Vec<Member>>;

    /// What a user has sent to a chat, deleted or not, whether or not either is still there: by
    /// `client_message_id`, above `after`, at most `limit`.
    async fn sent(
        &self,
        chat: ChatId,
        user: &UserId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Message>>;

    /// Files of a user that no message holds, by id, above `after`, at most `limit`.
    async fn untaken_files(
        &self,
        owner: &UserId,
        after: Option<AttachmentId>,
        limit: u32,
    ) -> Result<Vec<File>>;

    /// Users who have blocked this one, in no order, at most `limit`.
    async fn blockers(&self, user: &UserId, limit: u32) -> Result<Vec<UserId>>;

    /// Makes a place as that of one who comes just now: it sees what comes after the newest
    /// message, has received and read all before, and has no settings. Who left has still left;
    /// nobody is told of receipts.
    async fn forget_place(&self, chat: ChatId, user: &UserId) -> Result<()>;

    /// Forgets some of what a user has hidden, at most `limit`; answers whether there may be more.
    async fn forget_hidden(&self, user: &UserId, limit: u32) -> Result<bool>;

    /// Forgets whom a user has blocked, or had, and what the user hides.
    async fn forget_reserve(&self, user: &UserId) -> Result<()>;

    /// Forgets a user's name and picture, as of now by the store's clock, and when the user was
    /// here last. What tokens issued before say of the name does not bring it back. One who was
    /// never met stays so.
    async fn forget_profile(&self, user: &UserId) -> Result<()>;
}
