//! The task of one stream.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::commands::Finished;
use super::end::{End, slow};
use super::leave::{Leave, come_back_after};
use super::sends::Sends;
use super::standing::Standing;
use super::timer::token_due;
use super::{Commands, Outbox, Times, Weight, close_frame};
use crate::auth::Verifier;
use crate::chat::Service;
use crate::chat::hub::{Delivery, Listener};
use crate::chat::limits::{
    CHECKPOINT_EVERY, CLOSE_WITHIN, COMPARE_EVERY, MAX_COMMANDS_IN_FLIGHT, RECEIPT_GATHER,
};
use crate::chat::position::Position;
use crate::chat::replay::{self, Broken, Lacks, Opening};
use crate::clock::Timestamp;
use crate::metrics::{self, Queue, Stream};
use crate::model::ChatId;
use crate::proto::{self, CloseReason, server_frame::Frame};
use crate::trace::Trace;
use crate::vital::guarded;
use crate::wire::{EncodedFrame, Told};

/// How long what is under way when a stream ends may still take.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// Acknowledgements that may wait to be gathered before no more commands are read.
const MAX_QUIET: usize = 1_024;

/// So much is taken from the inbox before commands get their turn.
const AT_ONCE: usize = 64;

/// What a stream begins with.
pub(super) struct Start {
    pub(super) service: Arc<Service>,
    pub(super) verifier: Arc<Verifier>,
    pub(super) times: Times,
    pub(super) leave: Arc<Leave>,
    pub(super) listener: Arc<Listener>,
    pub(super) inbox: mpsc::Receiver<Delivery>,
    pub(super) outbox: Outbox,
    pub(super) opening: Opening,
    pub(super) commands: Commands,
    pub(super) trace: Trace,
    pub(super) token_expires_at: Timestamp,
}

type CommandStream = BoxStream<'static, std::result::Result<proto::ConnectRequest, tonic::Status>>;

/// What is being read from the store for this stream.
pub(super) struct Replay {
    from: mpsc::Receiver<Result<Told, Broken>>,
    /// What is there once it has come to its end; `None`: the stream was live before.
    pub(super) caught_up: Option<Position>,
    /// Events since the last Checkpoint.
    pub(super) events: usize,
}

pub(super) struct Session {
    pub(super) service: Arc<Service>,
    pub(super) verifier: Arc<Verifier>,
    pub(super) listener: Arc<Listener>,
    pub(super) outbox: Outbox,
    pub(super) times: Times,
    leave: Arc<Leave>,
    inbox: Option<mpsc::Receiver<Delivery>>,
    pub(super) commands: Option<CommandStream>,
    pub(super) heartbeat: Duration,
    pub(super) timeout: Duration,
    /// How far the device has everything.
    pub(super) position: Position,
    pub(super) replay: Option<Replay>,
    /// Live events that wait for the end of the replay.
    pub(super) held: VecDeque<Arc<Told>>,
    /// Compare with the store as soon as the replay ends.
    pub(super) compare_again: bool,
    /// Since when changes may be missing, for that comparison.
    pub(super) changes_since: Option<Timestamp>,
    pub(super) joined: Vec<ChatId>,
    pub(super) standing: Standing,
    pub(super) direct: Vec<ChatId>,
    pub(super) sends: Sends,
    pub(super) under_way: FuturesUnordered<BoxFuture<'static, Finished>>,
    /// Acknowledgements without an id, which may wait to be gathered: nobody waits for them.
    pub(super) quiet: FuturesUnordered<BoxFuture<'static, Finished>>,
    pub(super) token_expires_at: Timestamp,
    /// When to look whether it has expired.
    pub(super) token_due: Instant,
    pub(super) heard: Instant,
    pub(super) said: Instant,
    /// When the next Checkpoint is due; `None`: nothing happened since the last.
    pub(super) checkpoint_due: Option<Instant>,
    pub(super) compare_due: Instant,
    /// Of the Hello's Ready and the first Checkpoint.
    pub(super) was_caught_up: bool,
    /// By which the log, errors and spans of this stream are found.
    pub(super) trace: Trace,
}

