//! What waits to be appended to one chat, and what a lane knows of that chat.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::{AppendError, Appended, NewMessage};
use super::failure::unavailable;
use crate::model::{NoteKind, Seq, UserId};
use crate::trace::Span;

/// How long an append may take in all.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);

/// How long a chat counts as contended after another's message was seen there.
const CONTENDED: Duration = Duration::from_secs(1);

/// Members remembered of a chat that were looked up.
const MEMBERS: usize = 64;

/// What came of an append.
pub(super) type Outcome = Result<Appended, AppendError>;

/// One append under way. Whoever drops it unanswered tells the caller that the lane has ended.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) new: NewMessage,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Outcome>,
    /// What waits for it, where that is recorded.
    pub(super) span: Option<Span>,
}

impl Pending {
    /// Tells the caller, if it still listens.
    pub(super) fn answer(self, outcome: Outcome) {
        // Its span ends before whoever waits goes on.
        drop(self.span);
        let _ = self.reply.send(outcome);
    }

    pub(super) fn give_up(self) {
        self.answer(Err(unavailable("the append took too long").into()));
    }

    /// Sender and client id: what is unique in the chat. A note has no sender.
    pub(super) fn key(&self) -> (String, String) {
        let sender = self.new.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        (sender, self.new.client_message_id.clone())
    }

    /// Whether it tells of a change of members.
    pub(super) fn changes_members(&self) -> bool {
        self.new.note.as_ref().is_some_and(|note| note.kind != NoteKind::Announcement)
    }
}

/// One chat in a lane.
#[derive(Debug)]
pub(super) struct ChatQueue {
    /// In the order of the calls.
    pub(super) waiting: VecDeque<Pending>,
    /// Whether the lane's round of chats has it.
    pub(super) listed: bool,
    /// The last `seq` known to be committed, with all before it.
    pub(super) head: Option<Seq>,
    /// All above this, up to `head`, was appended here and changed no members: a member list
    /// read at this seq or later still holds.
    pub(super) clean_since: Seq,
    /// Who was looked up as a member since `clean_since`, and so still is one.
    members: HashSet<UserId>,
    /// A race for this `seq` was lost, so the head must be at least there.
    pub(super) lost: Seq,
    /// Read the head before the next write, even though one is known.
    pub(super) doubted: bool,
    /// When a message of another node was last met.
    pub(super) foreign_at: Option<Instant>,
    /// Nothing is written before.
    pub(super) not_before: Instant,
    pub(super) used_at: Instant,
}

impl ChatQueue {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            waiting: VecDeque::new(),
            listed: false,
            head: None,
            clean_since: 0,
            members: HashSet::new(),
            lost: 0,
            doubted: false,
            foreign_at: None,
            not_before: now,
            used_at: now,
        }
    }

    /// Whether another node writes here, too, just now.
    pub(super) fn contended(&self, now: Instant) -> bool {
        self.foreign_at.is_some_and(|at| now.duration_since(at) < CONTENDED)
    }

    /// Whether the head is to be read before the next write. Where another node writes, too, to
    /// read first costs less than to lose the race.
    pub(super) fn wants_head(&self, now: Instant) -> bool {
        self.head.is_none() || self.doubted || self.contended(now)
    }

    /// Takes in what the store says the newest `seq` is. False: it does not yet tell of the
    /// message that won a race here, so it is too early to go on; for a while that is believed
    /// rather than the store.
    pub(super) fn learn(&mut self, head: Seq, now: Instant) -> bool {
        if head < self.lost && self.contended(now) {
            return false;
        }
        self.lost = 0;
        self.doubted = false;
        match self.head {
            Some(known) if known >= head => {}
            known => {
                if known.is_some() {
                    self.foreign_at = Some(now);
                }
                self.head = Some(head);
                // At 0, nobody can have been seen to be a member by then: the first one is
                // always looked up.
                self.clean_since_now(head.max(1));
            }
        }
        true
    }

    /// Notes that the next message, at `seq`, is committed and ours.
    pub(super) fn advance(&mut self, seq: Seq, changes_members: bool) {
        if self.head.is_some_and(|head| head + 1 == seq) {
            self.head = Some(seq);
            if changes_members {
                self.clean_since_now(seq);
            }
        } else {
            self.head = None;
        }
    }

    fn clean_since_now(&mut self, seq: Seq) {
        self.clean_since = seq;
        self.members.clear();
    }

    /// Notes that this user was just seen to be a member.
    pub(super) fn saw(&mut self, member: &UserId) {
        if self.members.len() >= MEMBERS {
            self.members.clear();
        }
        self.members.insert(member.clone());
    }

    /// Whether the sender of this is still known to be a member, `clean_since` being what is
    /// given.
    pub(super) fn trusts(&self, new: &NewMessage, clean_since: Seq) -> bool {
        new.sender.as_ref().is_none_or(|sender| {
            new.member_as_of >= clean_since
                || (clean_since == self.clean_since && self.members.contains(sender))
        })
    }

    /// Notes that another node has taken `seq`.
    pub(super) fn lose(&mut self, seq: Seq, now: Instant) {
        self.lost = self.lost.max(seq);
        self.foreign_at = Some(now);
        self.head = None;
    }
}
