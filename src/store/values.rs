//! What goes into a store and comes out of it.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::model::{
    Attachment, AttachmentId, Chat, ChatId, Message, MessageId, Role, Run, Seq, SeqSet, SystemNote,
    UserId,
};

/// Why the store did not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time. Of a write it is not known whether it
    /// was done; all writes are safe to repeat.
    #[error("the store cannot be reached: {0}")]
    Unavailable(#[source] Source),
    /// Its queue is full: nothing was done.
    #[error("the store has too much to do")]
    Busy,
    /// It answered what it must not: a bug here or a damaged store.
    #[error("the store answered what it must not: {0}")]
    Broken(#[source] Source),
}

/// The cause of a [`StoreError`]: for the log, never for a client.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// What the store answers.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A message on its way into the log.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Made by who appends; unique. Its time is the message's `created_at`.
    pub id: MessageId,
    /// Where to.
    pub chat: ChatId,
    /// Who; `None` for a system note, whose `client_message_id` is derived from what it tells.
    pub sender: Option<UserId>,
    /// 1 to 64 characters, of a note up to 96; unique per (chat, sender) for the life of the
    /// message.
    pub client_message_id: String,
    /// What a repeat is compared by.
    pub content_hash: [u8; 16],
    /// Normalised.
    pub text: String,
    /// Claimed for this message before.
    pub attachments: Vec<Attachment>,
    /// A message of the same chat.
    pub reply_to: Option<(MessageId, Seq)>,
    /// Members whom the text speaks to, each once.
    pub mentions: Vec<UserId>,
    /// What it is found by, each once, each of letters, digits and marks; none: no search finds
    /// it.
    pub words: Vec<String>,
    /// For a system note.
    pub note: Option<SystemNote>,
    /// The sender was seen to be a member in a list that was read when the chat's newest
    /// message was this one, or a later one. 0: nobody has looked, so the store does, also for
    /// the first message of a chat.
    pub member_as_of: Seq,
}

impl NewMessage {
    /// As it will stand in the log.
    pub fn at(&self, seq: Seq) -> Message {
        Message {
            id: self.id,
            chat: self.chat,
            seq,
            sender: self.sender.clone(),
            client_message_id: self.client_message_id.clone(),
            content_hash: self.content_hash,
            text: self.text.clone(),
            attachments: self.attachments.clone(),
            reply_to: self.reply_to,
            mentions: self.mentions.clone(),
            reactions: Vec::new(),
            note: self.note.clone(),
            edited_at: None,
            deleted_at: None,
            revision: 0,
        }
    }
}

/// A message that is in the log.
#[derive(Clone, Debug)]
pub struct Appended {
    /// As it stands in the log: of a repeat, the first one, perhaps edited since.
    pub message: Arc<Message>,
    /// True: it was there before this call.
    pub duplicate: bool,
}

/// Why a message was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The store failed: not known whether the message is there; repeat with the same
    /// `client_message_id`.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sender is no member of the chat, or there is no such chat.
    #[error("the sender is no member")]
    NotMember,
    /// The `client_message_id` was used for another content.
    #[error("the client_message_id was used before")]
    Reused,
    /// The chat has [`MAX_SEQ`](crate::model::MAX_SEQ) messages.
    #[error("the chat is full")]
    Full,
}

/// A chat to be made.
#[derive(Clone, Debug)]
pub struct NewChat {
    /// What makes it one: `d|a|b` with a < b for a direct chat, `g|creator|client_chat_id` for a
    /// group that was given one. `None`: its id alone.
    pub key: Option<String>,
    /// Taken if the key is new.
    pub id: ChatId,
    /// What a repeat is compared by; the same for all who ask for one direct chat.
    pub content_hash: [u8; 16],
    /// The chat, but for its id, as it is to be.
    pub chat: Chat,
    /// All members, the maker among them, with their roles.
    pub members: Vec<(UserId, Role)>,
    /// The first message of a group.
    pub note: Option<NewMessage>,
}

/// What came of [`Store::create_chat`].
#[derive(Clone, Debug, PartialEq)]
pub enum Created {
    /// There is such a chat now; `true`: it was not there before.
    Chat(Chat, bool),
    /// The key was used for another content.
    Reused,
    /// The chat of this key was deleted.
    Deleted,
}

/// The newest message of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which chat.
    pub chat: ChatId,
    /// `seq` of its newest message.
    pub seq: Seq,
    /// Its id, and so its time.
    pub id: MessageId,
}

/// Which way a page of history goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Below this, newest first.
    Before(Seq),
    /// Above this, oldest first.
    After(Seq),
}

/// Whose messages are looked for. System notes are nobody's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WrittenBy {
    /// This user's.
    User(UserId),
    /// Anybody's but this user's.
    AnyoneBut(UserId),
}

