//! The log against what was sent and what was acknowledged.

use std::collections::{BTreeMap, HashMap};

use super::super::record::{At, Chat, Entry, Message, Record};
use super::{Findings, Kind};

/// What was sent, by chat and client id.
type Sent<'r> = HashMap<(&'r str, &'r str), Send<'r>>;

#[derive(Default)]
struct Send<'r> {
    sender: &'r str,
    text: &'r str,
    /// When it first went up.
    given: Option<At>,
    /// When its first answer came, and what it said.
    stored: Option<(At, u32, &'r str)>,
    /// What else it may say.
    edits: Vec<&'r str>,
}

pub(super) fn check(record: &Record, found: &mut Findings) {
    let sent = sent(record, found);
    for (id, chat) in &record.chats {
        check_seqs(id, chat, found);
        check_sources(id, chat, &sent, found);
        check_order(id, &sent, found);
    }
    let mut places: HashMap<(&str, &str), Vec<&Message>> = HashMap::new();
    for (chat, held) in &record.chats {
        for message in &held.log {
            places.entry((chat, &message.client_id)).or_default().push(message);
        }
    }
    for ((chat, id), send) in &sent {
        let Some((at, seq, message_id)) = send.stored else { continue };
        match places.get(&(*chat, *id)) {
            None => found.add(Kind::Lost, format!("{id}, acknowledged at {at:.3?} as {seq}")),
            Some(there) if there.iter().any(|m| (m.seq, m.id.as_str()) == (seq, message_id)) => {}
            Some(there) => found.add(
                Kind::Moved,
                format!("{id} was acknowledged as {seq}, {message_id}; the store has {there:?}"),
            ),
        }
    }
}

fn sent<'r>(record: &'r Record, found: &mut Findings) -> Sent<'r> {
    let mut sent: Sent<'r> = HashMap::new();
    for device in &record.devices {
        for (at, entry) in &device.entries {
            match entry {
                Entry::Wrote { chat, id, text } => {
                    let row = sent.entry((chat, id)).or_default();
                    (row.sender, row.text) = (&device.user, text);
                }
                Entry::Editing { chat, id, text } => {
                    sent.entry((chat, id)).or_default().edits.push(text);
                }
                Entry::Given { send: Some((chat, id)), .. } => {
                    sent.entry((chat, id)).or_default().given.get_or_insert(*at);
                }
                Entry::Stored { chat, id, seq, message_id } => {
                    let row = sent.entry((chat, id)).or_default();
                    let (_, first, first_id) = *row.stored.get_or_insert((*at, *seq, message_id));
                    if (first, first_id) != (*seq, message_id) {
                        let what = format!("{id} is {first}, {first_id} and {seq}, {message_id}");
                        found.add(Kind::Duplicate, what);
                    }
                }
                Entry::Refused { id, why, .. } => {
                    found.add(Kind::Refused, format!("{id}, at {at:.3?}: {why}"));
                }
                _ => {}
            }
        }
    }
    sent
}

/// 1, 2, 3, …, each once.
fn check_seqs(id: &str, chat: &Chat, found: &mut Findings) {
    let mut seqs: Vec<u32> = chat.log.iter().map(|message| message.seq).collect();
    seqs.sort_unstable();
    let mut expected = 1;
    for seq in seqs {
        if seq < expected {
            found.add(Kind::SeqTwice, format!("{seq} of {id}"));
            continue;
        }
        if seq > expected {
            found.add(Kind::Hole, format!("{expected} to {} of {id}", seq - 1));
        }
        expected = seq + 1;
    }
}

/// Everything in the log was sent by who it says, as it says, and is there once.
fn check_sources(id: &str, chat: &Chat, sent: &Sent<'_>, found: &mut Findings) {
    let mut first: BTreeMap<&str, u32> = BTreeMap::new();
    for message in chat.log.iter().filter(|message| !message.sender.is_empty()) {
        if let Some(before) = first.insert(&message.client_id, message.seq) {
            let what = format!("{} is {before} and {} of {id}", message.client_id, message.seq);
            found.add(Kind::Duplicate, what);
        }
        let source = sent.get(&(id, message.client_id.as_str()));
        let as_sent = source.is_some_and(|send| {
            send.sender == message.sender
                && (message.deleted
                    || send.text == message.text
                    || (message.revision > 0 && send.edits.contains(&message.text.as_str())))
        });
        if !as_sent {
            found.add(Kind::NeverSent, format!("{message:?} of {id}"));
        }
    }
}

/// Who began after another was acknowledged has the higher seq.
fn check_order(chat: &str, sent: &Sent<'_>, found: &mut Findings) {
    let of_chat = sent.iter().filter(|((of, _), _)| *of == chat);
    let mut begun = Vec::new();
    let mut acked = Vec::new();
    for ((_, id), send) in of_chat {
        let Some((at, seq, _)) = send.stored else { continue };
        acked.push((at, seq, *id));
        if let Some(given) = send.given {
            begun.push((given, seq, *id));
        }
    }
    begun.sort_unstable();
    acked.sort_unstable();
    let mut acked = acked.into_iter().peekable();
    let mut highest = (0, "");
    for (given, seq, id) in begun {
        while let Some((_, seq, id)) = acked.next_if(|(at, ..)| *at < given) {
            highest = highest.max((seq, id));
        }
        if seq < highest.0 {
            let (before, other) = highest;
            let what = format!("{id} is {seq}, begun at {given:.3?} after {other} was {before}");
            found.add(Kind::OutOfOrder, what);
        }
    }
}
