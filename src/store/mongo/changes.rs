//! What has changed since a time: read for many streams together, which come back together as
//! a rule, and so from about the same time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::super::{ChangeCursor, ChangedMessage, Hidden, Result};
use super::gather::{FEW, Gather};
use super::schema::Db;
use crate::clock::Timestamp;
use crate::model::{Chat, ChatId, Member, UserId};
use crate::vital::Vital;

/// Changes that are read together. Where there are more, everybody asks alone, and is told no
/// more than wanted.
const TOGETHER: usize = 2_000;

/// A chat or a user, and since when.
type Key<I> = (I, Timestamp);
/// A change under a key of those who ask; `None`: there were too many.
type Row<I, V> = (Key<I>, Option<V>);

/// The gathered reads of changes of one node.
pub(super) struct Changes {
    chats: Changed<ChatId, (Timestamp, Chat)>,
    messages: Changed<ChatId, ChangedMessage>,
    receipts: Changed<ChatId, (Timestamp, Member)>,
    hidden: Changed<UserId, (UserId, Timestamp, Hidden)>,
    db: Db,
}

impl Changes {
    pub(super) fn start(db: &Db, vital: &Vital) -> Self {
        let (chats, messages, receipts) = (db.clone(), db.clone(), db.clone());
        let hidden = db.clone();
        Self {
            chats: Changed::start(
                vital,
                "changed chats",
                |(at, chat)| (chat.id, *at),
                move |ids, since, limit| {
                    let db = chats.clone();
                    async move { db.changed_chats(&ids, since, limit).await }
                },
            ),
            messages: Changed::start(
                vital,
                "changed messages",
                |changed| (changed.message.chat, changed.cursor.at),
                move |ids, since, limit| {
                    let (db, after) = (messages.clone(), ChangeCursor { at: since, seq: 0 });
                    async move { db.changed_after(&ids, after, limit).await }
                },
            ),
            receipts: Changed::start(
                vital,
                "changed receipts",
                |(at, member)| (member.chat, *at),
                move |ids, since, limit| {
                    let db = receipts.clone();
                    async move { db.changed_receipts(&ids, since, limit).await }
                },
            ),
            hidden: Changed::start(
                vital,
                "hidden messages",
                |(user, at, _)| (user.clone(), *at),
                move |users, since, limit| {
                    let db = hidden.clone();
                    async move { db.hidden_since(&users, since, limit).await }
                },
            ),
            db: db.clone(),
        }
    }

    /// See [`Store::changed_chats`](crate::store::Store::changed_chats).
    pub(super) async fn chats(&self, chats: &[ChatId], since: Timestamp) -> Result<Vec<Chat>> {
        let found = match self.chats.since(chats, since).await? {
            Some(found) => found,
            None => self.db.changed_chats(chats, since, 0).await?,
        };
        Ok(found.into_iter().map(|(_, chat)| chat).collect())
    }

    /// See [`Store::changed_messages`](crate::store::Store::changed_messages).
    pub(super) async fn messages(
        &self,
        chats: &[ChatId],
        after: ChangeCursor,
        limit: u32,
    ) -> Result<Vec<ChangedMessage>> {
        if let Some(mut found) = self.messages.since(chats, after.at).await? {
            found.retain(|changed| changed.cursor > after);
            if found.len() < limit as usize {
                found.sort_unstable_by_key(|changed| (changed.cursor, changed.message.chat));
                return Ok(found);
            }
        }
        self.db.changed_messages(chats, after, limit).await
    }

    /// See [`Content::hidden_since`](crate::store::Content::hidden_since).
    pub(super) async fn hidden(
        &self,
        user: &UserId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Hidden>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let user = std::slice::from_ref(user);
        let mut found = match self.hidden.since(user, since).await? {
            Some(found) => found,
            None => self.db.hidden_since(user, since, limit).await?,
        };
        found.truncate(limit as usize);
        Ok(found.into_iter().map(|(_, _, hidden)| hidden).collect())
    }

