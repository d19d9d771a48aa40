//! What is kept of one user, wherever it stands.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};

use super::MongoStore;
use super::docs::{MemberDoc, MessageDoc, uuid};
use super::failure::{broken, round};
use super::files::FileDoc;
use super::schema::all;
use crate::model::{AttachmentId, ChatId, Member, Message, UserId};
use crate::store::{File, Owned, Result};

#[async_trait]
impl Owned for MongoStore {
    async fn places_of(
        &self,
        user: &UserId,
        after: Option<ChatId>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        let mut filter = doc! { "user_id": user.as_str() };
        if let Some(after) = after {
            filter.insert("chat_id", doc! { "$gt": uuid(after.0) });
        }
        let db = self.db()?;
        let find = db.members.find(filter).sort(doc! { "chat_id": 1 }).limit(limit.into());
        all(find).await?.into_iter().map(MemberDoc::member).collect()
    }

    async fn sent(
        &self,
        chat: ChatId,
        user: &UserId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Message>> {
        let filter = doc! {
            "chat_id": uuid(chat.0),
            "sender_id": user.as_str(),
            "client_message_id": { "$gt": after },
        };
        let db = self.db()?;
        let find = db.find(filter).sort(doc! { "client_message_id": 1 }).limit(limit.into());
        all(find).await?.into_iter().map(MessageDoc::message).collect()
    }

    async fn untaken_files(
        &self,
        owner: &UserId,
        after: Option<AttachmentId>,
        limit: u32,
    ) -> Result<Vec<File>> {
        let mut filter = doc! { "owner_id": owner.as_str(), "held": false };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": uuid(after.0) });
        }
        let find = self.db()?.files.find(filter).sort(doc! { "_id": 1 }).limit(limit.into());
        all(find).await?.into_iter().map(FileDoc::file).collect()
    }

    async fn blockers(&self, user: &UserId, limit: u32) -> Result<Vec<UserId>> {
        let reserves = self.db()?.reserves.clone_with_type::<Document>();
        let find = reserves.find(doc! { "blocked.user": user.as_str() });
        let found = all(find.projection(doc! { "_id": 1 }).limit(limit.into())).await?;
        let id = |doc: &Document| doc.get_str("_id").ok().map(UserId::new);
        found
            .iter()
            .map(|doc| id(doc).ok_or_else(|| broken("a user's id cannot be read")))
            .collect()
    }

    async fn forget_place(&self, chat: ChatId, user: &UserId) -> Result<()> {
        let db = self.db()?;
        let newest = db.heads(&[chat]).await?.first().map_or(0, |head| i64::from(head.seq));
        let all = doc! { "to": newest, "more": { "$literal": [] } };
        let changed_before = doc! { "$gt": ["$settings_revision", 0_i64] };
        let raised = doc! { "$add": ["$settings_revision", 1_i64] };
        let place = doc! {
            "visible_from": newest + 1,
            "delivered": &all,
            "read": all,
            "archived": false,
            "settings_revision": { "$cond": [&changed_before, raised, 0_i64] },
            "settings_at": { "$cond": [changed_before, "$$NOW", "$$REMOVE"] },
        };
        let gone = ["receipts_at", "pinned_at", "muted_until", "level", "level_until"];
        let change = vec![doc! { "$set": place }, doc! { "$unset": gone.to_vec() }];
        let filter = doc! { "chat_id": uuid(chat.0), "user_id": user.as_str() };
        round(db.members.update_one(filter, change)).await?;
        Ok(())
    }

    async fn forget_hidden(&self, user: &UserId, limit: u32) -> Result<bool> {
        let hidden = self.db()?.hidden.clone_with_type::<Document>();
        let find = hidden.find(doc! { "user_id": user.as_str() });
        let found = all(find.projection(doc! { "_id": 1 }).limit(limit.into())).await?;
        let ids: Vec<_> = found.iter().filter_map(|doc| doc.get("_id")).collect();
        if ids.is_empty() {
            return Ok(false);
        }
        round(hidden.delete_many(doc! { "_id": { "$in": &ids } })).await?;
        Ok(ids.len() >= usize::try_from(limit).unwrap_or(usize::MAX))
    }

    async fn forget_reserve(&self, user: &UserId) -> Result<()> {
        round(self.db()?.reserves.delete_one(doc! { "_id": user.as_str() })).await?;
        Ok(())
    }

    async fn forget_profile(&self, user: &UserId) -> Result<()> {
        let nobody = doc! {
            "display_name": "",
            "avatar_url": "",
            "issued_at": { "$max": ["$issued_at", "$$NOW"] },
            "last_active": "$$REMOVE",
        };
        let change = vec![doc! { "$set": nobody }];
        round(self.db()?.users.update_one(doc! { "_id": user.as_str() }, change)).await?;
        Ok(())
    }
}
