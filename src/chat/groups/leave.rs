//! Leaving a group. An owner hands over as they go; the last one takes the group with them.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Group, Wish};
use crate::chat::Service;
use crate::chat::access::chat_id;
use crate::error::{Reason, Result};
use crate::model::{ChatId, Member, NoteKind, Role, UserId};
use crate::store::GroupChange;

impl Service {
    /// The caller leaves.
    pub async fn leave_group(self: &Arc<Self>, user: &UserId, chat: &str) -> Result<()> {
        self.change_group(user, chat_id(chat)?, Wish::Leave).await.map(drop)
    }

    /// The same for a user who goes for good; nothing in a direct chat, or for who has left.
    pub(in crate::chat) async fn leave_if_group(
        self: &Arc<Self>,
        user: &UserId,
        chat: ChatId,
    ) -> Result<()> {
        match self.change_group(user, chat, Wish::Leave).await {
            Err(error) if matches!(error.reason, Reason::ChatNotFound | Reason::NotAGroup) => {
                Ok(())
            }
            left => left.map(drop),
        }
    }

    pub(super) async fn decide_leave(&self, group: &Group) -> Result<Option<GroupChange>> {
        let me = &group.me;
        let mut change = GroupChange::of(&group.chat);
        self.note(&mut change, group, NoteKind::MemberLeft, &[]);
        if me.role == Role::Owner {
            let members = self.store.members(group.chat.id).await?;
            let Some(heir) = heir(&members, &me.user) else {
                change.deletes = true;
                return Ok(Some(change));
            };
            change.roles = vec![(heir.clone(), Role::Owner)];
            self.note(&mut change, group, NoteKind::OwnerChanged, std::slice::from_ref(heir));
        }
        change.goes = vec![me.user.clone()];
        Ok(Some(change))
    }
}

/// The admin who joined first, or else the member who did; `members` are by that.
fn heir<'m>(members: &'m [Member], owner: &UserId) -> Option<&'m UserId> {
    let others = members.iter().filter(|member| member.user != *owner);
    others.min_by_key(|member| Reverse(member.role)).map(|member| &member.user)
}
