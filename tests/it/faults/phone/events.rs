//! What comes down, merged as it comes.

use std::sync::Arc;

use adda::proto;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;

use super::super::record::{Entry, Kind, Message};
use super::disk::{plain, runs};
use super::pages;
use super::stream::{End, Line};

impl Line {
    pub(super) fn came(&mut self, frame: Frame) -> Result<(), End> {
        match frame {
            Frame::CaughtUp(_) => {
                self.caught_up = true;
                self.phone.note(Entry::CaughtUp { stream: self.number });
            }
            Frame::Checkpoint(checkpoint) => {
                let token = checkpoint.resume_token.to_vec();
                if self.lists || !self.filling.is_empty() {
                    self.later = Some(token);
                } else {
                    self.phone.disk.lock().token = token;
                }
            }
            Frame::Ack(ack) => self.answered(ack),
            Frame::Event(event) => {
                if let Some(event) = event.event {
                    self.event(event);
                }
            }
            Frame::Heartbeat(_) => {}
            Frame::Ready(_) => self.phone.note(Entry::Wrong("a second Ready".to_owned())),
            Frame::Close(close) => return Err(End::Close(close)),
        }
        Ok(())
    }

    fn event(&mut self, event: Event) {
        let phone = Arc::clone(&self.phone);
        match event {
            Event::MessageSent(sent) => {
                if let Some(message) = sent.message {
                    self.message(&message);
                }
            }
            Event::MessageEdited(edited) => {
                if let Some(message) = edited.message {
                    phone.disk.lock().chat(&message.chat_id).merge(&message);
                    self.changed(&message.chat_id, Some(plain(&message)));
                }
            }
            Event::MessageDelivered(it) => {
                self.heard(it.chat_id, it.user_id, Kind::Delivered, &it.seqs);
            }
            Event::MessageRead(it) => {
                if let (Some(count), Some(last)) = (it.unread_count, it.last_seq) {
                    phone.disk.lock().chat(&it.chat_id).counted(count, last);
                }
                self.heard(it.chat_id, it.user_id, Kind::Read, &it.seqs);
            }
            Event::UserOnline(it) => self.shown(it.user_id, true, it.since),
            Event::UserOffline(it) => self.shown(it.user_id, false, it.last_active),
            Event::ChatUpdated(it) => {
                if let Some(chat) = it.chat {
                    phone.disk.lock().chat(&chat.chat_id).members(&chat.members);
                }
            }
            Event::MessageDeleted(it) => {
                let held = phone.disk.lock().chat(&it.chat_id).deleted(&it);
                self.changed(&it.chat_id, held);
                if it.sender_id != phone.owner.user {
                    self.count_anew(it.chat_id, it.seq);
                }
            }
            Event::ReactionsUpdated(it) => {
                let held = phone.disk.lock().chat(&it.chat_id).reacted(&it);
                self.changed(&it.chat_id, held);
            }
            Event::UserTyping(_)
            | Event::NotificationCreated(_)
            | Event::UserUpdated(_)
            | Event::ChatSettingsUpdated(_)
            | Event::MessageHidden(_)
            | Event::BlockUpdated(_) => {}
        }
    }

    fn message(&mut self, message: &proto::Message) {
        let (chat, stream) = (message.chat_id.clone(), Some(self.number));
        let of = chat.clone();
        self.phone.note(Entry::Saw { stream, chat: of, message: plain(message) });
        let (solid, top) = {
            let mut disk = self.phone.disk.lock();
            let held = disk.chat(&chat);
            held.merge(message);
            (held.solid(), message.seq)
        };
        if solid < top && !self.lists && self.filling.insert(chat.clone()) {
            let phone = Arc::clone(&self.phone);
            self.pages.spawn(pages::hole(phone, self.api.clone(), chat, solid));
        }
    }

    /// A message is another now.
    fn changed(&self, chat: &str, message: Option<Message>) {
        if let Some(message) = message {
            self.phone.note(Entry::Saw { stream: None, chat: chat.to_owned(), message });
        }
    }

    /// Who had the message unread has one less, and asks how many are left.
    fn count_anew(&mut self, chat: String, seq: u32) {
        let job = format!("{chat} without {seq}");
        if !self.lists && self.filling.insert(job.clone()) {
            let phone = Arc::clone(&self.phone);
            self.pages.spawn(pages::count(phone, self.api.clone(), chat, job));
        }
    }

    fn heard(&mut self, chat: String, user: String, kind: Kind, seqs: &[proto::SeqRange]) {
        let runs = runs(seqs);
        self.phone.disk.lock().chat(&chat).add(&user, kind, runs.iter().copied());
        self.phone.note(Entry::Heard { chat, user, kind, runs });
    }

    fn shown(&mut self, user: String, online: bool, at: Option<prost_types::Timestamp>) {
        let at = at.map(|at| i128::from(at.seconds) * 1_000_000_000 + i128::from(at.nanos));
        if self.phone.disk.lock().presence(&user, online, at) {
            self.phone.note(Entry::Shown { user, online });
        }
    }

    /// Pages were read and merged; what waited for that goes on.
    pub(super) fn pages_read(&mut self, job: pages::Job) {
        match job {
            pages::Job::All => self.lists = false,
            pages::Job::Part(of) => {
                self.filling.remove(&of);
            }
        }
        if !self.lists
            && self.filling.is_empty()
            && let Some(token) = self.later.take()
        {
            self.phone.disk.lock().token = token;
        }
    }
}
