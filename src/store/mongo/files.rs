//! What is known of attachments; the bytes are elsewhere.
//!
//! A message and its files are in different documents, and nothing is written to both at once:
//! see [`Db::files_will_go`].

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use mongodb::bson::{Bson, DateTime, Uuid, doc};
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};

use super::MongoStore;
use super::docs::{date, number, plain, time, uuid};
use super::failure::{exchange, failure, is_duplicate, round};
use super::schema::{Db, all};
use crate::clock::Timestamp;
use crate::model::{Attachment, AttachmentId, ChatId, MessageId, UserId};
use crate::store::{Claim, File, Files, NewFile, Result, Settled, WholeFile};

/// A message whose deletion was begun is looked at after this, whether or not it was finished:
/// far more than a write may take.
const BEGUN: Duration = Duration::from_secs(60);

/// In `files`.
#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "a document, not a state")]
pub(super) struct FileDoc {
    #[serde(rename = "_id")]
    id: Uuid,
    owner_id: String,
    file_name: String,
    #[serde(default)]
    content_type: String,
    size: i64,
    #[serde(default)]
    width: i64,
    #[serde(default)]
    height: i64,
    #[serde(default)]
    blurhash: String,
    #[serde(default)]
    thumbnail: bool,
    #[serde(default)]
    uploaded: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Uuid>,
    #[serde(default)]
    wants_preview: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<ClaimDoc>,
    held: bool,
    doomed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<DateTime>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ClaimDoc {
    chat_id: Uuid,
    client_message_id: String,
    since: DateTime,
}

/// An attachment, within a message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AttachmentDoc {
    id: Uuid,
    name: String,
    r#type: String,
    size: i64,
    #[serde(default)]
    width: i64,
    #[serde(default)]
    height: i64,
    #[serde(default)]
    blurhash: String,
    #[serde(default)]
    thumbnail: bool,
}

impl AttachmentDoc {
    pub(super) fn new(of: &Attachment) -> Self {
        Self {
            id: uuid(of.id.0),
            name: of.file_name.clone(),
            r#type: of.content_type.clone(),
            size: of.size.into(),
            width: of.width.into(),
            height: of.height.into(),
            blurhash: of.blurhash.clone(),
            thumbnail: of.thumbnail,
        }
    }

    pub(super) fn attachment(self) -> Result<Attachment> {
        Ok(Attachment {
            id: AttachmentId(plain(self.id)),
            file_name: self.name,
            content_type: self.r#type,
            size: number(self.size)?,
            width: number(self.width)?,
            height: number(self.height)?,
            blurhash: self.blurhash,
            thumbnail: self.thumbnail,
        })
    }
}

impl FileDoc {
    fn new(new: NewFile) -> Self {
        Self {
            id: uuid(new.id.0),
            owner_id: new.owner.to_string(),
            file_name: new.file_name,
            content_type: String::new(),
            size: new.size.into(),
            width: 0,
            height: 0,
            blurhash: String::new(),
            thumbnail: false,
            uploaded: 0,
            body: None,
            wants_preview: false,
            claim: None,
            held: false,
            doomed: false,
            due_at: Some(date(new.due_at)),
        }
    }

    pub(super) fn file(self) -> Result<File> {
        let held = self.held;
        Ok(File {
            owner: UserId::new(&self.owner_id),
            attachment: Attachment {
                id: AttachmentId(plain(self.id)),
                file_name: self.file_name,
                content_type: self.content_type,
                size: number(self.size)?,
                width: number(self.width)?,
                height: number(self.height)?,
                blurhash: self.blurhash,
                thumbnail: self.thumbnail,
            },
            uploaded: number(self.uploaded)?,
            body: self.body.map(plain),
            wants_preview: self.wants_preview,
            claim: self.claim.map(|claim| Claim {
                chat: ChatId(plain(claim.chat_id)),
                client_message_id: claim.client_message_id,
                since: time(claim.since),
                held,
            }),
            doomed: self.doomed,
        })
    }
}

#[async_trait]
impl Files for MongoStore {
    async fn open_file(&self, new: NewFile, limit: u32) -> Result<bool> {
        let db = self.db()?;
        let untaken = doc! { "owner_id": new.owner.as_str(), "held": false };
        if round(db.files.count_documents(untaken).limit(limit.into())).await? >= limit.into() {
            return Ok(!self.files(&[new.id]).await?.is_empty());
        }
        match exchange(db.files.insert_one(FileDoc::new(new))).await? {
            Err(error) if !is_duplicate(&error) => Err(failure(&error)),
            _ => Ok(true),
        }
    }

    async fn files(&self, ids: &[AttachmentId]) -> Result<Vec<File>> {
        let found = all(self.db()?.files.find(doc! { "_id": { "$in": bson(ids) } })).await?;
        found.into_iter().map(FileDoc::file).collect()
    }

    async fn advance_file(&self, id: AttachmentId, from: u32, to: u32) -> Result<Option<u32>> {
        let db = self.db()?;
        let filter = doc! {
            "_id": uuid(id.0), "uploaded": i64::from(from), "body": null, "doomed": false,
        };
        let change = doc! { "$set": { "uploaded": i64::from(to) } };
        round(db.files.update_one(filter, change)).await?;
        let file = self.files(&[id]).await?.pop();
        let file = file.filter(|file| file.body.is_none() && !file.doomed);
        Ok(file.map(|file| file.uploaded))
    }

