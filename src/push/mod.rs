//! Pushes: what rings where, in which words, and the way to the push service.
//!
//! The flow, from a message to a phone:
//!
//! 1. Who is due follows from the log and from what devices have acknowledged; the house looks at
//!    once, after 5 s, and after 60 s ([`crate::store::Devices`] keeps how far each device is).
//! 2. [`rules::decide`] says whether it may ring now, later, or never, by what the user wants.
//! 3. [`words`] says it in the device's language, as fully as the user wants.
//! 4. [`Push::send`] hands it to the push service and says what came of it ([`Sent`]).
//!
//! Nothing here knows chats or stores; it never logs a word of what it sends.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::model::{ChatId, MessageId, Platform, Seq};

pub mod fcm;
pub mod rules;
pub mod words;

/// How pushes go out, as the operator says.
#[derive(Clone, Debug)]
pub struct Options {
    /// To whom.
    pub provider: ProviderOptions,
    /// How long after it was stored a message is pushed to who has a stream and is silent.
    pub after: Duration,
    /// How long another device in the foreground holds that back.
    pub hold: Duration,
}

/// To whom pushes are given.
#[derive(Clone, Debug)]
pub enum ProviderOptions {
    /// To nobody: there are none.
    Off,
    /// To the log, without text.
    Log,
    /// To Firebase Cloud Messaging.
    Fcm(fcm::Options),
}

/// What goes to one device.
#[derive(Clone)]
pub struct Note {
    /// Where to.
    pub token: String,
    /// Which system that is.
    pub platform: Platform,
    /// Which chat it is about, or the newest of several: what is told of one chat takes each
    /// other's place.
    pub chat: ChatId,
    /// The newest message it tells of, or the last one that was read.
    pub seq: Seq,
    /// Messages unread in all chats.
    pub badge: u32,
    /// What it does.
    pub kind: NoteKind,
}

/// What a push does.
#[derive(Clone)]
pub enum NoteKind {
    /// It rings.
    Message {
        /// Which message.
        message: MessageId,
        /// The line on top.
        title: String,
        /// What stands below.
        body: String,
        /// With a sound.
        sound: bool,
    },
    /// It rings once for several chats.
    Digest {
        /// The line on top.
        title: String,
        /// What stands below.
        body: String,
        /// With a sound.
        sound: bool,
    },
    /// It takes what rang off the screen: it was read elsewhere.
    Read {
        /// Also what rang once for several chats.
        digest: bool,
    },
}

/// What came of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The push service has it.
    Taken,
    /// The token is good for nothing any more, by this word of the push service.
    Gone(String),
    /// Refused, whenever it is tried: a fault of ours or of the operator's.
    Refused(String),
    /// Not now; perhaps the push service said when.
    Later {
        /// In its words, or ours.
        why: String,
        /// When to come again.
        after: Option<Duration>,
    },
}

/// The way out.
#[derive(Clone)]
pub struct Push {
    provider: Arc<Provider>,
    after: Duration,
    hold: Duration,
}

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Push").field("after", &self.after).finish_non_exhaustive()
    }
}

enum Provider {
    Off,
    Log,
    Fcm(Box<fcm::Fcm>),
}

impl Push {
    /// As the operator wants it.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        let provider = match options.provider {
            ProviderOptions::Off => Provider::Off,
            ProviderOptions::Log => Provider::Log,
            ProviderOptions::Fcm(options) => {
                Provider::Fcm(Box::new(fcm::Fcm::new(options, clock)?))
            }
        };
        Ok(Self { provider: Arc::new(provider), after: options.after, hold: options.hold })
    }

    /// There are no pushes.
    pub fn off() -> Self {
        Self { provider: Arc::new(Provider::Off), after: Duration::MAX, hold: Duration::MAX }
    }

    /// Whether there are pushes at all.
    pub fn is_on(&self) -> bool {
        !matches!(*self.provider, Provider::Off)
    }

    /// How long after it was stored a message is pushed to who has a stream and is silent.
    pub fn after(&self) -> Duration {
        self.after
    }

    /// How long another device in the foreground holds that back.
    pub fn hold(&self) -> Duration {
        self.hold
    }

    /// Hands a push over; takes seconds at most.
    pub async fn send(&self, note: &Note) -> Sent {
        match &*self.provider {
            Provider::Off => Sent::Refused("pushes are off".to_owned()),
            Provider::Log => {
                let what = match note.kind {
                    NoteKind::Message { .. } => "message",
                    NoteKind::Digest { .. } => "digest",
                    NoteKind::Read { .. } => "read",
                };
                let (chat, seq, badge) = (note.chat, note.seq, note.badge);
                tracing::info!(target: "push", %chat, seq, badge, what, "would have gone");
                Sent::Taken
            }
            Provider::Fcm(fcm) => fcm.send(note).await,
        }
    }

    /// Waits until the push service asks this node for a pause, for longer than it knows of.
    pub async fn asked_to_pause(&self) {
        match &*self.provider {
            Provider::Off | Provider::Log => std::future::pending().await,
            Provider::Fcm(fcm) => fcm.asked_to_pause().await,
        }
    }

    /// What is left of the pause that the push service asked for.
    pub fn pause_left(&self) -> Duration {
        match &*self.provider {
            Provider::Off | Provider::Log => Duration::ZERO,
            Provider::Fcm(fcm) => fcm.pause_left(),
        }
    }

    /// Asks the push service nothing for so long, an hour at most: it has told another so.
    pub fn pause(&self, pause: Duration) {
        match &*self.provider {
            Provider::Off | Provider::Log => {}
            Provider::Fcm(fcm) => fcm.pause(pause),
        }
    }
}
