//! Chats and who is in them.
//!
//! A chat is made without a transaction: its key is claimed, then come the members, then the
//! first message, last the chat itself. Each step may be repeated, and until the last one is
//! done there is no such chat.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use mongodb::bson::{Bson, Document, doc, serialize_to_document};
use mongodb::options::Hint;

use super::super::{AppendError, Created, NewChat, NewMessage, Result};
use super::MongoStore;
use super::docs::{
    ChatDoc, MemberDoc, binary, bytes, chat_ids, date, number, plain, user_ids, uuid,
};
use super::failure::{broken, exchange, failure, is_duplicate, round};
use super::log::distinct;
use super::schema::{Db, aggregate, all};
use crate::clock::Timestamp;
use crate::model::{Chat, ChatId, Member, Role, UserId};

/// Members written by one command.
const MEMBERS_A_COMMAND: usize = 1000;

/// Users times chats up to which all of them are asked for at once.
const CROSSED: usize = 40_000;

/// Places asked for at once, where there are more, or where all are of one user; and how many such
/// commands at once.
const PLACES_A_COMMAND: usize = 200;
const PLACES_OF_ONE: usize = 250;
const COMMANDS_AT_ONCE: usize = 4;

/// How long a former member's place is told.
pub(super) const FORMER: Duration = Duration::from_secs(7 * 24 * 3600);

impl MongoStore {
    pub(super) async fn make_chat(&self, new: NewChat) -> Result<Created> {
        let db = self.db()?;
        let id = match db.claim(&new).await? {
            Claim::Of(id) => id,
            Claim::OtherContent => return Ok(Created::Reused),
        };
        if let Some(chat) = db.chat(id).await? {
            return Ok(found(chat));
        }
        db.put_members(id, &new.members).await?;
        if let Some(note) = &new.note {
            // A repeat's note is of the repeat's chat; there is only the first one's.
            let note = NewMessage { chat: id, ..note.clone() };
            match self.lanes.append(note).await {
                Ok(_) | Err(AppendError::Reused) => {}
                Err(AppendError::Store(error)) => return Err(error),
                Err(_) => return Err(broken("a new chat refused its first message")),
            }
        }
        let made = db.put_chat(id, &new.chat).await?;
        let chat = db.chat(id).await?.ok_or_else(|| broken("a chat just made is not there"))?;
        Ok(if made { Created::Chat(chat, true) } else { found(chat) })
    }
}

fn found(chat: Chat) -> Created {
    if chat.deleted_at.is_some() { Created::Deleted } else { Created::Chat(chat, false) }
}

/// Whose a key is.
enum Claim {
    /// The one chat of this key and content.
    Of(ChatId),
    /// The key is that of another content.
    OtherContent,
}

impl Db {
    async fn claim(&self, new: &NewChat) -> Result<Claim> {
        let Some(key) = &new.key else { return Ok(Claim::Of(new.id)) };
        let claim = doc! {
            "_id": key,
            "chat_id": uuid(new.id.0),
            "content_hash": binary(&new.content_hash),
        };
        match exchange(self.chat_keys.insert_one(claim)).await? {
            Ok(_) => return Ok(Claim::Of(new.id)),
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(failure(&error)),
        }
        let claimed = self.claimed(key, new.content_hash).await?;
        claimed.ok_or_else(|| broken("a key is neither there nor absent"))
    }

    /// Whose this key is, if it is anybody's.
    async fn claimed(&self, key: &str, content_hash: [u8; 16]) -> Result<Option<Claim>> {
        let first = round(self.chat_keys.find_one(doc! { "_id": key })).await?;
        let Some(first) = first else { return Ok(None) };
        match (first.get("chat_id"), first.get("content_hash")) {
            (Some(Bson::Binary(_)), Some(Bson::Binary(hash)))
                if bytes::<16>(hash)? != content_hash =>
            {
                Ok(Some(Claim::OtherContent))
            }
            (Some(Bson::Binary(id)), Some(_)) => {
                let id = id.to_uuid().map_err(|_| broken("a chat's id cannot be read"))?;
                Ok(Some(Claim::Of(ChatId(plain(id)))))
            }
            _ => Err(broken("a key cannot be read")),
        }
    }

