//! `AttachmentService`: reads the caller, takes the request apart, makes one call, puts the answer
//! together.

use tonic::{Request, Streaming};

use super::door::{Answer, Door, call, not_yet};
use super::generated::attachment_service_server::AttachmentService;
use crate::proto;

#[tonic::async_trait]
impl AttachmentService for Door {
    async fn upload_attachment(
        &self,
        request: Request<Streaming<proto::UploadAttachmentRequest>>,
    ) -> Answer<proto::UploadAttachmentResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn create_upload(
        &self,
        request: Request<proto::CreateUploadRequest>,
    ) -> Answer<proto::CreateUploadResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn get_attachment(
        &self,
        request: Request<proto::GetAttachmentRequest>,
    ) -> Answer<proto::GetAttachmentResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }
}
