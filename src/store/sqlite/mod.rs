//! The store in one file, for one node.
//!
//! One thread writes and commits in groups ([`writer`]); a few read ([`readers`]); both are
//! reached through bounded queues ([`queue`]), so that no call blocks the runtime. The file is
//! in WAL mode with `synchronous=FULL`, and locked against a second process ([`schema`]). What
//! the commands and questions are is in [`log`], [`content`], [`search`], [`chats`],
//! [`receipts`] and [`users`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rusqlite::Connection;

use self::readers::Readers;
use self::writer::Writer;
use super::{
    AppendError, Appended, ChangeCursor, ChangedMessage, Created, Head, Keys, Mark, NewChat,
    NewMessage, Result, Span, Store, StoreError, UnreadQuery, WrittenBy,
};
use crate::clock::{Clock, Timestamp};
use crate::model::{Chat, ChatId, Member, Message, MessageId, Run, Seq, SeqSet, User, UserId};
use crate::vital::Vital;

mod chats;
mod content;
mod devices;
mod failure;
mod files;
mod groups;
mod jobs;
pub(super) mod limit;
mod log;
mod notices;
mod owned;
mod people;
mod queue;
mod readers;
mod receipts;
mod rows;
mod schema;
mod search;
mod services;
mod users;
mod writer;

/// Commands that share one transaction: what the last of them waits longer for the first is some
/// 20 ms, and nothing is gained by more.
const BATCH: usize = 512;

/// Commands that may wait: a second's worth on a slow disk. One more is [`StoreError::Busy`].
const WRITES_WAITING: usize = 4096;

/// Reads that may wait. One more is [`StoreError::Busy`].
const READS_WAITING: usize = 4096;

/// Threads that read, beside the one that writes.
const READERS: usize = 3;

/// Keys that are hardly worth a thread of their own.
const PART: usize = 64;

/// Who waits longer is told that the store cannot be reached.
const PATIENCE: Duration = Duration::from_secs(10);

/// The store in one file, for one node.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    clock: Arc<dyn Clock>,
    /// The writer thread, which ends last; taken by the first who closes.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens the file of this path and makes what is missing. Fails if another process has it
    /// open, or if a newer adda has made it.
    pub async fn open(path: &str, clock: Arc<dyn Clock>, vital: &Vital) -> Result<Self> {
        let (path, vital) = (PathBuf::from(path), vital.clone());
        tokio::task::spawn_blocking(move || Self::open_blocking(&path, clock, &vital))
            .await
            .map_err(|error| StoreError::Broken(error.into()))?
    }

    fn open_blocking(path: &Path, clock: Arc<dyn Clock>, vital: &Vital) -> Result<Self> {
        let lock = schema::lock(path)?;
        let db = schema::writer(path)?;
        let connections = (0..READERS).map(|_| schema::reader(path)).collect::<Result<_>>()?;
        let no_thread = |error: std::io::Error| StoreError::Unavailable(error.into());
        let (readers, reading) = Readers::start(connections, vital).map_err(no_thread)?;
        let (writer, thread) =
            Writer::start(db, clock.clone(), (lock, reading), vital).map_err(no_thread)?;
        Ok(Self { writer, readers, clock, thread: Mutex::new(Some(thread)) })
    }

    /// What is of many keys is read by all threads at once, a part by each.
    async fn in_parts<K, V>(
        &self,
        keys: Vec<K>,
        read: fn(&Connection, &[K]) -> rusqlite::Result<Vec<V>>,
    ) -> Result<Vec<V>>
    where
        K: Clone + Send + 'static,
        V: Send + 'static,
    {
        let size = keys.len().div_ceil(READERS).max(PART);
        let part = |keys: &[K]| {
            let keys = keys.to_vec();
            self.readers.ask(move |db| read(db, &keys))
        };
        let parts = futures_util::future::try_join_all(keys.chunks(size).map(part)).await?;
        Ok(parts.into_iter().flatten().collect())
    }
}

