//! Groups that change: a wish is decided by the chat and the members as the store says now, and
//! is done only if that is still so. If another change came before it, it is decided anew. So
//! nobody acts on a role equal to or above their own, and a group has one owner, whoever asks
//! where at the same time.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use super::Service;
use super::erase::Erasure;
use super::limits::{CHANGE_PAUSE, CHANGE_TRIES};
use super::people::user_id;
use crate::error::{Error, Reason, Result};
use crate::model::{Chat, ChatId, ChatKind, Member, Role, UserId};
use crate::store::{GroupChange, GroupChanged};

mod add;
mod delete;
mod leave;
mod members;
mod notes;
mod remove;
mod role;
mod tell;
mod update;

pub use members::MembersPage;
pub(super) use tell::Untold;

/// What a member wants of a group.
#[derive(Clone, Debug)]
enum Wish {
    Add(Vec<UserId>),
    Remove(UserId),
    SetRole(UserId, Role),
    Update { title: Option<String>, avatar_url: Option<String> },
    Leave,
    Delete,
}

/// A group, and who asks: a member of it, at this revision or a later one.
#[derive(Clone, Debug)]
struct Group {
    chat: Chat,
    me: Member,
}

impl Group {
    fn require(&self, role: Role) -> Result<()> {
        if self.me.role >= role { Ok(()) } else { Err(role_too_low()) }
    }
}

fn role_too_low() -> Error {
    Error::new(Reason::RoleTooLow, "your role in this group does not allow it")
}

/// Reads the `user_id` of a call, of another than the caller.
fn other_user(caller: &UserId, raw: &str, what: &'static str) -> Result<UserId> {
    let user = user_id("user_id", raw)?;
    if user == *caller { Err(Error::field("user_id", what)) } else { Ok(user) }
}

impl Service {
    /// Does what a member wants of a group, and tells it; answers who came.
    async fn change_group(
        self: &Arc<Self>,
        user: &UserId,
        chat: ChatId,
        wish: Wish,
    ) -> Result<Vec<UserId>> {
        // A caller that goes away half-way must not leave a change that nobody was told of.
        let change = Arc::clone(self).decide_and_tell(user.clone(), chat, wish);
        let changed = self.tasks.spawn(change.in_current_span()).await;
        changed.map_err(|_| Error::internal("changing a group ended without an answer"))?
    }

    async fn decide_and_tell(
        self: Arc<Self>,
        user: UserId,
        chat: ChatId,
        wish: Wish,
    ) -> Result<Vec<UserId>> {
        let mut promised = false;
        for tries in 1..=CHANGE_TRIES {
            let group = self.group_of(&user, chat).await?;
            let Some(change) = self.decide(&group, &wish).await? else { return Ok(Vec::new()) };
            if change.deletes && !promised {
                // Before it is done: who dies after it leaves it to others.
                self.note_erasure(&Erasure::Chat(chat), Duration::ZERO).await?;
                promised = true;
            }
            let gone = if change.deletes {
                self.store.members(chat).await?.into_iter().map(|member| member.user).collect()
            } else {
                change.goes.clone()
            };
            let comes = change.comes.clone();
            match self.store.change_group(change).await? {
                GroupChanged::Changed(chat, notes) => {
                    self.tell_of_change(&chat, &notes, &gone).await;
                    if promised {
                        self.erasing.wake();
                    }
                    return Ok(comes);
                }
                GroupChanged::Moved => tokio::time::sleep(pause(tries)).await,
            }
        }
        Err(Error::new(Reason::StoreUnavailable, "others change this group just now; try again"))
    }

    /// `None`: it is so already.
    async fn decide(&self, group: &Group, wish: &Wish) -> Result<Option<GroupChange>> {
        match wish {
            Wish::Add(users) => self.decide_add(group, users).await,
            Wish::Remove(user) => self.decide_remove(group, user).await,
            Wish::SetRole(user, role) => self.decide_role(group, user, *role).await,
            Wish::Update { title, avatar_url } => {
                self.decide_update(group, title.as_deref(), avatar_url.as_deref())
            }
            Wish::Leave => self.decide_leave(group).await,
            Wish::Delete => self.decide_delete(group).map(Some),
        }
    }

    async fn group_of(&self, user: &UserId, chat: ChatId) -> Result<Group> {
        // The chat first: a place that changes after it makes the change void.
        let found = self.store.chats(&[chat]).await?.into_iter().next();
        let found = found.ok_or_else(Error::chat_not_found)?;
        let me = self.store.member(chat, user).await?.filter(|me| me.left_at.is_none());
        let me = me.ok_or_else(Error::chat_not_found)?;
        self.mind_untold(&found);
        match found.kind {
            ChatKind::Group => Ok(Group { chat: found, me }),
            ChatKind::Direct => {
                Err(Error::new(Reason::NotAGroup, "a direct chat has no members to change"))
            }
        }
    }

    /// The place of another present member.
    async fn place_in(&self, chat: &Chat, user: &UserId) -> Result<Option<Member>> {
        Ok(self.store.places(&[(chat.id, user.clone())]).await?.into_iter().next())
    }
}

/// Those who lost the same race do not meet again.
fn pause(tries: u32) -> Duration {
    (CHANGE_PAUSE * tries).mul_f64(rand::random())
}
