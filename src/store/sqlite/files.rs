//! What is known of attachments; the bytes are elsewhere.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::rows::{time, user_id, uuid};
use super::{SqliteStore, each_once};
use crate::clock::Timestamp;
use crate::model::{Attachment, AttachmentId, ChatId, UserId};
use crate::store::{Claim, File, Files, NewFile, Result, Settled, WholeFile};

/// What [`file`] reads, in its order.
const FILE: &str = "id, owner_id, file_name, content_type, size, width, height, blurhash, \
     thumbnail, uploaded, body, wants_preview, chat_id, client_message_id, claimed_at, held, doomed";

#[async_trait]
impl Files for SqliteStore {
    async fn open_file(&self, new: NewFile, limit: u32) -> Result<bool> {
        self.writer.ask(move |db, _| Ok(open(db, &new, limit)?)).await
    }

    async fn files(&self, ids: &[AttachmentId]) -> Result<Vec<File>> {
        let ids = each_once(ids);
        self.readers.ask(move |db| files(db, &ids)).await
    }

    async fn advance_file(&self, id: AttachmentId, from: u32, to: u32) -> Result<Option<u32>> {
        self.writer.ask(move |db, _| Ok(advance(db, id, from, to)?)).await
    }

    async fn complete_file(&self, whole: WholeFile) -> Result<bool> {
        self.writer.ask(move |db, _| Ok(complete(db, &whole)?)).await
    }

    async fn put_preview(&self, id: AttachmentId, blurhash: &str, thumbnail: bool) -> Result<()> {
        let blurhash = blurhash.to_owned();
        self.writer.ask(move |db, _| Ok(put_preview(db, id, &blurhash, thumbnail)?)).await
    }

    async fn claim_files(
        &self,
        owner: &UserId,
        ids: &[AttachmentId],
        claim: Claim,
        due_at: Timestamp,
    ) -> Result<Vec<File>> {
        let (owner, ids) = (owner.clone(), each_once(ids));
        self.writer.ask(move |db, _| Ok(claimed(db, &owner, &ids, &claim, due_at)?)).await
    }

    async fn due_files(&self, now: Timestamp, again: Timestamp, limit: u32) -> Result<Vec<File>> {
        self.writer.ask(move |db, _| Ok(due(db, now, again, limit)?)).await
    }

    async fn settle_file(
        &self,
        id: AttachmentId,
        seen: Option<Timestamp>,
        settled: Settled,
    ) -> Result<bool> {
        self.writer.ask(move |db, _| Ok(settle(db, id, seen, settled)?)).await
    }

    async fn make_due(&self, ids: &[AttachmentId], at: Timestamp) -> Result<()> {
        let ids = ids.to_vec();
        self.writer.ask(move |db, _| Ok(make_due(db, &ids, at)?)).await
    }

    async fn forget_file(&self, id: AttachmentId) -> Result<()> {
        self.writer.ask(move |db, _| Ok(forget(db, id)?)).await
    }
}

fn open(db: &Connection, new: &NewFile, limit: u32) -> rusqlite::Result<bool> {
    if read(db, new.id)?.is_some() {
        return Ok(true);
    }
    let untaken: u32 = db
        .prepare_cached("SELECT count(*) FROM files WHERE owner_id = ?1 AND held = 0")?
        .query_row([new.owner.as_str()], |row| row.get(0))?;
    if untaken >= limit {
        return Ok(false);
    }
    db.prepare_cached(
        "INSERT INTO files (id, owner_id, file_name, size, due_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        new.id.0.as_bytes(),
        new.owner.as_str(),
        new.file_name,
        new.size,
        new.due_at.0
    ])?;
    Ok(true)
}

fn read(db: &Connection, id: AttachmentId) -> rusqlite::Result<Option<File>> {
    db.prepare_cached(&format!("SELECT {FILE} FROM files WHERE id = ?1"))?
        .query_row([id.0.as_bytes()], file)
        .optional()
}

pub(super) fn untaken(
    db: &Connection,
    owner: &UserId,
    after: Option<AttachmentId>,
    limit: u32,
) -> rusqlite::Result<Vec<File>> {
    let after = after.as_ref().map_or(&[][..], |id| id.0.as_bytes());
    db.prepare_cached(&format!(
        "SELECT {FILE} FROM files WHERE owner_id = ?1 AND held = 0 AND id > ?2 ORDER BY id LIMIT ?3"
    ))?
    .query_map(params![owner.as_str(), after, limit], file)?
    .collect()
}

fn files(db: &Connection, ids: &[AttachmentId]) -> rusqlite::Result<Vec<File>> {
    ids.iter().filter_map(|id| read(db, *id).transpose()).collect()
}

fn advance(db: &Connection, id: AttachmentId, from: u32, to: u32) -> rusqlite::Result<Option<u32>> {
    db.prepare_cached(
        "UPDATE files SET uploaded = ?3
         WHERE id = ?1 AND uploaded = ?2 AND body IS NULL AND doomed = 0",
    )?
    .execute(params![id.0.as_bytes(), from, to])?;
    let file = read(db, id)?.filter(|file| file.body.is_none() && !file.doomed);
    Ok(file.map(|file| file.uploaded))
}

