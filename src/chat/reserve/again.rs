//! Two who may see each other again: their sessions here are told what they missed.

use std::sync::Arc;

use super::change::Changed;
use crate::chat::Service;
use crate::chat::presence::Turn;
use crate::error::Result;
use crate::model::{ChatId, UserId};
use crate::store::{Created, WrittenBy};
use crate::wire::{self, Told};

impl Service {
    /// Tells the sessions of this node that a change concerns what is so now.
    pub(super) async fn tell_again(self: &Arc<Self>, changed: &Changed) {
        let Some(other) = changed.other.as_ref().filter(|_| changed.again) else { return };
        if !self.hub.has_any([&changed.user, other]) {
            return;
        }
        if let Err(error) = self.tell_two_again(&changed.user, other).await {
            tracing::warn!(%error, "cannot tell two users of each other again");
        }
    }

    async fn tell_two_again(&self, one: &UserId, other: &UserId) -> Result<()> {
        if self.between_two(one, other).await?.blocked {
            return Ok(());
        }
        let Some(chat) = self.direct_chat_of(one, other).await? else { return Ok(()) };
        for (viewer, seen) in [(one, other), (other, one)] {
            self.tell_one_again(viewer, seen, chat).await?;
        }
        Ok(())
    }

    async fn tell_one_again(&self, viewer: &UserId, seen: &UserId, chat: ChatId) -> Result<()> {
        let listeners = self.hub.of(viewer);
        if listeners.is_empty() {
            return Ok(());
        }
        let mut places = self.store.places(&[(chat, seen.clone())]).await?;
        self.mask_pairs(viewer, &mut places).await?;
        for place in &places {
            for event in self.receipt_events(viewer, place).await? {
                let told = Arc::new(Told::Change(wire::event_frame(event)));
                for listener in &listeners {
                    listener.tell(&told);
                }
            }
        }
        let written = WrittenBy::User(seen.clone());
        if self.store.written_in(written, &[chat]).await?.is_empty() {
            return Ok(());
        }
        if let Some(turn) = Turn::latest(self, seen).await? {
            self.tell_turn(&turn, &listeners).await?;
        }
        Ok(())
    }

    /// The direct chat of these two, if there is one.
    pub(in crate::chat) async fn direct_chat_of(
        &self,
        one: &UserId,
        other: &UserId,
    ) -> Result<Option<ChatId>> {
        let (key, content_hash) = self.direct_key(one, other);
        Ok(match self.store.find_chat(&key, content_hash).await? {
            Some(Created::Chat(chat, _)) => Some(chat.id),
            _ => None,
        })
    }
}
