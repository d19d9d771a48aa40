//! The store on a MongoDB replica set.
//!
//! | here | lives |
//! |---|---|
//! | `schema` | the connection, the collections, their indexes |
//! | `docs` | documents, to and from the words of the house |
//! | `lane`, `queue`, `flush`, `write` | appending: the commit rule |
//! | `log` | reading messages |
//! | `content`, `search` | what they become; finding them |
//! | `groups` | groups that change: transactions, and the notes that follow them |
//! | `settings` | what members set for themselves; members in their order |
//! | `reads`, `changes`, `gather` | what many streams ask for, read together |
//! | `owned` | what is kept of one user, to be handed out and taken away |
//! | `chats`, `receipts`, `users`, `people` | the rest |
//! | `failure` | errors without what was in a document |
//!
//! What it keeps true: everything is written with `w: majority, j: true` and read with majority
//! reads from the primary; times of change are mongod's; an exchange takes seconds at most.

mod changes;
mod chats;
mod content;
mod devices;
mod docs;
mod failure;
mod files;
mod flush;
mod gather;
mod groups;
mod jobs;
mod lane;
pub(super) mod limit;
mod log;
mod notices;
mod owned;
mod people;
mod queue;
mod reads;
mod receipts;
mod schema;
mod search;
mod services;
mod settings;
mod users;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use self::failure::unavailable;
use self::lane::Lanes;
use self::reads::Reads;
use self::schema::Db;
use super::{
    AppendError, Appended, ChangeCursor, ChangedMessage, Created, Head, Keys, Mark, NewChat,
    NewMessage, Result, Span, Store, UnreadQuery, WrittenBy,
};
use crate::clock::{Clock, Timestamp};
use crate::model::{Chat, ChatId, Member, Message, MessageId, Run, Seq, SeqSet, User, UserId};
use crate::vital::Vital;

/// The store on a MongoDB replica set.
pub struct MongoStore {
    db: Db,
    lanes: Lanes,
    reads: Reads,
    clock: Arc<dyn Clock>,
    closed: AtomicBool,
}

impl std::fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MongoStore")
            .field("database", &self.db.database.name())
            .finish_non_exhaustive()
    }
}

impl MongoStore {
    /// Connects, and makes collections and indexes that are missing. The database is that of the
    /// URL's path, `adda` without one.
    pub async fn open(url: &str, clock: Arc<dyn Clock>, vital: &Vital) -> Result<Self> {
        let db = Db::open(url).await?;
        let lanes = Lanes::start(&db, vital);
        let reads = Reads::start(&db, &clock, vital);
        Ok(Self { db, lanes, reads, clock, closed: AtomicBool::new(false) })
    }

    fn reads(&self) -> Result<&Reads> {
        self.db().map(|_| &self.reads)
    }

    fn db(&self) -> Result<&Db> {
        if self.closed.load(Ordering::Acquire) {
            return Err(unavailable("the store is closed"));
        }
        Ok(&self.db)
    }
}

#[async_trait]
impl Store for MongoStore {
    async fn ping(&self) -> Result<()> {
        self.db()?.hello().await?;
        if self.lanes.are_running() { Ok(()) } else { Err(unavailable("a lane has ended")) }
    }

    async fn keys(&self) -> Result<Keys> {
        self.db()?.keys().await
    }

