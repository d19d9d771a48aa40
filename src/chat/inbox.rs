//! The inbox: chats by their newest message, page by page, none twice and none left out.
//!
//! The order moves while pages are read, so a token carries what was given, not a place: the tail
//! of each chat's id, which is random. A chat that moves up meanwhile comes on the next page.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;

use super::Service;
use super::limits::MAX_PAGE_BYTES;
use super::seal::{Purpose, armour, bad_token, unarmour};
use super::text;
use super::unread;
use super::view::{Listed, Row};
use crate::error::Result;
use crate::model::{Chat, ChatId, ChatKind, ChatSettings, Member, UserId};
use crate::proto;
use crate::store::Head;

const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 100;
/// Bytes of a chat's id in a token: of 2,000 chats two are alike once in 10^8 inboxes.
const MARK_BYTES: usize = 6;

type Mark = [u8; MARK_BYTES];

/// So long a walk through the pages may use the order that its first page read.
const ORDER_AGE: Duration = Duration::from_secs(60);
/// Chats of all orders that are kept: some 100 MB.
const ORDER_CHATS: u64 = 1_000_000;

/// Which chats a user is shown, newest first, and their newest messages.
#[derive(Debug)]
pub struct Order {
    chats: Vec<ChatId>,
    heads: HashMap<ChatId, Head>,
}

/// Orders that were just read, so that each page need not read all heads again. What has moved
/// since comes all the same: before the last page the order is read anew.
pub type Orders = moka::sync::Cache<UserId, Arc<Order>>;

/// None yet.
pub fn orders() -> Orders {
    moka::sync::Cache::builder()
        .weigher(|_, order: &Arc<Order>| u32::try_from(order.chats.len()).unwrap_or(u32::MAX))
        .max_capacity(ORDER_CHATS)
        .time_to_live(ORDER_AGE)
        .build()
}

/// Which chats a page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// Those that are not archived.
    Unarchived,
    /// Archived ones.
    Archived,
    /// Pinned ones.
    Pinned,
}

impl Filter {
    fn keeps(self, settings: &ChatSettings) -> bool {
        match self {
            Self::All => true,
            Self::Unarchived => !settings.archived,
            Self::Archived => settings.archived,
            Self::Pinned => settings.pinned_at.is_some(),
        }
    }
}

/// What is looked for in the inbox.
#[derive(Debug)]
struct Sought {
    query: String,
    filter: Filter,
}

