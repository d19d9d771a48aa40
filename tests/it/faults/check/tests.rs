//! The checker by hand-written histories: a sound one, in which nothing is found, and for each
//! promise one that breaks it and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use adda::model::{Run, SeqSet};

use super::super::record::{
    At, Chat, Device, Entry, Harm, Kind as Which, Limits, Message, Picture, Record, Sets, Tick, Way,
};
use super::{Kind, check};

mod sets;
mod time;

const WAY: Way = Way { net: 0, node: 0 };

fn s(seconds: u64) -> At {
    Duration::from_secs(seconds)
}

fn run(first: u32, last: u32) -> Vec<Run> {
    vec![Run { first, last }]
}

fn message(seq: u32, sender: &str, id: &str) -> Message {
    Message {
        seq,
        id: format!("server-{id}"),
        sender: sender.to_owned(),
        client_id: id.to_owned(),
        text: format!("text of {id}"),
        revision: 0,
        deleted: false,
        reactions: BTreeMap::new(),
    }
}

fn wrote(id: &str) -> Entry {
    Entry::Wrote { chat: "c".into(), id: id.into(), text: format!("text of {id}") }
}

fn given(ack_id: &str, send: bool) -> Entry {
    let send = send.then(|| ("c".to_owned(), ack_id.to_owned()));
    Entry::Given { stream: 1, ack_id: ack_id.into(), send }
}

fn answered(ack_id: &str) -> Entry {
    Entry::Answered { stream: 1, ack_id: ack_id.into() }
}

fn stored(id: &str, seq: u32) -> Entry {
    let message_id = format!("server-{id}");
    Entry::Stored { chat: "c".into(), id: id.into(), seq, message_id }
}

fn saw(message: &Message) -> Entry {
    Entry::Saw { stream: Some(1), chat: "c".into(), message: message.clone() }
}

fn shown(user: &str, online: bool) -> Entry {
    Entry::Shown { user: user.into(), online }
}

fn opened() -> [(At, Entry); 3] {
    [
        (s(0), Entry::Opening { stream: 1, way: WAY }),
        (s(0), Entry::Ready { stream: 1, way: WAY }),
        (s(0), Entry::CaughtUp { stream: 1 }),
    ]
}

fn ended(stream: usize) -> Entry {
    Entry::Ended { stream, why: "cut".into() }
}

/// ann sends, bob reads and answers; both are there for 100 s.
fn sound() -> Record {
    let (first, second) = (message(1, "ann", "a1"), message(2, "bob", "b1"));
    let chat = || "c".to_owned();
    let mut ann = opened().to_vec();
    ann.extend([
        (s(1), shown("bob", true)),
        (s(2), wrote("a1")),
        (s(2), given("a1", true)),
        (s(3), answered("a1")),
        (s(3), stored("a1", 1)),
        (s(3), saw(&first)),
        (
            s(5),
            Entry::Heard { chat: chat(), user: "bob".into(), kind: Which::Read, runs: run(1, 1) },
        ),
        (s(8), saw(&second)),
    ]);
    let mut bob = opened().to_vec();
    bob.extend([
        (s(1), shown("ann", true)),
        (s(3), saw(&first)),
        (s(4), Entry::Marking { chat: chat(), kind: Which::Read, runs: run(1, 1) }),
        (s(4), given("c1", false)),
        (s(5), answered("c1")),
        (s(5), Entry::Marked { chat: chat(), kind: Which::Read, runs: run(1, 1) }),
        (s(5), Entry::Unread { chat: chat(), asked: s(4), count: 0, last_seq: 1 }),
        (s(6), wrote("b1")),
        (s(6), given("b1", true)),
        (s(7), answered("b1")),
        (s(7), stored("b1", 2)),
        (s(8), saw(&second)),
        (s(9), Entry::Sets { chat: chat(), asked: s(8), delivered: set(1), read: set(1) }),
    ]);
    let messages: BTreeMap<u32, Message> = [(1, first.clone()), (2, second.clone())].into();
    let of_ann = Picture {
        messages: messages.clone(),
        unread: 1,
        ticks: [(1, Tick::Seen)].into(),
        read: SeqSet::default(),
    };
    let of_bob = Picture { messages, unread: 0, ticks: [(2, Tick::Sent)].into(), read: set(1) };
    let members = [
        ("ann".to_owned(), Sets { unread: 1, ..Sets::default() }),
        ("bob".to_owned(), Sets { delivered: set(1), read: set(1), unread: 0 }),
    ];
    let chats = [("c".to_owned(), Chat { log: vec![first, second], members: members.into() })];
    Record {
        limits: Limits {
            healed: s(30),
            half_open: s(40),
            answer: s(20),
            node_died: s(15),
            silent_link: s(16),
            moved: s(10),
        },
        devices: vec![device("ann", ann, of_ann), device("bob", bob, of_bob)],
        harm: vec![(s(0), Harm::Healed { half_open: false })],
        chats: chats.into(),
        ended: s(100),
    }
}

