//! Receipts: sets that only grow, of what was given and of nothing else.

use std::collections::{BTreeMap, BTreeSet};

use adda::model::{Run, SeqSet};

use super::super::record::{At, Chat, Entry, Kind as Which, Record};
use super::{Findings, Kind};

pub(super) fn check(record: &Record, found: &mut Findings) {
    let users: BTreeSet<&str> = record.devices.iter().map(|d| d.user.as_str()).collect();
    for (id, chat) in &record.chats {
        for user in &users {
            let Some(sets) = chat.members.get(*user) else { continue };
            let lines = lines(record, user, id);
            let whose = format!("{user} in {id}");
            undelivered(&whose, &sets.delivered, &sets.read, found);
            check_growth(&whose, &lines, found);
            for (which, there) in [(Which::Delivered, &sets.delivered), (Which::Read, &sets.read)] {
                let marked = given(&lines, which, true);
                lacks(&format!("{which:?} of {whose}"), &marked, there, found);
                let mut may = given(&lines, which, false);
                may.extend(own(chat, user));
                let invented = there.minus(&may);
                if !invented.is_empty() {
                    found.add(Kind::ReceiptInvented, format!("{which:?} of {whose}: {invented:?}"));
                }
            }
        }
    }
    check_heard(record, found);
}

/// All that a user's devices wrote about a chat, in order.
fn lines<'r>(record: &'r Record, user: &str, chat: &str) -> Vec<(At, &'r Entry)> {
    let of_user = record.devices.iter().filter(|device| device.user == user);
    let mut lines: Vec<(At, &Entry)> = of_user
        .flat_map(|device| device.entries.iter())
        .filter(|(_, entry)| match entry {
            Entry::Marking { chat: of, .. }
            | Entry::Marked { chat: of, .. }
            | Entry::Sets { chat: of, .. } => of == chat,
            _ => false,
        })
        .map(|(at, entry)| (*at, entry))
        .collect();
    lines.sort_by_key(|(at, _)| *at);
    lines
}

/// What was given, or of that what was acknowledged. What is read is delivered.
fn given(lines: &[(At, &Entry)], which: Which, acknowledged: bool) -> SeqSet {
    let mut set = SeqSet::default();
    for (_, entry) in lines {
        let (kind, runs) = match entry {
            Entry::Marking { kind, runs, .. } if !acknowledged => (*kind, runs),
            Entry::Marked { kind, runs, .. } if acknowledged => (*kind, runs),
            _ => continue,
        };
        if kind >= which {
            set.extend(runs.iter().copied());
        }
    }
    set
}

fn own(chat: &Chat, user: &str) -> Vec<Run> {
    let own = chat.log.iter().filter(|message| message.sender == user);
    own.filter_map(|message| Run::new(message.seq, message.seq)).collect()
}

/// What an answer tells holds all that was known before it was asked for.
fn check_growth(whose: &str, lines: &[(At, &Entry)], found: &mut Findings) {
    let mut answers: Vec<(At, &SeqSet, &SeqSet)> = Vec::new();
    for (_, entry) in lines {
        if let Entry::Sets { asked, delivered, read, .. } = entry {
            undelivered(whose, delivered, read, found);
            answers.push((*asked, delivered, read));
        }
    }
    answers.sort_by_key(|(asked, ..)| *asked);
    let mut known = (SeqSet::default(), SeqSet::default());
    let mut lines = lines.iter().peekable();
    for (asked, delivered, read) in answers {
        while let Some((_, entry)) = lines.next_if(|(at, _)| *at < asked) {
            match entry {
                Entry::Marked { kind, runs, .. } => {
                    known.0.extend(runs.iter().copied());
                    if *kind == Which::Read {
                        known.1.extend(runs.iter().copied());
                    }
                }
                Entry::Sets { delivered, read, .. } => {
                    known.0.union(delivered);
                    known.1.union(read);
                }
                _ => {}
            }
        }
        for (which, known, told) in [("delivered", &known.0, delivered), ("read", &known.1, read)] {
            let gone = known.minus(told);
            if !gone.is_empty() {
                let what = format!("{which} of {whose}, asked {asked:.3?}: {gone:?}");
                found.add(Kind::ReceiptShrank, what);
            }
        }
    }
}

fn undelivered(whose: &str, delivered: &SeqSet, read: &SeqSet, found: &mut Findings) {
    let only_read = read.minus(delivered);
    if !only_read.is_empty() {
        found.add(Kind::ReadUndelivered, format!("{whose}: {only_read:?}"));
    }
}

fn lacks(what: &str, given: &SeqSet, there: &SeqSet, found: &mut Findings) {
    let lost = given.minus(there);
    if !lost.is_empty() {
        found.add(Kind::ReceiptLost, format!("{what}: {lost:?}"));
    }
}

/// What was told of others is in the store.
fn check_heard(record: &Record, found: &mut Findings) {
    let mut heard: BTreeMap<(&str, &str, Which), SeqSet> = BTreeMap::new();
    for (_, entry) in record.devices.iter().flat_map(|device| &device.entries) {
        if let Entry::Heard { chat, user, kind, runs } = entry {
            heard.entry((chat, user, *kind)).or_default().extend(runs.iter().copied());
        }
    }
    for ((chat, user, kind), set) in heard {
        let member = record.chats.get(chat).and_then(|chat| chat.members.get(user));
        let Some(member) = member else { continue };
        let there = if kind == Which::Read { &member.read } else { &member.delivered };
        lacks(&format!("told {kind:?} of {user} in {chat}"), &set, there, found);
    }
}
