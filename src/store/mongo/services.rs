//! Who was signed out, and how much there is.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;

use super::MongoStore;
use super::docs::{date, time};
use super::failure::{broken, round};
use super::schema::all;
use crate::clock::Timestamp;
use crate::model::UserId;
use crate::store::{Counts, Result, Revocation, Services};

#[async_trait]
impl Services for MongoStore {
    async fn revoke(&self, user: &UserId) -> Result<Timestamp> {
        let now = doc! { "$currentDate": { "at": true } };
        let update = self.db()?.revocations.find_one_and_update(doc! { "_id": user.as_str() }, now);
        let after = round(update.upsert(true).return_document(ReturnDocument::After)).await?;
        Ok(revocation(&after.ok_or_else(|| broken("a revocation just made is not there"))?)?.at)
    }

    async fn revocations(&self, since: Timestamp, limit: u32) -> Result<Vec<Revocation>> {
        let find = self.db()?.revocations.find(doc! { "at": { "$gte": date(since) } });
        let found = all(find.sort(doc! { "at": 1, "_id": 1 }).limit(limit.into())).await?;
        found.iter().map(revocation).collect()
    }

    async fn counts(&self) -> Result<Counts> {
        let db = self.db()?;
        let (users, chats, messages) = tokio::try_join!(
            round(async { db.users.estimated_document_count().await }),
            round(async { db.chats.estimated_document_count().await }),
            round(async { db.messages.estimated_document_count().await }),
        )?;
        Ok(Counts { users, chats, messages })
    }
}

fn revocation(doc: &Document) -> Result<Revocation> {
    match (doc.get_str("_id"), doc.get_datetime("at")) {
        (Ok(user), Ok(at)) => Ok(Revocation { user: UserId::new(user), at: time(*at) }),
        _ => Err(broken("a revocation cannot be read")),
    }
}