fn set(to: u32) -> SeqSet {
    SeqSet::up_to(to)
}

fn device(user: &str, entries: Vec<(At, Entry)>, picture: Picture) -> Device {
    let picture = [("c".to_owned(), picture)].into();
    Device { name: format!("{user}/phone"), user: user.into(), entries, picture }
}

impl Record {
    fn ann(&mut self) -> &mut Device {
        &mut self.devices[0]
    }

    fn bob(&mut self) -> &mut Device {
        &mut self.devices[1]
    }

    fn chat(&mut self) -> &mut Chat {
        self.chats.get_mut("c").unwrap()
    }

    /// Another message in the store, on both phones, and sent by ann.
    fn with_third(mut self) -> Self {
        let third = message(3, "ann", "a2");
        self.chat().log.push(third.clone());
        for device in &mut self.devices {
            device.entries.push((s(12), saw(&third)));
            let picture = device.picture.get_mut("c").unwrap();
            picture.messages.insert(3, third.clone());
        }
        self.ann().picture.get_mut("c").unwrap().ticks.insert(3, Tick::Sent);
        self.bob().picture.get_mut("c").unwrap().unread = 1;
        self.chat().members.get_mut("bob").unwrap().unread = 1;
        self
    }
}

impl Device {
    /// Another line, in its place.
    fn then(&mut self, at: u64, entry: Entry) {
        self.entries.push((s(at), entry));
        self.entries.sort_by_key(|(at, _)| *at);
    }

    fn without(&mut self, is: impl Fn(&Entry) -> bool) {
        self.entries.retain(|(_, entry)| !is(entry));
    }
}

/// Exactly these kinds are found, each at least once.
#[track_caller]
fn finds(record: &Record, kinds: &[Kind]) {
    let violations = check(record);
    let mut found: Vec<Kind> = violations.iter().map(|violation| violation.kind).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, kinds, "{violations:#?}");
}

#[test]
fn a_sound_history_is_sound() {
    finds(&sound(), &[]);
}

#[test]
fn an_acknowledged_message_that_is_not_there_is_lost() {
    let mut record = sound();
    record.ann().then(10, wrote("a2"));
    record.ann().then(10, given("a2", true));
    record.ann().then(11, answered("a2"));
    record.ann().then(11, stored("a2", 3));
    finds(&record, &[Kind::Lost]);
}

#[test]
fn a_message_that_was_told_and_is_not_there_is_lost() {
    let mut record = sound();
    record.bob().then(10, saw(&message(3, "ann", "a2")));
    finds(&record, &[Kind::Lost]);
}

#[test]
fn what_nobody_sent_is_found() {
    finds(&sound().with_third(), &[Kind::NeverSent]);
    let mut record = sound().with_third();
    // Another says that it sent it.
    record.bob().then(10, wrote("a2"));
    record.bob().then(11, stored("a2", 3));
    record.bob().then(11, saw(&message(3, "ann", "a2")));
    record.bob().without(|entry| matches!(entry, Entry::Saw { message, .. } if message.seq == 3));
    finds(&record, &[Kind::NeverSent]);
}

#[test]
fn one_send_that_is_two_messages_is_found() {
    let mut record = sound().with_third();
    let twice =
        Message { client_id: "a1".into(), text: "text of a1".into(), ..message(3, "ann", "a2") };
    record.chat().log[2] = twice.clone();
    for device in &mut record.devices {
        device.picture.get_mut("c").unwrap().messages.insert(3, twice.clone());
        device.without(|entry| matches!(entry, Entry::Saw { message, .. } if message.seq == 3));
        device.entries.push((s(12), saw(&twice)));
    }
    finds(&record, &[Kind::Duplicate]);
}

