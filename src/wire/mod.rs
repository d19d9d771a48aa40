//! The words of the house in the words of the contract: what is told and answered.
//!
//! Only downwards: requests are taken apart in `rpc`, and nothing below it knows them.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::model::{
    Attachment, Chat, ChatKind, ChatSettings, MAX_REACTION_NAMES, Member, Message, MessageKind,
    Reaction, Role, Run, SeqSet, SystemNote, User, UserId,
};
use crate::proto;

mod frame;
pub mod status;

pub use frame::{About, EncodedFrame, Told, event_frame};
pub use status::{status, stream_error};

/// A time as protobuf has it.
pub fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.0.div_euclid(1000),
        nanos: i32::try_from(at.0.rem_euclid(1000)).unwrap_or(0) * 1_000_000,
    }
}

/// A time from protobuf, to the millisecond below; `None` for what is no time.
pub fn from_timestamp(at: &prost_types::Timestamp) -> Option<Timestamp> {
    if !(0..1_000_000_000).contains(&at.nanos) {
        return None;
    }
    let millis = at.seconds.checked_mul(1000)?.checked_add(i64::from(at.nanos / 1_000_000))?;
    Some(Timestamp(millis))
}

/// A span of time as protobuf has it.
pub fn duration(of: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(of.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(of.subsec_nanos()).unwrap_or(0),
    }
}

/// Runs as the contract has them.
pub fn ranges(runs: &[Run]) -> Vec<proto::SeqRange> {
    runs.iter().map(|run| proto::SeqRange { first: run.first, last: run.last }).collect()
}

/// A message without receipts: as events carry it, and as answers begin. Its attachments have no
/// URLs yet.
pub fn message(message: &Message) -> proto::Message {
    proto::Message {
        message_id: message.id.to_string(),
        chat_id: message.chat.to_string(),
        seq: message.seq,
        sender_id: message.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
        r#type: message_type(message.kind()).into(),
        text: message.text.clone(),
        client_message_id: message.client_message_id.clone(),
        reply_to_message_id: message.reply_to.map(|(id, _)| id.to_string()).unwrap_or_default(),
        reply_to_seq: message.reply_to.map_or(0, |(_, seq)| seq),
        created_at: Some(timestamp(message.created_at())),
        edited_at: message.edited_at.map(timestamp),
        deleted_at: message.deleted_at.map(timestamp),
        revision: message.revision,
        system_note: message.note.as_ref().map(note),
        attachments: message.attachments.iter().map(attachment).collect(),
        mentions: message.mentions.iter().map(ToString::to_string).collect(),
        reactions: reactions(message, None),
        ..proto::Message::default()
    }
}

/// What a message carries.
pub fn message_type(kind: MessageKind) -> proto::MessageType {
    match kind {
        MessageKind::Text => proto::MessageType::Text,
        MessageKind::Image => proto::MessageType::Image,
        MessageKind::Media => proto::MessageType::Media,
        MessageKind::Doc => proto::MessageType::Doc,
        MessageKind::Mixed => proto::MessageType::Mixed,
        MessageKind::System => proto::MessageType::System,
    }
}

/// A file, without its URLs.
pub fn attachment(of: &Attachment) -> proto::Attachment {
    proto::Attachment {
        attachment_id: of.id.to_string(),
        file_name: of.file_name.clone(),
        content_type: of.content_type.clone(),
        size_bytes: of.size,
        width: of.width,
        height: of.height,
        blurhash: of.blurhash.clone(),
        ..proto::Attachment::default()
    }
}

/// A message without receipts, for this user alone: as answers and replays carry it.
pub fn message_for(of: &Message, user: &UserId) -> proto::Message {
    proto::Message { reactions: reactions(of, Some(user)), ..message(of) }
}

