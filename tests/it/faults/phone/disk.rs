//! What a phone keeps, and the rules by which it merges: those of the README, written anew.

use std::collections::{BTreeMap, BTreeSet};

use adda::model::{Run, SeqSet};
use adda::proto;

use super::super::record::{Kind, Message, Picture, Tick};

/// "On disk": what outlives a stream, and the phone's process.
#[derive(Default)]
pub(crate) struct Disk {
    pub(super) token: Vec<u8>,
    pub(super) generation: u32,
    /// Sends without an answer, oldest first.
    pub(crate) outbox: Vec<proto::MessageSend>,
    /// Sends that were answered.
    pub(crate) sent: Vec<proto::MessageSend>,
    pub(crate) chats: BTreeMap<String, Held>,
    /// Who is online, and since or until when.
    pub(crate) online: BTreeMap<String, (bool, Option<i128>)>,
}

/// One chat.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) messages: BTreeMap<u32, Message>,
    /// What pages said of own messages.
    states: BTreeMap<u32, Tick>,
    /// What each member has received and read, as far as it is known here.
    sets: BTreeMap<(String, Kind), SeqSet>,
    members: BTreeSet<String>,
    /// What the server has taken of this device's acknowledgements.
    pub(super) told: BTreeMap<Kind, SeqSet>,
    /// What was on screen.
    pub(crate) seen: SeqSet,
    /// Unread, up to some seq.
    count: Option<(u32, u32)>,
}

impl Disk {
    pub(super) fn chat(&mut self, id: &str) -> &mut Held {
        self.chats.entry(id.to_owned()).or_default()
    }

    /// What is shown of all chats.
    pub(crate) fn picture(&self, user: &str) -> BTreeMap<String, Picture> {
        self.chats.iter().map(|(id, held)| (id.clone(), held.picture(user))).collect()
    }

    /// Presence: the later time wins, and what hides. Answers whether what is shown has changed.
    pub(super) fn presence(&mut self, user: &str, online: bool, at: Option<i128>) -> bool {
        let known = self.online.get(user).copied();
        if known.is_some_and(|(_, then)| at.is_some() && at < then) {
            return false;
        }
        self.online.insert(user.to_owned(), (online, at));
        known.is_none_or(|(was, _)| was != online)
    }
}

impl Held {
    /// The higher revision keeps the content; ticks are joined.
    pub(super) fn merge(&mut self, message: &proto::Message) {
        let new = plain(message);
        let seq = new.seq;
        self.sets_of(&message.delivered_to, Kind::Delivered, seq);
        self.sets_of(&message.read_by, Kind::Read, seq);
        if let Some(state) = tick(message.state()) {
            let known = self.states.entry(seq).or_insert(state);
            *known = state.max(*known);
        }
        if self.messages.get(&seq).is_none_or(|held| held.revision <= new.revision) {
            self.messages.insert(seq, new);
        }
    }

    /// A message went for everyone. Answers it as it is held now, if it is, and if that is new.
    pub(super) fn deleted(&mut self, it: &proto::MessageDeleted) -> Option<Message> {
        let held = self.messages.get_mut(&it.seq).filter(|held| held.revision < it.revision)?;
        held.revision = it.revision;
        held.deleted = true;
        held.text.clear();
        held.reactions.clear();
        Some(held.clone())
    }

    /// Reactions have changed; likewise.
    pub(super) fn reacted(&mut self, it: &proto::ReactionsUpdated) -> Option<Message> {
        let held = self.messages.get_mut(&it.seq).filter(|held| held.revision < it.revision)?;
        held.revision = it.revision;
        held.reactions = reactions(&it.reactions);
        Some(held.clone())
    }

    fn sets_of(&mut self, users: &[String], kind: Kind, seq: u32) {
        for user in users {
            self.add(user, kind, [Run { first: seq, last: seq }]);
        }
    }

    /// Sets only grow; what is read is delivered.
    pub(super) fn add(&mut self, user: &str, kind: Kind, runs: impl IntoIterator<Item = Run>) {
        let runs: Vec<Run> = runs.into_iter().collect();
        if kind == Kind::Read {
            self.set(user, Kind::Delivered).extend(runs.iter().copied());
        }
        self.set(user, kind).extend(runs);
    }

