//! What a device lacks: read from the store, by `seq` and never by time.
//!
//! The same reading serves a stream that resumes, one whose node has been deaf, and one that
//! compares itself with the store once in a while.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Service;
use super::limits::{
    CHANGE_OVERLAP, CHANGES_PAGE, MAX_RECEIPT_MEMBERS, MAX_REPLAY_BYTES, MAX_REPLAY_CHANGES,
    MAX_REPLAY_MESSAGES, TOKEN_HORIZON,
};
use super::notices::notices_since;
use super::position::Position;
use super::view::updated_at;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{Chat, ChatId, ChatKind, Member, Message, Notice, Seq, UserId};
use crate::proto;
use crate::store::{self, Block, ChangeCursor, Head, Hidden, NoticeQuery, Span};
use crate::vital::{Panicked, guarded};
use crate::wire::Told;

mod tell;

/// Messages read at once.
const PAGE: u32 = 200;

/// Where a stream starts.
#[derive(Debug)]
pub struct Opening {
    /// How the token was taken.
    pub outcome: proto::ResumeOutcome,
    /// What the device has now, before anything is replayed.
    pub position: Position,
    /// What it has once everything is replayed.
    pub caught_up: Position,
    /// What it lacks.
    pub lacks: Lacks,
    /// Its direct chats in the order of the inbox.
    pub direct: Vec<ChatId>,
    /// Unread notifications.
    pub unread_notices: u32,
}

/// Why a replay did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] Error),
    /// More is lacking than a replay brings: who comes back gets a GAP.
    #[error("too much is lacking")]
    TooMuch,
    /// A fault of ours.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// What a replay brings, piece by piece.
pub type Pieces = mpsc::Sender<Result<Told, Broken>>;

/// Reads for a stream. A panic is told, else it would look like the end of what is lacking.
pub(crate) async fn read(reading: impl Future<Output = ()>, to: Pieces) {
    if let Err(panicked) = guarded(reading).await {
        // Who does not listen any more needs no reason.
        drop(to.send(Err(panicked.into())).await);
    }
}

/// What a device lacks.
#[derive(Debug, Default)]
pub struct Lacks {
    chats: Vec<Chat>,
    messages: Vec<Missing>,
    changed: Vec<Message>,
    hidden: Vec<Hidden>,
    /// Where all that stands that was hidden lately; `None`: that was not read.
    hidden_places: Option<HashSet<(ChatId, Seq)>>,
    receipts: Vec<Member>,
    /// Own places with new settings.
    settings: Vec<Member>,
    /// Own places that were left.
    left: Vec<Member>,
    blocks: Vec<Block>,
    notices: Vec<Notice>,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    chat: ChatId,
    after: Seq,
    to: Seq,
    /// The first of them is the first that the user can see: the chat itself comes before it.
    new: bool,
}

impl Lacks {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.chats.is_empty()
            && self.messages.is_empty()
            && self.changed.is_empty()
            && self.hidden.is_empty()
            && self.receipts.is_empty()
            && self.settings.is_empty()
            && self.left.is_empty()
            && self.blocks.is_empty()
            && self.notices.is_empty()
    }
}

/// A user's chats as they are now.
struct Standing {
    places: Vec<Member>,
    left: Vec<Member>,
    chats: HashMap<ChatId, Chat>,
    heads: HashMap<ChatId, Head>,
}

impl Standing {
    /// Chats in which receipts are told.
    fn with_receipts(&self) -> Vec<ChatId> {
        let small = |chat: &&Chat| chat.member_count as usize <= MAX_RECEIPT_MEMBERS;
        self.chats.values().filter(small).map(|chat| chat.id).collect()
    }

    fn direct_by_inbox(&self) -> Vec<ChatId> {
        let mut direct: Vec<&Chat> =
            self.chats.values().filter(|chat| chat.kind == ChatKind::Direct).collect();
        direct.sort_by_key(|chat| {
            std::cmp::Reverse((updated_at(chat, self.heads.get(&chat.id).copied()), chat.id))
        });
        direct.into_iter().map(|chat| chat.id).collect()
    }

    /// Where a stream is that has everything.
    fn position(&self, time: Timestamp, as_of: Timestamp) -> Position {
        let mut position = Position::new(time, as_of);
        for head in self.heads.values() {
            if head.id.time() >= time.minus(TOKEN_HORIZON) {
                position.reach(head.chat, head.seq, head.id);
            }
        }
        position
    }
}

