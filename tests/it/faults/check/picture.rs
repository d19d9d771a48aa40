//! What devices show against what the store has, and unread counts against their definition.

use std::collections::BTreeMap;

use adda::model::{Run, SeqSet};

use super::super::record::{At, Chat, Device, Entry, Kind as Which, Picture, Record, Tick};
use super::{Findings, Kind};

pub(super) fn check(record: &Record, found: &mut Findings) {
    for (id, chat) in &record.chats {
        for (user, sets) in &chat.members {
            let others = Others::of(chat, user);
            let want = others.unread(&sets.read, u32::MAX);
            if sets.unread != want {
                let what = format!("{user} in {id}: the server says {}, not {want}", sets.unread);
                found.add(Kind::UnreadWrong, what);
            }
            check_told(record, id, user, &others, found);
        }
        for device in &record.devices {
            if chat.members.contains_key(&device.user) {
                check_device(device, id, chat, found);
            }
        }
    }
}

/// Messages of others, to be counted by runs.
struct Others {
    /// How many there are up to each seq that are not deleted.
    up_to: Vec<u32>,
    /// The same, with those that were deleted at some time.
    ever: Vec<u32>,
}

impl Others {
    fn of(chat: &Chat, user: &str) -> Self {
        let last = chat.log.iter().map(|message| message.seq).max().unwrap_or(0);
        let (mut up_to, mut ever) = (vec![0; last as usize + 1], vec![0; last as usize + 1]);
        for message in &chat.log {
            let counts = !message.sender.is_empty() && message.sender != user;
            up_to[message.seq as usize] = u32::from(counts && !message.deleted);
            ever[message.seq as usize] = u32::from(counts);
        }
        for sum in [&mut up_to, &mut ever] {
            for at in 1..sum.len() {
                sum[at] += sum[at - 1];
            }
        }
        Self { up_to, ever }
    }

    /// The definition: what others sent up to `last`, less what was read or deleted.
    fn unread(&self, read: &SeqSet, last: u32) -> u32 {
        Self::count(&self.up_to, read, last)
    }

    /// The same before anything was deleted.
    fn unread_at_most(&self, read: &SeqSet, last: u32) -> u32 {
        Self::count(&self.ever, read, last)
    }

    fn count(up_to: &[u32], read: &SeqSet, last: u32) -> u32 {
        let top = u32::try_from(up_to.len() - 1).unwrap_or(u32::MAX);
        let count =
            |run: Run| up_to[run.last as usize] - up_to[run.first.saturating_sub(1) as usize];
        read.missing(1, last.min(top)).into_iter().map(count).sum::<u32>().min(1000)
    }
}

/// A count told on the way is between what was surely read and what was perhaps read.
fn check_told(record: &Record, chat: &str, user: &str, others: &Others, found: &mut Findings) {
    let mut marking: Vec<(At, &Vec<Run>)> = Vec::new();
    let mut marked: Vec<(At, &Vec<Run>)> = Vec::new();
    let mut told: Vec<(At, At, u32, u32)> = Vec::new();
    let of_user = record.devices.iter().filter(|device| device.user == user);
    for (at, entry) in of_user.flat_map(|device| &device.entries) {
        match entry {
            Entry::Marking { chat: of, kind: Which::Read, runs } if of == chat => {
                marking.push((*at, runs));
            }
            Entry::Marked { chat: of, kind: Which::Read, runs } if of == chat => {
                marked.push((*at, runs));
            }
            Entry::Unread { chat: of, asked, count, last_seq } if of == chat => {
                told.push((*at, *asked, *count, *last_seq));
            }
            _ => {}
        }
    }
    told.sort_unstable();
    let mut most = Growing::new(marked);
    let mut least = Growing::new(marking);
    let mut bounds: BTreeMap<usize, (u32, u32)> = BTreeMap::new();
    for (index, (at, _, _, top)) in told.iter().enumerate() {
        bounds.insert(index, (others.unread(least.before(*at), *top), 0));
    }
    let mut by_asked: Vec<usize> = (0..told.len()).collect();
    by_asked.sort_by_key(|index| told[*index].1);
    for index in by_asked {
        let (_, asked, _, top) = told[index];
        bounds.entry(index).or_default().1 = others.unread_at_most(most.before(asked), top);
    }
    for (index, (at, _, count, top)) in told.into_iter().enumerate() {
        let (least, most) = bounds[&index];
        if count < least || count > most {
            let what = format!(
                "{user} in {chat}, {at:.3?}: told {count} up to {top}, not {least} to {most}"
            );
            found.add(Kind::UnreadWrong, what);
        }
    }
}

