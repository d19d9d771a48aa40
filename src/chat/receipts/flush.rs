//! The task that writes receipts, and what follows from what it wrote.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio::time::Instant;

use super::{Job, Left, Marks, Sets, Todo};
use crate::chat::Service;
use crate::chat::limits::{MAX_RUNS, RECEIPT_GATHER, RECEIPT_GATHER_LARGE};
use crate::error::{Error, Reason, Result};
use crate::metrics;
use crate::model::{ChatId, ChatKind, Run, Seq, SeqSet, SessionId, UserId};
use crate::proto;
use crate::store::{self, Mark, StoreError, UnreadQuery};
use crate::wire;

/// Members written at once.
const BATCH: usize = 1_000;
/// Writes under way at once.
const WRITES: usize = 2;
/// Store reads under way at once within one write.
const READS: usize = 16;
/// A gap between runs up to this long is looked through for own messages.
const SMALL_GAP: u64 = 64;

type Key = (ChatId, UserId);
type Answer = oneshot::Sender<Result<Option<Left>>>;

/// What waits for one member.
struct Pending {
    delivered: Vec<Run>,
    read: Vec<Run>,
    visible_from: Seq,
    large: bool,
    session: Option<SessionId>,
    due: Instant,
    answers: Vec<Answer>,
}

/// One member of a batch, with what was known of the sets before it.
struct Entry {
    key: Key,
    pending: Pending,
    known: Arc<Sets>,
}

impl Entry {
    fn reads(&self) -> bool {
        !self.pending.read.is_empty()
    }
}

/// What was written for one member.
struct Written {
    chat: ChatId,
    user: UserId,
    large: bool,
    session: Option<SessionId>,
    new_delivered: Vec<Run>,
    new_read: Vec<Run>,
    left: Option<Left>,
}

impl Service {
    /// Writes receipts as they come.
    pub(in crate::chat) async fn write_receipts(self: Arc<Self>, marks: Marks) {
        let mut queue = marks.0;
        let mut waiting = Waiting::default();
        let mut under_way = FuturesUnordered::new();
        loop {
            let next = waiting.next;
            let may_write = under_way.len() < WRITES;
            if may_write && next.is_some_and(|due| due <= Instant::now()) {
                let batch = waiting.take_due();
                under_way.push(tokio::spawn(Arc::clone(&self).write(batch)));
                continue;
            }
            let sleep = tokio::time::sleep_until(next.unwrap_or_else(Instant::now));
            tokio::select! {
                todo = queue.recv() => match todo {
                    Some(Todo::Write(job)) => waiting.gather(*job),
                    Some(Todo::Flush(done)) => {
                        waiting.hurry();
                        while waiting.next.is_some() || !under_way.is_empty() {
                            if waiting.next.is_some() {
                                let batch = waiting.take_due();
                                under_way.push(tokio::spawn(Arc::clone(&self).write(batch)));
                            }
                            under_way.next().await.into_iter().for_each(unwind);
                        }
                        // Nobody waits any more if this fails.
                        let _nobody = done.send(());
                    }
                    None => return,
                },
                Some(written) = under_way.next() => unwind(written),
                () = sleep, if may_write && next.is_some() => {}
            }
        }
    }

    async fn write(self: Arc<Self>, batch: Vec<(Key, Pending)>) {
        let known = match self.known_sets(batch.iter().map(|(key, _)| key)).await {
            Ok(known) => known,
            Err(error) => return away(batch.into_iter().map(|(_, pending)| pending), &error),
        };
        let mut ready = Vec::new();
        for (key, pending) in batch {
            let Some(known) = known.get(&key) else {
                refuse(pending.answers, &Error::chat_not_found());
                continue;
            };
            match self.bounded(&key, &pending, known).await {
                Ok((delivered, read)) => {
                    let seen = (known.delivered.clone(), known.read.clone());
                    let mark = Mark { user: key.1.clone(), chat: key.0, delivered, read, seen };
                    ready.push((Entry { key, pending, known: Arc::clone(known) }, mark));
                }
                Err(error) => refuse(pending.answers, &error),
            }
        }
        let (entries, marks): (Vec<Entry>, Vec<Mark>) = ready.into_iter().unzip();
        let chats: Vec<ChatId> =
            entries.iter().filter(|entry| entry.reads()).map(|entry| entry.key.0).collect();
        // The newest message first: what is counted below is then never more than was there.
        let heads: HashMap<ChatId, Seq> = match self.store.heads(&chats).await {
            Ok(heads) => heads.into_iter().map(|head| (head.chat, head.seq)).collect(),
            Err(error) => return away(entries.into_iter().map(|entry| entry.pending), &error),
        };
        metrics::receipts_flush_members().size(entries.len());
        let marked = match self.store.mark(marks).await {
            Ok(marked) => marked,
            Err(error) => return away(entries.into_iter().map(|entry| entry.pending), &error),
        };
        let mut written = Vec::with_capacity(entries.len());
        for (entry, marked) in entries.into_iter().zip(marked) {
            match marked {
                Some(sets) => written.push((entry, sets)),
                None => {
                    self.receipts.known.invalidate(&entry.key);
                    refuse(entry.pending.answers, &Error::chat_not_found());
                }
            }
        }
        let left = self.left_of(&written, &heads).await;
        stream::iter(written.into_iter().zip(left))
            .for_each_concurrent(READS, |((entry, (delivered, read)), left)| {
                self.wrote(entry, Sets { delivered, read }, left)
            })
            .await;
    }

