//! `AdminService`: reads the caller, takes the request apart, makes one call, puts the answer
//! together.

use futures_util::stream::BoxStream;
use tonic::{Request, Status};

use super::door::{Answer, Door, call, not_yet, user_id};
use super::generated::admin_service_server::AdminService;
use crate::chat::upsert::Profile;
use crate::error::Error;
use crate::model::DeviceId;
use crate::proto;

#[tonic::async_trait]
impl AdminService for Door {
    type ExportUserStream = BoxStream<'static, Result<proto::ExportUserResponse, Status>>;

    async fn upsert_users(
        &self,
        request: Request<proto::UpsertUsersRequest>,
    ) -> Answer<proto::UpsertUsersResponse> {
        call!(service self, request, |body| {
            let changed_count = self.service.upsert_users(body.users.into_iter().map(profile).collect()).await?;
            proto::UpsertUsersResponse { changed_count }
        })
    }

    async fn delete_user(
        &self,
        request: Request<proto::DeleteUserRequest>,
    ) -> Answer<proto::DeleteUserResponse> {
        call!(service self, request, |_body| not_yet()?)
    }

    async fn export_user(
        &self,
        request: Request<proto::ExportUserRequest>,
    ) -> Answer<Self::ExportUserStream> {
        call!(service self, request, |_body| not_yet()?)
    }

    async fn send_system_message(
        &self,
        request: Request<proto::SendSystemMessageRequest>,
    ) -> Answer<proto::SendSystemMessageResponse> {
        call!(service self, request, |body| {
            let (chat, id) = (&body.chat_id, &body.client_message_id);
            let outcome = self.service.send_announcement(chat, id, &body.text).await?;
            proto::SendSystemMessageResponse { outcome: Some(outcome) }
        })
    }

    async fn revoke_sessions(
        &self,
        request: Request<proto::RevokeSessionsRequest>,
    ) -> Answer<proto::RevokeSessionsResponse> {
        call!(service self, request, |body| {
            let user = user_id("user_id", &body.user_id)?;
            let device = match body.device_id.as_str() {
                "" => None,
                raw => Some(DeviceId::parse(raw).ok_or_else(|| {
                    Error::field("device_id", "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -")
                })?),
            };
            let session_count = self.service.revoke(&user, device.as_ref()).await?;
            proto::RevokeSessionsResponse { session_count }
        })
    }

    async fn get_stats(
        &self,
        request: Request<proto::GetStatsRequest>,
    ) -> Answer<proto::GetStatsResponse> {
        call!(service self, request, |_body| self.service.stats().await?)
    }
}

fn profile(user: proto::User) -> Profile {
    Profile { user_id: user.user_id, name: user.display_name, picture: user.avatar_url }
}