/// A set as it was before some time; asked for ever later times.
struct Growing<'r> {
    set: SeqSet,
    to_come: std::iter::Peekable<std::vec::IntoIter<(At, &'r Vec<Run>)>>,
}

impl<'r> Growing<'r> {
    fn new(mut steps: Vec<(At, &'r Vec<Run>)>) -> Self {
        steps.sort_by_key(|(at, _)| *at);
        Self { set: SeqSet::default(), to_come: steps.into_iter().peekable() }
    }

    fn before(&mut self, at: At) -> &SeqSet {
        while let Some((_, runs)) = self.to_come.next_if(|(then, _)| *then < at) {
            self.set.extend(runs.iter().copied());
        }
        &self.set
    }
}

fn check_device(device: &Device, id: &str, chat: &Chat, found: &mut Findings) {
    let empty = Picture::default();
    let shown = device.picture.get(id).unwrap_or(&empty);
    let (name, user) = (&device.name, &device.user);
    let mut differs = |what: String| found.add(Kind::PictureDiffers, what);
    for message in &chat.log {
        match shown.messages.get(&message.seq) {
            Some(held) if held == message => {}
            held => differs(format!("{name} in {id}: {held:?}, the store: {message:?}")),
        }
    }
    let there: BTreeMap<u32, &str> =
        chat.log.iter().map(|message| (message.seq, message.sender.as_str())).collect();
    for seq in shown.messages.keys() {
        if !there.contains_key(seq) {
            differs(format!("{name} in {id}: {seq} is not in the store"));
        }
    }
    let sets = &chat.members[user];
    let others = |runs: Vec<Run>| -> Vec<u32> {
        let of_others = |seq: &u32| there.get(seq).is_some_and(|sender| *sender != user);
        runs.into_iter().flat_map(|run| run.first..=run.last).filter(of_others).collect()
    };
    let (lacks, invents) =
        (others(sets.read.minus(&shown.read)), others(shown.read.minus(&sets.read)));
    if !lacks.is_empty() || !invents.is_empty() {
        differs(format!("{name} in {id}: read without {lacks:?}, and {invents:?} not read"));
    }
    let ticks = ticks(chat, &device.user);
    for (seq, tick) in &ticks {
        let held = shown.ticks.get(seq);
        if held != Some(tick) {
            differs(format!("{name} in {id}: {seq} shows {held:?}, not {tick:?}"));
        }
    }
    let want = Others::of(chat, &device.user).unread(&sets.read, u32::MAX);
    // Counts stop there; what a device adds to them need not.
    if shown.unread.min(1000) != want {
        let what = format!("{name} in {id} shows {}, not {want}", shown.unread);
        found.add(Kind::UnreadWrong, what);
    }
}

/// How far each message of a user has come.
fn ticks(chat: &Chat, user: &str) -> BTreeMap<u32, Tick> {
    let others: Vec<_> =
        chat.members.iter().filter(|(other, _)| *other != user).map(|(_, sets)| sets).collect();
    let own = chat.log.iter().filter(|message| message.sender == user);
    own.map(|message| {
        let seq = message.seq;
        let tick = if others.iter().all(|sets| sets.read.contains(seq)) {
            Tick::Seen
        } else if others.iter().all(|sets| sets.delivered.contains(seq)) {
            Tick::Delivered
        } else {
            Tick::Sent
        };
        (seq, tick)
    })
    .collect()
}
