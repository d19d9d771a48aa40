//! Groups that change: members, roles, titles; and what members set for themselves.

/// Groups that change: members, roles, titles; and what members set for themselves. As in [`Store`](super::Store): answers are durable, lists of ids may hold repeats.
pub trait Groups: Send + Sync {}
