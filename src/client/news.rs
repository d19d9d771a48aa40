//! What a client hears and shows, in words of its own: what the engine tells whoever drives it.

use crate::clock::Timestamp;
use crate::proto;

use super::merge::{Presence, millis};

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The direct chat with this user, found or made.
    Peer(String),
    /// The chat of this id.
    Chat(String),
}

/// How far a message has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// In the outbox.
    Waiting,
    /// Refused; why.
    Failed(String),
    /// Sent, delivered, seen; unspecified for those of others.
    State(proto::MessageState),
}

/// A message as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The chat.
    pub chat_id: String,
    /// Its place; 0 while it waits in the outbox.
    pub seq: u32,
    /// What the sender's device called it.
    pub client_message_id: String,
    /// Who; empty for a word of the service.
    pub sender_id: String,
    /// When it was sent, or typed.
    pub at: Timestamp,
    /// What it says, in one piece.
    pub text: String,
    /// Edited since.
    pub edited: bool,
    /// Deleted for everyone.
    pub deleted: bool,
    /// Of others, and not yet read.
    pub unread: bool,
    /// The ticks.
    pub progress: Progress,
}

/// A chat as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatView {
    /// Its id; empty where the server has not named it yet.
    pub chat_id: String,
    /// What to call it: the group's title, or the other member.
    pub title: String,
    /// The other member of a direct chat.
    pub peer: Option<String>,
    /// Members by their name.
    pub names: Vec<(String, String)>,
    /// Left unread.
    pub unread: u32,
    /// The newest message, shortened by nobody.
    pub preview: Option<Shown>,
    /// The other member's presence, as last heard.
    pub presence: Option<Presence>,
}

/// An own message has come further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The chat.
    pub chat_id: String,
    /// Its place.
    pub seq: u32,
    /// What this device called it.
    pub client_message_id: String,
    /// How far.
    pub state: proto::MessageState,
}

/// How it stands with the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// A stream is open and everything missed has come.
    Up,
    /// There is none; the next attempt follows.
    Down(String),
    /// There is none and will be none: why.
    Over(String),
}

/// What the engine tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// How it stands with the server.
    Link(Link),
    /// A place on screen has its chat, or the chat has changed.
    Chat(ChatView),
    /// New in a chat on screen: each once, in the order of the chat, without a hole.
    Messages(Vec<Shown>),
    /// One that was told before has another content.
    Changed(Shown),
    /// Own messages have come further.
    Ticks(Vec<Tick>),
    /// The server does not take this message.
    Failed {
        /// Which.
        client_message_id: String,
        /// What it said.
        text: String,
        /// Why.
        why: String,
    },
    /// Something unread in a chat that is not on screen.
    Elsewhere(ChatView),
    /// The caller is in this chat no longer.
    Left(String),
    /// Someone writes in a chat on screen, or has stopped.
    Typing {
        /// Where.
        chat_id: String,
        /// Who.
        user_id: String,
        /// Writes.
        typing: bool,
    },
    /// Someone has come or gone.
    Presence {
        /// Who.
        user_id: String,
        /// What is known now.
        presence: Presence,
    },
    /// The user has blocked someone, or has taken that back.
    Blocked {
        /// Whom.
        user_id: String,
        /// Now.
        blocked: bool,
    },
    /// The server does not block this user, or take that back: why.
    NotBlocked {
        /// Whom.
        user_id: String,
        /// Why.
        why: String,
    },
    /// A place cannot be opened, or an order not carried out: why.
    Refused(String),
}

/// What a message says to a person: its text, or what it is where there is none.
pub(super) fn words(message: &proto::Message) -> String {
    if message.deleted_at.is_some() {
        return String::new();
    }
    let mut words = message.text.clone();
    for attachment in &message.attachments {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push('[');
        words.push_str(&attachment.file_name);
        words.push(']');
    }
    words
}

/// A message as it is shown.
pub(super) fn shown(message: &proto::Message, progress: Progress, unread: bool) -> Shown {
    Shown {
        chat_id: message.chat_id.clone(),
        seq: message.seq,
        client_message_id: message.client_message_id.clone(),
        sender_id: message.sender_id.clone(),
        at: millis(message.created_at.as_ref()).unwrap_or_default(),
        text: words(message),
        edited: message.edited_at.is_some(),
        deleted: message.deleted_at.is_some(),
        unread,
        progress,
    }
}
