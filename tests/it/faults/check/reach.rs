//! After healing: all that was acknowledged before is everywhere soon, and all that was written
//! is acknowledged.

use std::collections::{BTreeMap, HashMap};

use super::super::record::{At, Device, Entry, Harm, Record};
use super::{Findings, Kind};

/// When a device first had a message, by chat and seq.
type Seen<'r> = HashMap<(&'r str, u32), At>;

/// A time at which all was healed.
struct Healing {
    at: At,
    half_open: bool,
    /// When the next harm was done.
    next: At,
}

pub(super) fn check(record: &Record, found: &mut Findings) {
    let stored = stored(record);
    for device in &record.devices {
        let seen = seen(device);
        for healing in healings(record) {
            let Some(by) = deadline(record, device, &healing) else { continue };
            // Had it not been there by the next harm, nothing could be said.
            if by > healing.next {
                continue;
            }
            check_seen(record, device, (&healing, by), (&stored, &seen), found);
        }
    }
    check_answered(record, found);
}

fn healings(record: &Record) -> Vec<Healing> {
    let mut healings: Vec<Healing> = Vec::new();
    let mut open = false;
    for (at, harm) in &record.harm {
        match harm {
            Harm::Healed { half_open } => {
                let next = record.ended;
                healings.push(Healing { at: *at, half_open: *half_open, next });
                open = true;
            }
            _ if open => {
                open = false;
                if let Some(last) = healings.last_mut() {
                    last.next = *at;
                }
            }
            _ => {}
        }
    }
    healings
}

/// By when a device must have everything; `None`: it was not there.
pub(crate) fn deadline_of(
    limits: (std::time::Duration, std::time::Duration),
    device: &[(At, Entry)],
    healed: At,
    half_open: bool,
) -> Option<At> {
    let mut open = false;
    for (at, entry) in device {
        match entry {
            Entry::Opening { .. } if *at > healed => {
                // A stream that was there lost its way; or it waited out its pause.
                return if open { break } else { Some(*at + limits.0) };
            }
            Entry::Opening { .. } => open = true,
            Entry::Ended { .. } if *at <= healed => open = false,
            _ => {}
        }
    }
    open.then(|| healed + if half_open { limits.1 } else { limits.0 })
}

fn deadline(record: &Record, device: &Device, healing: &Healing) -> Option<At> {
    let limits = (record.limits.healed, record.limits.half_open);
    deadline_of(limits, &device.entries, healing.at, healing.half_open)
}

/// What was acknowledged: (chat, seq), and when, by when.
fn stored(record: &Record) -> Vec<(At, &str, u32)> {
    let mut first: HashMap<(&str, u32), At> = HashMap::new();
    for (at, entry) in record.devices.iter().flat_map(|device| &device.entries) {
        if let Entry::Stored { chat, seq, .. } = entry {
            let known = first.entry((chat, *seq)).or_insert(*at);
            *known = (*known).min(*at);
        }
    }
    let mut stored: Vec<_> = first.into_iter().map(|((chat, seq), at)| (at, chat, seq)).collect();
    stored.sort_unstable();
    stored
}

fn seen(device: &Device) -> Seen<'_> {
    let mut seen = HashMap::new();
    for (at, entry) in &device.entries {
        if let Entry::Saw { chat, message, .. } = entry {
            seen.entry((chat.as_str(), message.seq)).or_insert(*at);
        }
    }
    seen
}

fn check_seen(
    record: &Record,
    device: &Device,
    (healing, by): (&Healing, At),
    (stored, seen): (&[(At, &str, u32)], &Seen<'_>),
    found: &mut Findings,
) {
    let mut late: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (at, chat, seq) in stored {
        let member = record.chats.get(*chat).is_some_and(|c| c.members.contains_key(&device.user));
        if *at > healing.at || !member {
            continue;
        }
        if seen.get(&(*chat, *seq)).is_none_or(|at| *at > by) {
            late.entry(chat).or_default().push(*seq);
        }
    }
    for (chat, seqs) in late {
        let (name, at) = (&device.name, healing.at);
        let what = format!("{name} lacks {seqs:?} of {chat} at {by:.3?}, healed {at:.3?}");
        found.add(Kind::NotReached, what);
    }
}

/// What was written before the last healing has its answer at the end.
fn check_answered(record: &Record, found: &mut Findings) {
    let Some(last) = healings(record).pop() else { return };
    for device in &record.devices {
        if deadline(record, device, &last).is_none_or(|by| by > record.ended) {
            continue;
        }
        let mut open: BTreeMap<&str, At> = BTreeMap::new();
        for (at, entry) in &device.entries {
            match entry {
                Entry::Wrote { id, .. } if *at <= last.at => {
                    open.insert(id, *at);
                }
                Entry::Stored { id, .. } | Entry::Refused { id, .. } => {
                    open.remove(id.as_str());
                }
                _ => {}
            }
        }
        for (id, at) in open {
            found.add(Kind::NotReached, format!("{}: {id} of {at:.3?} waits", device.name));
        }
    }
}
