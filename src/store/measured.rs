//! A store that is watched: how long each question took, and what came of it.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use super::{
    AppendError, Appended, ChangeCursor, ChangedMessage, Created, Head, Keys, Mark, NewChat,
    NewMessage, Result, Span, Store, StoreError, UnreadQuery, WrittenBy,
};
use crate::clock::Timestamp;
use crate::metrics::{self, Answer, Operation};
use crate::model::{Chat, ChatId, Member, Message, MessageId, Run, Seq, SeqSet, User, UserId};
use crate::trace;

mod content;
mod devices;
mod files;
mod groups;
mod jobs;
mod notices;
mod owned;
mod people;
mod services;

/// Asks another store, changes nothing, and records how it did.
pub struct Measured(Arc<dyn Store>);

impl Measured {
    /// Watches this one.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }
}

async fn timed<T>(operation: Operation, asked: impl Future<Output = Result<T>>) -> Result<T> {
    let began = Instant::now();
    let answer = trace::within(step(operation), asked).await;
    let outcome = answer.as_ref().map_or_else(answer_of, |_| Answer::Ok);
    metrics::store_seconds().of((operation, outcome)).took(began.elapsed());
    answer
}

fn step(operation: Operation) -> Option<trace::Span> {
    trace::Span::current().map(|span| span.step(format!("store.{}", operation.name())))
}

fn answer_of(error: &StoreError) -> Answer {
    match error {
        StoreError::Busy => Answer::Busy,
        StoreError::Unavailable(_) => Answer::Unavailable,
        StoreError::Broken(_) => Answer::Broken,
    }
}

fn answer_of_append(appended: &Result<Appended, AppendError>) -> Answer {
    match appended {
        Ok(_) => Answer::Ok,
        Err(AppendError::Store(error)) => answer_of(error),
        Err(AppendError::NotMember | AppendError::Reused | AppendError::Full) => Answer::Refused,
    }
}

