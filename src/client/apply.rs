//! One event or answer goes to what is kept: merged by the rules, in the caller's transaction.
//! What is to be told or asked because of it is gathered in [`Effects`], for after the commit.

use std::collections::BTreeSet;

use rusqlite::{Connection, Result};

use super::disk::sets::{self, Kind};
use super::disk::{chats, messages, outbox, ticks};
use super::merge::{Count, Presence, millis};
use super::news::Tick;
use crate::model::Run;
use crate::proto::event::Event as Of;
use crate::proto::{self, MessageState};

/// What follows from what was merged, once that is on the disk.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Chats with messages that were not held before.
    pub(super) arrived: BTreeSet<String>,
    /// Chats something was heard of.
    pub(super) heard: BTreeSet<String>,
    /// Chats the server is to be asked about.
    pub(super) ask: BTreeSet<String>,
    /// Chats that have changed themselves.
    pub(super) renewed: BTreeSet<String>,
    /// Chats the caller is in no longer.
    pub(super) left: BTreeSet<String>,
    /// Messages with another content than before.
    pub(super) changed: BTreeSet<(String, u32)>,
    /// Own messages that have come further.
    pub(super) ticks: Vec<Tick>,
    /// Who writes where, or has stopped.
    pub(super) typing: Vec<(String, String, bool)>,
    /// Who has come or gone.
    pub(super) presence: Vec<(String, Presence)>,
    /// Whom the user has blocked, or no more.
    pub(super) blocks: Vec<(String, bool)>,
}

/// Whose device merges, into what.
pub(super) struct Apply<'a> {
    pub(super) db: &'a Connection,
    pub(super) me: &'a str,
    pub(super) effects: &'a mut Effects,
}

