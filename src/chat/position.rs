//! How far a stream has everything, and the resume token that says so.
//!
//! A token lists, for each chat whose newest message is younger than a day, the `seq` up to which
//! the device has everything, and a time. Of chats that are not listed it has all that is older
//! than a day before that time. Chats stand in it by the random half of their id.

use std::collections::HashMap;

use prost::encoding::{decode_varint, encode_varint};

use super::limits::{MAX_RESUME_TOKEN, TOKEN_HORIZON};
use super::seal::{Purpose, Sealer};
use crate::clock::Timestamp;
use crate::model::{ChatId, MessageId, Seq, UserId};

const VERSION: u8 = 1;

type Mark = [u8; 8];

fn mark(chat: ChatId) -> Mark {
    let mut mark = [0; 8];
    mark.copy_from_slice(&chat.0.as_bytes()[8..]);
    mark
}

/// How far one stream has everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Chats that are not listed: everything older than a day before this.
    pub time: Timestamp,
    /// Changes of older messages: everything until this.
    pub as_of: Timestamp,
    chats: HashMap<Mark, Reached>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reached {
    seq: Seq,
    at: Timestamp,
}

impl Position {
    /// Nothing is listed.
    pub fn new(time: Timestamp, as_of: Timestamp) -> Self {
        Self { time, as_of, chats: HashMap::new() }
    }

    /// How far this chat is there; `None`: it is not listed.
    pub fn reached(&self, chat: ChatId) -> Option<Seq> {
        self.chats.get(&mark(chat)).map(|reached| reached.seq)
    }

    /// The chat is there up to this message.
    pub fn reach(&mut self, chat: ChatId, seq: Seq, id: MessageId) {
        let at = id.time();
        let entry = self.chats.entry(mark(chat)).or_insert(Reached { seq, at });
        if seq > entry.seq {
            *entry = Reached { seq, at };
        }
    }

    /// Nothing is asked of this chat any more.
    pub fn forget(&mut self, chat: ChatId) {
        self.chats.remove(&mark(chat));
    }

    /// Everything is there until `time`: chats that have been silent for a day need no line.
    pub fn advance(&mut self, time: Timestamp, as_of: Timestamp) {
        self.time = time;
        self.as_of = as_of;
        let horizon = time.minus(TOKEN_HORIZON);
        self.chats.retain(|_, reached| reached.at >= horizon);
    }

    /// As a token of this user.
    pub fn seal(&self, sealer: &Sealer, user: &UserId) -> Vec<u8> {
        let mut body = Vec::with_capacity(17 + 11 * self.chats.len());
        body.push(VERSION);
        body.extend(self.time.0.to_be_bytes());
        body.extend(self.as_of.0.to_be_bytes());
        for (mark, reached) in &self.chats {
            body.extend(mark);
            encode_varint(u64::from(reached.seq), &mut body);
        }
        sealer.seal(user, Purpose::Resume, &body)
    }

    /// From a token; `None` for one that is of no use.
    pub fn open(sealer: &Sealer, user: &UserId, token: &[u8]) -> Option<Self> {
        if token.len() > MAX_RESUME_TOKEN {
            return None;
        }
        let body = sealer.open(user, Purpose::Resume, token)?;
        let (&version, body) = body.split_first()?;
        let (time, body) = body.split_first_chunk::<8>()?;
        let (as_of, mut body) = body.split_first_chunk::<8>()?;
        if version != VERSION {
            return None;
        }
        let time = Timestamp(i64::from_be_bytes(*time));
        let mut position = Self::new(time, Timestamp(i64::from_be_bytes(*as_of)));
        while !body.is_empty() {
            let (mark, rest) = body.split_first_chunk::<8>()?;
            body = rest;
            let seq = Seq::try_from(decode_varint(&mut body).ok()?).ok()?;
            position.chats.insert(*mark, Reached { seq, at: time });
        }
        Some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use crate::store::Keys;

    fn sealer() -> Sealer {
        Sealer::new(Keys { content: [0; 32], tokens: vec![(1, [3; 32])] })
    }

    #[test]
    fn a_position_survives_its_token() {
        let now = SystemClock.now();
        let mut position = Position::new(now, Timestamp(now.0 - 5));
        let chats: Vec<_> = (0..2000).map(|_| ChatId(SystemClock.new_id())).collect();
        for (seq, chat) in (1u32..).zip(&chats) {
            position.reach(*chat, seq * 1_000_000, MessageId(SystemClock.new_id()));
        }
        let alice = UserId::new("alice");
        let token = position.seal(&sealer(), &alice);
        assert!(token.len() <= MAX_RESUME_TOKEN, "{} bytes", token.len());
        let again = Position::open(&sealer(), &alice, &token).unwrap();
        assert_eq!((again.time, again.as_of), (position.time, position.as_of));
        for chat in chats {
            assert_eq!(again.reached(chat), position.reached(chat));
        }
        assert_eq!(Position::open(&sealer(), &UserId::new("bob"), &token), None);
        assert_eq!(Position::open(&sealer(), &alice, &vec![0; 1_000_000]), None);
        assert_eq!(Position::open(&sealer(), &alice, &[]), None);
    }

    #[test]
    fn silent_chats_leave_the_token_and_live_ones_stay() {
        let now = SystemClock.now();
        let mut position = Position::new(now, now);
        let (old, young) = (ChatId(SystemClock.new_id()), ChatId(SystemClock.new_id()));
        let long_ago = now.minus(TOKEN_HORIZON * 2).first_id();
        position.reach(old, 7, MessageId(long_ago));
        position.reach(young, 9, MessageId(SystemClock.new_id()));
        position.advance(now, now);
        assert_eq!((position.reached(old), position.reached(young)), (None, Some(9)));
        position.reach(young, 8, MessageId(SystemClock.new_id()));
        assert_eq!(position.reached(young), Some(9));
    }
}