    fn append(&self, message: NewMessage) -> BoxFuture<'static, Result<Appended, AppendError>> {
        self.lanes.append(message)
    }

    async fn by_client_id(
        &self,
        chat: ChatId,
        sender: &UserId,
        client_message_id: &str,
    ) -> Result<Option<Message>> {
        self.db()?.by_client_id(chat, sender, client_message_id).await
    }

    async fn heads(&self, chats: &[ChatId]) -> Result<Vec<Head>> {
        self.reads()?.heads.rows(chats).await
    }

    async fn newest(&self, chat: ChatId) -> Result<Seq> {
        self.db()?.newest(chat).await
    }

    async fn history(
        &self,
        chat: ChatId,
        span: Span,
        from: Seq,
        limit: u32,
    ) -> Result<Vec<Message>> {
        self.db()?.history(chat, span, from, limit).await
    }

    async fn messages(&self, places: &[(ChatId, Seq)]) -> Result<Vec<Message>> {
        self.reads()?.messages.rows(places).await
    }

    async fn message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>> {
        self.db()?.message(chat, id).await
    }

    async fn log(&self, after: MessageId, limit: u32) -> Result<Vec<Message>> {
        self.db()?.log(after, limit).await
    }

    async fn written_in(&self, writer: WrittenBy, chats: &[ChatId]) -> Result<Vec<ChatId>> {
        self.reads()?.written_in(&writer, chats).await
    }

    async fn senders(&self, chat: ChatId, runs: &[Run]) -> Result<Vec<UserId>> {
        self.db()?.senders(chat, runs).await
    }

    async fn changed_messages(
        &self,
        chats: &[ChatId],
        after: ChangeCursor,
        limit: u32,
    ) -> Result<Vec<ChangedMessage>> {
        self.reads()?.changes.messages(chats, after, limit).await
    }

    async fn create_chat(&self, new: NewChat) -> Result<Created> {
        self.make_chat(new).await
    }

    async fn find_chat(&self, key: &str, content_hash: [u8; 16]) -> Result<Option<Created>> {
        self.db()?.find_chat(key, content_hash).await
    }

    async fn chats(&self, ids: &[ChatId]) -> Result<Vec<Chat>> {
        self.reads()?.chats.rows(ids).await
    }

    async fn members(&self, chat: ChatId) -> Result<Vec<Member>> {
        let mut members = self.reads()?.members.rows(&[chat]).await?;
        members.sort_unstable_by(|a, b| (a.joined_at, &a.user).cmp(&(b.joined_at, &b.user)));
        Ok(members)
    }

    async fn member(&self, chat: ChatId, user: &UserId) -> Result<Option<Member>> {
        self.db()?.member(chat, user).await
    }

    async fn pairs(&self, chats: &[ChatId]) -> Result<Vec<Member>> {
        self.reads()?.members.rows(chats).await
    }

    async fn memberships(&self, user: &UserId) -> Result<Vec<Member>> {
        self.reads()?.memberships.rows(std::slice::from_ref(user)).await
    }

    async fn chats_of(&self, users: &[UserId]) -> Result<Vec<(ChatId, UserId)>> {
        self.db()?.chats_of(users).await
    }

    async fn places(&self, of: &[(ChatId, UserId)]) -> Result<Vec<Member>> {
        self.db()?.places(of).await
    }

    async fn count_memberships(&self, users: &[UserId]) -> Result<Vec<u32>> {
        self.db()?.count_memberships(users).await
    }

    async fn changed_chats(&self, chats: &[ChatId], since: Timestamp) -> Result<Vec<Chat>> {
        self.reads()?.changes.chats(chats, since).await
    }

    async fn mark(&self, marks: Vec<Mark>) -> Result<Vec<Option<(SeqSet, SeqSet)>>> {
        self.db()?.mark(marks).await
    }

    async fn changed_receipts(
        &self,
        chats: &[ChatId],
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Member>> {
        self.reads()?.changes.receipts(chats, since, limit).await
    }

    async fn count_unread(&self, queries: &[UnreadQuery]) -> Result<Vec<u32>> {
        self.db()?.count_unread(queries).await
    }

    async fn put_profile(
        &self,
        user: &UserId,
        display_name: &str,
        avatar_url: &str,
        issued_at: Timestamp,
    ) -> Result<bool> {
        self.db()?.put_profile(user, display_name, avatar_url, issued_at).await
    }

    async fn put_last_active(&self, user: &UserId, at: Timestamp) -> Result<()> {
        self.db()?.put_last_active(user, at).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        self.reads()?.users.rows(ids).await
    }

    async fn now(&self) -> Result<Timestamp> {
        self.db()?.now().await
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.lanes.close().await;
        self.db.client.clone().shutdown().await;
    }
}
