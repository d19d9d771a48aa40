//! Deleting a group: it is then there for nobody.

use std::sync::Arc;

use super::{Group, Wish};
use crate::chat::Service;
use crate::chat::access::chat_id;
use crate::error::Result;
use crate::model::{NoteKind, Role, UserId};
use crate::store::GroupChange;

impl Service {
    /// Deletes a group for all its members.
    pub async fn delete_chat(self: &Arc<Self>, user: &UserId, chat: &str) -> Result<()> {
        self.change_group(user, chat_id(chat)?, Wish::Delete).await.map(drop)
    }

    pub(super) fn decide_delete(&self, group: &Group) -> Result<GroupChange> {
        group.require(Role::Owner)?;
        let mut change = GroupChange::of(&group.chat);
        change.deletes = true;
        // Nobody reads it any more: it stands in the way of sends from nodes that know nothing.
        self.note(&mut change, group, NoteKind::MembersRemoved, &[]);
        Ok(change)
    }
}
