//! What streams brought: each message once and in its turn, the same for all, and an answer to
//! each command.

use std::collections::{BTreeMap, HashMap};

use super::super::record::{At, Device, Entry, Message, Record, Stream};
use super::{Findings, Kind};

pub(super) fn check(record: &Record, found: &mut Findings) {
    for device in &record.devices {
        check_order(device, found);
        check_commands(device, record, found);
    }
    check_seen(record, found);
}

fn check_order(device: &Device, found: &mut Findings) {
    let mut last: HashMap<(Stream, &str), u32> = HashMap::new();
    for (at, entry) in &device.entries {
        match entry {
            Entry::Saw { stream: Some(stream), chat, message } => {
                let before = last.insert((*stream, chat), message.seq).unwrap_or(0);
                if message.seq <= before {
                    let (name, seq) = (&device.name, message.seq);
                    let what = format!("{name}, stream {stream}: {seq} after {before}, {at:.3?}");
                    found.add(Kind::StreamOrder, what);
                }
            }
            Entry::Wrong(what) => {
                found.add(Kind::Contract, format!("{}, {at:.3?}: {what}", device.name));
            }
            _ => {}
        }
    }
}

/// Each command is answered in time, or its stream ends.
fn check_commands(device: &Device, record: &Record, found: &mut Findings) {
    let limit = record.limits.answer;
    let mut open: HashMap<(Stream, &str), At> = HashMap::new();
    let mut late = |ack_id: &str, given: At, stream: Stream| {
        let what = format!("{}, stream {stream}: {ack_id} of {given:.3?}", device.name);
        found.add(Kind::Unanswered, what);
    };
    for (at, entry) in &device.entries {
        match entry {
            Entry::Given { stream, ack_id, .. } if !ack_id.is_empty() => {
                open.insert((*stream, ack_id), *at);
            }
            Entry::Answered { stream, ack_id } => {
                let given = open.remove(&(*stream, ack_id.as_str()));
                if let Some(given) = given.filter(|given| *given + limit < *at) {
                    late(ack_id, given, *stream);
                }
            }
            Entry::Ended { stream, .. } => {
                open.retain(|(of, ack_id), given| {
                    if of == stream && *given + limit < *at {
                        late(ack_id, *given, *stream);
                    }
                    of != stream
                });
            }
            _ => {}
        }
    }
    for ((stream, ack_id), given) in open {
        if given + limit < record.ended {
            late(ack_id, given, stream);
        }
    }
}

/// A place in a chat holds one message, which changes by edits and deletions alone.
fn check_seen(record: &Record, found: &mut Findings) {
    for (chat, held) in &record.chats {
        let log: BTreeMap<u32, &Message> = held.log.iter().map(|m| (m.seq, m)).collect();
        for device in &record.devices {
            let mut known: BTreeMap<u32, &Message> = BTreeMap::new();
            for (at, entry) in &device.entries {
                let Entry::Saw { chat: of, message, .. } = entry else { continue };
                if of != chat {
                    continue;
                }
                let before = known.insert(message.seq, message);
                let which = format!("{} of {chat}, {}, {at:.3?}", message.seq, device.name);
                if let Some(before) = before {
                    compare(&which, before, message, found);
                }
                match log.get(&message.seq) {
                    None => found.add(Kind::Lost, format!("told and not there: {which}")),
                    Some(there) => compare(&which, message, there, found),
                }
            }
        }
    }
}

fn compare(which: &str, seen: &Message, then: &Message, found: &mut Findings) {
    if seen.id != then.id {
        found.add(Kind::Moved, format!("{which}: {seen:?}, then {then:?}"));
    } else if seen.revision == then.revision && seen != then {
        found.add(Kind::Changed, format!("{which}: {seen:?}, then {then:?}"));
    }
}
