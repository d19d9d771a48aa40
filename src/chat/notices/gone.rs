//! A message that is deleted takes its notifications with it: whom it mentioned, how others reacted
//! to it, its part of what was missed in its chat, and what it shows on the screens of phones. An edit
//! takes the notifications of those whom it mentions no more.
//!
//! From memory: what is lost with a node stays until its chat is read. What stands in the list leads
//! to the place of the message, and never had its text.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::chat::Service;
use crate::chat::limits::{MAX_NOTICES, MAX_RECEIPT_MEMBERS};
use crate::error::Result;
use crate::model::{Member, Message, Notice, NoticeKind, UserId};
use crate::store::{NoticesKept, UnreadQuery};

impl Service {
    /// A message, as it was, is deleted, and has this revision now.
    pub(in crate::chat) fn message_is_gone(self: &Arc<Self>, was: Message, revision: u32) {
        let service = Arc::clone(self);
        self.run(async move {
            service.take_off_screens(&was).await;
            if let Err(error) = service.take_notices_of(&was, revision).await {
                tracing::debug!(%error, "notifications of a deleted message stay");
            }
        });
    }

    /// A message, as it was, says this now.
    pub(in crate::chat) fn message_says(self: &Arc<Self>, was: &Message, now: &Message) {
        let no_more = was.mentions.iter().filter(|user| !now.mentions.contains(user));
        let gone = no_more.map(|user| self.gone(was, user, NoticeKind::Mention, was.seq));
        let gone: Vec<Notice> = gone.collect();
        let service = Arc::clone(self);
        self.run(async move {
            if let Err(error) = service.correct(gone).await {
                tracing::debug!(%error, "notifications of who was mentioned stay");
            }
        });
    }

    /// In large groups it stays until its chat is read: they are too many.
    async fn take_off_screens(&self, was: &Message) {
        let Ok(Some(roster)) = self.rosters.get(was.chat).await else { return };
        if roster.has_receipts() {
            for seat in roster.seats() {
                self.pushes.read(was.chat, &seat.user, None);
            }
        }
    }

    async fn take_notices_of(self: &Arc<Self>, was: &Message, revision: u32) -> Result<()> {
        let mentioned = was.mentions.iter();
        let mut notices: Vec<Notice> =
            mentioned.map(|user| self.gone(was, user, NoticeKind::Mention, was.seq)).collect();
        if let Some(author) = was.sender.as_ref().filter(|_| !was.reactions.is_empty()) {
            notices.push(self.gone(was, author, NoticeKind::Reaction, revision));
        }
        let missed = self.missed_with(was).await?;
        notices.extend(self.counted_anew(missed).await?);
        self.correct(notices).await
    }

    /// One that tells nothing any more.
    fn gone(&self, was: &Message, user: &UserId, kind: NoticeKind, version: u32) -> Notice {
        Notice {
            id: self.notice_id(user, kind, was.id.0),
            user: user.clone(),
            kind,
            chat: was.chat,
            message: was.id,
            seq: was.seq,
            version,
            actor: None,
            count: 0,
            emoji: String::new(),
            updated_at: was.created_at(),
            read: true,
        }
    }

    /// Who may have missed a message, with the notification that counts it.
    async fn missed_with(self: &Arc<Self>, was: &Message) -> Result<Vec<(Member, Notice)>> {
        let Some(chat) = self.store.chats(&[was.chat]).await?.pop() else { return Ok(Vec::new()) };
        if chat.member_count as usize > MAX_RECEIPT_MEMBERS {
            return Ok(Vec::new());
        }
        let mut members = self.store.members(chat.id).await?;
        members.retain(|of| {
            was.seq >= of.visible_from
                && !of.read.contains(was.seq)
                && was.sender.as_ref() != Some(&of.user)
        });
        let id = |of: &Member| self.notice_id(&of.user, NoticeKind::Messages, was.chat.0);
        let ids: Vec<Uuid> = members.iter().map(id).collect();
        let notices = self.store.notices_by_id(&ids).await?.into_iter();
        let mut notices: HashMap<Uuid, Notice> =
            notices.map(|notice| (notice.id, notice)).collect();
        let missed = members.into_iter().zip(ids);
        let missed = missed.filter_map(|(member, id)| Some((member, notices.remove(&id)?)));
        Ok(missed.filter(|(_, notice)| !notice.read && notice.seq >= was.seq).collect())
    }

    async fn counted_anew(&self, missed: Vec<(Member, Notice)>) -> Result<Vec<Notice>> {
        let query = |(member, notice): &(Member, Notice)| UnreadQuery {
            user: member.user.clone(),
            chat: member.chat,
            runs: member.read.missing(member.visible_from, notice.seq),
        };
        let queries: Vec<UnreadQuery> = missed.iter().map(query).collect();
        let counts = self.count(&queries).await?;
        let counted = missed.into_iter().zip(counts);
        Ok(counted.map(|((_, notice), count)| Notice { count, ..notice }).collect())
    }

    /// Corrects what was noted, and tells the devices of those for whom something has changed.
    pub(super) async fn correct(self: &Arc<Self>, notices: Vec<Notice>) -> Result<()> {
        if notices.is_empty() {
            return Ok(());
        }
        let kept = NoticesKept { age: self.settings.notices_kept, most: MAX_NOTICES };
        let corrected = self.store.correct_notices(notices, kept).await?;
        // Whoever is not told now learns of it with the next stream.
        if let Err(error) = self.tell_notices(corrected).await {
            tracing::debug!(%error, "notifications are not told");
        }
        Ok(())
    }
}
