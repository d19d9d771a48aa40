//! Users, and the keys of the deployment.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, USER};
use crate::clock::Timestamp;
use crate::model::{User, UserId};
use crate::store::Keys;

/// Answers whether the name or the picture is another now, or the user was not met before.
pub(super) fn put_profile(
    db: &Connection,
    user: &UserId,
    (display_name, avatar_url): (&str, &str),
    issued_at: Timestamp,
) -> rusqlite::Result<bool> {
    let before: Option<(Option<i64>, String, String)> = db
        .prepare_cached("SELECT issued_at, display_name, avatar_url FROM users WHERE id = ?1")?
        .query_row([user.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let changes = match before {
        Some((Some(at), ..)) if at > issued_at.0 => return Ok(false),
        Some((Some(_), name, url)) => name != display_name || url != avatar_url,
        _ => true,
    };
    db.prepare_cached(
        "INSERT INTO users (id, display_name, avatar_url, issued_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name,
           avatar_url = excluded.avatar_url, issued_at = excluded.issued_at",
    )?
    .execute(params![user.as_str(), display_name, avatar_url, issued_at.0])?;
    Ok(changes)
}

pub(super) fn put_last_active(
    db: &Connection,
    user: &UserId,
    at: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO users (id, last_active) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET last_active = excluded.last_active
         WHERE last_active IS NULL OR last_active < excluded.last_active",
    )?
    .execute(params![user.as_str(), at.0])?;
    Ok(())
}

pub(super) fn users(db: &Connection, ids: &[UserId]) -> rusqlite::Result<Vec<User>> {
    let mut statement = db.prepare_cached(&format!("SELECT {USER} FROM users WHERE id = ?1"))?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(statement.query_row([id.as_str()], rows::user).optional()?);
    }
    Ok(found)
}

/// The keys, made now if they are not there.
pub(super) fn keys(db: &Connection) -> rusqlite::Result<Keys> {
    for use_ in ["content", "tokens"] {
        let key: [u8; 32] = rand::random();
        db.execute(
            "INSERT INTO keys (use, id, key) SELECT ?1, 1, ?2
             WHERE NOT EXISTS (SELECT 1 FROM keys WHERE use = ?1)",
            params![use_, key],
        )?;
    }
    let content =
        db.query_row("SELECT key FROM keys WHERE use = 'content'", [], |row| row.get(0))?;
    let tokens = db
        .prepare("SELECT id, key FROM keys WHERE use = 'tokens' ORDER BY id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Keys { content, tokens })
}

/// Writes something, to see that this can be done.
pub(super) fn ping(db: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO ping (one, at) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET at = ?1",
    )?
    .execute([now.0])?;
    Ok(())
}
