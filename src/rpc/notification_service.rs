//! `NotificationService`: reads the caller, takes the request apart, makes one call, puts the
//! answer together.

use tonic::Request;

use super::chat_requests::time;
use super::door::{Answer, Door, call, is_service, missing, user_id, within};
use super::generated::notification_service_server::NotificationService;
use crate::chat::push::{DeviceDraft, Way};
use crate::error::Error;
use crate::model::{Level, Platform};
use crate::proto;

#[tonic::async_trait]
impl NotificationService for Door {
    async fn register_device(
        &self,
        request: Request<proto::RegisterDeviceRequest>,
    ) -> Answer<proto::RegisterDeviceResponse> {
        call!(self, request, |caller, body| {
            let draft = device_draft(body);
            let device = self.service.register_device(&caller.user, draft).await?;
            proto::RegisterDeviceResponse { device: Some(device) }
        })
    }

    async fn unregister_device(
        &self,
        request: Request<proto::UnregisterDeviceRequest>,
    ) -> Answer<proto::UnregisterDeviceResponse> {
        call!(self, request, |caller, body| {
            self.service.unregister_device(&caller.user, &body.device_id).await?;
            proto::UnregisterDeviceResponse {}
        })
    }

    async fn list_devices(
        &self,
        request: Request<proto::ListDevicesRequest>,
    ) -> Answer<proto::ListDevicesResponse> {
        call!(self, request, |caller, _body| {
            let devices = self.service.list_devices(&caller.user).await?;
            proto::ListDevicesResponse { devices }
        })
    }

    async fn get_preferences(
        &self,
        request: Request<proto::GetPreferencesRequest>,
    ) -> Answer<proto::GetPreferencesResponse> {
        call!(self, request, |caller, _body| {
            let preferences = self.service.preferences(&caller.user).await?;
            proto::GetPreferencesResponse { preferences: Some(preferences) }
        })
    }

    async fn update_preferences(
        &self,
        request: Request<proto::UpdatePreferencesRequest>,
    ) -> Answer<proto::UpdatePreferencesResponse> {
        call!(self, request, |caller, body| {
            let new = body.preferences.ok_or_else(|| missing("preferences"))?;
            let preferences = self.service.update_preferences(&caller.user, new).await;
            let preferences = preferences.map_err(|error| within("preferences", error))?;
            proto::UpdatePreferencesResponse { preferences: Some(preferences) }
        })
    }

    async fn set_chat_notifications(
        &self,
        request: Request<proto::SetChatNotificationsRequest>,
    ) -> Answer<proto::SetChatNotificationsResponse> {
        call!(self, request, |caller, body| {
            let level = match body.level {
                0 => Level::default(),
                known => Level::from_number(known)
                    .ok_or_else(|| Error::field("level", "ALL, MENTIONS or NONE"))?,
            };
            let until = body.until.map(|at| time("until", &at)).transpose()?;
            let (user, chat) = (&caller.user, &body.chat_id);
            self.service.set_chat_notifications(user, chat, level, until).await?;
            proto::SetChatNotificationsResponse {}
        })
    }

    async fn list_notifications(
        &self,
        request: Request<proto::ListNotificationsRequest>,
    ) -> Answer<proto::ListNotificationsResponse> {
        call!(self, request, |caller, body| {
            let (size, token) = (body.page_size, &body.page_token);
            let page =
                self.service.list_notifications(&caller.user, size, token, body.unread_first);
            page.await?
        })
    }

    async fn mark_notifications_read(
        &self,
        request: Request<proto::MarkNotificationsReadRequest>,
    ) -> Answer<proto::MarkNotificationsReadResponse> {
        call!(self, request, |caller, body| {
            let until = body.all_until.map(|at| time("all_until", &at)).transpose()?;
            let (user, named) = (&caller.user, &body.notification_ids);
            let unread_count = self.service.mark_notifications_read(user, named, until).await?;
            proto::MarkNotificationsReadResponse { unread_count }
        })
    }

    async fn explain_delivery(
        &self,
        request: Request<proto::ExplainDeliveryRequest>,
    ) -> Answer<proto::ExplainDeliveryResponse> {
        call!(self, request, |caller, body| {
            let user = user_id("user_id", &body.user_id)?;
            let way = Way { chat_id: body.chat_id, message_id: body.message_id, user };
            let service = is_service(&caller);
            let steps = self.service.explain_delivery(&caller.user, service, &way).await?;
            proto::ExplainDeliveryResponse { steps }
        })
    }
}

fn device_draft(body: proto::RegisterDeviceRequest) -> DeviceDraft {
    let platform = Platform::from_number(body.platform);
    let proto::RegisterDeviceRequest { device_id, push_token, locale, app_version, .. } = body;
    DeviceDraft { device_id, push_token, platform, locale, app_version }
}
