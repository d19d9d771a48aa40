//! Tells what a device lacks, in the order in which it is to be told.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Lacks, Missing, PAGE, Pieces};
use crate::chat::Service;
use crate::chat::block::block_updated;
use crate::chat::delete::{deleted_event, hidden_event};
use crate::chat::feed::frame_of;
use crate::chat::settings::settings_event;
use crate::chat::view::{removed_event, shown_to};
use crate::error::{Error, Result};
use crate::model::{ChatId, Member, Message, Seq, SeqSet, UserId};
use crate::proto;
use crate::store::{self, Span};
use crate::wire::{self, Told};

/// So few messages are asked for by their places: a store may read those of many streams together.
const FEW: Seq = 16;

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
            let hidden = lacks.hidden_places.as_ref();
            self.replay_messages(user, missing, &introduced, hidden, to).await?;
        }
        let hidden = self.hidden_of(user, &lacks.changed).await.map_err(Some)?;
        for message in &lacks.changed {
            let event = self.change_event(user, message, &hidden);
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
        for place in &lacks.settings {
            let event = settings_event(place.chat, &place.settings);
            tell(to, Told::Change(wire::event_frame(event))).await?;
        }
        for block in &lacks.blocks {
            tell(to, Told::Change(wire::event_frame(block_updated(block)))).await?;
        }
        // Oldest first, as they came.
        for event in self.notice_events(user, &lacks.notices).await.map_err(Some)?.into_iter().rev()
        {
            tell(to, Told::Change(wire::event_frame(event))).await?;
        }
        for place in &lacks.left {
            let event = removed_event(place.chat, place.left_revision);
            tell(to, Told::Change(wire::event_frame(event))).await?;
        }
        Ok(())
    }

    async fn replay_messages(
        &self,
        user: &UserId,
        missing: Missing,
        introduced: &HashSet<ChatId>,
        hidden: Option<&HashSet<(ChatId, Seq)>>,
        to: &Pieces,
    ) -> Result<(), Option<Error>> {
        let some = |error: crate::store::StoreError| Some(Error::from(error));
        let mut after = missing.after;
        if missing.new && !introduced.contains(&missing.chat) {
            let found = self.store.chats(&[missing.chat]).await.map_err(some)?;
            for chat in &found {
                tell(to, Told::Change(self.chat_updated(chat).await.map_err(some)?)).await?;
            }
        }
        while after < missing.to {
            let page = self.page_of(missing, after).await.map_err(some)?;
            if page.is_empty() {
                return Ok(());
            }
            let looked_up;
            // What is new here cannot have been hidden before that was read.
            let hidden = if let Some(hidden) = hidden {
                hidden
            } else {
                looked_up = self.hidden_of(user, &page).await.map_err(Some)?;
                &looked_up
            };
            for message in page {
                after = message.seq;
                let frame = frame_of(shown_to(user, &message, hidden, &self.links));
                let (chat, seq, id) = (message.chat, message.seq, message.id);
                tell(to, Told::Message { chat, seq, id, frame }).await?;
            }
        }
        Ok(())
    }

    /// What comes next, in order.
    async fn page_of(&self, missing: Missing, after: Seq) -> store::Result<Vec<Message>> {
        let (chat, left) = (missing.chat, missing.to - after);
        if left > FEW {
            return self.store.history(chat, Span::After(after), 1, PAGE.min(left)).await;
        }
        let places: Vec<_> = (after + 1..=missing.to).map(|seq| (chat, seq)).collect();
        let mut page = self.store.messages(&places).await?;
        page.sort_unstable_by_key(|message| message.seq);
        Ok(page)
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

    /// What has become of a message: that it is gone, or all of it as it is.
    fn change_event(
        &self,
        user: &UserId,
        message: &Message,
        hidden: &HashSet<(ChatId, Seq)>,
    ) -> proto::event::Event {
        if message.deleted_at.is_some() {
            return deleted_event(message);
        }
        let message = Some(shown_to(user, message, hidden, &self.links));
        proto::event::Event::MessageEdited(proto::MessageEdited { message })
    }
}

async fn tell(to: &Pieces, told: Told) -> Result<(), Option<Error>> {
    to.send(Ok(told)).await.map_err(|_| None)
}