fn complete(db: &Connection, whole: &WholeFile) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "UPDATE files SET body = ?2, content_type = ?3, size = ?4, width = ?5, height = ?6,
           wants_preview = ?7, uploaded = ?8
         WHERE id = ?1 AND body IS NULL AND doomed = 0",
    )?
    .execute(params![
        whole.id.0.as_bytes(),
        whole.body.as_bytes(),
        whole.content_type,
        whole.size,
        whole.width,
        whole.height,
        whole.wants_preview,
        whole.came,
    ])?;
    let file = read(db, whole.id)?;
    Ok(file.is_some_and(|file| file.body == Some(whole.body) && !file.doomed))
}

fn put_preview(
    db: &Connection,
    id: AttachmentId,
    blurhash: &str,
    thumbnail: bool,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE files SET blurhash = ?2, thumbnail = ?3, wants_preview = 0 WHERE id = ?1",
    )?
    .execute(params![id.0.as_bytes(), blurhash, thumbnail])?;
    Ok(())
}

fn claimed(
    db: &Connection,
    owner: &UserId,
    ids: &[AttachmentId],
    claim: &Claim,
    due_at: Timestamp,
) -> rusqlite::Result<Vec<File>> {
    let mut statement = db.prepare_cached(
        "UPDATE files SET chat_id = ?3, client_message_id = ?4, claimed_at = ?5, held = 1,
           due_at = ?6
         WHERE id = ?1 AND owner_id = ?2 AND body IS NOT NULL AND doomed = 0
           AND (held = 0 OR (chat_id = ?3 AND client_message_id = ?4))",
    )?;
    let mut claimed = Vec::with_capacity(ids.len());
    for id in ids {
        let changed = statement.execute(params![
            id.0.as_bytes(),
            owner.as_str(),
            claim.chat.0.as_bytes(),
            claim.client_message_id,
            claim.since.0,
            due_at.0,
        ])?;
        if changed > 0 {
            claimed.extend(read(db, *id)?);
        }
    }
    Ok(claimed)
}

fn due(
    db: &Connection,
    now: Timestamp,
    again: Timestamp,
    limit: u32,
) -> rusqlite::Result<Vec<File>> {
    let found: Vec<File> = db
        .prepare_cached(&format!(
            "SELECT {FILE} FROM files WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2"
        ))?
        .query_map(params![now.0, limit], file)?
        .collect::<rusqlite::Result<_>>()?;
    let mut statement = db.prepare_cached("UPDATE files SET due_at = ?2 WHERE id = ?1")?;
    for file in &found {
        statement.execute(params![file.attachment.id.0.as_bytes(), again.0])?;
    }
    Ok(found)
}

fn settle(
    db: &Connection,
    id: AttachmentId,
    seen: Option<Timestamp>,
    settled: Settled,
) -> rusqlite::Result<bool> {
    let (change, at) = match settled {
        Settled::Taken => ("held = 1, due_at = ?3", None),
        Settled::Free(at) => ("held = 0, due_at = ?3", Some(at.0)),
        Settled::Doomed => ("doomed = 1, due_at = coalesce(due_at, ?3)", None),
    };
    let changed = db
        .prepare_cached(&format!(
            "UPDATE files SET {change} WHERE id = ?1 AND claimed_at IS ?2 AND doomed = 0"
        ))?
        .execute(params![id.0.as_bytes(), seen.map(|at| at.0), at])?;
    Ok(changed > 0)
}

/// Also of the files that a deleted message carried, in the transaction of its deletion.
pub(super) fn make_due(
    db: &Connection,
    ids: &[AttachmentId],
    at: Timestamp,
) -> rusqlite::Result<()> {
    let mut statement =
        db.prepare_cached("UPDATE files SET due_at = min(coalesce(due_at, ?2), ?2) WHERE id = ?1")?;
    for id in ids {
        statement.execute(params![id.0.as_bytes(), at.0])?;
    }
    Ok(())
}

fn forget(db: &Connection, id: AttachmentId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM files WHERE id = ?1")?.execute([id.0.as_bytes()])?;
    Ok(())
}

fn file(row: &Row<'_>) -> rusqlite::Result<File> {
    let body: Option<[u8; 16]> = row.get(10)?;
    Ok(File {
        owner: user_id(row, 1)?,
        attachment: Attachment {
            id: AttachmentId(uuid(row, 0)?),
            file_name: row.get(2)?,
            content_type: row.get(3)?,
            size: row.get(4)?,
            width: row.get(5)?,
            height: row.get(6)?,
            blurhash: row.get(7)?,
            thumbnail: row.get(8)?,
        },
        uploaded: row.get(9)?,
        body: body.map(Uuid::from_bytes),
        wants_preview: row.get(11)?,
        claim: claim(row)?,
        doomed: row.get(16)?,
    })
}

fn claim(row: &Row<'_>) -> rusqlite::Result<Option<Claim>> {
    let Some(since) = time(row, 14)? else { return Ok(None) };
    Ok(Some(Claim {
        chat: ChatId(uuid(row, 12)?),
        client_message_id: row.get(13)?,
        since,
        held: row.get(15)?,
    }))
}
