//! Users: whom they have blocked, what they hide, whom they know.
//!
//! What a user keeps from others is one document, so that each change of it is one atomic statement
//! that counts, numbers and repeats as it should. Both lists in it are in the order of their
//! revisions: what changes goes to the end.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::options::{Hint, ReturnDocument};
use serde::{Deserialize, Serialize};

use super::super::{Block, People, Result, Shared, UNBLOCKED_KEPT};
use super::MongoStore;
use super::chats::{FORMER, by_user};
use super::docs::{number, plain, time, user_ids, uuid};
use super::failure::{broken, round};
use super::gather::Gather;
use super::schema::{Db, all};
use crate::clock::Timestamp;
use crate::model::{ChatId, Privacy, Reserve, UserId};
use crate::vital::Vital;

/// Users asked for by one command.
const USERS_A_COMMAND: usize = 1_000;

/// In `reserves`, by user id; `revision`, that of the last change, is only ever counted there.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReserveDoc {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    blocked: Vec<BlockDoc>,
    /// Blocks that were taken back, the newest of them.
    #[serde(default)]
    unblocked: Vec<BlockDoc>,
    #[serde(default)]
    hide_last_active: bool,
    #[serde(default)]
    hide_read_receipts: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct BlockDoc {
    user: String,
    /// By mongod's clock.
    at: DateTime,
    revision: i64,
}

impl BlockDoc {
    fn block(&self, blocked: bool) -> Result<Block> {
        let (user, revision) = (UserId::new(&self.user), number(self.revision)?);
        Ok(Block { user, blocked, at: time(self.at), revision })
    }
}

impl ReserveDoc {
    fn privacy(&self) -> Privacy {
        Privacy {
            hide_last_active: self.hide_last_active,
            hide_read_receipts: self.hide_read_receipts,
        }
    }
}

/// What many ask for at once.
pub(super) struct PeopleReads {
    reserves: Gather<UserId, Reserve>,
    /// By who made them.
    blocks: Gather<UserId, (UserId, Block)>,
}

impl PeopleReads {
    pub(super) fn start(db: &Db, vital: &Vital) -> Self {
        let (reserves, blocks) = (db.clone(), db.clone());
        Self {
            reserves: Gather::start(
                vital,
                "what users keep from others",
                |reserve| reserve.user.clone(),
                move |keys| {
                    let db = reserves.clone();
                    async move { db.reserves_of(&keys).await }
                },
            ),
            blocks: Gather::start(
                vital,
                "blocks of users",
                |(user, _)| user.clone(),
                move |keys| {
                    let db = blocks.clone();
                    async move { db.blocks_of(&keys).await }
                },
            ),
        }
    }
}

/// A member document, without receipts.
#[derive(Debug, Deserialize)]
struct PlaceDoc {
    chat_id: mongodb::bson::Uuid,
    user_id: String,
    joined_at: DateTime,
    #[serde(default)]
    left_at: Option<DateTime>,
}

#[async_trait]
impl People for MongoStore {
    async fn block(&self, user: &UserId, other: &UserId, limit: u32) -> Result<Option<Block>> {
        let db = self.db()?;
        let change =
            db.reserves.find_one_and_update(doc! { "_id": user.as_str() }, block(other, limit));
        let doc = round(change.upsert(true).return_document(ReturnDocument::After)).await?;
        let doc = doc.ok_or_else(|| broken("a document just written is not there"))?;
        let found = doc.blocked.iter().find(|block| block.user == other.as_str());
        found.map(|found| found.block(true)).transpose()
    }

    async fn unblock(&self, user: &UserId, other: &UserId) -> Result<Option<Block>> {
        let db = self.db()?;
        let change = db.reserves.find_one_and_update(doc! { "_id": user.as_str() }, unblock(other));
        let doc = round(change.return_document(ReturnDocument::After)).await?;
        let doc = doc.into_iter().flat_map(|doc| doc.unblocked);
        let mut found = doc.filter(|block| block.user == other.as_str());
        found.next().map(|found| found.block(false)).transpose()
    }

    async fn blocks(&self, user: &UserId, below: u32, limit: u32) -> Result<Vec<Block>> {
        let Some(doc) = self.db()?.reserve(user).await? else { return Ok(Vec::new()) };
        let newest = doc.blocked.iter().rev().filter(|block| block.revision < i64::from(below));
        newest.take(usize::try_from(limit).unwrap_or(usize::MAX)).map(|b| b.block(true)).collect()
    }

