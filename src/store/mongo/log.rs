//! Reading the log.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ReadConcern;

use super::super::{
    COUNT_CAP, ChangeCursor, ChangedMessage, Head, Result, Span, UnreadQuery, WrittenBy,
};
use super::docs::{MessageDoc, chat_ids, date, number, plain, time, uuid};
use super::failure::{broken, round};
use super::schema::{Db, aggregate, all, by_place, no_words};
use crate::model::{ChatId, Message, MessageId, NoteKind, Run, Seq, UserId};

/// Chats that one command asks for: mongod's own time for it stays at some 10 ms.
const CHATS_A_COMMAND: usize = 1000;

/// Chats whose heads one command asks for, and such commands under way for one call: an inbox of
/// 1,000 chats takes half the time on two cores.
const HEADS_A_COMMAND: usize = 250;
const HEADS_AT_ONCE: usize = 4;

/// Without a majority, a primary waits for one as long as this.
const NEWEST_WITHIN: Duration = Duration::from_secs(5);

/// Chats times seqs up to which all of them are asked for at once.
const CROSSED: usize = 2_000;

/// Counts that one command makes, where all are short.
const COUNTS_A_COMMAND: usize = 50;

/// Commands that count, under way at once for one call.
const COUNTS_AT_ONCE: usize = 8;

/// Runs that are looked up one by one; more than that, and all between the first and the last is
/// read and sieved.
const RUNS_ONE_BY_ONE: usize = 8;

fn messages(docs: Vec<MessageDoc>) -> Result<Vec<Message>> {
    docs.into_iter().map(MessageDoc::message).collect()
}

impl Db {
    pub(super) async fn by_client_id(
        &self,
        chat: ChatId,
        sender: &UserId,
        client_message_id: &str,
    ) -> Result<Option<Message>> {
        let filter = doc! {
            "chat_id": uuid(chat.0),
            "sender_id": sender.as_str(),
            "client_message_id": client_message_id,
        };
        self.find_one(filter).await?.map(MessageDoc::message).transpose()
    }

    pub(super) async fn heads(&self, chats: &[ChatId]) -> Result<Vec<Head>> {
        let chats = distinct(chats);
        let mut heads = Vec::with_capacity(chats.len());
        let commands: Vec<_> = chats
            .chunks(HEADS_A_COMMAND)
            .map(|chats| aggregate(&self.messages, heads_pipeline(chats)))
            .collect();
        let mut answers = stream::iter(commands).buffer_unordered(HEADS_AT_ONCE);
        while let Some(found) = answers.try_next().await? {
            for doc in found {
                heads.push(head(&doc).ok_or_else(|| broken("a head cannot be read"))?);
            }
        }
        Ok(heads)
    }

    /// By a primary that has made sure that it is one: one that was cut off, and goes on, answers
    /// other reads from a moment before until it learns of its successor.
    pub(super) async fn newest(&self, chat: ChatId) -> Result<Seq> {
        let find = self.messages.find_one(doc! { "chat_id": uuid(chat.0) });
        let find = find.sort(doc! { "seq": -1 }).hint(by_place()).projection(no_words());
        let find = find.read_concern(ReadConcern::linearizable()).max_time(NEWEST_WITHIN);
        let newest = round(find).await?;
        Ok(newest.map(MessageDoc::message).transpose()?.map_or(0, |message| message.seq))
    }