    /// What is left unread for those who read, in their order.
    async fn left_of(
        &self,
        written: &[(Entry, (SeqSet, SeqSet))],
        heads: &HashMap<ChatId, Seq>,
    ) -> Vec<Result<Option<Left>>> {
        let query = |(entry, (_, read)): &(Entry, (SeqSet, SeqSet))| {
            let head = entry.reads().then(|| heads.get(&entry.key.0)).flatten().copied();
            let (chat, user) = entry.key.clone();
            let runs = read.missing(entry.pending.visible_from, head.unwrap_or(0));
            (head, UnreadQuery { user, chat, runs })
        };
        let (heads, queries): (Vec<Option<Seq>>, Vec<UnreadQuery>) =
            written.iter().map(query).unzip();
        match self.count(&queries).await {
            Ok(counts) => {
                let left = heads.into_iter().zip(counts);
                left.map(|(head, unread)| Ok(head.map(|last_seq| Left { unread, last_seq })))
                    .collect()
            }
            Err(error) => {
                heads.iter().map(|head| head.map_or(Ok(None), |_| Err(copy(&error)))).collect()
            }
        }
    }

    /// The sets as last seen; they may have grown since. Of who is no member, nothing.
    async fn known_sets(
        &self,
        keys: impl Iterator<Item = &Key>,
    ) -> store::Result<HashMap<Key, Arc<Sets>>> {
        let (mut known, mut unknown) = (HashMap::new(), Vec::new());
        for key in keys {
            match self.receipts.known.get(key) {
                Some(sets) => drop(known.insert(key.clone(), sets)),
                None => unknown.push(key.clone()),
            }
        }
        if !unknown.is_empty() {
            for member in self.store.places(&unknown).await? {
                let sets = Sets { delivered: member.delivered, read: member.read };
                known.insert((member.chat, member.user), Arc::new(sets));
            }
        }
        Ok(known)
    }

    /// The runs to be joined, such that the sets stay within bounds.
    async fn bounded(
        &self,
        key: &Key,
        pending: &Pending,
        known: &Sets,
    ) -> Result<(Vec<Run>, Vec<Run>)> {
        let read = self.bounded_set(key, &known.read, &pending.read).await?;
        let mut delivered = pending.delivered.clone();
        delivered.extend(&read);
        let delivered = self.bounded_set(key, &known.delivered, &delivered).await?;
        Ok((delivered, read))
    }

    async fn bounded_set(&self, key: &Key, known: &SeqSet, more: &[Run]) -> Result<Vec<Run>> {
        let mut set = known.clone();
        set.extend(more.iter().copied());
        if set.runs().len() <= MAX_RUNS {
            return Ok(more.to_vec());
        }
        // Own messages say nothing in the sets: taking them in joins what they part.
        let gaps: Vec<Run> =
            set.missing(1, set.max()).into_iter().filter(|gap| gap.len() <= SMALL_GAP).collect();
        let places: Vec<(ChatId, Seq)> =
            gaps.iter().flat_map(|gap| gap.first..=gap.last).map(|seq| (key.0, seq)).collect();
        let found = self.store.messages(&places).await?;
        let own: SeqSet = SeqSet::from_parts(
            0,
            found
                .iter()
                .filter(|message| message.sender.as_ref() == Some(&key.1))
                .filter_map(|message| Run::new(message.seq, message.seq)),
        );
        let mut taken = more.to_vec();
        taken.extend(gaps.into_iter().filter(|gap| own.covers(*gap)));
        set.extend(taken.iter().copied());
        if set.runs().len() <= MAX_RUNS {
            Ok(taken)
        } else {
            let mut error = Error::new(
                Reason::TooManyRuns,
                "the set would have too many runs: take longer ones, or mark the chat read",
            );
            error.metadata.push(("limit", MAX_RUNS.to_string()));
            Err(error)
        }
    }

