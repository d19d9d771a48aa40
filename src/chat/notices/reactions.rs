//! Notifications of reactions. The log does not have them, so each is announced before it is
//! stored, and before it is taken back: whoever finds the announcement later looks what is so.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chat::Service;
use crate::chat::limits::REACTION_WITHIN;
use crate::error::{Error, Result};
use crate::model::{ChatId, Message, MessageId, Notice, NoticeKind, UserId};
use crate::store::{Job, NewJob};
use crate::trace;

/// Where announcements wait.
const QUEUE: &str = "reactions";
/// For how long a node has those it took.
const LEASE: Duration = Duration::from_secs(60);
/// So many at once.
const AT_ONCE: u32 = 64;

/// A reaction that is about to be, or to be no more.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    chat: String,
    message: String,
    by: String,
    emoji: String,
}

/// A reaction that was announced.
pub(in crate::chat) struct News {
    job: String,
    by: UserId,
    emoji: String,
}

impl Service {
    /// Announces a reaction, or that one is taken back, unless nobody wants to hear of it.
    pub(in crate::chat) async fn announce_reaction(
        &self,
        message: &Message,
        by: &UserId,
        emoji: &str,
        there: bool,
    ) -> Result<Option<News>> {
        let own = message.sender.as_ref().is_none_or(|sender| sender == by);
        if own || message.has_reaction(by, emoji) == there {
            return Ok(None);
        }
        let body = Body {
            chat: message.chat.to_string(),
            message: message.id.to_string(),
            by: by.to_string(),
            emoji: emoji.to_owned(),
        };
        let body = serde_json::to_vec(&body).map_err(Error::internal)?;
        let job = self.clock.new_id().to_string();
        self.store.put_jobs(QUEUE, vec![NewJob { id: job.clone(), body }]).await?;
        Ok(Some(News { job, by: by.clone(), emoji: emoji.to_owned() }))
    }

    /// The reaction is stored, taken back, or was refused. What is not noted now is found later.
    pub(in crate::chat) fn reacted(self: &Arc<Self>, news: News, message: &Message) {
        let (service, message) = (Arc::clone(self), message.clone());
        self.tasks.spawn(trace::carry(async move {
            let noted = async {
                service.note_reaction(&message, &news.by, &news.emoji).await?;
                service.store.finish_jobs(QUEUE, std::slice::from_ref(&news.job)).await?;
                Ok::<_, Error>(())
            };
            if let Err(error) = noted.await {
                tracing::debug!(%error, "a reaction is noted later");
            }
        }));
    }

    /// Notes what other nodes announced and did not come to note.
    pub(super) async fn note_late_reactions(self: &Arc<Self>) -> Result<()> {
        for job in self.store.take_jobs(QUEUE, LEASE, AT_ONCE).await? {
            let age = self.store.now().await?.since(job.noted_at);
            if age < REACTION_WITHIN {
                let left = REACTION_WITHIN.saturating_sub(age);
                self.store.put_off_job(QUEUE, &job.id, left).await?;
                continue;
            }
            if let Some((chat, message, by, emoji)) = read(&job)
                && let Some(message) = self.store.message(chat, message).await?
            {
                self.note_reaction(&message, &by, &emoji).await?;
            }
            self.store.finish_jobs(QUEUE, &[job.id]).await?;
        }
        Ok(())
    }

    /// Notes a reaction that is there, or that one is not there any more.
    async fn note_reaction(
        self: &Arc<Self>,
        message: &Message,
        by: &UserId,
        emoji: &str,
    ) -> Result<()> {
        let Some(author) = message.sender.as_ref().filter(|author| *author != by) else {
            return Ok(());
        };
        let others = message.reactions.iter();
        let others = others.flat_map(|of| of.users.iter().map(|user| (user, of.emoji.as_str())));
        let others: Vec<(&UserId, &str)> = others.filter(|(user, _)| *user != author).collect();
        let there = message.has_reaction(by, emoji);
        let last = if there { Some((by, emoji)) } else { others.last().copied() };
        let notice = Notice {
            id: self.notice_id(author, NoticeKind::Reaction, message.id.0),
            user: author.clone(),
            kind: NoticeKind::Reaction,
            chat: message.chat,
            message: message.id,
            seq: message.seq,
            version: message.revision,
            actor: last.map(|(user, _)| user.clone()),
            count: u32::try_from(others.len()).unwrap_or(u32::MAX),
            emoji: last.map(|(_, emoji)| emoji.to_owned()).unwrap_or_default(),
            updated_at: message.created_at(),
            read: false,
        };
        if !there {
            return self.correct(vec![notice]).await;
        }
        if self.between_two(author, by).await?.blocked {
            return Ok(());
        }
        let place = self.store.member(message.chat, author).await?;
        if place.is_none_or(|place| place.left_at.is_some()) {
            return Ok(());
        }
        self.note_notices(vec![notice]).await
    }
}

fn read(job: &Job) -> Option<(ChatId, MessageId, UserId, String)> {
    let body: Body = serde_json::from_slice(&job.body).ok()?;
    let (chat, message) = (ChatId::parse(&body.chat)?, MessageId::parse(&body.message)?);
    Some((chat, message, UserId::parse(&body.by)?, body.emoji))
}
