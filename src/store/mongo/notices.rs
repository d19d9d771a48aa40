//! How users want to be told, and their notifications in the app.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::{
    COUNT_CAP, NoticeChoice, NoticeQuery, Notices, NoticesKept, Result, StoreError,
};
use super::MongoStore;
use super::docs::{binary, date, number, plain, time, user_ids, uuid};
use super::failure::{broken, round};
use super::schema::{Db, aggregate, all};
use crate::model::{ChatId, MessageId, Notice, NoticeKind, Preferences, UserId};

/// In `notices`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NoticeDoc {
    #[serde(rename = "_id")]
    id: mongodb::bson::Uuid,
    user_id: String,
    kind: i32,
    chat_id: mongodb::bson::Uuid,
    message_id: mongodb::bson::Uuid,
    seq: i64,
    version: i64,
    #[serde(default)]
    actor_id: Option<String>,
    count: i64,
    #[serde(default)]
    emoji: String,
    /// By mongod's clock.
    updated_at: DateTime,
    read: bool,
}

impl NoticeDoc {
    fn notice(self) -> Result<Notice> {
        Ok(Notice {
            id: plain(self.id),
            user: UserId::new(&self.user_id),
            kind: NoticeKind::from_number(self.kind)
                .ok_or_else(|| broken("a notification of no kind"))?,
            chat: ChatId(plain(self.chat_id)),
            message: MessageId(plain(self.message_id)),
            seq: number(self.seq)?,
            version: number(self.version)?,
            actor: self.actor_id.as_deref().map(UserId::new),
            count: number(self.count)?,
            emoji: self.emoji,
            updated_at: time(self.updated_at),
            read: self.read,
        })
    }
}

