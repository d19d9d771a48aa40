//! Hands each chat's messages to the sessions of this node in the order of `seq`, whichever way
//! and in whichever order they come: from an append here, from the bus, from the log.
//!
//! A hole waits for the bus for a moment and is then read from the store. A repeat does nothing.
//! Sessions have the last word: each knows what it was given, and compares with the store when
//! it sees a hole all the same.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Service;
use super::attachments::Links;
use super::roster::{Roster, Seat};
use crate::metrics;
use crate::model::{ChatId, ChatKind, Message, MessageId, NoteKind, Seq, UserId};
use crate::wire::{self, EncodedFrame, Told};
use crate::{clock::Timestamp, proto};

mod lacks;

/// Messages of one chat that may wait for a hole; beyond it they go, and sessions compare.
const MAX_WAITING: usize = 4_096;
/// Feeds of chats without messages for this long are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// Who came longer ago than this was introduced by the note of it, or looked at the store since.
const NEWCOMER_FOR: Duration = Duration::from_secs(600);
const SHARDS: usize = 64;

/// A message on its way to sessions.
#[derive(Clone, Debug)]
pub struct Sent {
    chat: ChatId,
    seq: Seq,
    id: MessageId,
    changes_members: bool,
    /// Who came by it: they may have missed what was sent between their coming and this note.
    added: Arc<[UserId]>,
    frame: EncodedFrame,
    came: Came,
}

/// Which way a message came, for the clock that tells how long it took.
#[derive(Clone, Copy, Debug)]
enum Came {
    /// It was committed here, then.
    Here(Instant),
    /// By the bus.
    Bus,
    /// It was looked up: it was late, or is old.
    Store,
}

impl Sent {
    /// From the store.
    pub fn of(message: &Message, links: &Links) -> Self {
        Self {
            chat: message.chat,
            seq: message.seq,
            id: message.id,
            changes_members: message.changes_members(),
            added: added(message),
            frame: frame_of(links.message(message)),
            came: Came::Store,
        }
    }

    /// Just stored by this node.
    pub fn committed(message: &Message, links: &Links) -> Self {
        Self { came: Came::Here(Instant::now()), ..Self::of(message, links) }
    }

    fn told(&self) -> Told {
        let (chat, seq, id) = (self.chat, self.seq, self.id);
        Told::Message { chat, seq, id, frame: self.frame.clone() }
    }

    /// From another node; `None` if it makes no sense.
    pub fn from_wire(message: proto::Message) -> Option<Self> {
        let note = message.system_note.as_ref();
        Some(Self {
            chat: ChatId::parse(&message.chat_id)?,
            seq: Some(message.seq).filter(|seq| *seq > 0)?,
            id: MessageId::parse(&message.message_id)?,
            changes_members: note
                .is_some_and(|note| note.kind() != proto::SystemNoteKind::Announcement),
            added: note
                .filter(|note| note.kind() == proto::SystemNoteKind::MembersAdded)
                .map(|note| note.user_ids.iter().filter_map(|id| UserId::parse(id)).collect())
                .unwrap_or_default(),
            frame: frame_of(message),
            came: Came::Bus,
        })
    }
}

fn added(message: &Message) -> Arc<[UserId]> {
    match &message.note {
        Some(note) if note.kind == NoteKind::MembersAdded => note.users.as_slice().into(),
        _ => Arc::default(),
    }
}

/// The frame that tells of a new message.
pub fn frame_of(message: proto::Message) -> EncodedFrame {
    let sent = proto::MessageSent { message: Some(message) };
    wire::event_frame(proto::event::Event::MessageSent(sent))
}

#[derive(Debug)]
struct Feed {
    /// Everything up to here was handed on; `None`: nothing of this chat was seen yet.
    handed: Option<Seq>,
    waiting: BTreeMap<Seq, Sent>,
    /// A task is reading for this feed, and nobody else hands on.
    busy: bool,
    /// A task waits for a hole to be filled, and messages are handed on meanwhile if they can be.
    watched: bool,
    /// Newcomers who were told of the chat, and from which message on they have everything.
    met: HashMap<UserId, Seq>,
    used: Instant,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            handed: None,
            waiting: BTreeMap::new(),
            busy: false,
            watched: false,
            met: HashMap::new(),
            used: Instant::now(),
        }
    }
}

impl Feed {
    /// After which message the next one is lacking, if one is.
    fn hole(&self) -> Option<Seq> {
        let handed = self.handed?;
        self.waiting.first_key_value().filter(|(seq, _)| **seq > handed + 1).map(|_| handed)
    }

    /// These newcomers are introduced, and those who come with this message. Others, whom the
    /// list has no more, or who came long ago, need not be remembered.
    fn meet(&mut self, roster: &Roster, sent: &Sent, late: &[Seat]) {
        self.met
            .retain(|user, from| roster.seat(user).is_some_and(|seat| seat.visible_from == *from));
        let now = roster.seats().iter().filter(|seat| seat.visible_from == sent.seq);
        let come = late.iter().chain(now).filter(|seat| seat.visible_from > 1);
        self.met.extend(come.map(|seat| (seat.user.clone(), seat.visible_from)));
    }
}

/// All feeds.
#[derive(Debug)]
pub struct Feeds {
    shards: Vec<Mutex<HashMap<ChatId, Feed>>>,
    hasher: RandomState,
}

impl Default for Feeds {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, hasher: RandomState::new() }
    }
}

impl Feeds {
    fn shard(&self, chat: ChatId) -> &Mutex<HashMap<ChatId, Feed>> {
        let at = self.hasher.hash_one(chat) % SHARDS as u64;
        &self.shards[usize::try_from(at).unwrap_or(0)]
    }

