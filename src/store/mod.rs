//! What must last: the message log, chats, members with their receipts, users, keys.
//!
//! The log is the one truth: order, inbox, unread counts and healing are all read from it. The
//! docs of [`Store`] are its contract, and each sentence has a test that runs on every backend
//! (`tests/it/store`). Above this module nobody knows a database.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use crate::clock::{Clock, Timestamp};
use crate::model::{Chat, ChatId, Member, Message, MessageId, Run, Seq, SeqSet, User, UserId};
use crate::vital::Vital;

mod content;
mod devices;
mod files;
mod groups;
mod jobs;
pub mod limit;
mod measured;
pub mod mongo;
mod notices;
mod owned;
mod people;
mod services;
pub mod sqlite;
pub mod turn;
mod values;

pub use content::Content;
pub use devices::{Claimed, Device, Devices, NewDevice, Spot, Standing, TRAIL_KEPT, Trace};
pub use files::Files;
pub use groups::{GroupChange, GroupChanged, Groups, MemberPlace, SettingsPut, SettingsWish};
pub use jobs::{JOBS_COUNTED, JOBS_REMEMBERED, Job, Jobs, NewJob};
pub use measured::Measured;
pub use notices::{NoticeChoice, NoticeQuery, Notices, NoticesKept};
pub use owned::Owned;
pub use people::{Block, People, Shared, UNBLOCKED_KEPT};
pub use services::{Counts, REVOCATIONS_KEPT, Revocation, Services};
pub use values::*;

/// A chat cannot be counted past this: it means "this many or more".
pub const COUNT_CAP: u32 = 1000;