/// Receipts to be joined to those of a member.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Whose.
    pub user: UserId,
    /// Where.
    pub chat: ChatId,
    /// Runs that were received.
    pub delivered: Vec<Run>,
    /// Runs that were read, and so received.
    pub read: Vec<Run>,
    /// What was seen of the sets before, delivered and read: they only grow. Empty if nothing.
    pub seen: (SeqSet, SeqSet),
}

/// A question for an unread count.
#[derive(Clone, Debug)]
pub struct UnreadQuery {
    /// The reader.
    pub user: UserId,
    /// Where.
    pub chat: ChatId,
    /// What the reader has not read: ascending runs, from what is visible to the newest message
    /// looked at.
    pub runs: Vec<Run>,
}

/// A place in the messages of a chat that were changed: by time of change, then `seq`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeCursor {
    /// Time of change, by the store's clock.
    pub at: Timestamp,
    /// Of those of the same time, the last one given.
    pub seq: Seq,
}

/// A changed message and where it stands among the changed ones.
#[derive(Clone, Debug)]
pub struct ChangedMessage {
    /// As it now is.
    pub message: Message,
    /// For the next page.
    pub cursor: ChangeCursor,
}

/// A file that is to be uploaded.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Made by who opens it; unique.
    pub id: AttachmentId,
    /// Who uploads it.
    pub owner: UserId,
    /// Without a path.
    pub file_name: String,
    /// Bytes that are to come.
    pub size: u32,
    /// When it is due unless something happens to it.
    pub due_at: Timestamp,
}

/// A file that came whole.
#[derive(Clone, Debug)]
pub struct WholeFile {
    /// Which.
    pub id: AttachmentId,
    /// Where its bytes are.
    pub body: uuid::Uuid,
    /// As they say.
    pub content_type: String,
    /// How many they are, after what was taken out.
    pub size: u32,
    /// How many came.
    pub came: u32,
    /// Pixels; 0: not known.
    pub width: u32,
    /// Likewise.
    pub height: u32,
    /// A smaller picture is to be made.
    pub wants_preview: bool,
}

/// A file as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Who uploaded it.
    pub owner: UserId,
    /// What it is, as far as that is known. Until it is whole `size` is what is to come.
    pub attachment: Attachment,
    /// How many bytes came, as far as that is noted.
    pub uploaded: u32,
    /// Where its bytes are; `None`: it is not whole.
    pub body: Option<uuid::Uuid>,
    /// A smaller picture is to be made.
    pub wants_preview: bool,
    /// For which message it was claimed last.
    pub claim: Option<Claim>,
    /// It is on its way out: nobody gets it or claims it any more.
    pub doomed: bool,
}

/// A file belongs to a message: that which its owner sent to this chat under this id, once there
/// is such a one and it has the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where to.
    pub chat: ChatId,
    /// Under which id.
    pub client_message_id: String,
    /// Since when: a claim that is made again is another one.
    pub since: Timestamp,
    /// False: it was given back, and only tells what was once.
    pub held: bool,
}

/// What becomes of a file that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Its claim holds; it is due no more.
    Taken,
    /// It has no claim that holds, and is due again then.
    Free(Timestamp),
    /// It goes.
    Doomed,
}

/// What a message is to say from now on.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Where.
    pub chat: ChatId,
    /// Which message.
    pub id: MessageId,
    /// Normalised.
    pub text: String,
    /// Members whom the text speaks to, each once.
    pub mentions: Vec<UserId>,
    /// What it is found by from now on, each once; none: no search finds it.
    pub words: Vec<String>,
}

/// A message that a user has deleted for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Where.
    pub chat: ChatId,
    /// Its place.
    pub seq: Seq,
    /// Which.
    pub id: MessageId,
}

/// What messages are looked for.
#[derive(Clone, Debug)]
pub struct Search {
    /// In these chats.
    pub chats: Vec<ChatId>,
    /// All of these are among the words of the message.
    pub words: Vec<String>,
    /// One of its words begins with this.
    pub prefix: Option<String>,
    /// Sent by this user.
    pub sender: Option<UserId>,
    /// With ids from this on.
    pub from: MessageId,
    /// With ids below this.
    pub until: MessageId,
    /// Where the page before ended: its `next`.
    pub after: Option<MessageId>,
    /// At most so many.
    pub limit: u32,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The newest first.
    pub messages: Vec<Message>,
    /// How far was looked: the next question's `after`. `None`: there is no more.
    pub next: Option<MessageId>,
}

/// Secrets of the deployment: made once, kept in the store, the same for all nodes.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// For hashes of content; never changes.
    pub content: [u8; 32],
    /// For page and resume tokens: (id, key), the newest last; tokens are signed by the newest
    /// and accepted by any.
    pub tokens: Vec<(u8, [u8; 32])>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}
