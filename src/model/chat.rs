//! Chats and their members.

use super::{ChatId, Level, Seq, SeqSet, UserId};
use crate::clock::Timestamp;

/// What sort of chat it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKind {
    /// Exactly two members.
    Direct,
    /// Any number of members, a title, roles.
    Group,
}

/// What a member may do. A higher role may do all that a lower one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads and writes.
    Member,
    /// Also adds and removes members.
    Admin,
    /// Also appoints admins and deletes the group.
    Owner,
}

/// What all members share of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// UUIDv7; its time is the chat's `created_at`.
    pub id: ChatId,
    /// Direct or group.
    pub kind: ChatKind,
    /// Groups only.
    pub title: String,
    /// Groups only; empty: none.
    pub avatar_url: String,
    /// Who made it.
    pub created_by: UserId,
    /// How many members there are now.
    pub member_count: u32,
    /// 1 when made, one more at each change of title, picture, members or roles.
    pub revision: u32,
    /// When it was deleted; it then exists for nobody.
    pub deleted_at: Option<Timestamp>,
    /// A change of it has no note in the log yet: whoever made it is about to write it, or died.
    pub untold: bool,
}

/// What one member has set for a chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChatSettings {
    /// Pinned, and when.
    pub pinned_at: Option<Timestamp>,
    /// Out of sight.
    pub archived: bool,
    /// No push until then.
    pub muted_until: Option<Timestamp>,
    /// Of which messages the member is told.
    pub level: Level,
    /// Until when; `None`: for good.
    pub level_until: Option<Timestamp>,
    /// 0 before the first change, one more at each.
    pub revision: u32,
    /// When they last changed, by the store's clock.
    pub changed_at: Option<Timestamp>,
}

impl ChatSettings {
    /// Of which messages the member is told at this time.
    pub fn level_at(&self, now: Timestamp) -> Level {
        if self.level_until.is_some_and(|until| until <= now) {
            Level::default()
        } else {
            self.level
        }
    }
}

/// One user's place in one chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The chat.
    pub chat: ChatId,
    /// The user.
    pub user: UserId,
    /// What the member may do.
    pub role: Role,
    /// When the member came, the last time if more than once.
    pub joined_at: Timestamp,
    /// The first `seq` the member may see, 1 or more.
    pub visible_from: Seq,
    /// What the member's devices have acknowledged. Always holds all of `read`.
    pub delivered: SeqSet,
    /// What the member has read.
    pub read: SeqSet,
    /// The member's own.
    pub settings: ChatSettings,
    /// Set: the user is a member no more.
    pub left_at: Option<Timestamp>,
    /// Of the chat, once the user had left; 0 for a member.
    pub left_revision: u32,
}

impl Member {
    /// A member who has just come.
    pub fn new(chat: ChatId, user: UserId, role: Role, joined_at: Timestamp, from: Seq) -> Self {
        Self {
            chat,
            user,
            role,
            joined_at,
            visible_from: from,
            delivered: SeqSet::up_to(from.saturating_sub(1)),
            read: SeqSet::up_to(from.saturating_sub(1)),
            settings: ChatSettings::default(),
            left_at: None,
            left_revision: 0,
        }
    }
}
