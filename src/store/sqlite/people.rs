//! Users: whom they have blocked, what they hide, whom they know.

use std::rc::Rc;

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::chats::FORMER;
use super::{SqliteStore, each_once, rows};
use crate::clock::Timestamp;
use crate::model::{ChatId, Privacy, Reserve, UserId};
use crate::store::{Block, People, Result, Shared, UNBLOCKED_KEPT};

#[async_trait]
impl People for SqliteStore {
    async fn block(&self, user: &UserId, other: &UserId, limit: u32) -> Result<Option<Block>> {
        let (user, other) = (user.clone(), other.clone());
        self.writer.ask(move |db, now| Ok(block(db, now, &user, &other, limit)?)).await
    }

    async fn unblock(&self, user: &UserId, other: &UserId) -> Result<Option<Block>> {
        let (user, other) = (user.clone(), other.clone());
        self.writer.ask(move |db, now| Ok(unblock(db, now, &user, &other)?)).await
    }

    async fn blocks(&self, user: &UserId, below: u32, limit: u32) -> Result<Vec<Block>> {
        let user = user.clone();
        let rest = "AND blocked AND revision < ?2 ORDER BY revision DESC LIMIT ?3";
        self.readers.ask(move |db| select(db, rest, params![user.as_str(), below, limit])).await
    }

    async fn changed_blocks(&self, user: &UserId, since: Timestamp) -> Result<Vec<Block>> {
        let user = user.clone();
        let rest = "AND at >= ?2 ORDER BY revision";
        self.readers.ask(move |db| select(db, rest, params![user.as_str(), since.0])).await
    }

    async fn blocked_between(&self, user: &UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        let (user, others) = (user.clone(), each_once(others));
        self.readers.ask(move |db| between(db, &user, &others)).await
    }

    async fn reserves(&self, users: &[UserId]) -> Result<Vec<Reserve>> {
        let users = each_once(users);
        self.readers.ask(move |db| reserves(db, &users)).await
    }

    async fn put_privacy(
        &self,
        user: &UserId,
        hide_last_active: Option<bool>,
        hide_read_receipts: Option<bool>,
    ) -> Result<Privacy> {
        let (user, hide) = (user.clone(), (hide_last_active, hide_read_receipts));
        self.writer.ask(move |db, _| Ok(put_privacy(db, &user, hide)?)).await
    }

    async fn shared(&self, user: &UserId, others: &[UserId]) -> Result<Vec<Shared>> {
        let (user, others, now) = (user.clone(), each_once(others), self.clock.now());
        self.readers.ask(move |db| shared(db, now, &user, &others)).await
    }

    async fn touch_receipts(&self, chat: ChatId) -> Result<()> {
        self.writer
            .ask(move |db, now| {
                db.prepare_cached("UPDATE members SET receipts_at = ?2 WHERE chat_id = ?1")?
                    .execute(params![chat.0.as_bytes(), now.0])?;
                Ok(())
            })
            .await
    }
}

fn read_block(row: &Row<'_>) -> rusqlite::Result<Block> {
    Ok(Block {
        user: rows::user_id(row, 0)?,
        blocked: row.get(1)?,
        at: Timestamp(row.get(2)?),
        revision: row.get(3)?,
    })
}

