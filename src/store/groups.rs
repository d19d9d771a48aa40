//! Groups that change: members, roles, titles; and what members set for themselves.

use async_trait::async_trait;

use super::{NewMessage, Result};
use crate::clock::Timestamp;
use crate::model::{Chat, ChatId, ChatSettings, Level, Member, Message, Role, UserId};

/// Groups that change: members, roles, titles; and what members set for themselves. As in
/// [`Store`](super::Store): answers are durable, lists of ids may hold repeats.
#[async_trait]
pub trait Groups: Send + Sync {
    /// Changes what the members of a chat share, all of it at once or nothing, and tells it in
    /// the log.
    ///
    /// - It is done only if the chat is there and its `revision` is still the one that was seen:
    ///   of two changes made after one look, one is [`GroupChanged::Moved`], on any node. The
    ///   `revision` rises by one, and `member_count` stays what it says.
    /// - Who comes is a member with the role MEMBER from now on, who was one before, too. They
    ///   see what comes after the newest message there is, have received and read all before it,
    ///   and have no settings. One who is a member already makes it Moved.
    /// - Who goes is a member no more; their place stays, and says when and at which revision
    ///   they left. One who is no member makes it Moved, and so does a new role for one.
    /// - Times are the store's. Changed fields count as changed now.
    /// - The notes are in the log once it is answered, in their order, each once. If the node
    ///   dies before that, or the store is away (not known whether it was done, then), the chat
    ///   is `untold` until [`tell_changes`](Self::tell_changes). A send of who went, or to a chat
    ///   that was deleted, is refused once the note is there, whatever the sender's node knows.
    /// - A deleted chat is not there for anybody any more: all places count as left then.
    async fn change_group(&self, change: GroupChange) -> Result<GroupChanged>;

    /// Puts the notes of an untold chat into the log and answers them: each is there once,
    /// however often and wherever this is called. Answers nothing for a chat that is told.
    async fn tell_changes(&self, chat: ChatId) -> Result<Vec<Message>>;

    /// The members of a chat by role, the highest first, then by `joined_at`, then user, behind
    /// this place, at most `limit`; those who left left out, empty for a chat that is not there.
    async fn members_page(
        &self,
        chat: ChatId,
        behind: Option<MemberPlace>,
        limit: u32,
    ) -> Result<Vec<Member>>;

    /// Changes a member's own settings of a chat. Nothing is done where a chat would be pinned and
    /// `max_pinned` of the user's are, however many are pinned at once.
    async fn put_settings(
        &self,
        chat: ChatId,
        user: &UserId,
        wish: SettingsWish,
        max_pinned: u32,
    ) -> Result<SettingsPut>;
}

/// Where a member stands among the members of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPlace {
    /// The member's.
    pub role: Role,
    /// Of those of one role who came first stands first.
    pub joined_at: Timestamp,
    /// Of those who came together the lower.
    pub user: UserId,
}

impl MemberPlace {
    /// Of this member.
    pub fn of(member: &Member) -> Self {
        Self { role: member.role, joined_at: member.joined_at, user: member.user.clone() }
    }
}

/// What came of [`Groups::put_settings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsPut {
    /// As they are then, and whether that is another thing now: then their `revision` is one
    /// higher.
    Put(ChatSettings, bool),
    /// So many chats are pinned that this one cannot be.
    TooManyPinned,
    /// The user is no member.
    NoMember,
}

/// What is to become of a group. What is not said stays as it is.
#[derive(Clone, Debug)]
pub struct GroupChange {
    /// Which.
    pub chat: ChatId,
    /// The chat's as it was when the rule was decided: read before the members were.
    pub revision: u32,
    /// Who comes, each once.
    pub comes: Vec<UserId>,
    /// Who goes, each once.
    pub goes: Vec<UserId>,
    /// New roles of members who stay.
    pub roles: Vec<(UserId, Role)>,
    /// A new title.
    pub title: Option<String>,
    /// A new picture; empty: none.
    pub avatar_url: Option<String>,
    /// It is deleted; nobody need be said to go.
    pub deletes: bool,
    /// What tells of it; the `client_message_id` of each is of this change alone.
    pub notes: Vec<NewMessage>,
}

impl GroupChange {
    /// One that changes nothing yet.
    pub fn of(chat: &Chat) -> Self {
        Self {
            chat: chat.id,
            revision: chat.revision,
            comes: Vec::new(),
            goes: Vec::new(),
            roles: Vec::new(),
            title: None,
            avatar_url: None,
            deletes: false,
            notes: Vec::new(),
        }
    }
}

/// What came of [`Groups::change_group`].
#[derive(Clone, Debug, PartialEq)]
pub enum GroupChanged {
    /// It is done: the chat as it now is, and the notes in the log.
    Changed(Chat, Vec<Message>),
    /// The chat is another than was seen, or not there: nothing was done.
    Moved,
}

/// New settings; what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettingsWish {
    /// Pin; one that is pinned keeps its time. Or take that back.
    pub pinned: Option<bool>,
    /// Archive or take that back.
    pub archived: Option<bool>,
    /// Until when; `Some(None)`: not muted.
    pub muted_until: Option<Option<Timestamp>>,
    /// Of which messages the member is told, and until when; `None` there: for good.
    pub level: Option<(Level, Option<Timestamp>)>,
}

impl SettingsWish {
    /// Whether settings that become these are of a chat that was not pinned before.
    pub(super) fn pins(before: &ChatSettings, after: &ChatSettings) -> bool {
        before.pinned_at.is_none() && after.pinned_at.is_some()
    }

    /// What settings become at this time; `None`: they stay what they are.
    pub(super) fn applied(self, to: &ChatSettings, now: Timestamp) -> Option<ChatSettings> {
        let mut new = *to;
        if let Some(pinned) = self.pinned {
            new.pinned_at = pinned.then(|| to.pinned_at.unwrap_or(now));
        }
        new.archived = self.archived.unwrap_or(to.archived);
        new.muted_until = self.muted_until.unwrap_or(to.muted_until);
        (new.level, new.level_until) = self.level.unwrap_or((to.level, to.level_until));
        (new != *to).then(|| ChatSettings {
            revision: to.revision + 1,
            changed_at: Some(now),
            ..new
        })
    }
}
