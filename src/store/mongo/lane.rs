//! Lanes: the tasks that append.
//!
//! A chat belongs to one lane of a node, and a lane has one flush under way; what is sent
//! meanwhile waits and goes together in the next one. Nothing else writes messages.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::{NewMessage, StoreError};
use super::failure::{broken, unavailable};
use super::queue::{ChatQueue, Outcome, PATIENCE, Pending};
use super::schema::Db;
use crate::model::{ChatId, Seq};
use crate::trace::Span;
use crate::vital::Vital;

/// Lanes of a node. More of them share the work no better: mongod bills commands.
const LANES: usize = 4;

/// Messages that may wait in a lane's channel, and as many again in the lane; a lane that is
/// full answers Busy.
const WAITING: usize = 2048;

/// Messages in one flush, and of one chat in it, so that no chat keeps the others waiting.
const FLUSH: usize = 1000;
const FLUSH_OF_CHAT: usize = 250;

/// Bytes of text in one flush; mongod takes 48 MB in one command.
const FLUSH_BYTES: usize = 8 << 20;

/// Text this long is no message: the rules allow far less. What mongod refuses for its size
/// would hold up the flush.
const TEXT_BYTES: usize = 1 << 20;

/// Chats a lane remembers.
const CHATS: usize = 20_000;

/// A chat not written to for this long is forgotten first.
const IDLE: Duration = Duration::from_secs(60);

/// How long a lane waits before it asks a store again that did not answer: the set is electing,
/// or the network is gone.
const PAUSE: Duration = Duration::from_millis(50);

/// The lanes of one node.
#[derive(Debug)]
pub(super) struct Lanes {
    /// Empty once closed.
    inlets: Mutex<Vec<mpsc::Sender<Pending>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Lanes {
    pub(super) fn start(db: &Db, vital: &Vital) -> Self {
        let lanes = (0..LANES).map(|_| {
            let (inlet, outlet) = mpsc::channel(WAITING);
            (inlet, vital.spawn("lane of the store", Lane::new(db.clone(), outlet).run()))
        });
        let (inlets, tasks) = lanes.unzip();
        Self { inlets: Mutex::new(inlets), tasks: Mutex::new(tasks) }
    }

    /// Puts a message in its lane, now; the future only waits for what comes of it.
    pub(super) fn append(&self, new: NewMessage) -> BoxFuture<'static, Outcome> {
        let deadline = Instant::now() + PATIENCE;
        match self.enqueue(new, deadline) {
            Ok(answer) => async move {
                match tokio::time::timeout_at(deadline, answer).await {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(_)) => Err(unavailable("the lane has ended").into()),
                    Err(_) => Err(unavailable("the append took too long").into()),
                }
            }
            .boxed(),
            Err(error) => std::future::ready(Err(error.into())).boxed(),
        }
    }

    fn enqueue(
        &self,
        new: NewMessage,
        deadline: Instant,
    ) -> Result<oneshot::Receiver<Outcome>, StoreError> {
        if new.text.len() > TEXT_BYTES {
            return Err(broken("a text of a length that no rule allows"));
        }
        let (reply, answer) = oneshot::channel();
        let chat = new.chat.0.as_u128();
        let inlets = self.inlets.lock();
        let lane = inlets.get((chat % LANES as u128) as usize);
        let lane = lane.ok_or_else(|| unavailable("the store is closed"))?;
        lane.try_send(Pending { new, deadline, reply, span: Span::current() }).map_err(
            |error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::Busy,
                mpsc::error::TrySendError::Closed(_) => unavailable("the lane has ended"),
            },
        )?;
        Ok(answer)
    }

    /// Whether all lanes run; one that has ended takes no more messages.
    pub(super) fn are_running(&self) -> bool {
        let inlets = self.inlets.lock();
        !inlets.is_empty() && inlets.iter().all(|inlet| !inlet.is_closed())
    }

    /// Takes no more, and waits until what was taken is answered.
    pub(super) async fn close(&self) {
        self.inlets.lock().clear();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            // A panic has been told.
            drop(task.await);
        }
    }
}

/// One message with the place it is to get.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) pending: Pending,
    pub(super) seq: Seq,
}

/// What a flush writes of one chat, in order.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) chat: ChatId,
    pub(super) drafts: Vec<Draft>,
}

/// One lane: all chats of one share of the ids.
pub(super) struct Lane {
    pub(super) db: Db,
    inlet: mpsc::Receiver<Pending>,
    open: bool,
    pub(super) chats: HashMap<ChatId, ChatQueue>,
    /// Chats with something waiting, the next first.
    round: VecDeque<ChatId>,
    /// How many messages wait in `chats`.
    waiting: usize,
    /// What a commit took lately.
    pub(super) commit_time: Duration,
    /// The store did not answer in the last flush, or not for certain.
    pub(super) stumbled: bool,
}

