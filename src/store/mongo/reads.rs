//! What streams ask for when they open, and sends when they are checked: gathered reads.

use std::collections::HashSet;
use std::sync::Arc;

use moka::sync::Cache;

use super::super::{Head, Result, WrittenBy};
use super::changes::Changes;
use super::gather::Gather;
use super::people::PeopleReads;
use super::schema::Db;
use crate::clock::Clock;
use crate::model::{Chat, ChatId, Member, Message, Seq, User, UserId};
use crate::vital::Vital;

/// Facts of the sort "has written there" that are remembered: they stay true.
const WRITERS: u64 = 200_000;

/// The gathered reads of one node.
pub(super) struct Reads {
    pub(super) heads: Gather<ChatId, Head>,
    pub(super) chats: Gather<ChatId, Chat>,
    pub(super) users: Gather<UserId, User>,
    pub(super) messages: Gather<(ChatId, Seq), Message>,
    /// By chat.
    pub(super) members: Gather<ChatId, Member>,
    /// By user.
    pub(super) memberships: Gather<UserId, Member>,
    pub(super) people: PeopleReads,
    pub(super) changes: Changes,
    written: Cache<(ChatId, WrittenBy), ()>,
    db: Db,
}

impl Reads {
    pub(super) fn start(db: &Db, clock: &Arc<dyn Clock>, vital: &Vital) -> Self {
        let own = || db.clone();
        let (heads, chats, users, members, memberships) = (own(), own(), own(), own(), own());
        let messages = own();
        let clock = Arc::clone(clock);
        Self {
            heads: Gather::start(
                vital,
                "heads of chats",
                |head| head.chat,
                move |keys| {
                    let db = heads.clone();
                    async move { db.heads(&keys).await }
                },
            ),
            chats: Gather::start(
                vital,
                "chats",
                |chat| chat.id,
                move |keys| {
                    let db = chats.clone();
                    async move { db.chats(&keys).await }
                },
            ),
            users: Gather::start(
                vital,
                "users",
                |user| user.id.clone(),
                move |keys| {
                    let db = users.clone();
                    async move { db.users(&keys).await }
                },
            ),
            messages: Gather::start(
                vital,
                "messages",
                |message| (message.chat, message.seq),
                move |keys| {
                    let db = messages.clone();
                    async move { db.messages(&keys).await }
                },
            ),
            members: Gather::start(
                vital,
                "members of chats",
                |place| place.chat,
                move |keys| {
                    let db = members.clone();
                    async move { db.members(&keys).await }
                },
            ),
            memberships: Gather::start(
                vital,
                "chats of users",
                |place| place.user.clone(),
                move |keys| {
                    let (db, now) = (memberships.clone(), clock.now());
                    async move { db.memberships(&keys, now).await }
                },
            ),
            people: PeopleReads::start(db, vital),
            changes: Changes::start(db, vital),
            written: Cache::new(WRITERS),
            db: db.clone(),
        }
    }

    /// Those of these chats in which the writer has written; who has once has for ever.
    pub(super) async fn written_in(
        &self,
        writer: &WrittenBy,
        chats: &[ChatId],
    ) -> Result<Vec<ChatId>> {
        let chats: HashSet<ChatId> = chats.iter().copied().collect();
        let (mut known, unknown): (Vec<ChatId>, Vec<ChatId>) =
            chats.into_iter().partition(|chat| self.written.contains_key(&(*chat, writer.clone())));
        if unknown.is_empty() {
            return Ok(known);
        }
        let found = self.db.written_in(writer, &unknown).await?;
        for chat in &found {
            self.written.insert((*chat, writer.clone()), ());
        }
        known.extend(found);
        Ok(known)
    }
}
