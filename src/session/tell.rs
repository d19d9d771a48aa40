//! What a stream is told: first what it lacks, then what happens, each message once and in its
//! turn.

use std::sync::Arc;

use tracing::Instrument as _;
use uuid::Uuid;

use super::Weight;
use super::end::{End, slow};
use super::run::Session;
use super::sends::Next;
use crate::chat::hub::{Delivery, SessionCommand};
use crate::chat::limits::{HELD_EVENTS, REPLAY_CHECKPOINT_EVERY};
use crate::chat::replay::{self, Broken};
use crate::clock::Timestamp;
use crate::metrics::{self, Queue};
use crate::model::{ChatId, MessageId, Seq};
use crate::proto::{self, CloseReason, server_frame::Frame};
use crate::wire::{self, About, Told};

impl Session {
    /// Something came from the rest of the node.
    pub(super) fn delivered(&mut self, delivery: Delivery) -> Result<(), End> {
        match delivery {
            Delivery::Told(told) if self.replay.is_some() => {
                if self.held.len() >= HELD_EVENTS {
                    return Err(slow(Queue::Held));
                }
                self.held.push_back(told);
                Ok(())
            }
            Delivery::Told(told) => self.tell(told),
            Delivery::Compare(since) => {
                self.compare_with_store(Some(since));
                Ok(())
            }
            Delivery::LookAtPresence => {
                self.look_at_presence();
                Ok(())
            }
            Delivery::Superseded => Err(End::Close(
                CloseReason::Superseded,
                "a newer stream of this device and instance is there",
            )),
            Delivery::Revoked => {
                Err(End::Close(CloseReason::SessionRevoked, "the user was signed out"))
            }
            Delivery::Call(call) => {
                let (command, answer) = *call;
                self.called(command);
                // Who called may have given up.
                let _gave_up = answer.send(self.token_expires_at);
                Ok(())
            }
        }
    }

    fn called(&mut self, command: SessionCommand) {
        self.heard = tokio::time::Instant::now();
        match command {
            SessionCommand::Join(chat) => self.join(chat),
            SessionCommand::Leave(chat) => self.leave(chat),
            SessionCommand::Typing(chat, typing) => {
                let who = &self.listener.who;
                self.service.types(chat, &who.user, typing, Some(who.session));
            }
            SessionCommand::Heartbeat { background, token_expires_at } => {
                self.token_expires_at = self.token_expires_at.max(token_expires_at);
                self.background(background);
            }
        }
    }

    /// Tells something that happens now.
    fn tell(&mut self, told: Arc<Told>) -> Result<(), End> {
        if !self.may_tell(&told) {
            return Ok(());
        }
        let Told::Message { chat, seq, .. } = *told else { return self.tell_other(&told) };
        let taken = self.taken_up_to(chat);
        if taken.is_some_and(|taken| seq > taken + 1) {
            // A hole that the node's feed did not see: the store has what lacks.
            self.held.push_back(told);
            self.compare_with_store(None);
            return Ok(());
        }
        self.tell_in_turn(told, taken)
    }

    /// Whether the device may be told this. Whoever is told to be no member loses all that the
    /// stream has of the chat.
    fn may_tell(&mut self, told: &Told) -> bool {
        let about = told.frame().about();
        let may = self.standing.admits(about);
        if let (About::Gone(chat, _), true) = (about, may) {
            self.position.forget(chat);
            self.service.typing_ends(chat, &self.listener.who.user);
            self.leave(chat);
            self.unwatch();
        }
        may
    }

    /// Those whom only a chat of the past has shown are watched no more.
    fn unwatch(&self) {
        let (service, listener) = (Arc::clone(&self.service), Arc::clone(&self.listener));
        let joined = self.joined.clone();
        self.service.tasks.spawn(
            async move {
                if let Err(error) = service.unwatch_strangers(&listener, &joined).await {
                    tracing::warn!(%error, "a stream watches whom it should not");
                }
            }
            .in_current_span(),
        );
    }

