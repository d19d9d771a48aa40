//! The live sessions of this node: who is to be told.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, mpsc, oneshot};

use super::limits::{MAX_JOINED_CHATS, MAX_WATCHED, SESSION_INBOX};
use super::push::Written;
use crate::bus::Place;
use crate::clock::Timestamp;
use crate::model::{ChatId, DeviceId, NodeId, SessionId, UserId};
use crate::wire::Told;

/// What reaches the task of a session.
#[derive(Debug)]
pub enum Delivery {
    /// Something to hand to the device.
    Told(Arc<Told>),
    /// Something may have been missed since then: compare with the store.
    Compare(Timestamp),
    /// Comings and goings may have been missed: look who is there.
    LookAtPresence,
    /// End, as a newer stream is there.
    Superseded,
    /// End, as the user was signed out.
    Revoked,
    /// A unary call for this session. Boxed, for it is rare, and each stream has room for 32 of these.
    Call(Box<(SessionCommand, oneshot::Sender<Timestamp>)>),
}

/// What a unary call asks of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// The chat comes on screen.
    Join(ChatId),
    /// It leaves the screen.
    Leave(ChatId),
    /// The user writes there, or has stopped.
    Typing(ChatId, bool),
    /// A sign of life, whether in the background, and when the call's token expires.
    Heartbeat {
        /// Unset: as before.
        background: Option<bool>,
        /// `exp` of the token of the call.
        token_expires_at: Timestamp,
    },
}

/// Who opened a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user.
    pub user: UserId,
    /// The stream.
    pub session: SessionId,
    /// The device.
    pub device: DeviceId,
    /// The running copy of the client; empty: the device runs one.
    pub instance: String,
    /// Of two streams of one device and instance the higher stays; 0: the later.
    pub generation: u32,
}

/// A session, as the rest of the node sees it. The task of the session holds the other end.
#[derive(Debug)]
pub struct Listener {
    /// Who opened it.
    pub who: Who,
    inbox: mpsc::Sender<Delivery>,
    /// Set when the inbox was full: the session's task ends it as a slow consumer.
    overflowed: AtomicBool,
    overflow: Notify,
    place: Mutex<Place>,
    /// What it was last asked to be; its place follows.
    background: AtomicBool,
    /// One change of its place at a time. True: it has ended, and has no place any more.
    pub(super) ended: tokio::sync::Mutex<bool>,
    /// The place was written to presence, or could not be: renewals carry it from now on.
    settled: AtomicBool,
    /// Whom the device holds for online, on which node, and since when.
    watched: Mutex<HashMap<UserId, (NodeId, Timestamp)>>,
    /// What the stream was given last.
    pub(super) written: Written,
}

impl Listener {
    /// A listener and the end that its task holds.
    pub fn new(who: Who, place: Place) -> (Arc<Self>, mpsc::Receiver<Delivery>) {
        let (inbox, outlet) = mpsc::channel(SESSION_INBOX);
        let listener = Self {
            who,
            background: AtomicBool::new(!place.foreground),
            ended: tokio::sync::Mutex::new(false),
            inbox,
            overflowed: AtomicBool::new(false),
            overflow: Notify::new(),
            place: Mutex::new(place),
            settled: AtomicBool::new(false),
            watched: Mutex::default(),
            written: Written::default(),
        };
        (Arc::new(listener), outlet)
    }

    /// Hands something over without waiting. A full inbox ends the session.
    pub fn deliver(&self, delivery: Delivery) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.inbox.try_send(delivery)
            && !self.overflowed.swap(true, Ordering::AcqRel)
        {
            self.overflow.notify_one();
        }
    }

    /// Tells something.
    pub fn tell(&self, told: &Arc<Told>) {
        self.deliver(Delivery::Told(Arc::clone(told)));
    }

    /// Waits until the inbox was full once.
    pub async fn overflowed(&self) {
        while !self.overflowed.load(Ordering::Acquire) {
            self.overflow.notified().await;
        }
    }

    /// As it stands in presence.
    pub fn place(&self) -> Place {
        self.place.lock().clone()
    }

    /// Changes how it stands in presence; answers what it was.
    pub fn set_place(&self, place: Place) -> Place {
        std::mem::replace(&mut self.place.lock(), place)
    }

    /// Renewals of presence carry the place from now on.
    pub fn settle(&self) {
        self.settled.store(true, Ordering::Release);
    }

    /// Whether renewals of presence carry the place.
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// Whether it is in the background.
    pub fn in_background(&self) -> bool {
        self.background.load(Ordering::Acquire)
    }

    /// Puts it there, or takes it back; answers where it was.
    pub fn set_background(&self, background: bool) -> bool {
        self.background.swap(background, Ordering::AcqRel)
    }

    /// Notes that the device was told this user to be online on that node since then, or to be
    /// there no more (`None`). False: that comes too late, and is undone by what the device was told
    /// before; one that does not say when must not reach it.
    pub fn watch(&self, user: &UserId, node: Option<&NodeId>, since: Timestamp) -> bool {
        let mut watched = self.watched.lock();
        match node {
            Some(node) if watched.len() < MAX_WATCHED || watched.contains_key(user) => {
                watched.insert(user.clone(), (node.clone(), since));
            }
            Some(_) => {}
            None if watched.get(user).is_some_and(|(_, known)| since < *known) => return false,
            None => {
                watched.remove(user);
            }
        }
        true
    }

    /// Watches only those whom `keep` wants.
    pub fn unwatch(&self, keep: impl Fn(&UserId) -> bool) {
        self.watched.lock().retain(|user, _| keep(user));
    }

    /// Whom the device holds for online, on which node, and since when.
    pub fn watched(&self) -> Vec<(UserId, NodeId, Timestamp)> {
        let watched = self.watched.lock();
        watched.iter().map(|(user, (node, since))| (user.clone(), node.clone(), *since)).collect()
    }
}

