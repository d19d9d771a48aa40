//! Adding members: they see messages from then on.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Group, Wish};
use crate::chat::Service;
use crate::chat::access::chat_id;
use crate::chat::limits::{MAX_ADDED, MAX_CHATS};
use crate::chat::people::user_id;
use crate::error::{Error, Reason, Result};
use crate::model::{NoteKind, Role, UserId};
use crate::proto;
use crate::store::GroupChange;

impl Service {
    /// Adds users to a group; answers the group and who was no member before.
    pub async fn add_members(
        self: &Arc<Self>,
        user: &UserId,
        chat: &str,
        user_ids: &[String],
    ) -> Result<(proto::Chat, Vec<UserId>)> {
        let id = chat_id(chat)?;
        let users = users(user_ids)?;
        let added = self.change_group(user, id, Wish::Add(users)).await?;
        Ok((self.get_chat(user, chat).await?, added))
    }

    pub(super) async fn decide_add(
        &self,
        group: &Group,
        users: &[UserId],
    ) -> Result<Option<GroupChange>> {
        group.require(Role::Admin)?;
        let of: Vec<_> = users.iter().map(|user| (group.chat.id, user.clone())).collect();
        let present = self.store.places(&of).await?;
        let present: HashSet<&UserId> = present.iter().map(|member| &member.user).collect();
        let mut named = HashSet::new();
        let new = users.iter().filter(|user| !present.contains(user) && named.insert(*user));
        let comes: Vec<UserId> = new.cloned().collect();
        if comes.is_empty() {
            return Ok(None);
        }
        self.check_not_blocked(&group.me.user, users, &comes).await?;
        self.check_room_for(group, &comes).await?;
        let mut change = GroupChange::of(&group.chat);
        self.note(&mut change, group, NoteKind::MembersAdded, &comes);
        Ok(Some(GroupChange { comes, ..change }))
    }

    /// Refuses to add who has blocked the caller, or is blocked by the caller.
    async fn check_not_blocked(
        &self,
        user: &UserId,
        users: &[UserId],
        comes: &[UserId],
    ) -> Result<()> {
        let blocked = self.blocked_with(user, comes).await?;
        let Some(at) = users.iter().position(|user| blocked.contains(user)) else { return Ok(()) };
        Err(Error { field: format!("user_ids[{at}]").into(), ..Error::blocked() })
    }

    async fn check_room_for(&self, group: &Group, comes: &[UserId]) -> Result<()> {
        let max = self.settings.max_group_members;
        if group.chat.member_count as usize + comes.len() > max as usize {
            let mut error = Error::new(Reason::TooManyMembers, "the group has no room for so many");
            error.metadata.push(("limit", max.to_string()));
            return Err(error);
        }
        let counts = self.store.count_memberships(comes).await?;
        if counts.iter().any(|count| *count as usize >= MAX_CHATS) {
            let mut error =
                Error::new(Reason::TooManyChats, "one to be added is in too many chats");
            error.metadata.push(("limit", MAX_CHATS.to_string()));
            return Err(error);
        }
        Ok(())
    }
}

/// Who is to come, in the order given.
fn users(raw: &[String]) -> Result<Vec<UserId>> {
    if raw.is_empty() {
        return Err(Error::field("user_ids", "at least one"));
    }
    if raw.len() > MAX_ADDED {
        return Err(Error::over_limit("user_ids", MAX_ADDED, "users at once"));
    }
    raw.iter().enumerate().map(|(at, id)| user_id(format!("user_ids[{at}]"), id)).collect()
}
