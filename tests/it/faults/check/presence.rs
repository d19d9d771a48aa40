//! Who was shown online against who was there.
//!
//! Time is looked at in steps. At each, a user is surely gone, surely there, or neither, by what
//! their devices wrote and what was done to links and nodes; and a watcher knows, or cannot be
//! blamed for not knowing.

use std::time::Duration;

use super::super::record::{At, Device, Entry, Harm, Record, Way};
use super::{Findings, Kind};

const STEP: Duration = Duration::from_millis(200);

/// One stream of a device, as far as presence goes.
struct Life<'d> {
    user: &'d str,
    way: Way,
    opening: At,
    ready: Option<At>,
    caught_up: Option<At>,
    ended: Option<At>,
    /// From when on it carries nothing, though nobody was told.
    silent: Option<At>,
    /// When its node went, or began to hang, under it.
    node_gone: Option<At>,
    /// Whom it was shown, when, and how.
    shown: Vec<(At, &'d str, bool)>,
}

pub(super) fn check(record: &Record, found: &mut Findings) {
    let devices: Vec<Vec<Life<'_>>> =
        record.devices.iter().map(|device| lives(device, &record.harm)).collect();
    let mut users: Vec<&str> = record.devices.iter().map(|d| d.user.as_str()).collect();
    users.sort_unstable();
    users.dedup();
    for (device, own) in record.devices.iter().zip(&devices) {
        for user in users.iter().filter(|user| **user != device.user) {
            let of_user = devices.iter().flatten().filter(|life| life.user == *user);
            let of_user: Vec<&Life<'_>> =
                of_user.filter(|life| life.may_have_come(&record.harm)).collect();
            check_pair(record, device, own, user, &of_user, found);
        }
    }
}

fn lives<'d>(device: &'d Device, harm: &[(At, Harm)]) -> Vec<Life<'d>> {
    // Streams of a device follow one another: what is written is of the last.
    let mut lives: Vec<Life<'d>> = Vec::new();
    for (at, entry) in &device.entries {
        let last = lives.last_mut();
        match (entry, last) {
            (Entry::Opening { way, .. }, _) => {
                lives.push(Life {
                    user: &device.user,
                    way: *way,
                    opening: *at,
                    ready: None,
                    caught_up: None,
                    ended: None,
                    silent: None,
                    node_gone: None,
                    shown: Vec::new(),
                });
            }
            (Entry::Ready { .. }, Some(life)) => life.ready = Some(*at),
            (Entry::CaughtUp { .. }, Some(life)) => life.caught_up = Some(*at),
            (Entry::Ended { .. }, Some(life)) => life.ended = Some(*at),
            (Entry::Shown { user, online }, Some(life)) => life.shown.push((*at, user, *online)),
            _ => {}
        }
    }
    lives.into_iter().map(|life| life.harmed(harm)).collect()
}

impl Life<'_> {
    fn harmed(mut self, harm: &[(At, Harm)]) -> Self {
        // A stream whose node died may hear of it a moment before it is written down.
        let near = Duration::from_millis(500);
        let ended = self.ended.map_or(At::MAX, |ended| ended + near);
        for (at, harm) in harm.iter().filter(|(at, _)| *at < ended && *at + near >= self.opening) {
            match harm {
                Harm::Silent(way) if *way == self.way => {
                    self.silent.get_or_insert(*at);
                }
                Harm::NodeGone { node } | Harm::NodeHangs { node } if *node == self.way.node => {
                    self.node_gone.get_or_insert(*at);
                }
                _ => {}
            }
        }
        self
    }

    /// Whether it may have come to a node: not if it was begun while there was none, or no way.
    fn may_have_come(&self, harm: &[(At, Harm)]) -> bool {
        let (mut gone, mut silent) = (false, false);
        for (_, harm) in harm.iter().take_while(|(at, _)| *at < self.opening) {
            match harm {
                Harm::NodeGone { node } if *node == self.way.node => gone = true,
                Harm::NodeBack { node } if *node == self.way.node => gone = false,
                Harm::Silent(way) if *way == self.way => silent = true,
                Harm::Healed { .. } => silent = false,
                _ => {}
            }
        }
        self.ready.is_some() || !(gone || silent)
    }

    /// From when on it surely carries nothing.
    fn dead(&self) -> At {
        let ends = [self.ended, self.silent, self.node_gone];
        ends.into_iter().flatten().min().unwrap_or(At::MAX)
    }

    /// From when on nobody may hold the user online for it.
    fn forgotten(&self, record: &Record) -> At {
        let limits = &record.limits;
        let mut by = self.ended.map_or(At::MAX, |ended| ended + limits.moved);
        if let Some(silent) = self.silent {
            // The server's own patience counts, not the client's.
            by = by.max(silent + limits.silent_link);
        }
        if let Some(gone) = self.node_gone {
            by = by.max(gone + limits.node_died);
        }
        by
    }
}

/// Which it is at a time: `None`: neither for sure.
fn is_there(record: &Record, of_user: &[&Life<'_>], at: At) -> Option<bool> {
    let opened = || of_user.iter().filter(|life| life.opening <= at);
    let sure = |life: &&&Life<'_>| {
        life.ready.is_some_and(|ready| ready + record.limits.moved <= at) && at < life.dead()
    };
    if opened().any(|life| sure(&life)) {
        return Some(true);
    }
    opened().all(|life| life.forgotten(record) <= at).then_some(false)
}

/// What a stream shows of a user at a time; `None`: it cannot be blamed.
fn shows(record: &Record, own: &[Life<'_>], user: &str, at: At) -> Option<bool> {
    let life = own.iter().rev().find(|life| life.opening <= at)?;
    let settled = life.caught_up.is_some_and(|up| up + record.limits.moved <= at);
    if !settled || at >= life.dead() {
        return None;
    }
    let shown = life.shown.iter().rev().find(|(then, who, _)| *then <= at && *who == user);
    Some(shown.is_some_and(|(.., online)| *online))
}

/// Whether nodes could tell each other everything for long enough.
fn is_calm(record: &Record, at: At) -> bool {
    let mut calm = true;
    for (then, harm) in record.harm.iter().take_while(|(then, _)| *then <= at) {
        match harm {
            Harm::Disturbed => calm = false,
            Harm::Healed { .. } if !calm => calm = at >= *then + record.limits.healed,
            _ => {}
        }
    }
    calm
}

fn check_pair(
    record: &Record,
    device: &Device,
    own: &[Life<'_>],
    user: &str,
    of_user: &[&Life<'_>],
    found: &mut Findings,
) {
    let mut at = At::ZERO;
    let mut wrong = false;
    while at < record.ended {
        let is = is_there(record, of_user, at);
        let shown = shows(record, own, user, at);
        let now = matches!((is, shown), (Some(is), Some(shown)) if is != shown);
        if now && !wrong && is_calm(record, at) {
            let kind = if is == Some(true) { Kind::NotOnline } else { Kind::StillOnline };
            found.add(kind, format!("{user} to {} at {at:.3?}", device.name));
        }
        wrong = now && (wrong || is_calm(record, at));
        at += STEP;
    }
}
