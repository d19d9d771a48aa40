//! The one task that publishes: it numbers envelopes, beats once a second, and keeps this node in
//! the registry, the sorted set `presence:nodes` of nodes by lease expiry.
//!
//! All it sends is numbered and awaited in order, so a heartbeat names the last envelope that was
//! sent before it, whether or not it arrived.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fred::clients::{Client, Pipeline, WithOptions};
use fred::prelude::*;
use fred::types::Value;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::frame::{self, Kind};
use super::link::Commands;
use super::script::{self, Call};
use super::shared::Shared;
use super::{channel, link};
use crate::bus::To;
use crate::metrics;
use crate::model::NodeId;

/// Envelopes that may wait. More are lost, and their receivers say so.
const QUEUE: usize = 8_192;
/// Nodes remembered by name whose envelopes were lost; above that, all nodes are told of a loss.
const LOST: usize = 1_024;
/// Envelopes taken from the queue at a time, and frames in one pipeline.
const BATCH: usize = 256;
/// How often a node says that it is there.
const BEAT: Duration = Duration::from_secs(1);
/// How soon it beats again when that failed: so it is back soon when Redis is.
const BEAT_AGAIN: Duration = Duration::from_millis(100);
/// How long a node stays in the registry without beating.
const NODE_LEASE: Duration = Duration::from_secs(6);
/// How long the count for a node is kept that is not there any more.
const COUNTED: Duration = Duration::from_secs(600);
/// After so long without a beat of our own, the connections are begun anew.
const ANEW: Duration = Duration::from_secs(6);
/// How long sending what is queued may take at the end.
const DRAIN: Duration = Duration::from_secs(1);

const REGISTRY: &str = "presence:nodes";

/// Arguments: a node, its lease in milliseconds. Answers all nodes whose lease runs.
const REGISTER: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)
";

type Batch = WithOptions<Pipeline<Client>>;

/// Where envelopes wait to be published.
pub(super) struct Outbox {
    queue: mpsc::Sender<(To, Bytes)>,
    lost: Mutex<Lost>,
    dropped: AtomicU64,
}

/// Whose envelopes found the queue full, since numbers were last taken for them.
#[derive(Default)]
struct Lost {
    all: bool,
    nodes: BTreeSet<NodeId>,
}

impl Outbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<(To, Bytes)>) {
        let (queue, queued) = mpsc::channel(QUEUE);
        (Self { queue, lost: Mutex::default(), dropped: AtomicU64::new(0) }, queued)
    }

    /// Never waits. Full: lost, with a number, so that it will be noticed.
    pub(super) fn put(&self, to: To, payload: Bytes) {
        let Err(mpsc::error::TrySendError::Full((to, _))) = self.queue.try_send((to, payload))
        else {
            return;
        };
        self.dropped.fetch_add(1, Ordering::Relaxed);
        let mut lost = self.lost.lock();
        match to {
            To::All => lost.all = true,
            To::Nodes(nodes) => lost.nodes.extend(nodes),
        }
        if lost.nodes.len() > LOST {
            *lost = Lost { all: true, nodes: BTreeSet::new() };
        }
    }
}

struct Count {
    number: u64,
    used: Instant,
}

/// The task's own things.
pub(super) struct Publisher {
    shared: Arc<Shared>,
    commands: Arc<Commands>,
    counts: HashMap<NodeId, Count>,
    /// Something went to all before it was known who that is.
    missed: bool,
    failed: u64,
    logged: Option<Instant>,
    /// When Redis answered a beat last.
    answered: Instant,
    /// When connections were begun anew last.
    renewed: Instant,
}

/// What the task listens to.
pub(super) struct Inputs {
    pub(super) queued: mpsc::Receiver<(To, Bytes)>,
    pub(super) greetings: mpsc::Receiver<NodeId>,
}

impl Publisher {
    pub(super) fn new(shared: Arc<Shared>, commands: Arc<Commands>) -> Self {
        Self {
            shared,
            commands,
            counts: HashMap::new(),
            missed: false,
            failed: 0,
            logged: None,
            answered: Instant::now(),
            renewed: Instant::now(),
        }
    }

