//! Notifications in the app: what a user missed, in a list that stays.
//!
//! They follow from what is durable: messages and notes are read from the log ([`log`]), reactions
//! are announced before they are stored ([`reactions`]). What is taken back or deleted takes its
//! notification with it ([`gone`]). The id of one is derived from what it is
//! of, and of two the higher version counts: so what is noted again, by this node or another after
//! a crash, is noted once. Whether one of a message is read follows from what the user has read in
//! the chat, and is looked up whenever unread ones are counted for a list: so what a crash left
//! unmarked is marked then.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::Service;
use super::limits::{MAX_NOTICES, MAX_NOTICES_NAMED, NOTICES_AT_ONCE, PRESENCE_WITHIN};
use super::seal::{Purpose, armour, bad_token, unarmour};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{ChatId, Member, Notice, NoticeKind, UserId};
use crate::proto::{self, event::Event};
use crate::store::{COUNT_CAP, NoticeChoice, NoticeQuery, NoticesKept};
use crate::wire;

mod gone;
mod log;
mod reactions;

const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 100;
/// How often it is looked for what is to be noted.
const EVERY: Duration = Duration::from_secs(1);
/// At which of these turns also for reactions that others left: that is rare.
const REACTIONS_EVERY: u64 = 5;

/// What a user was told since then.
pub(super) fn notices_since(user: &UserId, since: Timestamp) -> NoticeQuery {
    let (user, limit) = (user.clone(), MAX_NOTICES);
    NoticeQuery { user, read: None, since, after: None, gone: false, limit }
}

/// Where a page begins: after this one, which was read or not.
struct Cursor {
    read: bool,
    at: Timestamp,
    id: Uuid,
}

impl Cursor {
    fn bytes(notice: &Notice) -> Vec<u8> {
        let mut bytes = vec![u8::from(notice.read)];
        bytes.extend(notice.updated_at.0.to_be_bytes());
        bytes.extend(notice.id.as_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (&read, rest) = bytes.split_first()?;
        let (at, id) = rest.split_first_chunk::<8>()?;
        let at = Timestamp(i64::from_be_bytes(*at));
        Some(Self { read: read != 0, at, id: Uuid::from_slice(id).ok()? })
    }
}

impl Service {
    /// Notes what is to be noted, for as long as the service runs.
    pub(super) async fn keep_notices(self: Arc<Self>) {
        let mut reader = log::Reader::default();
        for turn in 0_u64.. {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = self.read_log_for_notices(&mut reader).await {
                tracing::warn!(%error, "cannot read the log for notifications; trying again");
            }
            if turn % REACTIONS_EVERY == 0
                && let Err(error) = self.note_late_reactions().await
            {
                tracing::warn!(%error, "cannot note reactions; trying again");
            }
        }
    }

    /// One page of a user's notifications.
    pub async fn list_notifications(
        &self,
        user: &UserId,
        page_size: u32,
        page_token: &str,
        unread_first: bool,
    ) -> Result<proto::ListNotificationsResponse> {
        let cursor = self.notices_after(user, page_token, unread_first)?;
        let unread_count = match &cursor {
            None => Some(self.unread_notices(user).await?),
            Some(_) => None,
        };
        let size = if page_size == 0 { DEFAULT_PAGE } else { page_size.min(MAX_PAGE) };
        let parts: &[Option<bool>] = match &cursor {
            _ if !unread_first => &[None],
            Some(cursor) if cursor.read => &[Some(true)],
            _ => &[Some(false), Some(true)],
        };
        let mut after = cursor.map(|cursor| (cursor.at, cursor.id));
        let (mut found, most) = (Vec::new(), size as usize);
        for read in parts {
            let limit = u32::try_from(most + 1 - found.len()).unwrap_or(0);
            if limit > 0 {
                let (user, since) = (user.clone(), Timestamp(0));
                let after = after.take();
                let query = NoticeQuery { user, read: *read, since, after, gone: false, limit };
                found.extend(self.store.notices(query).await?);
            }
        }
        let more = found.len() > most;
        found.truncate(most);
        let next_page_token = found.last().filter(|_| more).map(|last| {
            let purpose = Purpose::Notices(unread_first);
            armour(&self.sealer.seal(user, purpose, &Cursor::bytes(last)))
        });
        self.drop_what_was_left(user, &mut found).await?;
        Ok(proto::ListNotificationsResponse {
            notifications: found.iter().map(shown).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
            unread_count,
        })
    }

