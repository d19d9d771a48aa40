//! How users want to be told of what they missed, and what they were told in the app.

use serde::{Deserialize, Serialize};

use super::{ChatId, MessageId, Seq, UserId};
use crate::clock::Timestamp;

/// How much a push says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preview {
    /// The sender and the text.
    #[default]
    Full,
    /// The sender alone.
    Sender,
    /// That there is a message.
    None,
}

/// Of which messages of a chat a member is told. The number is the one of the contract, and what
/// is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Of all.
    #[default]
    All = 1,
    /// Of those that mention the member, or answer one of the member's.
    Mentions = 2,
    /// Of none.
    None = 3,
}

impl Level {
    /// The number that is stored.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// From the number that is stored.
    pub fn from_number(number: i32) -> Option<Self> {
        [Self::All, Self::Mentions, Self::None].into_iter().find(|level| level.number() == number)
    }
}

/// A time of the week at which nothing rings, by the clock on the wall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// On which days it begins, 1 for Monday to 7; none: on all.
    pub weekdays: Vec<u8>,
    /// Minutes since midnight.
    pub start: u16,
    /// Likewise; not after `start`: on the next day.
    pub end: u16,
}

/// How a user wants to be told, on all devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// No pushes at all.
    pub off: bool,
    /// How much they say.
    pub preview: Preview,
    /// Without a sound.
    pub silent: bool,
    /// When nothing rings.
    pub quiet_hours: Vec<QuietHours>,
    /// An IANA name; empty: UTC.
    pub time_zone: String,
    /// Mentions ring in quiet hours all the same.
    pub mentions_pierce: bool,
    /// 0 by default, one more at each change.
    pub revision: u32,
}

/// What a notification in the app tells. The number is the one of the contract, and what is
/// stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// Messages came while the user was away: one a chat.
    Messages = 1,
    /// A message mentions the user.
    Mention = 2,
    /// Somebody reacted to a message of the user's: one a message.
    Reaction = 3,
    /// The user was added to a group.
    Added = 4,
    /// A word of the product.
    Announcement = 5,
}

impl NoticeKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Messages, Self::Mention, Self::Reaction, Self::Added, Self::Announcement];

    /// The number that is stored.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// From the number that is stored.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// Whether who has read its message has seen it.
    pub fn is_seen_in_chat(self) -> bool {
        self != Self::Reaction
    }
}

/// Something for a user's list of notifications. Who and what it is of is told by its id, which
/// is derived from them: so noting it twice is noting it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Derived.
    pub id: uuid::Uuid,
    /// For whom.
    pub user: UserId,
    /// What it tells.
    pub kind: NoticeKind,
    /// Where.
    pub chat: ChatId,
    /// Which message; of several the newest.
    pub message: MessageId,
    /// Its place.
    pub seq: Seq,
    /// Of two of one id the higher is the newer.
    pub version: u32,
    /// Who did it; `None`: the product.
    pub actor: Option<UserId>,
    /// How many messages or reactions are in it.
    pub count: u32,
    /// For reactions.
    pub emoji: String,
    /// When it was noted, by the store's clock.
    pub updated_at: Timestamp,
    /// The user has seen it.
    pub read: bool,
}
