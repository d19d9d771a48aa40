//! The outbox goes out: one unanswered send a chat at a time, until the server has each row.

use tokio::time::Instant;

use super::live::InFlight;
use super::{End, Engine, Line};
use crate::client::backoff::about;
use crate::client::disk::outbox;
use crate::client::disk::sets::Kind;
use crate::client::trouble::Trouble;
use crate::proto::connect_request::Command;
use crate::proto::{Heartbeat, MessageSend, TypingStart, TypingStop};

/// While the user writes this is said again.
const TYPING_EVERY: std::time::Duration = std::time::Duration::from_secs(3);

impl Engine {
    /// Gives the first row of each chat on its way, unless one of that chat is under way.
    pub(super) fn pump_sends(&mut self, now: Instant) -> Result<(), End> {
        let Line::Up(live) = &mut self.line else { return Ok(()) };
        if !live.ready {
            return Ok(());
        }
        live.sending.retain(|_, pause| pause.is_none_or(|until| now < until));
        for (chat, row) in outbox::heads(self.disk.db())? {
            if live.sending.contains_key(&chat) {
                continue;
            }
            let id = row.client_message_id;
            let send = MessageSend {
                chat_id: chat.clone(),
                client_message_id: id.clone(),
                text: row.text,
                ..MessageSend::default()
            };
            let what = InFlight::Send { chat: chat.clone(), client_message_id: id.clone() };
            if live.command(id, Command::MessageSend(send), what) {
                live.typed.remove(&chat);
                live.sending.insert(chat, None);
            }
        }
        Ok(())
    }

    /// A command has its answer: what waited for it may go on, at once or after a pause.
    pub(super) fn answered(&mut self, what: InFlight, trouble: Option<Trouble>) {
        let Line::Up(live) = &mut self.line else { return };
        let pause = match &trouble {
            Some(Trouble::Wait(pause, _)) => {
                Some(Instant::now() + about(*pause, rand::random()).max(*pause))
            }
            _ => None,
        };
        match what {
            InFlight::Send { chat, .. } => {
                live.sending.remove(&chat);
                if pause.is_some() {
                    live.sending.insert(chat, pause);
                }
            }
            InFlight::Receipts { chat, kind, .. } => {
                live.receipts_sent.remove(&(chat.clone(), kind));
                match (pause, &trouble) {
                    (Some(at), _) => {
                        live.receipts_due.insert((chat, kind), at);
                    }
                    // Repeating changes nothing; the next stream may try.
                    (None, Some(_)) => {}
                    (None, None) => {
                        self.receipts_soon(&chat, kind);
                        if kind == Kind::Read {
                            self.receipts_soon(&chat, Kind::Delivered);
                        }
                    }
                }
            }
            InFlight::Other => {}
        }
    }

    /// Says something when nothing else is said, and asks for a token before the old one ends.
    pub(super) fn keep_alive(&mut self, now: Instant) {
        let Line::Up(live) = &mut self.line else { return };
        if live.wants_beat(now) {
            let beat = Command::Heartbeat(Heartbeat { background: None });
            // Where there is no room, other commands are signs of life enough.
            live.command(String::new(), beat, InFlight::Other);
        }
        if live.token_due.is_some_and(|due| now >= due) {
            live.token_due = None;
            self.renew_token();
        }
    }

    /// The user writes in a chat, or has stopped.
    pub(super) fn say_typing(&mut self, chat: String, typing: bool) {
        let Line::Up(live) = &mut self.line else { return };
        let now = Instant::now();
        let fresh = live.typed.get(&chat).is_some_and(|at| now < *at + TYPING_EVERY);
        let command = match (typing, fresh) {
            (true, true) => return,
            (true, false) => {
                live.typed.insert(chat.clone(), now);
                Command::TypingStart(TypingStart { chat_id: chat })
            }
            (false, _) => match live.typed.remove(&chat) {
                Some(_) => Command::TypingStop(TypingStop { chat_id: chat }),
                None => return,
            },
        };
        // Of the moment: where there is no room it is let go.
        live.command(String::new(), command, InFlight::Other);
    }
}
