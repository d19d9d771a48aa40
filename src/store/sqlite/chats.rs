//! Chats and members.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::log;
use super::rows::{self, CHAT, MEMBER};
use crate::clock::Timestamp;
use crate::model::{Chat, ChatId, Member, UserId};
use crate::store::{Created, NewChat, Result};

/// For this long a former member's devices can learn that the user was removed.
pub(super) const FORMER: Duration = Duration::from_secs(7 * 24 * 3600);

/// Makes a chat with its members and its note, or finds the one of the key.
pub(super) fn create(db: &Connection, now: Timestamp, new: NewChat) -> Result<Created> {
    if let Some(there) = existing(db, &new)? {
        return Ok(found(there, new.content_hash));
    }
    let chat = Chat { id: new.id, deleted_at: None, untold: false, ..new.chat };
    insert(db, now, &chat, new.key.as_deref(), new.content_hash)?;
    let joined_at = new.id.time();
    for (user, role) in new.members {
        insert_member(db, &Member::new(new.id, user, role, joined_at, 1))?;
    }
    if let Some(mut note) = new.note {
        note.chat = new.id;
        log::insert(db, &note.at(1), &note.words)?;
    }
    Ok(Created::Chat(chat, true))
}

/// The chat of this key.
pub(super) fn find(
    db: &Connection,
    key: &str,
    content_hash: [u8; 16],
) -> rusqlite::Result<Option<Created>> {
    Ok(by(db, "key", [key])?.map(|there| found(there, content_hash)))
}

fn found((known, chat): ([u8; 16], Chat), content_hash: [u8; 16]) -> Created {
    if known != content_hash {
        Created::Reused
    } else if chat.deleted_at.is_some() {
        Created::Deleted
    } else {
        Created::Chat(chat, false)
    }
}

/// The chat of the key, or, without one, of the id; also a deleted one.
fn existing(db: &Connection, new: &NewChat) -> rusqlite::Result<Option<([u8; 16], Chat)>> {
    match &new.key {
        Some(key) => by(db, "key", [key]),
        None => by(db, "id", [new.id.0.as_bytes()]),
    }
}

fn by(
    db: &Connection,
    column: &str,
    is: impl Params,
) -> rusqlite::Result<Option<([u8; 16], Chat)>> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get("content_hash")?, rows::chat(row)?));
    let select = format!("SELECT {CHAT}, content_hash FROM chats WHERE {column} = ?1");
    db.prepare_cached(&select)?.query_row(is, read).optional()
}

fn insert(
    db: &Connection,
    now: Timestamp,
    chat: &Chat,
    key: Option<&str>,
    content_hash: [u8; 16],
) -> rusqlite::Result<()> {
    db.prepare_cached(&format!(
        "INSERT INTO chats ({CHAT}, key, content_hash, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
    ))?
    .execute(params![
        chat.id.0.as_bytes(),
        rows::kind_number(chat.kind),
        chat.title,
        chat.avatar_url,
        chat.created_by.as_str(),
        chat.member_count,
        chat.revision,
        chat.deleted_at.map(|at| at.0),
        key,
        content_hash,
        now.0,
    ])?;
    Ok(())
}

fn insert_member(db: &Connection, member: &Member) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO members (chat_id, user_id, role, joined_at, visible_from,
           delivered_to, delivered_more, read_to, read_more)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        member.chat.0.as_bytes(),
        member.user.as_str(),
        rows::role_number(member.role),
        member.joined_at.0,
        member.visible_from,
        member.delivered.to(),
        rows::more(&member.delivered),
        member.read.to(),
        rows::more(&member.read),
    ])?;
    Ok(())
}

pub(super) fn chats(db: &Connection, ids: &[ChatId]) -> rusqlite::Result<Vec<Chat>> {
    changed(db, ids, Timestamp(i64::MIN))
}

/// Those of `ids` that changed at or after `since`.
pub(super) fn changed(
    db: &Connection,
    ids: &[ChatId],
    since: Timestamp,
) -> rusqlite::Result<Vec<Chat>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {CHAT} FROM chats WHERE id = ?1 AND deleted_at IS NULL AND changed_at >= ?2"
    ))?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found
            .extend(statement.query_row(params![id.0.as_bytes(), since.0], rows::chat).optional()?);
    }
    Ok(found)
}

/// All members whom the rest of a SELECT finds, in chats that are there.
pub(super) fn select(
    db: &Connection,
    rest: &str,
    params: impl Params,
) -> rusqlite::Result<Vec<Member>> {
    select_places(
        db,
        &format!("JOIN chats c ON c.id = m.chat_id AND c.deleted_at IS NULL {rest}"),
        params,
    )
}

fn select_places(
    db: &Connection,
    rest: &str,
    params: impl Params,
) -> rusqlite::Result<Vec<Member>> {
    let mut statement = db.prepare_cached(&format!("SELECT {MEMBER} FROM members m {rest}"))?;
    statement.query_map(params, rows::member)?.collect()
}

pub(super) fn members(db: &Connection, chat: ChatId) -> rusqlite::Result<Vec<Member>> {
    select(
        db,
        "WHERE m.chat_id = ?1 AND m.left_at IS NULL ORDER BY m.joined_at, m.user_id",
        [chat.0.as_bytes()],
    )
}

pub(super) fn member(
    db: &Connection,
    chat: ChatId,
    user: &UserId,
) -> rusqlite::Result<Option<Member>> {
    let rest = "WHERE m.chat_id = ?1 AND m.user_id = ?2";
    let found = select(db, rest, params![chat.0.as_bytes(), user.as_str()])?;
    Ok(found.into_iter().next())
}

pub(super) fn pairs(db: &Connection, chats: &[ChatId]) -> rusqlite::Result<Vec<Member>> {
    let mut found = Vec::with_capacity(2 * chats.len());
    for chat in chats {
        found.extend(members(db, *chat)?);
    }
    Ok(found)
}

pub(super) fn memberships(
    db: &Connection,
    now: Timestamp,
    user: &UserId,
) -> rusqlite::Result<Vec<Member>> {
    select_places(
        db,
        "WHERE m.user_id = ?1 AND (m.left_at IS NULL OR m.left_at > ?2)",
        params![user.as_str(), now.minus(FORMER).0],
    )
}

pub(super) fn chats_of(
    db: &Connection,
    users: &[UserId],
) -> rusqlite::Result<Vec<(ChatId, UserId)>> {
    let mut chats =
        db.prepare_cached("SELECT chat_id FROM members WHERE user_id = ?1 AND left_at IS NULL")?;
    let mut found = Vec::new();
    for user in users {
        for chat in chats.query_map([user.as_str()], |row| rows::uuid(row, 0))? {
            found.push((ChatId(chat?), user.clone()));
        }
    }
    Ok(found)
}

pub(super) fn places(db: &Connection, of: &[(ChatId, UserId)]) -> rusqlite::Result<Vec<Member>> {
    let mut found = Vec::with_capacity(of.len());
    for (chat, user) in of {
        found.extend(member(db, *chat, user)?.filter(|member| member.left_at.is_none()));
    }
    Ok(found)
}

pub(super) fn count_memberships(db: &Connection, users: &[UserId]) -> rusqlite::Result<Vec<u32>> {
    let mut statement = db.prepare_cached(
        "SELECT count(*) FROM members m
         JOIN chats c ON c.id = m.chat_id AND c.deleted_at IS NULL
         WHERE m.user_id = ?1 AND m.left_at IS NULL",
    )?;
    users.iter().map(|user| statement.query_row([user.as_str()], |row| row.get(0))).collect()
}
