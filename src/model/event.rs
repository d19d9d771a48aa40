//! What sessions are told.

use std::sync::Arc;

use super::{Chat, ChatId, Member, Message, Run, Seq, User, UserId};
use crate::clock::Timestamp;

/// Something that happened, as a session tells its device.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A new message.
    MessageSent(Arc<Message>),
    /// A change of what is there.
    Changed(Change),
    /// Someone writes, or has stopped.
    Typing {
        /// Where.
        chat: ChatId,
        /// Who.
        user: UserId,
        /// Writes; false: has stopped.
        typing: bool,
    },
    /// A user came online.
    Online {
        /// Who.
        user: UserId,
        /// Since when.
        since: Timestamp,
    },
    /// A user's last device went.
    Offline {
        /// Who.
        user: UserId,
        /// When the last device was connected last.
        last_active: Option<Timestamp>,
    },
}

/// A change that a resume finds again in the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A member's devices have messages.
    Delivered {
        /// Where.
        chat: ChatId,
        /// Who received.
        user: UserId,
        /// What.
        seqs: Vec<Run>,
    },
    /// A member has read messages.
    Read {
        /// Where.
        chat: ChatId,
        /// Who read.
        user: UserId,
        /// What.
        seqs: Vec<Run>,
        /// For the reader's own devices: what is left unread, and the newest message when
        /// counting began.
        unread: Option<(u32, Seq)>,
    },
    /// A message was edited: as it now is.
    Edited(Arc<Message>),
    /// A message was deleted for everyone: as it now is.
    Deleted(Arc<Message>),
    /// A chat was made or its shared fields changed.
    Chat {
        /// The shared fields.
        chat: Arc<Chat>,
        /// Those of the members who are listed, with what is known of them as users.
        members: Vec<(Member, User)>,
    },
    /// The receiver is in this chat no more.
    Removed {
        /// Which.
        chat: ChatId,
        /// The chat's revision after the removal.
        revision: u32,
    },
}
