//! Receiving and reading: acknowledgements gather for a moment and become one write a member.
//!
//! A member has two sets of seqs that only grow. What was read was received. Gathering never
//! holds up an answer that somebody waits for.

use std::sync::Arc;

use moka::sync::Cache;
use tokio::sync::{mpsc, oneshot};

use super::Service;
use super::access::chat_id;
use super::limits::{MAX_RUNS, RECEIPT_QUEUE};
use crate::error::{Error, Reason, Result};
use crate::model::{ChatId, DeviceId, Run, Seq, SeqSet, SessionId, UserId};
use crate::proto;

mod flush;
mod tell;
mod waiting;

/// Members whose sets are remembered, so that repeats cost nothing.
const KNOWN_MEMBERS: u64 = 200_000;

/// What a device acknowledges.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    /// Where, as given.
    pub chat_id: String,
    /// As given.
    pub seqs: Vec<proto::SeqRange>,
    /// Seen by the user, not only kept by the device.
    pub read: bool,
    /// The session it came by, which needs no event of its own.
    pub session: Option<SessionId>,
    /// Which device has it, and whether in the foreground; `None`: not said.
    pub device: Option<(DeviceId, bool)>,
    /// Somebody waits for the answer: it is written at once.
    pub urgent: bool,
}

/// What is left unread in one chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Unread, up to `last_seq`.
    pub unread: u32,
    /// The newest message when counting began.
    pub last_seq: Seq,
}

impl Left {
    /// As the contract tells it.
    pub fn outcome(self) -> proto::ReadOutcome {
        proto::ReadOutcome {
            unread_count: self.unread,
            total_unread_count: None,
            last_seq: self.last_seq,
        }
    }
}

/// The two sets of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sets {
    delivered: SeqSet,
    read: SeqSet,
}

struct Job {
    user: UserId,
    chat: ChatId,
    runs: Vec<Run>,
    read: bool,
    large: bool,
    session: Option<SessionId>,
    urgent: bool,
    visible_from: Seq,
    answer: oneshot::Sender<Result<Option<Left>>>,
}

/// Where acknowledgements wait to be written.
pub struct Receipts {
    queue: mpsc::Sender<Todo>,
    known: Cache<(ChatId, UserId), Arc<Sets>>,
}

enum Todo {
    Write(Box<Job>),
    Flush(oneshot::Sender<()>),
}

/// The end that the writing task holds.
pub struct Marks(mpsc::Receiver<Todo>);

impl Receipts {
    /// An empty queue.
    pub fn new() -> (Self, Marks) {
        let (queue, todo) = mpsc::channel(RECEIPT_QUEUE);
        (Self { queue, known: Cache::new(KNOWN_MEMBERS) }, Marks(todo))
    }
}

impl Service {
    /// Joins what a device has kept, or its user has seen, to the member's sets. Answers once it
    /// is durable; for what was read with what is left.
    pub async fn acknowledge(&self, user: &UserId, ack: Acknowledgement) -> Result<Option<Left>> {
        let chat = chat_id(&ack.chat_id)?;
        let runs = checked_runs(&ack.seqs)?;
        #[cfg(mutants)]
        crate::mutants::read(chat, user, if ack.read { &runs } else { &[] });
        let seated = self.seated(user, chat).await?;
        self.check_reached(chat, &ack.seqs).await?;
        if let (Some((device, foreground)), Some(last)) =
            (&ack.device, runs.iter().map(|run| run.last).max())
        {
            self.pushes.reached(chat, user, (device, *foreground), last);
        }
        let (answer, written) = oneshot::channel();
        let job = Job {
            user: user.clone(),
            chat,
            runs,
            read: ack.read,
            large: !seated.roster.has_receipts(),
            session: ack.session,
            urgent: ack.urgent,
            visible_from: seated.seat.visible_from,
            answer,
        };
        self.receipts.queue.try_send(Todo::Write(Box::new(job))).map_err(|_| {
            Error::new(Reason::StoreUnavailable, "too many receipts wait to be written; try again")
        })?;
        let left = written.await.unwrap_or_else(|_| {
            Err(Error::new(Reason::ShuttingDown, "this node leaves; another will take it"))
        })?;
        if ack.read {
            self.pushes.read(chat, user, ack.device.as_ref().map(|(device, _)| device));
        }
        // It may have been written together with one that was read.
        Ok(left.filter(|_| ack.read))
    }