    pub(super) async fn find_chat(
        &self,
        key: &str,
        content_hash: [u8; 16],
    ) -> Result<Option<Created>> {
        match self.claimed(key, content_hash).await? {
            Some(Claim::Of(id)) => Ok(self.chat(id).await?.map(found)),
            Some(Claim::OtherContent) => Ok(Some(Created::Reused)),
            None => Ok(None),
        }
    }

    async fn put_members(&self, chat: ChatId, members: &[(UserId, Role)]) -> Result<()> {
        let mut named = HashSet::new();
        let members: Vec<_> = members.iter().filter(|(user, _)| named.insert(user)).collect();
        for members in members.chunks(MEMBERS_A_COMMAND) {
            let docs = members.iter().map(|(user, role)| {
                MemberDoc::new(&Member::new(chat, user.clone(), *role, chat.time(), 1))
            });
            let insert = self.members.insert_many(docs.collect::<Vec<_>>()).ordered(false);
            match exchange(insert).await? {
                Ok(_) => {}
                Err(error) if is_duplicate(&error) => {}
                Err(error) => return Err(failure(&error)),
            }
        }
        Ok(())
    }

    /// Answers whether it was this call that put it there.
    async fn put_chat(&self, id: ChatId, chat: &Chat) -> Result<bool> {
        let mut fields = serialize_to_document(&ChatDoc::new(id, chat))
            .map_err(|_| broken("a chat cannot be written"))?;
        fields.remove("_id");
        let change = doc! { "$setOnInsert": fields, "$currentDate": { "changed_at": true } };
        // One that is there has a time of change, so it is never matched, only run into.
        let absent = doc! { "_id": uuid(id.0), "changed_at": { "$exists": false } };
        match exchange(self.chats.update_one(absent, change).upsert(true)).await? {
            Ok(_) => Ok(true),
            Err(error) if is_duplicate(&error) => Ok(false),
            Err(error) => Err(failure(&error)),
        }
    }

    /// A chat, also a deleted one.
    pub(super) async fn chat(&self, id: ChatId) -> Result<Option<Chat>> {
        let found = round(self.chats.find_one(doc! { "_id": uuid(id.0) })).await?;
        found.map(ChatDoc::chat).transpose()
    }

    pub(super) async fn chats(&self, ids: &[ChatId]) -> Result<Vec<Chat>> {
        let filter = doc! { "_id": { "$in": chat_ids(&distinct(ids)) }, "deleted_at": null };
        all(self.chats.find(filter)).await?.into_iter().map(ChatDoc::chat).collect()
    }

    /// With the time of the change; a `limit` of 0 is none.
    pub(super) async fn changed_chats(
        &self,
        chats: &[ChatId],
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Chat)>> {
        let filter = doc! {
            "_id": { "$in": chat_ids(&distinct(chats)) },
            "deleted_at": null,
            "changed_at": { "$gte": date(since) },
        };
        let changed = |doc: ChatDoc| Ok((doc.changed()?, doc.chat()?));
        all(self.chats.find(filter).limit(limit.into())).await?.into_iter().map(changed).collect()
    }

    /// Those of these chats that are there.
    async fn existing(&self, chats: &[ChatId]) -> Result<HashSet<ChatId>> {
        let filter = doc! { "_id": { "$in": chat_ids(&distinct(chats)) }, "deleted_at": null };
        let chats = self.chats.clone_with_type::<Document>();
        let found = all(chats.find(filter).projection(doc! { "_id": 1 })).await?;
        let id = |doc: &Document| match doc.get("_id") {
            Some(Bson::Binary(id)) => id.to_uuid().ok().map(|id| ChatId(plain(id))),
            _ => None,
        };
        Ok(found.iter().filter_map(id).collect())
    }

