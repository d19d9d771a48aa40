//! What messages become after they were sent: edited, deleted, reacted to, hidden, found.
//!
//! Each change is one atomic update of one document, made by mongod of what it finds there: two
//! nodes lose nothing to each other.

use std::collections::HashSet;

use async_trait::async_trait;
use mongodb::bson::{Bson, DateTime, Document, Uuid, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::MongoStore;
use super::docs::{chat_ids, date, number, plain, time, user_ids, uuid};
use super::failure::{exchange, failure, is_duplicate, round};
use super::schema::{Db, all, no_words};
use crate::clock::Timestamp;
use crate::model::{ChatId, MAX_REACTION_KINDS, MAX_REACTIONS, Message, MessageId, Seq, UserId};
use crate::store::{Content, Edit, Found, Hidden, Result, Search};

/// In `hidden`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HiddenDoc {
    user_id: String,
    chat_id: Uuid,
    seq: i64,
    message_id: Uuid,
    /// By mongod's clock.
    at: DateTime,
}

impl HiddenDoc {
    fn hidden(&self) -> Result<Hidden> {
        let (chat, id) = (ChatId(plain(self.chat_id)), MessageId(plain(self.message_id)));
        Ok(Hidden { chat, seq: number(self.seq)?, id })
    }
}

#[async_trait]
impl Content for MongoStore {
    async fn edit_message(&self, edit: Edit) -> Result<Option<Message>> {
        self.db()?.edit_message(edit).await
    }

    async fn delete_message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>> {
        let gone = doc! {
            "text": "",
            "mentions": "$$REMOVE",
            "reactions": "$$REMOVE",
            "words": "$$REMOVE",
            "attachments": "$$REMOVE",
            "deleted_at": "$$NOW",
        };
        let db = self.db()?;
        let carried = db.files_will_go(chat, id).await?;
        let deleted = db.change(chat, id, doc! { "deleted_at": null }, gone).await?;
        db.files_go(&carried).await?;
        Ok(deleted)
    }

    async fn react(
        &self,
        chat: ChatId,
        id: MessageId,
        user: &UserId,
        emoji: &str,
    ) -> Result<Option<Message>> {
        let mut filter = changeable();
        filter.insert("$expr", has_room(user, emoji));
        self.db()?.change(chat, id, filter, doc! { "reactions": with(user, emoji) }).await
    }

    async fn unreact(
        &self,
        chat: ChatId,
        id: MessageId,
        user: &UserId,
        emoji: &str,
    ) -> Result<Option<Message>> {
        let mut filter = changeable();
        let there = doc! { "emoji": emoji, "users": user.as_str() };
        filter.insert("reactions", doc! { "$elemMatch": there });
        self.db()?.change(chat, id, filter, doc! { "reactions": without(user, emoji) }).await
    }

    async fn hide(&self, user: &UserId, what: Hidden) -> Result<()> {
        self.db()?.hide(user, what).await
    }

    async fn hidden(&self, user: &UserId, places: &[(ChatId, Seq)]) -> Result<Vec<(ChatId, Seq)>> {
        self.db()?.hidden(user, places).await
    }

    async fn hidden_since(
        &self,
        user: &UserId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Hidden>> {
        // Each stream that resumes asks this.
        self.reads()?.changes.hidden(user, since, limit).await
    }

    async fn search(&self, search: Search) -> Result<Found> {
        self.db()?.search(&search).await
    }
}

/// Messages that may become something else.
fn changeable() -> Document {
    doc! { "deleted_at": null, "note": null }
}

impl Db {
    async fn edit_message(&self, edit: Edit) -> Result<Option<Message>> {
        let names: Vec<Bson> = edit.mentions.iter().map(|user| user.as_str().into()).collect();
        let other_names = match names.as_slice() {
            [] => doc! { "mentions": { "$exists": true } },
            names => doc! { "mentions": { "$ne": names } },
        };
        let mut filter = changeable();
        filter.insert("$or", [doc! { "text": { "$ne": &edit.text } }, other_names]);
        let words: Vec<Bson> = edit.words.into_iter().map(Bson::from).collect();
        let change = doc! {
            "text": { "$literal": edit.text },
            "mentions": or_nothing(names),
            "words": or_nothing(words),
            "edited_at": "$$NOW",
        };
        self.change(edit.chat, edit.id, filter, change).await
    }

    /// Changes a message that this fits too, and stamps it; answers it as it is right after, or,
    /// if it does not fit, as it is.
    async fn change(
        &self,
        chat: ChatId,
        id: MessageId,
        fits: Document,
        mut fields: Document,
    ) -> Result<Option<Message>> {
        let mut filter = doc! { "_id": uuid(id.0), "chat_id": uuid(chat.0) };
        filter.extend(fits);
        fields.insert("changed_at", "$$NOW");
        fields.insert("revision", doc! { "$add": ["$revision", 1_i64] });
        let change = vec![doc! { "$set": fields }];
        let update = self.messages.find_one_and_update(filter, change).projection(no_words());
        match round(update.return_document(ReturnDocument::After)).await? {
            Some(changed) => changed.message().map(Some),
            // Nothing there, or nothing to change; what that was seen by is majority-committed
            // now, for a write that changes nothing waits for it.
            None => self.message(chat, id).await,
        }
    }

