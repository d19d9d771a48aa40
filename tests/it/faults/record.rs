//! What clients write down while they talk, what was done to the servers meanwhile, and what the
//! store holds at the end: all that the checker reads. Plain values, without clock or network.

use std::collections::BTreeMap;
use std::time::Duration;

use adda::model::{Run, SeqSet};

/// A time, by the harness's own clock: since the run began.
pub(crate) type At = Duration;

/// All that is known of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) limits: Limits,
    pub(crate) devices: Vec<Device>,
    /// What was done to servers and links, in order.
    pub(crate) harm: Vec<(At, Harm)>,
    /// The chats as the store has them at the end, by id.
    pub(crate) chats: BTreeMap<String, Chat>,
    /// When that was read.
    pub(crate) ended: At,
}

/// How long what may take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// After all is healed, until every device has what was acknowledged before.
    pub(crate) healed: Duration,
    /// The same, where a link was half open.
    pub(crate) half_open: Duration,
    /// A command, until its answer or the end of its stream.
    pub(crate) answer: Duration,
    /// A user whose node has died, until nobody sees them online.
    pub(crate) node_died: Duration,
    /// A user whose link is silent, likewise.
    pub(crate) silent_link: Duration,
    /// A user whose stream has ended before the server's eyes, or who came: until all know.
    pub(crate) moved: Duration,
}

/// One device and what it has been through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) user: String,
    /// In order.
    pub(crate) entries: Vec<(At, Entry)>,
    /// What it shows at the end, by chat.
    pub(crate) picture: BTreeMap<String, Picture>,
}

/// A chat as a device shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) messages: BTreeMap<u32, Message>,
    pub(crate) unread: u32,
    /// How far own messages have come, by seq.
    pub(crate) ticks: BTreeMap<u32, Tick>,
    /// What the user has read, on whichever device.
    pub(crate) read: SeqSet,
}

/// How far an own message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tick {
    Sent,
    Delivered,
    Seen,
}

/// A message, as far as it is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) seq: u32,
    pub(crate) id: String,
    /// Empty: a note.
    pub(crate) sender: String,
    pub(crate) client_id: String,
    pub(crate) text: String,
    pub(crate) revision: u32,
    pub(crate) deleted: bool,
    /// Each emoji, and how many gave it.
    pub(crate) reactions: BTreeMap<String, u32>,
}

/// A chat as the store has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chat {
    pub(crate) log: Vec<Message>,
    pub(crate) members: BTreeMap<String, Sets>,
}

/// What a member has received and read, and what the server says is left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sets {
    pub(crate) delivered: SeqSet,
    pub(crate) read: SeqSet,
    pub(crate) unread: u32,
}

/// Which of the two sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Delivered,
    Read,
}

/// By which way to which node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    pub(crate) net: usize,
    pub(crate) node: usize,
}

/// The place of a stream in the life of its device.
pub(crate) type Stream = usize;

/// One line of a device's diary.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    /// Put into the outbox.
    Wrote {
        chat: String,
        id: String,
        text: String,
    },
    /// An own message is to say this from now on; whether it came to that is not known.
    Editing {
        chat: String,
        /// Under which it was sent.
        id: String,
        text: String,
    },
    /// A stream is being opened.
    Opening {
        stream: Stream,
        way: Way,
    },
    Ready {
        stream: Stream,
        way: Way,
    },
    CaughtUp {
        stream: Stream,
    },
    Ended {
        stream: Stream,
        why: String,
    },
    /// A command went up; for a send its id.
    Given {
        stream: Stream,
        ack_id: String,
        send: Option<(String, String)>,
    },
    Answered {
        stream: Stream,
        ack_id: String,
    },
    /// A send was acknowledged.
    Stored {
        chat: String,
        id: String,
        seq: u32,
        message_id: String,
    },
    /// A send was refused for good.
    Refused {
        chat: String,
        id: String,
        why: String,
    },
    /// A message came, by a stream or (`None`) by a page.
    Saw {
        stream: Option<Stream>,
        chat: String,
        message: Message,
    },
    /// These are given as received, or read.
    Marking {
        chat: String,
        kind: Kind,
        runs: Vec<Run>,
    },
    /// … and that is durable.
    Marked {
        chat: String,
        kind: Kind,
        runs: Vec<Run>,
    },
    /// What `user` has received or read, as an event told.
    Heard {
        chat: String,
        user: String,
        kind: Kind,
        runs: Vec<Run>,
    },
    /// The own sets in an answer to what was asked at that time.
    Sets {
        chat: String,
        asked: At,
        delivered: SeqSet,
        read: SeqSet,
    },
    /// A count in an answer to what was asked at that time.
    Unread {
        chat: String,
        asked: At,
        count: u32,
        last_seq: u32,
    },
    /// Someone is shown online, or offline.
    Shown {
        user: String,
        online: bool,
    },
    /// The server did what the contract excludes.
    Wrong(String),
}

/// What was done, as far as it changes what may be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Something is done, whatever it is.
    Begins,
    /// A node died, or was asked to leave.
    NodeGone { node: usize },
    /// It is started again.
    NodeBack { node: usize },
    /// A node hangs.
    NodeHangs { node: usize },
    /// Connections on this way carry nothing from now on, and nobody was told.
    Silent(Way),
    /// Something that nodes need to tell each other is disturbed.
    Disturbed,
    /// Everything is as it should be; whether a link was half open before.
    Healed { half_open: bool },
}