#[async_trait]
impl Notices for MongoStore {
    async fn preferences(&self, users: &[UserId]) -> Result<Vec<(UserId, Preferences)>> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let find = self.db()?.preferences.find(doc! { "_id": { "$in": user_ids(users) } });
        let found: Vec<Document> = all(find).await?;
        found.iter().map(preferences).collect()
    }

    async fn put_preferences(&self, user: &UserId, new: Preferences) -> Result<Preferences> {
        let body = written(&Preferences { revision: 0, ..new })?;
        // What was never said is as by default.
        let before = doc! { "$ifNull": ["$body", literal(written(&Preferences::default())?)] };
        let revision = doc! { "$ifNull": ["$revision", 0_i64] };
        let put = vec![doc! { "$set": {
            "revision": { "$cond": [
                { "$eq": [before, literal(body.clone())] },
                &revision,
                { "$add": [&revision, 1_i64] },
            ] },
            "body": literal(body),
        } }];
        let key = doc! { "_id": user.as_str() };
        let update = self.db()?.preferences.find_one_and_update(key, put);
        let after = round(update.upsert(true).return_document(ReturnDocument::After)).await?;
        let after = after.ok_or_else(|| broken("preferences just put are not there"))?;
        Ok(preferences(&after)?.1)
    }

    async fn put_notices(&self, notices: Vec<Notice>, kept: NoticesKept) -> Result<Vec<Notice>> {
        if notices.is_empty() {
            return Ok(Vec::new());
        }
        let db = self.db()?;
        let by = binary(&rand::random::<[u8; 16]>());
        let put: Vec<Document> = notices.iter().map(|notice| put(notice, kept.age, &by)).collect();
        db.update("notices", &put).await?;
        let ids: Vec<Bson> = notices.iter().map(|notice| uuid(notice.id).into()).collect();
        let taken = db.notices.find(doc! { "_id": { "$in": ids }, "put_by": by });
        let taken: Vec<NoticeDoc> = all(taken).await?;
        let taken: Vec<Notice> = taken.into_iter().map(NoticeDoc::notice).collect::<Result<_>>()?;
        // A chat has one of messages: those are few by themselves.
        let more = taken.iter().filter(|notice| notice.kind != NoticeKind::Messages);
        let users: Vec<UserId> = more.map(|notice| notice.user.clone()).collect();
        db.trim_notices(&users, kept.most).await?;
        Ok(taken)
    }

    async fn correct_notices(
        &self,
        notices: Vec<Notice>,
        kept: NoticesKept,
    ) -> Result<Vec<Notice>> {
        if notices.is_empty() {
            return Ok(Vec::new());
        }
        let db = self.db()?;
        let by = binary(&rand::random::<[u8; 16]>());
        let each = notices.iter();
        let correct: Vec<Document> = each.map(|notice| correct(notice, kept.age, &by)).collect();
        db.update("notices", &correct).await?;
        let ids: Vec<Bson> = notices.iter().map(|notice| uuid(notice.id).into()).collect();
        let corrected = db.notices.find(doc! { "_id": { "$in": ids }, "put_by": by });
        let corrected: Vec<NoticeDoc> = all(corrected).await?;
        corrected.into_iter().map(NoticeDoc::notice).collect()
    }

    async fn notices(&self, query: NoticeQuery) -> Result<Vec<Notice>> {
        let mut filter = doc! {
            "user_id": query.user.as_str(),
            "updated_at": { "$gte": date(query.since) },
            "expires_at": { "$gt": date(self.clock.now()) },
        };
        // Without it the index by `read` is of no use.
        let read =
            query.read.map_or_else(|| doc! { "$in": [false, true] }, |of| doc! { "$eq": of });
        filter.insert("read", read);
        if !query.gone {
            filter.insert("count", doc! { "$gt": 0_i64 });
        }
        if let Some((at, id)) = query.after {
            let at = date(at);
            filter.insert(
                "$or",
                vec![
                    doc! { "updated_at": { "$lt": at } },
                    doc! { "updated_at": at, "_id": { "$lt": uuid(id) } },
                ],
            );
        }
        let find = self.db()?.notices.find(filter).sort(doc! { "updated_at": -1, "_id": -1 });
        let found: Vec<NoticeDoc> = all(find.limit(query.limit.into())).await?;
        found.into_iter().map(NoticeDoc::notice).collect()
    }

    async fn notices_by_id(&self, ids: &[Uuid]) -> Result<Vec<Notice>> {
        let ids: Vec<_> = ids.iter().map(|id| uuid(*id)).collect();
        let of = doc! {
            "_id": { "$in": ids },
            "expires_at": { "$gt": date(self.clock.now()) },
        };
        let found: Vec<NoticeDoc> = all(self.db()?.notices.find(of)).await?;
        found.into_iter().map(NoticeDoc::notice).collect()
    }

    async fn count_unread_notices(&self, users: &[UserId]) -> Result<Vec<u32>> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let unread = doc! {
            "user_id": { "$in": user_ids(users) },
            "read": false,
            "expires_at": { "$gt": date(self.clock.now()) },
        };
        let counts = self.db()?.count_notices(unread).await?;
        let count = |user: &UserId| counts.get(user.as_str()).copied().unwrap_or(0).min(COUNT_CAP);
        Ok(users.iter().map(count).collect())
    }

    async fn read_notices(&self, user: &UserId, which: NoticeChoice) -> Result<u32> {
        let mut unread = doc! { "user_id": user.as_str(), "read": false };
        match which {
            NoticeChoice::These(these) if these.is_empty() => return Ok(0),
            NoticeChoice::These(these) => {
                let seen = these.iter().map(|(id, version)| {
                    doc! { "_id": uuid(*id), "version": { "$lte": i64::from(*version) } }
                });
                unread.insert("$or", seen.collect::<Vec<_>>());
            }
            NoticeChoice::Named(ids) => {
                let ids: Vec<Bson> = ids.iter().map(|id| uuid(*id).into()).collect();
                unread.insert("_id", doc! { "$in": ids });
            }
            NoticeChoice::Until(at) => {
                unread.insert("updated_at", doc! { "$lte": date(at) });
            }
        }
        let read = doc! { "$set": { "read": true } };
        let update = self.db()?.notices.update_many(unread, read);
        let count = round(async { update.await }).await?.modified_count;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    async fn forget_notices(&self, user: &UserId) -> Result<()> {
        let db = self.db()?;
        let notices = db.notices.delete_many(doc! { "user_id": user.as_str() });
        round(async { notices.await }).await?;
        let preferences = db.preferences.delete_one(doc! { "_id": user.as_str() });
        round(async { preferences.await }).await?;
        Ok(())
    }
}

impl Db {
    /// By user.
    async fn count_notices(&self, filter: Document) -> Result<HashMap<String, u32>> {
        let count = doc! { "$group": { "_id": "$user_id", "count": { "$sum": 1_i64 } } };
        let counted = aggregate(&self.notices, vec![doc! { "$match": filter }, count]).await?;
        let read = |of: &Document| match (of.get_str("_id"), of.get_i64("count")) {
            (Ok(user), Ok(count)) => Ok((user.to_owned(), number(count)?)),
            _ => Err(broken("a count of notifications cannot be read")),
        };
        counted.iter().map(read).collect()
    }

