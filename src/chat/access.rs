//! The one place that says who may see a chat.
//!
//! A chat one is not in and a chat that is not there are the same to the caller. Verbs take what
//! these functions answer as proof.

use std::sync::Arc;

use super::Service;
use super::roster::{Roster, Seat};
use crate::error::{Error, Result};
use crate::model::{Chat, ChatId, Member, Message, MessageId, UserId};

/// A member, by a list that may be a moment old. Enough for what the store checks again, and for
/// what is of the moment.
#[derive(Clone, Debug)]
pub struct Seated {
    /// The chat and its members.
    pub roster: Arc<Roster>,
    /// The caller.
    pub seat: Seat,
}

/// A member, as the store says now.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The chat.
    pub chat: Chat,
    /// The caller's own place.
    pub member: Member,
}

/// A message that a member may see, as the store says now.
#[derive(Clone, Debug)]
pub struct Visible {
    /// The chat.
    pub chat: Chat,
    /// The caller's own place.
    pub member: Member,
    /// The message; perhaps deleted.
    pub message: Message,
}

/// Reads a message's id. One that cannot be an id is of no message.
pub fn message_id(raw: &str) -> Result<MessageId> {
    if raw.is_empty() {
        return Err(Error::field("message_id", "must be set"));
    }
    MessageId::parse(raw).ok_or_else(Error::message_not_found)
}

/// Reads a chat's id. One that cannot be an id is of no chat.
pub fn chat_id(raw: &str) -> Result<ChatId> {
    if raw.is_empty() {
        return Err(Error::field("chat_id", "must be set"));
    }
    ChatId::parse(raw).ok_or_else(Error::chat_not_found)
}

impl Service {
    /// The caller's seat, by a list that may be a moment old.
    pub async fn seated(&self, user: &UserId, chat: ChatId) -> Result<Seated> {
        let roster = self.rosters.get(chat).await?.ok_or_else(Error::chat_not_found)?;
        let seat = roster.seat(user).cloned().ok_or_else(Error::chat_not_found)?;
        self.mind_untold(&roster.chat);
        Ok(Seated { roster, seat })
    }

    /// The caller's place, as the store says now.
    pub async fn admitted(&self, user: &UserId, chat: ChatId) -> Result<Admitted> {
        let ids = [chat];
        let (chats, member) =
            tokio::try_join!(self.store.chats(&ids), self.store.member(chat, user))?;
        match (chats.into_iter().next(), member) {
            (Some(chat), Some(member)) if member.left_at.is_none() => {
                self.mind_untold(&chat);
                Ok(Admitted { chat, member })
            }
            _ => Err(Error::chat_not_found()),
        }
    }

    /// A message in a chat of the caller's. One from before the caller came is not there.
    pub async fn visible(&self, user: &UserId, chat: &str, message: &str) -> Result<Visible> {
        let id = chat_id(chat)?;
        let message = message_id(message);
        let admitted = self.admitted(user, id).await?;
        let found = self.store.message(id, message?).await?;
        let found = found.filter(|message| message.seq >= admitted.member.visible_from);
        let message = found.ok_or_else(Error::message_not_found)?;
        Ok(Visible { chat: admitted.chat, member: admitted.member, message })
    }
}
