//! `AdminService`: reads the caller, takes the request apart, makes one call, puts the answer
//! together.

use futures_util::stream::{BoxStream, StreamExt as _};
use tonic::{Request, Response, Status};

use super::door::{Answer, Door, call, user_id};
use super::generated::admin_service_server::AdminService;
use crate::chat::erase::Fate;
use crate::chat::upsert::Profile;
use crate::error::{Error, Result};
use crate::model::DeviceId;
use crate::proto;
use crate::wire;

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
        call!(service self, request, |body| {
            let user = user_id("user_id", &body.user_id)?;
            let chat_count = self.service.delete_user(&user, fate(body.messages())?).await?;
            proto::DeleteUserResponse { chat_count }
        })
    }

    async fn export_user(
        &self,
        request: Request<proto::ExportUserRequest>,
    ) -> Answer<Self::ExportUserStream> {
        let (_, trace) = self.service_caller(&request)?;
        let status = move |error: Error| wire::status(&error, trace.id());
        let user = user_id("user_id", &request.get_ref().user_id);
        let pieces = user.and_then(|user| self.service.export_user(&user)).map_err(&status)?;
        Ok(Response::new(pieces.map(move |piece| piece.map_err(&status)).boxed()))
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

fn fate(messages: proto::MessageFate) -> Result<Fate> {
    match messages {
        proto::MessageFate::Keep => Ok(Fate::Keep),
        proto::MessageFate::Erase => Ok(Fate::Erase),
        proto::MessageFate::Unspecified => Err(Error::field("messages", "must be KEEP or ERASE")),
    }
}

fn profile(user: proto::User) -> Profile {
    Profile { user_id: user.user_id, name: user.display_name, picture: user.avatar_url }
}