impl Service {
    /// Reads where a stream starts. The session must be told of what happens from before this.
    pub(crate) async fn opening(&self, user: &UserId, token: &[u8]) -> Result<Opening> {
        let (now, as_of) = (self.clock.now(), self.known_until());
        let (standing, unread_notices) =
            tokio::try_join!(self.standing(user), self.unread_notices(user))?;
        let direct = standing.direct_by_inbox();
        let caught_up = standing.position(now, as_of);
        let start = |outcome, position: &Position, lacks| Opening {
            outcome,
            position: position.clone(),
            caught_up: caught_up.clone(),
            lacks,
            direct: direct.clone(),
            unread_notices,
        };
        if token.is_empty() {
            return Ok(start(proto::ResumeOutcome::Fresh, &caught_up, Lacks::default()));
        }
        let good = Position::open(&self.sealer, user, token)
            .filter(|position| now.since(position.time) <= self.settings.resume_window);
        let lacks = match &good {
            Some(position) => {
                let since = position.as_of.minus(CHANGE_OVERLAP);
                self.lacks(user, position, Some(since), standing).await?
            }
            None => None,
        };
        Ok(match (good, lacks) {
            (Some(position), Some(lacks)) => start(proto::ResumeOutcome::Resumed, &position, lacks),
            _ => start(proto::ResumeOutcome::Gap, &caught_up, Lacks::default()),
        })
    }

    /// Looks for what a live stream lacks and hands it over. `changes`: since when changes may
    /// be missing.
    pub(crate) async fn compare(
        self: Arc<Self>,
        user: UserId,
        position: Position,
        changes: Option<Timestamp>,
        to: Pieces,
    ) {
        let lacks = async {
            let standing = self.standing(&user).await?;
            self.lacks(&user, &position, changes, standing).await
        };
        match lacks.await {
            Ok(Some(lacks)) => self.replay(user, lacks, to).await,
            // Who does not listen any more needs no reason.
            Ok(None) => drop(to.send(Err(Broken::TooMuch)).await),
            Err(error) => drop(to.send(Err(error.into())).await),
        }
    }

    /// The direct chats of a user in the order of the inbox.
    pub(super) async fn direct_chats(&self, user: &UserId) -> Result<Vec<ChatId>> {
        Ok(self.standing(user).await?.direct_by_inbox())
    }