    pub(super) async fn history(
        &self,
        chat: ChatId,
        span: Span,
        from: Seq,
        limit: u32,
    ) -> Result<Vec<Message>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let from = i64::from(from);
        let (range, order) = match span {
            Span::Before(seq) => (doc! { "$gte": from, "$lt": i64::from(seq) }, -1),
            Span::After(seq) => (doc! { "$gte": from.max(i64::from(seq) + 1) }, 1),
        };
        let filter = doc! { "chat_id": uuid(chat.0), "seq": range };
        let find = self.find(filter).sort(doc! { "seq": order }).limit(limit.into());
        messages(all(find).await?)
    }

    pub(super) async fn messages(&self, places: &[(ChatId, Seq)]) -> Result<Vec<Message>> {
        let wanted: HashSet<_> = places.iter().collect();
        let chats: HashSet<ChatId> = wanted.iter().map(|(chat, _)| *chat).collect();
        let seqs: HashSet<Seq> = wanted.iter().map(|(_, seq)| *seq).collect();
        if chats.len() * seqs.len() <= CROSSED {
            // All of these seqs in all of these chats: one plan for all of it.
            let filter = doc! {
                "chat_id": { "$in": chat_ids(&chats.into_iter().collect::<Vec<_>>()) },
                "seq": { "$in": seqs.into_iter().map(i64::from).collect::<Vec<_>>() },
            };
            let mut found = messages(all(self.messages.find(filter).hint(by_place())).await?)?;
            found.retain(|message| wanted.contains(&(message.chat, message.seq)));
            return Ok(found);
        }
        let mut by_chat: HashMap<ChatId, Vec<i64>> = HashMap::new();
        for (chat, seq) in places {
            by_chat.entry(*chat).or_default().push((*seq).into());
        }
        let arms: Vec<_> = by_chat
            .into_iter()
            .map(|(chat, seqs)| doc! { "chat_id": uuid(chat.0), "seq": { "$in": seqs } })
            .collect();
        messages(self.any_of(&arms).await?)
    }

    /// All messages that one of `arms` fits.
    pub(super) async fn any_of(&self, arms: &[Document]) -> Result<Vec<MessageDoc>> {
        let mut found = Vec::new();
        // mongod plans each arm by itself: many cost more than several commands.
        for arms in arms.chunks(100) {
            found.extend(all(self.find(doc! { "$or": arms })).await?);
        }
        Ok(found)
    }

    pub(super) async fn message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>> {
        let filter = doc! { "_id": uuid(id.0), "chat_id": uuid(chat.0) };
        self.find_one(filter).await?.map(MessageDoc::message).transpose()
    }

    pub(super) async fn log(&self, after: MessageId, limit: u32) -> Result<Vec<Message>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let filter = doc! { "_id": { "$gt": uuid(after.0) } };
        let find = self.find(filter).sort(doc! { "_id": 1 }).limit(limit.into());
        messages(all(find).await?)
    }

    pub(super) async fn written_in(
        &self,
        writer: &WrittenBy,
        chats: &[ChatId],
    ) -> Result<Vec<ChatId>> {
        let mut found = Vec::new();
        for chats in distinct(chats).chunks(CHATS_A_COMMAND) {
            let pipeline = written_pipeline(writer, chats);
            for doc in aggregate(&self.messages, pipeline).await? {
                found.push(chat_of(&doc).ok_or_else(|| broken("a chat's id cannot be read"))?);
            }
        }
        Ok(found)
    }

    pub(super) async fn senders(&self, chat: ChatId, runs: &[Run]) -> Result<Vec<UserId>> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let pipeline = vec![
            doc! { "$match": within(chat, runs, &doc! { "sender_id": { "$ne": "" } }) },
            doc! { "$group": { "_id": "$sender_id" } },
        ];
        let found = aggregate(&self.messages, pipeline).await?;
        let user = |doc: &Document| doc.get_str("_id").ok().map(UserId::new);
        found.iter().map(|doc| user(doc).ok_or_else(|| broken("a sender cannot be read"))).collect()
    }

    pub(super) async fn changed_messages(
        &self,
        chats: &[ChatId],
        after: ChangeCursor,
        limit: u32,
    ) -> Result<Vec<ChangedMessage>> {
        if limit == 0 || chats.is_empty() {
            return Ok(Vec::new());
        }
        let order = doc! { "changed_at": 1, "seq": 1, "chat_id": 1 };
        let find = self.find(changed_filter(chats, after)).sort(order).limit(limit.into());
        let found: Result<Vec<_>> = all(find).await?.into_iter().map(changed).collect();
        let mut found = found?;
        if let Some(last) = found.get(limit as usize - 1).map(|last| last.cursor) {
            // Others of the same place, in other chats, would be passed over by the cursor.
            found.retain(|changed| changed.cursor != last);
            let place = doc! {
                "chat_id": { "$in": chat_ids(&distinct(chats)) },
                "changed_at": date(last.at),
                "seq": i64::from(last.seq),
            };
            for doc in all(self.find(place)).await? {
                found.push(changed(doc)?);
            }
        }
        Ok(found)
    }

    /// The same in no order, and with no promise of which, where there are more than `limit`.
    pub(super) async fn changed_after(
        &self,
        chats: &[ChatId],
        after: ChangeCursor,
        limit: u32,
    ) -> Result<Vec<ChangedMessage>> {
        let find = self.find(changed_filter(chats, after)).limit(limit.into());
        all(find).await?.into_iter().map(changed).collect()
    }

    pub(super) async fn count_unread(&self, queries: &[UnreadQuery]) -> Result<Vec<u32>> {
        // Short ones go together, each chat once: what comes back is told apart by chat.
        let mut chats = HashSet::new();
        let (short, long): (Vec<_>, Vec<_>) = queries
            .iter()
            .enumerate()
            .partition(|(_, query)| is_short(query) && chats.insert(query.chat));
        let short = short.chunks(COUNTS_A_COMMAND);
        let long = long.chunks(1);
        let calls: Vec<_> = short.chain(long).map(|some| self.count_some(some)).collect();
        let mut counts = vec![0; queries.len()];
        let mut answers = stream::iter(calls).buffer_unordered(COUNTS_AT_ONCE);
        while let Some(answer) = answers.try_next().await? {
            for (index, count) in answer {
                counts[index] = count;
            }
        }
        Ok(counts)
    }

    /// Counts for some queries, by their index; the messages of only one may be many.
    async fn count_some(&self, queries: &[(usize, &UnreadQuery)]) -> Result<Vec<(usize, u32)>> {
        let kinds = Bson::from(vec![Bson::Null, NoteKind::Announcement.number().into()]);
        let counts = |user: &UserId| {
            doc! {
                "sender_id": { "$ne": user.as_str() },
                "deleted_at": null,
                "note.kind": { "$in": &kinds },
            }
        };
        let arms = queries.iter().filter(|(_, query)| !query.runs.is_empty());
        let arms: Vec<_> =
            arms.map(|(_, query)| within(query.chat, &query.runs, &counts(&query.user))).collect();
        let mut pipeline = match arms.len() {
            0 => return Ok(Vec::new()),
            1 => vec![doc! { "$match": &arms[0] }, doc! { "$limit": i64::from(COUNT_CAP) }],
            _ => vec![doc! { "$match": { "$or": arms } }],
        };
        pipeline.push(doc! { "$group": { "_id": "$chat_id", "count": { "$sum": 1_i64 } } });
        let mut by_chat = HashMap::new();
        let cursor = self.messages.aggregate(pipeline).hint(by_place());
        let found: Vec<Document> = round(async { cursor.await?.try_collect().await }).await?;
        for doc in found {
            let chat = chat_of(&doc).ok_or_else(|| broken("a chat's id cannot be read"))?;
            let count = number(doc.get_i64("count").map_err(|_| broken("a count is none"))?)?;
            by_chat.insert(chat, count.min(COUNT_CAP));
        }
        let count = |query: &UnreadQuery| by_chat.get(&query.chat).copied().unwrap_or(0);
        Ok(queries.iter().map(|(index, query)| (*index, count(query))).collect())
    }
}

