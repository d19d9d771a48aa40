//! One stream: what is under way on it, and when something is due.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Line;
use super::jobs::Job;
use crate::client::disk::Checkpoint;
use crate::client::disk::sets::Kind;
use crate::client::link::{Calls, Frames, Opened};
use crate::client::trouble::Trouble;
use crate::model::Run;
use crate::proto::connect_request::Command;
use crate::proto::{self, ConnectRequest, ConnectResponse};

/// Until Ready says otherwise.
const TIMEOUT: Duration = Duration::from_secs(90);

/// What has come by the line.
pub(super) enum Happened {
    Opened(Box<Result<Opened, Trouble>>),
    Frames(Vec<ConnectResponse>),
    Ended(Trouble),
    Job(Box<Job>),
}

/// A command that waits for its Ack.
pub(super) enum InFlight {
    Send { chat: String, client_message_id: String },
    Receipts { chat: String, kind: Kind, runs: Vec<Run> },
    Other,
}

/// The inbox is being listed, after a GAP.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) listed: HashSet<String>,
    /// Chats something was heard of meanwhile.
    pub(super) heard: HashSet<String>,
}

/// A stream that is open.
pub(super) struct Live {
    pub(super) calls: Calls,
    commands: Option<mpsc::Sender<ConnectRequest>>,
    frames: Frames,
    pub(super) jobs: FuturesUnordered<BoxFuture<'static, Job>>,
    pub(super) opened_at: Instant,
    heard: Instant,
    said: Instant,
    interval: Duration,
    pub(super) timeout: Duration,
    /// Ready has come.
    pub(super) ready: bool,
    pub(super) caught_up: bool,
    pub(super) in_flight: HashMap<String, InFlight>,
    next_ack: u64,
    /// Chats with a send that waits for its Ack, or for a pause to end.
    pub(super) sending: HashMap<String, Option<Instant>>,
    /// Chats whose receipts are due, and when.
    pub(super) receipts_due: HashMap<(String, Kind), Instant>,
    /// Chats with receipts under way.
    pub(super) receipts_sent: HashSet<(String, Kind)>,
    /// Chats whose holes are being filled.
    pub(super) mending: HashSet<String>,
    pub(super) listing: Option<Listing>,
    /// Peers whose chat was looked for anew.
    pub(super) lost: HashSet<String>,
    /// One that must not be stored yet.
    pub(super) checkpoint: Option<Checkpoint>,
    /// When to ask for another token.
    pub(super) token_due: Option<Instant>,
    /// When the user was last told to be typing.
    pub(super) typed: HashMap<String, Instant>,
    pub(super) close: Option<proto::Close>,
}

impl Live {
    pub(super) fn new(opened: Opened) -> Self {
        let now = Instant::now();
        Self {
            calls: opened.calls,
            commands: Some(opened.commands),
            frames: opened.frames,
            jobs: FuturesUnordered::new(),
            opened_at: now,
            heard: now,
            said: now,
            interval: TIMEOUT,
            timeout: TIMEOUT,
            ready: false,
            caught_up: false,
            in_flight: HashMap::new(),
            next_ack: 0,
            sending: HashMap::new(),
            receipts_due: HashMap::new(),
            receipts_sent: HashSet::new(),
            mending: HashSet::new(),
            listing: None,
            lost: HashSet::new(),
            checkpoint: None,
            token_due: None,
            typed: HashMap::new(),
            close: None,
        }
    }

    async fn next(&mut self) -> Happened {
        tokio::select! {
            frames = self.frames.next() => {
                let Some(frames) = frames else { return Happened::Ended(self.ending(None)) };
                self.heard = Instant::now();
                let mut good = Vec::with_capacity(frames.len());
                for frame in frames {
                    match frame {
                        Ok(frame) => good.push(frame),
                        Err(status) if good.is_empty() => {
                            return Happened::Ended(self.ending(Some(&status)));
                        }
                        // It ends with the next look.
                        Err(_) => break,
                    }
                }
                Happened::Frames(good)
            }
            Some(job) = self.jobs.next() => Happened::Job(Box::new(job)),
        }
    }

    /// Why the stream ended: by Close, by a Status, or it was cut.
    fn ending(&mut self, status: Option<&tonic::Status>) -> Trouble {
        match (self.close.take(), status) {
            (Some(close), _) => Trouble::of_close(&close),
            (None, Some(status)) if !self.ready => Trouble::of_status(status),
            (None, _) => Trouble::Cut("the connection was cut".into()),
        }
    }

    /// Ready has come.
    pub(super) fn is_ready(&mut self, ready: &proto::Ready) {
        self.ready = true;
        let set = |span: &Option<prost_types::Duration>, to: &mut Duration| {
            if let Some(span) = span.as_ref().map(crate::client::trouble::span)
                && !span.is_zero()
            {
                *to = span;
            }
        };
        set(&ready.heartbeat_interval, &mut self.interval);
        set(&ready.heartbeat_timeout, &mut self.timeout);
    }

    /// Silence until then is the end of the stream.
    pub(super) fn dead_at(&self) -> Instant {
        self.heard + self.timeout
    }

    fn beat_at(&self) -> Instant {
        self.said + self.interval.mul_f64(0.9)
    }

    pub(super) fn wants_beat(&self, now: Instant) -> bool {
        self.ready && now >= self.beat_at()
    }

    pub(super) fn next_due(&self) -> Instant {
        let mut due = self.dead_at();
        if self.ready {
            due = due.min(self.beat_at());
        }
        let pauses = self.sending.values().flatten().copied();
        let receipts = self.receipts_due.values().copied();
        pauses.chain(receipts).chain(self.token_due).fold(due, Instant::min)
    }

    /// Gives a command on its way; `false`: there is no room now, or this side has ended.
    pub(super) fn command(&mut self, ack_id: String, command: Command, what: InFlight) -> bool {
        let Some(commands) = &self.commands else { return false };
        let request = ConnectRequest { ack_id: ack_id.clone(), command: Some(command) };
        if commands.try_send(request).is_err() {
            return false;
        }
        self.said = Instant::now();
        if !ack_id.is_empty() {
            self.in_flight.insert(ack_id, what);
        }
        true
    }

    /// An id for a command that has none of its own.
    pub(super) fn ack_id(&mut self) -> String {
        self.next_ack += 1;
        format!("c{}", self.next_ack)
    }

    /// Nothing waits for an answer.
    pub(super) fn is_idle(&self) -> bool {
        self.caught_up
            && self.in_flight.is_empty()
            && self.sending.is_empty()
            && self.receipts_due.is_empty()
            && self.jobs.is_empty()
    }

    /// The client leaves for good.
    pub(super) fn end_own_side(&mut self) {
        self.commands = None;
    }

    /// Does something beside the stream.
    pub(super) fn start(&mut self, job: impl Future<Output = Job> + Send + 'static) {
        self.jobs.push(job.boxed());
    }
}

impl Line {
    /// What comes next by the line; never, where there is none.
    pub(super) async fn next(&mut self) -> Happened {
        match self {
            Self::Down(_) => std::future::pending().await,
            Self::Opening(opening) => Happened::Opened(Box::new(opening.await)),
            Self::Up(live) => live.next().await,
        }
    }
}
