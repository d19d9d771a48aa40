//! What the messages of a deleted group carry goes; nobody reads them any more.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::chat::Service;
use crate::chat::limits::{ERASE_PAGE, ERASED_AT_ONCE};
use crate::model::ChatId;
use crate::store::{self, Span};

impl Service {
    /// Deletes the messages of a chat that carry files, so that these go.
    pub(super) async fn erase_chat(self: &Arc<Self>, chat: ChatId) -> store::Result<()> {
        let mut after = 0;
        loop {
            let page = self.store.history(chat, Span::After(after), 1, ERASE_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            let carry = page.iter().filter(|message| !message.attachments.is_empty());
            let deletions: Vec<_> =
                carry.map(|message| self.store.delete_message(chat, message.id)).collect();
            let mut deletions = stream::iter(deletions).buffer_unordered(ERASED_AT_ONCE);
            while deletions.try_next().await?.is_some() {}
        }
        self.release_attachments();
        tracing::info!(%chat, "what a deleted chat held is gone");
        Ok(())
    }
}
