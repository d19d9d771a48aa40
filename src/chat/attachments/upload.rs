//! Uploading: by a stream of gRPC, or by HTTP to a signed URL, whole or in parts.
//!
//! An upload runs in a task of its own, with the stream of its bytes: whoever goes away in the
//! middle, what was written is taken away again. Parts wait in the depot as they came, and are
//! looked at when all are there; the last one is answered after that.

use std::pin::pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use tokio::time::timeout;

use super::parts::{expected, state};
use super::{Description, Service};
use crate::chat::limits::{
    FILE_PROGRESS_WITHIN, MAX_UPLOADS, ORPHAN_AGE, UPLOAD_PART, UPLOAD_WITHIN, UPLOADS_AT_ONCE,
};
use crate::error::{Error, Reason, Result};
use crate::files::{Bytes, Depot, Intake, Whole};
use crate::metrics;
use crate::model::{Attachment, AttachmentId, UserId};
use crate::proto;
use crate::store::{File, NewFile, WholeFile};
use crate::trace;
use crate::wire;

/// What one PUT says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// Its first and last byte and the size of the whole, as in `Content-Range`; `None`: all.
    pub range: Option<(u64, u64, u64)>,
    /// How many bytes it has, if it says so.
    pub length: Option<u64>,
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutState {
    /// How many bytes are there.
    pub offset: u32,
    /// It is whole, and can be sent.
    pub whole: bool,
}

impl Service {
    /// Takes a file by one stream of its bytes. What breaks leaves nothing behind.
    pub async fn upload<S>(
        self: &Arc<Self>,
        user: &UserId,
        description: Option<proto::UploadDescription>,
        bytes: S,
    ) -> Result<proto::Attachment>
    where
        S: Stream<Item = Result<Bytes>> + Send + 'static,
    {
        let depot = self.depot()?.clone();
        let description = self.described(description)?;
        let size = description.size;
        let id = self.open_upload(user, description).await?;
        self.apart(move |service| async move {
            let taken = service.take_whole(&depot, id, size, bytes).await;
            if taken.is_err() {
                service.let_go(id, None).await;
            }
            taken.map(|attachment| wire::attachment(&attachment))
        })
        .await
    }

    /// Opens an upload by HTTP.
    pub async fn create_upload(
        &self,
        user: &UserId,
        description: Option<proto::UploadDescription>,
    ) -> Result<proto::CreateUploadResponse> {
        self.depot()?;
        let description = self.described(description)?;
        let id = self.open_upload(user, description).await?;
        let expires = id.time().plus(ORPHAN_AGE);
        Ok(proto::CreateUploadResponse {
            attachment_id: id.to_string(),
            upload_url: self.links.upload(id, expires),
            part_bytes: UPLOAD_PART,
            expires_at: Some(wire::timestamp(expires)),
        })
    }

    /// How far the upload of this link is.
    pub async fn upload_state(&self, link: &str) -> Result<PutState> {
        self.depot()?;
        Ok(state(&self.linked(link).await?))
    }

    /// Takes the bytes of one PUT to this link.
    pub async fn put<S>(self: &Arc<Self>, link: &str, put: Put, bytes: S) -> Result<PutState>
    where
        S: Stream<Item = Result<Bytes>> + Send + 'static,
    {
        let depot = self.depot()?.clone();
        let file = self.linked(link).await?;
        let (first, length) = expected(&file, put)?;
        self.apart(move |service| async move {
            let id = file.attachment.id;
            let taken = service.take_put(&depot, &file, first, length, bytes).await;
            if taken.as_ref().is_err_and(is_final) {
                service.let_go(id, None).await;
            }
            taken
        })
        .await
    }

    async fn open_upload(&self, user: &UserId, description: Description) -> Result<AttachmentId> {
        let id = AttachmentId(self.clock.new_id());
        let new = NewFile {
            id,
            owner: user.clone(),
            file_name: description.file_name,
            size: description.size,
            due_at: id.time().plus(ORPHAN_AGE),
        };
        if self.store.open_file(new, MAX_UPLOADS).await? {
            return Ok(id);
        }
        let what = "too many uploads that no message has taken: send them, or wait a day";
        let mut error = Error::new(Reason::TooManyUploads, what);
        error.metadata.push(("limit", MAX_UPLOADS.to_string()));
        Err(error)
    }

