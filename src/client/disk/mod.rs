//! What a client keeps: one SQLite file a server and user.
//!
//! Everything the contract tells a client to put on its disk is here, and what belongs together
//! is written in one transaction. Two clients never share a file: it is locked while open.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use prost::bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::clock::Timestamp;

pub(super) mod chats;
pub(super) mod messages;
pub(super) mod outbox;
pub(super) mod sets;
pub(super) mod ticks;

/// Of the tables below; a file of another is not touched.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE me (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    device_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    resume_token BLOB NOT NULL,
    as_of INTEGER NOT NULL
);
-- floor..=solid: what is held without a hole. stale: since when changes may be missing.
CREATE TABLE chats (
    chat_id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL DEFAULT -1,
    removed INTEGER NOT NULL DEFAULT 0,
    body BLOB,
    unread INTEGER NOT NULL DEFAULT 0,
    counted_to INTEGER NOT NULL DEFAULT 0,
    floor INTEGER NOT NULL DEFAULT 0,
    solid INTEGER NOT NULL DEFAULT 0,
    stale INTEGER
) WITHOUT ROWID;
-- revision -1: made here of an outbox row. counts: of others, may be unread.
CREATE TABLE messages (
    chat_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    own INTEGER NOT NULL,
    counts INTEGER NOT NULL,
    state INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (chat_id, seq)
) WITHOUT ROWID;
CREATE INDEX unticked ON messages (chat_id, seq) WHERE own AND state < 3;
CREATE TABLE sets (
    chat_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind INTEGER NOT NULL,
    runs TEXT NOT NULL,
    PRIMARY KEY (chat_id, user_id, kind)
) WITHOUT ROWID;
CREATE TABLE peers (user_id TEXT PRIMARY KEY, chat_id TEXT NOT NULL) WITHOUT ROWID;
-- chat_id NULL: a direct chat with peer that the server has not named yet.
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    client_message_id TEXT NOT NULL UNIQUE,
    chat_id TEXT,
    peer TEXT,
    text TEXT NOT NULL,
    written_at INTEGER NOT NULL,
    failed TEXT
);
";

/// Why what is kept cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Two programs must not be one device.
    #[error("{0} is in use by another run; end that one, or give this one its own --state")]
    InUse(PathBuf),
    /// Made by another version.
    #[error("{0} was made by another version of adda; move it away to begin anew")]
    Version(PathBuf),
    /// The file system.
    #[error("cannot open {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The database.
    #[error("cannot open {0}: {1}")]
    Database(PathBuf, rusqlite::Error),
}

/// Where to resume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// Empty: from now.
    pub(super) token: Bytes,
    /// Until when it covers changes.
    pub(super) as_of: Timestamp,
}

/// What is kept.
#[derive(Debug)]
pub(super) struct Disk {
    db: Connection,
    /// Held while the file is open; the system lets go of it however this process ends.
    _lock: Option<File>,
}

impl Disk {
    /// Opens the file, or a new one.
    pub(super) fn open(file: &Path) -> Result<Self, StateError> {
        let io = |error| StateError::File(file.to_owned(), error);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let lock = File::create(file.with_extension("lock")).map_err(io)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StateError::InUse(file.to_owned()),
            TryLockError::Error(error) => io(error),
        })?;
        let broken = |error| StateError::Database(file.to_owned(), error);
        let db = Connection::open(file).map_err(broken)?;
        Self::prepare(db, Some(lock))
            .map_err(broken)?
            .ok_or_else(|| StateError::Version(file.to_owned()))
    }

    /// Keeps everything in memory: a device that forgets when it ends.
    pub(super) fn in_memory() -> Result<Self, StateError> {
        let broken = |error| StateError::Database(":memory:".into(), error);
        let db = Connection::open_in_memory().map_err(broken)?;
        Self::prepare(db, None)
            .map_err(broken)?
            .ok_or_else(|| StateError::Version(":memory:".into()))
    }

    fn prepare(mut db: Connection, lock: Option<File>) -> rusqlite::Result<Option<Self>> {
        db.busy_timeout(Duration::from_secs(5))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.set_prepared_statement_cache_capacity(64);
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            let tables = db.transaction()?;
            tables.execute_batch(TABLES)?;
            tables.pragma_update(None, "user_version", VERSION)?;
            tables.commit()?;
        } else if version != VERSION {
            return Ok(None);
        }
        Ok(Some(Self { db, _lock: lock }))
    }

    /// To read.
    pub(super) fn db(&self) -> &Connection {
        &self.db
    }

    /// All of it or nothing.
    pub(super) fn write<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let out = change(&transaction)?;
        transaction.commit()?;
        Ok(out)
    }

    /// Counts one more stream, and says who this device is. `new_id` names it the first time.
    pub(super) fn next_stream(&mut self, new_id: &str) -> rusqlite::Result<(String, u32)> {
        self.write(|db| {
            db.execute(
                "INSERT INTO me VALUES (1, ?1, 1, x'', 0)
                 ON CONFLICT (id) DO UPDATE SET generation = generation + 1",
                [new_id],
            )?;
            db.query_row("SELECT device_id, generation FROM me", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
        })
    }
}

/// Where to resume.
pub(super) fn checkpoint(db: &Connection) -> rusqlite::Result<Checkpoint> {
    let kept = db
        .query_row("SELECT resume_token, as_of FROM me", [], |row| {
            let token: Vec<u8> = row.get(0)?;
            Ok(Checkpoint { token: token.into(), as_of: Timestamp(row.get(1)?) })
        })
        .optional()?;
    Ok(kept.unwrap_or_default())
}

/// Keeps where to resume, in the transaction of what it covers or after it.
pub(super) fn keep_checkpoint(db: &Connection, at: &Checkpoint) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE me SET resume_token = ?1, as_of = ?2",
        params![at.token.as_ref(), at.as_of.0],
    )?;
    Ok(())
}

/// A message of the contract as a column.
fn encode(message: &impl prost::Message) -> Vec<u8> {
    message.encode_to_vec()
}

/// The same, back.
fn decode<M: prost::Message + Default>(column: usize, bytes: &[u8]) -> rusqlite::Result<M> {
    M::decode(bytes).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Blob,
            Box::new(error),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_keeps_its_name_and_counts_its_streams() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        let mut disk = Disk::open(&file).unwrap();
        assert_eq!(disk.next_stream("one").unwrap(), ("one".to_owned(), 1));
        let at = Checkpoint { token: Bytes::from_static(b"t"), as_of: Timestamp(7) };
        disk.write(|db| keep_checkpoint(db, &at)).unwrap();
        drop(disk);
        let mut disk = Disk::open(&file).unwrap();
        assert_eq!(disk.next_stream("two").unwrap(), ("one".to_owned(), 2));
        assert_eq!(checkpoint(disk.db()).unwrap(), at);
    }

    #[test]
    fn two_runs_do_not_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        let first = Disk::open(&file).unwrap();
        assert!(matches!(Disk::open(&file), Err(StateError::InUse(_))));
        drop(first);
        Disk::open(&file).unwrap();
    }
}
