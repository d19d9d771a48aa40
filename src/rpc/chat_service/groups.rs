//! Groups that change, and what a member sets for a chat.

use super::super::door::Door;
use crate::chat::inbox::Filter;
use crate::chat::settings::SettingsDraft;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{Role, UserId};
use crate::proto;
use crate::wire;

/// The last moment of the year 9999, in milliseconds: no later time can be told.
const LAST: Timestamp = Timestamp(253_402_300_799_999);

pub(super) async fn list_members(
    door: &Door,
    user: &UserId,
    body: proto::ListMembersRequest,
) -> Result<proto::ListMembersResponse> {
    let (chat, size, token) = (&body.chat_id, body.page_size, &body.page_token);
    let page = door.service.list_members(user, chat, size, token, &body.query).await?;
    Ok(proto::ListMembersResponse { members: page.members, next_page_token: page.next_page_token })
}

pub(super) async fn update_chat(
    door: &Door,
    user: &UserId,
    body: proto::UpdateChatRequest,
) -> Result<proto::UpdateChatResponse> {
    let (title, avatar_url) = (body.title.as_deref(), body.avatar_url.as_deref());
    let chat = door.service.update_chat(user, &body.chat_id, title, avatar_url).await?;
    Ok(proto::UpdateChatResponse { chat: Some(chat) })
}

pub(super) async fn add_members(
    door: &Door,
    user: &UserId,
    body: proto::AddMembersRequest,
) -> Result<proto::AddMembersResponse> {
    let (chat, added) = door.service.add_members(user, &body.chat_id, &body.user_ids).await?;
    let added_user_ids = added.iter().map(ToString::to_string).collect();
    Ok(proto::AddMembersResponse { chat: Some(chat), added_user_ids })
}

pub(super) async fn remove_member(
    door: &Door,
    user: &UserId,
    body: proto::RemoveMemberRequest,
) -> Result<proto::RemoveMemberResponse> {
    let chat = door.service.remove_member(user, &body.chat_id, &body.user_id).await?;
    Ok(proto::RemoveMemberResponse { chat: Some(chat) })
}

pub(super) async fn set_member_role(
    door: &Door,
    user: &UserId,
    body: proto::SetMemberRoleRequest,
) -> Result<proto::SetMemberRoleResponse> {
    let role = match body.role() {
        proto::MemberRole::Member => Role::Member,
        proto::MemberRole::Admin => Role::Admin,
        proto::MemberRole::Owner => Role::Owner,
        proto::MemberRole::Unspecified => {
            return Err(Error::field("role", "MEMBER, ADMIN or OWNER"));
        }
    };
    let (chat, other) = (&body.chat_id, &body.user_id);
    let chat = door.service.set_member_role(user, chat, other, role).await?;
    Ok(proto::SetMemberRoleResponse { chat: Some(chat) })
}

pub(super) async fn leave_group(
    door: &Door,
    user: &UserId,
    body: proto::LeaveGroupRequest,
) -> Result<proto::LeaveGroupResponse> {
    door.service.leave_group(user, &body.chat_id).await?;
    Ok(proto::LeaveGroupResponse {})
}

pub(super) async fn delete_chat(
    door: &Door,
    user: &UserId,
    body: proto::DeleteChatRequest,
) -> Result<proto::DeleteChatResponse> {
    door.service.delete_chat(user, &body.chat_id).await?;
    Ok(proto::DeleteChatResponse {})
}

pub(super) async fn set_chat_settings(
    door: &Door,
    user: &UserId,
    body: proto::SetChatSettingsRequest,
) -> Result<proto::SetChatSettingsResponse> {
    let muted_until = body.muted_until.as_ref().map(|at| {
        let at = wire::from_timestamp(at).filter(|at| *at <= LAST);
        at.ok_or_else(|| Error::field("muted_until", "not a valid time"))
    });
    let draft = SettingsDraft {
        pinned: body.pinned,
        archived: body.archived,
        muted_until: muted_until.transpose()?,
    };
    let settings = door.service.set_chat_settings(user, &body.chat_id, draft).await?;
    Ok(proto::SetChatSettingsResponse { settings: Some(settings) })
}

/// Which chats are to be listed.
pub(super) fn filter(given: proto::ChatFilter) -> Filter {
    match given {
        proto::ChatFilter::Unspecified => Filter::All,
        proto::ChatFilter::Unarchived => Filter::Unarchived,
        proto::ChatFilter::Archived => Filter::Archived,
        proto::ChatFilter::Pinned => Filter::Pinned,
    }
}
