//! Reacting to a message with an emoji, and taking that back.

use std::sync::Arc;

use super::Service;
use super::access::Visible;
use super::attachments::Links;
use super::change::check_changeable;
use super::edit::edited_event;
use super::emoji::emoji;
use super::limits::{MAX_REACTION_KINDS, MAX_REACTIONS};
use crate::error::{Error, Reason, Result};
use crate::model::{Message, UserId};
use crate::proto::{self, event::Event};
use crate::wire;

impl Service {
    /// One emoji of the user's more; one that is there stays.
    pub async fn add_reaction(
        self: &Arc<Self>,
        user: &UserId,
        chat_id: &str,
        message_id: &str,
        raw: &str,
    ) -> Result<proto::Message> {
        self.rates.message(user)?;
        let Visible { chat, message, .. } = self.visible(user, chat_id, message_id).await?;
        let emoji = emoji(raw)?;
        check_changeable(&message)?;
        let under_way = self.reserves.send_begins();
        if !message.has_reaction(user, &emoji) {
            self.check_reaches(user, &chat).await?;
        }
        let (service, by, of) = (Arc::clone(self), user.clone(), chat.id);
        let write = async move {
            let _under_way = under_way;
            let news = service.announce_reaction(&message, &by, &emoji, true).await?;
            let reacted = service.store.react(of, message.id, &by, &emoji).await?;
            let reacted = reacted.ok_or_else(Error::message_not_found)?;
            if let Some(news) = news {
                service.reacted(news, &reacted);
            }
            check_changeable(&reacted)?;
            // One that is not there although there is room was taken back at once.
            if reacted.has_reaction(&by, &emoji) || reacted.has_room(&emoji) {
                Ok(reacted)
            } else {
                Err(too_many(&reacted))
            }
        };
        let (by, links) = (user.clone(), self.links.clone());
        let reacted =
            self.change(&chat, write, move |message| reacted_events(message, &by, &links)).await?;
        self.show_message(user, &chat, reacted).await
    }

    /// One emoji of the user's less; one that is not there changes nothing.
    pub async fn remove_reaction(
        self: &Arc<Self>,
        user: &UserId,
        chat_id: &str,
        message_id: &str,
        raw: &str,
    ) -> Result<proto::Message> {
        self.rates.message(user)?;
        let Visible { chat, message, .. } = self.visible(user, chat_id, message_id).await?;
        let emoji = emoji(raw)?;
        check_changeable(&message)?;
        let (service, by, of) = (Arc::clone(self), user.clone(), chat.id);
        let write = async move {
            let news = service.announce_reaction(&message, &by, &emoji, false).await?;
            let left = service.store.unreact(of, message.id, &by, &emoji).await?;
            let left = left.ok_or_else(Error::message_not_found)?;
            if let Some(news) = news {
                service.reacted(news, &left);
            }
            check_changeable(&left)?;
            Ok(left)
        };
        let (by, links) = (user.clone(), self.links.clone());
        let left =
            self.change(&chat, write, move |message| reacted_events(message, &by, &links)).await?;
        self.show_message(user, &chat, left).await
    }
}

fn too_many(message: &Message) -> Error {
    let (limit, what) = if message.reactions.len() >= MAX_REACTION_KINDS {
        (MAX_REACTION_KINDS, "kinds of reactions")
    } else {
        (MAX_REACTIONS, "reactions")
    };
    let mut error =
        Error::new(Reason::TooManyReactions, format!("a message has at most {limit} {what}"));
    error.metadata.push(("limit", limit.to_string()));
    error
}

/// All reactions to a message, and those of the user who changed theirs. Of a message that was
/// ever edited all of it before: who missed the edit, and takes the revision of what is told here,
/// would not take the edit any more.
pub(super) fn reacted_events(message: &Message, by: &UserId, links: &Links) -> Vec<Event> {
    let own = message.reactions.iter().filter(|of| of.users.contains(by));
    let updated = Event::ReactionsUpdated(proto::ReactionsUpdated {
        chat_id: message.chat.to_string(),
        message_id: message.id.to_string(),
        reactions: wire::reactions(message, None),
        revision: message.revision,
        seq: message.seq,
        user_id: by.to_string(),
        user_emojis: own.map(|of| of.emoji.clone()).collect(),
    });
    let edited = message.edited_at.is_some().then(|| edited_event(message, links));
    edited.into_iter().chain([updated]).collect()
}
