//! The words of the house as plain structs: ids, chats, members, messages.
//!
//! Nothing here knows protobuf, a database or the network.

mod attachment;
mod chat;
mod device;
mod ids;
mod message;
mod notice;
mod people;
mod seqs;

pub use attachment::{Attachment, Family};
pub use chat::{Chat, ChatKind, ChatSettings, Member, Role};
pub use device::Platform;
pub use ids::{AttachmentId, ChatId, DeviceId, MessageId, NodeId, SessionId, UserId};
pub use message::{
    MAX_REACTION_KINDS, MAX_REACTION_NAMES, MAX_REACTIONS, Message, MessageKind, MessageState,
    NoteKind, Reaction, SystemNote,
};
pub use notice::{Level, Notice, NoticeKind, Preferences, Preview, QuietHours};
pub use people::{Privacy, Reserve, User};
pub use seqs::{MAX_RUNS, Run, SeqSet};

/// Place of a message in its chat: 1, 2, 3, … without a hole. 0: before the first.
pub type Seq = u32;

/// The highest `seq` a chat can reach.
pub const MAX_SEQ: Seq = 2_147_483_647;
