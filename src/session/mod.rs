//! Live streams of this node: one task, one `select!`, one bounded outbox each.
//!
//! A stream opens in this order: it is registered and what happens is buffered; presence is
//! written; the heads of its chats are read; `Ready` says how the resume token was taken; what is
//! lacking is replayed; then the buffer, and from then on what happens. `Connect` and `Subscribe`
//! differ in the way commands come, and in nothing else.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::auth::{Caller, Verifier};
use crate::bus::{Found, Place};
use crate::chat::Service;
use crate::chat::calls::supersedes;
use crate::chat::hub::{Delivery, Listener, Who};
use crate::chat::limits::{
    MAX_ATTACHMENTS, MAX_CLIENT_ID_CHARS, MAX_CLIENT_NAME_CHARS, MAX_COMMANDS_IN_FLIGHT,
    MAX_JOINED_CHATS, MAX_OPENING, MAX_RECEIPT_MEMBERS, MAX_SESSIONS, MAX_TEXT_BYTES,
};
use crate::chat::replay::Opening;
use crate::clock::Timestamp;
use crate::error::{Error, Reason, Result};
use crate::metrics;
use crate::model::{DeviceId, SessionId};
use crate::proto::{self, server_frame::Frame};
use crate::trace::Trace;
use crate::wire::{self, EncodedFrame};

mod commands;
mod end;
mod leave;
mod outbox;
mod run;
mod sends;
mod standing;
mod tell;
mod timer;

pub use commands::draft;
use leave::Leave;
pub use outbox::Frames;
use outbox::{Outbox, Weight, outbox};

/// How long what takes.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// How often either side of Connect says something.
    pub heartbeat: Duration,
    /// How long a silent Connect stays.
    pub heartbeat_timeout: Duration,
    /// How often either side of Subscribe says something.
    pub subscribe_heartbeat: Duration,
    /// How long a silent Subscribe stays.
    pub subscribe_heartbeat_timeout: Duration,
    /// How long after its token's end a stream stays.
    pub token_leeway: Duration,
}

/// How commands of a stream come.
pub enum Commands {
    /// With the stream.
    Connect(BoxStream<'static, std::result::Result<proto::ConnectRequest, tonic::Status>>),
    /// By unary calls.
    Subscribe,
}

/// All streams of this node.
pub struct Sessions {
    service: Arc<Service>,
    verifier: Arc<Verifier>,
    times: Times,
    /// One looks who is there and enters at a time.
    door: Mutex<()>,
    /// One for each stream that is being opened.
    turns: Semaphore,
    leave: Arc<Leave>,
    tasks: TaskTracker,
}

/// What became of a Hello.
enum Admitted {
    /// It is let in.
    Enters(Entered),
    /// A newer stream of its device and instance is there: these are all its frames.
    Late(Frames),
}

/// A stream that is being opened. Dropped before it runs, it leaves nothing behind.
struct Entered {
    service: Arc<Service>,
    listener: Arc<Listener>,
    inbox: Option<mpsc::Receiver<Delivery>>,
    runs: bool,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.runs {
            self.service.hub.leave(&self.listener, []);
            let (service, listener) = (Arc::clone(&self.service), Arc::clone(&self.listener));
            self.service.departures.spawn(async move { service.depart(&listener).await });
        }
    }
}

impl Sessions {
    /// None yet.
    pub fn new(service: Arc<Service>, verifier: Arc<Verifier>, times: Times) -> Self {
        let (leave, tasks) = (Arc::default(), TaskTracker::new());
        let turns = Semaphore::new(MAX_OPENING);
        Self { service, verifier, times, door: Mutex::new(()), turns, leave, tasks }
    }

