//! What messages are found by: a row of `found_by` a message, kept true by whoever changes it.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::log;
use super::rows;
use crate::model::{ChatId, MessageId};
use crate::store::{Found, Search};

/// Messages of all chats with these words that one page looks at: some 10 ms.
const LOOKED_AT: u32 = 5_000;

/// Up to so many chats are named in the question; of more, the answers are sieved.
const CHATS_NAMED: usize = 64;

/// Ids are made before messages are stored: two may stand in the other order for this long.
const SLACK: Duration = Duration::from_secs(600);

/// Notes by which words the message in this row is found.
pub(super) fn put(
    db: &Connection,
    num: i64,
    chat: ChatId,
    words: &[String],
) -> rusqlite::Result<()> {
    if !words.is_empty() {
        db.prepare_cached("INSERT INTO found_by (rowid, chat, words) VALUES (?1, ?2, ?3)")?
            .execute(params![num, name(chat), words.join(" ")])?;
    }
    Ok(())
}

/// Forgets them.
pub(super) fn take(db: &Connection, num: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM found_by WHERE rowid = ?1")?.execute([num])?;
    Ok(())
}

fn name(chat: ChatId) -> String {
    chat.0.simple().to_string()
}

/// One page, in the order of storing.
pub(super) fn find(db: &Connection, search: &Search) -> rusqlite::Result<Found> {
    let mut found = Found::default();
    let mut words = search.words.iter().chain(&search.prefix).peekable();
    let nothing = words.peek().is_none() || !words.all(|word| is_one(word));
    if nothing || search.limit == 0 || search.chats.is_empty() {
        return Ok(found);
    }
    let below = match search.after {
        Some(id) => num_of(db, id)?.unwrap_or(0),
        None => i64::MAX,
    };
    let chats: HashSet<ChatId> = search.chats.iter().copied().collect();
    let mut statement = db.prepare_cached(
        "SELECT m.num, m.id, m.chat_id, m.sender_id FROM found_by f JOIN messages m ON m.num = f.rowid
         WHERE found_by MATCH ?1 AND f.rowid < ?2 ORDER BY f.rowid DESC LIMIT ?3",
    )?;
    let mut rows = statement.query(params![question(search), below, LOOKED_AT])?;
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        looked_at += 1;
        let id = MessageId(rows::uuid(row, 1)?);
        if id.time().plus(SLACK) < search.from.time() {
            return Ok(found);
        }
        let sender: String = row.get(3)?;
        let of_sender = search.sender.as_ref().is_none_or(|wanted| wanted.as_str() == sender);
        let in_time = search.from <= id && id < search.until;
        if of_sender && in_time && chats.contains(&ChatId(rows::uuid(row, 2)?)) {
            let num: i64 = row.get(0)?;
            found.messages.extend(log::select(db, "WHERE num = ?1", [num])?);
        }
        if looked_at == LOOKED_AT || found.messages.len() >= search.limit as usize {
            found.next = Some(id);
            return Ok(found);
        }
    }
    Ok(found)
}

fn num_of(db: &Connection, id: MessageId) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT num FROM messages WHERE id = ?1")?
        .query_row([id.0.as_bytes()], |row| row.get(0))
        .optional()
}

/// Whether the tokenizer leaves it as it is; nothing else was ever put there.
fn is_one(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
}

/// The question as FTS5 takes it: every word a string of its own, so that none is an operator.
fn question(search: &Search) -> String {
    let mut words: Vec<String> = search.words.iter().map(|word| quoted(word)).collect();
    words.extend(search.prefix.as_deref().map(|prefix| format!("{} *", quoted(prefix))));
    let words = format!("words : ({})", words.join(" AND "));
    if search.chats.len() > CHATS_NAMED {
        return words;
    }
    let chats: Vec<String> = search.chats.iter().map(|chat| quoted(&name(*chat))).collect();
    format!("chat : ({}) AND {words}", chats.join(" OR "))
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}
