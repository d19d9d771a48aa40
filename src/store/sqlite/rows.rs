//! From rows to structs and back.
//!
//! What cannot be stands in an error by its column, never by its content.

use rusqlite::Row;
use rusqlite::types::Type;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::model::{
    Attachment, AttachmentId, Chat, ChatId, ChatKind, ChatSettings, Level, Member, Message,
    MessageId, NoteKind, Reaction, Role, Run, Seq, SeqSet, SystemNote, User, UserId,
};

/// What [`message`] reads, in its order.
pub(super) const MESSAGE: &str = "chat_id, seq, id, sender_id, client_message_id, content_hash, \
     note_kind, note, edited_at, deleted_at, revision, reply_id, reply_seq, text, mentions, \
     reactions, attachments";

/// What [`chat`] reads, in its order.
pub(super) const CHAT: &str =
    "id, kind, title, avatar_url, created_by, member_count, revision, deleted_at";

/// What [`member`] reads, in its order.
pub(super) const MEMBER: &str = "m.chat_id, m.user_id, m.role, m.joined_at, m.visible_from, \
     m.delivered_to, m.delivered_more, m.read_to, m.read_more, m.pinned_at, m.archived, m.muted_until, \
     m.settings_rev, m.settings_at, m.left_at, m.left_revision, m.level, m.level_until";

/// What [`user`] reads, in its order.
pub(super) const USER: &str = "id, display_name, avatar_url, issued_at, last_active";

#[derive(Debug, thiserror::Error)]
#[error("a row has an impossible {0}")]
struct Impossible(&'static str);

pub(super) fn impossible(at: usize, what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Null, Box::new(Impossible(what)))
}

pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let sender: String = row.get(3)?;
    let reply: (Option<[u8; 16]>, Option<Seq>) = (row.get(11)?, row.get(12)?);
    Ok(Message {
        chat: ChatId(uuid(row, 0)?),
        seq: row.get(1)?,
        id: MessageId(uuid(row, 2)?),
        sender: (!sender.is_empty()).then(|| UserId::new(&sender)),
        client_message_id: row.get(4)?,
        content_hash: row.get(5)?,
        note: note(row)?,
        edited_at: time(row, 8)?,
        deleted_at: time(row, 9)?,
        revision: row.get(10)?,
        reply_to: reply.0.zip(reply.1).map(|(id, seq)| (MessageId(Uuid::from_bytes(id)), seq)),
        text: row.get(13)?,
        mentions: row.get_ref(14)?.as_str()?.split_whitespace().map(UserId::new).collect(),
        reactions: reactions(row)?,
        attachments: attachments(row, 16)?,
    })
}

pub(super) fn chat(row: &Row<'_>) -> rusqlite::Result<Chat> {
    let kind = match row.get(1)? {
        1 => ChatKind::Direct,
        2 => ChatKind::Group,
        _ => return Err(impossible(1, "kind of chat")),
    };
    Ok(Chat {
        id: ChatId(uuid(row, 0)?),
        kind,
        title: row.get(2)?,
        avatar_url: row.get(3)?,
        created_by: user_id(row, 4)?,
        member_count: row.get(5)?,
        revision: row.get(6)?,
        deleted_at: time(row, 7)?,
        untold: false,
    })
}

pub(super) fn kind_number(kind: ChatKind) -> i64 {
    match kind {
        ChatKind::Direct => 1,
        ChatKind::Group => 2,
    }
}

pub(super) fn member(row: &Row<'_>) -> rusqlite::Result<Member> {
    let role = match row.get(2)? {
        1 => Role::Member,
        2 => Role::Admin,
        3 => Role::Owner,
        _ => return Err(impossible(2, "role")),
    };
    Ok(Member {
        chat: ChatId(uuid(row, 0)?),
        user: user_id(row, 1)?,
        role,
        joined_at: Timestamp(row.get(3)?),
        visible_from: row.get(4)?,
        delivered: seq_set(row, 5)?,
        read: seq_set(row, 7)?,
        settings: ChatSettings {
            pinned_at: time(row, 9)?,
            archived: row.get(10)?,
            muted_until: time(row, 11)?,
            level: Level::from_number(row.get(16)?).ok_or_else(|| impossible(16, "level"))?,
            level_until: time(row, 17)?,
            revision: row.get(12)?,
            changed_at: time(row, 13)?,
        },
        left_at: time(row, 14)?,
        left_revision: row.get(15)?,
    })
}

pub(super) fn role_number(role: Role) -> i64 {
    match role {
        Role::Member => 1,
        Role::Admin => 2,
        Role::Owner => 3,
    }
}

pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: user_id(row, 0)?,
        display_name: row.get(1)?,
        avatar_url: row.get(2)?,
        updated_at: time(row, 3)?,
        last_active: time(row, 4)?,
    })
}

pub(super) fn uuid(row: &Row<'_>, at: usize) -> rusqlite::Result<Uuid> {
    row.get(at).map(Uuid::from_bytes)
}

pub(super) fn user_id(row: &Row<'_>, at: usize) -> rusqlite::Result<UserId> {
    let name: String = row.get(at)?;
    if name.is_empty() { Err(impossible(at, "user")) } else { Ok(UserId::new(&name)) }
}

pub(super) fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Timestamp))
}

