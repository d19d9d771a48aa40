//! A user is taken out of everything.
//!
//! First the streams close and tokens are refused, then the name goes, then chat after chat, then
//! the rest; a while later all of it is gone through once more, for what was under way meanwhile.
//! What goes here is also what [`export`](crate::chat::export) hands out.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::Erasure;
use crate::chat::Service;
use crate::chat::block::block_updated;
use crate::chat::delete::deleted_event;
use crate::chat::limits::{
    ERASE_PAGE, ERASED_AT_ONCE, ERASED_TOLD_AGAIN, ERASED_TWICE_AFTER, FORGOTTEN_AT_ONCE,
};
use crate::chat::react::reacted_events;
use crate::chat::reserve::Changed;
use crate::error::{Error, Result};
use crate::model::{Chat, ChatId, Member, Message, UserId};
use crate::store::ChangeCursor;

/// What becomes of a deleted user's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They stay.
    Keep,
    /// Their content goes for everyone, with what they carry.
    Erase,
}

impl Service {
    /// Takes a user out of everything; answers how many chats there were to take the user out of.
    /// Goes on when who asked has gone, and by itself where this node stops.
    pub async fn delete_user(self: &Arc<Self>, user: &UserId, messages: Fate) -> Result<u32> {
        tracing::info!(target: "audit", %user, fate = ?messages, "a user is to go");
        let erasure = Erasure::User(user.clone(), messages);
        self.note_erasure(&erasure, ERASED_TWICE_AFTER).await?;
        let (service, user) = (Arc::clone(self), user.clone());
        self.carry_through(async move { service.erase_user(&user, messages).await }).await
    }

    pub(super) async fn erase_user(self: &Arc<Self>, user: &UserId, fate: Fate) -> Result<u32> {
        self.revoke(user, None).await?;
        self.forget_name(user).await?;
        let (mut after, mut chats) = (None, 0);
        loop {
            let page = self.store.places_of(user, after, ERASE_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.chat);
            for place in &page {
                self.leave_for_good(place, fate).await?;
            }
            chats += u32::try_from(page.len()).unwrap_or(u32::MAX);
        }
        // The rest, a line for each sort of data.
        self.forget_hidden(user).await?;
        self.forget_uploads(user).await?;
        self.forget_devices(user).await?;
        self.forget_own_reserve(user).await?;
        self.forget_blocks_of_others(user).await?;
        // Streams that closed just now have said when the user was here last.
        self.store.forget_profile(user).await?;
        tracing::info!(%user, chats, "a user was taken out of everything");
        Ok(chats)
    }

    /// Others are told while it is known who they are.
    async fn forget_name(&self, user: &UserId) -> Result<()> {
        self.store.forget_profile(user).await?;
        Ok(self.tell_profile(user, self.clock.now()).await?)
    }

    async fn leave_for_good(self: &Arc<Self>, place: &Member, fate: Fate) -> Result<()> {
        let (user, chat) = (&place.user, place.chat);
        if place.left_at.is_none() {
            // First, so that nothing is sent behind what follows.
            self.leave_if_group(user, chat).await?;
        }
        let known = self.store.chats(&[chat]).await?.pop();
        if fate == Fate::Erase {
            self.erase_sent(user, chat, known.as_ref()).await?;
        }
        self.take_reactions_back(user, chat, known.as_ref()).await?;
        Ok(self.store.forget_place(chat, user).await?)
    }

    async fn erase_sent(
        self: &Arc<Self>,
        user: &UserId,
        chat: ChatId,
        known: Option<&Chat>,
    ) -> Result<()> {
        let lately = self.clock.now().minus(ERASED_TOLD_AGAIN);
        let mut after = String::new();
        loop {
            let mut page = self.store.sent(chat, user, &after, ERASE_PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.client_message_id);
            // Who deleted one just now may have died before telling.
            page.retain(|message| message.deleted_at.is_none_or(|at| at >= lately));
            let deletions: Vec<_> =
                page.into_iter().map(|message| self.erase_message(message, known)).collect();
            let mut deletions = stream::iter(deletions).buffer_unordered(ERASED_AT_ONCE);
            while deletions.try_next().await?.is_some() {}
        }
        self.release_attachments();
        Ok(())
    }

    async fn erase_message(self: &Arc<Self>, message: Message, known: Option<&Chat>) -> Result<()> {
        let deleted = self.store.delete_message(message.chat, message.id).await?;
        if let (Some(deleted), Some(chat)) = (deleted, known) {
            self.tell_members(chat, deleted.seq, vec![deleted_event(&deleted)]).await;
        }
        Ok(())
    }

    /// Messages with reactions are among those that changed: all of them are gone through.
    async fn take_reactions_back(
        self: &Arc<Self>,
        user: &UserId,
        chat: ChatId,
        known: Option<&Chat>,
    ) -> Result<()> {
        let mut after = ChangeCursor::default();
        loop {
            let page = self.store.changed_messages(&[chat], after, ERASE_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.cursor;
            for changed in page {
                for emoji in changed.message.reactions_of(user) {
                    let left = self.store.unreact(chat, changed.message.id, user, &emoji).await?;
                    if let (Some(left), Some(chat)) = (left, known) {
                        let events = reacted_events(&left, user, &self.links);
                        self.tell_members(chat, left.seq, events).await;
                    }
                }
            }
        }
    }

    async fn forget_hidden(&self, user: &UserId) -> Result<()> {
        while self.store.forget_hidden(user, ERASE_PAGE).await? {}
        Ok(())
    }

    /// What a message holds goes with it, or stays with it.
    async fn forget_uploads(&self, user: &UserId) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.store.untaken_files(user, after, ERASE_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.attachment.id);
            for file in &page {
                let seen = file.claim.as_ref().map(|claim| claim.since);
                self.let_go(file.attachment.id, seen).await;
            }
        }
    }

    async fn forget_own_reserve(self: &Arc<Self>, user: &UserId) -> Result<()> {
        self.store.forget_reserve(user).await?;
        self.store.forget_notices(user).await?;
        let changed = Changed { user: user.clone(), other: None, again: false };
        self.reserve_changed(changed).await;
        Ok(())
    }

    async fn forget_blocks_of_others(self: &Arc<Self>, user: &UserId) -> Result<()> {
        loop {
            let blockers = self.store.blockers(user, ERASE_PAGE).await?;
            if blockers.is_empty() {
                return Ok(());
            }
            let changes: Vec<_> =
                blockers.iter().map(|by| self.unblock_for_good(by, user)).collect();
            let mut changes = stream::iter(changes).buffer_unordered(FORGOTTEN_AT_ONCE);
            while changes.try_next().await?.is_some() {}
        }
    }

    async fn unblock_for_good(self: &Arc<Self>, by: &UserId, user: &UserId) -> Result<(), Error> {
        let Some(was) = self.store.unblock(by, user).await? else { return Ok(()) };
        let changed = Changed { user: by.clone(), other: Some(user.clone()), again: false };
        self.reserve_changed(changed).await;
        self.tell_own_devices(by, None, block_updated(&was)).await;
        Ok(())
    }
}
