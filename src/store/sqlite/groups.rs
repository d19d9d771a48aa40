//! Groups that change: members, roles, titles; and what members set for themselves.
//!
//! A change and its notes are one command of the writer: no chat is ever untold.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, CHAT};
use super::{SqliteStore, chats, log};
use crate::clock::Timestamp;
use crate::model::{Chat, ChatId, Member, Message, Role, UserId};
use crate::store::{
    GroupChange, GroupChanged, Groups, MemberPlace, Result, SettingsPut, SettingsWish, StoreError,
};

#[async_trait]
impl Groups for SqliteStore {
    async fn change_group(&self, change: GroupChange) -> Result<GroupChanged> {
        let done = self.writer.ask(move |db, now| change_all(db, now, &change)).await;
        match done {
            Ok((chat, notes)) => Ok(GroupChanged::Changed(chat, notes)),
            Err(Undone::Moved) => Ok(GroupChanged::Moved),
            Err(Undone::Store(error)) => Err(error),
        }
    }

    async fn tell_changes(&self, _: ChatId) -> Result<Vec<Message>> {
        Ok(Vec::new())
    }

    async fn members_page(
        &self,
        chat: ChatId,
        behind: Option<MemberPlace>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        self.readers.ask(move |db| members_page(db, chat, behind.as_ref(), limit)).await
    }

    async fn put_settings(
        &self,
        chat: ChatId,
        user: &UserId,
        wish: SettingsWish,
        max_pinned: u32,
    ) -> Result<SettingsPut> {
        let user = user.clone();
        self.writer
            .ask(move |db, now| Ok(put_settings(db, now, (chat, &user), wish, max_pinned)?))
            .await
    }
}

/// Why a change was not made; what of it was done is undone.
enum Undone {
    Moved,
    Store(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for Undone {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

fn change_all(
    db: &Connection,
    now: Timestamp,
    change: &GroupChange,
) -> Result<(Chat, Vec<Message>), Undone> {
    let newest = log::heads(db, &[change.chat])?.first().map_or(0, |head| head.seq);
    let chat = change_chat(db, now, change)?.ok_or(Undone::Moved)?;
    for user in &change.comes {
        exactly_one(come(db, &Member::new(chat.id, user.clone(), Role::Member, now, newest + 1))?)?;
    }
    for user in &change.goes {
        exactly_one(leave(db, now, &chat, Some(user))?)?;
    }
    for (user, role) in &change.roles {
        exactly_one(set_role(db, chat.id, user, *role)?)?;
    }
    if change.deletes {
        leave(db, now, &chat, None)?;
    }
    let mut notes = Vec::with_capacity(change.notes.len());
    for (seq, new) in (newest + 1..).zip(&change.notes) {
        let note = new.at(seq);
        log::insert(db, &note, &new.words)?;
        notes.push(note);
    }
    Ok((chat, notes))
}

fn exactly_one(changed: usize) -> Result<(), Undone> {
    if changed == 1 { Ok(()) } else { Err(Undone::Moved) }
}

/// `None`: it is another than was seen.
fn change_chat(
    db: &Connection,
    now: Timestamp,
    change: &GroupChange,
) -> rusqlite::Result<Option<Chat>> {
    let came = u32::try_from(change.comes.len()).unwrap_or(u32::MAX);
    let went = u32::try_from(change.goes.len()).unwrap_or(u32::MAX);
    db.prepare_cached(&format!(
        "UPDATE chats SET revision = revision + 1, member_count = member_count + ?3 - ?4,
           title = coalesce(?5, title), avatar_url = coalesce(?6, avatar_url),
           deleted_at = iif(?7, ?8, NULL), changed_at = ?8
         WHERE id = ?1 AND revision = ?2 AND deleted_at IS NULL RETURNING {CHAT}"
    ))?
    .query_row(
        params![
            change.chat.0.as_bytes(),
            change.revision,
            came,
            went,
            change.title,
            change.avatar_url,
            change.deletes,
            now.0,
        ],
        rows::chat,
    )
    .optional()
}

/// A member from now on, perhaps again.
fn come(db: &Connection, member: &Member) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "INSERT INTO members (chat_id, user_id, role, joined_at, visible_from,
           delivered_to, delivered_more, read_to, read_more)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, x'', ?6, x'')
         ON CONFLICT (chat_id, user_id) DO UPDATE SET role = ?3, joined_at = ?4,
           visible_from = ?5, delivered_to = ?6, delivered_more = x'', read_to = ?6,
           read_more = x'', left_at = NULL, left_revision = 0, pinned_at = NULL, archived = 0,
           muted_until = NULL, level = 1, level_until = NULL, settings_rev = settings_rev + (settings_rev > 0),
           settings_at = iif(settings_rev > 0, ?4, settings_at)
         WHERE left_at IS NOT NULL",
    )?
    .execute(params![
        member.chat.0.as_bytes(),
        member.user.as_str(),
        rows::role_number(member.role),
        member.joined_at.0,
        member.visible_from,
        member.read.to(),
    ])
}

