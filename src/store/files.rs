//! What is known of attachments; the bytes are elsewhere.

/// What is known of attachments; the bytes are elsewhere. As in [`Store`](super::Store): answers are durable, lists of ids may hold repeats.
pub trait Files: Send + Sync {}
