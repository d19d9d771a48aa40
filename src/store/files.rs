//! What is known of attachments; the bytes are elsewhere.

use async_trait::async_trait;

use super::{Claim, File, NewFile, Result, Settled, WholeFile};
use crate::clock::Timestamp;
use crate::model::{AttachmentId, UserId};

/// What is known of attachments; the bytes are elsewhere. As in [`Store`](super::Store): answers
/// are durable, lists of ids may hold repeats.
///
/// A file is opened, becomes whole, and is claimed for one message; then it is that message's.
/// Whenever something has to be looked after it is *due* at a time, and whoever looks settles
/// what becomes of it: so nothing stays behind, wherever a node stopped. Times are those of who
/// calls. [`delete_message`](super::Content::delete_message) makes what the message carried due
/// at once, or soon where it was stopped half-way.
#[async_trait]
pub trait Files: Send + Sync {
    /// Notes that a file is to be uploaded; the same again changes nothing. False, and nothing
    /// noted: its owner has `limit` files or more that no message holds. Of several calls at
    /// once a few may pass that together are over it.
    async fn open_file(&self, new: NewFile, limit: u32) -> Result<bool>;

    /// These files, in no order.
    async fn files(&self, ids: &[AttachmentId]) -> Result<Vec<File>>;

    /// Notes that the bytes up to `to` are there, if those up to `from` were the last. Answers up
    /// to where they are now; `None` if there is no such file, or it is whole or doomed.
    async fn advance_file(&self, id: AttachmentId, from: u32, to: u32) -> Result<Option<u32>>;

    /// Notes that a file is whole. False, and nothing noted: there is no such file, it is doomed,
    /// or it is whole with another body. The same again is true.
    async fn complete_file(&self, whole: WholeFile) -> Result<bool>;

    /// Notes what was made of a picture, or that nothing could be: none is wanted any more.
    async fn put_preview(&self, id: AttachmentId, blurhash: &str, thumbnail: bool) -> Result<()>;

    /// Claims files for a message, and makes them due at `due_at`: each that is whole, this
    /// owner's, not doomed, and held for no other message. Answers those that are claimed now, in
    /// no order; each is held for one message, whoever claims at the same time. A claim for the
    /// same message again makes it another one of `since`.
    async fn claim_files(
        &self,
        owner: &UserId,
        ids: &[AttachmentId],
        claim: Claim,
        due_at: Timestamp,
    ) -> Result<Vec<File>>;

    /// Takes up to `limit` files that are due at `now`, in no order, and makes them due again at
    /// `again`: until then nobody else is given them.
    async fn due_files(&self, now: Timestamp, again: Timestamp, limit: u32) -> Result<Vec<File>>;

    /// Settles what becomes of a file, if its claim is still as it was `seen` (its `since`;
    /// `None`: never claimed); false if not, or if it is doomed or gone. A doomed one stays due.
    async fn settle_file(
        &self,
        id: AttachmentId,
        seen: Option<Timestamp>,
        settled: Settled,
    ) -> Result<bool>;

    /// Makes these files due, at `at` or before.
    async fn make_due(&self, ids: &[AttachmentId], at: Timestamp) -> Result<()>;

    /// Forgets a file; one that is not there stays so.
    async fn forget_file(&self, id: AttachmentId) -> Result<()>;
}