    /// Tells a message, unless all up to it was taken: after its Ack, if it is of this stream.
    fn tell_in_turn(&mut self, told: Arc<Told>, taken: Option<Seq>) -> Result<(), End> {
        let Told::Message { chat, seq, id, .. } = *told else { return Ok(()) };
        if taken.is_some_and(|taken| seq <= taken) {
            return Ok(());
        }
        let mut name = Uuid::encode_buffer();
        let name = chat.text(&mut name);
        let outcome = || outcome_of(id, seq);
        if let Some(told) = self.sends.passes(name, id, outcome, told) {
            return self.tell_message(&told);
        }
        self.advance(name)
    }

    /// The last message of a chat that was told, or waits for an Ack to be told.
    fn taken_up_to(&self, chat: ChatId) -> Option<Seq> {
        let held = self.sends.holds_up_to(chat.text(&mut Uuid::encode_buffer()));
        held.or_else(|| self.position.reached(chat))
    }

    /// Answers and tells what may be by now in this chat.
    pub(super) fn advance(&mut self, chat: &str) -> Result<(), End> {
        while let Some(next) = self.sends.next(chat) {
            match next {
                Next::Ack(ack_id, outcome) => self.answer_send(ack_id, *outcome)?,
                Next::Tell(told) => self.tell_message(&told)?,
            }
        }
        Ok(())
    }

    fn tell_message(&mut self, told: &Told) -> Result<(), End> {
        let Told::Message { chat, seq, id, frame } = told else { return Ok(()) };
        if self.standing.is_gone(*chat) {
            // It has waited for its Ack meanwhile.
            return Ok(());
        }
        self.push(frame.clone(), Weight::Must)?;
        self.position.reach(*chat, *seq, *id);
        self.service.note_written(&self.listener, *chat, *seq, self.said);
        self.checkpoint_soon();
        Ok(())
    }

    fn tell_other(&mut self, told: &Told) -> Result<(), End> {
        let in_background = self.listener.in_background();
        match told {
            Told::Message { .. } => Ok(()),
            Told::Change(frame) => {
                self.push(frame.clone(), Weight::Must)?;
                self.checkpoint_soon();
                Ok(())
            }
            Told::Typing(_) | Told::Presence { .. } if in_background => Ok(()),
            Told::Typing(frame) => self.push(frame.clone(), Weight::Light),
            Told::Presence { user, node, at, frame } => {
                if self.listener.watch(user, node.as_ref(), *at) {
                    return self.push(frame.clone(), Weight::Light);
                }
                Ok(())
            }
        }
    }

    /// A replay has brought something, or has come to its end.
    pub(super) fn replayed(&mut self, replayed: Option<Result<Told, Broken>>) -> Result<(), End> {
        match replayed {
            Some(Ok(told)) => self.tell_replayed(told),
            Some(Err(Broken::Store(error))) => {
                tracing::warn!(session = %self.listener.who.session, %error, "a replay failed");
                Err(End::Close(CloseReason::Unavailable, "the store went away during the replay"))
            }
            Some(Err(Broken::Panicked(_))) => {
                Err(End::Close(CloseReason::Internal, "a fault of the server"))
            }
            Some(Err(Broken::TooMuch)) => {
                Err(End::Close(CloseReason::Move, "too much was missed for this stream"))
            }
            None => self.replay_ends(),
        }
    }

    fn tell_replayed(&mut self, told: Told) -> Result<(), End> {
        if !self.may_tell(&told) {
            return Ok(());
        }
        match &told {
            Told::Message { chat, .. } => {
                let taken = self.taken_up_to(*chat);
                self.tell_in_turn(Arc::new(told), taken)?;
            }
            other => self.tell_other(other)?,
        }
        let Some(replay) = &mut self.replay else { return Ok(()) };
        replay.events += 1;
        if replay.events >= REPLAY_CHECKPOINT_EVERY {
            replay.events = 0;
            self.checkpoint()?;
        }
        Ok(())
    }

