//! Receipts of members, and what follows from them.

use rusqlite::{Connection, OptionalExtension, params};

use super::{chats, log, rows};
use crate::clock::Timestamp;
use crate::model::{ChatId, Member, NoteKind, SeqSet};
use crate::store::{COUNT_CAP, Mark, UnreadQuery};

/// The sets of a member: delivered, read.
pub(super) type Sets = (SeqSet, SeqSet);

pub(super) fn mark(
    db: &Connection,
    now: Timestamp,
    marks: &[Mark],
) -> rusqlite::Result<Vec<Option<Sets>>> {
    marks.iter().map(|mark| join(db, now, mark)).collect()
}

fn join(db: &Connection, now: Timestamp, mark: &Mark) -> rusqlite::Result<Option<Sets>> {
    let Some(before) = sets(db, mark)? else { return Ok(None) };
    let (mut delivered, mut read) = before.clone();
    read.extend(mark.read.iter().copied());
    delivered.extend(mark.delivered.iter().copied());
    delivered.union(&read);
    let after = (delivered, read);
    if after != before {
        db.prepare_cached(
            "UPDATE members SET delivered_to = ?3, delivered_more = ?4,
               read_to = ?5, read_more = ?6, receipts_at = ?7
             WHERE chat_id = ?1 AND user_id = ?2",
        )?
        .execute(params![
            mark.chat.0.as_bytes(),
            mark.user.as_str(),
            after.0.to(),
            rows::more(&after.0),
            after.1.to(),
            rows::more(&after.1),
            now.0,
        ])?;
    }
    Ok(Some(after))
}

fn sets(db: &Connection, mark: &Mark) -> rusqlite::Result<Option<Sets>> {
    db.prepare_cached(
        "SELECT m.delivered_to, m.delivered_more, m.read_to, m.read_more FROM members m
         JOIN chats c ON c.id = m.chat_id AND c.deleted_at IS NULL
         WHERE m.chat_id = ?1 AND m.user_id = ?2 AND m.left_at IS NULL",
    )?
    .query_row(params![mark.chat.0.as_bytes(), mark.user.as_str()], |row| {
        Ok((rows::seq_set(row, 0)?, rows::seq_set(row, 2)?))
    })
    .optional()
}

pub(super) fn changed(
    db: &Connection,
    of: &[ChatId],
    since: Timestamp,
    limit: u32,
) -> rusqlite::Result<Vec<Member>> {
    chats::select(
        db,
        "WHERE m.chat_id IN rarray(?1) AND m.receipts_at >= ?2 AND m.left_at IS NULL LIMIT ?3",
        params![log::array(of), since.0, limit],
    )
}

pub(super) fn count_unread(db: &Connection, queries: &[UnreadQuery]) -> rusqlite::Result<Vec<u32>> {
    queries.iter().map(|query| count(db, query)).collect()
}

fn count(db: &Connection, query: &UnreadQuery) -> rusqlite::Result<u32> {
    let mut statement = db.prepare_cached(
        "SELECT count(*) FROM (
           SELECT 1 FROM messages
           WHERE chat_id = ?1 AND seq BETWEEN ?2 AND ?3 AND sender_id <> ?4
             AND deleted_at IS NULL AND (note_kind IS NULL OR note_kind = ?5)
           LIMIT ?6)",
    )?;
    let mut count = 0;
    for run in &query.runs {
        count += statement.query_row(
            params![
                query.chat.0.as_bytes(),
                run.first,
                run.last,
                query.user.as_str(),
                NoteKind::Announcement.number(),
                COUNT_CAP - count,
            ],
            |row| row.get::<_, u32>(0),
        )?;
        if count >= COUNT_CAP {
            break;
        }
    }
    Ok(count)
}
