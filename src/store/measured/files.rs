//! What is known of attachments; the bytes are elsewhere.

use async_trait::async_trait;

use super::{Measured, timed};
use crate::clock::Timestamp;
use crate::metrics::Operation;
use crate::model::{AttachmentId, UserId};
use crate::store::{Claim, File, Files, NewFile, Result, Settled, WholeFile};

#[async_trait]
impl Files for Measured {
    async fn open_file(&self, new: NewFile, limit: u32) -> Result<bool> {
        timed(Operation::OpenFile, self.0.open_file(new, limit)).await
    }

    async fn files(&self, ids: &[AttachmentId]) -> Result<Vec<File>> {
        timed(Operation::Files, self.0.files(ids)).await
    }

    async fn advance_file(&self, id: AttachmentId, from: u32, to: u32) -> Result<Option<u32>> {
        timed(Operation::AdvanceFile, self.0.advance_file(id, from, to)).await
    }

    async fn complete_file(&self, whole: WholeFile) -> Result<bool> {
        timed(Operation::CompleteFile, self.0.complete_file(whole)).await
    }

    async fn put_preview(&self, id: AttachmentId, blurhash: &str, thumbnail: bool) -> Result<()> {
        timed(Operation::PutPreview, self.0.put_preview(id, blurhash, thumbnail)).await
    }

    async fn claim_files(
        &self,
        owner: &UserId,
        ids: &[AttachmentId],
        claim: Claim,
        due_at: Timestamp,
    ) -> Result<Vec<File>> {
        timed(Operation::ClaimFiles, self.0.claim_files(owner, ids, claim, due_at)).await
    }

    async fn due_files(&self, now: Timestamp, again: Timestamp, limit: u32) -> Result<Vec<File>> {
        timed(Operation::DueFiles, self.0.due_files(now, again, limit)).await
    }

    async fn settle_file(
        &self,
        id: AttachmentId,
        seen: Option<Timestamp>,
        settled: Settled,
    ) -> Result<bool> {
        timed(Operation::SettleFile, self.0.settle_file(id, seen, settled)).await
    }

    async fn make_due(&self, ids: &[AttachmentId], at: Timestamp) -> Result<()> {
        timed(Operation::MakeDue, self.0.make_due(ids, at)).await
    }

    async fn forget_file(&self, id: AttachmentId) -> Result<()> {
        timed(Operation::ForgetFile, self.0.forget_file(id)).await
    }
}