    /// Marks one message read, and tells the total that is left.
    pub async fn mark_message_read(
        &self,
        user: &UserId,
        chat: &str,
        message: &str,
    ) -> Result<proto::ReadOutcome> {
        let message = self.visible(user, chat, message).await?.message;
        let own = message.sender.as_ref() == Some(user);
        let last = if own { 0 } else { message.seq };
        self.mark_read(user, chat, message.seq.min(last), last).await
    }

    /// Marks a chat read up to a message, 0: wholly; and tells the total that is left.
    pub async fn mark_chat_read(
        &self,
        user: &UserId,
        chat: &str,
        up_to: Seq,
    ) -> Result<proto::ReadOutcome> {
        let chat_key = chat_id(chat)?;
        self.admitted(user, chat_key).await?;
        let newest = self.newest_from(chat_key, up_to).await?;
        if up_to > newest {
            return Err(Error::field("up_to_seq", "beyond the newest message of the chat"));
        }
        let last = if up_to == 0 { newest } else { up_to };
        self.mark_read(user, chat, last.min(1), last).await
    }

    /// `first` 0: nothing is marked, only counted.
    async fn mark_read(
        &self,
        user: &UserId,
        chat: &str,
        first: Seq,
        last: Seq,
    ) -> Result<proto::ReadOutcome> {
        let left = match Run::new(first, last) {
            None => self.left_unread(user, chat_id(chat)?).await?,
            Some(run) => {
                let ack = Acknowledgement {
                    chat_id: chat.to_owned(),
                    seqs: vec![proto::SeqRange { first: run.first, last: run.last }],
                    read: true,
                    session: None,
                    device: None,
                    urgent: true,
                };
                self.acknowledge(user, ack).await?.ok_or_else(Error::chat_not_found)?
            }
        };
        let total = self.total_unread(user).await?;
        Ok(proto::ReadOutcome { total_unread_count: Some(total), ..left.outcome() })
    }

    /// The newest `seq` of a chat, freshly read.
    pub(super) async fn newest(&self, chat: ChatId) -> Result<Seq> {
        Ok(self.store.heads(&[chat]).await?.first().map_or(0, |head| head.seq))
    }

    /// The same, and surely what it is if that is below `seq`: a client drops what is refused for good.
    async fn newest_from(&self, chat: ChatId, seq: Seq) -> Result<Seq> {
        let newest = self.newest(chat).await?;
        if seq <= newest { Ok(newest) } else { Ok(self.store.newest(chat).await?) }
    }

    async fn check_reached(&self, chat: ChatId, seqs: &[proto::SeqRange]) -> Result<()> {
        let last = seqs.iter().map(|run| run.last).max().unwrap_or(0);
        if last <= self.feeds.reached(chat) {
            return Ok(());
        }
        let newest = self.newest_from(chat, last).await?;
        match seqs.iter().position(|run| run.last > newest) {
            None => Ok(()),
            Some(at) => Err(Error::field(
                format!("seqs[{at}].last"),
                "beyond the newest message of the chat",
            )),
        }
    }

    /// Writes all that waits.
    pub(super) async fn flush_receipts(&self) {
        let (done, flushed) = oneshot::channel();
        if self.receipts.queue.send(Todo::Flush(done)).await.is_ok() {
            // An error means that the writing task is gone, and with it what waited.
            drop(flushed.await);
        }
    }
}

fn checked_runs(seqs: &[proto::SeqRange]) -> Result<Vec<Run>> {
    if seqs.is_empty() {
        return Err(Error::field("seqs", "at least one run"));
    }
    if seqs.len() > MAX_RUNS {
        return Err(Error::over_limit("seqs", MAX_RUNS, "runs"));
    }
    seqs.iter()
        .enumerate()
        .map(|(at, run)| {
            Run::new(run.first, run.last).ok_or_else(|| {
                Error::field(format!("seqs[{at}]"), "first must be at least 1, last at least first")
            })
        })
        .collect()
}
