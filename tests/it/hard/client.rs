//! A client that behaves as its contract tells: it keeps what came, acknowledges what it keeps,
//! comes back with its newest token, and sends again what was not answered, under the same ids.
//!
//! It records what each stream brought, so that a test can say at the end: nothing is missing,
//! and on no stream did anything come twice or out of turn.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adda::model::{Run, SeqSet};
use adda::proto;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::stream;

/// How long a test waits for a device to come to something.
const PATIENCE: Duration = Duration::from_secs(60);

/// One device of a user, which comes back for as long as it is not dropped.
pub(crate) struct Device {
    pub(crate) phone: Arc<Phone>,
    _task: AbortOnDropHandle<()>,
}

/// What a device is and has; its task holds the other end.
pub(crate) struct Phone {
    pub(crate) user: String,
    pub(crate) device: String,
    nodes: Mutex<Vec<SocketAddr>>,
    at: AtomicUsize,
    /// "On disk": what outlives a stream.
    pub(crate) kept: Mutex<Kept>,
    /// There is something to send.
    pub(super) wake: Notify,
    /// Drop the stream where it is.
    pub(super) cut: Notify,
}

/// What a device keeps.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) token: Vec<u8>,
    pub(crate) as_of: Option<prost_types::Timestamp>,
    /// Sends without an answer, oldest first.
    pub(crate) outbox: Vec<proto::MessageSend>,
    /// Answered sends by their ids.
    pub(crate) sent: BTreeMap<String, proto::SendOutcome>,
    /// Answers that repeating would not change.
    pub(crate) failed: Vec<proto::Error>,
    pub(crate) chats: BTreeMap<String, Held>,
    pub(crate) online: BTreeMap<String, bool>,
    pub(crate) streams: Vec<Story>,
    /// What the server should not have done.
    pub(crate) wrong: Vec<String>,
}

/// What is kept of one chat.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) messages: BTreeMap<u32, proto::Message>,
    /// Kept, but not known to be acknowledged.
    pub(super) unacknowledged: SeqSet,
    pub(super) acknowledged: SeqSet,
    /// What others have received and read.
    pub(crate) delivered: BTreeMap<String, SeqSet>,
    pub(crate) read: BTreeMap<String, SeqSet>,
    /// Came by a page and not on a stream.
    pub(crate) paged: usize,
}

/// What one stream brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    pub(crate) outcome: proto::ResumeOutcome,
    pub(crate) caught_up: bool,
    /// (chat, seq) as they came.
    pub(crate) told: Vec<(String, u32)>,
    pub(crate) end: String,
}

impl Device {
    /// A device that comes to these nodes, one after the other when one does not answer.
    pub(crate) fn start(user: &str, device: &str, nodes: &[SocketAddr]) -> Self {
        let phone = Arc::new(Phone {
            user: user.to_owned(),
            device: device.to_owned(),
            nodes: Mutex::new(nodes.to_vec()),
            at: AtomicUsize::new(0),
            kept: Mutex::default(),
            wake: Notify::new(),
            cut: Notify::new(),
        });
        let task = AbortOnDropHandle::new(tokio::spawn(stream::live(Arc::clone(&phone))));
        Self { phone, _task: task }
    }

    /// The same, once it has a stream that is caught up.
    pub(crate) async fn open(user: &str, device: &str, nodes: &[SocketAddr]) -> Self {
        let device = Self::start(user, device, nodes);
        device.caught_up().await;
        device
    }

    /// Waits until the newest stream is caught up.
    pub(crate) async fn caught_up(&self) {
        let live =
            |kept: &Kept| kept.streams.last().is_some_and(|s| s.caught_up && s.end.is_empty());
        self.until("caught up", |kept| live(kept) && !kept.token.is_empty()).await;
    }

    /// Puts a message into the outbox.
    pub(crate) fn send(&self, chat: &str, id: &str) {
        let message = crate::world::message(chat, id, &format!("text of {id}"));
        self.phone.kept.lock().outbox.push(message);
        self.phone.wake.notify_one();
    }

    /// Sends and waits for the outcome.
    pub(crate) async fn sent(&self, chat: &str, id: &str) -> proto::SendOutcome {
        self.send(chat, id);
        self.until("an answer to a send", |kept| kept.sent.contains_key(id)).await;
        self.phone.kept.lock().sent[id].clone()
    }

    /// Cuts the stream where it is, without a word.
    pub(crate) fn cut(&self) {
        self.phone.cut.notify_one();
    }

    /// From now on it comes to these.
    pub(crate) fn point_at(&self, nodes: &[SocketAddr]) {
        *self.phone.nodes.lock() = nodes.to_vec();
    }

