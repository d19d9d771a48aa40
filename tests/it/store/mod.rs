//! The contract of [`Store`], a test per sentence, on every backend.
//!
//! A test is an async function that takes a [`Bench`]; `on_every_store!` makes one test a backend
//! of it. Each call of a test goes to the next node of the bench, so that what one node has
//! answered is asked of another.

#![expect(clippy::unwrap_used, reason = "a test that unwraps an error has found one")]

mod append;
mod backends;
mod changes;
mod chats;
mod content;
mod devices;
mod files;
mod groups;
mod history;
mod jobs;
mod listed;
mod notices;
mod owned;
mod people;
mod receipts;
mod search;
mod services;
mod settings;
mod sqlite;
mod unread;
mod users;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adda::clock::{Clock, Timestamp};
use adda::model::{
    Chat, ChatId, ChatKind, Message, MessageId, NoteKind, Role, Run, Seq, SystemNote, UserId,
};
use adda::store::{Created, NewChat, NewMessage, Store};

/// Makes a test of each function, for each backend.
macro_rules! on_every_store {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let bench = crate::store::backends::sqlite().await;
                    super::$name(&bench).await;
                    bench.close().await;
                }
            )+
        }
        mod mongo {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(bench) = crate::store::backends::mongo().await {
                        super::$name(&bench).await;
                        bench.close().await;
                    }
                }
            )+
        }
    };
}
use on_every_store;

/// A store with nothing in it, and what a test needs to use it.
struct Bench {
    /// The nodes: all on the same data.
    stores: Vec<Arc<dyn Store>>,
    clock: Arc<dyn Clock>,
    turn: AtomicUsize,
    /// Holds the data.
    _dir: Option<tempfile::TempDir>,
}

impl Bench {
    fn new(
        stores: Vec<Arc<dyn Store>>,
        clock: Arc<dyn Clock>,
        dir: Option<tempfile::TempDir>,
    ) -> Self {
        Self { stores, clock, turn: AtomicUsize::new(0), _dir: dir }
    }

    /// The next node.
    fn node(&self) -> &Arc<dyn Store> {
        &self.stores[self.turn.fetch_add(1, Ordering::Relaxed) % self.stores.len()]
    }

    async fn close(&self) {
        for store in &self.stores {
            store.close().await;
        }
    }

    fn chat_id(&self) -> ChatId {
        ChatId(self.clock.new_id())
    }

    /// A message of `sender` that was not sent yet.
    fn message(&self, chat: ChatId, sender: &str, client_id: &str) -> NewMessage {
        NewMessage {
            id: MessageId(self.clock.new_id()),
            chat,
            sender: Some(user(sender)),
            client_message_id: client_id.to_owned(),
            content_hash: [1; 16],
            text: format!("{client_id} of {sender}"),
            attachments: Vec::new(),
            reply_to: None,
            mentions: Vec::new(),
            words: Vec::new(),
            note: None,
            member_as_of: 0,
        }
    }

    /// A system note that was not appended yet.
    fn note(&self, chat: ChatId, kind: NoteKind, client_id: &str) -> NewMessage {
        let note = SystemNote {
            kind,
            actor: Some(user("ana")),
            users: vec![user("bob"), user("cem")],
            title: "Adda \u{1f375}".to_owned(),
        };
        NewMessage {
            sender: None,
            text: String::new(),
            note: Some(note),
            ..self.message(chat, "ana", client_id)
        }
    }

    /// Appends a message under a new `client_message_id`.
    async fn send(&self, chat: ChatId, sender: &str) -> Message {
        let client_id = self.clock.new_id().to_string();
        self.append(self.message(chat, sender, &client_id)).await
    }

    /// Appends what is new.
    async fn append(&self, message: NewMessage) -> Message {
        let appended = self.node().append(message).await.expect("it can be appended");
        assert!(!appended.duplicate);
        appended.message.as_ref().clone()
    }

    /// A group without a key and without a note.
    fn new_group(&self, members: &[&str]) -> NewChat {
        let id = self.chat_id();
        NewChat {
            key: None,
            id,
            content_hash: [2; 16],
            chat: Chat {
                id,
                kind: ChatKind::Group,
                title: "ওপার বাংলা".to_owned(),
                avatar_url: "https://example.com/a.png".to_owned(),
                created_by: user(members[0]),
                member_count: u32::try_from(members.len()).unwrap(),
                revision: 1,
                deleted_at: None,
                untold: false,
            },
            members: members
                .iter()
                .enumerate()
                .map(|(at, name)| (user(name), if at == 0 { Role::Owner } else { Role::Member }))
                .collect(),
            note: None,
        }
    }

    /// The direct chat of two users, not yet made.
    fn new_direct(&self, a: &str, b: &str) -> NewChat {
        let mut new = self.new_group(&[a, b]);
        new.key = Some(format!("d|{}|{}", a.min(b), a.max(b)));
        new.chat.kind = ChatKind::Direct;
        new.chat.title.clear();
        new.chat.avatar_url.clear();
        new.members.iter_mut().for_each(|(_, role)| *role = Role::Member);
        new
    }

    /// Makes a chat that is new.
    async fn create(&self, new: NewChat) -> ChatId {
        match self.node().create_chat(new).await.unwrap() {
            Created::Chat(chat, true) => chat.id,
            other => panic!("not made: {other:?}"),
        }
    }

    /// A group that is there.
    async fn group(&self, members: &[&str]) -> ChatId {
        self.create(self.new_group(members)).await
    }

    /// A time of the store that all before is before, and all to come is not.
    async fn later(&self) -> Timestamp {
        let store = self.node();
        let before = store.now().await.unwrap();
        loop {
            let now = store.now().await.unwrap();
            // Two grains: nodes may round.
            if now.0 > before.0 + 1 {
                return now;
            }
            tokio::task::yield_now().await;
        }
    }

    /// All messages of a chat, oldest first.
    async fn all(&self, chat: ChatId) -> Vec<Message> {
        let span = adda::store::Span::After(0);
        self.node().history(chat, span, 1, 100_000).await.unwrap()
    }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a name")
}

fn run(first: Seq, last: Seq) -> Run {
    Run::new(first, last).expect("a run")
}

/// In order, for comparing what comes in no order.
fn sorted<T: Ord>(list: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut list: Vec<T> = list.into_iter().collect();
    list.sort_unstable();
    list
}

fn seqs(messages: &[Message]) -> Vec<Seq> {
    messages.iter().map(|message| message.seq).collect()
}