impl Apply<'_> {
    /// An event. One of a kind that is not known here is skipped.
    pub(super) fn event(&mut self, event: proto::Event) -> Result<()> {
        let Some(event) = event.event else { return Ok(()) };
        match event {
            Of::MessageSent(sent) => sent.message.map_or(Ok(()), |m| self.message_sent(m)),
            Of::MessageEdited(edited) => edited.message.map_or(Ok(()), |m| self.message(m)),
            Of::MessageDeleted(gone) => self.deleted(&gone),
            Of::ReactionsUpdated(new) => {
                if messages::react(self.db, self.me, &new)? {
                    self.effects.changed.insert((new.chat_id, new.seq));
                }
                Ok(())
            }
            Of::MessageDelivered(event) => {
                let runs = sets::runs(&event.seqs);
                self.receipts(&event.chat_id, &event.user_id, &runs, false)
            }
            Of::MessageRead(read) => self.read(&read),
            Of::ChatUpdated(updated) => self.chat_updated(updated),
            Of::UserTyping(typing) => {
                self.effects.typing.push((typing.chat_id, typing.user_id, typing.typing));
                Ok(())
            }
            Of::UserOnline(who) => {
                let presence = Presence { online: true, at: millis(who.since.as_ref()) };
                self.effects.presence.push((who.user_id, presence));
                Ok(())
            }
            Of::UserOffline(who) => {
                let presence = Presence { online: false, at: millis(who.last_active.as_ref()) };
                self.effects.presence.push((who.user_id, presence));
                Ok(())
            }
            // The line client shows none of these.
            Of::NotificationCreated(_)
            | Of::UserUpdated(_)
            | Of::ChatSettingsUpdated(_)
            | Of::MessageHidden(_) => Ok(()),
            Of::BlockUpdated(of) => {
                self.effects.blocks.push((of.user_id, of.blocked));
                Ok(())
            }
        }
    }

    fn message_sent(&mut self, message: proto::Message) -> Result<()> {
        if message.sender_id != self.me {
            // A message ends the typing of its sender.
            let (chat, sender) = (message.chat_id.clone(), message.sender_id.clone());
            self.effects.typing.push((chat, sender, false));
        }
        self.message(message)
    }

    /// A message from an event or a page.
    pub(super) fn message(&mut self, message: proto::Message) -> Result<()> {
        let (chat, seq) = (message.chat_id.clone(), message.seq);
        if message.sender_id == self.me {
            // Whichever comes first, this or the Ack, settles it.
            outbox::remove(self.db, &message.client_message_id)?;
        }
        let (own, state) = (message.sender_id == self.me, message.state());
        let id = message.client_message_id.clone();
        let before = messages::get(self.db, &chat, seq)?;
        let revision = message.revision;
        let merged = messages::merge(self.db, self.me, message, Some(revision))?;
        self.effects.heard.insert(chat.clone());
        match merged {
            messages::Merged::New => {
                if chats::get(self.db, &chat)?.is_none() {
                    self.effects.ask.insert(chat.clone());
                }
                self.effects.arrived.insert(chat);
            }
            messages::Merged::Changed => {
                self.effects.changed.insert((chat, seq));
            }
            messages::Merged::Same if own && before.is_some_and(|before| before.state < state) => {
                self.effects.ticks.push(Tick { chat_id: chat, seq, client_message_id: id, state });
            }
            messages::Merged::Same => {}
        }
        Ok(())
    }

    fn deleted(&mut self, gone: &proto::MessageDeleted) -> Result<()> {
        self.effects.heard.insert(gone.chat_id.clone());
        if messages::delete(self.db, self.me, gone)? {
            self.effects.changed.insert((gone.chat_id.clone(), gone.seq));
        }
        let read = sets::get(self.db, &gone.chat_id, self.me, Kind::Read)?;
        if gone.sender_id != self.me && !read.contains(gone.seq) {
            self.effects.ask.insert(gone.chat_id.clone());
        }
        Ok(())
    }

    fn receipts(&mut self, chat: &str, user: &str, runs: &[Run], read: bool) -> Result<()> {
        self.effects.heard.insert(chat.to_owned());
        let mut grown = sets::add(self.db, chat, user, Kind::Delivered, runs)?;
        if read {
            grown |= sets::add(self.db, chat, user, Kind::Read, runs)?;
        }
        if grown && user != self.me {
            self.effects.ticks.extend(ticks::raise(self.db, self.me, chat, runs)?);
        }
        Ok(())
    }

    fn read(&mut self, read: &proto::MessageRead) -> Result<()> {
        let runs = sets::runs(&read.seqs);
        self.receipts(&read.chat_id, &read.user_id, &runs, true)?;
        if let (Some(unread), Some(last_seq)) = (read.unread_count, read.last_seq) {
            chats::adopt(self.db, &read.chat_id, Count { unread, last_seq })?;
            self.effects.renewed.insert(read.chat_id.clone());
        }
        Ok(())
    }

    fn chat_updated(&mut self, updated: proto::ChatUpdated) -> Result<()> {
        let Some(mut chat) = updated.chat else { return Ok(()) };
        let id = chat.chat_id.clone();
        if updated.removed {
            if chats::remove(self.db, &id, chat.revision)? {
                self.effects.left.insert(id);
            }
            return Ok(());
        }
        self.effects.heard.insert(id.clone());
        // What is the caller's own is never set in events: what is held stays.
        chat.unread_count = None;
        chat.membership = None;
        if chats::merge(self.db, self.me, chat)? == chats::Merged::New {
            self.effects.ask.insert(id.clone());
        }
        self.effects.renewed.insert(id);
        Ok(())
    }

    /// A chat from an answer.
    pub(super) fn chat(&mut self, chat: proto::Chat) -> Result<()> {
        let id = chat.chat_id.clone();
        let peer = peer(self.me, &chat).map(ToOwned::to_owned);
        if let (Some(peer), Some(presence)) = (&peer, &chat.presence) {
            self.effects.presence.push((peer.clone(), Presence::of(presence)));
        }
        if chats::merge(self.db, self.me, chat)? == chats::Merged::Left {
            return Ok(());
        }
        if let Some(peer) = peer {
            chats::found_peer(self.db, &peer, &id)?;
        }
        self.effects.heard.insert(id.clone());
        let all = [Run { first: 1, last: u32::MAX }];
        self.effects.ticks.extend(ticks::raise(self.db, self.me, &id, &all)?);
        self.effects.renewed.insert(id);
        Ok(())
    }

    /// The server has a message of the outbox: the row becomes the message.
    pub(super) fn stored(
        &mut self,
        chat: &str,
        id: &str,
        outcome: &proto::SendOutcome,
    ) -> Result<()> {
        let Some(row) = outbox::get(self.db, id)? else { return Ok(()) };
        let message = proto::Message {
            message_id: outcome.message_id.clone(),
            chat_id: chat.to_owned(),
            seq: outcome.seq,
            sender_id: self.me.to_owned(),
            r#type: proto::MessageType::Text.into(),
            text: row.text,
            client_message_id: id.to_owned(),
            created_at: outcome.created_at,
            state: MessageState::Sent.into(),
            ..proto::Message::default()
        };
        messages::merge(self.db, self.me, message, None)?;
        messages::raise(self.db, chat, outcome.seq, MessageState::Sent)?;
        outbox::remove(self.db, id)?;
        self.effects.ticks.push(Tick {
            chat_id: chat.to_owned(),
            seq: outcome.seq,
            client_message_id: id.to_owned(),
            state: MessageState::Sent,
        });
        self.effects.arrived.insert(chat.to_owned());
        Ok(())
    }
}

/// The other member of a direct chat.
pub(super) fn peer<'a>(me: &str, chat: &'a proto::Chat) -> Option<&'a str> {
    if chat.kind() != proto::ChatKind::Direct {
        return None;
    }
    chat.members.iter().map(|member| member.user_id.as_str()).find(|user| *user != me)
}

#[cfg(test)]
mod tests;
