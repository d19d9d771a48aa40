//! Whether a push may ring now, and if not, when: a pure decision, its time given from outside.

use crate::clock::Timestamp;
use crate::model::{ChatSettings, Level, Preferences, Preview};

/// What came of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may ring.
    Ring {
        /// With a sound.
        sound: bool,
        /// How much it says.
        preview: Preview,
    },
    /// Not before then, and then one for all that came.
    Hold {
        /// The first minute that is not quiet.
        until: Timestamp,
        /// Why.
        rule: Rule,
    },
    /// Not at all.
    Never {
        /// Why.
        rule: Rule,
    },
}

/// What kept a push from ringing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// One of the two has blocked the other.
    Blocked,
    /// The user wants no pushes.
    Off,
    /// The chat is muted.
    Muted,
    /// The user is told of mentions alone there, or of nothing.
    Level,
    /// It is a quiet time.
    QuietHours,
}

impl Rule {
    /// As developers are told it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Off => "off",
            Self::Muted => "muted",
            Self::Level => "level",
            Self::QuietHours => "quiet_hours",
        }
    }
}

/// What there is to know of a message and of whom it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Facts {
    /// It mentions the user.
    pub mentions_me: bool,
    /// It answers a message of the user's.
    pub answers_me: bool,
    /// Its sender has blocked the user, or the user its sender.
    pub blocked: bool,
    /// The chat is muted now.
    pub muted: bool,
    /// Of which messages of the chat the user is told now.
    pub level: Level,
}

impl Facts {
    /// With what a member has set for the chat.
    #[must_use]
    pub fn in_chat(self, settings: &ChatSettings, now: Timestamp) -> Self {
        Self { muted: settings.muted_until.is_some_and(|until| until > now), ..self }
    }
}

/// Whether a push of this message may ring now.
pub fn decide(preferences: &Preferences, facts: Facts, _now: Timestamp) -> Verdict {
    let speaks_to_me = facts.mentions_me || facts.answers_me;
    let rule = match facts.level {
        _ if facts.blocked => Rule::Blocked,
        _ if facts.muted => Rule::Muted,
        Level::None => Rule::Level,
        Level::Mentions if !speaks_to_me => Rule::Level,
        _ if preferences.off => Rule::Off,
        Level::Mentions | Level::All => {
            return Verdict::Ring { sound: !preferences.silent, preview: preferences.preview };
        }
    };
    Verdict::Never { rule }
}
