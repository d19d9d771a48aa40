//! How far own messages have come: what others are known to have received and read.

use rusqlite::Connection;

use super::sets::{self, Kind};
use super::{chats, messages};
use crate::client::news::Tick;
use crate::model::{Run, SeqSet};
use crate::proto::{self, MessageState};

/// The sets of one other member.
struct Other {
    visible_from: u32,
    delivered: SeqSet,
    read: SeqSet,
}

/// Looks again at own messages within these runs, and says which of them have come further.
pub(crate) fn raise(
    db: &Connection,
    me: &str,
    chat: &str,
    runs: &[Run],
) -> rusqlite::Result<Vec<Tick>> {
    let Some(held) = chats::get(db, chat)? else { return Ok(Vec::new()) };
    let Some(others) = others(db, me, &held)? else { return Ok(Vec::new()) };
    let mut ticks = Vec::new();
    for own in messages::unticked(db, chat, runs)? {
        let state = state(&others, own.message.seq);
        if messages::raise(db, chat, own.message.seq, state)? {
            ticks.push(Tick {
                chat_id: chat.to_owned(),
                seq: own.message.seq,
                client_message_id: own.message.client_message_id,
                state,
            });
        }
    }
    Ok(ticks)
}

/// All other members with their sets; `None` where not all of them are known.
fn others(db: &Connection, me: &str, chat: &proto::Chat) -> rusqlite::Result<Option<Vec<Other>>> {
    let all = usize::try_from(chat.member_count).unwrap_or(usize::MAX);
    if chat.members.is_empty() || chat.members.len() < all {
        return Ok(None);
    }
    let others = chat.members.iter().filter(|member| member.user_id != me).map(|member| {
        Ok(Other {
            visible_from: member.visible_from_seq,
            delivered: sets::get(db, &chat.chat_id, &member.user_id, Kind::Delivered)?,
            read: sets::get(db, &chat.chat_id, &member.user_id, Kind::Read)?,
        })
    });
    others.collect::<rusqlite::Result<Vec<_>>>().map(Some)
}

fn state(others: &[Other], seq: u32) -> MessageState {
    let mut awaited = others.iter().filter(|other| other.visible_from <= seq).peekable();
    if awaited.peek().is_none() {
        return MessageState::Sent;
    }
    let awaited: Vec<_> = awaited.collect();
    let all = |has: fn(&Other) -> &SeqSet| awaited.iter().all(|other| has(other).contains(seq));
    if all(|other| &other.read) {
        MessageState::Seen
    } else if all(|other| &other.delivered) {
        MessageState::Delivered
    } else {
        MessageState::Sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(visible_from: u32, delivered: u32, read: u32) -> Other {
        Other { visible_from, delivered: SeqSet::up_to(delivered), read: SeqSet::up_to(read) }
    }

    #[test]
    fn a_message_is_as_far_as_the_last_of_those_it_waits_for() {
        let others = [other(0, 9, 5), other(0, 7, 3), other(6, 6, 6)];
        assert_eq!(state(&others, 3), MessageState::Seen);
        assert_eq!(state(&others, 5), MessageState::Delivered);
        assert_eq!(state(&others, 7), MessageState::Sent);
        assert_eq!(state(&[], 1), MessageState::Sent);
    }

    #[test]
    fn who_came_later_is_not_waited_for() {
        assert_eq!(state(&[other(1, 4, 4), other(5, 0, 0)], 4), MessageState::Seen);
        assert_eq!(state(&[other(5, 0, 0)], 4), MessageState::Sent);
    }
}
