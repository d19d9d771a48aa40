//! Parts of documents that groups need: notes that wait, and what a member has set.

use mongodb::bson::{Binary, DateTime};
use serde::{Deserialize, Serialize};

use super::super::super::{NewMessage, Result};
use super::super::failure::broken;
use super::{NoteDoc, binary, bytes, date, number, time};
use crate::model::{ChatId, ChatSettings, Level, MessageId};

/// A note that is to go into the log. It gets its id when it does: its time is when it is told.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct PendingDoc {
    pub(in super::super) client_message_id: String,
    content_hash: Binary,
    text: String,
    note: NoteDoc,
}

impl PendingDoc {
    /// `None`: it is no note.
    pub(in super::super) fn new(new: &NewMessage) -> Option<Self> {
        Some(Self {
            client_message_id: new.client_message_id.clone(),
            content_hash: binary(&new.content_hash),
            text: new.text.clone(),
            note: NoteDoc::new(new.note.as_ref()?),
        })
    }

    pub(in super::super) fn message(self, id: MessageId, chat: ChatId) -> Result<NewMessage> {
        Ok(NewMessage {
            id,
            chat,
            sender: None,
            client_message_id: self.client_message_id,
            content_hash: bytes(&self.content_hash)?,
            text: self.text,
            reply_to: None,
            mentions: Vec::new(),
            attachments: Vec::new(),
            words: Vec::new(),
            note: Some(self.note.note()?),
            member_as_of: 0,
        })
    }
}

/// What a member has set, among the fields of the member.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct SettingsDoc {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pinned_at: Option<DateTime>,
    #[serde(default)]
    archived: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    muted_until: Option<DateTime>,
    /// Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level_until: Option<DateTime>,
    #[serde(default)]
    settings_revision: i64,
    /// By mongod's clock; absent until the first change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings_at: Option<DateTime>,
}

impl SettingsDoc {
    pub(super) fn new(settings: &ChatSettings) -> Self {
        Self {
            pinned_at: settings.pinned_at.map(date),
            archived: settings.archived,
            muted_until: settings.muted_until.map(date),
            level: Some(settings.level.number()),
            level_until: settings.level_until.map(date),
            settings_revision: settings.revision.into(),
            settings_at: settings.changed_at.map(date),
        }
    }

    pub(super) fn settings(&self) -> Result<ChatSettings> {
        Ok(ChatSettings {
            pinned_at: self.pinned_at.map(time),
            archived: self.archived,
            muted_until: self.muted_until.map(time),
            level: match self.level {
                None => Level::default(),
                Some(level) => Level::from_number(level).ok_or_else(|| broken("no such level"))?,
            },
            level_until: self.level_until.map(time),
            revision: number(self.settings_revision)?,
            changed_at: self.settings_at.map(time),
        })
    }
}
