//! Finding messages by what they say, in the chats of one user.
//!
//! The store finds by words alone; what the user may see of it is decided here. A page is looked
//! for in bounded steps, so it may have fewer than asked for, or none.

use std::collections::HashMap;
use std::time::Duration;

use prost::Message as _;
use uuid::Uuid;

use super::Service;
use super::access::chat_id;
use super::limits::MAX_PAGE_BYTES;
use super::seal::{Purpose, armour, bad_token, unarmour};
use super::words::wanted;
use crate::clock::Timestamp;
use crate::error::{Error, Reason, Result};
use crate::model::{ChatId, Message, MessageId, Seq, UserId};
use crate::proto;
use crate::store::Search;

const DEFAULT_PAGE: u32 = 20;
const MAX_PAGE: u32 = 50;
/// Questions to the store for one page.
const STEPS: usize = 4;
/// Clocks of nodes differ by less.
const AHEAD: Duration = Duration::from_secs(24 * 3600);

/// What is looked for, as given.
#[derive(Clone, Debug)]
pub struct Question {
    /// Words.
    pub query: String,
    /// Empty: all chats of the user.
    pub chat_id: String,
    /// Empty: anyone.
    pub sender_id: String,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// 0: the default.
    pub size: u32,
    /// Empty: the first page.
    pub token: String,
}

impl Question {
    /// What the pages of one question have in common. Each part is prefixed with its length.
    fn seal(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for part in [&self.query, &self.chat_id, &self.sender_id] {
            out.extend((part.len() as u64).to_be_bytes());
            out.extend(part.as_bytes());
        }
        for at in [self.since, self.until] {
            out.push(u8::from(at.is_some()));
            out.extend(at.map_or(0, |at| at.0).to_be_bytes());
        }
        out
    }
}

impl Service {
    /// One page of messages, newest first, and the token of the next; empty: no more.
    pub async fn search_messages(
        &self,
        user: &UserId,
        question: Question,
    ) -> Result<(Vec<proto::Message>, String)> {
        if !self.settings.search {
            return Err(Error::new(Reason::NotConfigured, "this server does not search messages"));
        }
        let (seen, mut search) = self.prepare_search(user, &question).await?;
        let mut found: Vec<Message> = Vec::new();
        let size = search.limit;
        for _ in 0..STEPS {
            search.limit = size - u32::try_from(found.len()).unwrap_or(size);
            let step = self.store.search(search.clone()).await?;
            search.after = step.next;
            found.extend(self.visible_of(user, step.messages, &seen).await?);
            if search.after.is_none() || found.len() >= size as usize {
                break;
            }
        }
        let mut shown: Vec<_> =
            found.iter().map(|message| self.links.message_for(message, user)).collect();
        let fits = fitting(&shown);
        if fits < shown.len() {
            shown.truncate(fits);
            search.after = found.get(fits - 1).map(|last| last.id);
        }
        let seal = question.seal();
        let token = |after: MessageId| {
            armour(&self.sealer.seal(user, Purpose::Search(&seal), after.0.as_bytes()))
        };
        Ok((shown, search.after.map(token).unwrap_or_default()))
    }

    /// From which message on the user sees each chat, and the question to the store.
    async fn prepare_search(
        &self,
        user: &UserId,
        question: &Question,
    ) -> Result<(HashMap<ChatId, Seq>, Search)> {
        let wanted = wanted(&question.query)?;
        let after = self.found_up_to(user, question)?;
        let sender = match question.sender_id.as_str() {
            "" => None,
            raw => Some(UserId::parse(raw).ok_or_else(|| {
                Error::field("sender_id", "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -")
            })?),
        };
        let places = if question.chat_id.is_empty() {
            let mut places = self.store.memberships(user).await?;
            places.retain(|place| place.left_at.is_none());
            places
        } else {
            vec![self.admitted(user, chat_id(&question.chat_id)?).await?.member]
        };
        let seen: HashMap<ChatId, Seq> =
            places.iter().map(|place| (place.chat, place.visible_from)).collect();
        let newest = self.clock.now().plus(AHEAD);
        let search = Search {
            chats: seen.keys().copied().collect(),
            words: wanted.words,
            prefix: wanted.prefix,
            sender,
            from: MessageId(
                question.since.map_or(Uuid::nil(), |since| since.min(newest).first_id()),
            ),
            until: MessageId(question.until.unwrap_or(newest).min(newest).first_id()),
            after,
            limit: if question.size == 0 { DEFAULT_PAGE } else { question.size.min(MAX_PAGE) },
        };
        Ok((seen, search))
    }

    fn found_up_to(&self, user: &UserId, question: &Question) -> Result<Option<MessageId>> {
        if question.token.is_empty() {
            return Ok(None);
        }
        let token = unarmour(&question.token).ok_or_else(bad_token)?;
        let seal = question.seal();
        let body = self.sealer.open(user, Purpose::Search(&seal), &token).ok_or_else(bad_token)?;
        let id = Uuid::from_slice(body).map_err(|_| bad_token())?;
        Ok(Some(MessageId(id)))
    }

    /// Those from when the user was there, that the user has not hidden.
    async fn visible_of(
        &self,
        user: &UserId,
        mut found: Vec<Message>,
        seen: &HashMap<ChatId, Seq>,
    ) -> Result<Vec<Message>> {
        found.retain(|message| seen.get(&message.chat).is_some_and(|from| message.seq >= *from));
        let hidden = self.hidden_of(user, &found).await?;
        found.retain(|message| !hidden.contains(&(message.chat, message.seq)));
        Ok(found)
    }
}

/// How many of these fit into one answer; at least one if there is one.
fn fitting(messages: &[proto::Message]) -> usize {
    let mut bytes = 0;
    let fits = messages.iter().take_while(|message| {
        bytes += message.encoded_len() + 8;
        bytes <= MAX_PAGE_BYTES
    });
    fits.count().max(1).min(messages.len())
}