/// One goes, or, where none is named, all do.
fn leave(
    db: &Connection,
    now: Timestamp,
    chat: &Chat,
    user: Option<&UserId>,
) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "UPDATE members SET left_at = ?3, left_revision = ?4
         WHERE chat_id = ?1 AND (?2 IS NULL OR user_id = ?2) AND left_at IS NULL",
    )?
    .execute(params![chat.id.0.as_bytes(), user.map(UserId::as_str), now.0, chat.revision])
}

fn set_role(db: &Connection, chat: ChatId, user: &UserId, role: Role) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "UPDATE members SET role = ?3 WHERE chat_id = ?1 AND user_id = ?2 AND left_at IS NULL",
    )?
    .execute(params![chat.0.as_bytes(), user.as_str(), rows::role_number(role)])
}

/// Those of the same role, then those of lower ones: each a walk along the index.
fn members_page(
    db: &Connection,
    chat: ChatId,
    behind: Option<&MemberPlace>,
    limit: u32,
) -> rusqlite::Result<Vec<Member>> {
    let order = "ORDER BY m.role DESC, m.joined_at, m.user_id LIMIT";
    let (mut page, mut below) = (Vec::new(), i64::MAX);
    if let Some(place) = behind {
        below = rows::role_number(place.role);
        page = chats::select(
            db,
            &format!(
                "WHERE m.chat_id = ?1 AND m.left_at IS NULL AND m.role = ?2
                   AND (m.joined_at, m.user_id) > (?3, ?4) {order} ?5"
            ),
            params![chat.0.as_bytes(), below, place.joined_at.0, place.user.as_str(), limit],
        )?;
    }
    let left = limit - u32::try_from(page.len()).unwrap_or(limit);
    page.extend(chats::select(
        db,
        &format!("WHERE m.chat_id = ?1 AND m.left_at IS NULL AND m.role < ?2 {order} ?3"),
        params![chat.0.as_bytes(), below, left],
    )?);
    Ok(page)
}

fn pinned(db: &Connection, user: &UserId) -> rusqlite::Result<u32> {
    db.prepare_cached(
        "SELECT count(*) FROM members
         WHERE user_id = ?1 AND left_at IS NULL AND pinned_at IS NOT NULL",
    )?
    .query_row([user.as_str()], |row| row.get(0))
}

fn put_settings(
    db: &Connection,
    now: Timestamp,
    (chat, user): (ChatId, &UserId),
    wish: SettingsWish,
    max_pinned: u32,
) -> rusqlite::Result<SettingsPut> {
    let member = chats::member(db, chat, user)?.filter(|member| member.left_at.is_none());
    let Some(member) = member else { return Ok(SettingsPut::NoMember) };
    let Some(new) = wish.applied(&member.settings, now) else {
        return Ok(SettingsPut::Put(member.settings, false));
    };
    if SettingsWish::pins(&member.settings, &new) && pinned(db, user)? >= max_pinned {
        return Ok(SettingsPut::TooManyPinned);
    }
    db.prepare_cached(
        "UPDATE members SET pinned_at = ?3, archived = ?4, muted_until = ?5,
           settings_rev = ?6, settings_at = ?7, level = ?8, level_until = ?9
         WHERE chat_id = ?1 AND user_id = ?2",
    )?
    .execute(params![
        chat.0.as_bytes(),
        user.as_str(),
        new.pinned_at.map(|at| at.0),
        new.archived,
        new.muted_until.map(|at| at.0),
        new.revision,
        now.0,
        new.level.number(),
        new.level_until.map(|at| at.0),
    ])?;
    Ok(SettingsPut::Put(new, true))
}
