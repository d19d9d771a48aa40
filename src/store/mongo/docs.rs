//! Documents as they stand in MongoDB, to and from the words of the house.
//!
//! Ids made by us are UUIDs (binary, subtype 4), numbers are `long`, text is only ever a value:
//! nothing a client sent becomes a field name or an operator.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Uuid};
use serde::{Deserialize, Serialize};

use super::super::{NewMessage, Result};
use super::failure::broken;
use super::files::AttachmentDoc;
use crate::clock::Timestamp;
use crate::model::{
    Chat, ChatId, ChatKind, Member, Message, MessageId, NoteKind, Reaction, Role, Run, Seq, SeqSet,
    SystemNote, User, UserId,
};

mod groups;

pub(super) use groups::PendingDoc;
use groups::SettingsDoc;

/// In `messages`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MessageDoc {
    #[serde(rename = "_id")]
    pub(super) id: Uuid,
    pub(super) chat_id: Uuid,
    pub(super) seq: i64,
    /// Empty: a system note.
    sender_id: String,
    client_message_id: String,
    content_hash: Binary,
    text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<AttachmentDoc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<ReplyDoc>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<ReactionDoc>,
    /// Written, and never read: see [`Db::find`](super::schema::Db::find).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    words: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<NoteDoc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edited_at: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<DateTime>,
    /// By mongod's clock; absent until the first change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) changed_at: Option<DateTime>,
    revision: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct ReplyDoc {
    id: Uuid,
    seq: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct ReactionDoc {
    emoji: String,
    users: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NoteDoc {
    kind: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    users: Vec<String>,
    title: String,
}

impl MessageDoc {
    /// A new message at its place.
    pub(super) fn new(new: &NewMessage, seq: Seq) -> Self {
        Self {
            id: uuid(new.id.0),
            chat_id: uuid(new.chat.0),
            seq: seq.into(),
            sender_id: new.sender.as_ref().map_or("", UserId::as_str).to_owned(),
            client_message_id: new.client_message_id.clone(),
            content_hash: binary(&new.content_hash),
            text: new.text.clone(),
            attachments: new.attachments.iter().map(AttachmentDoc::new).collect(),
            reply_to: new.reply_to.map(|(id, seq)| ReplyDoc { id: uuid(id.0), seq: seq.into() }),
            mentions: new.mentions.iter().map(ToString::to_string).collect(),
            reactions: Vec::new(),
            words: new.words.clone(),
            note: new.note.as_ref().map(NoteDoc::new),
            edited_at: None,
            deleted_at: None,
            changed_at: None,
            revision: 0,
        }
    }

    pub(super) fn message(self) -> Result<Message> {
        Ok(Message {
            id: MessageId(plain(self.id)),
            chat: ChatId(plain(self.chat_id)),
            seq: number(self.seq)?,
            sender: (!self.sender_id.is_empty()).then(|| UserId::new(&self.sender_id)),
            client_message_id: self.client_message_id,
            content_hash: bytes(&self.content_hash)?,
            text: self.text,
            attachments: self
                .attachments
                .into_iter()
                .map(AttachmentDoc::attachment)
                .collect::<Result<_>>()?,
            reply_to: match self.reply_to {
                Some(reply) => Some((MessageId(plain(reply.id)), number(reply.seq)?)),
                None => None,
            },
            mentions: self.mentions.iter().map(|user| UserId::new(user)).collect(),
            reactions: self.reactions.into_iter().map(ReactionDoc::reaction).collect(),
            note: self.note.map(NoteDoc::note).transpose()?,
            edited_at: self.edited_at.map(time),
            deleted_at: self.deleted_at.map(time),
            revision: number(self.revision)?,
        })
    }
}

impl ReactionDoc {
    fn reaction(self) -> Reaction {
        let users = self.users.iter().map(|user| UserId::new(user)).collect();
        Reaction { emoji: self.emoji, users }
    }
}

impl NoteDoc {
    fn new(note: &SystemNote) -> Self {
        Self {
            kind: note.kind.number(),
            actor: note.actor.as_ref().map(ToString::to_string),
            users: note.users.iter().map(ToString::to_string).collect(),
            title: note.title.clone(),
        }
    }

    fn note(self) -> Result<SystemNote> {
        Ok(SystemNote {
            kind: NoteKind::from_number(self.kind).ok_or_else(|| broken("a note of no kind"))?,
            actor: self.actor.as_deref().map(UserId::new),
            users: self.users.iter().map(|user| UserId::new(user)).collect(),
            title: self.title,
        })
    }
}

/// In `chats`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChatDoc {
    #[serde(rename = "_id")]
    id: Uuid,
    /// 1: direct, 2: group.
    kind: i32,
    title: String,
    avatar_url: String,
    created_by: String,
    member_count: i64,
    revision: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deleted_at: Option<DateTime>,
    /// By mongod's clock; never written from here.
    #[serde(default, skip_serializing)]
    changed_at: Option<DateTime>,
    /// Notes of changes that are not in the log yet, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) pending: Vec<PendingDoc>,
}

impl ChatDoc {
    pub(super) fn new(id: ChatId, chat: &Chat) -> Self {
        Self {
            id: uuid(id.0),
            kind: match chat.kind {
                ChatKind::Direct => 1,
                ChatKind::Group => 2,
            },
            title: chat.title.clone(),
            avatar_url: chat.avatar_url.clone(),
            created_by: chat.created_by.to_string(),
            member_count: chat.member_count.into(),
            revision: chat.revision.into(),
            deleted_at: chat.deleted_at.map(date),
            changed_at: None,
            pending: Vec::new(),
        }
    }

    pub(super) fn changed(&self) -> Result<Timestamp> {
        self.changed_at.map(time).ok_or_else(|| broken("a chat without a time of change"))
    }

    pub(super) fn chat(self) -> Result<Chat> {
        Ok(Chat {
            id: ChatId(plain(self.id)),
            kind: match self.kind {
                1 => ChatKind::Direct,
                2 => ChatKind::Group,
                _ => return Err(broken("a chat of no kind")),
            },
            title: self.title,
            avatar_url: self.avatar_url,
            created_by: UserId::new(&self.created_by),
            member_count: number(self.member_count)?,
            revision: number(self.revision)?,
            deleted_at: self.deleted_at.map(time),
            untold: !self.pending.is_empty(),
        })
    }
}

/// In `members`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MemberDoc {
    pub(super) chat_id: Uuid,
    pub(super) user_id: String,
    role: i32,
    joined_at: DateTime,
    visible_from: i64,
    pub(super) delivered: SetDoc,
    pub(super) read: SetDoc,
    #[serde(flatten)]
    settings: SettingsDoc,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_at: Option<DateTime>,
    /// The chat's, once the user had left.
    #[serde(default)]
    left_revision: i64,
    /// When the receipts last changed, by mongod's clock; never written from here.
    #[serde(default, skip_serializing)]
    receipts_at: Option<DateTime>,
}