    async fn complete_file(&self, whole: WholeFile) -> Result<bool> {
        let db = self.db()?;
        let filter = doc! { "_id": uuid(whole.id.0), "body": null, "doomed": false };
        let change = doc! { "$set": {
            "body": uuid(whole.body),
            "content_type": whole.content_type,
            "size": i64::from(whole.size),
            "uploaded": i64::from(whole.came),
            "width": i64::from(whole.width),
            "height": i64::from(whole.height),
            "wants_preview": whole.wants_preview,
        } };
        round(db.files.update_one(filter, change)).await?;
        let file = self.files(&[whole.id]).await?.pop();
        Ok(file.is_some_and(|file| file.body == Some(whole.body) && !file.doomed))
    }

    async fn put_preview(&self, id: AttachmentId, blurhash: &str, thumbnail: bool) -> Result<()> {
        let change = doc! { "$set": {
            "blurhash": blurhash, "thumbnail": thumbnail, "wants_preview": false,
        } };
        round(self.db()?.files.update_one(doc! { "_id": uuid(id.0) }, change)).await?;
        Ok(())
    }

    async fn claim_files(
        &self,
        owner: &UserId,
        ids: &[AttachmentId],
        claim: Claim,
        due_at: Timestamp,
    ) -> Result<Vec<File>> {
        let db = self.db()?;
        let (chat, message) = (uuid(claim.chat.0), claim.client_message_id.as_str());
        let change = doc! { "$set": {
            "claim": {
                "chat_id": chat, "client_message_id": message, "since": date(claim.since),
            },
            "held": true,
            "due_at": date(due_at),
        } };
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let claims = ids.into_iter().map(|id| {
            let filter = doc! {
                "_id": uuid(id.0),
                "owner_id": owner.as_str(),
                "body": { "$ne": null },
                "doomed": false,
                "$or": [
                    { "held": false },
                    { "claim.chat_id": chat, "claim.client_message_id": message },
                ],
            };
            let update = db.files.find_one_and_update(filter, change.clone());
            round(update.return_document(ReturnDocument::After))
        });
        try_join_all(claims).await?.into_iter().flatten().map(FileDoc::file).collect()
    }

    async fn due_files(&self, now: Timestamp, again: Timestamp, limit: u32) -> Result<Vec<File>> {
        let db = self.db()?;
        let mut taken = Vec::new();
        for _ in 0..limit {
            let change = doc! { "$set": { "due_at": date(again) } };
            let due = doc! { "due_at": { "$lte": date(now) } };
            let update = db.files.find_one_and_update(due, change).sort(doc! { "due_at": 1 });
            match round(update.return_document(ReturnDocument::After)).await? {
                Some(file) => taken.push(file.file()?),
                None => break,
            }
        }
        Ok(taken)
    }

    async fn settle_file(
        &self,
        id: AttachmentId,
        seen: Option<Timestamp>,
        settled: Settled,
    ) -> Result<bool> {
        let seen = seen.map_or(Bson::Null, |since| date(since).into());
        let filter = doc! { "_id": uuid(id.0), "doomed": false, "claim.since": seen };
        let change = match settled {
            Settled::Taken => doc! { "$set": { "held": true }, "$unset": { "due_at": "" } },
            Settled::Free(at) => doc! { "$set": { "held": false, "due_at": date(at) } },
            Settled::Doomed => doc! { "$set": { "doomed": true } },
        };
        let changed = round(self.db()?.files.update_one(filter, change)).await?;
        Ok(changed.matched_count > 0)
    }

    async fn make_due(&self, ids: &[AttachmentId], at: Timestamp) -> Result<()> {
        self.db()?.make_due(ids, at).await
    }

    async fn forget_file(&self, id: AttachmentId) -> Result<()> {
        round(self.db()?.files.delete_one(doc! { "_id": uuid(id.0) })).await?;
        Ok(())
    }
}

fn bson(ids: &[AttachmentId]) -> Vec<Bson> {
    ids.iter().map(|id| Bson::from(uuid(id.0))).collect()
}

impl Db {
    async fn make_due(&self, ids: &[AttachmentId], at: Timestamp) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let change = doc! { "$min": { "due_at": date(at) } };
        round(self.files.update_many(doc! { "_id": { "$in": bson(ids) } }, change)).await?;
        Ok(())
    }

    /// A message is about to be deleted: the files that it carries are looked at soon, whatever
    /// becomes of that. Answers which they are, for [`files_go`](Self::files_go).
    pub(super) async fn files_will_go(
        &self,
        chat: ChatId,
        id: MessageId,
    ) -> Result<Vec<AttachmentId>> {
        let message = self.message(chat, id).await?;
        let carried = message.map(|message| message.attachments).unwrap_or_default();
        let carried: Vec<AttachmentId> = carried.iter().map(|attachment| attachment.id).collect();
        if !carried.is_empty() {
            self.make_due(&carried, self.now().await?.plus(BEGUN)).await?;
        }
        Ok(carried)
    }

    /// The message was deleted: they are looked at now.
    pub(super) async fn files_go(&self, carried: &[AttachmentId]) -> Result<()> {
        if carried.is_empty() {
            return Ok(());
        }
        self.make_due(carried, self.now().await?).await
    }
}