impl Session {
    pub(super) fn new(start: Start) -> Self {
        let Start { service, verifier, times, leave, listener, inbox, outbox, opening, .. } = start;
        let (heartbeat, timeout) = times.heartbeats(&start.commands);
        let commands = match start.commands {
            Commands::Connect(commands) => Some(commands),
            Commands::Subscribe => None,
        };
        let now = Instant::now();
        // Spread, so that streams opened together do not compare together.
        let spread = COMPARE_EVERY.mul_f64(f64::from(rand::random::<u8>()) / 255.0);
        let mut session = Self {
            replay: None,
            position: opening.position,
            held: VecDeque::new(),
            compare_again: false,
            changes_since: None,
            joined: Vec::new(),
            standing: Standing::default(),
            direct: opening.direct,
            sends: Sends::default(),
            under_way: FuturesUnordered::new(),
            quiet: FuturesUnordered::new(),
            token_due: token_due(&service, start.token_expires_at.plus(times.token_leeway)),
            token_expires_at: start.token_expires_at,
            heard: now,
            said: now,
            checkpoint_due: None,
            compare_due: now + spread,
            was_caught_up: false,
            trace: start.trace,
            inbox: Some(inbox),
            service,
            verifier,
            listener,
            outbox,
            times,
            leave,
            commands,
            heartbeat,
            timeout,
        };
        session.begin_replay(opening.lacks, Some(opening.caught_up));
        session
    }

    /// Reads what is lacking, in a task of its own.
    pub(super) fn begin_replay(&mut self, lacks: Lacks, caught_up: Option<Position>) {
        let (to, from) = mpsc::channel(64);
        if lacks.is_empty() {
            drop(to);
        } else {
            let (service, user) = (Arc::clone(&self.service), self.listener.who.user.clone());
            let reading = service.replay(user, lacks, to.clone());
            self.service.tasks.spawn(replay::read(reading, to).in_current_span());
        }
        self.replay = Some(Replay { from, caught_up, events: 0 });
    }

    /// A replay whose reading was begun elsewhere, of a stream that was live.
    pub(super) fn resume_from(&mut self, from: mpsc::Receiver<Result<Told, Broken>>) {
        self.replay = Some(Replay { from, caught_up: None, events: 0 });
    }

    /// Serves the stream to its end. Boxed, for the future has room for `self` twice.
    pub(super) async fn run(mut self: Box<Self>) {
        let kind = if self.commands.is_some() { Stream::Connect } else { Stream::Subscribe };
        metrics::streams_opened().of(kind).inc();
        let _open = metrics::sessions().of(kind).enter();
        let mut end = match self.inbox.take() {
            Some(mut inbox) => guarded(self.serve(&mut inbox)).await.unwrap_or(End::Panicked),
            None => End::Gone,
        };
        tracing::debug!(session = %self.listener.who.session, ?end, "a stream ends");
        metrics::streams_closed().of(end.counted()).inc();
        if !matches!(end, End::Gone | End::Panicked) {
            let finish = tokio::time::timeout(FINISH_WITHIN, self.finish_commands());
            // What is not done by then is done all the same, but not answered.
            if guarded(finish).await.is_err() {
                end = End::Panicked;
            }
        }
        self.service.keep_written(&self.listener);
        self.service.hub.leave(&self.listener, self.joined.iter().copied());
        self.service.session_stops_typing(self.listener.who.session);
        let departs = {
            let (service, listener) = (Arc::clone(&self.service), Arc::clone(&self.listener));
            async move { service.depart(&listener).await }
        };
        self.service.departures.spawn(departs.in_current_span());
        self.say_last(&end);
        self.outbox.finish();
        tokio::select! {
            () = self.outbox.empty() => {}
            () = self.outbox.gone() => {}
            () = tokio::time::sleep(CLOSE_WITHIN) => self.outbox.abandon(),
        }
    }

    fn say_last(&mut self, end: &End) {
        let (reason, message) = match end {
            End::Close(reason, message) => (*reason, *message),
            End::Panicked => (CloseReason::Internal, "a fault of the server"),
            End::Finished | End::Gone => return,
        };
        // After a panic it is not known how far the device was told.
        if reason != CloseReason::Internal && self.was_caught_up && self.replay.is_none() {
            // Without room for it the client begins where the last one stands.
            drop(self.checkpoint());
        }
        let after = (reason as i32 / 100 == 2).then(|| come_back_after(rand::random()));
        // The last frame always has room.
        drop(self.outbox.push(close_frame(reason, message, after), Weight::Last));
    }