    /// See [`Store::changed_receipts`](crate::store::Store::changed_receipts).
    pub(super) async fn receipts(
        &self,
        chats: &[ChatId],
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Member>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut found = match self.receipts.since(chats, since).await? {
            Some(found) => found,
            None => self.db.changed_receipts(chats, since, limit).await?,
        };
        found.truncate(limit as usize);
        Ok(found.into_iter().map(|(_, member)| member).collect())
    }
}

/// One sort of changes.
struct Changed<I, V>(Gather<Key<I>, Row<I, V>>);

impl<I, V> Changed<I, V>
where
    I: Clone + Ord + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// `read` answers changes of these at or after a time, at most so many; `place` says of whom
    /// a change is, and when it was.
    fn start<F>(
        vital: &Vital,
        task: &'static str,
        place: fn(&V) -> Key<I>,
        read: impl Fn(Vec<I>, Timestamp, u32) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Vec<V>>> + Send + 'static,
    {
        let read = Arc::new(read);
        let read_all = move |keys: Vec<Key<I>>| {
            let read = Arc::clone(&read);
            async move {
                let mut ids: Vec<I> = keys.iter().map(|(id, _)| id.clone()).collect();
                ids.sort_unstable();
                ids.dedup();
                // The earliest serves all: each is told what is of its own time.
                let since = keys.iter().map(|(_, since)| *since).min().unwrap_or_default();
                let limit = u32::try_from(TOGETHER + 1).unwrap_or(u32::MAX);
                let found = read(ids, since, limit).await?;
                Ok(by_key(&keys, found, place))
            }
        };
        Self(Gather::start(vital, task, |(key, _)| key.clone(), read_all))
    }

    /// All changes of these at or after `since`; `None`: they are too many to be read together
    /// with others.
    async fn since(&self, ids: &[I], since: Timestamp) -> Result<Option<Vec<V>>> {
        if ids.len() > FEW {
            return Ok(None);
        }
        let keys: Vec<Key<I>> = ids.iter().map(|id| (id.clone(), since)).collect();
        Ok(self.0.rows(&keys).await?.into_iter().map(|(_, change)| change).collect())
    }
}

/// To each key its changes, or to all of them that there were too many.
fn by_key<I: Clone + Eq + Hash, V: Clone>(
    keys: &[Key<I>],
    found: Vec<V>,
    place: fn(&V) -> Key<I>,
) -> Vec<Row<I, V>> {
    if found.len() > TOGETHER {
        return keys.iter().map(|key| (key.clone(), None)).collect();
    }
    let mut by_id: HashMap<I, Vec<V>> = HashMap::new();
    for change in found {
        by_id.entry(place(&change).0).or_default().push(change);
    }
    let of = |key: &Key<I>| {
        let changes = by_id.get(&key.0).map_or(&[][..], Vec::as_slice);
        let own = changes.iter().filter(|change| place(change).1 >= key.1);
        own.map(|change| (key.clone(), Some(change.clone()))).collect::<Vec<_>>()
    };
    keys.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_what_is_of_their_own_time_or_that_it_is_too_much() {
        let chats = [1, 2].map(|id| ChatId(uuid::Uuid::from_u128(id)));
        let keys = [(chats[0], Timestamp(5)), (chats[0], Timestamp(9)), (chats[1], Timestamp(5))];
        let place = |change: &Key<ChatId>| *change;
        let told = by_key(&keys, vec![(chats[0], Timestamp(5)), (chats[0], Timestamp(9))], place);
        let at = |key, at| (key, Some((chats[0], Timestamp(at))));
        assert_eq!(told, [at(keys[0], 5), at(keys[0], 9), at(keys[1], 9)]);
        let told = by_key(&keys, vec![keys[0]; TOGETHER + 1], place);
        assert_eq!(told, keys.map(|key| (key, None)));
    }
}
