//! What a store could take at most: its driver's grouped durable inserts of adda's own
//! documents, under adda's own indexes, and nothing else. For `adda load limits`, which
//! measures how much of it adda reaches.

use std::time::Duration;

use super::{NewMessage, OpenError, Result, mongo, sqlite};
use crate::clock::{Clock, SystemClock};
use crate::model::{ChatId, MessageId, Seq, UserId};

/// Messages in one group.
pub const GROUP: u32 = 50;

/// Characters of the one word that a message is found by.
const WORD: usize = 40;

/// Writers at once; SQLite has one.
pub const WRITERS: usize = 4;

/// Inserts for this long into a database or file of its own, which it then drops; answers how
/// many documents were durable.
pub async fn grouped_inserts(url: &str, time: Duration) -> Result<u64, OpenError> {
    match url.strip_prefix("sqlite:") {
        Some(path) => Ok(sqlite::limit::grouped_inserts(path.to_owned(), time).await?),
        None => Ok(mongo::limit::grouped_inserts(url, time).await?),
    }
}

/// The messages of one writer: one chat, one place after the other.
pub(super) struct Messages {
    chat: ChatId,
    sender: UserId,
    next: Seq,
}

impl Messages {
    pub(super) fn new() -> Self {
        Self { chat: ChatId(SystemClock.new_id()), sender: UserId::new("limit"), next: 1 }
    }

    /// The next group, with places.
    pub(super) fn group(&mut self) -> Vec<(NewMessage, Seq)> {
        let first = self.next;
        self.next += GROUP;
        (first..self.next).map(|seq| (self.message(seq), seq)).collect()
    }

    fn message(&self, seq: Seq) -> NewMessage {
        NewMessage {
            id: MessageId(SystemClock.new_id()),
            chat: self.chat,
            sender: Some(self.sender.clone()),
            client_message_id: format!("limit-{seq}"),
            content_hash: [0; 16],
            text: "x".repeat(64),
            attachments: Vec::new(),
            reply_to: None,
            mentions: Vec::new(),
            // The same as of what is sent: its text is one long word.
            words: vec!["x".repeat(WORD)],
            note: None,
            member_as_of: 0,
        }
    }
}