    async fn standing(&self, user: &UserId) -> Result<Standing> {
        let all = self.store.memberships(user).await?;
        let (places, left): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|place| place.left_at.is_none());
        let ids: Vec<ChatId> = places.iter().map(|place| place.chat).collect();
        let (chats, heads) = tokio::try_join!(self.store.chats(&ids), self.store.heads(&ids))?;
        for chat in &chats {
            self.mind_untold(chat);
        }
        let chats = chats.into_iter().map(|chat| (chat.id, chat)).collect();
        let heads = heads.into_iter().map(|head| (head.chat, head)).collect();
        Ok(Standing { places, left, chats, heads })
    }

    async fn lacks(
        &self,
        user: &UserId,
        position: &Position,
        changes: Option<Timestamp>,
        standing: Standing,
    ) -> Result<Option<Lacks>> {
        let Some(messages) = self.missing(position, &standing).await? else { return Ok(None) };
        // What was said of it may have been lost, whatever else was not.
        let told_of = |place: &&Member| {
            position.reached(place.chat).is_some()
                || place.left_at.is_some_and(|at| changes.is_some_and(|since| at >= since))
        };
        let left = standing.left.iter().filter(told_of).cloned().collect();
        let mut lacks = Lacks { messages, left, ..Lacks::default() };
        if let Some(since) = changes
            && !self.changes(user, since, &standing, &mut lacks).await?
        {
            return Ok(None);
        }
        Ok(Some(lacks))
    }

    /// The messages above what is there; `None`: too many.
    async fn missing(
        &self,
        position: &Position,
        standing: &Standing,
    ) -> Result<Option<Vec<Missing>>> {
        let horizon = position.time.minus(TOKEN_HORIZON);
        let mut missing = Vec::new();
        let mut count: u64 = 0;
        for place in &standing.places {
            let Some(head) = standing.heads.get(&place.chat) else { continue };
            let hidden = place.visible_from.saturating_sub(1);
            let after = match position.reached(place.chat) {
                Some(seq) => seq.max(hidden),
                None if head.id.time() < horizon => continue,
                None => match self.silent_until(*head, hidden, horizon).await? {
                    Some(after) => after,
                    None => return Ok(None),
                },
            };
            if head.seq > after {
                count += u64::from(head.seq - after);
                let new = after == hidden;
                missing.push(Missing { chat: place.chat, after, to: head.seq, new });
            }
            if count > MAX_REPLAY_MESSAGES as u64 {
                return Ok(None);
            }
        }
        Ok(Some(missing))
    }

    /// The last message of a chat before `horizon`, or the last that is hidden; `None`: there
    /// are too many after it.
    async fn silent_until(
        &self,
        head: Head,
        hidden: Seq,
        horizon: Timestamp,
    ) -> Result<Option<Seq>> {
        let mut below = head.seq + 1;
        while below > hidden + 1 {
            if u64::from(head.seq + 1 - below) > MAX_REPLAY_MESSAGES as u64 {
                return Ok(None);
            }
            let page = self.store.history(head.chat, Span::Before(below), hidden + 1, PAGE).await?;
            if let Some(old) = page.iter().find(|message| message.created_at() < horizon) {
                return Ok(Some(old.seq));
            }
            match page.last() {
                Some(message) => below = message.seq,
                None => break,
            }
        }
        Ok(Some(hidden))
    }

    /// Messages of these chats that changed; `None`: too many, or too much.
    async fn changed_messages(
        &self,
        chats: &[ChatId],
        mut after: ChangeCursor,
    ) -> store::Result<Option<Vec<Message>>> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        loop {
            let page = self.store.changed_messages(chats, after, CHANGES_PAGE).await?;
            let full = page.len() >= CHANGES_PAGE as usize;
            let last = page.last().map(|last| last.cursor);
            bytes += page.iter().map(|changed| changed.message.size()).sum::<usize>();
            found.extend(page.into_iter().map(|changed| changed.message));
            if found.len() > MAX_REPLAY_CHANGES || bytes > MAX_REPLAY_BYTES {
                return Ok(None);
            }
            match last.filter(|_| full) {
                Some(last) => after = last,
                None => return Ok(Some(found)),
            }
        }
    }

    /// Adds what changed since; `false`: too much.
    async fn changes(
        &self,
        user: &UserId,
        since: Timestamp,
        standing: &Standing,
        lacks: &mut Lacks,
    ) -> Result<bool> {
        let limit = u32::try_from(MAX_REPLAY_CHANGES + 1).unwrap_or(u32::MAX);
        let ids: Vec<ChatId> = standing.chats.keys().copied().collect();
        let cursor = ChangeCursor { at: since, seq: 0 };
        let small = standing.with_receipts();
        let (chats, changed, receipts, blocks, hidden, notices) = tokio::try_join!(
            self.store.changed_chats(&ids, since),
            self.changed_messages(&ids, cursor),
            self.store.changed_receipts(&small, since, limit),
            self.store.changed_blocks(user, since),
            self.store.hidden_since(user, since, limit),
            self.store.notices(NoticeQuery { gone: true, ..notices_since(user, since) }),
        )?;
        let Some(changed) = changed else { return Ok(false) };
        lacks.chats = chats;
        lacks.chats.retain(|chat| {
            // Its maker alone knows of a direct chat in which nothing was written.
            let silent = chat.kind == ChatKind::Direct && !standing.heads.contains_key(&chat.id);
            !silent || chat.created_by == *user
        });
        // What is replayed is replayed as it is now: no event of its own tells of a change.
        let replayed: HashMap<ChatId, Seq> =
            lacks.messages.iter().map(|missing| (missing.chat, missing.after)).collect();
        let visible: HashMap<ChatId, Seq> =
            standing.places.iter().map(|place| (place.chat, place.visible_from)).collect();
        lacks.changed = changed;
        let is_told = |chat: ChatId, seq: Seq| {
            replayed.get(&chat).is_none_or(|after| seq <= *after)
                && visible.get(&chat).is_some_and(|from| seq >= *from)
        };
        lacks.changed.retain(|message| is_told(message.chat, message.seq));
        if hidden.len() > MAX_REPLAY_CHANGES {
            return Ok(false);
        }
        lacks.hidden_places = Some(hidden.iter().map(|of| (of.chat, of.seq)).collect());
        lacks.hidden = hidden;
        lacks.hidden.retain(|hidden| is_told(hidden.chat, hidden.seq));
        lacks.receipts = receipts;
        lacks.blocks = blocks;
        lacks.notices = notices;
        lacks.notices.retain(|of| visible.get(&of.chat).is_some_and(|from| of.seq >= *from));
        let changed = |place: &&Member| place.settings.changed_at.is_some_and(|at| at >= since);
        lacks.settings = standing.places.iter().filter(changed).cloned().collect();
        let count = lacks.chats.len()
            + lacks.changed.len()
            + lacks.hidden.len()
            + lacks.receipts.len()
            + lacks.settings.len()
            + lacks.left.len()
            + lacks.blocks.len()
            + lacks.notices.len();
        if count > MAX_REPLAY_CHANGES {
            return Ok(false);
        }
        let direct = |chat| standing.chats.get(&chat).is_some_and(|c| c.kind == ChatKind::Direct);
        self.mask_some(user, &mut lacks.receipts, direct).await?;
        Ok(true)
    }
}