/// Whether all its runs together may hold no more than the cap.
fn is_short(query: &UnreadQuery) -> bool {
    let [run] = query.runs.as_slice() else { return query.runs.is_empty() };
    run.len() <= u64::from(COUNT_CAP)
}

/// The newest message of each of these chats: one seek a chat (a `DISTINCT_SCAN`), backwards
/// on the unique index.
pub(super) fn heads_pipeline(chats: &[ChatId]) -> Vec<Document> {
    vec![
        doc! { "$match": { "chat_id": { "$in": chat_ids(chats) } } },
        doc! { "$sort": { "chat_id": -1, "seq": -1 } },
        doc! { "$group": {
            "_id": "$chat_id",
            "seq": { "$first": "$seq" },
            "id": { "$first": "$_id" },
        } },
    ]
}

fn written_pipeline(writer: &WrittenBy, chats: &[ChatId]) -> Vec<Document> {
    let sender = match writer {
        WrittenBy::User(user) => doc! { "$eq": user.as_str() },
        WrittenBy::AnyoneBut(user) => doc! { "$nin": ["", user.as_str()] },
    };
    vec![
        doc! { "$match": { "chat_id": { "$in": chat_ids(chats) }, "sender_id": sender } },
        doc! { "$sort": { "chat_id": 1, "sender_id": 1, "client_message_id": 1 } },
        doc! { "$group": { "_id": "$chat_id", "any": { "$first": "$sender_id" } } },
    ]
}

