//! `AttachmentService`: reads the caller, takes the request apart, makes one call, puts the answer
//! together.

use futures_util::{Stream, StreamExt as _};
use tonic::{Request, Streaming};

use super::door::{Answer, Door, call};
use super::edge;
use super::generated::attachment_service_server::AttachmentService;
use crate::chat::limits::FILE_PROGRESS_WITHIN;
use crate::error::{Error, Reason, Result};
use crate::files::Bytes;
use crate::proto::{self, upload_attachment_request::Piece};

#[tonic::async_trait]
impl AttachmentService for Door {
    async fn upload_attachment(
        &self,
        request: Request<Streaming<proto::UploadAttachmentRequest>>,
    ) -> Answer<proto::UploadAttachmentResponse> {
        call!(self, request, |caller, pieces| {
            let mut pieces = pieces;
            let description = first_piece(&mut pieces).await?;
            let uploaded = self.service.upload(&caller.user, description, data(pieces)).await;
            proto::UploadAttachmentResponse { attachment: Some(uploaded?) }
        })
    }

    async fn create_upload(
        &self,
        request: Request<proto::CreateUploadRequest>,
    ) -> Answer<proto::CreateUploadResponse> {
        call!(self, request, |caller, body| {
            self.service.create_upload(&caller.user, body.description).await?
        })
    }

    async fn get_attachment(
        &self,
        request: Request<proto::GetAttachmentRequest>,
    ) -> Answer<proto::GetAttachmentResponse> {
        call!(self, request, |caller, body| {
            let (attachment, chat) = (&body.attachment_id, &body.chat_id);
            let attachment = self.service.get_attachment(&caller.user, attachment, chat).await?;
            proto::GetAttachmentResponse { attachment: Some(attachment) }
        })
    }
}

/// What the file is to be, as the first piece says.
async fn first_piece(
    pieces: &mut Streaming<proto::UploadAttachmentRequest>,
) -> Result<Option<proto::UploadDescription>> {
    let first = tokio::time::timeout(FILE_PROGRESS_WITHIN, pieces.next()).await;
    let first = first.map_err(|_| Error::new(Reason::TimedOut, "no description came"))?;
    match first.transpose().map_err(|status| edge::error_of(&status))?.and_then(|first| first.piece)
    {
        Some(Piece::Description(description)) => Ok(Some(description)),
        _ => Ok(None),
    }
}

/// The bytes of the file, as all other pieces bring them.
fn data(
    pieces: Streaming<proto::UploadAttachmentRequest>,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    pieces.map(|piece| match piece.map_err(|status| edge::error_of(&status))?.piece {
        Some(Piece::Data(data)) if !data.is_empty() => Ok(data.into()),
        Some(Piece::Data(_)) | None => Err(Error::field("data", "must hold bytes")),
        Some(Piece::Description(_)) => Err(Error::field("description", "comes first, and once")),
    })
}
