//! Removing a member of a lower role.

use std::sync::Arc;

use super::{Group, Wish, other_user, role_too_low};
use crate::chat::Service;
use crate::chat::access::chat_id;
use crate::error::Result;
use crate::model::{NoteKind, Role, UserId};
use crate::proto;
use crate::store::GroupChange;

impl Service {
    /// Takes a member out of a group; who is no member stays none.
    pub async fn remove_member(
        self: &Arc<Self>,
        user: &UserId,
        chat: &str,
        user_id: &str,
    ) -> Result<proto::Chat> {
        let id = chat_id(chat)?;
        let other = other_user(user, user_id, "not yourself: call LeaveGroup")?;
        self.change_group(user, id, Wish::Remove(other)).await?;
        self.get_chat(user, chat).await
    }

    pub(super) async fn decide_remove(
        &self,
        group: &Group,
        user: &UserId,
    ) -> Result<Option<GroupChange>> {
        group.require(Role::Admin)?;
        let Some(place) = self.place_in(&group.chat, user).await? else { return Ok(None) };
        if place.role >= group.me.role {
            return Err(role_too_low());
        }
        let mut change = GroupChange::of(&group.chat);
        change.goes = vec![user.clone()];
        self.note(&mut change, group, NoteKind::MembersRemoved, std::slice::from_ref(user));
        Ok(Some(change))
    }
}