    /// Looks at what it keeps.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Kept) -> T) -> T {
        at(&self.phone.kept.lock())
    }

    /// Waits until what it keeps is like this.
    pub(crate) async fn until(&self, what: &str, is: impl Fn(&Kept) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !self.look(&is) {
            assert!(
                Instant::now() < deadline,
                "{} waits in vain: {what}; {}",
                self.phone.name(),
                self.look(Kept::sketch)
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until it has a chat up to this message.
    pub(crate) async fn has(&self, chat: &str, last: u32) {
        let what = format!("messages up to {last}");
        self.until(&what, |kept| kept.count(chat) >= last as usize).await;
    }

    /// That nothing is missing of a chat, and that no stream brought anything twice or out of
    /// turn.
    pub(crate) fn assert_whole(&self, chat: &str, history: &[proto::Message]) {
        self.look(|kept| {
            let name = self.phone.name();
            assert!(kept.wrong.is_empty(), "{name}: {:?}", kept.wrong);
            assert!(kept.failed.is_empty(), "{name}: {:?}", kept.failed);
            kept.assert_streams(&name);
            let held = kept.chats.get(chat).map(|held| held.messages.values());
            let held: Vec<_> = held.into_iter().flatten().map(place).collect();
            let there: Vec<_> = history.iter().map(place).collect();
            assert_eq!(held, there, "{name} has not what the log has; {}", kept.sketch());
        });
    }

    /// That all it has came on streams, none by pages.
    pub(crate) fn assert_nothing_paged(&self) {
        self.look(|kept| {
            let paged: usize = kept.chats.values().map(|held| held.paged).sum();
            assert_eq!(paged, 0, "{} had to read pages; {}", self.phone.name(), kept.sketch());
        });
    }
}

fn place(message: &proto::Message) -> (u32, &str, &str) {
    (message.seq, &message.message_id, &message.text)
}

impl Phone {
    pub(super) fn name(&self) -> String {
        format!("{}'s {}", self.user, self.device)
    }

    /// Where to go next.
    pub(super) fn node(&self) -> SocketAddr {
        let nodes = self.nodes.lock();
        nodes[self.at.load(Ordering::Relaxed) % nodes.len()]
    }

    /// This one was of no use.
    pub(super) fn next_node(&self) {
        self.at.fetch_add(1, Ordering::Relaxed);
    }
}

impl Kept {
    /// How many messages of a chat there are.
    pub(crate) fn count(&self, chat: &str) -> usize {
        self.chats.get(chat).map_or(0, |held| held.messages.len())
    }

    /// Whether `user` is known to have received, or read, a message.
    pub(crate) fn ticked(&self, chat: &str, user: &str, seq: u32, read: bool) -> bool {
        let Some(held) = self.chats.get(chat) else { return false };
        let sets = if read { &held.read } else { &held.delivered };
        sets.get(user).is_some_and(|set| set.contains(seq))
    }

    pub(super) fn story(&mut self) -> &mut Story {
        self.streams.last_mut().expect("a stream is there when something comes")
    }

    /// A Checkpoint goes to disk.
    pub(super) fn stored(&mut self, checkpoint: &proto::Checkpoint) {
        self.token = checkpoint.resume_token.to_vec();
        self.as_of = checkpoint.as_of;
    }

    /// Keeps a message.
    pub(super) fn keep(&mut self, message: proto::Message, paged: bool) {
        let held = self.chats.entry(message.chat_id.clone()).or_default();
        let (seq, revision) = (message.seq, message.revision);
        match held.messages.get(&seq) {
            Some(known) if known.message_id != message.message_id => {
                self.wrong.push(format!("{seq} of a chat is two messages"));
                return;
            }
            Some(known) if known.revision > revision => return,
            Some(_) => {}
            None => held.paged += usize::from(paged),
        }
        held.messages.insert(seq, message);
        if !held.acknowledged.contains(seq) {
            held.unacknowledged.insert(Run { first: seq, last: seq });
        }
    }

    /// That each stream brought each chat in order, without a hole and without a repeat.
    fn assert_streams(&self, name: &str) {
        for (at, story) in self.streams.iter().enumerate() {
            let mut last: BTreeMap<&str, u32> = BTreeMap::new();
            let mut seen = HashSet::new();
            for (chat, seq) in &story.told {
                assert!(seen.insert((chat, seq)), "{name}: stream {at} brought {seq} twice");
                if let Some(before) = last.insert(chat, *seq) {
                    assert_eq!(*seq, before + 1, "{name}: stream {at} is out of turn: {story:?}");
                }
            }
        }
    }

    /// What a failed test wants to know.
    pub(crate) fn sketch(&self) -> String {
        let chats: Vec<_> = self
            .chats
            .values()
            .map(|held| {
                SeqSet::from_parts(0, held.messages.keys().filter_map(|s| Run::new(*s, *s)))
            })
            .map(|set| format!("{:?}", set.runs()))
            .collect();
        let streams: Vec<_> = self
            .streams
            .iter()
            .map(|s| format!("{:?} {} {} {:?}", s.outcome, s.caught_up, s.told.len(), s.end))
            .collect();
        let (waiting, sent) = (self.outbox.len(), self.sent.len());
        format!("{chats:?}, {waiting} in the outbox, {sent} sent, streams {streams:#?}")
    }
}
