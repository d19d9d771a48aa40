//! What goes up: sends from the outbox, acknowledgements in runs, signs of life; and what the
//! answers change.

use std::time::Duration;

use adda::proto::connect_request::Command;
use adda::proto::{self, SeqRange, ack};
use tokio::time::Instant;

use super::super::record::{Entry, Kind};
use super::stored;
use super::stream::{End, Flying, Line};

/// Runs in one command.
const MAX_RUNS: usize = 256;

impl Line {
    /// Gives a command on its way; what waits for its answer is noted.
    pub(super) fn command(
        &mut self,
        ack_id: String,
        command: Command,
        flying: Option<Flying>,
    ) -> Result<(), End> {
        let Some(up) = &self.up else { return Ok(()) };
        let send = match &flying {
            Some(Flying::Send(send)) => {
                Some((send.chat_id.clone(), send.client_message_id.clone()))
            }
            Some(Flying::Marks { chat, kind, runs, .. }) => {
                let (chat, runs) = (chat.clone(), runs.clone());
                self.phone.note(Entry::Marking { chat, kind: *kind, runs });
                None
            }
            _ => None,
        };
        // Written down before it can have an effect.
        let (stream, given) = (self.number, ack_id.clone());
        self.phone.note(Entry::Given { stream, ack_id: given, send });
        let request = proto::ConnectRequest { ack_id: ack_id.clone(), command: Some(command) };
        up.try_send(request).map_err(|_| End::Cut("no way up".to_owned()))?;
        self.said = Instant::now();
        if let Some(flying) = flying {
            self.flying.insert(ack_id, flying);
        }
        Ok(())
    }

    fn ack_id(&mut self) -> String {
        self.next_ack += 1;
        format!("c{}", self.next_ack)
    }

    /// Sends what the outbox has and this stream has not, unless a pause was asked for.
    pub(super) fn give(&mut self) -> Result<(), End> {
        if Instant::now() < self.not_before || self.up.is_none() {
            return Ok(());
        }
        let outbox = self.phone.disk.lock().outbox.clone();
        for send in outbox {
            let id = send.client_message_id.clone();
            if self.given.insert(id.clone()) {
                let flying = Flying::Send(send.clone());
                self.command(id, Command::MessageSend(send), Some(flying))?;
            }
        }
        Ok(())
    }

    /// Acknowledges what is kept and what was seen: one unanswered a chat and kind.
    pub(super) fn acknowledge(&mut self) -> Result<(), End> {
        let mut due = Vec::new();
        for (chat, held) in &self.phone.disk.lock().chats {
            for kind in [Kind::Delivered, Kind::Read] {
                let flies = self.flying.values().any(|flying| {
                    matches!(flying, Flying::Marks { chat: of, kind: k, .. } if of == chat && *k == kind)
                });
                let mut runs = held.untold(kind);
                runs.truncate(MAX_RUNS);
                if !flies && !runs.is_empty() && Instant::now() >= self.not_before {
                    due.push((chat.clone(), kind, runs));
                }
            }
        }
        for (chat, kind, runs) in due {
            let chat_id = chat.clone();
            let seqs = runs.iter().map(|r| SeqRange { first: r.first, last: r.last }).collect();
            let command = match kind {
                Kind::Delivered => Command::DeliveredAck(proto::DeliveredAck { chat_id, seqs }),
                Kind::Read => Command::ReadAck(proto::ReadAck { chat_id, seqs }),
            };
            let ack_id = self.ack_id();
            let flying = Flying::Marks { chat, kind, runs, asked: self.phone.now() };
            self.command(ack_id, command, Some(flying))?;
        }
        Ok(())
    }

    /// Puts chats on screen.
    pub(super) fn join(&mut self) -> Result<(), End> {
        if Instant::now() < self.not_before {
            return Ok(());
        }
        for chat_id in std::mem::take(&mut self.to_join) {
            let (ack_id, flying) = (self.ack_id(), Flying::Join(chat_id.clone()));
            self.command(ack_id, Command::JoinChat(proto::JoinChat { chat_id }), Some(flying))?;
        }
        Ok(())
    }

    /// A command has its answer.
    pub(super) fn answered(&mut self, ack: proto::Ack) {
        let (stream, ack_id) = (self.number, ack.ack_id.clone());
        self.phone.note(Entry::Answered { stream, ack_id });
        let Some(flying) = self.flying.remove(&ack.ack_id) else {
            if let Some(ack::Result::Error(error)) = &ack.result {
                let what = format!("{:?} of {:?}", error.reason(), ack.ack_id);
                self.phone.note(Entry::Wrong(what));
            }
            return;
        };
        match (flying, ack.result) {
            (flying, Some(ack::Result::Error(error))) => self.failed(flying, &error),
            (Flying::Send(send), Some(ack::Result::SendOutcome(outcome))) => {
                self.phone.note(stored(&send, &outcome));
                let mut disk = self.phone.disk.lock();
                disk.outbox.retain(|row| row.client_message_id != send.client_message_id);
                disk.sent.push(send);
            }
            (Flying::Marks { chat, kind, runs, asked }, Some(result)) => {
                let phone = &self.phone;
                let (of, marked) = (chat.clone(), runs.clone());
                phone.note(Entry::Marked { chat: of, kind, runs: marked });
                let mut disk = phone.disk.lock();
                let held = disk.chat(&chat);
                held.taken(&phone.owner.user, kind, &runs);
                if let ack::Result::ReadOutcome(left) = result {
                    let (count, last_seq) = (left.unread_count, left.last_seq);
                    held.counted(count, last_seq);
                    phone.note(Entry::Unread { chat, asked, count, last_seq });
                }
            }
            (Flying::Join(_), Some(ack::Result::Done(_))) => {}
            (_, other) => {
                let what = format!("{} was answered by {other:?}", ack.ack_id);
                self.phone.note(Entry::Wrong(what));
            }
        }
    }

    /// `retry_after`: the same again after that long; without it, it stays undone.
    fn failed(&mut self, flying: Flying, error: &proto::Error) {
        let after = error.retry_after.and_then(|after| Duration::try_from(after).ok());
        if let Some(after) = after {
            self.not_before = self.not_before.max(Instant::now() + after);
        }
        match flying {
            Flying::Send(send) if after.is_some() => {
                self.given.remove(&send.client_message_id);
            }
            Flying::Send(send) => {
                let (chat, id) = (send.chat_id, send.client_message_id);
                self.phone.disk.lock().outbox.retain(|row| row.client_message_id != id);
                self.phone.note(Entry::Refused { chat, id, why: format!("{error:?}") });
            }
            Flying::Join(chat) if after.is_some() => self.to_join.push(chat),
            Flying::Marks { .. } if after.is_some() => {}
            Flying::Marks { .. } | Flying::Join(_) => {
                self.phone.note(Entry::Wrong(format!("refused for good: {error:?}")));
            }
        }
    }
}