    /// How many streams are open.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Opens a stream. An error is a Status before any frame.
    pub async fn open(
        &self,
        caller: Caller,
        hello: proto::Hello,
        commands: Commands,
        trace: Trace,
    ) -> Result<Frames> {
        let _turn = self.turns.acquire().await.map_err(Error::internal)?;
        if self.leave.has_begun() {
            return Err(Error::new(Reason::ShuttingDown, "this node leaves; another will take it"));
        }
        let (who, background, token) = self.who(&caller, hello)?;
        self.service.rates.stream(&who.user)?;
        let before = self.service.places(&who.user).await;
        let mut entered = match self.admit(who, background, &before)? {
            Admitted::Enters(entered) => entered,
            Admitted::Late(frames) => return Ok(frames),
        };
        let listener = Arc::clone(&entered.listener);
        self.service.tell_opened(&listener.who, &before);
        self.service.arrive(&listener, &before).await;
        let user = &listener.who.user;
        let name = caller.name.as_deref();
        self.service.meet(user, name, caller.picture.as_deref(), caller.issued_at).await;
        let opening = self.service.opening(user, &token).await?;
        let Some(inbox) = entered.inbox.take() else {
            return Err(Error::internal("a stream was opened twice"));
        };
        metrics::resumes().of(opening.outcome).inc();
        let (outbox, frames) = outbox();
        self.ready(&outbox, &listener, &caller, &commands, &opening);
        let session = Box::new(run::Session::new(run::Start {
            service: Arc::clone(&self.service),
            verifier: Arc::clone(&self.verifier),
            times: self.times,
            leave: Arc::clone(&self.leave),
            listener,
            inbox,
            outbox,
            opening,
            commands,
            trace: trace.opened(),
            token_expires_at: caller.expires_at,
        }));
        entered.runs = true;
        self.tasks.spawn(session.run().in_current_span());
        Ok(frames)
    }