/// All sessions of this node.
#[derive(Debug, Default)]
pub struct Hub {
    users: RwLock<HashMap<UserId, Vec<Arc<Listener>>>>,
    sessions: RwLock<HashMap<SessionId, Arc<Listener>>>,
    screens: RwLock<HashMap<ChatId, Vec<Arc<Listener>>>>,
}

impl Hub {
    /// Takes a session in: it is told from now on.
    pub fn enter(&self, listener: &Arc<Listener>) {
        let who = &listener.who;
        self.users.write().entry(who.user.clone()).or_default().push(Arc::clone(listener));
        self.sessions.write().insert(who.session, Arc::clone(listener));
    }

    /// Takes a session out.
    pub fn leave(&self, listener: &Arc<Listener>, joined: impl IntoIterator<Item = ChatId>) {
        for chat in joined {
            self.leave_screen(chat, listener);
        }
        let who = &listener.who;
        self.sessions.write().remove(&who.session);
        let mut users = self.users.write();
        if let Some(own) = users.get_mut(&who.user) {
            own.retain(|other| other.who.session != who.session);
            if own.is_empty() {
                users.remove(&who.user);
            }
        }
    }

    /// The sessions of a user here.
    pub fn of(&self, user: &UserId) -> Vec<Arc<Listener>> {
        self.users.read().get(user).cloned().unwrap_or_default()
    }

    /// Calls `tell` for each session here of each of these users.
    pub fn each<'u>(
        &self,
        of: impl IntoIterator<Item = &'u UserId>,
        mut tell: impl FnMut(&Arc<Listener>),
    ) {
        let users = self.users.read();
        if users.is_empty() {
            return;
        }
        for user in of {
            users.get(user).into_iter().flatten().for_each(&mut tell);
        }
    }

    /// Whether any of these users has a session here.
    pub fn has_any<'u>(&self, of: impl IntoIterator<Item = &'u UserId>) -> bool {
        let users = self.users.read();
        !users.is_empty() && of.into_iter().any(|user| users.contains_key(user))
    }

    /// One session.
    pub fn session(&self, id: SessionId) -> Option<Arc<Listener>> {
        self.sessions.read().get(&id).cloned()
    }

    /// All sessions.
    pub fn all(&self) -> Vec<Arc<Listener>> {
        self.sessions.read().values().cloned().collect()
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.read().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.read().is_empty()
    }

    /// The session has the chat on screen. `joined` is its own list, oldest first; the chat that
    /// gives way to this one is left.
    pub fn join_screen(&self, chat: ChatId, joined: &mut Vec<ChatId>, listener: &Arc<Listener>) {
        if joined.contains(&chat) {
            return;
        }
        if joined.len() >= MAX_JOINED_CHATS {
            self.leave_screen(joined.remove(0), listener);
        }
        joined.push(chat);
        self.screens.write().entry(chat).or_default().push(Arc::clone(listener));
    }

    /// The session has the chat on screen no more.
    pub fn leave_screen(&self, chat: ChatId, listener: &Arc<Listener>) {
        let mut screens = self.screens.write();
        if let Some(on) = screens.get_mut(&chat) {
            on.retain(|other| other.who.session != listener.who.session);
            if on.is_empty() {
                screens.remove(&chat);
            }
        }
    }

    /// Sessions that have the chat on screen.
    pub fn on_screen(&self, chat: ChatId) -> Vec<Arc<Listener>> {
        self.screens.read().get(&chat).cloned().unwrap_or_default()
    }
}
