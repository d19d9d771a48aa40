use super::*;
use crate::client::disk::Disk;
use crate::client::news::Place;
use crate::clock::Timestamp;
use crate::proto::SeqRange;

const CHAT: &str = "c";

fn message(seq: u32, sender: &str, text: &str) -> proto::Message {
    proto::Message {
        message_id: format!("m{seq}"),
        chat_id: CHAT.into(),
        seq,
        sender_id: sender.into(),
        text: text.into(),
        client_message_id: format!("{sender}{seq}"),
        ..proto::Message::default()
    }
}

fn direct() -> proto::Chat {
    let member = |id: &str| proto::Member { user_id: id.into(), ..proto::Member::default() };
    proto::Chat {
        chat_id: CHAT.into(),
        kind: proto::ChatKind::Direct.into(),
        members: vec![member("me"), member("bob")],
        member_count: 2,
        revision: 1,
        ..proto::Chat::default()
    }
}

/// What is kept, and what was to be told of it.
struct Device {
    disk: Disk,
    effects: Effects,
}

impl Device {
    fn new() -> Self {
        let mut device = Self { disk: Disk::in_memory().unwrap(), effects: Effects::default() };
        device.apply(|apply| apply.chat(direct()));
        device
    }

    fn apply(&mut self, what: impl FnOnce(&mut Apply<'_>) -> Result<()>) -> &Effects {
        self.effects = Effects::default();
        let effects = &mut self.effects;
        self.disk.write(|db| what(&mut Apply { db, me: "me", effects })).unwrap();
        &self.effects
    }

    fn event(&mut self, event: Of) -> &Effects {
        self.apply(|apply| apply.event(proto::Event { event: Some(event) }))
    }

    fn sent(&mut self, message: proto::Message) -> &Effects {
        self.event(Of::MessageSent(proto::MessageSent { message: Some(message) }))
    }

    fn texts(&self) -> Vec<String> {
        let kept = messages::range(self.disk.db(), CHAT, 1, 99).unwrap();
        kept.into_iter().map(|kept| kept.message.text).collect()
    }

    fn unread(&self) -> u32 {
        chats::unread(self.disk.db(), "me", CHAT).unwrap()
    }
}

fn seqs(first: u32, last: u32) -> Vec<SeqRange> {
    vec![SeqRange { first, last }]
}

#[test]
fn an_edit_that_overtakes_the_message_stays() {
    let mut device = Device::new();
    let edited = proto::Message { revision: 1, ..message(1, "bob", "edited") };
    device.event(Of::MessageEdited(proto::MessageEdited { message: Some(edited) }));
    device.sent(message(1, "bob", "first"));
    assert_eq!(device.texts(), ["edited"]);
}

#[test]
fn an_ack_and_the_event_settle_a_row_once_whichever_is_first() {
    for ack_first in [true, false] {
        let mut device = Device::new();
        let place = Place::Chat(CHAT.into());
        outbox::push(device.disk.db(), &place, "me1", "hi", Timestamp(1)).unwrap();
        let outcome = proto::SendOutcome { seq: 1, ..proto::SendOutcome::default() };
        if ack_first {
            let effects = device.apply(|apply| apply.stored(CHAT, "me1", &outcome));
            assert_eq!(effects.ticks[0].state, MessageState::Sent);
        }
        device.sent(message(1, "me", "hi"));
        let effects = device.apply(|apply| apply.stored(CHAT, "me1", &outcome));
        assert!(effects.ticks.is_empty() && effects.arrived.is_empty());
        assert_eq!(device.texts(), ["hi"]);
        assert_eq!(outbox::count(device.disk.db()).unwrap(), 0);
    }
}

#[test]
fn the_servers_text_goes_before_the_typed_one() {
    let mut device = Device::new();
    let place = Place::Chat(CHAT.into());
    outbox::push(device.disk.db(), &place, "me1", " hi\u{7}", Timestamp(1)).unwrap();
    let outcome = proto::SendOutcome { seq: 1, ..proto::SendOutcome::default() };
    device.apply(|apply| apply.stored(CHAT, "me1", &outcome));
    let effects = device.sent(message(1, "me", "hi"));
    assert_eq!(effects.changed.len(), 1);
    assert_eq!(device.texts(), ["hi"]);
}

#[test]
fn ticks_rise_and_never_fall() {
    let mut device = Device::new();
    device.sent(message(1, "me", "a"));
    device.sent(message(2, "bob", "b"));
    device.sent(message(3, "me", "c"));
    let read = proto::MessageRead {
        chat_id: CHAT.into(),
        user_id: "bob".into(),
        seqs: seqs(1, 2),
        ..proto::MessageRead::default()
    };
    let states: Vec<_> =
        device.event(Of::MessageRead(read)).ticks.iter().map(|t| (t.seq, t.state)).collect();
    assert_eq!(states, [(1, MessageState::Seen)]);
    let delivered =
        proto::MessageDelivered { chat_id: CHAT.into(), user_id: "bob".into(), seqs: seqs(1, 3) };
    let states: Vec<_> = device
        .event(Of::MessageDelivered(delivered.clone()))
        .ticks
        .iter()
        .map(|t| (t.seq, t.state))
        .collect();
    assert_eq!(states, [(3, MessageState::Delivered)]);
    assert!(device.event(Of::MessageDelivered(delivered)).ticks.is_empty());
}

#[test]
fn unread_is_the_count_and_what_came_since_less_what_was_seen() {
    let mut device = Device::new();
    for seq in 1..=4 {
        device.sent(message(seq, "bob", "x"));
    }
    let db = device.disk.db();
    chats::adopt(db, CHAT, Count { unread: 2, last_seq: 3 }).unwrap();
    assert_eq!(device.unread(), 3);
    sets::add(device.disk.db(), CHAT, "me", Kind::Seen, &[Run { first: 3, last: 4 }]).unwrap();
    assert_eq!(device.unread(), 1);
    sets::add(device.disk.db(), CHAT, "me", Kind::Read, &[Run { first: 3, last: 4 }]).unwrap();
    chats::adopt(device.disk.db(), CHAT, Count { unread: 1, last_seq: 4 }).unwrap();
    assert_eq!(device.unread(), 1);
}

#[test]
fn an_older_update_does_not_bring_back_a_chat_that_was_left() {
    let mut device = Device::new();
    let gone = proto::Chat { chat_id: CHAT.into(), revision: 5, ..proto::Chat::default() };
    let removed = proto::ChatUpdated { chat: Some(gone), removed: true };
    assert!(device.event(Of::ChatUpdated(removed)).left.contains(CHAT));
    let old = proto::Chat { revision: 4, ..direct() };
    let update = |chat| Of::ChatUpdated(proto::ChatUpdated { chat: Some(chat), removed: false });
    device.event(update(old));
    assert!(chats::get(device.disk.db(), CHAT).unwrap().is_none());
    device.event(update(proto::Chat { revision: 6, ..direct() }));
    assert!(chats::get(device.disk.db(), CHAT).unwrap().is_some());
}

#[test]
fn a_hole_is_seen_and_closes() {
    let mut device = Device::new();
    for seq in [5, 6, 9] {
        device.sent(message(seq, "bob", "x"));
        messages::settle(device.disk.db(), CHAT, None).unwrap();
    }
    let held = chats::held(device.disk.db(), CHAT).unwrap();
    assert_eq!((held.floor, held.solid), (5, 6));
    assert_eq!(messages::beyond_hole(device.disk.db(), CHAT, 6).unwrap(), Some(9));
    for seq in [8, 7, 4] {
        device.sent(message(seq, "bob", "x"));
    }
    messages::settle(device.disk.db(), CHAT, None).unwrap();
    let held = chats::held(device.disk.db(), CHAT).unwrap();
    assert_eq!((held.floor, held.solid), (4, 9));
    assert_eq!(messages::beyond_hole(device.disk.db(), CHAT, 9).unwrap(), None);
}
