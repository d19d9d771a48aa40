//! Who was signed out, and how much there is.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::SqliteStore;
use crate::clock::Timestamp;
use crate::model::UserId;
use crate::store::{Counts, REVOCATIONS_KEPT, Result, Revocation, Services};

#[async_trait]
impl Services for SqliteStore {
    async fn revoke(&self, user: &UserId) -> Result<Timestamp> {
        let user = user.clone();
        self.writer.ask(move |db, now| Ok(revoke(db, &user, now)?)).await
    }

    async fn revocations(&self, since: Timestamp, limit: u32) -> Result<Vec<Revocation>> {
        self.readers.ask(move |db| revocations(db, since, limit)).await
    }

    async fn counts(&self) -> Result<Counts> {
        self.readers.ask(counts).await
    }
}

fn revoke(db: &Connection, user: &UserId, now: Timestamp) -> rusqlite::Result<Timestamp> {
    db.prepare_cached("DELETE FROM revocations WHERE at < ?1")?
        .execute([now.minus(REVOCATIONS_KEPT).0])?;
    let at = db
        .prepare_cached(
            "INSERT INTO revocations (user_id, at) VALUES (?1, ?2)
             ON CONFLICT (user_id) DO UPDATE SET at = max(at, excluded.at) RETURNING at",
        )?
        .query_row(params![user.as_str(), now.0], |row| row.get(0))?;
    Ok(Timestamp(at))
}

fn revocations(db: &Connection, since: Timestamp, limit: u32) -> rusqlite::Result<Vec<Revocation>> {
    db.prepare_cached(
        "SELECT user_id, at FROM revocations WHERE at >= ?1 ORDER BY at, user_id LIMIT ?2",
    )?
    .query_map(params![since.0, limit], |row| {
        let user: String = row.get(0)?;
        Ok(Revocation { user: UserId::new(&user), at: Timestamp(row.get(1)?) })
    })?
    .collect()
}

/// Messages are never taken out, so the highest number tells how many there are; a `count(*)` would
/// read them all.
fn counts(db: &Connection) -> rusqlite::Result<Counts> {
    let one = |sql: &str| -> rusqlite::Result<u64> {
        let count: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    Ok(Counts {
        users: one("SELECT count(*) FROM users")?,
        chats: one("SELECT count(*) FROM chats")?,
        messages: one("SELECT coalesce(max(num), 0) FROM messages")?,
    })
}
