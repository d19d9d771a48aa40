//! A client that follows the README and nothing else, and keeps a diary.
//!
//! One task has the stream and comes back for as long as the phone lives; whoever holds the
//! [`Phone`] writes messages into its outbox, has its user read, and does it harm.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adda::model::Run;
use adda::proto;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::record::{At, Device, Entry, Way};

mod commands;
pub(crate) mod disk;
mod events;
mod pages;
mod stream;

use disk::Disk;

/// How long a phone waits before it comes back: the README's times, or the same made short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    /// A stream that lived so long begins the pauses anew.
    pub(crate) anew: Duration,
}

/// Who a phone is, and where it may go.
pub(crate) struct Owner {
    pub(crate) user: String,
    pub(crate) device: String,
    pub(crate) ways: Vec<(Way, SocketAddr)>,
    pub(crate) pauses: Pauses,
    /// Groups it has on screen.
    pub(crate) screen: Vec<String>,
}

/// What is asked of a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To be there.
    Here,
    /// To leave as a client does that leaves for good.
    Leave,
    /// To die where it stands.
    Die,
    /// Not to read what comes.
    NotRead,
}

/// One device.
pub(crate) struct Phone {
    pub(crate) owner: Owner,
    began: Instant,
    diary: Mutex<Vec<(At, Entry)>>,
    pub(crate) disk: Mutex<Disk>,
    wake: Notify,
    asked: watch::Sender<Asked>,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Phone {
    /// A phone that comes at once. `began`: when the run did.
    pub(crate) fn start(owner: Owner, began: Instant) -> Arc<Self> {
        let phone = Arc::new(Self {
            owner,
            began,
            diary: Mutex::default(),
            disk: Mutex::default(),
            wake: Notify::new(),
            asked: watch::Sender::new(Asked::Here),
            task: Mutex::default(),
        });
        let task = tokio::spawn(stream::live(Arc::clone(&phone)));
        *phone.task.lock() = Some(AbortOnDropHandle::new(task));
        phone
    }

    /// Ends it for good.
    pub(crate) fn end(&self) {
        self.task.lock().take();
    }

    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.owner.user, self.owner.device)
    }

    /// The time of the run.
    pub(crate) fn now(&self) -> At {
        self.began.elapsed()
    }

    fn note(&self, entry: Entry) {
        // The time is taken under the lock, so that the lines are in order.
        let mut diary = self.diary.lock();
        diary.push((self.now(), entry));
    }

    /// Asks something of it.
    pub(crate) fn ask(&self, asked: Asked) {
        self.asked.send_replace(asked);
    }

    /// Puts a message into the outbox.
    pub(crate) fn write(&self, chat: &str, id: &str, text: &str) {
        let (chat, id) = (chat.to_owned(), id.to_owned());
        self.note(Entry::Wrote { chat: chat.clone(), id: id.clone(), text: text.to_owned() });
        self.disk.lock().outbox.push(proto::MessageSend {
            chat_id: chat,
            client_message_id: id,
            text: text.to_owned(),
            ..proto::MessageSend::default()
        });
        self.wake.notify_one();
    }

    /// An own message is about to be edited.
    pub(crate) fn edits(&self, chat: &str, id: &str, text: &str) {
        let (chat, id, text) = (chat.to_owned(), id.to_owned(), text.to_owned());
        self.note(Entry::Editing { chat, id, text });
    }

    /// The user sees these messages of a chat.
    pub(crate) fn read(&self, chat: &str, run: Run) {
        if let Some(held) = self.disk.lock().chats.get_mut(chat) {
            held.seen.insert(run);
        }
    }

    /// A send was answered by another way than the stream.
    pub(crate) fn answered_again(&self, send: &proto::MessageSend, outcome: &proto::SendOutcome) {
        self.note(stored(send, outcome));
    }

    /// What is written down so far.
    pub(crate) fn device(&self) -> Device {
        Device {
            name: self.name(),
            user: self.owner.user.clone(),
            entries: self.diary.lock().clone(),
            picture: self.disk.lock().picture(&self.owner.user),
        }
    }

    /// Looks at the diary.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&[(At, Entry)]) -> T) -> T {
        at(&self.diary.lock())
    }
}

fn stored(send: &proto::MessageSend, outcome: &proto::SendOutcome) -> Entry {
    Entry::Stored {
        chat: send.chat_id.clone(),
        id: send.client_message_id.clone(),
        seq: outcome.seq,
        message_id: outcome.message_id.clone(),
    }
}
