//! `AdminService`: reads the caller, takes the request apart, makes one call, puts the answer
//! together.

use futures_util::stream::BoxStream;
use tonic::{Request, Status};

use super::door::{Answer, Door, call, not_yet};
use super::generated::admin_service_server::AdminService;
use crate::proto;

#[tonic::async_trait]
impl AdminService for Door {
    type ExportUserStream = BoxStream<'static, Result<proto::ExportUserResponse, Status>>;

    async fn upsert_users(
        &self,
        request: Request<proto::UpsertUsersRequest>,
    ) -> Answer<proto::UpsertUsersResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn delete_user(
        &self,
        request: Request<proto::DeleteUserRequest>,
    ) -> Answer<proto::DeleteUserResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn export_user(
        &self,
        request: Request<proto::ExportUserRequest>,
    ) -> Answer<Self::ExportUserStream> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn send_system_message(
        &self,
        request: Request<proto::SendSystemMessageRequest>,
    ) -> Answer<proto::SendSystemMessageResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn revoke_sessions(
        &self,
        request: Request<proto::RevokeSessionsRequest>,
    ) -> Answer<proto::RevokeSessionsResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn get_stats(
        &self,
        request: Request<proto::GetStatsRequest>,
    ) -> Answer<proto::GetStatsResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }
}
