//! Names and pictures, as tokens bring them; and who is told of a new one.
//!
//! Telling is bounded: one user's names are told once in a while, the last one for sure; to so many
//! users, those of smaller chats first, step by step; a few users' at a time on one node. Who is not
//! told learns it when next looking at the chat.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::limits::{
    MAX_RECEIPT_MEMBERS, PROFILE_PAUSE, PROFILE_STEP, PROFILE_TOLD_TO, PROFILES_AT_ONCE,
    PROFILES_WAITING,
};
use super::{Service, text};
use crate::clock::Timestamp;
use crate::model::{Chat, ChatId, ChatKind, UserId};
use crate::proto::{self, event::Event};
use crate::store;
use crate::wire;

/// Chats whose members are read at once.
const READS: usize = 8;

/// What is known of profiles.
pub struct Profiles {
    /// What was written last, so that a token seen again costs nothing.
    written: Cache<UserId, Arc<(String, String)>>,
    /// Users whose names are being told, or were just now; since when there is another one.
    telling: Mutex<HashMap<UserId, Option<Timestamp>>>,
    turns: Semaphore,
}

impl Default for Profiles {
    fn default() -> Self {
        Self {
            written: Cache::new(100_000),
            telling: Mutex::default(),
            turns: Semaphore::new(PROFILES_AT_ONCE),
        }
    }
}

impl Profiles {
    /// What was written of this user does not count any more.
    pub(super) fn forget(&self, user: &UserId) {
        self.written.invalidate(user);
    }
}

impl Service {
    /// Notes what a token says of its user. A token without a name says nothing. Failing is no
    /// reason to refuse the call: the next one brings it again.
    pub async fn meet(
        self: &Arc<Self>,
        user: &UserId,
        name: Option<&str>,
        picture: Option<&str>,
        issued_at: Timestamp,
    ) {
        let Some(name) = name else { return };
        let picture = picture.unwrap_or_default();
        let known = self.profiles.written.get(user);
        if known.is_some_and(|known| known.0 == name && known.1 == picture) {
            return;
        }
        let Some(shown) = text::display_name(name) else { return };
        let now = self.clock.now();
        match self.store.put_profile(user, &shown, picture, issued_at).await {
            Ok(changed) => {
                let profile = Arc::new((name.to_owned(), picture.to_owned()));
                self.profiles.written.insert(user.clone(), profile);
                if changed {
                    self.profile_changed(user, now);
                }
            }
            Err(error) => tracing::warn!(%user, %error, "cannot note a user's name"),
        }
    }

    /// A user has had another name or picture since then: others are told, soon.
    pub(crate) fn profile_changed(self: &Arc<Self>, user: &UserId, since: Timestamp) {
        let mut telling = self.profiles.telling.lock();
        if let Some(another) = telling.get_mut(user) {
            *another = Some(since);
            return;
        }
        if telling.len() >= PROFILES_WAITING {
            tracing::warn!(%user, "too many users have new names; nobody is told of this one");
            return;
        }
        telling.insert(user.clone(), None);
        let (service, user) = (Arc::clone(self), user.clone());
        self.run(async move { service.tell_profiles(user, since).await });
    }

    async fn tell_profiles(&self, user: UserId, mut since: Timestamp) {
        loop {
            // Boxed, for it takes some kilobytes, which none of those who come for the first time is
            // to keep over the pause.
            Box::pin(self.tell_profile_in_turn(&user, since)).await;
            tokio::time::sleep(PROFILE_PAUSE).await;
            let mut telling = self.profiles.telling.lock();
            let Some(another) = telling.get_mut(&user).and_then(Option::take) else {
                telling.remove(&user);
                return;
            };
            since = another;
        }
    }

    async fn tell_profile_in_turn(&self, user: &UserId, since: Timestamp) {
        // It is never closed.
        if let Ok(_turn) = self.profiles.turns.acquire().await
            && let Err(error) = self.tell_profile(user, since).await
        {
            tracing::warn!(%user, %error, "cannot tell of a user's new name");
        }
    }

    /// Tells of the name as it is now those who hear of it.
    pub(super) async fn tell_profile(&self, user: &UserId, since: Timestamp) -> store::Result<()> {
        let to = self.told_of(user, since).await?;
        if to.len() < 2 {
            // Whom nobody knows is mostly one who comes for the first time.
            return Ok(());
        }
        let users = self.users_by_id(std::slice::from_ref(user)).await?;
        let profile = wire::user(user, users.get(user));
        let event = Event::UserUpdated(proto::UserUpdated { user: Some(profile) });
        for some in to.chunks(PROFILE_STEP) {
            self.tell_users(some, event.clone()).await;
        }
        Ok(())
    }

    /// Who hears of it: the user, those who share a direct chat, and those who share a group that
    /// shows who is in it. Chats that were made since then began with the new name.
    async fn told_of(&self, user: &UserId, since: Timestamp) -> store::Result<Vec<UserId>> {
        let places = self.store.memberships(user).await?;
        let here = places.iter().filter(|place| place.left_at.is_none() && place.joined_at < since);
        let ids: Vec<ChatId> = here.map(|place| place.chat).collect();
        let mut chats = self.store.chats(&ids).await?;
        chats.retain(|chat| chat.member_count as usize <= MAX_RECEIPT_MEMBERS);
        chats.sort_by_key(|chat| chat.member_count);
        let direct = |chat: &&Chat| chat.kind == ChatKind::Direct;
        let (direct, groups): (Vec<&Chat>, Vec<&Chat>) = chats.iter().partition(direct);
        let ids = |chats: Vec<&Chat>| chats.into_iter().map(|chat| chat.id).collect::<Vec<_>>();
        let (direct, groups) = (ids(direct), ids(groups));
        let mut to = vec![user.clone()];
        to.extend(self.store.pairs(&direct).await?.into_iter().map(|member| member.user));
        let reads = groups.into_iter().map(|chat| self.store.members(chat));
        let mut reads = stream::iter(reads).buffered(READS);
        while to.len() < PROFILE_TOLD_TO
            && let Some(members) = reads.next().await
        {
            to.extend(members?.into_iter().map(|member| member.user));
            to.sort_unstable();
            to.dedup();
        }
        to.sort_unstable();
        to.dedup();
        Ok(to)
    }
}
