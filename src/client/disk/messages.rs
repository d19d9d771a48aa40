//! Messages as they are kept, their ticks, and where there are holes.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::sets::{self, Kind};
use super::{chats, decode, encode};
use crate::client::merge;
use crate::model::{Run, SeqSet};
use crate::proto::{self, MessageState};

/// A message as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Its content.
    pub(crate) message: proto::Message,
    /// Of the own ones: how far it has come.
    pub(crate) state: MessageState,
    /// `None`: made here of an outbox row.
    pub(crate) revision: Option<u32>,
}

/// What merging a message came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It was not held before.
    New,
    /// It has another content than before.
    Changed,
    /// Nothing to show.
    Same,
}

/// A message the server has told of; `revision: None` is one made here.
pub(crate) fn merge(
    db: &Connection,
    me: &str,
    mut message: proto::Message,
    revision: Option<u32>,
) -> rusqlite::Result<Merged> {
    let (chat, seq) = (message.chat_id.clone(), message.seq);
    take_receipts(db, &mut message)?;
    let state = message.state();
    message.state = 0;
    let held = get(db, &chat, seq)?;
    let takes = match (&held, revision) {
        (None, _) => true,
        (Some(held), Some(new)) => merge::takes_content(held.revision, new),
        (Some(_), None) => false,
    };
    let own = message.sender_id == me;
    // What has a place in the chat is durable.
    let state = if own { state.max(MessageState::Sent) } else { state };
    let state = held.as_ref().map_or(state, |held| held.state.max(state));
    if !takes {
        raise(db, &chat, seq, state)?;
        return Ok(Merged::Same);
    }
    chats::ensure(db, &chat)?;
    db.prepare_cached(
        "INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET
         counts = excluded.counts, state = excluded.state, revision = excluded.revision,
         body = excluded.body",
    )?
    .execute(params![
        chat,
        seq,
        own,
        !own && merge::counts(&message),
        state as i32,
        revision.map_or(-1, i64::from),
        encode(&message)
    ])?;
    Ok(match held {
        None => Merged::New,
        Some(held) if held.revision.is_none() && held.message.text == message.text => Merged::Same,
        Some(_) => Merged::Changed,
    })
}

fn take_receipts(db: &Connection, message: &mut proto::Message) -> rusqlite::Result<()> {
    let Some(run) = Run::new(message.seq, message.seq) else { return Ok(()) };
    for user in std::mem::take(&mut message.delivered_to) {
        sets::add(db, &message.chat_id, &user, Kind::Delivered, &[run])?;
    }
    for user in std::mem::take(&mut message.read_by) {
        sets::add(db, &message.chat_id, &user, Kind::Delivered, &[run])?;
        sets::add(db, &message.chat_id, &user, Kind::Read, &[run])?;
    }
    Ok(())
}

/// One message.
pub(crate) fn get(db: &Connection, chat: &str, seq: u32) -> rusqlite::Result<Option<Kept>> {
    db.prepare_cached("SELECT body, state, revision FROM messages WHERE chat_id = ?1 AND seq = ?2")?
        .query_row(params![chat, seq], kept)
        .optional()
}

/// `first..=last`, ascending.
pub(crate) fn range(
    db: &Connection,
    chat: &str,
    first: u32,
    last: u32,
) -> rusqlite::Result<Vec<Kept>> {
    let mut statement = db.prepare_cached(
        "SELECT body, state, revision FROM messages
         WHERE chat_id = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq",
    )?;
    let rows = statement.query_map(params![chat, first, last], kept)?;
    rows.collect()
}

fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    let body: Vec<u8> = row.get(0)?;
    let state: i32 = row.get(1)?;
    Ok(Kept {
        message: decode(0, &body)?,
        state: MessageState::try_from(state).unwrap_or_default(),
        revision: u32::try_from(row.get::<_, i64>(2)?).ok(),
    })
}

/// What else one deletion says of a message.
pub(crate) fn delete(
    db: &Connection,
    me: &str,
    gone: &proto::MessageDeleted,
) -> rusqlite::Result<bool> {
    let Some(held) = get(db, &gone.chat_id, gone.seq)? else { return Ok(false) };
    let mut message = held.message;
    message.text = String::new();
    message.attachments.clear();
    message.reactions.clear();
    message.deleted_at = gone.deleted_at;
    message.revision = gone.revision;
    Ok(merge(db, me, message, Some(gone.revision))? == Merged::Changed)
}

