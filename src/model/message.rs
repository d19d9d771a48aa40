//! One message.

use super::{Attachment, ChatId, Family, MessageId, Seq, UserId};
use crate::clock::Timestamp;

/// What a message carries; derived from its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Text only.
    Text,
    /// Pictures, no text.
    Image,
    /// Audio or video, no text.
    Media,
    /// Documents, no text.
    Doc,
    /// Text with attachments, or attachments of several kinds.
    Mixed,
    /// Written by the service itself.
    System,
}

impl MessageKind {
    /// Of what a user sends.
    pub fn of(text: &str, attachments: &[Attachment]) -> Self {
        let mut families = attachments.iter().map(Attachment::family);
        match families.next() {
            None => Self::Text,
            Some(first) if text.is_empty() && families.all(|family| family == first) => match first
            {
                Family::Image => Self::Image,
                Family::Media => Self::Media,
                Family::Doc => Self::Doc,
            },
            Some(_) => Self::Mixed,
        }
    }
}

/// The ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageState {
    /// Durable: one tick.
    Sent,
    /// Every other member has received it: two ticks.
    Delivered,
    /// Every other member has read it: two blue ticks.
    Seen,
}

/// What a system note tells. The number is the one of the contract, and what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// The actor made the group.
    GroupCreated = 1,
    /// The actor added users.
    MembersAdded = 2,
    /// The actor removed users.
    MembersRemoved = 3,
    /// The actor left.
    MemberLeft = 4,
    /// The actor changed the title.
    TitleChanged = 5,
    /// The actor changed the picture.
    AvatarChanged = 6,
    /// The actor made users admins.
    AdminsAppointed = 7,
    /// The actor took the admin's role from users.
    AdminsDismissed = 8,
    /// One user owns the group now.
    OwnerChanged = 9,
    /// A word of the product itself; the only kind that counts as unread and rings.
    Announcement = 10,
}

impl NoteKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::GroupCreated,
        Self::MembersAdded,
        Self::MembersRemoved,
        Self::MemberLeft,
        Self::TitleChanged,
        Self::AvatarChanged,
        Self::AdminsAppointed,
        Self::AdminsDismissed,
        Self::OwnerChanged,
        Self::Announcement,
    ];

    /// The number that is stored.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// From the number that is stored.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// What happened to the chat, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemNote {
    /// What.
    pub kind: NoteKind,
    /// Who did it; `None`: the service.
    pub actor: Option<UserId>,
    /// To whom, at most 256.
    pub users: Vec<UserId>,
    /// The new title, where the title changed.
    pub title: String,
}

/// A message can have this many kinds of reactions: what fits under it on a screen.
pub const MAX_REACTION_KINDS: usize = 20;

/// A message can have this many reactions in all: they are read and written whole, some 40 KB.
pub const MAX_REACTIONS: usize = 1_000;

/// Of those who reacted with one emoji so many are named; the rest is a count.
pub const MAX_REACTION_NAMES: usize = 50;

/// Who reacted to a message with one emoji.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// One emoji.
    pub emoji: String,
    /// Who, each once, the first one first; never empty.
    pub users: Vec<UserId>,
}

/// One message of a chat, as it is stored. `created_at` is the time of its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Given by the server, UUIDv7.
    pub id: MessageId,
    /// Where.
    pub chat: ChatId,
    /// Place in the chat, 1 or more.
    pub seq: Seq,
    /// Who; `None` for a system note.
    pub sender: Option<UserId>,
    /// Chosen by the sending device; unique per (chat, sender).
    pub client_message_id: String,
    /// HMAC of the content as first sent: what repeats are compared by. Edits and deletions
    /// leave it.
    pub content_hash: [u8; 16],
    /// Normalised; empty once deleted.
    pub text: String,
    /// In the order of sending; none once deleted.
    pub attachments: Vec<Attachment>,
    /// The message this one answers, and its place.
    pub reply_to: Option<(MessageId, Seq)>,
    /// Members whom the text speaks to, each once; none once deleted.
    pub mentions: Vec<UserId>,
    /// One entry an emoji, the oldest first; none once deleted.
    pub reactions: Vec<Reaction>,
    /// Set for system notes only.
    pub note: Option<SystemNote>,
    /// When the text was last changed.
    pub edited_at: Option<Timestamp>,
    /// When it was deleted for everyone.
    pub deleted_at: Option<Timestamp>,
    /// 0 when sent; one more at each change.
    pub revision: u32,
}

impl Message {
    /// When the server stored it.
    pub fn created_at(&self) -> Timestamp {
        self.id.time()
    }

    /// What it carries.
    pub fn kind(&self) -> MessageKind {
        if self.note.is_some() {
            return MessageKind::System;
        }
        MessageKind::of(&self.text, &self.attachments)
    }

    /// Whether it counts as unread for who has not read it and did not send it.
    pub fn counts(&self) -> bool {
        self.deleted_at.is_none()
            && self.note.as_ref().is_none_or(|note| note.kind == NoteKind::Announcement)
    }

    /// About how many bytes it has.
    pub fn size(&self) -> usize {
        let users = self.reactions.iter().flat_map(|of| &of.users).chain(&self.mentions);
        self.text.len() + users.map(|user| user.as_str().len()).sum::<usize>()
    }

    /// Whether this user has reacted to it with this emoji.
    pub fn has_reaction(&self, user: &UserId, emoji: &str) -> bool {
        self.reactions.iter().any(|of| of.emoji == emoji && of.users.contains(user))
    }

    /// With which emojis this user has reacted to it.
    pub fn reactions_of(&self, user: &UserId) -> Vec<String> {
        let own = self.reactions.iter().filter(|of| of.users.contains(user));
        own.map(|of| of.emoji.clone()).collect()
    }

    /// Whether there is room for one more reaction with this emoji.
    pub fn has_room(&self, emoji: &str) -> bool {
        let count: usize = self.reactions.iter().map(|of| of.users.len()).sum();
        let known = self.reactions.iter().any(|of| of.emoji == emoji);
        count < MAX_REACTIONS && (known || self.reactions.len() < MAX_REACTION_KINDS)
    }

    /// Takes one reaction more; false: it is there, or there is no room for it.
    pub fn react(&mut self, user: &UserId, emoji: &str) -> bool {
        if self.has_reaction(user, emoji) || !self.has_room(emoji) {
            return false;
        }
        if let Some(of) = self.reactions.iter_mut().find(|of| of.emoji == emoji) {
            of.users.push(user.clone());
        } else {
            let users = vec![user.clone()];
            self.reactions.push(Reaction { emoji: emoji.to_owned(), users });
        }
        true
    }

    /// Takes one reaction back, and with the last of a kind the kind; false: it is not there.
    pub fn unreact(&mut self, user: &UserId, emoji: &str) -> bool {
        let there = self.has_reaction(user, emoji);
        for of in self.reactions.iter_mut().filter(|of| of.emoji == emoji) {
            of.users.retain(|other| other != user);
        }
        self.reactions.retain(|of| !of.users.is_empty());
        there
    }

    /// Whether it tells of a change of who is in the chat, or of their roles.
    pub fn changes_members(&self) -> bool {
        self.note.as_ref().is_some_and(|note| note.kind != NoteKind::Announcement)
    }
}