/// A set from two columns: the prefix, and the runs above it.
pub(super) fn seq_set(row: &Row<'_>, at: usize) -> rusqlite::Result<SeqSet> {
    let blob = row.get_ref(at + 1)?.as_blob()?;
    let (pairs, rest) = blob.as_chunks::<8>();
    let runs: Option<Vec<Run>> = pairs
        .iter()
        .map(|&[a, b, c, d, e, f, g, h]| {
            Run::new(u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
        })
        .collect();
    match runs {
        Some(runs) if rest.is_empty() => Ok(SeqSet::from_parts(row.get(at)?, runs)),
        _ => Err(impossible(at + 1, "set of seqs")),
    }
}

/// The second of the two columns of a set.
pub(super) fn more(set: &SeqSet) -> Vec<u8> {
    set.more()
        .iter()
        .flat_map(|run| [run.first.to_be_bytes(), run.last.to_be_bytes()])
        .flatten()
        .collect()
}

/// One entry of `reactions`.
#[derive(Serialize, Deserialize)]
struct StoredReaction {
    emoji: String,
    users: Vec<String>,
}

fn reactions(row: &Row<'_>) -> rusqlite::Result<Vec<Reaction>> {
    let Some(text) = row.get_ref(15)?.as_str_or_null()? else { return Ok(Vec::new()) };
    let stored: Vec<StoredReaction> =
        serde_json::from_str(text).map_err(|_| impossible(15, "reaction"))?;
    let reaction = |of: StoredReaction| Reaction {
        emoji: of.emoji,
        users: of.users.iter().map(|user| UserId::new(user)).collect(),
    };
    Ok(stored.into_iter().map(reaction).collect())
}

/// The column of reactions.
pub(super) fn reactions_column(reactions: &[Reaction]) -> rusqlite::Result<Option<String>> {
    if reactions.is_empty() {
        return Ok(None);
    }
    let stored = reactions.iter().map(|of| StoredReaction {
        emoji: of.emoji.clone(),
        users: of.users.iter().map(ToString::to_string).collect(),
    });
    json(&stored.collect::<Vec<_>>()).map(Some)
}

/// The column of mentions.
pub(super) fn mentions_column(mentions: &[UserId]) -> String {
    mentions.iter().map(UserId::as_str).collect::<Vec<_>>().join(" ")
}

fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// What is kept of a note beside its kind.
#[derive(Serialize, Deserialize)]
struct StoredNote {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    users: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    title: String,
}

fn note(row: &Row<'_>) -> rusqlite::Result<Option<SystemNote>> {
    let Some(number) = row.get(6)? else { return Ok(None) };
    let kind = NoteKind::from_number(number).ok_or_else(|| impossible(6, "kind of note"))?;
    let stored: StoredNote =
        serde_json::from_str(row.get_ref(7)?.as_str()?).map_err(|_| impossible(7, "note"))?;
    Ok(Some(SystemNote {
        kind,
        actor: stored.actor.as_deref().map(UserId::new),
        users: stored.users.iter().map(|user| UserId::new(user)).collect(),
        title: stored.title,
    }))
}

/// An attachment, within the column of a message.
#[derive(Serialize, Deserialize)]
struct StoredAttachment {
    id: Uuid,
    name: String,
    r#type: String,
    size: u32,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    blurhash: String,
    #[serde(default)]
    thumbnail: bool,
}

fn attachments(row: &Row<'_>, at: usize) -> rusqlite::Result<Vec<Attachment>> {
    let Some(text) = row.get::<_, Option<String>>(at)? else { return Ok(Vec::new()) };
    let stored: Vec<StoredAttachment> =
        serde_json::from_str(&text).map_err(|_| impossible(at, "list of attachments"))?;
    let attachment = |stored: StoredAttachment| Attachment {
        id: AttachmentId(stored.id),
        file_name: stored.name,
        content_type: stored.r#type,
        size: stored.size,
        width: stored.width,
        height: stored.height,
        blurhash: stored.blurhash,
        thumbnail: stored.thumbnail,
    };
    Ok(stored.into_iter().map(attachment).collect())
}

/// The column of a message's attachments.
pub(super) fn attachments_column(of: &[Attachment]) -> rusqlite::Result<Option<String>> {
    if of.is_empty() {
        return Ok(None);
    }
    let stored = |of: &Attachment| StoredAttachment {
        id: of.id.0,
        name: of.file_name.clone(),
        r#type: of.content_type.clone(),
        size: of.size,
        width: of.width,
        height: of.height,
        blurhash: of.blurhash.clone(),
        thumbnail: of.thumbnail,
    };
    let stored: Vec<StoredAttachment> = of.iter().map(stored).collect();
    let text = serde_json::to_string(&stored);
    text.map(Some).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// The two columns of a note.
pub(super) fn note_columns(
    note: Option<&SystemNote>,
) -> rusqlite::Result<(Option<i32>, Option<String>)> {
    let Some(note) = note else { return Ok((None, None)) };
    let stored = StoredNote {
        actor: note.actor.as_ref().map(ToString::to_string),
        users: note.users.iter().map(ToString::to_string).collect(),
        title: note.title.clone(),
    };
    Ok((Some(note.kind.number()), Some(json(&stored)?)))
}