impl Lane {
    fn new(db: Db, inlet: mpsc::Receiver<Pending>) -> Self {
        Self {
            db,
            inlet,
            open: true,
            chats: HashMap::new(),
            round: VecDeque::new(),
            waiting: 0,
            commit_time: Duration::from_millis(5),
            stumbled: false,
        }
    }

    async fn run(mut self) {
        while self.gather().await {
            let parts = self.pick(Instant::now());
            self.stumbled = false;
            self.flush(parts).await;
            self.forget(Instant::now());
            if self.stumbled {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Waits until there is something to flush; false: there never will be.
    async fn gather(&mut self) -> bool {
        loop {
            while self.waiting < WAITING
                && let Ok(pending) = self.inlet.try_recv()
            {
                self.enqueue(pending);
            }
            let next = self.round.iter().filter_map(|chat| self.chats.get(chat));
            let next = next.map(|queue| queue.not_before).min();
            match next {
                Some(at) if at <= Instant::now() => return true,
                None if !self.open => return false,
                _ => {}
            }
            let room = self.open && self.waiting < WAITING;
            tokio::select! {
                pending = self.inlet.recv(), if room => match pending {
                    Some(pending) => self.enqueue(pending),
                    None => self.open = false,
                },
                () = sleep_until(next) => {}
            }
        }
    }

    fn enqueue(&mut self, pending: Pending) {
        let chat = pending.new.chat;
        let queue = self.chats.entry(chat).or_insert_with(|| ChatQueue::new(Instant::now()));
        queue.waiting.push_back(pending);
        self.waiting += 1;
        if !queue.listed {
            queue.listed = true;
            self.round.push_back(chat);
        }
    }

    /// Takes what goes into the next flush, chat after chat.
    fn pick(&mut self, now: Instant) -> Vec<Part> {
        let mut parts = Vec::new();
        let (mut room, mut bytes) = (FLUSH, 0);
        for _ in 0..self.round.len() {
            let Some(chat) = self.round.pop_front() else { break };
            let Some(queue) = self.chats.get_mut(&chat) else { continue };
            if queue.not_before > now || room == 0 || bytes > FLUSH_BYTES {
                self.round.push_back(chat);
                continue;
            }
            queue.used_at = now;
            let waited = queue.waiting.len();
            let drafts = take(queue, now, room.min(FLUSH_OF_CHAT), &mut bytes);
            self.waiting -= waited - queue.waiting.len();
            room -= drafts.len();
            queue.listed = !queue.waiting.is_empty();
            if queue.listed {
                self.round.push_back(chat);
            }
            if !drafts.is_empty() {
                parts.push(Part { chat, drafts });
            }
        }
        parts
    }

    /// Puts what was not done back to where it was: before all else of its chat.
    pub(super) fn put_back(&mut self, chat: ChatId, drafts: Vec<Draft>) {
        if drafts.is_empty() {
            return;
        }
        let queue = self.chats.entry(chat).or_insert_with(|| ChatQueue::new(Instant::now()));
        self.waiting += drafts.len();
        for draft in drafts.into_iter().rev() {
            queue.waiting.push_front(draft.pending);
        }
        if queue.listed {
            self.round.retain(|listed| *listed != chat);
        }
        queue.listed = true;
        self.round.push_front(chat);
    }

    /// Keeps the number of chats within its bound; what is forgotten is read again.
    fn forget(&mut self, now: Instant) {
        if self.chats.len() > CHATS {
            self.chats.retain(|_, queue| queue.listed || now - queue.used_at < IDLE);
        }
        if self.chats.len() > CHATS {
            self.chats.retain(|_, queue| queue.listed);
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Takes up to `room` messages of a chat. Those whose time is over are answered; one that
/// repeats another of the same flush waits, with all behind it, for what comes of that.
fn take(queue: &mut ChatQueue, now: Instant, room: usize, bytes: &mut usize) -> Vec<Draft> {
    let mut keys = HashSet::new();
    let mut drafts = Vec::new();
    while drafts.len() < room
        && *bytes <= FLUSH_BYTES
        && let Some(pending) = queue.waiting.pop_front()
    {
        if pending.deadline <= now {
            pending.give_up();
            continue;
        }
        if !keys.insert(pending.key()) {
            queue.waiting.push_front(pending);
            break;
        }
        *bytes += pending.new.text.len();
        drafts.push(Draft { pending, seq: 0 });
    }
    drafts
}
