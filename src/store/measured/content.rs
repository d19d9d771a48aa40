//! What messages become after they were sent: edited, deleted, reacted to, hidden, found.

use async_trait::async_trait;

use super::{Measured, timed};
use crate::clock::Timestamp;
use crate::metrics::Operation;
use crate::model::{ChatId, Message, MessageId, Seq, UserId};
use crate::store::{Content, Edit, Found, Hidden, Result, Search};

#[async_trait]
impl Content for Measured {
    async fn edit_message(&self, edit: Edit) -> Result<Option<Message>> {
        timed(Operation::EditMessage, self.0.edit_message(edit)).await
    }

    async fn delete_message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>> {
        timed(Operation::DeleteMessage, self.0.delete_message(chat, id)).await
    }

    async fn react(
        &self,
        chat: ChatId,
        id: MessageId,
        user: &UserId,
        emoji: &str,
    ) -> Result<Option<Message>> {
        timed(Operation::React, self.0.react(chat, id, user, emoji)).await
    }

    async fn unreact(
        &self,
        chat: ChatId,
        id: MessageId,
        user: &UserId,
        emoji: &str,
    ) -> Result<Option<Message>> {
        timed(Operation::Unreact, self.0.unreact(chat, id, user, emoji)).await
    }

    async fn hide(&self, user: &UserId, what: Hidden) -> Result<()> {
        timed(Operation::Hide, self.0.hide(user, what)).await
    }

    async fn hidden(&self, user: &UserId, places: &[(ChatId, Seq)]) -> Result<Vec<(ChatId, Seq)>> {
        timed(Operation::Hidden, self.0.hidden(user, places)).await
    }

    async fn hidden_since(
        &self,
        user: &UserId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Hidden>> {
        timed(Operation::HiddenSince, self.0.hidden_since(user, since, limit)).await
    }

    async fn search(&self, search: Search) -> Result<Found> {
        timed(Operation::Search, self.0.search(search)).await
    }
}
