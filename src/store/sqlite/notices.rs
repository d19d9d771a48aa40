//! How users want to be told, and their notifications in the app.

use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{SqliteStore, each_once, rows};
use crate::clock::Timestamp;
use crate::model::{ChatId, MessageId, Notice, NoticeKind, Preferences, UserId};
use crate::store::{
    COUNT_CAP, NoticeChoice, NoticeQuery, Notices, NoticesKept, Result, StoreError,
};

/// What [`read_notice`] reads, in its order.
const NOTICE: &str = "id, user_id, kind, chat_id, message_id, seq, version, actor_id, count, \
     emoji, updated_at, read";

#[async_trait]
impl Notices for SqliteStore {
    async fn preferences(&self, users: &[UserId]) -> Result<Vec<(UserId, Preferences)>> {
        let users = each_once(users);
        self.readers
            .ask(move |db| {
                let mut found = Vec::new();
                for user in users {
                    if let Some(preferences) = preferences(db, &user)? {
                        found.push((user, preferences));
                    }
                }
                Ok(found)
            })
            .await
    }

    async fn put_preferences(&self, user: &UserId, new: Preferences) -> Result<Preferences> {
        let user = user.clone();
        self.writer.ask(move |db, _| put_preferences(db, &user, new)).await
    }

    async fn put_notices(&self, notices: Vec<Notice>, kept: NoticesKept) -> Result<Vec<Notice>> {
        self.writer.ask(move |db, now| Ok(put_notices(db, now, &notices, kept)?)).await
    }

    async fn correct_notices(
        &self,
        notices: Vec<Notice>,
        kept: NoticesKept,
    ) -> Result<Vec<Notice>> {
        self.writer.ask(move |db, now| Ok(correct_notices(db, now, &notices, kept)?)).await
    }

    async fn notices(&self, query: NoticeQuery) -> Result<Vec<Notice>> {
        let now = self.clock.now();
        self.readers.ask(move |db| notices(db, now, &query)).await
    }

    async fn notices_by_id(&self, ids: &[Uuid]) -> Result<Vec<Notice>> {
        let (ids, now) = (each_once(ids), self.clock.now());
        self.readers
            .ask(move |db| {
                let mut find = db.prepare_cached(&format!(
                    "SELECT {NOTICE} FROM notices WHERE id = ?1 AND expires_at > ?2"
                ))?;
                let mut find = |id: &Uuid| {
                    find.query_row(params![id.as_bytes(), now.0], read_notice).optional()
                };
                ids.iter().filter_map(|id| find(id).transpose()).collect()
            })
            .await
    }

    async fn count_unread_notices(&self, users: &[UserId]) -> Result<Vec<u32>> {
        let (users, now) = (users.to_vec(), self.clock.now());
        self.readers
            .ask(move |db| {
                let mut count = db.prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM notices
                     WHERE user_id = ?1 AND NOT read AND expires_at > ?2 LIMIT ?3)",
                )?;
                let count = |user: &UserId| {
                    count.query_row(params![user.as_str(), now.0, COUNT_CAP], |row| row.get(0))
                };
                users.iter().map(count).collect()
            })
            .await
    }

    async fn read_notices(&self, user: &UserId, which: NoticeChoice) -> Result<u32> {
        let user = user.clone();
        self.writer.ask(move |db, _| Ok(read_notices(db, &user, &which)?)).await
    }

    async fn forget_notices(&self, user: &UserId) -> Result<()> {
        let user = user.clone();
        self.writer
            .ask(move |db, _| {
                for table in ["notices", "preferences"] {
                    db.prepare_cached(&format!("DELETE FROM {table} WHERE user_id = ?1"))?
                        .execute([user.as_str()])?;
                }
                Ok(())
            })
            .await
    }
}

fn preferences(db: &Connection, user: &UserId) -> rusqlite::Result<Option<Preferences>> {
    db.prepare_cached("SELECT body FROM preferences WHERE user_id = ?1")?
        .query_row([user.as_str()], |row| {
            let body: String = row.get(0)?;
            serde_json::from_str(&body).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
            })
        })
        .optional()
}

fn put_preferences(db: &Connection, user: &UserId, new: Preferences) -> Result<Preferences> {
    let old = preferences(db, user)?.unwrap_or_default();
    let new = Preferences { revision: old.revision, ..new };
    if new == old {
        return Ok(old);
    }
    let new = Preferences { revision: old.revision + 1, ..new };
    let body = serde_json::to_string(&new).map_err(|error| StoreError::Broken(error.into()))?;
    db.prepare_cached(
        "INSERT INTO preferences (user_id, body) VALUES (?1, ?2)
         ON CONFLICT (user_id) DO UPDATE SET body = excluded.body",
    )?
    .execute(params![user.as_str(), body])?;
    Ok(new)
}

