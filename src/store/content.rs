//! What messages become after they were sent: edited, deleted, reacted to, hidden, found.

use async_trait::async_trait;

use super::{Edit, Found, Hidden, Result, Search};
use crate::clock::Timestamp;
use crate::model::{ChatId, Message, MessageId, Seq, UserId};

/// What messages become after they were sent. As in [`Store`](super::Store): answers are durable,
/// lists may hold repeats.
///
/// A change raises `revision` by one and counts as changed now, by the store's clock; what
/// changes nothing does neither. Each is whole or not there, and two at once lose nothing to each
/// other. All but `hide` answer the message as it is right after, `None` if there is none; of one
/// that is deleted, and of a system note, only `delete_message` changes anything.
#[async_trait]
pub trait Content: Send + Sync {
    /// Gives a message another text, with its mentions and words, and notes when. The same text
    /// and mentions change nothing.
    async fn edit_message(&self, edit: Edit) -> Result<Option<Message>>;

    /// Deletes a message for everyone: its text, attachments, mentions, reactions and words go,
    /// its place stays; the files it carried are due ([`Files`](super::Files)). One that is deleted stays as it is.
    async fn delete_message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>>;

    /// Adds a user's reaction behind the others of its emoji; a new emoji behind the others. One
    /// that is there stays; one for which there is no room
    /// ([`MAX_REACTION_KINDS`](crate::model::MAX_REACTION_KINDS),
    /// [`MAX_REACTIONS`](crate::model::MAX_REACTIONS)) is not added: the answer shows it.
    async fn react(
        &self,
        chat: ChatId,
        id: MessageId,
        user: &UserId,
        emoji: &str,
    ) -> Result<Option<Message>>;

    /// Takes a user's reaction away, with the last of an emoji the emoji. One that is not there
    /// changes nothing.
    async fn unreact(
        &self,
        chat: ChatId,
        id: MessageId,
        user: &UserId,
        emoji: &str,
    ) -> Result<Option<Message>>;

    /// Notes that a user has deleted this message for themselves, and when, by the store's
    /// clock. Hiding it again changes nothing.
    async fn hide(&self, user: &UserId, what: Hidden) -> Result<()>;

    /// Those of these places that the user has hidden, in no order.
    async fn hidden(&self, user: &UserId, places: &[(ChatId, Seq)]) -> Result<Vec<(ChatId, Seq)>>;

    /// What the user has hidden at or after `since`, by the store's clock, at most `limit`.
    async fn hidden_since(
        &self,
        user: &UserId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Hidden>>;

    /// Messages with all these words, the newest first; with none asked for, none. What is
    /// deleted has no words. Pages lose and repeat nothing. Each looks through a bounded part of
    /// what there is and says how far it came: it may have fewer than `limit`, or none, and
    /// there may be more.
    async fn search(&self, search: Search) -> Result<Found>;
}
