//! The checker: what the promises exclude, found in a [`Record`]. A function of it alone.

use std::collections::BTreeMap;
use std::fmt;

use super::record::Record;

pub(crate) use reach::deadline_of;

mod log;
mod picture;
mod presence;
mod reach;
mod receipts;
mod streams;
#[cfg(test)]
mod tests;

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An acknowledged message, or one that was told, is not in the store.
    Lost,
    /// A message is in the store, or was told, that nobody sent.
    NeverSent,
    /// One send is two messages, or was answered with two outcomes.
    Duplicate,
    /// The log of a chat leaves a seq out.
    Hole,
    /// Two messages of a chat have one seq.
    SeqTwice,
    /// The store has a message at another place than someone was told.
    Moved,
    /// A send that began after another was acknowledged has the lower seq.
    OutOfOrder,
    /// What was once seen changed without an edit or a delete.
    Changed,
    /// A stream brought a message twice, or out of its turn.
    StreamOrder,
    /// A receipt that was acknowledged, or told, is not there.
    ReceiptLost,
    /// A receipt is there that nobody gave.
    ReceiptInvented,
    /// A set was smaller than it had been.
    ReceiptShrank,
    /// Something is read that is not delivered.
    ReadUndelivered,
    /// What a device shows is not what the store has.
    PictureDiffers,
    /// An unread count is not what its definition says.
    UnreadWrong,
    /// Someone who went long ago is shown online.
    StillOnline,
    /// Someone who is there is not shown online.
    NotOnline,
    /// A device lacks a message, or a send its answer, long after all was healed.
    NotReached,
    /// A command had neither an answer nor a closed stream.
    Unanswered,
    /// A send was refused that was right.
    Refused,
    /// The server did something else that the contract excludes.
    Contract,
}

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) kind: Kind,
    /// Where and when.
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, kind: Kind, what: String) {
        self.0.push(Violation { kind, what });
    }
}

/// All that is wrong in a record.
pub(crate) fn check(record: &Record) -> Vec<Violation> {
    let mut found = Findings::default();
    log::check(record, &mut found);
    streams::check(record, &mut found);
    receipts::check(record, &mut found);
    picture::check(record, &mut found);
    presence::check(record, &mut found);
    reach::check(record, &mut found);
    found.0
}

/// How many of each kind.
pub(crate) fn by_kind(violations: &[Violation]) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for violation in violations {
        *counts.entry(violation.kind).or_default() += 1;
    }
    counts
}
