//! What the ends of a chat do: one sends, another reads and acknowledges.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::device::{Device, Down, Up, message};
use super::measure::Errors;
use super::stats::{Counting, Series};
use crate::config::load::Offer;
use crate::proto;
use crate::proto::connect_request::Command;
use crate::proto::server_frame::Frame;
use crate::proto::{ack, event::Event};

/// How long a receiver gathers before it acknowledges, as clients do.
const GATHER: Duration = Duration::from_millis(250);

/// How often one who only reads says that it is there; servers ask for it every 30 s.
const HEARTBEAT: Duration = Duration::from_secs(28);

/// One of many senders.
pub(super) struct Sender {
    pub(super) nth: usize,
    /// How many senders share the rate.
    pub(super) of: usize,
    /// They take turns.
    pub(super) chats: Vec<String>,
    pub(super) device: Device,
    pub(super) offer: Offer,
    pub(super) counting: Arc<Counting>,
    pub(super) errors: Arc<Errors>,
    /// From due to Ack.
    pub(super) acks: Arc<Series>,
    /// From due until the sender learns that it was read, where receipts are given.
    pub(super) ticks: Option<Arc<Series>>,
}

/// One of many receivers.
pub(super) struct Receiver {
    pub(super) nth: usize,
    pub(super) device: Device,
    pub(super) receipts: bool,
    pub(super) errors: Arc<Errors>,
}

impl Sender {
    /// Sends until it is dropped, or its stream ends.
    pub(super) async fn run(self) {
        let Device { up, down } = self.device;
        let free = Arc::new(Semaphore::new(match self.offer.rate {
            Some(_) => Semaphore::MAX_PERMITS >> 1,
            None => self.offer.in_flight,
        }));
        let answers = Answers {
            nth: self.nth,
            errors: self.errors,
            acks: self.acks,
            ticks: self.ticks,
            unread: VecDeque::new(),
        };
        let text = "x".repeat(self.offer.text);
        let mut chats = self.chats.iter().cycle();
        let mut next = || chats.next().map_or("", String::as_str);
        let sends = async {
            match self.offer.rate {
                None => loop {
                    let Ok(permit) = free.acquire().await else { return };
                    permit.forget();
                    give(&up, &self.counting, next(), &text, self.counting.now()).await;
                },
                Some(rate) => {
                    let mut due = Due::new(rate, self.nth, self.of);
                    loop {
                        let at = due.next().await;
                        give(&up, &self.counting, next(), &text, self.counting.at(at)).await;
                    }
                }
            }
        };
        tokio::select! {
            () = answers.read(down, &free) => {}
            () = sends => {}
        }
    }
}

/// Due times of one of many that share a rate, spread so that they do not go in step.
pub(super) struct Due {
    next: Instant,
    every: Duration,
}

impl Due {
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub(super) fn new(rate: f64, nth: usize, of: usize) -> Self {
        let every = Duration::from_secs_f64(of as f64 / rate);
        Self { next: Instant::now() + every.mul_f64((nth + 1) as f64 / of as f64), every }
    }

    /// Waits until it is time, or not at all if that has passed; answers when it was due.
    pub(super) async fn next(&mut self) -> std::time::Instant {
        sleep_until(self.next).await;
        let due = self.next;
        self.next += self.every;
        due.into_std()
    }
}

async fn give(up: &Up, counting: &Counting, chat: &str, text: &str, due: u64) {
    let id = format!("{due}-{}", counting.now());
    up.give(&id, Command::MessageSend(message(chat, id.clone(), text.to_owned()))).await;
}

/// The due time stands in the id.
pub(super) fn due_of(id: &str) -> u64 {
    id.split('-').next().and_then(|due| due.parse().ok()).unwrap_or(0)
}

