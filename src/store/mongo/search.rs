//! Finding messages by their words: an index with a key a word, which also holds the order of
//! what is found, and knows how far to look.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::bson::{Document, doc};
use mongodb::options::Hint;

use super::docs::{MessageDoc, chat_ids, uuid};
use super::log::distinct;
use super::schema::{Db, all, by_words};
use crate::clock::Timestamp;
use crate::model::{ChatId, Message, MessageId};
use crate::store::{Found, Result, Search};

/// Chats in one command: of so many mongod still merges what the index has in order, and reads
/// no more than is wanted.
const CHATS_A_COMMAND: usize = 200;

/// Such commands under way for one call.
const AT_ONCE: usize = 4;

/// The beginning of a word that is common is found among the newest messages, and one that is
/// not has few in all: mongod, which has to sort them, is asked for the newest first.
const DAY: Duration = Duration::from_secs(24 * 3600);
const WINDOWS: [Duration; 2] = [DAY.saturating_mul(7), DAY.saturating_mul(180)];

/// How long mongod may look for one command. Less than we wait for it.
const LOOKS: Duration = Duration::from_secs(4);

impl Db {
    pub(super) async fn search(&self, search: &Search) -> Result<Found> {
        let nothing = search.words.is_empty() && search.prefix.is_none();
        if nothing || search.limit == 0 {
            return Ok(Found::default());
        }
        let before = search.after.map_or(search.until, |after| after.min(search.until));
        let mut messages: Vec<Message> = Vec::new();
        let mut upper = before;
        for lower in lower_ends(search, before) {
            let lacking = search.limit as usize - messages.len();
            messages.extend(self.search_between(search, (lower, upper), lacking).await?);
            if messages.len() >= search.limit as usize {
                let next = messages.last().map(|last| last.id);
                return Ok(Found { messages, next });
            }
            upper = lower;
        }
        Ok(Found { messages, next: None })
    }

    /// The newest of what is there with ids in this half-open span.
    async fn search_between(
        &self,
        search: &Search,
        span: (MessageId, MessageId),
        limit: usize,
    ) -> Result<Vec<Message>> {
        let commands: Vec<_> = distinct(&search.chats)
            .chunks(CHATS_A_COMMAND)
            .map(|chats| {
                let find = self.find(filter(search, chats, span)).sort(doc! { "_id": -1 });
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                all(find.limit(limit).hint(Hint::Keys(by_words())).max_time(LOOKS))
            })
            .collect();
        let found: Vec<Vec<MessageDoc>> =
            stream::iter(commands).buffer_unordered(AT_ONCE).try_collect().await?;
        let found: Result<Vec<Message>> =
            found.into_iter().flatten().map(MessageDoc::message).collect();
        let mut found = found?;
        found.sort_unstable_by_key(|message| std::cmp::Reverse(message.id));
        found.truncate(limit);
        Ok(found)
    }
}

/// Where the spans end that are looked through one after the other, the newest first.
fn lower_ends(search: &Search, before: MessageId) -> Vec<MessageId> {
    let mut ends = Vec::new();
    if search.words.is_empty() {
        let newest = before.time();
        let ids = WINDOWS.map(|back| MessageId(Timestamp(newest.0).minus(back).first_id()));
        ends.extend(ids.into_iter().filter(|id| *id > search.from));
    }
    ends.push(search.from);
    ends
}

fn filter(search: &Search, chats: &[ChatId], span: (MessageId, MessageId)) -> Document {
    let mut filter = doc! {
        "chat_id": { "$in": chat_ids(chats) },
        "_id": { "$gte": uuid(span.0.0), "$lt": uuid(span.1.0) },
    };
    if let Some(sender) = &search.sender {
        filter.insert("sender_id", sender.as_str());
    }
    // The longest word first: mostly it is the rarest, and the index is looked through by it.
    let mut words: Vec<&String> = search.words.iter().collect();
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    let words = words.into_iter().map(|word| doc! { "words": word });
    let begins = search.prefix.iter().map(|prefix| {
        let end = format!("{prefix}\u{10ffff}");
        doc! { "words": { "$elemMatch": { "$gte": prefix, "$lt": end } } }
    });
    filter.insert("$and", words.chain(begins).collect::<Vec<_>>());
    filter
}