    fn replay_ends(&mut self) -> Result<(), End> {
        let Some(replay) = self.replay.take() else { return Ok(()) };
        if let Some(position) = replay.caught_up {
            self.position = position;
            self.was_caught_up = true;
            self.say(Frame::CaughtUp(proto::CaughtUp {}))?;
            self.checkpoint()?;
            self.show_online_peers();
        }
        while let Some(told) = self.held.pop_front() {
            self.tell(told)?;
            if self.replay.is_some() {
                return Ok(());
            }
        }
        if std::mem::take(&mut self.compare_again) {
            let changes = self.changes_since.take();
            self.compare_with_store(changes);
        }
        Ok(())
    }

    fn show_online_peers(&mut self) {
        let direct = std::mem::take(&mut self.direct);
        if self.listener.in_background() {
            return;
        }
        let (service, listener) = (Arc::clone(&self.service), Arc::clone(&self.listener));
        self.service.tasks.spawn(
            async move {
                if let Err(error) = service.show_online_peers(&listener, &direct).await {
                    tracing::warn!(%error, "cannot tell a stream who is online");
                }
            }
            .in_current_span(),
        );
    }

    fn look_at_presence(&self) {
        let (service, listener) = (Arc::clone(&self.service), Arc::clone(&self.listener));
        let joined = self.joined.clone();
        self.service.tasks.spawn(async move {
            if let Err(error) = service.show_presence_missed(&listener, &joined).await {
                tracing::warn!(%error, "cannot tell a stream who came and went");
            }
        });
    }

    /// Looks in the store for what this stream was not told. What happens meanwhile waits.
    pub(super) fn compare_with_store(&mut self, changes: Option<Timestamp>) {
        metrics::compares().inc();
        if self.replay.is_some() {
            // One that is under way may have looked too early.
            self.compare_again = true;
            self.changes_since = match (self.changes_since, changes) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (one, other) => one.or(other),
            };
            return;
        }
        let (to, from) = tokio::sync::mpsc::channel(64);
        let user = self.listener.who.user.clone();
        let service = Arc::clone(&self.service);
        let look = service.compare(user, self.position.clone(), changes, to.clone());
        self.service.tasks.spawn(replay::read(look, to).in_current_span());
        self.resume_from(from);
    }

    pub(super) fn join(&mut self, chat: ChatId) {
        if self.standing.is_gone(chat) {
            return;
        }
        let listener = Arc::clone(&self.listener);
        self.service.hub.join_screen(chat, &mut self.joined, &listener);
        let service = Arc::clone(&self.service);
        self.service.tasks.spawn(
            async move {
                if let Err(error) = service.show_online_in(&listener, chat).await {
                    tracing::debug!(%error, "cannot tell a stream who is online in a chat");
                }
            }
            .in_current_span(),
        );
    }

    pub(super) fn leave(&mut self, chat: ChatId) {
        self.joined.retain(|joined| *joined != chat);
        self.service.hub.leave_screen(chat, &self.listener);
    }

    pub(super) fn background(&mut self, background: Option<bool>) {
        let Some(background) = background else { return };
        if background == self.listener.set_background(background) {
            return;
        }
        let (service, listener) = (Arc::clone(&self.service), Arc::clone(&self.listener));
        let joined = self.joined.clone();
        self.service.tasks.spawn(
            async move {
                service.change_ground(&listener).await;
                if let Err(error) = service.show_presence_anew(&listener, &joined).await {
                    tracing::warn!(%error, "cannot tell a stream who is online");
                }
            }
            .in_current_span(),
        );
    }
}

fn outcome_of(id: MessageId, seq: Seq) -> proto::SendOutcome {
    proto::SendOutcome {
        message_id: id.to_string(),
        seq,
        created_at: Some(wire::timestamp(id.time())),
        duplicate: false,
    }
}

#[cfg(test)]
#[path = "tell_tests.rs"]
mod tests;
