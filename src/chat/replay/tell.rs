//! Tells what a device lacks, in the order in which it is to be told.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Lacks, Missing, PAGE, Pieces};
use crate::chat::Service;
use crate::chat::block::block_updated;
use crate::chat::delete::{deleted_event, hidden_event};
use crate::chat::feed::frame_of;
use crate::chat::view::shown_to;
use crate::error::{Error, Result};
use crate::model::{Chat, ChatId, Member, Message, Seq, SeqSet, UserId};
use crate::proto;
use crate::store::Span;
use crate::wire::{self, Told};

impl Service {
    /// Reads what is lacking and hands it over, in the order in which it is to be told. Ends
    /// early when nobody listens any more.
    pub(crate) async fn replay(self: Arc<Self>, user: UserId, lacks: Lacks, to: Pieces) {
        if let Err(error) = self.replay_all(&user, lacks, &to).await
            && let Some(error) = error
        {
            // Who does not listen any more needs no reason.
            drop(to.send(Err(error.into())).await);
        }
    }

    /// `Err(None)`: nobody listens.
    async fn replay_all(
        &self,
        user: &UserId,
        lacks: Lacks,
        to: &Pieces,
    ) -> Result<(), Option<Error>> {
        let some = |error: crate::store::StoreError| Some(Error::from(error));
        let mut introduced: HashSet<ChatId> = HashSet::new();
        for chat in &lacks.chats {
            introduced.insert(chat.id);
            tell(to, Told::Change(self.chat_updated(chat).await.map_err(some)?)).await?;
        }
        for missing in lacks.messages {
            self.replay_messages(user, missing, &introduced, to).await?;
        }
        let hidden = self.hidden_of(user, &lacks.changed).await.map_err(Some)?;
        for message in &lacks.changed {
            let event = change_event(user, message, &hidden);
            tell(to, Told::Change(wire::event_frame(event))).await?;
        }
        for hidden in lacks.hidden {
            tell(to, Told::Change(wire::event_frame(hidden_event(hidden)))).await?;
        }
        for member in &lacks.receipts {
            for event in self.receipt_events(user, member).await.map_err(Some)? {
                tell(to, Told::Change(wire::event_frame(event))).await?;
            }
        }
        for block in &lacks.blocks {
            tell(to, Told::Change(wire::event_frame(block_updated(block)))).await?;
        }
        let left: Vec<ChatId> = lacks.left.iter().map(|place| place.chat).collect();
        let revisions = self.store.chats(&left).await.map_err(some)?;
        for chat in revisions {
            tell(to, Told::Change(wire::event_frame(removed_event(&chat)))).await?;
        }
        Ok(())
    }

    async fn replay_messages(
        &self,
        user: &UserId,
        missing: Missing,
        introduced: &HashSet<ChatId>,
        to: &Pieces,
    ) -> Result<(), Option<Error>> {
        let some = |error: crate::store::StoreError| Some(Error::from(error));
        let mut after = missing.after;
        if after == 0 && !introduced.contains(&missing.chat) {
            let found = self.store.chats(&[missing.chat]).await.map_err(some)?;
            for chat in &found {
                tell(to, Told::Change(self.chat_updated(chat).await.map_err(some)?)).await?;
            }
        }
        while after < missing.to {
            let limit = PAGE.min(missing.to - after);
            let span = Span::After(after);
            let page = self.store.history(missing.chat, span, 1, limit).await.map_err(some)?;
            if page.is_empty() {
                return Ok(());
            }
            let hidden = self.hidden_of(user, &page).await.map_err(Some)?;
            for message in page {
                after = message.seq;
                let frame = frame_of(shown_to(user, &message, &hidden));
                let (chat, seq, id) = (message.chat, message.seq, message.id);
                tell(to, Told::Message { chat, seq, id, frame }).await?;
            }
        }
        Ok(())
    }

    /// A member's receipts as they stand, as far as `user` may see them.
    pub(in crate::chat) async fn receipt_events(
        &self,
        user: &UserId,
        member: &Member,
    ) -> Result<Vec<proto::event::Event>> {
        let (chat_id, user_id) = (member.chat.to_string(), member.user.to_string());
        let mut events = Vec::new();
        let own = member.user == *user;
        let read = member.read.runs();
        if !read.is_empty() {
            let left = if own { Some(self.left_unread(user, member.chat).await?) } else { None };
            events.push(proto::event::Event::MessageRead(proto::MessageRead {
                chat_id: chat_id.clone(),
                user_id: user_id.clone(),
                seqs: wire::ranges(&read),
                unread_count: left.map(|left| left.unread),
                last_seq: left.map(|left| left.last_seq),
            }));
        }
        let only = member.delivered.minus(&SeqSet::from_parts(0, read));
        if !own && !only.is_empty() {
            let seqs = wire::ranges(&only);
            let event = proto::MessageDelivered { chat_id, user_id, seqs };
            events.push(proto::event::Event::MessageDelivered(event));
        }
        Ok(events)
    }
}

async fn tell(to: &Pieces, told: Told) -> Result<(), Option<Error>> {
    to.send(Ok(told)).await.map_err(|_| None)
}

/// What has become of a message: that it is gone, or all of it as it is.
fn change_event(
    user: &UserId,
    message: &Message,
    hidden: &HashSet<(ChatId, Seq)>,
) -> proto::event::Event {
    if message.deleted_at.is_some() {
        return deleted_event(message);
    }
    let message = Some(shown_to(user, message, hidden));
    proto::event::Event::MessageEdited(proto::MessageEdited { message })
}

fn removed_event(chat: &Chat) -> proto::event::Event {
    let only = proto::Chat {
        chat_id: chat.id.to_string(),
        revision: chat.revision,
        ..proto::Chat::default()
    };
    proto::event::Event::ChatUpdated(proto::ChatUpdated { chat: Some(only), removed: true })
}