/// Each once: arguments may hold repeats, answers do not.
fn each_once<T: Clone + Ord>(list: &[T]) -> Vec<T> {
    let mut list = list.to_vec();
    list.sort_unstable();
    list.dedup();
    list
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<()> {
        self.writer.ask(|db, now| Ok(users::ping(db, now)?)).await
    }

    async fn keys(&self) -> Result<Keys> {
        self.writer.ask(|db, _| Ok(users::keys(db)?)).await
    }

    fn append(&self, message: NewMessage) -> BoxFuture<'static, Result<Appended, AppendError>> {
        Box::pin(self.writer.append(message))
    }

    async fn by_client_id(
        &self,
        chat: ChatId,
        sender: &UserId,
        client_message_id: &str,
    ) -> Result<Option<Message>> {
        let (sender, id) = (sender.clone(), client_message_id.to_owned());
        self.readers.ask(move |db| log::by_client_id(db, chat, sender.as_str(), &id)).await
    }

    async fn heads(&self, chats: &[ChatId]) -> Result<Vec<Head>> {
        self.in_parts(each_once(chats), log::heads).await
    }

    async fn newest(&self, chat: ChatId) -> Result<Seq> {
        let heads = self.readers.ask(move |db| log::heads(db, &[chat])).await?;
        Ok(heads.first().map_or(0, |head| head.seq))
    }

    async fn history(
        &self,
        chat: ChatId,
        span: Span,
        from: Seq,
        limit: u32,
    ) -> Result<Vec<Message>> {
        self.readers.ask(move |db| log::history(db, chat, span, from, limit)).await
    }

    async fn messages(&self, places: &[(ChatId, Seq)]) -> Result<Vec<Message>> {
        let places = each_once(places);
        self.readers.ask(move |db| log::messages(db, &places)).await
    }

    async fn message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>> {
        self.readers.ask(move |db| log::message(db, chat, id)).await
    }

    async fn log(&self, after: MessageId, limit: u32) -> Result<Vec<Message>> {
        self.readers.ask(move |db| log::by_id(db, after, limit)).await
    }

    async fn written_in(&self, writer: WrittenBy, chats: &[ChatId]) -> Result<Vec<ChatId>> {
        let chats = each_once(chats);
        self.readers.ask(move |db| log::written_in(db, &writer, &chats)).await
    }

    async fn senders(&self, chat: ChatId, runs: &[Run]) -> Result<Vec<UserId>> {
        let runs = runs.to_vec();
        self.readers.ask(move |db| log::senders(db, chat, &runs)).await
    }

    async fn changed_messages(
        &self,
        chats: &[ChatId],
        after: ChangeCursor,
        limit: u32,
    ) -> Result<Vec<ChangedMessage>> {
        let chats = each_once(chats);
        self.readers.ask(move |db| log::changed(db, &chats, after, limit)).await
    }

    async fn create_chat(&self, new: NewChat) -> Result<Created> {
        self.writer.ask(|db, now| chats::create(db, now, new)).await
    }

    async fn find_chat(&self, key: &str, content_hash: [u8; 16]) -> Result<Option<Created>> {
        let key = key.to_owned();
        self.readers.ask(move |db| chats::find(db, &key, content_hash)).await
    }

    async fn chats(&self, ids: &[ChatId]) -> Result<Vec<Chat>> {
        let ids = each_once(ids);
        self.readers.ask(move |db| chats::chats(db, &ids)).await
    }

    async fn members(&self, chat: ChatId) -> Result<Vec<Member>> {
        self.readers.ask(move |db| chats::members(db, chat)).await
    }

    async fn member(&self, chat: ChatId, user: &UserId) -> Result<Option<Member>> {
        let user = user.clone();
        self.readers.ask(move |db| chats::member(db, chat, &user)).await
    }

    async fn pairs(&self, chats: &[ChatId]) -> Result<Vec<Member>> {
        let chats = each_once(chats);
        self.readers.ask(move |db| chats::pairs(db, &chats)).await
    }

    async fn memberships(&self, user: &UserId) -> Result<Vec<Member>> {
        let (user, now) = (user.clone(), self.clock.now());
        self.readers.ask(move |db| chats::memberships(db, now, &user)).await
    }

    async fn chats_of(&self, users: &[UserId]) -> Result<Vec<(ChatId, UserId)>> {
        self.in_parts(each_once(users), chats::chats_of).await
    }

    async fn places(&self, of: &[(ChatId, UserId)]) -> Result<Vec<Member>> {
        self.in_parts(each_once(of), chats::places).await
    }

    async fn count_memberships(&self, users: &[UserId]) -> Result<Vec<u32>> {
        let users = users.to_vec();
        self.readers.ask(move |db| chats::count_memberships(db, &users)).await
    }

    async fn changed_chats(&self, chats: &[ChatId], since: Timestamp) -> Result<Vec<Chat>> {
        let ids = each_once(chats);
        self.readers.ask(move |db| chats::changed(db, &ids, since)).await
    }

    async fn mark(&self, marks: Vec<Mark>) -> Result<Vec<Option<(SeqSet, SeqSet)>>> {
        self.writer.ask(move |db, now| Ok(receipts::mark(db, now, &marks)?)).await
    }

    async fn changed_receipts(
        &self,
        chats: &[ChatId],
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Member>> {
        let chats = each_once(chats);
        self.readers.ask(move |db| receipts::changed(db, &chats, since, limit)).await
    }

    async fn count_unread(&self, queries: &[UnreadQuery]) -> Result<Vec<u32>> {
        let queries = queries.to_vec();
        self.readers.ask(move |db| receipts::count_unread(db, &queries)).await
    }

    async fn put_profile(
        &self,
        user: &UserId,
        display_name: &str,
        avatar_url: &str,
        issued_at: Timestamp,
    ) -> Result<bool> {
        let user = user.clone();
        let (name, url) = (display_name.to_owned(), avatar_url.to_owned());
        self.writer
            .ask(move |db, _| Ok(users::put_profile(db, &user, (&name, &url), issued_at)?))
            .await
    }

    async fn put_last_active(&self, user: &UserId, at: Timestamp) -> Result<()> {
        let user = user.clone();
        self.writer.ask(move |db, _| Ok(users::put_last_active(db, &user, at)?)).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let ids = each_once(ids);
        self.readers.ask(move |db| users::users(db, &ids)).await
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.clock.now())
    }

    async fn close(&self) {
        self.readers.close();
        self.writer.close();
        let Some(thread) = self.thread.lock().take() else { return };
        // A panic has been told.
        drop(tokio::task::spawn_blocking(move || thread.join()).await);
    }
}
