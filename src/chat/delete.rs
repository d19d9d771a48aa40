//! Deleting a message: for everyone, or for oneself. Its place stays.

use std::sync::Arc;

use super::Service;
use super::access::Visible;
use super::receipts::Acknowledgement;
use crate::error::{Error, Reason, Result};
use crate::model::{ChatKind, Message, Role, UserId};
use crate::proto::{self, event::Event};
use crate::store::{Hidden, Result as Stored};
use crate::wire;

impl Service {
    /// Deletes a message for everyone: its sender may, and in a group who has a higher role than
    /// the sender has now.
    pub async fn delete_for_everyone(
        self: &Arc<Self>,
        user: &UserId,
        chat_id: &str,
        message_id: &str,
    ) -> Result<proto::Message> {
        self.rates.message(user)?;
        let visible = self.visible(user, chat_id, message_id).await?;
        self.check_may_delete(user, &visible).await?;
        let (chat, was) = (visible.chat, visible.message);
        let id = was.id;
        let (store, of) = (Arc::clone(&self.store), chat.id);
        let write =
            async move { store.delete_message(of, id).await?.ok_or_else(Error::message_not_found) };
        let deleted = self.change(&chat, write, |message| vec![deleted_event(message)]).await?;
        self.release_attachments();
        if was.deleted_at.is_none() {
            self.message_is_gone(was, deleted.revision);
        }
        self.show_message(user, &chat, deleted).await
    }

    async fn check_may_delete(&self, user: &UserId, of: &Visible) -> Result<()> {
        let Some(sender) = &of.message.sender else {
            let why = "a system note cannot be deleted";
            return Err(Error::new(Reason::MessageNotChangeable, why));
        };
        if sender == user {
            return Ok(());
        }
        if of.chat.kind == ChatKind::Group && of.member.role > self.role_of(of, sender).await? {
            return Ok(());
        }
        Err(Error::new(Reason::RoleTooLow, "only its sender, or who has a higher role, deletes it"))
    }

    /// Who has left has the lowest.
    async fn role_of(&self, of: &Visible, sender: &UserId) -> Stored<Role> {
        let place = self.store.member(of.chat.id, sender).await?;
        let place = place.filter(|place| place.left_at.is_none());
        Ok(place.map_or(Role::Member, |place| place.role))
    }

    /// Deletes a message for the user alone: it counts as read, and is shown without its content
    /// from now on.
    pub async fn delete_for_oneself(
        self: &Arc<Self>,
        user: &UserId,
        chat_id: &str,
        message_id: &str,
    ) -> Result<proto::Message> {
        self.rates.message(user)?;
        let Visible { chat, message, .. } = self.visible(user, chat_id, message_id).await?;
        if message.sender.as_ref() != Some(user) {
            // Read before it is hidden: whatever ends this half-way, no count is too high.
            let ack = Acknowledgement {
                chat_id: chat_id.to_owned(),
                seqs: vec![proto::SeqRange { first: message.seq, last: message.seq }],
                read: true,
                session: None,
                device: None,
                urgent: true,
            };
            self.acknowledge(user, ack).await?;
        }
        let what = Hidden { chat: chat.id, seq: message.seq, id: message.id };
        let (service, own) = (Arc::clone(self), user.clone());
        self.carry_through(async move {
            service.store.hide(&own, what).await?;
            service.tell_own_devices(&own, None, hidden_event(what)).await;
            Ok(())
        })
        .await?;
        self.show_message(user, &chat, message).await
    }
}

/// A message is gone for everyone.
pub(super) fn deleted_event(message: &Message) -> Event {
    Event::MessageDeleted(proto::MessageDeleted {
        chat_id: message.chat.to_string(),
        message_id: message.id.to_string(),
        seq: message.seq,
        deleted_at: message.deleted_at.map(wire::timestamp),
        revision: message.revision,
        sender_id: message.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
    })
}

/// A message is gone for one user.
pub(super) fn hidden_event(what: Hidden) -> Event {
    Event::MessageHidden(proto::MessageHidden {
        chat_id: what.chat.to_string(),
        message_id: what.id.to_string(),
        seq: what.seq,
    })
}