fn head(doc: &Document) -> Option<Head> {
    let Some(Bson::Binary(id)) = doc.get("id") else { return None };
    Some(Head {
        chat: chat_of(doc)?,
        seq: number(doc.get_i64("seq").ok()?).ok()?,
        id: MessageId(plain(id.to_uuid().ok()?)),
    })
}

fn chat_of(doc: &Document) -> Option<ChatId> {
    let Some(Bson::Binary(id)) = doc.get("_id") else { return None };
    Some(ChatId(plain(id.to_uuid().ok()?)))
}

/// Messages of a chat in these runs that `also` fits.
fn within(chat: ChatId, runs: &[Run], also: &Document) -> Document {
    let range = |run: &Run| doc! { "$gte": i64::from(run.first), "$lte": i64::from(run.last) };
    let arm = |seq: Document| {
        let mut arm = doc! { "chat_id": uuid(chat.0), "seq": seq };
        arm.extend(also.clone());
        arm
    };
    match runs {
        [run] => arm(range(run)),
        _ if runs.len() <= RUNS_ONE_BY_ONE => {
            doc! { "$or": runs.iter().map(|run| arm(range(run))).collect::<Vec<_>>() }
        }
        _ => {
            let first = runs.iter().map(|run| run.first).min().unwrap_or(1);
            let last = runs.iter().map(|run| run.last).max().unwrap_or(0);
            let mut all = arm(range(&Run { first, last }));
            let runs: Vec<_> = runs.iter().map(|run| doc! { "seq": range(run) }).collect();
            all.insert("$or", runs);
            all
        }
    }
}

fn changed_filter(chats: &[ChatId], after: ChangeCursor) -> Document {
    let at = date(after.at);
    doc! {
        "chat_id": { "$in": chat_ids(&distinct(chats)) },
        "changed_at": { "$gte": at },
        "$or": [{ "changed_at": { "$gt": at } }, { "seq": { "$gt": i64::from(after.seq) } }],
    }
}

fn changed(doc: MessageDoc) -> Result<ChangedMessage> {
    let at = time(doc.changed_at.ok_or_else(|| broken("a change without a time"))?);
    let message = doc.message()?;
    Ok(ChangedMessage { cursor: ChangeCursor { at, seq: message.seq }, message })
}

/// Each once.
pub(super) fn distinct(chats: &[ChatId]) -> Vec<ChatId> {
    let mut chats = chats.to_vec();
    chats.sort_unstable();
    chats.dedup();
    chats
}
