//! What messages become after they were sent: edited, deleted, reacted to, hidden, found.

/// What messages become after they were sent: edited, deleted, reacted to, hidden, found. As in [`Store`](super::Store): answers are durable, lists of ids may hold repeats.
pub trait Content: Send + Sync {}
