//! The one thread that writes, and its group commit.
//!
//! Whatever is waiting goes into one transaction, so that one flush to the disk serves all. A
//! command has a savepoint of its own: one that fails takes nothing of the others with it. A savepoint
//! costs a copy of each page that is touched, so messages have none: they are written whole or not
//! at all, and where the disk keeps one from it, the transaction is undone. Nobody is answered before
//! it is committed.

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::queue::{self, Outcome, Queue};
use super::{BATCH, WRITES_WAITING, failure, log};
use crate::clock::{Clock, Timestamp};
use crate::metrics::{self, Backend};
use crate::store::{AppendError, Appended, NewMessage, Result, StoreError};
use crate::trace::{self, Span};
use crate::vital::{Panicked, Vital, caught};

/// The near end of the writer thread.
pub(super) struct Writer(Queue<Box<dyn Command>>);

impl Writer {
    /// Starts the thread. It outlives the readers: who closes a file last, and may write,
    /// leaves it whole, without a log beside it. The lock goes when all are gone.
    pub(super) fn start(
        db: Connection,
        clock: Arc<dyn Clock>,
        (lock, readers): (File, Vec<JoinHandle<()>>),
        vital: &Vital,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, commands) = sync_channel(WRITES_WAITING);
        let thread = vital.thread("sqlite-writer", move || {
            serve(&db, &*clock, &commands);
            // Their panics have been told.
            for reader in readers {
                drop(reader.join());
            }
            drop(db);
            drop(lock);
        })?;
        Ok((Self(Queue::new(sender)), thread))
    }

    /// Enqueues a command now; the future is only the way to its outcome.
    pub(super) fn ask<T, E, W>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, E>> + Send + 'static + use<T, E, W>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        W: FnOnce(&Connection, Timestamp) -> Result<T, E> + Send + 'static,
    {
        let (to, from) = oneshot::channel();
        self.push(Box::new(Asked::new(true, work, to)), from)
    }

    /// The same for a message. It is refused before anything is written, and only the disk fails it
    /// later: it needs no savepoint.
    pub(super) fn append(
        &self,
        new: NewMessage,
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send + 'static + use<> {
        let (to, from) = oneshot::channel();
        let work = move |db: &Connection, _| log::append(db, &new);
        self.push(Box::new(Asked::new(false, work, to)), from)
    }

    fn push<T, E>(
        &self,
        command: Box<dyn Command>,
        from: oneshot::Receiver<Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> + Send + 'static + use<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let outcome: Outcome<T, E> = self.0.push(command).map(|()| from);
        queue::outcome(outcome)
    }

    /// Takes no more commands; the thread ends when those it has are done.
    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// Something to do in a transaction that is shared with others.
trait Command: Send {
    /// Whether it may fail when it has written something.
    fn undoable(&self) -> bool;

    /// Does it. False: what it did is to be undone.
    fn run(&mut self, db: &Connection, now: Timestamp) -> bool;

    /// What waits for it, where that is recorded.
    fn span(&self) -> Option<&Span>;

    /// Answers who asked: with the outcome, or with why the transaction was not committed.
    fn answer(self: Box<Self>, lost: Option<&StoreError>);
}

struct Asked<T, E, W> {
    undoable: bool,
    work: Option<W>,
    outcome: Option<Result<T, E>>,
    to: oneshot::Sender<Result<T, E>>,
    /// What waits for it, where that is recorded.
    span: Option<Span>,
}

impl<T, E, W> Asked<T, E, W>
where
    W: FnOnce(&Connection, Timestamp) -> Result<T, E>,
{
    fn new(undoable: bool, work: W, to: oneshot::Sender<Result<T, E>>) -> Self {
        Self { undoable, work: Some(work), outcome: None, to, span: Span::current() }
    }
}

impl<T, E, W> Command for Asked<T, E, W>
where
    T: Send,
    E: From<StoreError> + Send,
    W: FnOnce(&Connection, Timestamp) -> Result<T, E> + Send,
{
    fn undoable(&self) -> bool {
        self.undoable
    }

    fn run(&mut self, db: &Connection, now: Timestamp) -> bool {
        // What one command has half-way done is undone, and the others go on.
        let broken = |panic: Panicked| Err(StoreError::Broken(panic.into()).into());
        let work = self.work.take();
        self.outcome = work.map(|work| caught(|| work(db, now)).unwrap_or_else(broken));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }

    fn answer(self: Box<Self>, lost: Option<&StoreError>) {
        let outcome = match (lost, self.outcome) {
            (Some(error), _) => Err(failure::copy(error).into()),
            (None, Some(outcome)) => outcome,
            (None, None) => Err(StoreError::Broken("a command was not run".into()).into()),
        };
        // Its span ends before whoever waits goes on.
        drop(self.span);
        // Who asked may have gone; what was done stays.
        drop(self.to.send(outcome));
    }
}

fn serve(db: &Connection, clock: &dyn Clock, commands: &Receiver<Box<dyn Command>>) {
    while let Ok(first) = commands.recv() {
        let mut batch = vec![first];
        batch.extend(commands.try_iter().take(BATCH - 1));
        let began = Instant::now();
        let waiting = batch.iter().filter_map(|command| command.span());
        let span = trace::flush(Backend::Sqlite, batch.len(), waiting);
        let lost = transact(db, clock, &mut batch).err();
        drop(span);
        metrics::flush_writes().of(Backend::Sqlite).size(batch.len());
        metrics::flush_seconds().of(Backend::Sqlite).took(began.elapsed());
        if let Some(error) = &lost {
            tracing::error!(commands = batch.len(), %error, "a transaction was not committed");
        }
        for command in batch {
            command.answer(lost.as_ref());
        }
    }
}

/// Runs a batch in one transaction. An error means that nothing of it is there, or, if the
/// commit itself failed, that this is not known.
fn transact(db: &Connection, clock: &dyn Clock, batch: &mut [Box<dyn Command>]) -> Result<()> {
    let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    for command in batch {
        let undoable = command.undoable();
        if undoable {
            step(db, "SAVEPOINT command")?;
        }
        let before = db.total_changes();
        let done = command.run(db, clock.now());
        // The disk is full, or the like: SQLite has undone the whole transaction, or we must.
        let cut_off = !done && !undoable && db.total_changes() != before;
        if cut_off || db.is_autocommit() {
            return Err(StoreError::Unavailable("the transaction was undone".into()));
        }
        if undoable {
            if !done {
                step(db, "ROLLBACK TO command")?;
            }
            step(db, "RELEASE command")?;
        }
    }
    Ok(transaction.commit()?)
}

fn step(db: &Connection, sql: &str) -> rusqlite::Result<usize> {
    db.prepare_cached(sql)?.execute([])
}