    async fn hide(&self, user: &UserId, what: Hidden) -> Result<()> {
        let place = doc! {
            "user_id": user.as_str(),
            "chat_id": uuid(what.chat.0),
            "seq": i64::from(what.seq),
        };
        let change = vec![doc! { "$set": {
            "message_id": uuid(what.id.0),
            "at": { "$ifNull": ["$at", "$$NOW"] },
        } }];
        let update =
            || self.hidden.update_one(place.clone(), change.clone()).upsert(true).into_future();
        match exchange(update()).await? {
            // Another device was first; once more, to wait until what it wrote is durable.
            Err(error) if is_duplicate(&error) => round(update()).await.map(drop),
            done => done.map(drop).map_err(|error| failure(&error)),
        }
    }

    /// What these users have hidden at or after `since`, and when, at most `limit`; 0: all.
    pub(super) async fn hidden_since(
        &self,
        users: &[UserId],
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(UserId, Timestamp, Hidden)>> {
        let filter = doc! { "user_id": { "$in": user_ids(users) }, "at": { "$gte": date(since) } };
        let found = all(self.hidden.find(filter).limit(limit.into())).await?;
        let entry = |doc: HiddenDoc| Ok((UserId::new(&doc.user_id), time(doc.at), doc.hidden()?));
        found.into_iter().map(entry).collect()
    }

    async fn hidden(&self, user: &UserId, places: &[(ChatId, Seq)]) -> Result<Vec<(ChatId, Seq)>> {
        let asked: HashSet<(ChatId, Seq)> = places.iter().copied().collect();
        let chats: HashSet<ChatId> = asked.iter().map(|(chat, _)| *chat).collect();
        let seqs: HashSet<Seq> = asked.iter().map(|(_, seq)| *seq).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        // Every seq in every chat, sieved after: mostly nothing is hidden, and one look says so.
        let filter = doc! {
            "user_id": user.as_str(),
            "chat_id": { "$in": chat_ids(&chats.into_iter().collect::<Vec<_>>()) },
            "seq": { "$in": seqs.into_iter().map(i64::from).collect::<Vec<_>>() },
        };
        let mut found = Vec::new();
        for doc in all(self.hidden.find(filter)).await? {
            let hidden = doc.hidden()?;
            found.extend(Some((hidden.chat, hidden.seq)).filter(|place| asked.contains(place)));
        }
        Ok(found)
    }
}

/// A list as a value; an empty one is not there.
fn or_nothing(list: Vec<Bson>) -> Bson {
    if list.is_empty() { "$$REMOVE".into() } else { doc! { "$literal": list }.into() }
}

fn literal(text: &str) -> Document {
    doc! { "$literal": text }
}

fn reactions() -> Document {
    doc! { "$ifNull": ["$reactions", []] }
}

/// Whether a user's reaction is not there, and there is room for it.
fn has_room(user: &UserId, emoji: &str) -> Document {
    let own = doc! { "$and": [
        { "$eq": ["$$of.emoji", literal(emoji)] },
        { "$in": [literal(user.as_str()), "$$of.users"] },
    ] };
    let any = |what: Document| {
        doc! { "$anyElementTrue": [{ "$map": { "input": reactions(), "as": "of", "in": what } }] }
    };
    let sizes = doc! { "$map": {
        "input": reactions(),
        "as": "of",
        "in": { "$size": "$$of.users" },
    } };
    let kinds = i64::try_from(MAX_REACTION_KINDS).unwrap_or(i64::MAX);
    let count = i64::try_from(MAX_REACTIONS).unwrap_or(i64::MAX);
    doc! { "$and": [
        { "$not": [any(own)] },
        { "$lt": [{ "$sum": sizes }, count] },
        { "$or": [
            any(doc! { "$eq": ["$$of.emoji", literal(emoji)] }),
            { "$lt": [{ "$size": reactions() }, kinds] },
        ] },
    ] }
}

/// The reactions with one more.
fn with(user: &UserId, emoji: &str) -> Document {
    let (emoji, user) = (literal(emoji), [literal(user.as_str())]);
    let grown = doc! { "$map": {
        "input": reactions(),
        "as": "of",
        "in": { "$cond": [
            { "$eq": ["$$of.emoji", &emoji] },
            { "emoji": "$$of.emoji", "users": { "$concatArrays": ["$$of.users", &user] } },
            "$$of",
        ] },
    } };
    let there = doc! { "$in": [&emoji, { "$ifNull": ["$reactions.emoji", []] }] };
    let new = doc! { "emoji": &emoji, "users": &user };
    doc! { "$cond": [there, grown, { "$concatArrays": [reactions(), [new]] }] }
}

/// The reactions with one less.
fn without(user: &UserId, emoji: &str) -> Document {
    let others = doc! { "$filter": {
        "input": "$$of.users",
        "as": "user",
        "cond": { "$ne": ["$$user", literal(user.as_str())] },
    } };
    let less = doc! { "$map": {
        "input": reactions(),
        "as": "of",
        "in": { "$cond": [
            { "$eq": ["$$of.emoji", literal(emoji)] },
            { "emoji": "$$of.emoji", "users": others },
            "$$of",
        ] },
    } };
    doc! { "$filter": { "input": less, "as": "of", "cond": { "$ne": ["$$of.users", []] } } }
}