#[test]
fn two_outcomes_of_one_send_are_found() {
    let mut record = sound();
    record.ann().then(10, stored("a1", 2));
    finds(&record, &[Kind::Duplicate]);
}

#[test]
fn a_seq_that_is_left_out_is_a_hole_and_one_that_is_two_messages_is_found() {
    let mut record = sound().with_third();
    record.ann().then(10, wrote("a2"));
    let move_to = |record: &mut Record, seq: u32| {
        record.chat().log[2].seq = seq;
        let moved = record.chat().log[2].clone();
        for device in &mut record.devices {
            device.without(|entry| matches!(entry, Entry::Saw { message, .. } if message.seq == 3));
            let picture = device.picture.get_mut("c").unwrap();
            picture.messages.remove(&3);
            picture.messages.insert(seq, moved.clone());
            if device.user == "ann" {
                picture.ticks.remove(&3);
                picture.ticks.insert(seq, Tick::Sent);
            }
            device.entries.push((s(12), saw(&moved)));
        }
    };
    move_to(&mut record, 4);
    finds(&record, &[Kind::Hole]);
    move_to(&mut record, 2);
    let found = check(&record);
    assert!(found.iter().any(|violation| violation.kind == Kind::SeqTwice), "{found:#?}");
}

#[test]
fn a_message_that_is_not_where_it_was_told_is_found() {
    let mut record = sound();
    for (_, entry) in &mut record.ann().entries {
        if let Entry::Stored { seq, .. } = entry {
            *seq = 7;
        }
    }
    record.ann().without(|entry| matches!(entry, Entry::Given { send: Some(_), .. }));
    let found = check(&record);
    assert!(found.iter().any(|violation| violation.kind == Kind::Moved), "{found:#?}");
    let mut record = sound();
    let other = Message { id: "server-other".into(), ..message(1, "ann", "a1") };
    record.bob().entries[4].1 = saw(&other);
    finds(&record, &[Kind::Moved]);
}

#[test]
fn a_send_that_began_after_another_was_acknowledged_has_the_higher_seq() {
    let mut record = sound();
    // bob began when ann had her answer; had ann begun after bob's …
    for (at, entry) in &mut record.ann().entries {
        if matches!(
            entry,
            Entry::Wrote { .. }
                | Entry::Given { .. }
                | Entry::Answered { .. }
                | Entry::Stored { .. }
        ) {
            *at += s(8);
        }
    }
    record.ann().entries.sort_by_key(|(at, _)| *at);
    finds(&record, &[Kind::OutOfOrder]);
}

#[test]
fn what_was_seen_changes_by_edits_and_deletions_alone() {
    let mut record = sound();
    let edited = Message { text: "another".into(), revision: 1, ..message(1, "ann", "a1") };
    record.chat().log[0] = edited.clone();
    for device in &mut record.devices {
        device.picture.get_mut("c").unwrap().messages.insert(1, edited.clone());
    }
    finds(&record, &[Kind::NeverSent]);
    let text = "another".to_owned();
    record.ann().then(9, Entry::Editing { chat: "c".into(), id: "a1".into(), text });
    finds(&record, &[]);
    let mut record = sound();
    let changed = Message { text: "another".into(), ..message(1, "ann", "a1") };
    record.bob().entries[4].1 = saw(&changed);
    finds(&record, &[Kind::Changed]);
}

#[test]
fn a_stream_brings_each_message_once_and_in_its_turn() {
    let mut record = sound();
    record.bob().then(9, saw(&message(1, "ann", "a1")));
    finds(&record, &[Kind::StreamOrder]);
    // On another stream it may come again.
    if let Some((_, Entry::Saw { stream, .. })) = record.bob().entries.last_mut() {
        *stream = Some(2);
    }
    record.bob().without(|entry| matches!(entry, Entry::Sets { .. }));
    let last = record.bob().entries.last().unwrap().clone();
    assert!(matches!(last.1, Entry::Saw { stream: Some(2), .. }), "{last:?}");
    finds(&record, &[]);
}
