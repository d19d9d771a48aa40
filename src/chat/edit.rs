//! Editing: an own message gets another text, for a while.

use std::sync::Arc;

use super::Service;
use super::access::Visible;
use super::attachments::Links;
use super::change::check_changeable;
use super::{mentions, text};
use crate::error::{Error, Reason, Result};
use crate::model::{Message, UserId};
use crate::proto::{self, event::Event};
use crate::store::Edit;

/// What a message is to say.
#[derive(Clone, Debug)]
pub struct EditDraft {
    /// Where, as given.
    pub chat_id: String,
    /// Which, as given.
    pub message_id: String,
    /// As given.
    pub text: String,
    /// As given.
    pub mentions: Vec<String>,
}

impl Service {
    /// Gives a message of the user's own another text. The same text again changes nothing,
    /// however late.
    pub async fn edit_message(
        self: &Arc<Self>,
        user: &UserId,
        draft: EditDraft,
    ) -> Result<proto::Message> {
        self.rates.message(user)?;
        let visible = self.visible(user, &draft.chat_id, &draft.message_id).await?;
        let Visible { chat, message, .. } = visible;
        check_changeable(&message)?;
        if message.sender.as_ref() != Some(user) {
            return Err(Error::new(Reason::RoleTooLow, "only its sender edits a message"));
        }
        let text = text::text_beside(message.attachments.len(), &draft.text)?;
        let mentions = mentions::read(&draft.mentions, &text)?;
        let same = message.text == text && message.mentions == mentions;
        let under_way = self.reserves.send_begins();
        if !same {
            self.check_window(&message)?;
            self.check_reaches(user, &chat).await?;
            let roster = self.rosters.get(chat.id).await?.ok_or_else(Error::chat_not_found)?;
            self.with_seats(roster, &mentions).await?;
        }
        let words = self.words_of(&text);
        let edit = Edit { chat: chat.id, id: message.id, text, mentions, words };
        let store = Arc::clone(&self.store);
        let write = async move {
            let _under_way = under_way;
            let edited = store.edit_message(edit).await?.ok_or_else(Error::message_not_found)?;
            check_changeable(&edited)?;
            Ok(edited)
        };
        let links = self.links.clone();
        let events = move |message: &Message| vec![edited_event(message, &links)];
        let edited = self.change(&chat, write, events).await?;
        if !same {
            self.message_says(&message, &edited);
        }
        self.show_message(user, &chat, edited).await
    }

    fn check_window(&self, message: &Message) -> Result<()> {
        let window = self.settings.edit_window;
        if self.clock.now().since(message.created_at()) <= window {
            return Ok(());
        }
        let mut error =
            Error::new(Reason::EditWindowOver, "the time in which it may be edited is over");
        error.metadata.push(("limit", window.as_secs().to_string()));
        Err(error)
    }
}

/// What a message says now.
pub(super) fn edited_event(message: &Message, links: &Links) -> Event {
    Event::MessageEdited(proto::MessageEdited { message: Some(links.message(message)) })
}