    /// What is of a chat that the user has left, or may not see of it, is not for the user any more.
    async fn drop_what_was_left(&self, user: &UserId, notices: &mut Vec<Notice>) -> Result<()> {
        let chats: HashSet<ChatId> = notices.iter().map(|notice| notice.chat).collect();
        if !chats.is_empty() {
            let chats: Vec<ChatId> = chats.into_iter().collect();
            let places = self.memberships_in(user, &chats).await?.into_iter();
            let from: HashMap<_, _> =
                places.map(|place| (place.chat, place.visible_from)).collect();
            notices.retain(|of| from.get(&of.chat).is_some_and(|from| of.seq >= *from));
        }
        Ok(())
    }

    fn notices_after(
        &self,
        user: &UserId,
        page_token: &str,
        unread_first: bool,
    ) -> Result<Option<Cursor>> {
        if page_token.is_empty() {
            return Ok(None);
        }
        let token = unarmour(page_token).ok_or_else(bad_token)?;
        let purpose = Purpose::Notices(unread_first);
        let body = self.sealer.open(user, purpose, &token).ok_or_else(bad_token)?;
        Cursor::read(body).map(Some).ok_or_else(bad_token)
    }

    /// Marks these read, or all until then; answers how many are left.
    pub async fn mark_notifications_read(
        &self,
        user: &UserId,
        named: &[String],
        until: Option<Timestamp>,
    ) -> Result<u32> {
        let which = match (until, named.len()) {
            (Some(until), 0) => NoticeChoice::Until(until),
            (Some(_), _) => {
                return Err(Error::field("all_until", "not together with notification_ids"));
            }
            (None, 0) => return Err(Error::field("notification_ids", "at least one")),
            (None, ..=MAX_NOTICES_NAMED) => {
                let ids = named.iter().filter_map(|id| Uuid::try_parse(id).ok());
                NoticeChoice::Named(ids.collect())
            }
            (None, _) => {
                let what = "notifications";
                return Err(Error::over_limit("notification_ids", MAX_NOTICES_NAMED, what));
            }
        };
        let marked = self.store.read_notices(user, which).await?;
        let unread = self.unread_notices(user).await?;
        if marked > 0 {
            let one = named.first().filter(|_| named.len() == 1).cloned();
            self.tell_read(user, one, unread).await;
        }
        Ok(unread)
    }

    /// How many notifications of a user are unread, once those are marked whose message was read
    /// in the chat, or cannot be seen any more.
    pub(super) async fn unread_notices(&self, user: &UserId) -> Result<u32> {
        let (seen, unread) = self.settle_notices(user).await?;
        Ok(unread - u32::try_from(seen.len()).unwrap_or(0).min(unread))
    }

    /// Marks what was seen in the chats; answers it, and how many were unread before.
    async fn settle_notices(&self, user: &UserId) -> Result<(Vec<(Uuid, u32)>, u32)> {
        let unread = NoticeQuery { read: Some(false), ..notices_since(user, Timestamp(0)) };
        let unread = self.store.notices(unread).await?;
        let chats: HashSet<ChatId> = unread.iter().map(|of| of.chat).collect();
        let chats: Vec<ChatId> = chats.into_iter().collect();
        let places: HashMap<ChatId, Member> = if chats.is_empty() {
            HashMap::new()
        } else {
            let places = self.memberships_in(user, &chats).await?;
            places.into_iter().map(|place| (place.chat, place)).collect()
        };
        let is_seen = |notice: &&Notice| {
            places.get(&notice.chat).is_none_or(|place| {
                notice.seq < place.visible_from
                    || notice.kind.is_seen_in_chat() && place.read.contains(notice.seq)
            })
        };
        let seen = unread.iter().filter(is_seen);
        let seen: Vec<(Uuid, u32)> = seen.map(|notice| (notice.id, notice.version)).collect();
        if !seen.is_empty() {
            self.store.read_notices(user, NoticeChoice::These(seen.clone())).await?;
        }
        Ok((seen, u32::try_from(unread.len()).unwrap_or(COUNT_CAP)))
    }

    /// These users have read something: their notifications of it are read, too.
    pub(super) fn see_notices_soon(self: &Arc<Self>, readers: Vec<UserId>) {
        if readers.is_empty() {
            return;
        }
        let service = Arc::clone(self);
        self.run(async move {
            if let Err(error) = service.see_notices(readers).await {
                // Whoever lists them next marks them.
                tracing::debug!(%error, "notifications of what was read are marked later");
            }
        });
    }