/// A user's blocks that the rest of a SELECT finds.
fn select(
    db: &Connection,
    rest: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Block>> {
    let select = "SELECT other_id, blocked, at, revision FROM blocks WHERE user_id = ?1";
    db.prepare_cached(&format!("{select} {rest}"))?.query_map(params, read_block)?.collect()
}

/// How the user's block of this one stands; `None`: there was none, or it is forgotten.
fn stands(db: &Connection, user: &UserId, other: &UserId) -> rusqlite::Result<Option<Block>> {
    let found = select(db, "AND other_id = ?2", params![user.as_str(), other.as_str()])?;
    Ok(found.into_iter().next())
}

fn block(
    db: &Connection,
    now: Timestamp,
    user: &UserId,
    other: &UserId,
    limit: u32,
) -> rusqlite::Result<Option<Block>> {
    if let Some(known) = stands(db, user, other)?.filter(|known| known.blocked) {
        return Ok(Some(known));
    }
    let count: u32 = db
        .prepare_cached("SELECT count(*) FROM blocks WHERE user_id = ?1 AND blocked")?
        .query_row([user.as_str()], |row| row.get(0))?;
    if count >= limit {
        return Ok(None);
    }
    change(db, now, user, other, true).map(Some)
}

fn unblock(
    db: &Connection,
    now: Timestamp,
    user: &UserId,
    other: &UserId,
) -> rusqlite::Result<Option<Block>> {
    let known = stands(db, user, other)?;
    if known.as_ref().is_none_or(|known| !known.blocked) {
        return Ok(known);
    }
    let changed = change(db, now, user, other, false)?;
    db.prepare_cached(
        "DELETE FROM blocks WHERE user_id = ?1 AND NOT blocked AND revision <= (
           SELECT revision FROM blocks WHERE user_id = ?1 AND NOT blocked
           ORDER BY revision DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute(params![user.as_str(), UNBLOCKED_KEPT])?;
    Ok(Some(changed))
}

fn change(
    db: &Connection,
    now: Timestamp,
    user: &UserId,
    other: &UserId,
    blocked: bool,
) -> rusqlite::Result<Block> {
    let revision = db
        .prepare_cached(
            "INSERT INTO reserves (user_id, revision) VALUES (?1, 1)
             ON CONFLICT (user_id) DO UPDATE SET revision = revision + 1 RETURNING revision",
        )?
        .query_row([user.as_str()], |row| row.get(0))?;
    db.prepare_cached(
        "INSERT INTO blocks (user_id, other_id, revision, at, blocked) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (user_id, other_id) DO UPDATE SET revision = excluded.revision,
           at = excluded.at, blocked = excluded.blocked",
    )?
    .execute(params![user.as_str(), other.as_str(), revision, now.0, blocked])?;
    Ok(Block { user: other.clone(), blocked, at: now, revision })
}

fn between(db: &Connection, user: &UserId, others: &[UserId]) -> rusqlite::Result<Vec<UserId>> {
    let mut statement = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM blocks WHERE user_id = ?1 AND other_id = ?2 AND blocked)
             OR EXISTS (SELECT 1 FROM blocks WHERE user_id = ?2 AND other_id = ?1 AND blocked)",
    )?;
    let mut found = Vec::new();
    for other in others {
        if statement.query_row([user.as_str(), other.as_str()], |row| row.get(0))? {
            found.push(other.clone());
        }
    }
    Ok(found)
}

fn reserves(db: &Connection, users: &[UserId]) -> rusqlite::Result<Vec<Reserve>> {
    let mut privacy = db.prepare_cached(
        "SELECT hide_last_active, hide_read_receipts FROM reserves WHERE user_id = ?1",
    )?;
    let mut found = Vec::new();
    for user in users {
        let privacy = privacy.query_row([user.as_str()], read_privacy).optional()?;
        let Some(privacy) = privacy else { continue };
        let blocks = select(db, "AND blocked ORDER BY other_id", [user.as_str()])?;
        let blocked = blocks.into_iter().map(|block| block.user).collect();
        found.push(Reserve { user: user.clone(), blocked, privacy });
    }
    Ok(found)
}

fn read_privacy(row: &Row<'_>) -> rusqlite::Result<Privacy> {
    Ok(Privacy { hide_last_active: row.get(0)?, hide_read_receipts: row.get(1)? })
}

fn put_privacy(
    db: &Connection,
    user: &UserId,
    (last_active, read_receipts): (Option<bool>, Option<bool>),
) -> rusqlite::Result<Privacy> {
    db.prepare_cached(
        "INSERT INTO reserves (user_id, hide_last_active, hide_read_receipts)
         VALUES (?1, coalesce(?2, 0), coalesce(?3, 0))
         ON CONFLICT (user_id) DO UPDATE SET
           hide_last_active = coalesce(?2, hide_last_active),
           hide_read_receipts = coalesce(?3, hide_read_receipts)
         RETURNING hide_last_active, hide_read_receipts",
    )?
    .query_row(params![user.as_str(), last_active, read_receipts], read_privacy)
}

fn shared(
    db: &Connection,
    now: Timestamp,
    user: &UserId,
    others: &[UserId],
) -> rusqlite::Result<Vec<Shared>> {
    let others: Vec<Value> = others.iter().map(|other| Value::Text(other.to_string())).collect();
    let mut statement = db.prepare_cached(
        "SELECT o.user_id, o.chat_id, o.left_at IS NULL AND m.left_at IS NULL
         FROM members o JOIN members m ON m.chat_id = o.chat_id AND m.user_id = ?1
         WHERE o.user_id IN rarray(?2)
           AND (o.left_at IS NULL OR (o.left_at > ?3 AND o.left_at > m.joined_at))
           AND (m.left_at IS NULL OR (m.left_at > ?3 AND m.left_at > o.joined_at))",
    )?;
    let former = now.minus(FORMER).0;
    statement
        .query_map(params![user.as_str(), Rc::new(others), former], |row| {
            let (user, chat) = (rows::user_id(row, 0)?, ChatId(rows::uuid(row, 1)?));
            Ok(Shared { user, chat, now: row.get(2)? })
        })?
        .collect()
}