    /// Publishes until the bus is closed; then sends what is queued, and goodbyes.
    pub(super) async fn run(mut self, mut inputs: Inputs) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.shared);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                () = shared.closing.cancelled() => break,
                _ = beat.tick() => if !self.beat().await { beat.reset_after(BEAT_AGAIN) },
                () = shared.beat_now.notified() => beat.reset_immediately(),
                Some(node) = inputs.greetings.recv() => self.greet(vec![node]).await,
                _ = inputs.queued.recv_many(&mut batch, BATCH) => self.send(&mut batch).await,
            }
        }
        inputs.queued.close();
        let drain = async {
            while inputs.queued.recv_many(&mut batch, BATCH).await > 0 {
                self.send(&mut batch).await;
            }
        };
        let _ = tokio::time::timeout(DRAIN, drain).await;
        self.farewell().await;
    }

    /// Says to itself and to all others that it is there, and reads who else is. Answers whether
    /// Redis did.
    async fn beat(&mut self) -> bool {
        let registered = self.shared.subscribed();
        let pipeline = self.pipeline();
        if registered {
            let args = vec![self.shared.me.to_string(), NODE_LEASE.as_millis().to_string()];
            let call = Call { key: REGISTRY.to_owned(), args };
            // It only queues, and cannot fail; the answer comes with the others.
            let _ = script::queue(&pipeline, &call, None, REGISTER).await;
        }
        let others = self.shared.peers.lock().others();
        let own = self.shared.peers.lock().beat();
        self.add(&pipeline, &self.shared.me, Kind::Heartbeat, own, b"").await;
        for other in &others {
            self.add(&pipeline, other, Kind::Heartbeat, self.number(other), b"").await;
        }
        let mut answers = self.finish(pipeline, usize::from(registered) + 1 + others.len()).await;
        let answered = !answers.is_empty();
        if registered && answered {
            self.registry(answers.swap_remove(0)).await;
        }
        let kept: BTreeSet<_> = others.into_iter().collect();
        self.counts.retain(|node, count| kept.contains(node) || count.used.elapsed() < COUNTED);
        self.watch(answered);
        answered
    }

    async fn registry(&mut self, answer: FredResult<Value>) {
        let nodes = answer.and_then(Value::convert::<Vec<String>>);
        let Ok(nodes) = nodes.inspect_err(|error| self.log(&error.to_string())) else { return };
        let nodes = nodes.iter().filter_map(|node| NodeId::parse(node)).collect();
        let fresh = self.shared.peers.lock().registry(nodes, self.shared.now());
        if std::mem::take(&mut self.missed) {
            let others = self.shared.peers.lock().others();
            for node in &others {
                self.next(node);
            }
        }
        if !fresh.is_empty() {
            self.greet(fresh).await;
        }
    }

    /// Beats to these alone, who wait for it.
    async fn greet(&mut self, nodes: Vec<NodeId>) {
        let pipeline = self.pipeline();
        for node in &nodes {
            self.add(&pipeline, node, Kind::Heartbeat, self.number(node), b"").await;
        }
        self.finish(pipeline, nodes.len()).await;
    }

    /// Numbers and publishes what was queued.
    async fn send(&mut self, batch: &mut Vec<(To, Bytes)>) {
        self.count_lost();
        let mut pipeline = self.pipeline();
        let mut frames = 0;
        for (to, payload) in batch.drain(..) {
            for node in self.receivers(to) {
                let number = self.next(&node);
                self.add(&pipeline, &node, Kind::Envelope, number, &payload).await;
                frames += 1;
                if frames == BATCH {
                    let full = std::mem::replace(&mut pipeline, self.pipeline());
                    self.finish(full, std::mem::take(&mut frames)).await;
                }
            }
        }
        self.finish(pipeline, frames).await;
    }

    async fn farewell(&mut self) {
        self.count_lost();
        let others = self.shared.peers.lock().others();
        let pipeline = self.pipeline();
        let _: FredResult<()> = pipeline.zrem(REGISTRY, self.shared.me.as_str()).await;
        for other in &others {
            self.add(&pipeline, other, Kind::Goodbye, self.number(other), b"").await;
        }
        self.finish(pipeline, others.len() + 1).await;
    }

    fn receivers(&mut self, to: To) -> BTreeSet<NodeId> {
        let mut nodes: BTreeSet<_> = match to {
            To::Nodes(nodes) => nodes.into_iter().collect(),
            To::All => {
                let peers = self.shared.peers.lock();
                self.missed |= !peers.has_read();
                peers.others().into_iter().collect()
            }
        };
        nodes.remove(&self.shared.me);
        nodes
    }

    /// Takes a number for each node that something was lost for.
    fn count_lost(&mut self) {
        let mut lost = std::mem::take(&mut *self.shared.outbox.lost.lock());
        if lost.all {
            lost.nodes.extend(self.receivers(To::All));
        }
        for node in lost.nodes {
            self.next(&node);
        }
        let dropped = self.shared.outbox.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.failed += dropped;
            metrics::bus_unsent().add(dropped);
            self.log("the queue is full");
        }
    }

    fn number(&self, node: &NodeId) -> u64 {
        self.counts.get(node).map_or(0, |count| count.number)
    }

    fn next(&mut self, node: &NodeId) -> u64 {
        let used = Instant::now();
        let count = self.counts.entry(node.clone()).or_insert(Count { number: 0, used });
        count.number += 1;
        count.used = used;
        count.number
    }

    fn pipeline(&self) -> Batch {
        self.commands.client().pipeline().with_options(&link::at_once())
    }

    async fn add(&self, to: &Batch, node: &NodeId, kind: Kind, number: u64, payload: &[u8]) {
        let frame = frame::encode(kind, number, &self.shared.me, payload);
        // It only queues, and cannot fail.
        let _: FredResult<()> = to.publish(channel(node), frame).await;
    }

    /// Sends a pipeline of so many commands. None is repeated: what fails is lost and, by its
    /// number, noticed. Answers nothing if all failed.
    async fn finish(&mut self, pipeline: Batch, commands: usize) -> Vec<FredResult<Value>> {
        if commands == 0 {
            return Vec::new();
        }
        let answers = match link::answer(pipeline.try_all::<Value>()).await {
            Ok(answers) => answers,
            Err(error) => vec![Err(Error::new(ErrorKind::Timeout, error.0))],
        };
        let failed = answers.iter().filter(|answer| answer.is_err()).count();
        let whole = answers.len() == commands;
        let first = answers.iter().find_map(|answer| answer.as_ref().err()).map(Error::to_string);
        if let Some(error) = first {
            let failed = u64::try_from(if whole { failed } else { commands }).unwrap_or(0);
            self.failed += failed;
            metrics::bus_unsent().add(failed);
            self.log(&error);
        }
        if whole && failed < commands { answers } else { Vec::new() }
    }

    fn log(&mut self, error: &str) {
        if self.logged.is_none_or(|logged| logged.elapsed() >= link::LOGGED) {
            let lost = std::mem::take(&mut self.failed);
            tracing::warn!(lost, error, "frames for other nodes were lost");
            self.logged = Some(Instant::now());
        }
    }

    /// Begins connections anew that seem well, and yet nothing comes back.
    fn watch(&mut self, answered: bool) {
        if answered {
            self.answered = Instant::now();
        }
        if self.renewed.elapsed() <= ANEW {
            return;
        }
        let silence = self.shared.peers.lock().own_silence(self.shared.now());
        if silence > ANEW || self.answered.elapsed() > ANEW {
            tracing::warn!("no sign of life from Redis; connecting anew");
            self.renewed = Instant::now();
            self.commands.begin_anew();
            self.shared.listen_anew.notify_one();
        }
    }
}