/// Takes out of a message what its reader has deleted for themselves. The place stays.
pub fn leave_out(message: &mut proto::Message) {
    message.hidden = true;
    message.text.clear();
    message.attachments.clear();
    message.mentions.clear();
    message.reactions.clear();
    message.reply_to_message_id.clear();
    message.reply_to_seq = 0;
    message.system_note = None;
}

/// The reactions to a message, `first` as the first of those who are named.
pub fn reactions(message: &Message, first: Option<&UserId>) -> Vec<proto::Reaction> {
    let reaction = |of: &Reaction| {
        let first = first.filter(|user| of.users.contains(user));
        let others = of.users.iter().filter(|user| Some(*user) != first);
        let named = first.into_iter().chain(others).take(MAX_REACTION_NAMES);
        proto::Reaction {
            emoji: of.emoji.clone(),
            user_ids: named.map(ToString::to_string).collect(),
            count: u32::try_from(of.users.len()).unwrap_or(u32::MAX),
        }
    };
    message.reactions.iter().map(reaction).collect()
}

fn note(note: &SystemNote) -> proto::SystemNote {
    proto::SystemNote {
        kind: note.kind.number(),
        actor_id: note.actor.as_ref().map(ToString::to_string).unwrap_or_default(),
        user_ids: note.users.iter().map(ToString::to_string).collect(),
        title: note.title.clone(),
    }
}

/// The shared fields of a chat, `members` apart.
pub fn chat(chat: &Chat) -> proto::Chat {
    let kind = match chat.kind {
        ChatKind::Direct => proto::ChatKind::Direct,
        ChatKind::Group => proto::ChatKind::Group,
    };
    proto::Chat {
        chat_id: chat.id.to_string(),
        kind: kind.into(),
        title: chat.title.clone(),
        avatar_url: chat.avatar_url.clone(),
        member_count: chat.member_count,
        created_at: Some(timestamp(chat.id.time())),
        revision: chat.revision,
        ..proto::Chat::default()
    }
}

/// What a member has set for a chat.
pub fn settings(of: &ChatSettings) -> proto::ChatSettings {
    proto::ChatSettings {
        pinned_at: of.pinned_at.map(timestamp),
        archived: of.archived,
        muted_until: of.muted_until.map(timestamp),
        revision: of.revision,
        notification_level: of.level.number(),
        notification_level_until: of.level_until.map(timestamp),
    }
}

/// A user as others see them; `None`: adda has not met this one.
pub fn user(id: &UserId, user: Option<&User>) -> proto::User {
    proto::User {
        user_id: id.to_string(),
        display_name: user.map(|user| user.display_name.clone()).unwrap_or_default(),
        avatar_url: user.map(|user| user.avatar_url.clone()).unwrap_or_default(),
        updated_at: user.and_then(|user| user.updated_at).map(timestamp),
    }
}

/// The number of a role in the contract.
pub fn role(role: Role) -> proto::MemberRole {
    match role {
        Role::Member => proto::MemberRole::Member,
        Role::Admin => proto::MemberRole::Admin,
        Role::Owner => proto::MemberRole::Owner,
    }
}

/// A member without receipts.
pub fn member(member: &Member, user: Option<&User>) -> proto::Member {
    proto::Member {
        user_id: member.user.to_string(),
        role: role(member.role).into(),
        joined_at: Some(timestamp(member.joined_at)),
        display_name: user.map(|user| user.display_name.clone()).unwrap_or_default(),
        avatar_url: user.map(|user| user.avatar_url.clone()).unwrap_or_default(),
        visible_from_seq: member.visible_from,
        profile_updated_at: user.and_then(|user| user.updated_at).map(timestamp),
        ..proto::Member::default()
    }
}

/// A member with receipts.
pub fn member_with_receipts(of: &Member, user: Option<&User>) -> proto::Member {
    let set = |set: &SeqSet| ranges(&set.runs());
    proto::Member { delivered: set(&of.delivered), read: set(&of.read), ..member(of, user) }
}
