//! The task that writes receipts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::tell::Written;
use super::waiting::{Answer, Key, Pending, Waiting};
use super::{Left, Marks, Sets, Todo};
use crate::chat::Service;
use crate::chat::limits::{MAX_RUNS, RECEIPT_QUEUE};
use crate::error::{Error, Reason, Result};
use crate::metrics;
use crate::model::{ChatId, Run, Seq, SeqSet};
use crate::store::{self, Mark, StoreError, UnreadQuery};

/// Writes under way at once.
const WRITES: usize = 2;
/// Store reads under way at once within one write.
const READS: usize = 16;
/// Pause before what could not be written, or told, is tried again.
pub(super) const AGAIN: Duration = Duration::from_secs(1);
/// A gap between runs up to this long is looked through for own messages.
const SMALL_GAP: u64 = 64;

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

    fn waits(self) -> (Key, Pending) {
        (self.key, self.pending)
    }
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
                todo = queue.recv(), if waiting.members.len() < RECEIPT_QUEUE => match todo {
                    Some(Todo::Write(job)) => waiting.gather(*job),
                    Some(Todo::Flush(done)) => {
                        waiting.hurry();
                        while waiting.next.is_some() || !under_way.is_empty() {
                            if waiting.next.is_some() {
                                let batch = waiting.take_due();
                                under_way.push(tokio::spawn(Arc::clone(&self).write(batch)));
                            }
                            // What cannot be written now is lost with this node: clients repeat it.
                            drop(under_way.next().await.map(unwind));
                        }
                        // Nobody waits any more if this fails.
                        let _nobody = done.send(());
                    }
                    None => return,
                },
                Some(written) = under_way.next() => waiting.take_back(unwind(written)),
                () = sleep, if may_write && next.is_some() => {}
            }
        }
    }

    /// Answers what could not be written, for another try.
    async fn write(self: Arc<Self>, batch: Vec<(Key, Pending)>) -> Vec<(Key, Pending)> {
        let known = match self.known_sets(batch.iter().map(|(key, _)| key)).await {
            Ok(known) => known,
            Err(error) => return away(batch, &error),
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
            Err(error) => return away(entries.into_iter().map(Entry::waits), &error),
        };
        metrics::receipts_flush_members().size(entries.len());
        let marked = match self.store.mark(marks).await {
            Ok(marked) => marked,
            Err(error) => return away(entries.into_iter().map(Entry::waits), &error),
        };
        let mut written = Vec::with_capacity(entries.len());
        for (entry, marked) in entries.into_iter().zip(marked) {
            if let Some(sets) = marked {
                written.push((entry, sets));
            } else {
                self.receipts.known.invalidate(&entry.key);
                refuse(entry.pending.answers, &Error::chat_not_found());
            }
        }
        let readers = written.iter().filter(|(entry, _)| entry.reads());
        self.see_notices_soon(readers.map(|(entry, _)| entry.key.1.clone()).collect());
        let left = self.left_of(&written, &heads).await;
        stream::iter(written.into_iter().zip(left))
            .for_each_concurrent(READS, |((entry, (delivered, read)), left)| {
                self.wrote(entry, Sets { delivered, read }, left)
            })
            .await;
        Vec::new()
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
                let sets = Arc::new(Sets { delivered: member.delivered, read: member.read });
                let key = (member.chat, member.user);
                // What a write changes that is not known to be done is told from here.
                self.receipts.known.insert(key.clone(), Arc::clone(&sets));
                known.insert(key, sets);
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
}

/// A write that panicked is the end of the task: it is not known what else it would lose.
fn unwind(written: Result<Vec<(Key, Pending)>, JoinError>) -> Vec<(Key, Pending)> {
    match written.map_err(JoinError::try_into_panic) {
        Ok(again) => again,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // It was ended with the process.
        Err(Err(_)) => Vec::new(),
    }
}

/// The store did not do it, or did not say so: all who wait may try again. It is tried again here
/// as well, so that whoever is to be told is told.
fn away(
    entries: impl IntoIterator<Item = (Key, Pending)>,
    error: &StoreError,
) -> Vec<(Key, Pending)> {
    tracing::warn!(%error, "cannot write receipts");
    let again = |(key, mut pending): (Key, Pending)| {
        let error = Error::new(Reason::StoreUnavailable, "the store cannot be reached");
        refuse(std::mem::take(&mut pending.answers), &error);
        pending.due = Instant::now() + AGAIN;
        for runs in [&mut pending.delivered, &mut pending.read] {
            *runs = SeqSet::from_parts(0, runs.iter().copied()).runs();
        }
        // Who sent more than a set holds was told that it was not done.
        let few = pending.delivered.len().max(pending.read.len()) <= MAX_RUNS;
        few.then_some((key, pending))
    };
    entries.into_iter().filter_map(again).collect()
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