    /// The present members of these chats.
    pub(super) async fn members(&self, chats: &[ChatId]) -> Result<Vec<Member>> {
        // The chats first: once one is there, so are all its members.
        let existing: Vec<_> = self.existing(chats).await?.into_iter().collect();
        let filter = doc! { "chat_id": { "$in": chat_ids(&existing) }, "left_at": null };
        read(all(self.members.find(filter).hint(by_member())).await?)
    }

    pub(super) async fn member(&self, chat: ChatId, user: &UserId) -> Result<Option<Member>> {
        if self.existing(&[chat]).await?.is_empty() {
            return Ok(None);
        }
        let filter = doc! { "chat_id": uuid(chat.0), "user_id": user.as_str() };
        round(self.members.find_one(filter)).await?.map(MemberDoc::member).transpose()
    }

    pub(super) async fn memberships(
        &self,
        users: &[UserId],
        now: Timestamp,
    ) -> Result<Vec<Member>> {
        let filter = doc! {
            "user_id": { "$in": user_ids(users) },
            "$or": [
                { "left_at": null },
                { "left_at": { "$gt": date(now.minus(FORMER)) } },
            ],
        };
        let members = read(all(self.members.find(filter)).await?)?;
        let chats: Vec<_> = members.iter().map(|member| member.chat).collect();
        let existing = self.existing(&chats).await?;
        let (mut there, orphans): (Vec<Member>, Vec<Member>) = members
            .into_iter()
            .partition(|member| member.left_at.is_some() || existing.contains(&member.chat));
        if !orphans.is_empty() {
            there.extend(self.left_by_deletion(orphans, now.minus(FORMER)).await?);
        }
        Ok(there)
    }

    /// Those of these places whose chat was deleted since, as left then. The others are of chats
    /// that are being made.
    async fn left_by_deletion(&self, places: Vec<Member>, since: Timestamp) -> Result<Vec<Member>> {
        let ids: Vec<_> = places.iter().map(|place| place.chat).collect();
        let filter = doc! {
            "_id": { "$in": chat_ids(&distinct(&ids)) },
            "deleted_at": { "$gt": date(since) },
        };
        let mut deleted = HashMap::new();
        for doc in all(self.chats.find(filter)).await? {
            let chat = doc.chat()?;
            deleted.insert(chat.id, (chat.deleted_at, chat.revision));
        }
        let left = |mut place: Member| {
            let (at, revision) = *deleted.get(&place.chat)?;
            (place.left_at, place.left_revision) = (at, revision);
            Some(place)
        };
        Ok(places.into_iter().filter_map(left).collect())
    }

