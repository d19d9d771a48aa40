//! The message log.

use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::rows::{self, MESSAGE};
use super::search;
use crate::clock::Timestamp;
use crate::model::{ChatId, MAX_SEQ, Message, MessageId, Run, Seq, UserId};
use crate::store::{
    AppendError, Appended, ChangeCursor, ChangedMessage, Head, NewMessage, Result, Span,
    StoreError, WrittenBy,
};

/// Puts a message behind the newest of its chat, or finds that it is there. Whoever is refused
/// is told so before anything is written.
pub(super) fn append(db: &Connection, new: &NewMessage) -> Result<Appended, AppendError> {
    let sender = new.sender.as_ref().map_or("", UserId::as_str);
    let (newest, num, member) = place(db, new.chat, sender)?;
    let refused = if new.sender.is_some() && !member {
        Some(AppendError::NotMember)
    } else {
        (newest >= MAX_SEQ).then_some(AppendError::Full)
    };
    if refused.is_none() {
        let message = new.at(newest + 1);
        if insert_once(db, &message, num, &new.words)? {
            return Ok(Appended { message: Arc::new(message), duplicate: false });
        }
    }
    // A repeat is known, also of one who has left since.
    match by_client_id(db, new.chat, sender, &new.client_message_id)? {
        Some(first) if first.content_hash != new.content_hash => Err(AppendError::Reused),
        Some(first) => Ok(Appended { message: Arc::new(first), duplicate: true }),
        None => Err(refused.unwrap_or_else(|| {
            StoreError::Broken("a message is neither new nor there".into()).into()
        })),
    }
}

/// The newest place of a chat, the next of all messages, and whether this user is a member.
fn place(db: &Connection, chat: ChatId, user: &str) -> rusqlite::Result<(Seq, i64, bool)> {
    db.prepare_cached(
        "SELECT
           (SELECT coalesce(max(seq), 0) FROM messages WHERE chat_id = ?1),
           (SELECT coalesce(max(num), 0) + 1 FROM messages),
           EXISTS (SELECT 1 FROM members m JOIN chats c ON c.id = m.chat_id AND c.deleted_at IS NULL
             WHERE m.chat_id = ?1 AND m.user_id = ?2 AND m.left_at IS NULL)",
    )?
    .query_row(params![chat.0.as_bytes(), user], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

/// Writes a message in its place, and what it is found by. One that is there is an error.
pub(super) fn insert(db: &Connection, message: &Message, words: &[String]) -> rusqlite::Result<()> {
    let num = db
        .prepare_cached("SELECT coalesce(max(num), 0) + 1 FROM messages")?
        .query_row([], |row| row.get(0))?;
    if insert_once(db, message, num, words)? {
        Ok(())
    } else {
        Err(rusqlite::Error::StatementChangedRows(0))
    }
}

/// The same; false: its sender has sent one under this id, and nothing was written. It returns
/// nothing but that: a statement with RETURNING has a savepoint, and each has the words of all
/// messages before it written, one by one, where a transaction's belong together.
fn insert_once(
    db: &Connection,
    message: &Message,
    num: i64,
    words: &[String],
) -> rusqlite::Result<bool> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "INSERT INTO messages ({MESSAGE}, num)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
             ON CONFLICT (chat_id, sender_id, client_message_id) DO NOTHING"
        )
    });
    let (note_kind, note) = rows::note_columns(message.note.as_ref())?;
    let values = params![
        message.chat.0.as_bytes(),
        message.seq,
        message.id.0.as_bytes(),
        message.sender.as_ref().map_or("", UserId::as_str),
        message.client_message_id,
        message.content_hash,
        note_kind,
        note,
        message.edited_at.map(|at| at.0),
        message.deleted_at.map(|at| at.0),
        message.revision,
        message.reply_to.map(|(id, _)| *id.0.as_bytes()),
        message.reply_to.map(|(_, seq)| seq),
        message.text,
        rows::mentions_column(&message.mentions),
        rows::reactions_column(&message.reactions)?,
        rows::attachments_column(&message.attachments)?,
        num,
    ];
    let new = db.prepare_cached(&SQL)?.execute(values)? == 1;
    if new {
        search::put(db, num, message.chat, words)?;
    }
    Ok(new)
}

/// All messages that the rest of a SELECT finds.
pub(super) fn select(
    db: &Connection,
    rest: &str,
    params: impl Params,
) -> rusqlite::Result<Vec<Message>> {
    let mut statement = db.prepare_cached(&format!("SELECT {MESSAGE} FROM messages {rest}"))?;
    statement.query_map(params, rows::message)?.collect()
}

/// What `sender` ('': the service) sent under this id.
pub(super) fn by_client_id(
    db: &Connection,
    chat: ChatId,
    sender: &str,
    client_message_id: &str,
) -> rusqlite::Result<Option<Message>> {
    let found = select(
        db,
        "WHERE chat_id = ?1 AND sender_id = ?2 AND client_message_id = ?3",
        params![chat.0.as_bytes(), sender, client_message_id],
    )?;
    Ok(found.into_iter().next())
}

fn head(db: &Connection, chat: ChatId) -> rusqlite::Result<Option<Head>> {
    db.prepare_cached("SELECT seq, id FROM messages WHERE chat_id = ?1 ORDER BY seq DESC LIMIT 1")?
        .query_row([chat.0.as_bytes()], |row| {
            Ok(Head { chat, seq: row.get(0)?, id: MessageId(rows::uuid(row, 1)?) })
        })
        .optional()
}

