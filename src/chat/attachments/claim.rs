//! A send takes files: each goes to one message, whoever sends at the same time.

use std::collections::HashSet;

use super::Service;
use crate::chat::limits::{CLAIM_AGE, CLAIM_REFUSED_AGE, MAX_ATTACHMENTS};
use crate::error::{Error, Result};
use crate::model::{Attachment, AttachmentId, ChatId, Message, UserId};
use crate::store::{self, Claim};

impl Service {
    /// Takes these uploads of the user's for one message, in their order.
    pub(in crate::chat) async fn claim_attachments(
        &self,
        user: &UserId,
        ids: &[AttachmentId],
        chat: ChatId,
        client_message_id: &str,
    ) -> Result<Vec<Attachment>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.depot()?;
        // Looked at first, so that a message of which one file is missing does not hold the others.
        let found = self.store.files(ids).await?;
        if found.iter().filter(|file| file.owner == *user).count() < ids.len() {
            return Err(not_found());
        }
        let now = self.clock.now();
        let client_message_id = client_message_id.to_owned();
        let claim = Claim { chat, client_message_id, since: now, held: true };
        let claimed = self.store.claim_files(user, ids, claim, now.plus(CLAIM_AGE)).await?;
        let claimed: Vec<Attachment> = claimed.into_iter().map(|file| file.attachment).collect();
        if claimed.len() < ids.len() {
            let held: Vec<AttachmentId> = claimed.iter().map(|attachment| attachment.id).collect();
            self.unclaim_later(&held).await;
            return Err(not_found());
        }
        let in_order = ids.iter().filter_map(|id| claimed.iter().find(|of| of.id == *id));
        Ok(in_order.cloned().collect())
    }

    /// What they were claimed for was refused: they can be sent again soon, unless another send
    /// of the same id was not refused.
    pub(in crate::chat) async fn unclaim_later(&self, ids: &[AttachmentId]) {
        let at = self.clock.now().plus(CLAIM_REFUSED_AGE);
        if let Err(error) = self.store.make_due(ids, at).await {
            // They are looked at anyway, later.
            tracing::debug!(%error, "claims are given back later");
        }
    }

    /// These messages, with the previews that were made since they were sent.
    pub(in crate::chat) async fn with_previews(
        &self,
        messages: &[Message],
    ) -> store::Result<Vec<Message>> {
        let lacks = |of: &Attachment| of.width > 0 && of.blurhash.is_empty();
        let mut messages = messages.to_vec();
        let lacking: HashSet<AttachmentId> = messages
            .iter()
            .flat_map(|message| message.attachments.iter().filter(|of| lacks(of)))
            .map(|of| of.id)
            .collect();
        if lacking.is_empty() {
            return Ok(messages);
        }
        let lacking: Vec<AttachmentId> = lacking.into_iter().collect();
        for file in self.store.files(&lacking).await? {
            let of = messages.iter_mut().flat_map(|message| &mut message.attachments);
            for of in of.filter(|of| of.id == file.attachment.id) {
                of.clone_from(&file.attachment);
            }
        }
        Ok(messages)
    }
}

/// The ids of what a draft carries, each once.
pub(in crate::chat) fn ids(raw: &[String]) -> Result<Vec<AttachmentId>> {
    if raw.len() > MAX_ATTACHMENTS {
        return Err(Error::over_limit("attachment_ids", MAX_ATTACHMENTS, "attachments"));
    }
    let ids: Vec<AttachmentId> = raw
        .iter()
        .map(|raw| AttachmentId::parse(raw).ok_or_else(not_found))
        .collect::<Result<_>>()?;
    if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
        return Err(Error::field("attachment_ids", "must hold each id once"));
    }
    Ok(ids)
}

/// Unknown, another's, not whole, or sent before: they look alike.
fn not_found() -> Error {
    Error { field: "attachment_ids".into(), ..Error::attachment_not_found() }
}