#[async_trait]
impl Store for Measured {
    // The call itself puts the message in its place: it is made now, and only then waited for.
    fn append(&self, message: NewMessage) -> BoxFuture<'static, Result<Appended, AppendError>> {
        let began = Instant::now();
        let span = step(Operation::Append);
        let appending = trace::enter(span.as_ref(), || self.0.append(message));
        Box::pin(async move {
            let appended = appending.await;
            drop(span);
            let answer = answer_of_append(&appended);
            metrics::store_seconds().of((Operation::Append, answer)).took(began.elapsed());
            if appended.as_ref().is_ok_and(|appended| appended.duplicate) {
                metrics::sends_repeated().inc();
            }
            appended
        })
    }

    async fn ping(&self) -> Result<()> {
        timed(Operation::Ping, self.0.ping()).await
    }

    async fn keys(&self) -> Result<Keys> {
        timed(Operation::Keys, self.0.keys()).await
    }

    async fn by_client_id(
        &self,
        chat: ChatId,
        sender: &UserId,
        client_message_id: &str,
    ) -> Result<Option<Message>> {
        timed(Operation::ByClientId, self.0.by_client_id(chat, sender, client_message_id)).await
    }

    async fn heads(&self, chats: &[ChatId]) -> Result<Vec<Head>> {
        timed(Operation::Heads, self.0.heads(chats)).await
    }

    async fn newest(&self, chat: ChatId) -> Result<Seq> {
        timed(Operation::Newest, self.0.newest(chat)).await
    }

    async fn history(
        &self,
        chat: ChatId,
        span: Span,
        from: Seq,
        limit: u32,
    ) -> Result<Vec<Message>> {
        timed(Operation::History, self.0.history(chat, span, from, limit)).await
    }

    async fn messages(&self, places: &[(ChatId, Seq)]) -> Result<Vec<Message>> {
        timed(Operation::Messages, self.0.messages(places)).await
    }

    async fn message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>> {
        timed(Operation::Message, self.0.message(chat, id)).await
    }

    async fn log(&self, after: MessageId, limit: u32) -> Result<Vec<Message>> {
        timed(Operation::Log, self.0.log(after, limit)).await
    }

    async fn written_in(&self, writer: WrittenBy, chats: &[ChatId]) -> Result<Vec<ChatId>> {
        timed(Operation::WrittenIn, self.0.written_in(writer, chats)).await
    }

    async fn senders(&self, chat: ChatId, runs: &[Run]) -> Result<Vec<UserId>> {
        timed(Operation::Senders, self.0.senders(chat, runs)).await
    }

    async fn changed_messages(
        &self,
        chats: &[ChatId],
        after: ChangeCursor,
        limit: u32,
    ) -> Result<Vec<ChangedMessage>> {
        timed(Operation::ChangedMessages, self.0.changed_messages(chats, after, limit)).await
    }

    async fn create_chat(&self, new: NewChat) -> Result<Created> {
        timed(Operation::CreateChat, self.0.create_chat(new)).await
    }

    async fn find_chat(&self, key: &str, content_hash: [u8; 16]) -> Result<Option<Created>> {
        timed(Operation::FindChat, self.0.find_chat(key, content_hash)).await
    }

    async fn chats(&self, ids: &[ChatId]) -> Result<Vec<Chat>> {
        timed(Operation::Chats, self.0.chats(ids)).await
    }

    async fn members(&self, chat: ChatId) -> Result<Vec<Member>> {
        timed(Operation::Members, self.0.members(chat)).await
    }

    async fn member(&self, chat: ChatId, user: &UserId) -> Result<Option<Member>> {
        timed(Operation::Member, self.0.member(chat, user)).await
    }

    async fn pairs(&self, chats: &[ChatId]) -> Result<Vec<Member>> {
        timed(Operation::Pairs, self.0.pairs(chats)).await
    }

    async fn memberships(&self, user: &UserId) -> Result<Vec<Member>> {
        timed(Operation::Memberships, self.0.memberships(user)).await
    }

    async fn chats_of(&self, users: &[UserId]) -> Result<Vec<(ChatId, UserId)>> {
        timed(Operation::ChatsOf, self.0.chats_of(users)).await
    }

    async fn places(&self, of: &[(ChatId, UserId)]) -> Result<Vec<Member>> {
        timed(Operation::Places, self.0.places(of)).await
    }

    async fn count_memberships(&self, users: &[UserId]) -> Result<Vec<u32>> {
        timed(Operation::CountMemberships, self.0.count_memberships(users)).await
    }

    async fn changed_chats(&self, chats: &[ChatId], since: Timestamp) -> Result<Vec<Chat>> {
        timed(Operation::ChangedChats, self.0.changed_chats(chats, since)).await
    }

    async fn mark(&self, marks: Vec<Mark>) -> Result<Vec<Option<(SeqSet, SeqSet)>>> {
        timed(Operation::Mark, self.0.mark(marks)).await
    }

    async fn changed_receipts(
        &self,
        chats: &[ChatId],
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Member>> {
        timed(Operation::ChangedReceipts, self.0.changed_receipts(chats, since, limit)).await
    }

    async fn count_unread(&self, queries: &[UnreadQuery]) -> Result<Vec<u32>> {
        timed(Operation::CountUnread, self.0.count_unread(queries)).await
    }

    async fn put_profile(
        &self,
        user: &UserId,
        display_name: &str,
        avatar_url: &str,
        issued_at: Timestamp,
    ) -> Result<bool> {
        timed(Operation::PutProfile, self.0.put_profile(user, display_name, avatar_url, issued_at))
            .await
    }

    async fn put_last_active(&self, user: &UserId, at: Timestamp) -> Result<()> {
        timed(Operation::PutLastActive, self.0.put_last_active(user, at)).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        timed(Operation::Users, self.0.users(ids)).await
    }

    async fn now(&self) -> Result<Timestamp> {
        timed(Operation::Now, self.0.now()).await
    }

    async fn close(&self) {
        self.0.close().await;
    }
}