    /// Takes away what these users have too much.
    async fn trim_notices(&self, users: &[UserId], most: u32) -> Result<()> {
        if users.is_empty() {
            return Ok(());
        }
        let counts = self.count_notices(doc! { "user_id": { "$in": user_ids(users) } }).await?;
        for (user, _) in counts.into_iter().filter(|(_, count)| *count > most) {
            let newest = self.notices.find(doc! { "user_id": &user });
            let newest = newest.sort(doc! { "updated_at": -1, "_id": -1 }).skip(most.into());
            for old in all(newest).await?.into_iter().map(|old| old.id) {
                let gone = self.notices.delete_one(doc! { "_id": old });
                round(async { gone.await }).await?;
            }
        }
        Ok(())
    }
}

/// As it is kept when it is noted: of now.
fn noted(notice: &Notice, age: Duration) -> Document {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX / 4);
    doc! {
        "_id": uuid(notice.id),
        "user_id": literal(notice.user.as_str()),
        "kind": notice.kind.number(),
        "chat_id": uuid(notice.chat.0),
        "message_id": uuid(notice.message.0),
        "seq": i64::from(notice.seq),
        "version": i64::from(notice.version),
        "actor_id": notice.actor.as_ref().map(|actor| literal(actor.as_str())),
        "count": i64::from(notice.count),
        "emoji": literal(notice.emoji.as_str()),
        "updated_at": "$$NOW",
        "expires_at": { "$add": ["$$NOW", age] },
        "read": notice.count == 0,
    }
}

/// Takes the place of what is there if it is newer.
fn put(notice: &Notice, age: Duration, by: &Binary) -> Document {
    let mut new = noted(notice, age);
    new.insert("read", false);
    new.insert("put_by", by.clone());
    // Absent compares below every number.
    let newer = doc! { "$lt": ["$version", i64::from(notice.version)] };
    doc! {
        "q": { "_id": uuid(notice.id) },
        "u": [{ "$replaceWith": { "$cond": [newer, new, "$$ROOT"] } }],
        "upsert": true,
    }
}

/// Changes what is there, unless it is newer or says just that.
fn correct(notice: &Notice, age: Duration, by: &Binary) -> Document {
    let gone = notice.count == 0;
    let says = doc! {
        "version": i64::from(notice.version),
        "actor_id": notice.actor.as_ref().map(|actor| literal(actor.as_str())),
        "count": i64::from(notice.count),
        "emoji": literal(notice.emoji.as_str()),
    };
    let differs = ["actor_id", "count", "emoji"].map(|name| {
        let (held, new) = (format!("${name}"), says.get(name).cloned());
        doc! { "$ne": [{ "$ifNull": [held, Bson::Null] }, new] }
    });
    let due = doc! { "$and": [
        { "$lte": ["$version", i64::from(notice.version)] },
        { "$or": differs.to_vec() },
    ] };
    let mut new = says;
    let at = doc! { "$cond": [gone, "$$NOW", { "$add": ["$updated_at", 1_i64] }] };
    new.insert("updated_at", at);
    new.insert("read", doc! { "$or": [gone, "$read"] });
    new.insert("put_by", by.clone());
    let corrected = doc! { "$cond": [due, { "$mergeObjects": ["$$ROOT", new] }, "$$ROOT"] };
    let absent = doc! { "$eq": [{ "$type": "$version" }, "missing"] };
    doc! {
        "q": { "_id": uuid(notice.id) },
        "u": [{ "$replaceWith": { "$cond": [absent, noted(notice, age), corrected] } }],
        "upsert": gone,
    }
}

/// Text that begins with `$` is text all the same.
fn literal(text: impl Into<String>) -> Document {
    doc! { "$literal": text.into() }
}

fn written(preferences: &Preferences) -> Result<String> {
    serde_json::to_string(preferences).map_err(|error| StoreError::Broken(error.into()))
}

fn preferences(doc: &Document) -> Result<(UserId, Preferences)> {
    match (doc.get_str("_id"), doc.get_str("body"), doc.get_i64("revision")) {
        (Ok(user), Ok(body), Ok(revision)) => {
            let read: Preferences =
                serde_json::from_str(body).map_err(|_| broken("preferences cannot be read"))?;
            Ok((UserId::new(user), Preferences { revision: number(revision)?, ..read }))
        }
        _ => Err(broken("preferences cannot be read")),
    }
}
