//! The store in one file, for one node.
use super::*;
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// The store in one file, for one node.
pub struct SqliteStore;

impl SqliteStore {
    /// Opens it.
    pub async fn open(_url: &str, _clock: Arc<dyn Clock>) -> Result<Self> {
        todo!()
    }
}

#[async_trait]
#[expect(unused_variables, reason = "to come")]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<()> {
        todo!()
    }
    async fn keys(&self) -> Result<Keys> {
        todo!()
    }
    fn append(&self, message: NewMessage) -> BoxFuture<'static, Result<Appended, AppendError>> {
        todo!()
    }
    async fn by_client_id(
        &self,
        chat: ChatId,
        sender: &UserId,
        client_message_id: &str,
    ) -> Result<Option<Message>> {
        todo!()
    }
    async fn heads(&self, chats: &[ChatId]) -> Result<Vec<Head>> {
        todo!()
    }
    async fn history(
        &self,
        chat: ChatId,
        span: Span,
        from: Seq,
        limit: u32,
    ) -> Result<Vec<Message>> {
        todo!()
    }
    async fn messages(&self, places: &[(ChatId, Seq)]) -> Result<Vec<Message>> {
        todo!()
    }
    async fn message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>> {
        todo!()
    }
    async fn log(&self, after: MessageId, limit: u32) -> Result<Vec<Message>> {
        todo!()
    }
    async fn written_in(&self, user: &UserId, chats: &[ChatId]) -> Result<Vec<ChatId>> {
        todo!()
    }
    async fn senders(&self, chat: ChatId, runs: &[Run]) -> Result<Vec<UserId>> {
        todo!()
    }
    async fn delete_message(&self, chat: ChatId, id: MessageId) -> Result<Option<Message>> {
        todo!()
    }
    async fn changed_messages(
        &self,
        chats: &[ChatId],
        after: ChangeCursor,
        limit: u32,
    ) -> Result<Vec<ChangedMessage>> {
        todo!()
    }
    async fn create_chat(&self, new: NewChat) -> Result<Created> {
        todo!()
    }
    async fn chats(&self, ids: &[ChatId]) -> Result<Vec<Chat>> {
        todo!()
    }
    async fn members(&self, chat: ChatId) -> Result<Vec<Member>> {
        todo!()
    }
    async fn member(&self, chat: ChatId, user: &UserId) -> Result<Option<Member>> {
        todo!()
    }
    async fn pairs(&self, chats: &[ChatId]) -> Result<Vec<Member>> {
        todo!()
    }
    async fn memberships(&self, user: &UserId) -> Result<Vec<Member>> {
        todo!()
    }
    async fn count_memberships(&self, users: &[UserId]) -> Result<Vec<u32>> {
        todo!()
    }
    async fn changed_chats(&self, chats: &[ChatId], since: Timestamp) -> Result<Vec<Chat>> {
        todo!()
    }
    async fn mark(&self, marks: Vec<Mark>) -> Result<Vec<Option<(SeqSet, SeqSet)>>> {
        todo!()
    }
    async fn changed_receipts(
        &self,
        chats: &[ChatId],
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Member>> {
        todo!()
    }
    async fn count_unread(&self, user: &UserId, queries: &[UnreadQuery]) -> Result<Vec<u32>> {
        todo!()
    }
    async fn put_profile(
        &self,
        user: &UserId,
        display_name: &str,
        avatar_url: &str,
        issued_at: Timestamp,
    ) -> Result<bool> {
        todo!()
    }
    async fn put_last_active(&self, user: &UserId, at: Timestamp) -> Result<()> {
        todo!()
    }
    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        todo!()
    }
    async fn now(&self) -> Result<Timestamp> {
        todo!()
    }
    async fn close(&self) {
        todo!()
    }
}
