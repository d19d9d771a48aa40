//! Whether a push may ring now, and if not, when: a pure decision, its time given from outside.
//!
//! A block, a mute, the level of the chat and a user who wants none stop a push for good: it does
//! not come later. Quiet hours hold it back to their end, which is the end of the whole quiet
//! stretch, however many windows follow each other in it; mentions pierce them if the user wishes.
//!
//! A minute is quiet if the clock on the wall shows it inside a window. So where clocks are set
//! back an hour may be quiet twice, and where they are set forward what is left out is not missed.

use jiff::tz::TimeZone;

use crate::clock::Timestamp;
use crate::model::{ChatSettings, Level, Preferences, Preview, QuietHours};

/// Quiet hours of one user: more than anyone can keep in mind.
pub const MAX_QUIET_HOURS: usize = 32;

const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;
/// Changes of clocks that are looked through for the end of quiet hours: years of them.
const CHANGES: usize = 64;

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
        let muted = settings.muted_until.is_some_and(|until| until > now);
        Self { muted, level: settings.level_at(now), ..self }
    }

    /// Whether the chat lets the message through, whatever the user prefers elsewhere.
    pub fn pass(self) -> Result<(), Rule> {
        let speaks_to_me = self.mentions_me || self.answers_me;
        match self.level {
            _ if self.blocked => Err(Rule::Blocked),
            _ if self.muted => Err(Rule::Muted),
            Level::None => Err(Rule::Level),
            Level::Mentions if !speaks_to_me => Err(Rule::Level),
            Level::Mentions | Level::All => Ok(()),
        }
    }
}

/// Whether a push of this message may ring now.
pub fn decide(preferences: &Preferences, facts: Facts, now: Timestamp) -> Verdict {
    if let Err(rule) = facts.pass() {
        return Verdict::Never { rule };
    }
    if preferences.off {
        return Verdict::Never { rule: Rule::Off };
    }
    let ring = Verdict::Ring { sound: !preferences.silent, preview: preferences.preview };
    if facts.mentions_me && preferences.mentions_pierce {
        return ring;
    }
    let rule = Rule::QuietHours;
    match quiet(preferences, now) {
        Quiet::No => ring,
        Quiet::Until(until) => Verdict::Hold { until, rule },
        Quiet::Always => Verdict::Never { rule },
    }
}

/// Whether this names a time zone.
pub fn is_time_zone(name: &str) -> bool {
    name.is_empty() || TimeZone::get(name).is_ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quiet {
    No,
    Until(Timestamp),
    /// All week.
    Always,
}

/// Whether it is a quiet time, and how long this stretch of it lasts.
fn quiet(preferences: &Preferences, now: Timestamp) -> Quiet {
    let windows = windows(&preferences.quiet_hours);
    let Ok(mut at) = jiff::Timestamp::from_second(now.0.div_euclid(1000)) else {
        return Quiet::No;
    };
    if windows.is_empty() {
        return Quiet::No;
    }
    // A zone that was good when it was set, and that this machine does not know, is UTC.
    let zone = TimeZone::get(&preferences.time_zone).unwrap_or(TimeZone::UTC);
    let mut changes = zone.following(at);
    for turn in 0..CHANGES {
        let wall = at.as_second() + i64::from(zone.to_offset(at).seconds());
        let Some(free) = free_after(&windows, minute_of_week(wall)) else { return Quiet::Always };
        if free == 0 {
            return if turn == 0 { Quiet::No } else { until(at.as_second()) };
        }
        let end = at.as_second() - wall.rem_euclid(60) + i64::from(free) * 60;
        match changes.next().map(|change| change.timestamp()) {
            // Clocks are set while it is quiet: it may be another time then.
            Some(change) if change.as_second() <= end => at = change,
            _ => return until(end),
        }
    }
    Quiet::Always
}

fn until(second: i64) -> Quiet {
    Quiet::Until(Timestamp(second.saturating_mul(1000)))
}

/// Minutes since Monday at midnight, of seconds since 1970 by the clock on the wall.
fn minute_of_week(wall: i64) -> u32 {
    // The first of January 1970 was a Thursday.
    let minutes = wall.div_euclid(60) + i64::from(3 * DAY);
    u32::try_from(minutes.rem_euclid(i64::from(WEEK))).unwrap_or(0)
}

/// Quiet times of a week: the minute at which each begins, and how many minutes it lasts.
fn windows(hours: &[QuietHours]) -> Vec<(u32, u32)> {
    let mut windows = Vec::new();
    for of in hours {
        let (start, end) = (u32::from(of.start), u32::from(of.end));
        let lasts = if end > start { end - start } else { end + DAY - start };
        let all = [1, 2, 3, 4, 5, 6, 7];
        let days = if of.weekdays.is_empty() { &all[..] } else { &of.weekdays };
        windows.extend(days.iter().map(|day| ((u32::from(*day) + 6) % 7 * DAY + start, lasts)));
    }
    windows
}

/// How many minutes after this one is the first that lies in no window; `None`: all week does.
fn free_after(windows: &[(u32, u32)], minute: u32) -> Option<u32> {
    let mut after = 0;
    while after < WEEK {
        let at = (minute + after) % WEEK;
        let left = |(start, lasts): &(u32, u32)| lasts.saturating_sub((at + WEEK - start) % WEEK);
        match windows.iter().map(left).max().unwrap_or(0) {
            0 => return Some(after),
            left => after += left,
        }
    }
    None
}

#[cfg(test)]
mod tests;
