//! Reading the log behind its end, one node at a time.
//!
//! Who has the turn reads a page, sees to all that is in it, and only then moves on; if it dies
//! before, the next one reads the same page. So what is done of a page must be such that doing it
//! twice is doing it once.

use std::time::Duration;

use super::{Result, Store};
use crate::clock::Timestamp;
use crate::model::{Message, MessageId, NodeId};

/// Where there was no turn before, it begins so long before what is read: a node that does not live
/// to take the first turn has stored messages, too.
const BEFORE: Duration = Duration::from_secs(3600);

/// How one node reads.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'t> {
    /// Whose turn is taken.
    pub name: &'t str,
    /// The node.
    pub holder: &'t NodeId,
    /// For how long it has the turn; if it died, another has it then.
    pub lease: Duration,
    /// Messages at once.
    pub page: u32,
}

/// What is to be seen to now.
#[derive(Debug)]
pub struct Page {
    /// The log was read so far before.
    pub after: MessageId,
    /// In the order of the log.
    pub messages: Vec<Message>,
    /// There may be more.
    pub more: bool,
}

impl Turn<'_> {
    /// The next messages older than this; `None`: another node has the turn.
    pub async fn next(&self, store: &dyn Store, until: Timestamp) -> Result<Option<Page>> {
        let start = MessageId(until.minus(BEFORE).first_id());
        let until = MessageId(until.first_id());
        let taken = store.take_turn(self.name, self.holder, self.lease, start).await?;
        let Some(after) = taken else { return Ok(None) };
        let mut messages = store.log(after, self.page).await?;
        let read = messages.len();
        messages.retain(|message| message.id < until);
        let more = read >= self.page as usize && messages.len() == read;
        Ok(Some(Page { after, messages, more }))
    }

    /// All up to this one is seen to; `false`: the turn is another's now.
    pub async fn move_on(&self, store: &dyn Store, to: MessageId) -> Result<bool> {
        store.move_turn(self.name, self.holder, to).await
    }
}