    async fn see_notices(&self, mut readers: Vec<UserId>) -> Result<()> {
        readers.sort_unstable();
        readers.dedup();
        let counts = self.store.count_unread_notices(&readers).await?;
        for (user, _) in readers.iter().zip(counts).filter(|(_, count)| *count > 0) {
            let (seen, unread) = self.settle_notices(user).await?;
            if !seen.is_empty() {
                let left = unread - u32::try_from(seen.len()).unwrap_or(0).min(unread);
                let one = seen.first().filter(|_| seen.len() == 1).map(|(id, _)| id.to_string());
                self.tell_read(user, one, left).await;
            }
        }
        Ok(())
    }

    async fn tell_read(&self, user: &UserId, one: Option<String>, unread_notifications: u32) {
        let event = proto::NotificationCreated {
            notification_id: one.unwrap_or_default(),
            unread_notifications,
            notification: None,
        };
        self.tell_own_devices(user, None, Event::NotificationCreated(event)).await;
    }

    /// Notes these, and tells the devices of those for whom something is new.
    async fn note_notices(&self, notices: Vec<Notice>) -> Result<()> {
        let kept = NoticesKept { age: self.settings.notices_kept, most: MAX_NOTICES };
        let mut rest = notices;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(NOTICES_AT_ONCE));
            let taken = self.store.put_notices(rest, kept).await?;
            // Whoever is not told now learns of it with the next stream.
            if let Err(error) = self.tell_notices(taken).await {
                tracing::debug!(%error, "notifications are not told");
            }
            rest = later;
        }
        Ok(())
    }

    async fn tell_notices(&self, taken: Vec<Notice>) -> Result<()> {
        let mut of: HashMap<UserId, Vec<Notice>> = HashMap::new();
        for notice in taken {
            of.entry(notice.user.clone()).or_default().push(notice);
        }
        let users: Vec<UserId> = of.keys().cloned().collect();
        for user in self.with_devices(users).await {
            for event in self.notice_events(&user, &of[&user]).await? {
                self.tell_own_devices(&user, None, event).await;
            }
        }
        Ok(())
    }

    /// Those of these users who have a stream, as far as is known.
    async fn with_devices(&self, users: Vec<UserId>) -> Vec<UserId> {
        if users.is_empty() {
            return users;
        }
        let found = tokio::time::timeout(PRESENCE_WITHIN, self.bus.find(&users)).await;
        let Ok(Ok(found)) = found else { return users };
        let here = |user: &UserId| self.hub.has_any([user]);
        let there = users.into_iter().zip(found);
        there.filter(|(user, at)| !at.is_empty() || here(user)).map(|(user, _)| user).collect()
    }

    /// What tells a user's devices of these.
    pub(super) async fn notice_events(
        &self,
        user: &UserId,
        notices: &[Notice],
    ) -> Result<Vec<Event>> {
        if notices.is_empty() {
            return Ok(Vec::new());
        }
        let unread = self.store.count_unread_notices(std::slice::from_ref(user)).await?;
        let unread_notifications = unread.first().copied().unwrap_or(0);
        let event = |notice: &Notice| {
            Event::NotificationCreated(proto::NotificationCreated {
                notification_id: notice.id.to_string(),
                unread_notifications,
                notification: Some(shown(notice)),
            })
        };
        Ok(notices.iter().map(event).collect())
    }

    /// The id of the one notification of this kind about this, for this user.
    fn notice_id(&self, user: &UserId, kind: NoticeKind, of: Uuid) -> Uuid {
        let kind = [u8::try_from(kind.number()).unwrap_or(0)];
        let parts: [&[u8]; 4] = [b"notice", user.as_str().as_bytes(), &kind, of.as_bytes()];
        uuid::Builder::from_custom_bytes(self.sealer.content_hash(&parts)).into_uuid()
    }
}

/// As its user sees it.
pub(super) fn shown(notice: &Notice) -> proto::Notification {
    proto::Notification {
        notification_id: notice.id.to_string(),
        kind: notice.kind.number(),
        chat_id: notice.chat.to_string(),
        message_id: notice.message.to_string(),
        seq: notice.seq,
        actor_id: notice.actor.as_ref().map(ToString::to_string).unwrap_or_default(),
        count: notice.count,
        emoji: notice.emoji.clone(),
        updated_at: Some(wire::timestamp(notice.updated_at)),
        read: notice.read,
    }
}
