//! Messages on their way: a row from the moment it is typed until the server has it.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::client::Place;
use crate::clock::Timestamp;

/// One message that waits, or that the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Where in the line.
    pub(crate) position: i64,
    /// Its id for ever: what makes sending it again safe.
    pub(crate) client_message_id: String,
    /// What was typed.
    pub(crate) text: String,
    /// When.
    pub(crate) written_at: Timestamp,
    /// Why the server does not take it.
    pub(crate) failed: Option<String>,
}

const COLUMNS: &str = "position, client_message_id, text, written_at, failed";

fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        position: row.get(0)?,
        client_message_id: row.get(1)?,
        text: row.get(2)?,
        written_at: Timestamp(row.get(3)?),
        failed: row.get(4)?,
    })
}

/// Puts a message at the end of the line.
pub(crate) fn push(
    db: &Connection,
    place: &Place,
    id: &str,
    text: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let (chat, peer) = match place {
        Place::Chat(chat) => (Some(chat.clone()), None),
        Place::Peer(peer) => (super::chats::with_peer(db, peer)?, Some(peer)),
    };
    db.execute(
        "INSERT INTO outbox (client_message_id, chat_id, peer, text, written_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, chat, peer, text, at.0],
    )?;
    Ok(())
}

/// The chat with this peer is known now.
pub(crate) fn address(db: &Connection, peer: &str, chat: &str) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE outbox SET chat_id = ?2 WHERE peer = ?1 AND chat_id IS NULL",
        params![peer, chat],
    )?;
    Ok(())
}

/// The first of each chat: what may be sent, one unanswered a chat at a time.
pub(crate) fn heads(db: &Connection) -> rusqlite::Result<Vec<(String, Waiting)>> {
    let sql = format!(
        "SELECT {COLUMNS}, chat_id FROM outbox WHERE position IN (
            SELECT MIN(position) FROM outbox
            WHERE failed IS NULL AND chat_id IS NOT NULL GROUP BY chat_id)
         ORDER BY position"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(5)?, waiting(row)?)))?;
    rows.collect()
}

/// One by its id.
pub(crate) fn get(db: &Connection, id: &str) -> rusqlite::Result<Option<Waiting>> {
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE client_message_id = ?1");
    db.prepare_cached(&sql)?.query_row([id], waiting).optional()
}

/// The server has it.
pub(crate) fn remove(db: &Connection, id: &str) -> rusqlite::Result<bool> {
    let gone =
        db.prepare_cached("DELETE FROM outbox WHERE client_message_id = ?1")?.execute([id])?;
    Ok(gone > 0)
}

/// The server does not take it.
pub(crate) fn fail(db: &Connection, id: &str, why: &str) -> rusqlite::Result<()> {
    db.execute("UPDATE outbox SET failed = ?2 WHERE client_message_id = ?1", params![id, why])?;
    Ok(())
}

/// What waits or has failed in one place, in the order it was typed.
pub(crate) fn of(db: &Connection, place: &Place) -> rusqlite::Result<Vec<Waiting>> {
    let (column, value) = match place {
        Place::Chat(chat) => ("chat_id", chat),
        Place::Peer(peer) => ("peer", peer),
    };
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE {column} = ?1 ORDER BY position");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([value], waiting)?;
    rows.collect()
}

/// Users for whom something waits, and whose chat is not known yet.
pub(crate) fn peers(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT peer FROM outbox WHERE chat_id IS NULL AND failed IS NULL",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// Whether a row waits for the name of its chat.
pub(crate) fn is_unaddressed(db: &Connection, id: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM outbox WHERE client_message_id = ?1 AND chat_id IS NULL")?
        .exists([id])
}

/// Nothing for this user can be sent.
pub(crate) fn fail_peer(db: &Connection, peer: &str, why: &str) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE outbox SET failed = ?2 WHERE peer = ?1 AND chat_id IS NULL AND failed IS NULL",
        params![peer, why],
    )?;
    Ok(())
}

/// How many wait.
pub(crate) fn count(db: &Connection) -> rusqlite::Result<usize> {
    let count: u32 = db
        .prepare_cached("SELECT COUNT(*) FROM outbox WHERE failed IS NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(count as usize)
}

#[cfg(test)]
mod tests {
    use super::super::{Disk, chats};
    use super::*;

    fn ids(db: &Connection) -> Vec<String> {
        heads(db).unwrap().into_iter().map(|(_, row)| row.client_message_id).collect()
    }

    #[test]
    fn one_a_chat_goes_at_a_time_in_the_order_they_were_typed() {
        let disk = Disk::in_memory().unwrap();
        let db = disk.db();
        let (a, b) = (Place::Chat("a".into()), Place::Chat("b".into()));
        for (place, id) in [(&a, "1"), (&b, "2"), (&a, "3"), (&a, "4")] {
            push(db, place, id, "text", Timestamp(1)).unwrap();
        }
        assert_eq!(ids(db), ["1", "2"]);
        remove(db, "1").unwrap();
        assert_eq!(ids(db), ["2", "3"]);
        fail(db, "3", "TOO_LARGE").unwrap();
        assert_eq!(ids(db), ["2", "4"]);
        assert_eq!(count(db).unwrap(), 2);
        let kept = of(db, &a).unwrap();
        assert_eq!(kept[0].failed.as_deref(), Some("TOO_LARGE"));
        assert_eq!(kept.len(), 2);
    }

    #[test]
    fn what_is_for_a_peer_waits_until_the_chat_has_a_name() {
        let disk = Disk::in_memory().unwrap();
        let db = disk.db();
        let bob = Place::Peer("bob".into());
        push(db, &bob, "1", "text", Timestamp(1)).unwrap();
        assert!(ids(db).is_empty());
        chats::found_peer(db, "bob", "c").unwrap();
        assert_eq!(ids(db), ["1"]);
        push(db, &bob, "2", "text", Timestamp(1)).unwrap();
        remove(db, "1").unwrap();
        assert_eq!(heads(db).unwrap()[0].0, "c");
    }
}