/// What comes back to a sender.
struct Answers {
    nth: usize,
    errors: Arc<Errors>,
    acks: Arc<Series>,
    ticks: Option<Arc<Series>>,
    /// Seq and due time of what was not yet read.
    unread: VecDeque<(u32, u64)>,
}

impl Answers {
    async fn read(mut self, mut down: Down, free: &Semaphore) {
        loop {
            match down.next().await {
                Some(Frame::Ack(ack)) => self.ack(ack, free),
                Some(Frame::Event(proto::Event { event: Some(Event::MessageRead(read)) })) => {
                    self.tick(&read);
                }
                Some(Frame::Close(close)) => {
                    self.errors.count(format!("Close {}", close.reason().as_str_name()));
                }
                None => return self.errors.count("a sender's stream ended"),
                Some(_) => {}
            }
        }
    }

    fn ack(&mut self, ack: proto::Ack, free: &Semaphore) {
        let due = due_of(&ack.ack_id);
        match ack.result {
            Some(ack::Result::SendOutcome(outcome)) => {
                self.acks.since(self.nth, due);
                if self.ticks.is_some() {
                    self.unread.push_back((outcome.seq, due));
                }
            }
            Some(ack::Result::Error(error)) => self.errors.count(error.reason().as_str_name()),
            _ => return,
        }
        free.add_permits(1);
    }

    fn tick(&mut self, read: &proto::MessageRead) {
        let (Some(ticks), Some(last)) = (&self.ticks, read.seqs.last()) else { return };
        while let Some((_, due)) = self.unread.pop_front_if(|(seq, _)| *seq <= last.last) {
            ticks.since(self.nth, due);
        }
    }
}

impl Receiver {
    /// Reads until it is dropped, or its stream ends; tells each message to `came`.
    pub(super) async fn run(self, mut came: impl FnMut(usize, &proto::Message)) {
        let Self { nth, device: Device { up, down }, receipts, errors } = self;
        let unread = Unread::default();
        let read = read(down, &errors, |message| {
            came(nth, &message);
            if receipts {
                unread.add(message.chat_id, message.seq);
            }
        });
        tokio::select! {
            () = read => {}
            () = unread.acknowledge(&up) => {}
            () = heartbeats(&up) => {}
        }
    }
}

/// Says now and then that it is there.
async fn heartbeats(up: &Up) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        up.give("", Command::Heartbeat(proto::Heartbeat::default())).await;
    }
}

async fn read(mut down: Down, errors: &Errors, mut came: impl FnMut(proto::Message)) {
    loop {
        match down.next().await {
            Some(Frame::Event(proto::Event { event: Some(Event::MessageSent(sent)) })) => {
                came(sent.message.unwrap_or_default());
            }
            Some(Frame::Close(close)) => {
                errors.count(format!("Close {}", close.reason().as_str_name()));
            }
            None => return errors.count("a receiver's stream ended"),
            Some(_) => {}
        }
    }
}

/// What came since the last ticks: a receiver has one chat, and reads it in order.
#[derive(Default)]
struct Unread {
    came: Mutex<Option<(String, proto::SeqRange)>>,
    some: Notify,
}

impl Unread {
    fn add(&self, chat: String, seq: u32) {
        let mut came = self.came.lock();
        let (_, range) =
            came.get_or_insert_with(|| (chat, proto::SeqRange { first: seq, last: seq }));
        range.last = seq;
        self.some.notify_one();
    }

    /// Both ticks for what came, gathered.
    async fn acknowledge(&self, up: &Up) {
        loop {
            self.some.notified().await;
            tokio::time::sleep(GATHER).await;
            let Some((chat_id, range)) = self.came.lock().take() else { continue };
            let seqs = vec![range];
            let delivered = proto::DeliveredAck { chat_id: chat_id.clone(), seqs: seqs.clone() };
            up.give("", Command::DeliveredAck(delivered)).await;
            up.give("", Command::ReadAck(proto::ReadAck { chat_id, seqs })).await;
        }
    }
}
