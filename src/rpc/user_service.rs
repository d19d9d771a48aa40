//! `UserService`: reads the caller, takes the request apart, makes one call, puts the answer
//! together.

use tonic::Request;

use super::door::{Answer, Door, call, not_yet};
use super::generated::user_service_server::UserService;
use crate::proto;

#[tonic::async_trait]
impl UserService for Door {
    async fn get_users(
        &self,
        request: Request<proto::GetUsersRequest>,
    ) -> Answer<proto::GetUsersResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn get_presence(
        &self,
        request: Request<proto::GetPresenceRequest>,
    ) -> Answer<proto::GetPresenceResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn block_user(
        &self,
        request: Request<proto::BlockUserRequest>,
    ) -> Answer<proto::BlockUserResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn unblock_user(
        &self,
        request: Request<proto::UnblockUserRequest>,
    ) -> Answer<proto::UnblockUserResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn list_blocked_users(
        &self,
        request: Request<proto::ListBlockedUsersRequest>,
    ) -> Answer<proto::ListBlockedUsersResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn get_privacy(
        &self,
        request: Request<proto::GetPrivacyRequest>,
    ) -> Answer<proto::GetPrivacyResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }

    async fn update_privacy(
        &self,
        request: Request<proto::UpdatePrivacyRequest>,
    ) -> Answer<proto::UpdatePrivacyResponse> {
        call!(self, request, |_caller, _body| not_yet()?)
    }
}
