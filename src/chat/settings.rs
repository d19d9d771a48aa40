//! What one member has set for a chat: pinned, archived, muted. Seen by that member's devices
//! alone.

use super::Service;
use super::access::chat_id;
use super::limits::MAX_PINNED;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{ChatId, ChatSettings, Level, UserId};
use crate::proto;
use crate::store::{SettingsPut, SettingsWish};
use crate::wire;

/// New settings; what is unset stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct SettingsDraft {
    /// Pin or take that back.
    pub pinned: Option<bool>,
    /// Archive or take that back.
    pub archived: Option<bool>,
    /// Until when no push comes; a time that is over takes the mute back.
    pub muted_until: Option<Timestamp>,
}

impl Service {
    /// Changes the caller's own settings of a chat, and tells the caller's devices.
    pub async fn set_chat_settings(
        &self,
        user: &UserId,
        chat: &str,
        draft: SettingsDraft,
    ) -> Result<proto::ChatSettings> {
        let chat = chat_id(chat)?;
        let now = self.clock.now();
        let wish = SettingsWish {
            pinned: draft.pinned,
            archived: draft.archived,
            muted_until: draft.muted_until.map(|until| Some(until).filter(|until| *until > now)),
            level: None,
        };
        Ok(wire::settings(&self.put_settings(chat, user, wish).await?))
    }

    /// Changes of which messages of a chat the caller is told, and tells the caller's devices. A
    /// time that is over takes it back.
    pub async fn set_chat_notifications(
        &self,
        user: &UserId,
        chat: &str,
        level: Level,
        until: Option<Timestamp>,
    ) -> Result<()> {
        let chat = chat_id(chat)?;
        let over = until.is_some_and(|until| until <= self.clock.now());
        let level = if over || level == Level::All { (Level::All, None) } else { (level, until) };
        let wish = SettingsWish { level: Some(level), ..SettingsWish::default() };
        self.put_settings(chat, user, wish).await?;
        Ok(())
    }

    async fn put_settings(
        &self,
        chat: ChatId,
        user: &UserId,
        wish: SettingsWish,
    ) -> Result<ChatSettings> {
        let put = self.store.put_settings(chat, user, wish, MAX_PINNED).await?;
        let (settings, changed) = match put {
            SettingsPut::Put(settings, changed) => (settings, changed),
            SettingsPut::NoMember => return Err(Error::chat_not_found()),
            SettingsPut::TooManyPinned => {
                return Err(Error::over_limit("pinned", MAX_PINNED, "chats"));
            }
        };
        if changed {
            self.tell_own_devices(user, None, settings_event(chat, &settings)).await;
        }
        Ok(settings)
    }
}

/// The event that tells a member's own devices.
pub(super) fn settings_event(chat: ChatId, settings: &ChatSettings) -> proto::event::Event {
    proto::event::Event::ChatSettingsUpdated(proto::ChatSettingsUpdated {
        chat_id: chat.to_string(),
        settings: Some(wire::settings(settings)),
    })
}