impl Sought {
    /// What its page tokens are bound to: a folded query holds no capital letter.
    fn scope(&self) -> String {
        match self.filter {
            Filter::All => self.query.clone(),
            filter => format!("{filter:?} {}", self.query),
        }
    }
}

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
        filter: Filter,
    ) -> Result<InboxPage> {
        let sought = Sought { query: text::query(query)?, filter };
        let given = self.given(user, page_token, &sought.scope())?;
        let size = match usize::try_from(page_size).unwrap_or(MAX_PAGE) {
            0 => DEFAULT_PAGE,
            size => size.min(MAX_PAGE),
        };
        let first = page_token.is_empty();
        let mut order = self.order(user, first).await?;
        let mut left = self.not_given(user, &order, &given, &sought).await?;
        if !first && left.len() <= size {
            // What has come since the order was read, too, before this is the last page.
            order = self.order(user, true).await?;
            left = self.not_given(user, &order, &given, &sought).await?;
        }
        let mut more = left.len() > size;
        left.truncate(size);
        // Heads before the read sets: see ReadOutcome.
        let heads = if first { order.heads.clone() } else { self.heads_of(&left).await? };
        let seen = if first { &order.chats } else { &left };
        let places = self.memberships_in(user, seen).await?;
        let counts = self.count_all(&places, &heads).await?;
        let total_unread = first.then(|| unread::total(counts.values()));
        let rows = self.rows(&left, places, &heads, &counts).await?;
        let marks: Vec<Mark> = rows.iter().map(|row| mark(row.chat.id)).collect();
        let gone = left.iter().map(|chat| mark(*chat)).filter(|mark| !marks.contains(mark));
        let gone: Vec<Mark> = gone.collect();
        let mut chats = self.show_chats(user, rows, Listed::Pairs).await?;
        let fits = fitting(&chats);
        more |= fits < chats.len();
        chats.truncate(fits);
        let next_page_token = if more {
            let all: Vec<u8> =
                given.iter().chain(&marks[..fits]).chain(&gone).flatten().copied().collect();
            armour(&self.sealer.seal(user, Purpose::Inbox(&sought.scope()), &all))
        } else {
            String::new()
        };
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

    /// The order of a user's inbox: just read, or as it was a moment ago.
    async fn order(&self, user: &UserId, fresh: bool) -> Result<Arc<Order>> {
        if !fresh && let Some(order) = self.orders.get(user) {
            return Ok(order);
        }
        let chats = self.store.chats_of(std::slice::from_ref(user)).await?;
        let chats: Vec<ChatId> = chats.into_iter().map(|(chat, _)| chat).collect();
        let heads = self.heads_of(&chats).await?;
        let silent: Vec<ChatId> =
            chats.iter().filter(|chat| !heads.contains_key(chat)).copied().collect();
        // A direct chat without a message is its maker's alone; a chat half made is nobody's.
        let hidden: HashSet<ChatId> = {
            let there = self.store.chats(&silent).await?;
            let shown = |chat: &&Chat| chat.kind != ChatKind::Direct || chat.created_by == *user;
            let shown: HashSet<ChatId> = there.iter().filter(shown).map(|chat| chat.id).collect();
            silent.into_iter().filter(|chat| !shown.contains(chat)).collect()
        };
        let mut chats: Vec<ChatId> =
            chats.into_iter().filter(|chat| !hidden.contains(chat)).collect();
        chats.sort_by_key(|chat| {
            let at = heads.get(chat).map_or(chat.time(), |head| head.id.time());
            std::cmp::Reverse((at, *chat))
        });
        let order = Arc::new(Order { chats, heads });
        self.orders.insert(user.clone(), Arc::clone(&order));
        Ok(order)
    }

    async fn heads_of(&self, chats: &[ChatId]) -> Result<HashMap<ChatId, Head>> {
        let heads = self.store.heads(chats).await?;
        Ok(heads.into_iter().map(|head| (head.chat, head)).collect())
    }

    /// What of the order no page had yet, and is sought.
    async fn not_given(
        &self,
        user: &UserId,
        order: &Order,
        given: &HashSet<Mark>,
        sought: &Sought,
    ) -> Result<Vec<ChatId>> {
        let left = order.chats.iter().filter(|chat| !given.contains(&mark(**chat)));
        let mut left: Vec<ChatId> = left.copied().collect();
        if sought.filter != Filter::All {
            let places = self.memberships_in(user, &left).await?;
            let kept = places.iter().filter(|place| sought.filter.keeps(&place.settings));
            let kept: HashSet<ChatId> = kept.map(|place| place.chat).collect();
            left.retain(|chat| kept.contains(chat));
        }
        let query = &sought.query;
        if query.is_empty() { Ok(left) } else { self.matching(user, left, query).await }
    }

    /// What a page shows, in the order given; chats that are not there any more left out.
    async fn rows(
        &self,
        page: &[ChatId],
        places: Vec<Member>,
        heads: &HashMap<ChatId, Head>,
        counts: &HashMap<ChatId, u32>,
    ) -> Result<Vec<Row>> {
        let mut places: HashMap<ChatId, Member> =
            places.into_iter().map(|place| (place.chat, place)).collect();
        let chats = self.store.chats(page).await?;
        let mut chats: HashMap<ChatId, Chat> =
            chats.into_iter().map(|chat| (chat.id, chat)).collect();
        let row = |id: &ChatId| {
            let (chat, place) = (chats.remove(id)?, places.remove(id)?);
            let unread = counts.get(id).copied().unwrap_or(0);
            Some(Row { chat, place, head: heads.get(id).copied(), unread })
        };
        Ok(page.iter().filter_map(row).collect())
    }

    /// Those whose title, or other member's name, contains the query.
    async fn matching(&self, user: &UserId, ids: Vec<ChatId>, query: &str) -> Result<Vec<ChatId>> {
        let chats = self.store.chats(&ids).await?;
        let direct: Vec<ChatId> =
            chats.iter().filter(|chat| chat.kind == ChatKind::Direct).map(|chat| chat.id).collect();
        let pairs = self.store.pairs(&direct).await?;
        let peers: HashMap<ChatId, UserId> = pairs
            .into_iter()
            .filter(|member| member.user != *user)
            .map(|member| (member.chat, member.user))
            .collect();
        let others: Vec<UserId> = peers.values().cloned().collect();
        let users = self.users_by_id(&others).await?;
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
        let found: HashSet<ChatId> =
            chats.iter().filter(|chat| name(chat).contains(query)).map(|chat| chat.id).collect();
        Ok(ids.into_iter().filter(|id| found.contains(id)).collect())
    }
}

fn mark(chat: ChatId) -> Mark {
    let mut mark = [0; MARK_BYTES];
    mark.copy_from_slice(&chat.0.as_bytes()[16 - MARK_BYTES..]);
    mark
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