    async fn wrote(self: &Arc<Self>, entry: Entry, now: Sets, left: Result<Option<Left>>) {
        let Entry { key, pending, known } = entry;
        let of = |runs: &[Run]| SeqSet::from_parts(0, runs.iter().copied());
        let mut given = of(&pending.delivered);
        given.extend(pending.read.iter().copied());
        let (chat, user) = key.clone();
        let written = Written {
            chat,
            user,
            large: pending.large,
            session: pending.session,
            new_delivered: given.minus(&known.delivered),
            new_read: of(&pending.read).minus(&known.read),
            left: left.as_ref().ok().copied().flatten(),
        };
        self.receipts.known.insert(key, Arc::new(now));
        match left {
            // Whoever went away needs no answer.
            Ok(left) => pending.answers.into_iter().for_each(|answer| drop(answer.send(Ok(left)))),
            Err(error) => refuse(pending.answers, &error),
        }
        self.tell_of_receipts(written).await;
    }

    async fn tell_of_receipts(self: &Arc<Self>, of: Written) {
        use proto::event::Event;
        let (chat_id, user_id) = (of.chat.to_string(), of.user.to_string());
        if !of.new_read.is_empty() {
            let event = proto::MessageRead {
                chat_id: chat_id.clone(),
                user_id: user_id.clone(),
                seqs: wire::ranges(&of.new_read),
                unread_count: of.left.map(|left| left.unread),
                last_seq: of.left.map(|left| left.last_seq),
            };
            self.tell_own_devices(&of.user, of.session, Event::MessageRead(event)).await;
        }
        if of.large {
            return;
        }
        if !of.new_read.is_empty() {
            let senders = self.senders_of(&of, &of.new_read).await;
            let event = proto::MessageRead {
                chat_id: chat_id.clone(),
                user_id: user_id.clone(),
                seqs: wire::ranges(&of.new_read),
                unread_count: None,
                last_seq: None,
            };
            self.tell_users(&senders, Event::MessageRead(event)).await;
        }
        // What was read at once is told by MessageRead alone.
        let read = SeqSet::from_parts(0, of.new_read.iter().copied());
        let only = SeqSet::from_parts(0, of.new_delivered.iter().copied()).minus(&read);
        if !only.is_empty() {
            let senders = self.senders_of(&of, &only).await;
            let seqs = wire::ranges(&only);
            let event = proto::MessageDelivered { chat_id, user_id, seqs };
            self.tell_users(&senders, Event::MessageDelivered(event)).await;
        }
    }

    /// Whom receipts for these messages concern.
    async fn senders_of(&self, of: &Written, runs: &[Run]) -> Vec<UserId> {
        let roster = match self.rosters.get(of.chat).await {
            Ok(Some(roster)) => roster,
            Ok(None) => return Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "receipts are not told: the members cannot be read");
                return Vec::new();
            }
        };
        if roster.chat.kind == ChatKind::Direct {
            return roster.other(&of.user).cloned().into_iter().collect();
        }
        match self.store.senders(of.chat, runs).await {
            Ok(mut senders) => {
                senders.retain(|sender| *sender != of.user && roster.seat(sender).is_some());
                senders
            }
            Err(error) => {
                tracing::warn!(%error, "receipts are not told: the senders cannot be read");
                Vec::new()
            }
        }
    }
}

/// A write that panicked is the end of the task: it is not known what else it would lose.
fn unwind(written: Result<(), JoinError>) {
    if let Err(error) = written
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

/// What waits to be written.
#[derive(Default)]
struct Waiting {
    members: HashMap<Key, Pending>,
    /// When the first of them is due.
    next: Option<Instant>,
}

impl Waiting {
    fn gather(&mut self, job: Job) {
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

    /// All are due now.
    fn hurry(&mut self) {
        let now = Instant::now();
        for pending in self.members.values_mut() {
            pending.due = now;
        }
        self.next = self.next.map(|_| now);
    }

    fn take_due(&mut self) -> Vec<(Key, Pending)> {
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

/// The store did not do it: all who wait may try again.
fn away(pending: impl Iterator<Item = Pending>, error: &StoreError) {
    tracing::warn!(%error, "cannot write receipts");
    for pending in pending {
        let error = Error::new(Reason::StoreUnavailable, "the store cannot be reached");
        refuse(pending.answers, &error);
    }
}

/// One failure, told to all who wait for it.
fn refuse(answers: Vec<Answer>, error: &Error) {
    for answer in answers {
        // Whoever went away needs no answer.
        drop(answer.send(Err(copy(error))));
    }
}

fn copy(error: &Error) -> Error {
    Error {
        reason: error.reason,
        message: error.message.clone(),
        field: error.field.clone(),
        retry_after: error.retry_after,
        metadata: error.metadata.clone(),
        source: None,
    }
}
