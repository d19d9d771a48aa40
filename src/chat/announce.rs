//! A word of the product itself in a chat: a note that counts as unread and rings.

use std::sync::Arc;

use super::Service;
use super::access::chat_id;
use super::text;
use crate::error::{Error, Result};
use crate::model::{MessageId, NoteKind, SystemNote};
use crate::proto;
use crate::store::NewMessage;

/// What the ids of announcements begin with in the log, so that they meet no other note's.
const ID: &str = "announcement:";

impl Service {
    /// Puts an announcement into a chat, once for each `client_message_id`.
    pub async fn send_announcement(
        self: &Arc<Self>,
        chat: &str,
        client_message_id: &str,
        raw: &str,
    ) -> Result<proto::SendOutcome> {
        let chat = chat_id(chat)?;
        text::client_id("client_message_id", client_message_id)?;
        let text = text::message_text(raw)?;
        if self.store.chats(&[chat]).await?.is_empty() {
            return Err(Error::chat_not_found());
        }
        let announcement = NewMessage {
            id: MessageId(self.clock.new_id()),
            chat,
            sender: None,
            client_message_id: format!("{ID}{client_message_id}"),
            content_hash: self.sealer.content_hash(&[ID.as_bytes(), text.as_bytes()]),
            words: self.words_of(&text),
            text,
            attachments: Vec::new(),
            reply_to: None,
            mentions: Vec::new(),
            note: Some(SystemNote {
                kind: NoteKind::Announcement,
                actor: None,
                users: Vec::new(),
                title: String::new(),
            }),
            member_as_of: 0,
        };
        let stored = self.append_and_tell(announcement, None).stored().await?;
        Ok(super::send::outcome(&stored))
    }
}