    /// Does something that ends by itself when who asked for it goes away.
    async fn apart<T, F>(
        self: &Arc<Self>,
        work: impl FnOnce(Arc<Self>) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let service = Arc::clone(self);
        let task = self.tasks.spawn(trace::carry(async move {
            let Ok(_place) = service.attachments.uploading.try_acquire() else {
                let what = format!("{UPLOADS_AT_ONCE} uploads are under way here; try again");
                return Err(Error::new(Reason::RateLimited, what));
            };
            let _under_way = metrics::uploads_under_way().enter();
            let done = work(Arc::clone(&service)).await;
            metrics::uploads().of(Reason::outcome(&done)).inc();
            done
        }));
        task.await.unwrap_or_else(|error| Err(Error::internal(error)))
    }

    /// The file of a link that is not on its way out.
    async fn linked(&self, link: &str) -> Result<File> {
        let id = self.links.read_upload(link).ok_or_else(Error::attachment_not_found)?;
        let file = self.store.files(&[id]).await?.pop();
        file.filter(|file| !file.doomed).ok_or_else(Error::attachment_not_found)
    }

    /// Takes all of a file.
    pub(super) async fn take_whole<S>(
        self: &Arc<Self>,
        depot: &Depot,
        id: AttachmentId,
        size: u32,
        bytes: S,
    ) -> Result<Attachment>
    where
        S: Stream<Item = Result<Bytes>> + Send + 'static,
    {
        let mut intake = Intake::new(depot.clone(), id.0, self.clock.new_id(), size);
        let mut bytes = pin!(self.watched(bytes));
        let taken: Result<Whole> = async {
            while let Some(bytes) = bytes.next().await {
                intake.push(&bytes?).await?;
            }
            Ok(intake.finish().await?)
        }
        .await;
        self.noted(id, size, intake, taken).await
    }

    /// Notes a file that is in the depot, or takes away what of it is there.
    pub(super) async fn noted(
        self: &Arc<Self>,
        id: AttachmentId,
        came: u32,
        intake: Intake,
        taken: Result<Whole>,
    ) -> Result<Attachment> {
        let noted = match taken {
            Ok(whole) => self.note_whole(id, came, &whole).await,
            Err(error) => Err(error),
        };
        // Where it is not known whether it was noted, the bytes stay until the file goes.
        if noted.as_ref().is_err_and(|error| error.reason != Reason::StoreUnavailable) {
            intake.abandon().await;
        }
        if noted? {
            self.make_preview_soon(id).await;
        }
        let file = self.store.files(&[id]).await?.pop();
        Ok(file.ok_or_else(Error::attachment_not_found)?.attachment)
    }

    /// Answers whether it is to have a preview.
    async fn note_whole(&self, id: AttachmentId, came: u32, whole: &Whole) -> Result<bool> {
        let (width, height) = whole.pixels.unwrap_or((0, 0));
        let noted = WholeFile {
            id,
            body: whole.body,
            content_type: whole.content_type.to_owned(),
            // It has grown by less than what a segment of Exif takes.
            size: u32::try_from(whole.size).unwrap_or(u32::MAX),
            came,
            width,
            height,
            wants_preview: whole.pixels.is_some(),
        };
        // Another attempt came first, or it has gone meanwhile.
        let done = self.store.complete_file(noted).await?;
        metrics::upload_bytes().add(whole.size);
        if done { Ok(whole.pixels.is_some()) } else { Err(Error::attachment_not_found()) }
    }

    /// The bytes, as long as they get on, the node stays, and it does not take too long.
    pub(super) fn watched<S>(&self, bytes: S) -> impl Stream<Item = Result<Bytes>> + use<S>
    where
        S: Stream<Item = Result<Bytes>> + Send + 'static,
    {
        let late = || Error::new(Reason::TimedOut, "the upload did not get on");
        let stop = self.stop.clone();
        let end = tokio::time::Instant::now() + UPLOAD_WITHIN;
        futures_util::stream::unfold(Some(Box::pin(bytes)), move |bytes| {
            let stop = stop.clone();
            async move {
                let mut bytes = bytes?;
                let next = async {
                    tokio::select! {
                        () = stop.cancelled() => {
                            Some(Err(Error::new(Reason::ShuttingDown, "this node leaves")))
                        }
                        () = tokio::time::sleep_until(end) => Some(Err(late())),
                        next = bytes.next() => next,
                    }
                };
                match timeout(FILE_PROGRESS_WITHIN, next).await {
                    Ok(Some(Ok(next))) => Some((Ok(next), Some(bytes))),
                    Ok(Some(Err(error))) => Some((Err(error), None)),
                    Ok(None) => None,
                    Err(_) => Some((Err(late()), None)),
                }
            }
        })
    }
}

/// Whether a file that was refused so will never be taken: for what it is, not for how it came.
fn is_final(error: &Error) -> bool {
    error.reason == Reason::AttachmentTypeRefused || error.field == "data"
}
