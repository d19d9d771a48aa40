//! Chats as they are kept, with their counts, and how far their messages are held.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::sets::{self, Kind};
use super::{decode, encode};
use crate::client::merge::{self, Count, millis};
use crate::clock::Timestamp;
use crate::model::Run;
use crate::proto;

/// How much of a chat's messages is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// First and last of what is held without a hole; both 0: nothing.
    pub(crate) floor: u32,
    /// See `floor`.
    pub(crate) solid: u32,
    /// Since when changes may be missing.
    pub(crate) stale: Option<Timestamp>,
    /// The newest message the server has told of.
    pub(crate) head: u32,
}

/// A chat as it is kept; `None`: not held, or left.
pub(crate) fn get(db: &Connection, chat: &str) -> rusqlite::Result<Option<proto::Chat>> {
    Ok(row(db, chat)?.and_then(|row| row.body.filter(|_| !row.removed)))
}

struct Kept {
    revision: i64,
    removed: bool,
    body: Option<proto::Chat>,
}

fn row(db: &Connection, chat: &str) -> rusqlite::Result<Option<Kept>> {
    db.prepare_cached("SELECT revision, removed, body FROM chats WHERE chat_id = ?1")?
        .query_row([chat], |row| {
            let body: Option<Vec<u8>> = row.get(2)?;
            let body = body.map(|bytes| decode(2, &bytes)).transpose()?;
            Ok(Kept { revision: row.get(0)?, removed: row.get(1)?, body })
        })
        .optional()
}

/// All chats that are held, in the order of the inbox.
pub(crate) fn all(db: &Connection) -> rusqlite::Result<Vec<proto::Chat>> {
    let mut statement = db.prepare_cached("SELECT body FROM chats WHERE NOT removed")?;
    let rows = statement.query_map([], |row| {
        let body: Option<Vec<u8>> = row.get(0)?;
        body.map(|bytes| decode::<proto::Chat>(0, &bytes)).transpose()
    })?;
    let mut chats: Vec<_> = rows.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    chats.sort_by_key(|chat| std::cmp::Reverse(millis(chat.updated_at.as_ref())));
    Ok(chats)
}

/// What merging a chat came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It was not held before.
    New,
    /// It was.
    Known,
    /// This copy is older than the caller's leaving.
    Left,
}

/// Takes a chat in, from an answer or an event. Sets grow, counts go by their rule.
pub(crate) fn merge(db: &Connection, me: &str, mut chat: proto::Chat) -> rusqlite::Result<Merged> {
    let id = chat.chat_id.clone();
    let held = row(db, &id)?;
    if let Some(held) = &held
        && held.removed
        && i64::from(chat.revision) <= held.revision
    {
        return Ok(Merged::Left);
    }
    let known = held.as_ref().is_some_and(|held| held.body.is_some() && !held.removed);
    let count = Count { unread: chat.unread_count.unwrap_or(0), last_seq: chat.last_seq };
    let count = chat.unread_count.map(|_| count);
    take_members(db, me, &mut chat)?;
    let body = merge::chat(held.and_then(|held| held.body), chat);
    ensure(db, &id)?;
    db.prepare_cached("UPDATE chats SET revision = ?2, removed = 0, body = ?3 WHERE chat_id = ?1")?
        .execute(params![id, body.revision, encode(&body)])?;
    if let Some(count) = count {
        adopt(db, &id, count)?;
    }
    Ok(if known { Merged::Known } else { Merged::New })
}

/// The receipts in a chat go to the sets; what is left says who is in it.
fn take_members(db: &Connection, me: &str, chat: &mut proto::Chat) -> rusqlite::Result<()> {
    let id = chat.chat_id.clone();
    for member in chat.members.iter_mut().chain(&mut chat.membership) {
        let (delivered, read) = (sets::runs(&member.delivered), sets::runs(&member.read));
        sets::add(db, &id, &member.user_id, Kind::Delivered, &delivered)?;
        sets::add(db, &id, &member.user_id, Kind::Delivered, &read)?;
        sets::add(db, &id, &member.user_id, Kind::Read, &read)?;
        member.delivered.clear();
        member.read.clear();
        if member.user_id == me {
            super::messages::forget_below(db, &id, member.visible_from_seq)?;
        }
    }
    chat.unread_count = None;
    chat.presence = None;
    if let Some(last) = &mut chat.last_message {
        last.state = 0;
    }
    Ok(())
}

/// A chat of which nothing but messages is known.
pub(crate) fn ensure(db: &Connection, chat: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO chats (chat_id) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([chat])?;
    Ok(())
}

/// The caller is in it no longer: forgets it, but for the revision, so that what is older does
/// not bring it back.
pub(crate) fn remove(db: &Connection, chat: &str, revision: u32) -> rusqlite::Result<bool> {
    let held = row(db, chat)?;
    if held.as_ref().is_some_and(|row| i64::from(revision) < row.revision) {
        return Ok(false);
    }
    forget(db, chat)?;
    db.execute(
        "INSERT INTO chats (chat_id, revision, removed) VALUES (?1, ?2, 1)",
        params![chat, revision],
    )?;
    Ok(held.is_some_and(|row| !row.removed))
}

