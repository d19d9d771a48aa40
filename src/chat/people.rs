//! Who users are, and whether they are here: for those who know them.

use std::collections::{HashMap, HashSet};

use super::Service;
use super::limits::{MAX_RECEIPT_MEMBERS, MAX_USERS_ASKED};
use crate::error::{Error, Result};
use crate::model::{Chat, ChatId, ChatKind, UserId};
use crate::proto;
use crate::store::WrittenBy;
use crate::wire;

/// Reads the id of a user.
pub fn user_id(field: impl Into<std::borrow::Cow<'static, str>>, raw: &str) -> Result<UserId> {
    let what = "a user id is 1 to 64 of A-Z a-z 0-9 _ . : @ -";
    UserId::parse(raw).ok_or_else(|| Error::field(field, what))
}

/// The users a call asks about, each once, in its order.
fn asked(raw: &[String]) -> Result<Vec<UserId>> {
    if raw.is_empty() {
        return Err(Error::field("user_ids", "at least one"));
    }
    if raw.len() > MAX_USERS_ASKED {
        return Err(Error::over_limit("user_ids", MAX_USERS_ASKED, "users"));
    }
    let mut seen = HashSet::new();
    let mut users = Vec::with_capacity(raw.len());
    for (at, raw) in raw.iter().enumerate() {
        let user = user_id(format!("user_ids[{at}]"), raw)?;
        if seen.insert(user.clone()) {
            users.push(user);
        }
    }
    Ok(users)
}

fn but(user: &UserId, others: &[UserId]) -> Vec<UserId> {
    others.iter().filter(|other| *other != user).cloned().collect()
}

impl Service {
    /// These users, as far as the caller knows them, and the caller.
    pub async fn get_users(&self, user: &UserId, raw: &[String]) -> Result<Vec<proto::User>> {
        let asked = asked(raw)?;
        let known = self.known_users(user, &asked).await?;
        Ok(asked.iter().filter_map(|id| known.get(id).cloned()).collect())
    }

    /// Those of these users who share or shared a chat with the caller, and the caller.
    pub(super) async fn known_users(
        &self,
        user: &UserId,
        others: &[UserId],
    ) -> Result<HashMap<UserId, proto::User>> {
        let shared = self.store.shared(user, &but(user, others)).await?;
        let known: HashSet<UserId> = shared.into_iter().map(|shared| shared.user).collect();
        let known = others.iter().filter(|id| known.contains(*id) || *id == user).cloned();
        let known: Vec<UserId> = known.collect();
        let users = self.users_by_id(&known).await?;
        Ok(known.into_iter().map(|id| (id.clone(), wire::user(&id, users.get(&id)))).collect())
    }

    /// Whether these users are here, of those whom the caller may see.
    pub async fn get_presence(
        &self,
        user: &UserId,
        raw: &[String],
    ) -> Result<Vec<proto::UserPresence>> {
        let asked = asked(raw)?;
        let seen = self.seen_by(user, &asked).await?;
        let asked: Vec<UserId> = asked.into_iter().filter(|id| seen.contains(id)).collect();
        let presences = self.presences(user, &asked).await?;
        let shown = asked.iter().zip(presences).filter_map(|(id, presence)| {
            Some(proto::UserPresence { user_id: id.to_string(), presence: Some(presence?) })
        });
        Ok(shown.collect())
    }

    /// Whom of these a user may see, but for blocks: who has written in a direct chat of the two,
    /// or is in a group with them that has presence; and the user.
    async fn seen_by(&self, user: &UserId, others: &[UserId]) -> Result<HashSet<UserId>> {
        let mut shared = self.store.shared(user, &but(user, others)).await?;
        shared.retain(|shared| shared.now);
        let ids: Vec<ChatId> = shared.iter().map(|shared| shared.chat).collect();
        let chats = self.store.chats(&ids).await?;
        let direct = chats.iter().filter(|chat| chat.kind == ChatKind::Direct);
        let direct: Vec<ChatId> = direct.map(|chat| chat.id).collect();
        let written = self.store.written_in(WrittenBy::AnyoneBut(user.clone()), &direct).await?;
        let small = |chat: &&Chat| {
            chat.kind == ChatKind::Group && chat.member_count as usize <= MAX_RECEIPT_MEMBERS
        };
        let groups = chats.iter().filter(small).map(|chat| chat.id);
        let shows: HashSet<ChatId> = written.into_iter().chain(groups).collect();
        let seen = shared.into_iter().filter(|shared| shows.contains(&shared.chat));
        Ok(seen.map(|shared| shared.user).chain([user.clone()]).collect())
    }
}
