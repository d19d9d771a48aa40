//! Users, and what they keep from each other.

use super::UserId;
use crate::clock::Timestamp;

/// What adda knows of a user: learned from tokens and from streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `sub` of the token.
    pub id: UserId,
    /// From the claim `name`; empty: not met yet.
    pub display_name: String,
    /// From the claim `picture`; empty: none.
    pub avatar_url: String,
    /// When the newest token that said so was issued; `None`: none has.
    pub updated_at: Option<Timestamp>,
    /// When a stream in the foreground was last seen to end.
    pub last_active: Option<Timestamp>,
}

/// What a user does not want to be seen of. Who hides something does not see it of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// When the user was here last.
    pub hide_last_active: bool,
    /// What the user has read in direct chats.
    pub hide_read_receipts: bool,
}

/// What a user keeps from others: from whom all, and what from all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Whose.
    pub user: UserId,
    /// Whom the user has blocked, ascending.
    pub blocked: Vec<UserId>,
    /// What the user hides.
    pub privacy: Privacy,
}

impl Reserve {
    /// Of a user who keeps nothing from anybody.
    pub fn none(user: UserId) -> Self {
        Self { user, blocked: Vec::new(), privacy: Privacy::default() }
    }

    /// Whether the user has blocked this one.
    pub fn blocks(&self, other: &UserId) -> bool {
        self.blocked.binary_search(other).is_ok()
    }
}
