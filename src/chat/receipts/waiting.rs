//! What waits to be written: one entry a member, until it is due.

use std::collections::HashMap;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Job, Left};
use crate::chat::limits::{RECEIPT_GATHER, RECEIPT_GATHER_LARGE};
use crate::error::Result;
use crate::model::{ChatId, Run, Seq, SessionId, UserId};

/// Members written at once.
const BATCH: usize = 1_000;

pub(super) type Key = (ChatId, UserId);
pub(super) type Answer = oneshot::Sender<Result<Option<Left>>>;

/// What waits for one member.
pub(super) struct Pending {
    pub(super) delivered: Vec<Run>,
    pub(super) read: Vec<Run>,
    pub(super) visible_from: Seq,
    pub(super) large: bool,
    pub(super) session: Option<SessionId>,
    pub(super) due: Instant,
    pub(super) answers: Vec<Answer>,
}

/// What waits to be written.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) members: HashMap<Key, Pending>,
    /// When the first of them is due.
    pub(super) next: Option<Instant>,
}

impl Waiting {
    pub(super) fn gather(&mut self, job: Job) {
        let patience = if job.large { RECEIPT_GATHER_LARGE } else { RECEIPT_GATHER };
        let now = Instant::now();
        let due = if job.urgent { now } else { now + patience };
        let pending = self.members.entry((job.chat, job.user)).or_insert_with(|| Pending {
            delivered: Vec::new(),
            read: Vec::new(),
            visible_from: job.visible_from,
            large: job.large,
            session: job.session,
            due,
            answers: Vec::new(),
        });
        pending.due = pending.due.min(due);
        if pending.session != job.session {
            pending.session = None;
        }
        if job.read { &mut pending.read } else { &mut pending.delivered }.extend(job.runs);
        pending.answers.push(job.answer);
        self.next = Some(self.next.map_or(due, |next| next.min(due)));
    }

    /// What could not be written waits once more.
    pub(super) fn take_back(&mut self, again: Vec<(Key, Pending)>) {
        for (key, mut pending) in again {
            if let Some(newer) = self.members.remove(&key) {
                pending.delivered.extend(newer.delivered);
                pending.read.extend(newer.read);
                pending.answers.extend(newer.answers);
                pending.due = pending.due.min(newer.due);
                pending.session = pending.session.filter(|session| newer.session == Some(*session));
            }
            self.next = Some(self.next.map_or(pending.due, |next| next.min(pending.due)));
            self.members.insert(key, pending);
        }
    }

    /// All are due now.
    pub(super) fn hurry(&mut self) {
        let now = Instant::now();
        for pending in self.members.values_mut() {
            pending.due = now;
        }
        self.next = self.next.map(|_| now);
    }

    pub(super) fn take_due(&mut self) -> Vec<(Key, Pending)> {
        let now = Instant::now();
        let due: Vec<Key> = self
            .members
            .iter()
            .filter(|(_, pending)| pending.due <= now)
            .map(|(key, _)| key.clone())
            .take(BATCH)
            .collect();
        let taken = due.into_iter().filter_map(|key| self.members.remove_entry(&key)).collect();
        self.next = self.members.values().map(|pending| pending.due).min();
        taken
    }
}
