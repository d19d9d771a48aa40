//! Users: who they are, whom they know, whom they have blocked, what they hide.

/// Users: who they are, whom they know, whom they have blocked, what they hide. As in [`Store`](super::Store): answers are durable, lists of ids may hold repeats.
pub trait People: Send + Sync {}
