//! What is kept of one user, wherever it stands.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::rows::{self, MEMBER};
use super::{SqliteStore, files, log};
use crate::clock::Timestamp;
use crate::model::{AttachmentId, ChatId, Member, Message, UserId};
use crate::store::{File, Owned, Result};

#[async_trait]
impl Owned for SqliteStore {
    async fn places_of(
        &self,
        user: &UserId,
        after: Option<ChatId>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        let user = user.clone();
        self.readers.ask(move |db| places_of(db, &user, after, limit)).await
    }

    async fn sent(
        &self,
        chat: ChatId,
        user: &UserId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Message>> {
        let (user, after) = (user.clone(), after.to_owned());
        self.readers
            .ask(move |db| {
                log::select(
                    db,
                    "WHERE chat_id = ?1 AND sender_id = ?2 AND client_message_id > ?3
                     ORDER BY client_message_id LIMIT ?4",
                    params![chat.0.as_bytes(), user.as_str(), after, limit],
                )
            })
            .await
    }

    async fn untaken_files(
        &self,
        owner: &UserId,
        after: Option<AttachmentId>,
        limit: u32,
    ) -> Result<Vec<File>> {
        let owner = owner.clone();
        self.readers.ask(move |db| files::untaken(db, &owner, after, limit)).await
    }

    async fn blockers(&self, user: &UserId, limit: u32) -> Result<Vec<UserId>> {
        let user = user.clone();
        self.readers
            .ask(move |db| {
                db.prepare_cached(
                    "SELECT user_id FROM blocks WHERE other_id = ?1 AND blocked LIMIT ?2",
                )?
                .query_map(params![user.as_str(), limit], |row| rows::user_id(row, 0))?
                .collect()
            })
            .await
    }

    async fn forget_place(&self, chat: ChatId, user: &UserId) -> Result<()> {
        let user = user.clone();
        self.writer.ask(move |db, now| Ok(forget_place(db, now, chat, &user)?)).await
    }

    async fn forget_hidden(&self, user: &UserId, limit: u32) -> Result<bool> {
        let user = user.clone();
        self.writer.ask(move |db, _| Ok(forget_hidden(db, &user, limit)?)).await
    }

    async fn forget_reserve(&self, user: &UserId) -> Result<()> {
        let user = user.clone();
        self.writer
            .ask(move |db, _| {
                for table in ["blocks", "reserves"] {
                    db.prepare_cached(&format!("DELETE FROM {table} WHERE user_id = ?1"))?
                        .execute([user.as_str()])?;
                }
                Ok(())
            })
            .await
    }

    async fn forget_profile(&self, user: &UserId) -> Result<()> {
        let user = user.clone();
        self.writer
            .ask(move |db, now| {
                db.prepare_cached(
                    "UPDATE users SET display_name = '', avatar_url = '', last_active = NULL,
                       issued_at = max(coalesce(issued_at, ?2), ?2)
                     WHERE id = ?1",
                )?
                .execute(params![user.as_str(), now.0])?;
                Ok(())
            })
            .await
    }
}

fn places_of(
    db: &Connection,
    user: &UserId,
    after: Option<ChatId>,
    limit: u32,
) -> rusqlite::Result<Vec<Member>> {
    let after = after.as_ref().map_or(&[][..], |chat| chat.0.as_bytes());
    db.prepare_cached(&format!(
        "SELECT {MEMBER} FROM members m WHERE m.user_id = ?1 AND m.chat_id > ?2
         ORDER BY m.chat_id LIMIT ?3"
    ))?
    .query_map(params![user.as_str(), after, limit], rows::member)?
    .collect()
}

fn forget_place(
    db: &Connection,
    now: Timestamp,
    chat: ChatId,
    user: &UserId,
) -> rusqlite::Result<()> {
    let newest = log::heads(db, &[chat])?.first().map_or(0, |head| head.seq);
    db.prepare_cached(
        "UPDATE members SET visible_from = ?3 + 1, delivered_to = ?3, delivered_more = x'',
           read_to = ?3, read_more = x'', receipts_at = NULL, pinned_at = NULL, archived = 0,
           muted_until = NULL, level = 1, level_until = NULL,
           settings_rev = settings_rev + (settings_rev > 0),
           settings_at = iif(settings_rev > 0, ?4, settings_at)
         WHERE chat_id = ?1 AND user_id = ?2",
    )?
    .execute(params![chat.0.as_bytes(), user.as_str(), newest, now.0])?;
    Ok(())
}

fn forget_hidden(db: &Connection, user: &UserId, limit: u32) -> rusqlite::Result<bool> {
    let gone = db
        .prepare_cached(
            "DELETE FROM hidden WHERE user_id = ?1 AND (chat_id, seq) IN (
               SELECT chat_id, seq FROM hidden WHERE user_id = ?1 LIMIT ?2)",
        )?
        .execute(params![user.as_str(), limit])?;
    Ok(gone >= usize::try_from(limit).unwrap_or(usize::MAX))
}
