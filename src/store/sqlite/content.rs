//! What messages become after they were sent: edited, deleted, reacted to, hidden, found.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{SqliteStore, each_once, files, log, rows, search};
use crate::clock::Timestamp;
use crate::model::{ChatId, Message, MessageId, Seq, UserId};
use crate::store::{Content, Edit, Found, Hidden, Result, Search};

#[async_trait]
impl Content for SqliteStore {
    async fn edit_message(&self, edit: Edit) -> Result<Option<Message>> {
        self.writer.ask(move |db, now| Ok(edit_message(db, now, &edit)?)).await
    }

    async fn delete_message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>> {
        self.writer.ask(move |db, now| Ok(delete(db, now, chat, id)?)).await
    }

    async fn react(
        &self,
        chat: ChatId,
        id: MessageId,
        user: &UserId,
        emoji: &str,
    ) -> Result<Option<Message>> {
        let (user, emoji) = (user.clone(), emoji.to_owned());
        self.change_reactions(chat, id, move |message| message.react(&user, &emoji)).await
    }

    async fn unreact(
        &self,
        chat: ChatId,
        id: MessageId,
        user: &UserId,
        emoji: &str,
    ) -> Result<Option<Message>> {
        let (user, emoji) = (user.clone(), emoji.to_owned());
        self.change_reactions(chat, id, move |message| message.unreact(&user, &emoji)).await
    }

    async fn hide(&self, user: &UserId, what: Hidden) -> Result<()> {
        let user = user.clone();
        self.writer.ask(move |db, now| Ok(hide(db, now, &user, what)?)).await
    }

    async fn hidden(&self, user: &UserId, places: &[(ChatId, Seq)]) -> Result<Vec<(ChatId, Seq)>> {
        let (user, places) = (user.clone(), each_once(places));
        self.readers.ask(move |db| hidden(db, &user, &places)).await
    }

    async fn hidden_since(
        &self,
        user: &UserId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Hidden>> {
        let user = user.clone();
        self.readers.ask(move |db| hidden_since(db, &user, since, limit)).await
    }

    async fn search(&self, search: Search) -> Result<Found> {
        self.readers.ask(move |db| search::find(db, &search)).await
    }
}

impl SqliteStore {
    async fn change_reactions(
        &self,
        chat: ChatId,
        id: MessageId,
        change: impl FnOnce(&mut Message) -> bool + Send + 'static,
    ) -> Result<Option<Message>> {
        self.writer
            .ask(move |db, now| {
                let Some(mut message) = log::message(db, chat, id)? else { return Ok(None) };
                if may_change(&message) && change(&mut message) {
                    message.revision += 1;
                    write_reactions(db, now, &message)?;
                }
                Ok(Some(message))
            })
            .await
    }
}

fn may_change(message: &Message) -> bool {
    message.deleted_at.is_none() && message.note.is_none()
}

fn edit_message(db: &Connection, now: Timestamp, edit: &Edit) -> rusqlite::Result<Option<Message>> {
    let Some(before) = log::message(db, edit.chat, edit.id)? else { return Ok(None) };
    let same = before.text == edit.text && before.mentions == edit.mentions;
    if same || !may_change(&before) {
        return Ok(Some(before));
    }
    let num = db
        .prepare_cached(
            "UPDATE messages SET text = ?2, mentions = ?3, edited_at = ?4, changed_at = ?4,
               revision = revision + 1
             WHERE id = ?1 RETURNING num",
        )?
        .query_row(
            params![edit.id.0.as_bytes(), edit.text, rows::mentions_column(&edit.mentions), now.0],
            |row| row.get(0),
        )?;
    search::take(db, num)?;
    search::put(db, num, edit.chat, &edit.words)?;
    log::message(db, edit.chat, edit.id)
}

fn delete(
    db: &Connection,
    now: Timestamp,
    chat: ChatId,
    id: MessageId,
) -> rusqlite::Result<Option<Message>> {
    if let Some(message) = log::message(db, chat, id)? {
        let carried: Vec<_> = message.attachments.iter().map(|of| of.id).collect();
        files::make_due(db, &carried, now)?;
    }
    let mut statement = db.prepare_cached(
        "UPDATE messages
         SET text = '', mentions = '', reactions = NULL, attachments = NULL, deleted_at = ?3, changed_at = ?3,
           revision = revision + 1
         WHERE id = ?1 AND chat_id = ?2 AND deleted_at IS NULL RETURNING num",
    )?;
    let of = params![id.0.as_bytes(), chat.0.as_bytes(), now.0];
    for num in statement.query_map(of, |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()? {
        search::take(db, num)?;
    }
    log::message(db, chat, id)
}

fn write_reactions(db: &Connection, now: Timestamp, message: &Message) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE messages SET reactions = ?2, changed_at = ?3, revision = ?4 WHERE id = ?1",
    )?
    .execute(params![
        message.id.0.as_bytes(),
        rows::reactions_column(&message.reactions)?,
        now.0,
        message.revision,
    ])?;
    Ok(())
}

fn hide(db: &Connection, now: Timestamp, user: &UserId, what: Hidden) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO hidden (user_id, chat_id, seq, id, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        user.as_str(),
        what.chat.0.as_bytes(),
        what.seq,
        what.id.0.as_bytes(),
        now.0,
    ])?;
    Ok(())
}

fn hidden(
    db: &Connection,
    user: &UserId,
    places: &[(ChatId, Seq)],
) -> rusqlite::Result<Vec<(ChatId, Seq)>> {
    let mut statement =
        db.prepare_cached("SELECT 1 FROM hidden WHERE user_id = ?1 AND chat_id = ?2 AND seq = ?3")?;
    let mut found = Vec::new();
    for (chat, seq) in places {
        if statement.exists(params![user.as_str(), chat.0.as_bytes(), seq])? {
            found.push((*chat, *seq));
        }
    }
    Ok(found)
}

fn hidden_since(
    db: &Connection,
    user: &UserId,
    since: Timestamp,
    limit: u32,
) -> rusqlite::Result<Vec<Hidden>> {
    db.prepare_cached(
        "SELECT chat_id, seq, id FROM hidden WHERE user_id = ?1 AND at >= ?2 LIMIT ?3",
    )?
    .query_map(params![user.as_str(), since.0, limit], |row| {
        Ok(Hidden {
            chat: ChatId(rows::uuid(row, 0)?),
            seq: row.get(1)?,
            id: MessageId(rows::uuid(row, 2)?),
        })
    })?
    .collect()
}