fn put_notices(
    db: &Connection,
    now: Timestamp,
    notices: &[Notice],
    kept: NoticesKept,
) -> rusqlite::Result<Vec<Notice>> {
    db.prepare_cached("DELETE FROM notices WHERE expires_at <= ?1")?.execute([now.0])?;
    let mut put = db.prepare_cached(
        "INSERT INTO notices (id, user_id, kind, chat_id, message_id, seq, version, actor_id, count,
           emoji, updated_at, expires_at, read)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0)
         ON CONFLICT (id) DO UPDATE SET message_id = ?5, seq = ?6, version = ?7, actor_id = ?8,
           count = ?9, emoji = ?10, updated_at = ?11, expires_at = ?12, read = 0
         WHERE excluded.version > version",
    )?;
    let mut trim = db.prepare_cached(
        "DELETE FROM notices WHERE user_id = ?1 AND (updated_at, id) <= (
           SELECT updated_at, id FROM notices WHERE user_id = ?1
           ORDER BY updated_at DESC, id DESC LIMIT 1 OFFSET ?2)",
    )?;
    let mut taken = Vec::new();
    for notice in notices {
        let changed = put.execute(params![
            notice.id.as_bytes(),
            notice.user.as_str(),
            notice.kind.number(),
            notice.chat.0.as_bytes(),
            notice.message.0.as_bytes(),
            notice.seq,
            notice.version,
            notice.actor.as_ref().map(UserId::as_str),
            notice.count,
            notice.emoji,
            now.0,
            now.plus(kept.age).0,
        ])?;
        if changed > 0 {
            trim.execute(params![notice.user.as_str(), kept.most])?;
            taken.push(Notice { updated_at: now, read: false, ..notice.clone() });
        }
    }
    Ok(taken)
}

fn correct_notices(
    db: &Connection,
    now: Timestamp,
    notices: &[Notice],
    kept: NoticesKept,
) -> rusqlite::Result<Vec<Notice>> {
    let mut correct = db.prepare_cached(&format!(
        "UPDATE notices SET version = ?2, actor_id = ?3, count = ?4, emoji = ?5,
           updated_at = iif(?4 = 0, ?6, updated_at + 1), read = (?4 = 0 OR read)
         WHERE id = ?1 AND version <= ?2 AND (count <> ?4 OR emoji <> ?5 OR actor_id IS NOT ?3)
         RETURNING {NOTICE}"
    ))?;
    let mut bury = db.prepare_cached(
        "INSERT OR IGNORE INTO notices (id, user_id, kind, chat_id, message_id, seq, version,
           actor_id, count, emoji, updated_at, expires_at, read)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, 1)",
    )?;
    let mut corrected = Vec::new();
    for notice in notices {
        let actor = notice.actor.as_ref().map(UserId::as_str);
        let (id, version, emoji) = (notice.id.as_bytes(), notice.version, &notice.emoji);
        corrected.extend(
            correct
                .query_row(params![id, version, actor, notice.count, emoji, now.0], read_notice)
                .optional()?,
        );
        if notice.count == 0 {
            bury.execute(params![
                id,
                notice.user.as_str(),
                notice.kind.number(),
                notice.chat.0.as_bytes(),
                notice.message.0.as_bytes(),
                notice.seq,
                version,
                actor,
                emoji,
                now.0,
                now.plus(kept.age).0,
            ])?;
        }
    }
    Ok(corrected)
}

fn notices(db: &Connection, now: Timestamp, query: &NoticeQuery) -> rusqlite::Result<Vec<Notice>> {
    let (at, id) = query.after.unwrap_or((Timestamp(i64::MAX), Uuid::max()));
    let which = match query.read {
        None => "",
        Some(true) => "AND read",
        Some(false) => "AND NOT read",
    };
    db.prepare_cached(&format!(
        "SELECT {NOTICE} FROM notices WHERE user_id = ?1 {which} AND updated_at >= ?2
           AND (updated_at, id) < (?3, ?4) AND expires_at > ?5 AND (count > 0 OR ?7)
         ORDER BY updated_at DESC, id DESC LIMIT ?6"
    ))?
    .query_map(
        params![
            query.user.as_str(),
            query.since.0,
            at.0,
            id.as_bytes(),
            now.0,
            query.limit,
            query.gone
        ],
        read_notice,
    )?
    .collect()
}

fn read_notice(row: &Row<'_>) -> rusqlite::Result<Notice> {
    let actor: Option<String> = row.get(7)?;
    Ok(Notice {
        id: rows::uuid(row, 0)?,
        user: rows::user_id(row, 1)?,
        kind: NoticeKind::from_number(row.get(2)?).ok_or_else(|| rows::impossible(2, "kind"))?,
        chat: ChatId(rows::uuid(row, 3)?),
        message: MessageId(rows::uuid(row, 4)?),
        seq: row.get(5)?,
        version: row.get(6)?,
        actor: actor.as_deref().map(UserId::new),
        count: row.get(8)?,
        emoji: row.get(9)?,
        updated_at: Timestamp(row.get(10)?),
        read: row.get(11)?,
    })
}

fn read_notices(db: &Connection, user: &UserId, which: &NoticeChoice) -> rusqlite::Result<u32> {
    let mut one = db.prepare_cached(
        "UPDATE notices SET read = 1 WHERE id = ?1 AND user_id = ?2 AND version <= ?3 AND NOT read",
    )?;
    let mut mark =
        |id: &Uuid, version: u32| one.execute(params![id.as_bytes(), user.as_str(), version]);
    let mut count = 0;
    match which {
        NoticeChoice::These(these) => {
            for (id, version) in these {
                count += mark(id, *version)?;
            }
        }
        NoticeChoice::Named(ids) => {
            for id in ids {
                count += mark(id, u32::MAX)?;
            }
        }
        NoticeChoice::Until(at) => {
            count = db
                .prepare_cached(
                    "UPDATE notices SET read = 1
                     WHERE user_id = ?1 AND NOT read AND updated_at <= ?2",
                )?
                .execute(params![user.as_str(), at.0])?;
        }
    }
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
