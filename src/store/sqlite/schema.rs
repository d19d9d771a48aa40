//! The file: its lock, its version, its tables and how connections to it are set.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::{Result, StoreError};

/// The version of the tables that this program makes and reads.
const VERSION: i64 = 1;

/// Marks a file as ours: "adda".
const APPLICATION_ID: i64 = 0x6164_6461;

/// Ids are 16 bytes, times are milliseconds, sets of seqs are a prefix and runs (two 32-bit
/// numbers each, big-endian). A `sender_id` of '' is the service itself, so that one index
/// serves for the repeats of notes too. `changed_at` and `receipts_at` are by the store's clock.
/// The text stands last, so that what counts and compares need not read past it. Messages lie by
/// chat and `seq`: a page of history is a few pages of the file, however many chats talk at once.
/// `num` is the order of storing, and the row in `found_by`; what is there of a message is split by
/// us: the tokenizer only has to leave it as it is. Mentions stand in one text, with spaces between.
/// A block that was taken back stays for a while, no more `blocked`. A standing is claimed until
/// `claimed`; its `device_id` of '' is whichever device is in the foreground.
const TABLES: &str = "
CREATE TABLE messages (
  num               INTEGER NOT NULL,
  chat_id           BLOB    NOT NULL,
  seq               INTEGER NOT NULL,
  id                BLOB    NOT NULL,
  sender_id         TEXT    NOT NULL,
  client_message_id TEXT    NOT NULL,
  content_hash      BLOB    NOT NULL,
  note_kind         INTEGER,
  edited_at         INTEGER,
  deleted_at        INTEGER,
  changed_at        INTEGER,
  revision          INTEGER NOT NULL,
  reply_id          BLOB,
  reply_seq         INTEGER,
  note              TEXT,
  attachments       TEXT,
  mentions          TEXT    NOT NULL,
  reactions         TEXT,
  text              TEXT    NOT NULL,
  PRIMARY KEY (chat_id, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX messages_num ON messages (num);
CREATE UNIQUE INDEX messages_repeat ON messages (chat_id, sender_id, client_message_id);
CREATE UNIQUE INDEX messages_log ON messages (id);
CREATE INDEX messages_changed ON messages (chat_id, changed_at, seq)
  WHERE changed_at IS NOT NULL;

CREATE VIRTUAL TABLE found_by USING fts5(chat, words, tokenize = 'ascii', detail = 'column');
INSERT INTO found_by (found_by, rank) VALUES ('secure-delete', 1);

CREATE TABLE hidden (
  user_id TEXT    NOT NULL,
  chat_id BLOB    NOT NULL,
  seq     INTEGER NOT NULL,
  id      BLOB    NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (user_id, chat_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX hidden_since ON hidden (user_id, at);

CREATE TABLE chats (
  id           BLOB    NOT NULL PRIMARY KEY,
  key          TEXT    UNIQUE,
  content_hash BLOB    NOT NULL,
  kind         INTEGER NOT NULL,
  title        TEXT    NOT NULL,
  avatar_url   TEXT    NOT NULL,
  created_by   TEXT    NOT NULL,
  member_count INTEGER NOT NULL,
  revision     INTEGER NOT NULL,
  deleted_at   INTEGER,
  changed_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
  chat_id        BLOB    NOT NULL,
  user_id        TEXT    NOT NULL,
  role           INTEGER NOT NULL,
  joined_at      INTEGER NOT NULL,
  visible_from   INTEGER NOT NULL,
  delivered_to   INTEGER NOT NULL,
  delivered_more BLOB    NOT NULL,
  read_to        INTEGER NOT NULL,
  read_more      BLOB    NOT NULL,
  receipts_at    INTEGER,
  pinned_at      INTEGER,
  archived       INTEGER NOT NULL DEFAULT 0,
  muted_until    INTEGER,
  level          INTEGER NOT NULL DEFAULT 1,
  level_until    INTEGER,
  settings_rev   INTEGER NOT NULL DEFAULT 0,
  settings_at    INTEGER,
  left_at        INTEGER,
  left_revision  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (chat_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id);
CREATE INDEX members_listed ON members (chat_id, role DESC, joined_at, user_id)
  WHERE left_at IS NULL;

CREATE TABLE users (
  id           TEXT NOT NULL PRIMARY KEY,
  display_name TEXT NOT NULL DEFAULT '',
  avatar_url   TEXT NOT NULL DEFAULT '',
  issued_at    INTEGER,
  last_active  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE files (
  id                BLOB    NOT NULL PRIMARY KEY,
  owner_id          TEXT    NOT NULL,
  file_name         TEXT    NOT NULL,
  content_type      TEXT    NOT NULL DEFAULT '',
  size              INTEGER NOT NULL,
  width             INTEGER NOT NULL DEFAULT 0,
  height            INTEGER NOT NULL DEFAULT 0,
  blurhash          TEXT    NOT NULL DEFAULT '',
  thumbnail         INTEGER NOT NULL DEFAULT 0,
  uploaded          INTEGER NOT NULL DEFAULT 0,
  body              BLOB,
  wants_preview     INTEGER NOT NULL DEFAULT 0,
  chat_id           BLOB,
  client_message_id TEXT,
  claimed_at        INTEGER,
  held              INTEGER NOT NULL DEFAULT 0,
  doomed            INTEGER NOT NULL DEFAULT 0,
  due_at            INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX files_owner ON files (owner_id) WHERE held = 0;
CREATE INDEX files_due ON files (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE reserves (
  user_id            TEXT    NOT NULL PRIMARY KEY,
  revision           INTEGER NOT NULL DEFAULT 0,
  hide_last_active   INTEGER NOT NULL DEFAULT 0,
  hide_read_receipts INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
  user_id  TEXT    NOT NULL,
  other_id TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  blocked  INTEGER NOT NULL,
  PRIMARY KEY (user_id, other_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX blocks_revision ON blocks (user_id, revision);
CREATE INDEX blocks_other ON blocks (other_id) WHERE blocked;

CREATE TABLE devices (
  user_id       TEXT    NOT NULL,
  id            TEXT    NOT NULL,
  token         TEXT    UNIQUE,
  platform      INTEGER NOT NULL,
  locale        TEXT    NOT NULL,
  app_version   TEXT    NOT NULL,
  registered_at INTEGER NOT NULL,
  failed_at     INTEGER,
  failure       TEXT    NOT NULL DEFAULT '',
  digest        TEXT    NOT NULL DEFAULT '[]',
  PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE standings (
  chat_id    BLOB    NOT NULL,
  user_id    TEXT    NOT NULL,
  device_id  TEXT    NOT NULL,
  acked_to   INTEGER NOT NULL DEFAULT 0,
  pushed_to  INTEGER NOT NULL DEFAULT 0,
  pushed_at  INTEGER NOT NULL DEFAULT 0,
  claimed    INTEGER NOT NULL DEFAULT 0,
  cleared_to INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (chat_id, user_id, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX standings_user ON standings (user_id, device_id);

CREATE TABLE trail (
  message_id BLOB    NOT NULL,
  user_id    TEXT    NOT NULL,
  at         INTEGER NOT NULL,
  device_id  TEXT    NOT NULL,
  step       INTEGER NOT NULL,
  detail     TEXT    NOT NULL,
  node       TEXT    NOT NULL,
  found_at   INTEGER,
  look       TEXT
) STRICT;
CREATE INDEX trail_message ON trail (message_id, user_id, at);
CREATE INDEX trail_age ON trail (at);

CREATE TABLE preferences (
  user_id TEXT NOT NULL PRIMARY KEY,
  body    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
  id         BLOB    NOT NULL PRIMARY KEY,
  user_id    TEXT    NOT NULL,
  kind       INTEGER NOT NULL,
  chat_id    BLOB    NOT NULL,
  message_id BLOB    NOT NULL,
  seq        INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  actor_id   TEXT,
  count      INTEGER NOT NULL,
  emoji      TEXT    NOT NULL,
  updated_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  read       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX notices_user ON notices (user_id, updated_at, id);
CREATE INDEX notices_unread ON notices (user_id, updated_at, id) WHERE NOT read;
CREATE INDEX notices_expire ON notices (expires_at);

CREATE TABLE jobs (
  queue    TEXT    NOT NULL,
  id       TEXT    NOT NULL,
  body     BLOB    NOT NULL,
  attempts INTEGER NOT NULL,
  noted_at INTEGER NOT NULL,
  due_at   INTEGER,
  done_at  INTEGER,
  PRIMARY KEY (queue, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_due ON jobs (queue, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_done ON jobs (done_at) WHERE done_at IS NOT NULL;

CREATE TABLE turns (
  name   TEXT    NOT NULL PRIMARY KEY,
  holder TEXT    NOT NULL,
  until  INTEGER NOT NULL,
  at     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE revocations (
  user_id TEXT    NOT NULL PRIMARY KEY,
  at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_at ON revocations (at);

CREATE TABLE keys (
  use TEXT    NOT NULL,
  id  INTEGER NOT NULL,
  key BLOB    NOT NULL,
  PRIMARY KEY (use, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE ping (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL) STRICT;
";

/// Keeps every other process from the file, for as long as the answer lives.
pub(super) fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|error| unavailable(format!("{}: {error}", name.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(unavailable(format!("{} is in use by another process", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(unavailable(format!("{}: {error}", name.display()))),
    }
}

/// The connection that writes; makes the tables in a new file.
pub(super) fn writer(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = connect(path, flags)?;
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(unavailable(format!("{}: no write-ahead log here", path.display())));
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is gone from the file, too.
    db.pragma_update(None, "secure_delete", "ON")?;
    db.pragma_update(None, "cache_size", -32_768)?;
    db.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    db.pragma_update(None, "journal_size_limit", 64 << 20)?;
    migrate(&db, path)?;
    Ok(db)
}

/// One more connection that reads.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = connect(path, flags)?;
    db.pragma_update(None, "cache_size", -8_192)?;
    Ok(db)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_secs(5))?;
    db.set_prepared_statement_cache_capacity(64);
    // Or SQLite plans a statement anew, each time that it is used, for what is bound to its LIMIT.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    rusqlite::vtab::array::load_module(&db)?;
    Ok(db)
}

fn migrate(db: &Connection, path: &Path) -> Result<()> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let owner: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (owner, version) {
        (APPLICATION_ID, VERSION) => Ok(()),
        (APPLICATION_ID, newer) if newer > VERSION => Err(unavailable(format!(
            "{}: made by a newer adda (tables of version {newer}; this one knows {VERSION})",
            path.display()
        ))),
        (0, 0) if tables == 0 => {
            let transaction = db.unchecked_transaction()?;
            db.execute_batch(TABLES)?;
            db.pragma_update(None, "application_id", APPLICATION_ID)?;
            db.pragma_update(None, "user_version", VERSION)?;
            Ok(transaction.commit()?)
        }
        _ => Err(unavailable(format!("{}: not a file of adda", path.display()))),
    }
}

fn unavailable(why: String) -> StoreError {
    StoreError::Unavailable(why.into())
}
