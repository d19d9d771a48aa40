//! The inbox: chats by their newest message, page by page, none twice and none left out.
//!
//! The order moves while pages are read, so a token carries what was given, not a place: the tail
//! of each chat's id, which is random. A chat that moves up meanwhile comes on the next page.

use std::collections::{HashMap, HashSet};

use prost::Message as _;

use super::Service;
use super::limits::MAX_PAGE_BYTES;
use super::seal::{Purpose, armour, bad_token, unarmour};
use super::text;
use super::unread;
use super::view::{Listed, Row, updated_at};
use crate::error::Result;
use crate::model::{Chat, ChatId, ChatKind, Member, UserId};
use crate::proto;
use crate::store::Head;

const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 100;
/// Bytes of a chat's id in a token: of 2,000 chats two are alike once in 10^8 inboxes.
const MARK_BYTES: usize = 6;

type Mark = [u8; MARK_BYTES];

/// A page of the inbox.
#[derive(Debug, Default)]
pub struct InboxPage {
    /// Newest first.
    pub chats: Vec<proto::Chat>,
    /// Empty: this was the last page.
    pub next_page_token: String,
    /// On the first page: unread in all chats.
    pub total_unread: Option<u32>,
}

impl Service {
    /// One page of a user's inbox.
    pub async fn list_chats(
        &self,
        user: &UserId,
        page_size: u32,
        page_token: &str,
        query: &str,
    ) -> Result<InboxPage> {
        let query = text::query(query)?;
        let given = self.given(user, page_token, &query)?;
        let size = match usize::try_from(page_size).unwrap_or(MAX_PAGE) {
            0 => DEFAULT_PAGE,
            size => size.min(MAX_PAGE),
        };
        let mut rows = self.inbox_rows(user).await?;
        let total = if page_token.is_empty() {
            let (places, heads) = parts(&rows);
            Some(self.count_all(user, &places, &heads).await?)
        } else {
            None
        };
        if !query.is_empty() {
            rows = self.matching(user, rows, &query).await?;
        }
        rows.retain(|row| !given.contains(&mark(row.chat.id)));
        let mut more = rows.len() > size;
        rows.truncate(size);
        let counts = if let Some(counts) = &total {
            counts.clone()
        } else {
            let (places, heads) = parts(&rows);
            self.count_all(user, &places, &heads).await?
        };
        for row in &mut rows {
            row.unread = counts.get(&row.chat.id).copied().unwrap_or(0);
        }
        let marks: Vec<Mark> = rows.iter().map(|row| mark(row.chat.id)).collect();
        let mut chats = self.show_chats(user, rows, Listed::Pairs).await?;
        let fits = fitting(&chats);
        more |= fits < chats.len();
        chats.truncate(fits);
        let next_page_token = if more {
            let all: Vec<u8> = given.iter().chain(&marks[..fits]).flatten().copied().collect();
            armour(&self.sealer.seal(user, Purpose::Inbox(&query), &all))
        } else {
            String::new()
        };
        let total_unread = total.map(|counts| unread::total(counts.values()));
        Ok(InboxPage { chats, next_page_token, total_unread })
    }

    fn given(&self, user: &UserId, page_token: &str, query: &str) -> Result<HashSet<Mark>> {
        if page_token.is_empty() {
            return Ok(HashSet::new());
        }
        let token = unarmour(page_token).ok_or_else(bad_token)?;
        let body = self.sealer.open(user, Purpose::Inbox(query), &token).ok_or_else(bad_token)?;
        let (marks, rest) = body.as_chunks::<MARK_BYTES>();
        if rest.is_empty() { Ok(marks.iter().copied().collect()) } else { Err(bad_token()) }
    }

    /// All chats of a user that the inbox shows, newest first, without counts.
    pub(super) async fn inbox_rows(&self, user: &UserId) -> Result<Vec<Row>> {
        let places = self.store.memberships(user).await?;
        let ids: Vec<ChatId> =
            places.iter().filter(|place| place.left_at.is_none()).map(|place| place.chat).collect();
        // The newest messages before the read sets: see ReadOutcome.
        let heads = self.store.heads(&ids).await?;
        let (places, chats) =
            tokio::try_join!(self.store.memberships(user), self.store.chats(&ids))?;
        let heads: HashMap<ChatId, Head> =
            heads.into_iter().map(|head| (head.chat, head)).collect();
        let mut chats: HashMap<ChatId, Chat> =
            chats.into_iter().map(|chat| (chat.id, chat)).collect();
        let mut rows: Vec<Row> = places
            .into_iter()
            .filter(|place| place.left_at.is_none())
            .filter_map(|place| {
                let chat = chats.remove(&place.chat)?;
                let head = heads.get(&chat.id).copied();
                Some(Row { chat, place, head, unread: 0 })
            })
            .filter(|row| {
                let silent = row.chat.kind == ChatKind::Direct && row.head.is_none();
                !silent || row.chat.created_by == *user
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse((updated_at(&row.chat, row.head), row.chat.id)));
        Ok(rows)
    }

    /// Those whose title, or other member's name, contains the query.
    async fn matching(&self, user: &UserId, rows: Vec<Row>, query: &str) -> Result<Vec<Row>> {
        let direct: Vec<ChatId> = rows
            .iter()
            .filter(|row| row.chat.kind == ChatKind::Direct)
            .map(|row| row.chat.id)
            .collect();
        let pairs = self.store.pairs(&direct).await?;
        let peers: HashMap<ChatId, UserId> = pairs
            .into_iter()
            .filter(|member| member.user != *user)
            .map(|member| (member.chat, member.user))
            .collect();
        let ids: Vec<UserId> = peers.values().cloned().collect();
        let users = self.users_by_id(&ids).await?;
        let name = |chat: &Chat| match peers.get(&chat.id) {
            None => text::fold(&chat.title),
            // Who has not been met yet is shown by id, and found by it.
            Some(peer) => text::fold(
                users
                    .get(peer)
                    .map(|user| user.display_name.as_str())
                    .filter(|name| !name.is_empty())
                    .unwrap_or(peer.as_str()),
            ),
        };
        Ok(rows.into_iter().filter(|row| name(&row.chat).contains(query)).collect())
    }
}

fn mark(chat: ChatId) -> Mark {
    let mut mark = [0; MARK_BYTES];
    mark.copy_from_slice(&chat.0.as_bytes()[16 - MARK_BYTES..]);
    mark
}

fn parts(rows: &[Row]) -> (Vec<Member>, HashMap<ChatId, Head>) {
    let places = rows.iter().map(|row| row.place.clone()).collect();
    let heads = rows.iter().filter_map(|row| row.head).map(|head| (head.chat, head)).collect();
    (places, heads)
}

/// How many of these fit into one answer; at least one if there is one.
fn fitting(chats: &[proto::Chat]) -> usize {
    let mut bytes = 0;
    let fits = chats.iter().take_while(|chat| {
        bytes += chat.encoded_len() + 8;
        bytes <= MAX_PAGE_BYTES
    });
    fits.count().max(1).min(chats.len())
}
