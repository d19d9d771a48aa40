//! What one member has set for a chat: pinned, archived, muted. Seen by that member's devices
//! alone.

use super::Service;
use super::access::chat_id;
use super::limits::MAX_PINNED;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{ChatId, ChatSettings, Level, Member, UserId};
use crate::proto;
use crate::store::SettingsWish;
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
        let settings = self.admitted(user, chat).await?.member.settings;
        if draft.pinned == Some(true) && settings.pinned_at.is_none() {
            self.check_pins(user).await?;
        }
        let now = self.clock.now();
        let wish = SettingsWish {
            pinned: draft.pinned,
            archived: draft.archived,
            muted_until: draft.muted_until.map(|until| Some(until).filter(|until| *until > now)),
            level: None,
        };
        let put = self.store.put_settings(chat, user, wish).await?;
        let (settings, changed) = put.ok_or_else(Error::chat_not_found)?;
        if changed {
            self.tell_own_devices(user, None, settings_event(chat, &settings)).await;
        }
        Ok(wire::settings(&settings))
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
        self.admitted(user, chat).await?;
        let over = until.is_some_and(|until| until <= self.clock.now());
        let level = if over || level == Level::All { (Level::All, None) } else { (level, until) };
        let wish = SettingsWish { level: Some(level), ..SettingsWish::default() };
        let put = self.store.put_settings(chat, user, wish).await?;
        let (settings, changed) = put.ok_or_else(Error::chat_not_found)?;
        if changed {
            self.tell_own_devices(user, None, settings_event(chat, &settings)).await;
        }
        Ok(())
    }

    /// Two pins at once may be one too many.
    async fn check_pins(&self, user: &UserId) -> Result<()> {
        let places = self.store.memberships(user).await?;
        let pinned =
            |place: &&Member| place.left_at.is_none() && place.settings.pinned_at.is_some();
        if places.iter().filter(pinned).count() < MAX_PINNED {
            return Ok(());
        }
        Err(Error::over_limit("pinned", MAX_PINNED, "chats"))
    }
}

/// The event that tells a member's own devices.
pub(super) fn settings_event(chat: ChatId, settings: &ChatSettings) -> proto::event::Event {
    proto::event::Event::ChatSettingsUpdated(proto::ChatSettingsUpdated {
        chat_id: chat.to_string(),
        settings: Some(wire::settings(settings)),
    })
}
