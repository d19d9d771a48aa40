//! Groups that change: members, roles, titles; and what members set for themselves.

use async_trait::async_trait;

use super::{Measured, timed};
use crate::metrics::Operation;
use crate::model::{ChatId, Member, Message, UserId};
use crate::store::{
    GroupChange, GroupChanged, Groups, MemberPlace, Result, SettingsPut, SettingsWish,
};

#[async_trait]
impl Groups for Measured {
    async fn change_group(&self, change: GroupChange) -> Result<GroupChanged> {
        timed(Operation::ChangeGroup, self.0.change_group(change)).await
    }

    async fn tell_changes(&self, chat: ChatId) -> Result<Vec<Message>> {
        timed(Operation::TellChanges, self.0.tell_changes(chat)).await
    }

    async fn members_page(
        &self,
        chat: ChatId,
        behind: Option<MemberPlace>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        timed(Operation::MembersPage, self.0.members_page(chat, behind, limit)).await
    }

    async fn put_settings(
        &self,
        chat: ChatId,
        user: &UserId,
        wish: SettingsWish,
        max_pinned: u32,
    ) -> Result<SettingsPut> {
        timed(Operation::PutSettings, self.0.put_settings(chat, user, wish, max_pinned)).await
    }
}