pub(super) fn heads(db: &Connection, chats: &[ChatId]) -> rusqlite::Result<Vec<Head>> {
    chats.iter().filter_map(|chat| head(db, *chat).transpose()).collect()
}

pub(super) fn history(
    db: &Connection,
    chat: ChatId,
    span: Span,
    from: Seq,
    limit: u32,
) -> rusqlite::Result<Vec<Message>> {
    let (rest, edge) = match span {
        Span::Before(seq) => {
            ("WHERE chat_id = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?4", seq)
        }
        Span::After(seq) => {
            ("WHERE chat_id = ?1 AND seq >= ?2 AND seq > ?3 ORDER BY seq LIMIT ?4", seq)
        }
    };
    select(db, rest, params![chat.0.as_bytes(), from, edge, limit])
}

pub(super) fn messages(
    db: &Connection,
    places: &[(ChatId, Seq)],
) -> rusqlite::Result<Vec<Message>> {
    let mut found = Vec::with_capacity(places.len());
    for (chat, seq) in places {
        let rest = "WHERE chat_id = ?1 AND seq = ?2";
        found.extend(select(db, rest, params![chat.0.as_bytes(), seq])?);
    }
    Ok(found)
}

pub(super) fn message(
    db: &Connection,
    chat: ChatId,
    id: MessageId,
) -> rusqlite::Result<Option<Message>> {
    let rest = "WHERE id = ?1 AND chat_id = ?2";
    let found = select(db, rest, params![id.0.as_bytes(), chat.0.as_bytes()])?;
    Ok(found.into_iter().next())
}

pub(super) fn by_id(
    db: &Connection,
    after: MessageId,
    limit: u32,
) -> rusqlite::Result<Vec<Message>> {
    select(db, "WHERE id > ?1 ORDER BY id LIMIT ?2", params![after.0.as_bytes(), limit])
}

pub(super) fn written_in(
    db: &Connection,
    writer: &WrittenBy,
    chats: &[ChatId],
) -> rusqlite::Result<Vec<ChatId>> {
    // Each a seek in the index, however much the user has written.
    let (sql, user) = match writer {
        WrittenBy::User(user) => {
            ("SELECT 1 FROM messages WHERE chat_id = ?1 AND sender_id = ?2 LIMIT 1", user)
        }
        WrittenBy::AnyoneBut(user) => (
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM messages
                 WHERE chat_id = ?1 AND sender_id > '' AND sender_id < ?2)
             OR EXISTS (SELECT 1 FROM messages WHERE chat_id = ?1 AND sender_id > ?2)",
            user,
        ),
    };
    let mut statement = db.prepare_cached(sql)?;
    let mut found = Vec::new();
    for chat in chats {
        if statement.exists(params![chat.0.as_bytes(), user.as_str()])? {
            found.push(*chat);
        }
    }
    Ok(found)
}

pub(super) fn senders(
    db: &Connection,
    chat: ChatId,
    runs: &[Run],
) -> rusqlite::Result<Vec<UserId>> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT sender_id FROM messages
         WHERE chat_id = ?1 AND seq BETWEEN ?2 AND ?3 AND sender_id <> ''",
    )?;
    let mut found = Vec::new();
    for run in runs {
        let some = statement.query_map(params![chat.0.as_bytes(), run.first, run.last], |row| {
            rows::user_id(row, 0)
        })?;
        for user in some {
            found.push(user?);
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// A page of the changed ones, never cut through one place: two chats may have the same seq
/// changed at the same time, and a cursor could not tell them apart.
pub(super) fn changed(
    db: &Connection,
    chats: &[ChatId],
    after: ChangeCursor,
    limit: u32,
) -> rusqlite::Result<Vec<ChangedMessage>> {
    let chats = array(chats);
    let mut page = select_changed(
        db,
        "AND changed_at >= ?2 AND (changed_at > ?2 OR seq > ?3)
         ORDER BY changed_at, seq, chat_id LIMIT ?4",
        params![chats, after.at.0, after.seq, limit],
    )?;
    if let Some(last) = page.last()
        && page.len() >= usize::try_from(limit).unwrap_or(usize::MAX)
    {
        let (place, chat) = (last.cursor, last.message.chat);
        page.extend(select_changed(
            db,
            "AND changed_at = ?2 AND seq = ?3 AND chat_id > ?4 ORDER BY chat_id",
            params![chats, place.at.0, place.seq, chat.0.as_bytes()],
        )?);
    }
    Ok(page)
}

fn select_changed(
    db: &Connection,
    rest: &str,
    params: impl Params,
) -> rusqlite::Result<Vec<ChangedMessage>> {
    db.prepare_cached(&format!(
        "SELECT {MESSAGE}, changed_at FROM messages WHERE chat_id IN rarray(?1) {rest}"
    ))?
    .query_map(params, |row| {
        let message = rows::message(row)?;
        let cursor = ChangeCursor { at: Timestamp(row.get("changed_at")?), seq: message.seq };
        Ok(ChangedMessage { message, cursor })
    })?
    .collect()
}

/// Chats as one parameter, for `rarray`.
pub(super) fn array(chats: &[ChatId]) -> Rc<Vec<Value>> {
    Rc::new(chats.iter().map(|chat| Value::Blob(chat.0.as_bytes().to_vec())).collect())
}