/// Forgets a chat wholly. What waits for it and was for a peer waits for the peer again.
pub(crate) fn forget(db: &Connection, chat: &str) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE outbox SET chat_id = NULL
         WHERE chat_id = ?1 AND peer IS NOT NULL AND failed IS NULL",
        [chat],
    )?;
    for table in ["messages", "sets", "peers", "chats"] {
        db.execute(&format!("DELETE FROM {table} WHERE chat_id = ?1"), [chat])?;
    }
    Ok(())
}

/// With whom this direct chat is.
pub(crate) fn peer_of(db: &Connection, chat: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT user_id FROM peers WHERE chat_id = ?1")?
        .query_row([chat], |row| row.get(0))
        .optional()
}

/// The chat with this peer, if it is known.
pub(crate) fn with_peer(db: &Connection, peer: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT chat_id FROM peers WHERE user_id = ?1")?
        .query_row([peer], |row| row.get(0))
        .optional()
}

/// The chat with this peer has a name: what waits for it may go.
pub(crate) fn found_peer(db: &Connection, peer: &str, chat: &str) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO peers VALUES (?1, ?2) ON CONFLICT DO UPDATE SET chat_id = excluded.chat_id",
        [peer, chat],
    )?;
    super::outbox::address(db, peer, chat)
}

/// Takes a count by the rule.
pub(crate) fn adopt(db: &Connection, chat: &str, new: Count) -> rusqlite::Result<()> {
    let kept = count(db, chat)?.or(new);
    db.prepare_cached("UPDATE chats SET unread = ?2, counted_to = ?3 WHERE chat_id = ?1")?
        .execute(params![chat, kept.unread, kept.last_seq])?;
    Ok(())
}

fn count(db: &Connection, chat: &str) -> rusqlite::Result<Count> {
    let count = db
        .prepare_cached("SELECT unread, counted_to FROM chats WHERE chat_id = ?1")?
        .query_row([chat], |row| Ok(Count { unread: row.get(0)?, last_seq: row.get(1)? }))
        .optional()?;
    Ok(count.unwrap_or_default())
}

/// What to show as unread: the last count, less what was seen here since, and what came since.
pub(crate) fn unread(db: &Connection, me: &str, chat: &str) -> rusqlite::Result<u32> {
    let count = count(db, chat)?;
    let mut read = sets::get(db, chat, me, Kind::Read)?;
    let seen = sets::get(db, chat, me, Kind::Seen)?;
    let mut less = 0;
    for run in seen.minus(&read) {
        less += others_in(db, chat, run.first, run.last.min(count.last_seq))?;
    }
    read.union(&seen);
    let mut more = 0;
    for run in read.missing(count.last_seq + 1, u32::MAX) {
        more += others_in(db, chat, run.first, run.last)?;
    }
    Ok(count.unread.saturating_sub(less) + more)
}

fn others_in(db: &Connection, chat: &str, first: u32, last: u32) -> rusqlite::Result<u32> {
    db.prepare_cached(
        "SELECT COUNT(*) FROM messages
         WHERE chat_id = ?1 AND seq BETWEEN ?2 AND ?3 AND counts",
    )?
    .query_row(params![chat, first, last], |row| row.get(0))
}

/// How much of its messages is held.
pub(crate) fn held(db: &Connection, chat: &str) -> rusqlite::Result<Held> {
    let held = db
        .prepare_cached(
            "SELECT floor, solid, stale, counted_to,
                    (SELECT MAX(seq) FROM messages m WHERE m.chat_id = c.chat_id)
             FROM chats c WHERE chat_id = ?1",
        )?
        .query_row([chat], |row| {
            let newest: Option<u32> = row.get(4)?;
            let counted_to: u32 = row.get(3)?;
            Ok(Held {
                floor: row.get(0)?,
                solid: row.get(1)?,
                stale: row.get::<_, Option<i64>>(2)?.map(Timestamp),
                head: counted_to.max(newest.unwrap_or(0)),
            })
        })
        .optional()?;
    Ok(held.unwrap_or_default())
}

/// After a GAP: all that is held may lack changes since then, or since earlier.
pub(crate) fn all_stale(db: &Connection, since: Timestamp) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE chats SET stale = MIN(COALESCE(stale, ?1), ?1) WHERE NOT removed AND floor > 0",
        [since.0],
    )?;
    Ok(())
}

/// It has been mended.
pub(crate) fn not_stale(db: &Connection, chat: &str) -> rusqlite::Result<()> {
    db.execute("UPDATE chats SET stale = NULL WHERE chat_id = ?1", [chat])?;
    Ok(())
}

/// What the server is to be told of: what is held or seen here, less what it knows.
pub(crate) fn untold(
    db: &Connection,
    me: &str,
    chat: &str,
    kind: Kind,
) -> rusqlite::Result<Vec<Run>> {
    let told = sets::get(db, chat, me, kind)?;
    if kind == Kind::Delivered {
        return Ok(super::messages::kept_since(db, chat, told.to())?.minus(&told));
    }
    Ok(sets::get(db, chat, me, Kind::Seen)?.minus(&told))
}

/// The chats in which something may be untold.
pub(crate) fn ids(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare_cached("SELECT chat_id FROM chats WHERE NOT removed")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}
