//! `UserService`: reads the caller, takes the request apart, makes one call, puts the answer
//! together.

use tonic::Request;

use super::door::{Answer, Door, call};
use super::generated::user_service_server::UserService;
use crate::proto;

#[tonic::async_trait]
impl UserService for Door {
    async fn get_users(
        &self,
        request: Request<proto::GetUsersRequest>,
    ) -> Answer<proto::GetUsersResponse> {
        call!(self, request, |caller, body| {
            let users = self.service.get_users(&caller.user, &body.user_ids).await?;
            proto::GetUsersResponse { users }
        })
    }

    async fn get_presence(
        &self,
        request: Request<proto::GetPresenceRequest>,
    ) -> Answer<proto::GetPresenceResponse> {
        call!(self, request, |caller, body| {
            let presences = self.service.get_presence(&caller.user, &body.user_ids).await?;
            proto::GetPresenceResponse { presences }
        })
    }

    async fn block_user(
        &self,
        request: Request<proto::BlockUserRequest>,
    ) -> Answer<proto::BlockUserResponse> {
        call!(self, request, |caller, body| {
            self.service.block_user(&caller.user, &body.user_id).await?;
            proto::BlockUserResponse {}
        })
    }

    async fn unblock_user(
        &self,
        request: Request<proto::UnblockUserRequest>,
    ) -> Answer<proto::UnblockUserResponse> {
        call!(self, request, |caller, body| {
            self.service.unblock_user(&caller.user, &body.user_id).await?;
            proto::UnblockUserResponse {}
        })
    }

    async fn list_blocked_users(
        &self,
        request: Request<proto::ListBlockedUsersRequest>,
    ) -> Answer<proto::ListBlockedUsersResponse> {
        call!(self, request, |caller, body| {
            let (size, token) = (body.page_size, &body.page_token);
            let (users, next_page_token) =
                self.service.list_blocked_users(&caller.user, size, token).await?;
            proto::ListBlockedUsersResponse { users, next_page_token }
        })
    }

    async fn get_privacy(
        &self,
        request: Request<proto::GetPrivacyRequest>,
    ) -> Answer<proto::GetPrivacyResponse> {
        call!(self, request, |caller, _body| {
            let privacy = self.service.privacy(&caller.user).await?;
            proto::GetPrivacyResponse { privacy: Some(privacy) }
        })
    }

    async fn update_privacy(
        &self,
        request: Request<proto::UpdatePrivacyRequest>,
    ) -> Answer<proto::UpdatePrivacyResponse> {
        call!(self, request, |caller, body| {
            let (last_active, reads) = (body.hide_last_active, body.hide_read_receipts);
            let changed = self.service.update_privacy(&caller.user, last_active, reads).await?;
            proto::UpdatePrivacyResponse { privacy: Some(changed) }
        })
    }
}