    /// Ends all streams with SHUTTING_DOWN, each after what is under way, and waits for them. The
    /// last of them begins to end within `spread`.
    pub async fn close(&self, spread: Duration) {
        self.leave.begin(self.tasks.len(), spread);
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn who(
        &self,
        caller: &Caller,
        hello: proto::Hello,
    ) -> Result<(Who, bool, prost::bytes::Bytes)> {
        let device = DeviceId::parse(&hello.device_id).ok_or_else(|| {
            Error::field("hello.device_id", "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -")
        })?;
        let fits = |text: &str, max: usize| text.chars().take(max + 1).count() <= max;
        if !fits(&hello.instance_id, MAX_CLIENT_ID_CHARS) {
            return Err(Error::over_limit("hello.instance_id", MAX_CLIENT_ID_CHARS, "characters"));
        }
        if !fits(&hello.client, MAX_CLIENT_NAME_CHARS) {
            return Err(Error::over_limit("hello.client", MAX_CLIENT_NAME_CHARS, "characters"));
        }
        let who = Who {
            user: caller.user.clone(),
            session: SessionId(self.service.clock.new_id()),
            device,
            instance: hello.instance_id,
            generation: hello.generation,
        };
        let client = hello.client.escape_debug().to_string();
        tracing::debug!(user = %who.user, session = %who.session, client, "a stream opens");
        Ok((who, hello.background, hello.resume_token))
    }

    /// Who comes in is counted by all who come after, also by those who come at once.
    fn admit(&self, who: Who, background: bool, before: &[Found]) -> Result<Admitted> {
        let _one_at_a_time = self.door.lock();
        if let Some(frames) = self.supersede(&who)? {
            return Ok(Admitted::Late(frames));
        }
        self.check_count(&who, before)?;
        Ok(Admitted::Enters(self.enter(who, background)))
    }

    /// Of the streams of one device and instance here only one stays. `Some`: the new one goes.
    fn supersede(&self, who: &Who) -> Result<Option<Frames>> {
        for other in self.service.hub.of(&who.user) {
            let same = other.who.device == who.device && other.who.instance == who.instance;
            if !same {
                continue;
            }
            if supersedes(who.generation, other.who.generation) {
                other.deliver(Delivery::Superseded);
                continue;
            }
            let (outbox, frames) = outbox();
            let close =
                close_frame(proto::CloseReason::Superseded, "a newer stream is there", None);
            outbox
                .push(close, Weight::Last)
                .map_err(|_| Error::internal("an empty outbox has no room"))?;
            outbox.finish();
            return Ok(Some(frames));
        }
        Ok(None)
    }

    fn check_count(&self, who: &Who, places: &[Found]) -> Result<()> {
        let mut open: Vec<SessionId> =
            places.iter().filter(|found| found.live).map(|found| found.place.session).collect();
        let here = self.service.hub.of(&who.user);
        let replaced = |other: &Who| other.device == who.device && other.instance == who.instance;
        open.extend(here.iter().map(|listener| listener.who.session));
        open.sort_unstable();
        open.dedup();
        let replaced = here.iter().filter(|listener| replaced(&listener.who)).count();
        if open.len() - replaced.min(open.len()) < MAX_SESSIONS {
            return Ok(());
        }
        let mut error = Error::new(Reason::TooManySessions, "you have too many streams open");
        error.metadata.push(("limit", MAX_SESSIONS.to_string()));
        Err(error)
    }

    fn enter(&self, who: Who, background: bool) -> Entered {
        let place = Place {
            node: self.service.bus.node().clone(),
            session: who.session,
            device: who.device.clone(),
            foreground: !background,
            since: self.service.clock.now(),
        };
        let (listener, inbox) = Listener::new(who, place);
        self.service.hub.enter(&listener);
        let service = Arc::clone(&self.service);
        Entered { service, listener, inbox: Some(inbox), runs: false }
    }

    fn ready(
        &self,
        outbox: &Outbox,
        listener: &Listener,
        caller: &Caller,
        commands: &Commands,
        opening: &Opening,
    ) {
        let (interval, timeout) = self.times.heartbeats(commands);
        let cap = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        let ready = proto::Ready {
            session_id: listener.who.session.to_string(),
            user_id: listener.who.user.to_string(),
            server_time: Some(wire::timestamp(self.service.clock.now())),
            heartbeat_interval: Some(wire::duration(interval)),
            resume_outcome: opening.outcome.into(),
            heartbeat_timeout: Some(wire::duration(timeout)),
            token_expires_at: Some(wire::timestamp(caller.expires_at)),
            limits: Some(proto::Limits {
                max_text_bytes: cap(MAX_TEXT_BYTES),
                max_commands_in_flight: cap(MAX_COMMANDS_IN_FLIGHT),
                max_group_members: self.service.settings.max_group_members,
                max_receipt_members: cap(MAX_RECEIPT_MEMBERS),
                max_joined_chats: cap(MAX_JOINED_CHATS),
                max_attachment_bytes: self.service.max_attachment_bytes(),
                max_attachments: cap(MAX_ATTACHMENTS),
                edit_window: Some(wire::duration(self.service.settings.edit_window)),
            }),
            unread_notifications: opening.unread_notices,
        };
        // The first frame of an empty outbox has room.
        let _first = outbox.push(EncodedFrame::of(Frame::Ready(ready)), Weight::Last);
    }
}

impl Times {
    /// How often something is said on such a stream, and how long silence may last.
    fn heartbeats(&self, commands: &Commands) -> (Duration, Duration) {
        match commands {
            Commands::Connect(_) => (self.heartbeat, self.heartbeat_timeout),
            Commands::Subscribe => (self.subscribe_heartbeat, self.subscribe_heartbeat_timeout),
        }
    }
}

/// The last frame of a stream.
fn close_frame(
    reason: proto::CloseReason,
    message: &str,
    reconnect_after: Option<Duration>,
) -> EncodedFrame {
    EncodedFrame::of(Frame::Close(proto::Close {
        reason: reason.into(),
        reconnect_after: reconnect_after.map(wire::duration),
        message: message.to_owned(),
    }))
}

/// How long from now until then, by the wall clock.
fn until(now: Timestamp, then: Timestamp) -> Duration {
    then.since(now)
}
