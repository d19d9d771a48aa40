//! What a member has set for a chat, and members in their order.
//!
//! What is set is written if it still is what was seen. A pin counts the others of the user: it is a
//! transaction that also writes the user's own document, so that of two at once one comes after the
//! other.

use mongodb::ClientSession;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{Hint, ReadConcern, ReturnDocument};

use super::docs::{MemberDoc, date, role_number, uuid};
use super::failure::round;
use super::groups::{Undone, commit, present, step};
use super::schema::{Db, all, by_role};
use crate::model::{ChatId, ChatSettings, Member};
use crate::store::{MemberPlace, Result, SettingsPut};

impl Db {
    /// Those of the same role, then those of lower ones: each a walk along the index.
    pub(super) async fn members_page(
        &self,
        chat: ChatId,
        behind: Option<MemberPlace>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        if limit == 0 || self.chats(&[chat]).await?.is_empty() {
            return Ok(Vec::new());
        }
        let (mut page, mut below) = (Vec::new(), i32::MAX);
        if let Some(place) = behind {
            below = role_number(place.role);
            let (at, user) = (date(place.joined_at), place.user.as_str());
            let same = doc! {
                "role": below,
                "joined_at": { "$gte": at },
                "$or": [{ "joined_at": { "$gt": at } }, { "user_id": { "$gt": user } }],
            };
            page = self.members_in_order(chat, same, limit).await?;
        }
        let left = limit - u32::try_from(page.len()).unwrap_or(limit);
        if left > 0 {
            let lower = doc! { "role": { "$lt": below } };
            page.extend(self.members_in_order(chat, lower, left).await?);
        }
        Ok(page)
    }

    async fn members_in_order(
        &self,
        chat: ChatId,
        mut which: Document,
        limit: u32,
    ) -> Result<Vec<Member>> {
        which.insert("chat_id", uuid(chat.0));
        which.insert("left_at", Bson::Null);
        let order = doc! { "role": -1, "joined_at": 1, "user_id": 1 };
        let find = self.members.find(which).sort(order).limit(limit.into());
        let found = all(find.hint(Hint::Keys(by_role()))).await?;
        found.into_iter().map(MemberDoc::member).collect()
    }

    /// `None`: the settings are not those that were seen.
    pub(super) async fn put_settings(
        &self,
        seen: &Member,
        new: &ChatSettings,
    ) -> Result<Option<SettingsPut>> {
        let (place, change) = change(seen, new);
        let update = self.members.find_one_and_update(place, change);
        put(round(update.return_document(ReturnDocument::After)).await?)
    }

    /// The same for one that pins.
    pub(super) async fn pin(
        &self,
        seen: &Member,
        new: &ChatSettings,
        max: u32,
    ) -> Result<Option<SettingsPut>> {
        match self.transact_pin(seen, new, max).await {
            Ok(put) => Ok(put),
            Err(Undone::Moved | Undone::Again) => Ok(None),
            Err(Undone::Store(error)) => Err(error),
        }
    }

    async fn transact_pin(
        &self,
        seen: &Member,
        new: &ChatSettings,
        max: u32,
    ) -> Result<Option<SettingsPut>, Undone> {
        let mut session = step(self.client.start_session()).await?;
        step(session.start_transaction().read_concern(ReadConcern::snapshot())).await?;
        let turn = doc! { "$inc": { "pins": 1_i64 } };
        let turn = self.users.update_one(doc! { "_id": seen.user.as_str() }, turn).upsert(true);
        step(turn.session(&mut session)).await?;
        if self.pinned_in(&mut session, seen).await? >= u64::from(max) {
            step(session.abort_transaction()).await?;
            return Ok(Some(SettingsPut::TooManyPinned));
        }
        let (place, change) = change(seen, new);
        let update = self.members.find_one_and_update(place, change);
        let update = update.return_document(ReturnDocument::After).session(&mut session);
        let Some(doc) = step(update).await? else {
            step(session.abort_transaction()).await?;
            return Ok(None);
        };
        commit(&mut session).await?;
        put(Some(doc)).map_err(Undone::Store)
    }

    async fn pinned_in(&self, session: &mut ClientSession, of: &Member) -> Result<u64, Undone> {
        let pinned = doc! {
            "user_id": of.user.as_str(),
            "left_at": null,
            "pinned_at": { "$ne": null },
        };
        step(self.members.count_documents(pinned).session(session)).await
    }
}

fn put(doc: Option<MemberDoc>) -> Result<Option<SettingsPut>> {
    let member = doc.map(MemberDoc::member).transpose()?;
    Ok(member.map(|member| SettingsPut::Put(member.settings, true)))
}

/// The place with the settings that were seen, and what they become.
fn change(seen: &Member, new: &ChatSettings) -> (Document, Document) {
    let mut place = present(seen.chat, &seen.user);
    let seen = &seen.settings;
    match seen.revision {
        0 => place.insert("settings_revision", doc! { "$in": [0_i64, null] }),
        revision => place.insert("settings_revision", i64::from(revision)),
    };
    let mut set = doc! { "archived": new.archived, "level": new.level.number() };
    let mut dates = doc! { "settings_at": true };
    let mut unset = Document::new();
    match (seen.pinned_at, new.pinned_at) {
        (_, None) => drop(unset.insert("pinned_at", "")),
        (None, Some(_)) => drop(dates.insert("pinned_at", true)),
        (Some(_), Some(_)) => {}
    }
    match new.muted_until {
        None => unset.insert("muted_until", ""),
        Some(until) => set.insert("muted_until", date(until)),
    };
    match new.level_until {
        None => unset.insert("level_until", ""),
        Some(until) => set.insert("level_until", date(until)),
    };
    let mut update = doc! {
        "$set": set,
        "$inc": { "settings_revision": 1_i64 },
        "$currentDate": dates,
    };
    if !unset.is_empty() {
        update.insert("$unset", unset);
    }
    (place, update)
}
