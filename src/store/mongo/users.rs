//! Users, the deployment's keys, and the server's clock.

use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ReturnDocument;

use super::super::{Keys, Result};
use super::docs::{UserDoc, binary, bytes, date, user_ids};
use super::failure::{broken, round};
use super::schema::{Db, all};
use crate::clock::Timestamp;
use crate::model::{User, UserId};

impl Db {
    pub(super) async fn keys(&self) -> Result<Keys> {
        let made = doc! { "$setOnInsert": {
            "content": binary(&rand::random::<[u8; 32]>()),
            "tokens": [{ "id": 1, "key": binary(&rand::random::<[u8; 32]>()) }],
        } };
        let update = self.keys.find_one_and_update(doc! { "_id": "keys" }, made);
        let update = update.upsert(true).return_document(ReturnDocument::After);
        let doc = round(update).await?;
        doc.as_ref().and_then(keys).ok_or_else(|| broken("the keys cannot be read"))
    }

    pub(super) async fn put_profile(
        &self,
        user: &UserId,
        display_name: &str,
        avatar_url: &str,
        issued_at: Timestamp,
    ) -> Result<bool> {
        let issued = date(issued_at);
        // Absent compares below every date.
        let newer = |field: &str, value: Bson| {
            doc! { "$cond": [
                { "$gt": ["$issued_at", issued] }, field, { "$literal": value },
            ] }
        };
        let change = vec![doc! { "$set": {
            "display_name": newer("$display_name", display_name.into()),
            "avatar_url": newer("$avatar_url", avatar_url.into()),
            "issued_at": { "$max": ["$issued_at", issued] },
        } }];
        // mongod itself repeats an upsert by `_id` that another one came before.
        let update = self.users.find_one_and_update(doc! { "_id": user.as_str() }, change);
        let before = round(update.upsert(true)).await?;
        Ok(before.is_none_or(|before| match before.issued_at {
            None => true,
            Some(known) => {
                known <= issued
                    && (before.display_name != display_name || before.avatar_url != avatar_url)
            }
        }))
    }

    pub(super) async fn put_last_active(&self, user: &UserId, at: Timestamp) -> Result<()> {
        let change = doc! { "$max": { "last_active": date(at) } };
        round(self.users.update_one(doc! { "_id": user.as_str() }, change).upsert(true)).await?;
        Ok(())
    }

    pub(super) async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let mut users = Vec::with_capacity(ids.len());
        for ids in ids.chunks(1000) {
            let found = all(self.users.find(doc! { "_id": { "$in": user_ids(ids) } })).await?;
            users.extend(found.into_iter().map(UserDoc::user));
        }
        Ok(users)
    }

    pub(super) async fn now(&self) -> Result<Timestamp> {
        let hello = self.hello().await?;
        let time = hello.get_datetime("localTime").map_err(|_| broken("a clock without time"))?;
        Ok(Timestamp(time.timestamp_millis()))
    }
}

fn keys(doc: &Document) -> Option<Keys> {
    let key = |doc: &Document, name: &str| match doc.get(name) {
        Some(Bson::Binary(key)) => bytes::<32>(key).ok(),
        _ => None,
    };
    let token = |token: &Bson| {
        let token = token.as_document()?;
        Some((u8::try_from(token.get_i32("id").ok()?).ok()?, key(token, "key")?))
    };
    Some(Keys {
        content: key(doc, "content")?,
        tokens: doc.get_array("tokens").ok()?.iter().map(token).collect::<Option<_>>()?,
    })
}