/// What must last. All answers are of what is durable and will not be undone; what one call has
/// answered, every later call on any node sees. Dropping the future of a write does not undo or
/// stop it. Lists of ids in arguments may hold repeats and unknown ids; what is unknown is left
/// out of the answer, and what is there is in it once, unless it says "in the order asked".
#[async_trait]
pub trait Store:
    Content
    + Devices
    + Files
    + Groups
    + Jobs
    + Notices
    + Owned
    + People
    + Services
    + Send
    + Sync
    + 'static
{
    /// Whether the store can be reached and takes writes.
    async fn ping(&self) -> Result<()>;

    /// The keys, made by whoever asks first: two who ask at once get the same.
    async fn keys(&self) -> Result<Keys>;

    // ---- the log ----

    /// Puts a message into the log and answers once it is durable (majority and journal; with
    /// SQLite: committed with `synchronous=FULL`).
    ///
    /// - `seq` of a chat runs 1, 2, 3, … without a hole, whoever appends, on any node.
    /// - Of two calls for one chat on one instance, made one after the other, the first gets the
    ///   lower `seq`, if both are new. The order is that of the calls, not of the polls.
    /// - A message whose append was answered before another's began, in one chat, has the lower
    ///   `seq`, on any node.
    /// - A (chat, sender, `client_message_id`) that is there is answered with what is there, as
    ///   `duplicate`, whether or not the sender is still a member; with another `content_hash`
    ///   it is [`AppendError::Reused`].
    /// - A sender who is no member at the `seq` the message would get is refused
    ///   ([`AppendError::NotMember`]), and so is a chat without members. System notes are not
    ///   asked.
    /// - The call does not wait: too many under way is [`StoreError::Busy`]. It goes on when its
    ///   future is dropped, and is given up ([`StoreError::Unavailable`]) after some seconds.
    fn append(&self, message: NewMessage) -> BoxFuture<'static, Result<Appended, AppendError>>;

    /// What `sender` sent to `chat` under this id.
    async fn by_client_id(
        &self,
        chat: ChatId,
        sender: &UserId,
        client_message_id: &str,
    ) -> Result<Option<Message>>;

    /// The newest message of each chat that has one, in no order.
    async fn heads(&self, chats: &[ChatId]) -> Result<Vec<Head>>;

    /// The newest `seq` of a chat, 0: none, also right where a failover is not known of yet: what was
    /// acknowledged before is in it. A write's price, for who would else be refused wrongly.
    async fn newest(&self, chat: ChatId) -> Result<Seq>;

    /// Messages of a chat with `seq >= from`, in the order of the span, at most `limit`.
    async fn history(
        &self,
        chat: ChatId,
        span: Span,
        from: Seq,
        limit: u32,
    ) -> Result<Vec<Message>>;

    /// These messages, in no order.
    async fn messages(&self, places: &[(ChatId, Seq)]) -> Result<Vec<Message>>;

    /// One message by its id.
    async fn message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>>;

    /// The log by id, ascending, ids above `after`, at most `limit`.
    async fn log(&self, after: MessageId, limit: u32) -> Result<Vec<Message>>;

    /// Those of `chats` in which the writer has written, in no order.
    async fn written_in(&self, writer: WrittenBy, chats: &[ChatId]) -> Result<Vec<ChatId>>;

    /// Who sent the messages of these runs, each once, in no order; system notes have no
    /// sender.
    async fn senders(&self, chat: ChatId, runs: &[Run]) -> Result<Vec<UserId>>;

    /// Messages of these chats that were edited, deleted or reacted to after `after`, by the
    /// time of change in the store's own clock, then `seq`, at most `limit`. One changed twice is
    /// there once, in its last place. A page does not end between messages of several chats that
    /// stand at one place (a cursor could not tell them apart): those of its last place are all
    /// there, over `limit` if need be.
    async fn changed_messages(
        &self,
        chats: &[ChatId],
        after: ChangeCursor,
        limit: u32,
    ) -> Result<Vec<ChangedMessage>>;

    // ---- chats and members ----

    /// Makes a chat, or finds the one of this key; also when several ask at once, on several
    /// nodes, or ask again after one was stopped half-way: there is one chat, with all its
    /// members and its note as `seq` 1. Without a key it is known by its id. All members have
    /// joined at the time of the chat's id and see everything; of a user who is named twice the
    /// first counts. A chat is not there for any other call before it is whole.
    async fn create_chat(&self, new: NewChat) -> Result<Created>;

    /// What [`Self::create_chat`] would find of this key, without making it. `None`: there is no
    /// such chat, or it is half made.
    async fn find_chat(&self, key: &str, content_hash: [u8; 16]) -> Result<Option<Created>>;

    /// These chats, deleted ones left out, in no order.
    async fn chats(&self, ids: &[ChatId]) -> Result<Vec<Chat>>;

    /// The members of a chat, those who left left out, by `joined_at`, then user; empty for a
    /// chat that is not there.
    async fn members(&self, chat: ChatId) -> Result<Vec<Member>>;

    /// One user's place in a chat, also after leaving; `None` if the chat is not there.
    async fn member(&self, chat: ChatId, user: &UserId) -> Result<Option<Member>>;

    /// Both members of direct chats, by chat; `chats` are direct.
    async fn pairs(&self, chats: &[ChatId]) -> Result<Vec<Member>>;

    /// All places of a user, also those left less than seven days ago, in no order. One in a
    /// chat that was deleted counts as left then; chats that are not there otherwise are left
    /// out.
    async fn memberships(&self, user: &UserId) -> Result<Vec<Member>>;

    /// The chats each of these users is in, in no order, at the least cost. One that is being made,
    /// or is not there any more, may be among them.
    async fn chats_of(&self, users: &[UserId]) -> Result<Vec<(ChatId, UserId)>>;

    /// The places of these users in these chats, in no order; those left are left out. A chat
    /// that is not there may have one.
    async fn places(&self, of: &[(ChatId, UserId)]) -> Result<Vec<Member>>;

    /// In how many chats each of these users is, in the order asked, 0 for who is unknown; up to
    /// 10,000 users. One that is being made may count.
    async fn count_memberships(&self, users: &[UserId]) -> Result<Vec<u32>>;

    /// Those of `chats` that were made or whose shared fields changed at or after `since`, by the
    /// store's clock; deleted ones left out.
    async fn changed_chats(&self, chats: &[ChatId], since: Timestamp) -> Result<Vec<Chat>>;

    // ---- receipts ----

    /// Joins receipts to those of their members, each at once and whole; `read` also to
    /// `delivered`. Joining is free of order and of repeats, also between nodes. A mark of who
    /// is no member does nothing. Answers in the order of `marks` with the sets as they are
    /// right after, or `None` for who is no member.
    ///
    /// Does not look at the number of runs: who calls keeps them within bounds.
    async fn mark(&self, marks: Vec<Mark>) -> Result<Vec<Option<(SeqSet, SeqSet)>>>;

    /// Members of these chats whose receipts changed at or after `since`, by the store's clock,
    /// at most `limit`.
    async fn changed_receipts(
        &self,
        chats: &[ChatId],
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Member>>;

    /// For each query, how many messages there are in its runs that others than its user sent,
    /// that are not deleted, and that are no notes but announcements. In the order asked; stops
    /// at [`COUNT_CAP`].
    async fn count_unread(&self, queries: &[UnreadQuery]) -> Result<Vec<u32>>;

    // ---- users ----

    /// Notes a user's name and picture, as of the token's time of issue: what an older token
    /// says does not replace what a newer one has said. Answers whether the user was not met
    /// before, or the name or the picture is another now.
    async fn put_profile(
        &self,
        user: &UserId,
        display_name: &str,
        avatar_url: &str,
        issued_at: Timestamp,
    ) -> Result<bool>;

    /// Notes when a user was last here; an earlier time does not replace a later one.
    async fn put_last_active(&self, user: &UserId, at: Timestamp) -> Result<()>;

    /// What is known of these users, in no order; who was not met is left out.
    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>>;

    /// The store's own clock: what times of change are compared with.
    async fn now(&self) -> Result<Timestamp>;

    /// Finishes what is under way, then closes; calls after that fail.
    async fn close(&self);
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is of no kind we know.
    #[error("{0}: not a store; use sqlite:PATH or mongodb://HOST/DATABASE")]
    Url(String),
    /// It is there but cannot be used.
    #[error("cannot open the store: {0}")]
    Store(#[from] StoreError),
}

/// Opens the store that a URL names: `sqlite:PATH` or `mongodb://…` (`mongodb+srv://…`). Makes
/// tables, collections and indexes that are missing; fails rather than start without them. Its
/// tasks are among the vital ones.
pub async fn open(
    url: &str,
    clock: Arc<dyn Clock>,
    vital: &Vital,
) -> Result<Arc<dyn Store>, OpenError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        if path.is_empty() || path.starts_with(':') {
            return Err(OpenError::Url(url.to_owned()));
        }
        return Ok(Arc::new(sqlite::SqliteStore::open(path, clock, vital).await?));
    }
    if url.starts_with("mongodb://") || url.starts_with("mongodb+srv://") {
        return Ok(Arc::new(mongo::MongoStore::open(url, clock, vital).await?));
    }
    Err(OpenError::Url(url.split('@').next_back().unwrap_or_default().to_owned()))
}
