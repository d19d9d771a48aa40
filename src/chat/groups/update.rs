//! A group's title and picture.

use std::sync::Arc;

use super::{Group, Wish};
use crate::chat::Service;
use crate::chat::access::chat_id;
use crate::chat::text;
use crate::error::Result;
use crate::model::{NoteKind, Role, UserId};
use crate::proto;
use crate::store::GroupChange;

impl Service {
    /// Changes what is given.
    pub async fn update_chat(
        self: &Arc<Self>,
        user: &UserId,
        chat: &str,
        title: Option<&str>,
        avatar_url: Option<&str>,
    ) -> Result<proto::Chat> {
        let id = chat_id(chat)?;
        let title = title.map(text::title).transpose()?;
        let avatar_url = avatar_url.map(text::avatar_url).transpose()?;
        self.change_group(user, id, Wish::Update { title, avatar_url }).await?;
        self.get_chat(user, chat).await
    }

    pub(super) fn decide_update(
        &self,
        group: &Group,
        title: Option<&str>,
        avatar_url: Option<&str>,
    ) -> Result<Option<GroupChange>> {
        group.require(Role::Admin)?;
        let new = |wish: Option<&str>, now: &str| wish.filter(|it| *it != now).map(str::to_owned);
        let mut change = GroupChange::of(&group.chat);
        change.title = new(title, &group.chat.title);
        change.avatar_url = new(avatar_url, &group.chat.avatar_url);
        if change.title.is_some() {
            self.note(&mut change, group, NoteKind::TitleChanged, &[]);
        }
        if change.avatar_url.is_some() {
            self.note(&mut change, group, NoteKind::AvatarChanged, &[]);
        }
        Ok(Some(change).filter(|change| !change.notes.is_empty()))
    }
}