    /// By the index alone.
    pub(super) async fn chats_of(&self, users: &[UserId]) -> Result<Vec<(ChatId, UserId)>> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let filter = doc! { "user_id": { "$in": user_ids(users) }, "left_at": null };
        let found = self.members.clone_with_type::<Document>();
        let find = found
            .find(filter)
            .projection(doc! { "_id": 0, "user_id": 1, "chat_id": 1 })
            .hint(Hint::Keys(by_user()));
        let place = |doc: Document| match (doc.get("chat_id"), doc.get_str("user_id")) {
            (Some(Bson::Binary(id)), Ok(user)) => {
                Some((ChatId(plain(id.to_uuid().ok()?)), UserId::new(user)))
            }
            _ => None,
        };
        let found = all(find).await?.into_iter();
        found.map(|doc| place(doc).ok_or_else(|| broken("a place cannot be read"))).collect()
    }

    pub(super) async fn places(&self, of: &[(ChatId, UserId)]) -> Result<Vec<Member>> {
        read(self.at(of).await?)
    }

    /// By the index alone: chats that are half made count, as they are about to be.
    pub(super) async fn count_memberships(&self, users: &[UserId]) -> Result<Vec<u32>> {
        let mut counts: HashMap<String, u32> = HashMap::new();
        for users in users.chunks(1000) {
            let pipeline = vec![
                doc! { "$match": { "user_id": { "$in": user_ids(users) }, "left_at": null } },
                doc! { "$group": { "_id": "$user_id", "count": { "$sum": 1_i64 } } },
            ];
            for doc in aggregate(&self.members, pipeline).await? {
                let (Ok(user), Ok(count)) = (doc.get_str("_id"), doc.get_i64("count")) else {
                    return Err(broken("a count is none"));
                };
                counts.insert(user.to_owned(), number(count)?);
            }
        }
        Ok(users.iter().map(|user| counts.get(user.as_str()).copied().unwrap_or(0)).collect())
    }

    /// Those of these (chat, user) where the user is a member of a chat that is there.
    pub(super) async fn are_members(
        &self,
        places: &[(ChatId, UserId)],
    ) -> Result<HashSet<(ChatId, UserId)>> {
        let chats: Vec<_> = places.iter().map(|(chat, _)| *chat).collect();
        let existing = self.existing(&chats).await?;
        let members = self.at(places).await?.into_iter();
        let place = |doc: MemberDoc| (ChatId(plain(doc.chat_id)), UserId::new(&doc.user_id));
        Ok(members.map(place).filter(|(chat, _)| existing.contains(chat)).collect())
    }

    /// The documents of the present members among these (chat, user).
    pub(super) async fn at(&self, places: &[(ChatId, UserId)]) -> Result<Vec<MemberDoc>> {
        let wanted: HashSet<_> = places.iter().collect();
        let chats = wanted.iter().map(|(chat, _)| chat).collect::<HashSet<_>>().len();
        let users = wanted.iter().map(|(_, user)| user).collect::<HashSet<_>>().len();
        let at_once = match users {
            // Of an inbox: several commands take half the time on two cores.
            1 => PLACES_OF_ONE,
            _ if chats * users <= CROSSED => wanted.len().max(1),
            _ => PLACES_A_COMMAND,
        };
        let each: Vec<_> = wanted.iter().copied().collect();
        let calls: Vec<_> = each.chunks(at_once).map(|some| self.at_some(some)).collect();
        let found = stream::iter(calls).buffer_unordered(COMMANDS_AT_ONCE);
        let found: Vec<Vec<MemberDoc>> = found.try_collect().await?;
        let place = |doc: &MemberDoc| (ChatId(plain(doc.chat_id)), UserId::new(&doc.user_id));
        Ok(found.into_iter().flatten().filter(|doc| wanted.contains(&place(doc))).collect())
    }

    /// All of these users in all of these chats: half as dear as one arm of an `$or` for each, and
    /// hardly ever more than was asked for.
    async fn at_some(&self, places: &[&(ChatId, UserId)]) -> Result<Vec<MemberDoc>> {
        let chats: HashSet<ChatId> = places.iter().map(|(chat, _)| *chat).collect();
        let users: HashSet<&str> = places.iter().map(|(_, user)| user.as_str()).collect();
        let filter = doc! {
            "chat_id": { "$in": chat_ids(&chats.into_iter().collect::<Vec<_>>()) },
            "user_id": { "$in": users.into_iter().collect::<Vec<_>>() },
            "left_at": null,
        };
        all(self.members.find(filter).hint(by_member())).await
    }
}

/// The index of a user's places.
pub(super) fn by_user() -> Document {
    doc! { "user_id": 1, "left_at": 1, "chat_id": 1 }
}

fn by_member() -> Hint {
    Hint::Keys(doc! { "chat_id": 1, "user_id": 1 })
}

fn read(docs: Vec<MemberDoc>) -> Result<Vec<Member>> {
    docs.into_iter().map(MemberDoc::member).collect()
}