    async fn changed_blocks(&self, user: &UserId, since: Timestamp) -> Result<Vec<Block>> {
        // Each stream that resumes asks this.
        let all = self.reads()?.people.blocks.rows(std::slice::from_ref(user)).await?;
        let mut changed: Vec<Block> = all.into_iter().map(|(_, block)| block).collect();
        changed.retain(|block| block.at >= since);
        changed.sort_unstable_by_key(|block| block.revision);
        Ok(changed)
    }

    async fn blocked_between(&self, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        let db = self.db()?;
        let (own, mut found) = tokio::try_join!(
            db.reserves_of(std::slice::from_ref(user)),
            db.who_blocks(user, others)
        )?;
        if let Some(own) = own.first() {
            found.extend(others.iter().filter(|other| own.blocks(other)).cloned());
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    async fn reserves(&self, users: &[UserId]) -> Result<Vec<Reserve>> {
        self.reads()?.people.reserves.rows(users).await
    }

    async fn put_privacy(
        &self,
        user: &UserId,
        hide_last_active: Option<bool>,
        hide_read_receipts: Option<bool>,
    ) -> Result<Privacy> {
        let mut fields = Document::new();
        let hide =
            [("hide_last_active", hide_last_active), ("hide_read_receipts", hide_read_receipts)];
        for (field, hide) in hide {
            if let Some(hide) = hide {
                fields.insert(field, hide);
            }
        }
        let db = self.db()?;
        if fields.is_empty() {
            let doc = db.reserve(user).await?;
            return Ok(doc.map(|doc| doc.privacy()).unwrap_or_default());
        }
        let user = doc! { "_id": user.as_str() };
        let change = db.reserves.find_one_and_update(user, doc! { "$set": fields });
        let doc = round(change.upsert(true).return_document(ReturnDocument::After)).await?;
        let doc = doc.ok_or_else(|| broken("a document just written is not there"))?;
        Ok(doc.privacy())
    }

    async fn shared(&self, user: &UserId, others: &[UserId]) -> Result<Vec<Shared>> {
        let db = self.db()?;
        let own = db.places_since(doc! { "user_id": user.as_str() }).await?;
        let own: HashMap<_, _> = own.into_iter().map(|place| (place.chat_id, place)).collect();
        if own.is_empty() || others.is_empty() {
            return Ok(Vec::new());
        }
        let chats: Vec<Bson> = own.keys().map(|chat| Bson::from(*chat)).collect();
        let theirs = doc! { "user_id": { "$in": user_ids(others) }, "chat_id": { "$in": chats } };
        let theirs = db.places_since(theirs).await?;
        let shared = theirs.into_iter().filter_map(|place| {
            let own = own.get(&place.chat_id)?;
            let met = |a: &PlaceDoc, b: &PlaceDoc| a.left_at.is_none_or(|at| at > b.joined_at);
            let now = place.left_at.is_none() && own.left_at.is_none();
            let (user, chat) = (UserId::new(&place.user_id), ChatId(plain(place.chat_id)));
            (met(&place, own) && met(own, &place)).then_some(Shared { user, chat, now })
        });
        Ok(shared.collect())
    }

    async fn touch_receipts(&self, chat: ChatId) -> Result<()> {
        let change = doc! { "$currentDate": { "receipts_at": true } };
        round(self.db()?.members.update_many(doc! { "chat_id": uuid(chat.0) }, change)).await?;
        Ok(())
    }
}

impl Db {
    async fn reserve(&self, user: &UserId) -> Result<Option<ReserveDoc>> {
        round(self.reserves.find_one(doc! { "_id": user.as_str() })).await
    }

    /// Those of `others` who have blocked this user.
    async fn who_blocks(&self, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        let reserves = self.reserves.clone_with_type::<Document>();
        let mut found = Vec::new();
        for others in others.chunks(USERS_A_COMMAND) {
            let filter = doc! { "_id": { "$in": user_ids(others) }, "blocked.user": user.as_str() };
            for doc in all(reserves.find(filter).projection(doc! { "_id": 1 })).await? {
                let id = doc.get_str("_id").map_err(|_| broken("a user's id cannot be read"))?;
                found.push(UserId::new(id));
            }
        }
        Ok(found)
    }

    /// All blocks of these users, also those taken back, each with who made it.
    async fn blocks_of(&self, users: &[UserId]) -> Result<Vec<(UserId, Block)>> {
        let filter = doc! { "_id": { "$in": user_ids(users) } };
        let mut found = Vec::new();
        for doc in all(self.reserves.find(filter)).await? {
            let user = UserId::new(&doc.id);
            let blocked = doc.blocked.iter().map(|block| block.block(true));
            let unblocked = doc.unblocked.iter().map(|block| block.block(false));
            for block in blocked.chain(unblocked) {
                found.push((user.clone(), block?));
            }
        }
        Ok(found)
    }

    async fn reserves_of(&self, users: &[UserId]) -> Result<Vec<Reserve>> {
        let fields = doc! { "blocked": 1, "hide_last_active": 1, "hide_read_receipts": 1 };
        let users: HashSet<&UserId> = users.iter().collect();
        let users: Vec<UserId> = users.into_iter().cloned().collect();
        let mut found = Vec::new();
        for users in users.chunks(USERS_A_COMMAND) {
            let filter = doc! { "_id": { "$in": user_ids(users) } };
            for doc in all(self.reserves.find(filter).projection(fields.clone())).await? {
                let blocked = doc.blocked.iter().map(|block| UserId::new(&block.user));
                let mut blocked: Vec<UserId> = blocked.collect();
                blocked.sort_unstable();
                let (user, privacy) = (UserId::new(&doc.id), doc.privacy());
                found.push(Reserve { user, blocked, privacy });
            }
        }
        Ok(found)
    }

    /// Places that this finds, but those left long ago; by the users' own index.
    async fn places_since(&self, mut filter: Document) -> Result<Vec<PlaceDoc>> {
        let former = i64::try_from(FORMER.as_millis()).unwrap_or(i64::MAX);
        let left = doc! { "$gt": [ "$left_at", { "$subtract": ["$$NOW", former] } ] };
        filter.insert("$or", vec![doc! { "left_at": null }, doc! { "$expr": left }]);
        let fields = doc! { "_id": 0, "chat_id": 1, "user_id": 1, "joined_at": 1, "left_at": 1 };
        let members = self.members.clone_with_type::<PlaceDoc>();
        all(members.find(filter).projection(fields).hint(Hint::Keys(by_user()))).await
    }
}

/// The list in this field without this user.
fn without(list: &str, other: &UserId) -> Document {
    let stays = doc! { "$ne": ["$$block.user", { "$literal": other.as_str() }] };
    doc! { "$filter": { "input": list, "as": "block", "cond": stays } }
}

/// The list without this user, who then comes last, as the next change.
fn with(list: &str, other: &UserId) -> Document {
    let change = doc! {
        "user": { "$literal": other.as_str() },
        "at": "$$NOW",
        "revision": { "$add": ["$revision", 1_i64] },
    };
    doc! { "$concatArrays": [without(list, other), [change]] }
}

/// A document that is new has empty lists.
fn begun() -> Document {
    let or = |field: &str, none: Bson| doc! { "$ifNull": [format!("${field}"), none] };
    doc! { "$set": {
        "revision": or("revision", 0_i64.into()),
        "blocked": or("blocked", Bson::Array(Vec::new())),
        "unblocked": or("unblocked", Bson::Array(Vec::new())),
    } }
}

/// Changes the lists and the revision where `new` holds.
fn change(new: Document, blocked: Document, unblocked: Document) -> Vec<Document> {
    let if_new = |then: Bson, field: &str| doc! { "$cond": ["$new", then, field] };
    vec![
        begun(),
        doc! { "$set": { "new": new } },
        doc! { "$set": {
            "revision": if_new(doc! { "$add": ["$revision", 1_i64] }.into(), "$revision"),
            "blocked": if_new(blocked.into(), "$blocked"),
            "unblocked": if_new(unblocked.into(), "$unblocked"),
        } },
        doc! { "$unset": "new" },
    ]
}

fn block(other: &UserId, limit: u32) -> Vec<Document> {
    let is_in = doc! { "$in": [{ "$literal": other.as_str() }, "$blocked.user"] };
    let room = doc! { "$lt": [{ "$size": "$blocked" }, i64::from(limit)] };
    let new = doc! { "$and": [{ "$not": [is_in] }, room] };
    change(new, with("$blocked", other), without("$unblocked", other))
}

fn unblock(other: &UserId) -> Vec<Document> {
    let new = doc! { "$in": [{ "$literal": other.as_str() }, "$blocked.user"] };
    let kept = doc! { "$slice": [with("$unblocked", other), -i64::from(UNBLOCKED_KEPT)] };
    change(new, without("$blocked", other), kept)
}