    fn set(&mut self, user: &str, kind: Kind) -> &mut SeqSet {
        self.sets.entry((user.to_owned(), kind)).or_default()
    }

    /// What is in an answer about the chat itself.
    pub(super) fn members(&mut self, members: &[proto::Member]) {
        self.members.extend(members.iter().map(|member| member.user_id.clone()));
        for member in members {
            self.add(&member.user_id, Kind::Delivered, runs(&member.delivered));
            self.add(&member.user_id, Kind::Read, runs(&member.read));
        }
    }

    /// Of two counts the one counted later, of equals the lower.
    pub(super) fn counted(&mut self, count: u32, last_seq: u32) {
        self.count = match self.count {
            Some((_, last)) if last > last_seq => self.count,
            Some((held, last)) if last == last_seq => Some((held.min(count), last)),
            _ => Some((count, last_seq)),
        };
    }

    /// Up to here nothing is lacking.
    pub(crate) fn solid(&self) -> u32 {
        let mut solid = 0;
        for seq in self.messages.keys() {
            if *seq != solid + 1 {
                break;
            }
            solid = *seq;
        }
        solid
    }

    /// What is kept, or was on screen, and is not known to be acknowledged.
    pub(super) fn untold(&self, kind: Kind) -> Vec<Run> {
        let told = self.told.get(&kind).cloned().unwrap_or_default();
        match kind {
            Kind::Read => self.seen.minus(&told),
            Kind::Delivered => {
                let kept = self.messages.keys().filter_map(|seq| Run::new(*seq, *seq));
                SeqSet::from_parts(0, kept).minus(&told)
            }
        }
    }

    /// The server has taken this.
    pub(super) fn taken(&mut self, user: &str, kind: Kind, runs: &[Run]) {
        self.told.entry(kind).or_default().extend(runs.iter().copied());
        if kind == Kind::Read {
            self.told.entry(Kind::Delivered).or_default().extend(runs.iter().copied());
        }
        self.add(user, kind, runs.iter().copied());
    }

    fn picture(&self, user: &str) -> Picture {
        let set = |user: &str, kind| self.sets.get(&(user.to_owned(), kind));
        let read = set(user, Kind::Read).cloned().unwrap_or_default();
        let (count, last) = self.count.unwrap_or_default();
        let above = self.messages.range(last + 1..).filter(|(seq, message)| {
            let of_others = !message.sender.is_empty() && message.sender != user;
            of_others && !message.deleted && !read.contains(**seq)
        });
        let unread = count + u32::try_from(above.count()).unwrap_or(u32::MAX);
        let all = |kind, seq: u32| {
            let mut others = self.members.iter().filter(|other| *other != user);
            others.all(|other| set(other, kind).is_some_and(|set| set.contains(seq)))
        };
        let own = self.messages.values().filter(|message| message.sender == user);
        let ticks = own.map(|message| {
            let seq = message.seq;
            let heard = if all(Kind::Read, seq) {
                Tick::Seen
            } else if all(Kind::Delivered, seq) {
                Tick::Delivered
            } else {
                Tick::Sent
            };
            (seq, self.states.get(&seq).map_or(heard, |state| heard.max(*state)))
        });
        Picture { messages: self.messages.clone(), unread, ticks: ticks.collect(), read }
    }
}

pub(crate) fn runs(seqs: &[proto::SeqRange]) -> Vec<Run> {
    seqs.iter().filter_map(|run| Run::new(run.first, run.last)).collect()
}

fn tick(state: proto::MessageState) -> Option<Tick> {
    match state {
        proto::MessageState::Unspecified => None,
        proto::MessageState::Sent => Some(Tick::Sent),
        proto::MessageState::Delivered => Some(Tick::Delivered),
        proto::MessageState::Seen => Some(Tick::Seen),
    }
}

/// As the checker compares it.
pub(crate) fn plain(message: &proto::Message) -> Message {
    Message {
        seq: message.seq,
        id: message.message_id.clone(),
        sender: message.sender_id.clone(),
        client_id: message.client_message_id.clone(),
        text: message.text.clone(),
        revision: message.revision,
        deleted: message.deleted_at.is_some(),
        reactions: reactions(&message.reactions),
    }
}

fn reactions(all: &[proto::Reaction]) -> BTreeMap<String, u32> {
    all.iter().map(|of| (of.emoji.clone(), of.count)).collect()
}
