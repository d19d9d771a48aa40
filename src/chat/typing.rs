//! Who writes now: told to sessions that have the chat on screen, never kept.
//!
//! Typing lapses by itself, ends with a message and with the session. More than one sign a second
//! is dropped in silence, as the contract says.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::time::DelayQueue;

use super::Service;
use super::access::chat_id;
use super::limits::{MAX_RECEIPT_MEMBERS, TYPING_LAPSE, TYPING_PAUSE, TYPING_QUEUE};
use crate::bus::To;
use crate::error::Result;
use crate::metrics::{self, Dropped};
use crate::model::{ChatId, SessionId, UserId};
use crate::proto::{self, node};
use crate::wire::{self, Told};

type Key = (ChatId, UserId);

/// Who writes on this node.
pub struct Typing {
    now: Mutex<HashMap<Key, Writing>>,
    lapses: mpsc::Sender<Key>,
}

struct Writing {
    since: Instant,
    until: Instant,
    session: Option<SessionId>,
}

/// The end that the watching task holds.
pub struct Lapses(mpsc::Receiver<Key>);

impl Typing {
    /// Nobody writes.
    pub fn new() -> (Self, Lapses) {
        let (lapses, watched) = mpsc::channel(TYPING_QUEUE);
        (Self { now: Mutex::default(), lapses }, Lapses(watched))
    }
}

impl Service {
    /// A user writes, or has stopped.
    pub async fn set_typing(
        self: &Arc<Self>,
        user: &UserId,
        chat: &str,
        typing: bool,
        session: Option<SessionId>,
    ) -> Result<()> {
        let chat = chat_id(chat)?;
        let seated = self.seated(user, chat).await?;
        let typing = typing && !self.is_cut(user, &seated.roster).await?;
        self.types(chat, user, typing, session);
        Ok(())
    }

    /// What two write to each other is shown no more, nor that it ends: there is a block.
    pub(super) fn forget_typing(&self, one: &UserId, other: &UserId) {
        let of_two = |(chat, user): &Key| {
            let with = if user == one { other } else { one };
            (user == one || user == other)
                && self
                    .rosters
                    .at_hand(*chat)
                    .is_some_and(|roster| roster.other(user) == Some(with))
        };
        self.typing.now.lock().retain(|key, _| !of_two(key));
    }

    /// A member writes, or has stopped.
    pub(crate) fn types(
        self: &Arc<Self>,
        chat: ChatId,
        user: &UserId,
        typing: bool,
        session: Option<SessionId>,
    ) {
        if !typing {
            self.typing_ends(chat, user);
        } else if self.typing_begins(chat, user, session) {
            self.show_typing(chat, user, true);
            if self.bus.has_peers() {
                let (service, user) = (Arc::clone(self), user.clone());
                self.tasks.spawn(async move { service.publish_typing(chat, user).await });
            }
        }
    }

    /// `false`: it is dropped.
    fn typing_begins(&self, chat: ChatId, user: &UserId, session: Option<SessionId>) -> bool {
        let now = Instant::now();
        let key = (chat, user.clone());
        let mut writing = self.typing.now.lock();
        match writing.get(&key) {
            Some(known) if now < known.since + TYPING_PAUSE => return false,
            // A full queue drops it: typing is the first thing that gives way.
            None if self.typing.lapses.try_send(key.clone()).is_err() => {
                metrics::events_dropped().of(Dropped::Typing).inc();
                return false;
            }
            Some(_) | None => {}
        }
        writing.insert(key, Writing { since: now, until: now + TYPING_LAPSE, session });
        true
    }

    /// A message was sent, or the user has stopped, or is no member any more.
    pub(crate) fn typing_ends(&self, chat: ChatId, user: &UserId) {
        let ended = self.typing.now.lock().remove(&(chat, user.clone()));
        if ended.is_some() {
            self.show_typing(chat, user, false);
            self.publish_typing_end(chat, user);
        }
    }

    /// A session has ended, and with it what it was writing.
    pub(crate) fn session_stops_typing(&self, session: SessionId) {
        let ended: Vec<Key> = {
            let mut writing = self.typing.now.lock();
            let of = |writing: &Writing| writing.session == Some(session);
            let ended = writing.iter().filter(|(_, w)| of(w)).map(|(key, _)| key.clone()).collect();
            writing.retain(|_, w| !of(w));
            ended
        };
        for (chat, user) in ended {
            self.show_typing(chat, &user, false);
            self.publish_typing_end(chat, &user);
        }
    }

    /// Ends typing that nobody renews.
    pub(super) async fn watch_typing(self: Arc<Self>, lapses: Lapses) {
        let mut started = lapses.0;
        let mut timers: DelayQueue<Key> = DelayQueue::new();
        loop {
            tokio::select! {
                key = started.recv() => match key {
                    Some(key) => { timers.insert(key, TYPING_LAPSE); }
                    None => return,
                },
                Some(key) = timers.next(), if !timers.is_empty() => {
                    let key = key.into_inner();
                    let until = self.typing.now.lock().get(&key).map(|writing| writing.until);
                    match until {
                        None => {}
                        Some(until) if until > Instant::now() => { timers.insert_at(key, until); }
                        Some(_) => self.typing_ends(key.0, &key.1),
                    }
                }
            }
        }
    }

    async fn publish_typing(&self, chat: ChatId, user: UserId) {
        let to = match self.rosters.at_hand(chat) {
            Some(roster) if roster.seats().len() <= MAX_RECEIPT_MEMBERS => {
                self.nodes_of(&roster.users()).await
            }
            _ => To::All,
        };
        let key = (chat, user);
        // The end of it may have gone out meanwhile, and must be the last that is heard.
        let writing = self.typing.now.lock();
        if writing.contains_key(&key) {
            let (chat_id, user_id) = (chat.to_string(), key.1.to_string());
            let typing = node::Typing { chat_id, user_id, typing: true };
            self.publish(to, node::envelope::Body::Typing(typing));
        }
    }

    /// That typing ended goes to all nodes: it is rare, and must not wait for anything.
    fn publish_typing_end(&self, chat: ChatId, user: &UserId) {
        let typing =
            node::Typing { chat_id: chat.to_string(), user_id: user.to_string(), typing: false };
        self.publish(To::All, node::envelope::Body::Typing(typing));
    }

    /// Shows it to the sessions here that look, but the writer's own.
    pub(super) fn show_typing(&self, chat: ChatId, user: &UserId, typing: bool) {
        let listeners = self.hub.on_screen(chat);
        if listeners.is_empty() {
            return;
        }
        let event =
            proto::UserTyping { chat_id: chat.to_string(), user_id: user.to_string(), typing };
        let told =
            Arc::new(Told::Typing(wire::event_frame(proto::event::Event::UserTyping(event))));
        for listener in listeners.iter().filter(|listener| listener.who.user != *user) {
            listener.tell(&told);
        }
    }
}
