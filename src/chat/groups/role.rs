//! Roles: the owner appoints admins and dismisses them, and hands the group over.

use std::sync::Arc;

use super::{Group, Wish, other_user, role_too_low};
use crate::chat::Service;
use crate::chat::access::chat_id;
use crate::error::{Error, Reason, Result};
use crate::model::{NoteKind, Role, UserId};
use crate::proto;
use crate::store::GroupChange;

impl Service {
    /// Gives a member a role. Who makes another one the owner becomes an admin.
    pub async fn set_member_role(
        self: &Arc<Self>,
        user: &UserId,
        chat: &str,
        user_id: &str,
        role: Role,
    ) -> Result<proto::Chat> {
        let id = chat_id(chat)?;
        let other = other_user(user, user_id, "not yourself")?;
        self.change_group(user, id, Wish::SetRole(other, role)).await?;
        self.get_chat(user, chat).await
    }

    pub(super) async fn decide_role(
        &self,
        group: &Group,
        user: &UserId,
        role: Role,
    ) -> Result<Option<GroupChange>> {
        group.require(Role::Admin)?;
        let before = self.place_in(&group.chat, user).await?.map(|place| place.role);
        // An admin may be the owner of a moment ago, who repeats a call that had no answer.
        if role == Role::Owner && before == Some(role) {
            return Ok(None);
        }
        if group.me.role < Role::Owner {
            return Err(role_too_low());
        }
        let no_member = || Error::new(Reason::UserNotFound, "no such member of this group");
        let before = before.ok_or_else(no_member)?;
        if before == role {
            return Ok(None);
        }
        let mut change = GroupChange::of(&group.chat);
        change.roles = vec![(user.clone(), role)];
        let kind = match role {
            Role::Member => NoteKind::AdminsDismissed,
            Role::Admin => NoteKind::AdminsAppointed,
            Role::Owner => {
                change.roles.push((group.me.user.clone(), Role::Admin));
                NoteKind::OwnerChanged
            }
        };
        self.note(&mut change, group, kind, std::slice::from_ref(user));
        Ok(Some(change))
    }
}