    /// What may end the stream, and the timer, stay over all turns: to wait for them anew each
    /// turn would cost more than most turns do.
    async fn serve(&mut self, inbox: &mut mpsc::Receiver<Delivery>) -> End {
        let (leave, listener) = (Arc::clone(&self.leave), Arc::clone(&self.listener));
        let gone = self.outbox.gone();
        let mut end = pin!(async move {
            tokio::select! {
                () = leave.turn(rand::random()) => {
                    End::Close(CloseReason::ShuttingDown, "this node leaves")
                }
                () = gone => End::Gone,
                () = listener.overflowed() => slow(Queue::Inbox),
            }
        });
        let mut timer = pin!(tokio::time::sleep_until(self.next_due()));
        loop {
            let done = tokio::select! {
                end = end.as_mut() => return end,
                () = timer.as_mut() => self.timer().map(|()| timer.as_mut().reset(self.next_due())),
                done = self.step(inbox) => done,
            };
            if let Err(end) = done {
                return end;
            }
            // What became due later is seen when the timer comes.
            if self.next_due() < timer.deadline() {
                timer.as_mut().reset(self.next_due());
            }
        }
    }

    async fn step(&mut self, inbox: &mut mpsc::Receiver<Delivery>) -> Result<(), End> {
        let reads = self.sends.len() + self.under_way.len() < MAX_COMMANDS_IN_FLIGHT
            && self.quiet.len() < MAX_QUIET;
        if !reads {
            // Who is not listened to cannot be silent.
            self.heard = Instant::now();
        }
        tokio::select! {
            Some(finished) = self.under_way.next() => self.finish(finished),
            Some(finished) = self.quiet.next() => self.finish(finished),
            Some(delivery) = inbox.recv() => self.all_delivered(delivery, inbox),
            replayed = next_replayed(&mut self.replay, &self.outbox) => self.replayed(replayed),
            command = next_command(&mut self.commands), if reads => self.commanded(command),
        }
    }

    /// What else is there comes in the same turn, and so leaves in the same write.
    fn all_delivered(
        &mut self,
        first: Delivery,
        inbox: &mut mpsc::Receiver<Delivery>,
    ) -> Result<(), End> {
        self.delivered(first)?;
        for _ in 1..AT_ONCE {
            match inbox.try_recv() {
                Ok(delivery) => self.delivered(delivery)?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Puts a frame into the outbox.
    pub(super) fn say(&mut self, frame: Frame) -> Result<(), End> {
        self.push(EncodedFrame::of(frame), Weight::Must)
    }

    pub(super) fn push(&mut self, frame: EncodedFrame, weight: Weight) -> Result<(), End> {
        self.said = Instant::now();
        self.outbox.push(frame, weight).map_err(|_| slow(Queue::Outbox))
    }

    /// Something was told: a Checkpoint is due soon.
    pub(super) fn checkpoint_soon(&mut self) {
        self.checkpoint_due.get_or_insert_with(|| Instant::now() + CHECKPOINT_EVERY);
    }

    /// Says where to resume.
    pub(super) fn checkpoint(&mut self) -> Result<(), End> {
        self.checkpoint_due = None;
        if self.replay.is_none() {
            let known = self.service.known_until().minus(RECEIPT_GATHER);
            let as_of = known.max(self.position.as_of);
            self.position.advance(self.service.clock.now(), as_of);
        }
        let token = self.position.seal(&self.service.sealer, &self.listener.who.user);
        self.say(Frame::Checkpoint(proto::Checkpoint {
            resume_token: token.into(),
            as_of: Some(crate::wire::timestamp(self.position.as_of)),
        }))
    }

    async fn finish_commands(&mut self) {
        while self.sends.len() > 0 || !self.under_way.is_empty() {
            match self.under_way.next().await {
                Some(finished) => {
                    if self.finish(finished).is_err() {
                        return;
                    }
                }
                None => return,
            }
        }
    }
}

/// What a replay brings next, once there is room for it; `None`: it has come to its end.
async fn next_replayed(
    replay: &mut Option<Replay>,
    outbox: &Outbox,
) -> Option<Result<Told, Broken>> {
    match replay {
        Some(replay) => {
            outbox.room().await;
            replay.from.recv().await
        }
        None => std::future::pending().await,
    }
}

async fn next_command(
    commands: &mut Option<CommandStream>,
) -> Option<std::result::Result<proto::ConnectRequest, tonic::Status>> {
    match commands {
        Some(commands) => commands.next().await,
        None => std::future::pending().await,
    }
}
