//! What happened, as it is told: JSON with `id`, `type`, `timestamp` and `data`.

use std::str::FromStr;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::model::{Chat, ChatId, ChatKind, Message, Run, UserId};
use crate::store::NewJob;

/// What may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message is stored, a system note too.
    MessageSent,
    /// A member has read messages.
    MessageRead,
    /// A chat was made, or its title, picture, members or roles have changed.
    ChatUpdated,
    /// A user's first device came into the foreground.
    UserOnline,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] =
        [Self::MessageSent, Self::MessageRead, Self::ChatUpdated, Self::UserOnline];

    /// As it is told.
    pub fn name(self) -> &'static str {
        match self {
            Self::MessageSent => "message.sent",
            Self::MessageRead => "message.read",
            Self::ChatUpdated => "chat.updated",
            Self::UserOnline => "user.online",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let all = Self::ALL.map(Self::name).join(", ");
            format!("not one of {all}")
        })
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    id: String,
    kind: Kind,
    at: Timestamp,
    data: Value,
}

impl Event {
    /// A message is stored.
    pub fn message_sent(message: &Message) -> Self {
        let id = format!("sent_{}", message.id);
        let note = message.note.as_ref().map(|note| {
            json!({
                "kind": note.kind.number(),
                "actor_id": note.actor.as_ref().map(UserId::as_str),
                "user_ids": note.users.iter().map(UserId::as_str).collect::<Vec<_>>(),
                "title": note.title,
            })
        });
        let attachments = message.attachments.iter().map(|of| {
            json!({
                "attachment_id": of.id.to_string(),
                "file_name": of.file_name,
                "content_type": of.content_type,
                "size_bytes": of.size,
            })
        });
        let attachments: Vec<_> = attachments.collect();
        let data = json!({
            "message_id": message.id.to_string(),
            "chat_id": message.chat.to_string(),
            "seq": message.seq,
            "sender_id": message.sender.as_ref().map(UserId::as_str),
            "client_message_id": message.client_message_id,
            "text": message.text,
            "reply_to_message_id": message.reply_to.map(|(id, _)| id.to_string()),
            "attachments": attachments,
            "system_note": note,
            "created_at": written(message.created_at()),
        });
        Self { id, kind: Kind::MessageSent, at: message.created_at(), data }
    }

    /// A member has read these messages.
    pub fn message_read(chat: ChatId, user: &UserId, runs: &[Run], at: Timestamp) -> Self {
        let first = runs.first().map_or(0, |run| run.first);
        let last = runs.last().map_or(0, |run| run.last);
        let id = format!("read_{chat}_{user}_{first}_{last}_{}", at.0);
        let seqs: Vec<_> =
            runs.iter().map(|run| json!({ "first": run.first, "last": run.last })).collect();
        let data = json!({ "chat_id": chat.to_string(), "user_id": user.as_str(), "seqs": seqs });
        Self { id, kind: Kind::MessageRead, at, data }
    }

    /// A chat is as it now is.
    pub fn chat_updated(chat: &Chat, members: &[UserId], at: Timestamp) -> Self {
        let id = format!("chat_{}_{}", chat.id, chat.revision);
        let kind = match chat.kind {
            ChatKind::Direct => "direct",
            ChatKind::Group => "group",
        };
        let data = json!({
            "chat_id": chat.id.to_string(),
            "kind": kind,
            "title": chat.title,
            "avatar_url": chat.avatar_url,
            "member_count": chat.member_count,
            "member_ids": members.iter().map(UserId::as_str).collect::<Vec<_>>(),
            "revision": chat.revision,
            "deleted": chat.deleted_at.is_some(),
        });
        Self { id, kind: Kind::ChatUpdated, at, data }
    }

    /// A user is here.
    pub fn user_online(user: &UserId, since: Timestamp) -> Self {
        let id = format!("online_{user}_{}", since.0);
        let data = json!({ "user_id": user.as_str(), "since": written(since) });
        Self { id, kind: Kind::UserOnline, at: since, data }
    }

    /// As a job: told in the same words at each attempt.
    pub(super) fn job(&self) -> NewJob {
        let body = json!({
            "id": self.id,
            "type": self.kind.name(),
            "timestamp": written(self.at),
            "data": self.data,
        });
        NewJob { id: self.id.clone(), body: body.to_string().into_bytes() }
    }
}

/// RFC 3339, to the millisecond, in UTC.
fn written(at: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_as_it_is_told() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("message.send".parse::<Kind>().is_err());
    }

    #[test]
    fn an_event_is_told_in_json() {
        let at = Timestamp(1_700_000_000_123);
        let job = Event::user_online(&UserId::new("ann"), at).job();
        assert_eq!(job.id, "online_ann_1700000000123");
        let told: Value = serde_json::from_slice(&job.body).unwrap();
        assert_eq!(
            told,
            json!({
                "id": "online_ann_1700000000123",
                "type": "user.online",
                "timestamp": "2023-11-14T22:13:20.123Z",
                "data": { "user_id": "ann", "since": "2023-11-14T22:13:20.123Z" },
            })
        );
    }
}