    /// A `seq` that the chat has reached for sure; 0 if none is known.
    pub fn reached(&self, chat: ChatId) -> Seq {
        self.shard(chat).lock().get(&chat).and_then(|feed| feed.handed).unwrap_or(0)
    }

    /// Forgets feeds that are idle.
    pub fn sweep(&self) {
        for shard in &self.shards {
            shard
                .lock()
                .retain(|_, feed| feed.busy || feed.watched || feed.used.elapsed() < FORGET_AFTER);
        }
    }
}

/// Members who are to be told of the chat, and of what they lack of it, before a message.
struct Introduction {
    roster: Arc<Roster>,
    sent: Sent,
    /// Who came before this message and were not met: those that stood between their coming and
    /// this one were handed on by a list that had them not yet.
    late: Vec<Seat>,
}

/// What a feed needs before it can go on.
enum Need {
    Nothing,
    FirstLook(Seq),
    Members,
    Introduction(Box<Introduction>),
    /// What follows this is not there yet.
    Hole(Seq),
}

impl Service {
    /// Hands a stored message on, in its turn.
    pub(super) fn hand_on(self: &Arc<Self>, sent: Sent) {
        let chat = sent.chat;
        if sent.changes_members {
            self.rosters.note(chat, sent.seq);
        }
        let mut shard = self.feeds.shard(chat).lock();
        let feed = shard.entry(chat).or_default();
        feed.used = Instant::now();
        if feed.handed.is_some_and(|handed| sent.seq <= handed) {
            return;
        }
        feed.waiting.insert(sent.seq, sent);
        if feed.waiting.len() > MAX_WAITING {
            tracing::warn!(%chat, "too many messages wait for a hole; sessions will compare");
            feed.handed = None;
            feed.waiting.clear();
            return;
        }
        self.pump_or_read(chat, feed);
    }

    /// Goes on with a feed that may be able to.
    fn go_on(self: &Arc<Self>, chat: ChatId) {
        let mut shard = self.feeds.shard(chat).lock();
        if let Some(feed) = shard.get_mut(&chat) {
            self.pump_or_read(chat, feed);
        }
    }

    fn pump_or_read(self: &Arc<Self>, chat: ChatId, feed: &mut Feed) {
        if feed.busy {
            return;
        }
        match self.pump(chat, feed, None) {
            Need::Nothing => {}
            Need::Hole(handed) => self.watch(chat, feed, handed),
            _ => {
                feed.busy = true;
                self.run(Arc::clone(self).pump_slowly(chat));
            }
        }
    }

    /// Hands on what can be without reading more than `read`, the members as just read.
    fn pump(&self, chat: ChatId, feed: &mut Feed, read: Option<&Arc<Roster>>) -> Need {
        while let Some((&seq, _)) = feed.waiting.first_key_value() {
            let handed = match feed.handed {
                Some(handed) => handed,
                None if seq == 1 => 0,
                None => return Need::FirstLook(seq),
            };
            if seq > handed + 1 {
                return Need::Hole(handed);
            }
            if seq == handed + 1 {
                let read = || read.filter(|roster| self.rosters.is_good(roster)).cloned();
                let roster = self.rosters.at_hand(chat).or_else(read);
                let Some(roster) = roster else { return Need::Members };
                if let Some(sent) = feed.waiting.get(&seq) {
                    let late = self.late(feed, &roster, sent);
                    if !late.is_empty() || self.hub.has_any(introduced(&roster, sent)) {
                        let sent = sent.clone();
                        return Need::Introduction(Box::new(Introduction { roster, sent, late }));
                    }
                    self.deliver(&roster, sent);
                }
                feed.handed = Some(seq);
            }
            feed.waiting.pop_first();
        }
        Need::Nothing
    }

    /// Newcomers with a session here who were handed nothing of the chat yet, though they may see
    /// what came before this message. The list may have them before their note comes.
    fn late(&self, feed: &Feed, roster: &Roster, sent: &Sent) -> Vec<Seat> {
        let young = self.clock.now().minus(NEWCOMER_FOR);
        let came = |seat: &&Seat| {
            (2..sent.seq).contains(&seat.visible_from)
                && (seat.joined_at > young || sent.added.contains(&seat.user))
                && feed.met.get(&seat.user) != Some(&seat.visible_from)
                && self.hub.has_any([&seat.user])
        };
        roster.seats().iter().filter(came).cloned().collect()
    }

    fn deliver(&self, roster: &Roster, sent: &Sent) {
        let told = Arc::new(sent.told());
        let seats = roster.seats().iter().filter(|seat| seat.visible_from <= sent.seq);
        self.hub.each(seats.map(|seat| &seat.user), |listener| listener.tell(&told));
        match sent.came {
            Came::Here(at) => metrics::delivery_seconds().took(at.elapsed()),
            Came::Bus => {
                let made = Timestamp::of_id(sent.id.0);
                metrics::delivery_remote_seconds().took(self.clock.now().since(made));
            }
            Came::Store => {}
        }
    }
}

/// Who is told of the chat before this message: all members, where it tells of a change of the
/// chat; else those who can see no message before it. The maker of a direct chat knows it.
fn introduced<'r>(roster: &'r Roster, sent: &Sent) -> impl Iterator<Item = &'r UserId> {
    let (seq, all) = (sent.seq, sent.changes_members);
    let maker = (roster.chat.kind == ChatKind::Direct).then_some(&roster.chat.created_by);
    roster
        .seats()
        .iter()
        .filter(move |seat| seat.visible_from == seq || (all && seat.visible_from < seq))
        .map(|seat| &seat.user)
        .filter(move |user| Some(*user) != maker)
}