impl MemberDoc {
    pub(super) fn new(member: &Member) -> Self {
        Self {
            chat_id: uuid(member.chat.0),
            user_id: member.user.to_string(),
            role: role_number(member.role),
            joined_at: date(member.joined_at),
            visible_from: member.visible_from.into(),
            delivered: SetDoc::new(&member.delivered),
            read: SetDoc::new(&member.read),
            settings: SettingsDoc::new(&member.settings),
            left_at: member.left_at.map(date),
            left_revision: member.left_revision.into(),
            receipts_at: None,
        }
    }

    pub(super) fn changed(&self) -> Result<Timestamp> {
        self.receipts_at.map(time).ok_or_else(|| broken("receipts without a time of change"))
    }

    pub(super) fn member(self) -> Result<Member> {
        Ok(Member {
            chat: ChatId(plain(self.chat_id)),
            user: UserId::new(&self.user_id),
            role: match self.role {
                1 => Role::Member,
                2 => Role::Admin,
                3 => Role::Owner,
                _ => return Err(broken("a member without a role")),
            },
            joined_at: time(self.joined_at),
            visible_from: number(self.visible_from)?,
            delivered: self.delivered.set()?,
            read: self.read.set()?,
            settings: self.settings.settings()?,
            left_at: self.left_at.map(time),
            left_revision: number(self.left_revision)?,
        })
    }
}

/// The number that stands for a role.
pub(super) fn role_number(role: Role) -> i32 {
    match role {
        Role::Member => 1,
        Role::Admin => 2,
        Role::Owner => 3,
    }
}

/// A set of seqs. `more` may hold runs in any order, also such as the prefix has swallowed:
/// what it means is their union.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SetDoc {
    pub(super) to: i64,
    pub(super) more: Vec<[i64; 2]>,
}

impl SetDoc {
    pub(super) fn new(set: &SeqSet) -> Self {
        let more = set.more().iter().map(|run| [run.first.into(), run.last.into()]).collect();
        Self { to: set.to().into(), more }
    }

    pub(super) fn set(&self) -> Result<SeqSet> {
        let runs = self.more.iter().map(|[first, last]| {
            Run::new(number(*first)?, number(*last)?).ok_or_else(|| broken("an empty run"))
        });
        Ok(SeqSet::from_parts(number(self.to)?, runs.collect::<Result<Vec<Run>>>()?))
    }
}

/// In `users`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UserDoc {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    pub(super) display_name: String,
    #[serde(default)]
    pub(super) avatar_url: String,
    #[serde(default)]
    pub(super) issued_at: Option<DateTime>,
    #[serde(default)]
    last_active: Option<DateTime>,
}

impl UserDoc {
    pub(super) fn user(self) -> User {
        User {
            id: UserId::new(&self.id),
            display_name: self.display_name,
            avatar_url: self.avatar_url,
            updated_at: self.issued_at.map(time),
            last_active: self.last_active.map(time),
        }
    }
}

/// An id as BSON has it.
pub(super) fn uuid(id: uuid::Uuid) -> Uuid {
    Uuid::from_bytes(id.into_bytes())
}

/// An id as we have it.
pub(super) fn plain(id: Uuid) -> uuid::Uuid {
    uuid::Uuid::from_bytes(id.bytes())
}

/// Ids of chats as a list to look for.
pub(super) fn chat_ids(chats: &[ChatId]) -> Vec<Bson> {
    chats.iter().map(|chat| Bson::from(uuid(chat.0))).collect()
}

/// Ids of users as a list to look for.
pub(super) fn user_ids(users: &[UserId]) -> Vec<Bson> {
    users.iter().map(|user| Bson::from(user.as_str())).collect()
}

/// A number that is never negative and fits.
pub(super) fn number(wide: i64) -> Result<u32> {
    u32::try_from(wide).map_err(|_| broken("a number out of range"))
}

/// Bytes as BSON has them.
pub(super) fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

/// Bytes of a known length.
pub(super) fn bytes<const N: usize>(binary: &Binary) -> Result<[u8; N]> {
    binary.bytes.as_slice().try_into().map_err(|_| broken("bytes of a wrong length"))
}

/// A time as BSON has it.
pub(super) fn date(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.0)
}

/// A time as we have it.
pub(super) fn time(date: DateTime) -> Timestamp {
    Timestamp(date.timestamp_millis())
}