/// The reactions to one message.
pub(crate) fn react(
    db: &Connection,
    me: &str,
    new: &proto::ReactionsUpdated,
) -> rusqlite::Result<bool> {
    let Some(held) = get(db, &new.chat_id, new.seq)? else { return Ok(false) };
    let mut message = held.message;
    message.reactions.clone_from(&new.reactions);
    message.revision = new.revision;
    Ok(merge(db, me, message, Some(new.revision))? == Merged::Changed)
}

/// Ticks only rise. Says whether they did.
pub(crate) fn raise(
    db: &Connection,
    chat: &str,
    seq: u32,
    state: MessageState,
) -> rusqlite::Result<bool> {
    let raised = db
        .prepare_cached(
            "UPDATE messages SET state = ?3
             WHERE chat_id = ?1 AND seq = ?2 AND own AND state < ?3",
        )?
        .execute(params![chat, seq, state as i32])?;
    Ok(raised > 0)
}

/// Own messages that may still rise, of those within these runs.
pub(crate) fn unticked(db: &Connection, chat: &str, runs: &[Run]) -> rusqlite::Result<Vec<Kept>> {
    let mut found = Vec::new();
    let mut statement = db.prepare_cached(
        "SELECT body, state, revision FROM messages
         WHERE chat_id = ?1 AND seq BETWEEN ?2 AND ?3 AND own AND state < 3 ORDER BY seq",
    )?;
    for run in runs {
        for row in statement.query_map(params![chat, run.first, run.last], kept)? {
            found.push(row?);
        }
    }
    Ok(found)
}

/// What is held above `seq`.
pub(crate) fn kept_since(db: &Connection, chat: &str, seq: u32) -> rusqlite::Result<SeqSet> {
    let mut statement =
        db.prepare_cached("SELECT seq FROM messages WHERE chat_id = ?1 AND seq > ?2")?;
    let seqs = statement.query_map(params![chat, seq], |row| row.get::<_, u32>(0))?;
    let seqs = seqs.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(SeqSet::from_parts(0, seqs.into_iter().filter_map(|seq| Run::new(seq, seq))))
}

/// Finds anew from where to where the messages are held without a hole. `from`: the run that
/// counts is the one around it, else the one that did before.
pub(crate) fn settle(db: &Connection, chat: &str, from: Option<u32>) -> rusqlite::Result<()> {
    let held = chats::held(db, chat)?;
    let (mut floor, mut solid) = match from {
        Some(seq) => (seq, seq),
        None if held.floor == 0 => {
            let newest = kept_since(db, chat, 0)?.max();
            (newest, newest)
        }
        None => (held.floor, held.solid),
    };
    let has = |seq: u32| -> rusqlite::Result<bool> {
        db.prepare_cached("SELECT 1 FROM messages WHERE chat_id = ?1 AND seq = ?2")?
            .exists(params![chat, seq])
    };
    while floor > 1 && has(floor - 1)? {
        floor -= 1;
    }
    while has(solid + 1)? {
        solid += 1;
    }
    db.prepare_cached("UPDATE chats SET floor = ?2, solid = ?3 WHERE chat_id = ?1")?
        .execute(params![chat, floor, solid])?;
    Ok(())
}

/// The next message above what is held without a hole, if there is one: before it is a hole.
pub(crate) fn beyond_hole(
    db: &Connection,
    chat: &str,
    solid: u32,
) -> rusqlite::Result<Option<u32>> {
    db.prepare_cached("SELECT MIN(seq) FROM messages WHERE chat_id = ?1 AND seq > ?2")?
        .query_row(params![chat, solid], |row| row.get(0))
}

/// What is below does not exist for the caller.
pub(crate) fn forget_below(db: &Connection, chat: &str, seq: u32) -> rusqlite::Result<()> {
    let held = chats::held(db, chat)?;
    if seq <= 1 || held.floor == 0 || held.floor >= seq {
        return Ok(());
    }
    db.execute("DELETE FROM messages WHERE chat_id = ?1 AND seq < ?2", params![chat, seq])?;
    if held.solid >= seq {
        db.execute("UPDATE chats SET floor = ?2 WHERE chat_id = ?1", params![chat, seq])?;
        return Ok(());
    }
    db.execute("UPDATE chats SET floor = 0, solid = 0 WHERE chat_id = ?1", [chat])?;
    settle(db, chat, None)
}
