//! Who calls, and the calls.

use futures_util::future::BoxFuture;
use prost::Message;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic_prost::ProstCodec;

use crate::clock::{Clock as _, SystemClock};
use crate::config::load::CallsArgs;
use crate::load::LoadError;
use crate::load::device::{Caller, message};
use crate::load::measure::Run;
use crate::proto::{self, DeleteScope, MemberRole, NotificationLevel};
use crate::wire;

/// Bytes of the file that is uploaded.
const FILE_BYTES: usize = 64 * 1024;
/// Bytes of a part of it.
const PART_BYTES: usize = 32 * 1024;

/// Alice, who owns the group; bob, a member of it; and what they talk about.
pub(super) struct Cast {
    name: String,
    alice: Caller,
    bob: Caller,
    direct: String,
    group: String,
    /// Messages of alice's in the group, one a round.
    messages: Vec<String>,
    /// Groups that were made.
    made: Vec<String>,
    /// Files that were uploaded.
    files: Vec<String>,
    members: u32,
}

/// A sort of call. `nth` counts from 0; each finds what it changes as the rounds before it in
/// [`VERBS`] have left it.
pub(super) struct Verb {
    pub(super) name: &'static str,
    pub(super) call: for<'c> fn(&'c mut Cast, u32) -> BoxFuture<'c, Result<(), Status>>,
}

macro_rules! verbs {
    ($($name:literal: |$cast:ident, $nth:ident| $call:expr;)*) => {
        /// All of them, in the order of the README's table.
        pub(super) const VERBS: &[Verb] = &[$(Verb {
            name: $name,
            call: |$cast, $nth| Box::pin(async move { $call.map(drop) }),
        }),*];
    };
}

verbs! {
    "SendMessage, direct": |cast, nth| cast.send(true, nth).await;
    "SendMessage, group": |cast, nth| cast.send(false, nth).await;
    "AckDelivered": |cast, nth| cast.bob::<_, proto::AckDeliveredResponse>("ChatService/AckDelivered", proto::AckDeliveredRequest {
        ack: Some(proto::DeliveredAck { chat_id: cast.group.clone(), seqs: one(nth) }),
        device_id: "load".to_owned(),
    }).await;
    "AckRead": |cast, nth| cast.bob::<_, proto::AckReadResponse>("ChatService/AckRead", proto::AckReadRequest {
        ack: Some(proto::ReadAck { chat_id: cast.group.clone(), seqs: one(nth) }),
    }).await;
    "MarkChatRead": |cast, nth| cast.bob::<_, proto::MarkChatReadResponse>("ChatService/MarkChatRead", proto::MarkChatReadRequest {
        chat_id: cast.direct.clone(),
        up_to_seq: nth + 1,
    }).await;
    "GetChat": |cast, _nth| cast.alice::<_, proto::GetChatResponse>("ChatService/GetChat", proto::GetChatRequest {
        chat_id: cast.group.clone(),
    }).await;
    "ListChats, a page of 50": |cast, _nth| cast.alice::<_, proto::ListChatsResponse>("ChatService/ListChats", proto::ListChatsRequest::default()).await;
    "ListMessages, a page of 50": |cast, _nth| cast.alice::<_, proto::ListMessagesResponse>("ChatService/ListMessages", proto::ListMessagesRequest {
        chat_id: cast.group.clone(),
        ..proto::ListMessagesRequest::default()
    }).await;
    "SearchMessages": |cast, nth| cast.alice::<_, proto::SearchMessagesResponse>("ChatService/SearchMessages", proto::SearchMessagesRequest {
        query: format!("word{nth}"),
        ..proto::SearchMessagesRequest::default()
    }).await;
    "EditMessage": |cast, nth| cast.alice::<_, proto::EditMessageResponse>("ChatService/EditMessage", proto::EditMessageRequest {
        chat_id: cast.group.clone(),
        message_id: cast.message(nth),
        text: format!("edited{nth}"),
        ..proto::EditMessageRequest::default()
    }).await;
    "AddReaction": |cast, nth| cast.bob::<_, proto::AddReactionResponse>("ChatService/AddReaction", proto::AddReactionRequest {
        chat_id: cast.group.clone(),
        message_id: cast.message(nth),
        emoji: "👍".to_owned(),
    }).await;
    "RemoveReaction": |cast, nth| cast.bob::<_, proto::RemoveReactionResponse>("ChatService/RemoveReaction", proto::RemoveReactionRequest {
        chat_id: cast.group.clone(),
        message_id: cast.message(nth),
        emoji: "👍".to_owned(),
    }).await;
    "ExplainDelivery": |cast, nth| cast.alice::<_, proto::ExplainDeliveryResponse>("NotificationService/ExplainDelivery", proto::ExplainDeliveryRequest {
        chat_id: cast.group.clone(),
        message_id: cast.message(nth),
        user_id: cast.user("bob"),
    }).await;
    "DeleteMessage, for me": |cast, nth| cast.bob::<_, proto::DeleteMessageResponse>("ChatService/DeleteMessage", cast.deletion(nth, DeleteScope::Me)).await;
    "DeleteMessage, for everyone": |cast, nth| cast.alice::<_, proto::DeleteMessageResponse>("ChatService/DeleteMessage", cast.deletion(nth, DeleteScope::Everyone)).await;
    "SetChatSettings": |cast, nth| cast.bob::<_, proto::SetChatSettingsResponse>("ChatService/SetChatSettings", proto::SetChatSettingsRequest {
        chat_id: cast.group.clone(),
        archived: Some(nth.is_multiple_of(2)),
        ..proto::SetChatSettingsRequest::default()
    }).await;
    "CreateChat, a group": |cast, nth| cast.create(nth).await;
    "AddMembers, one": |cast, nth| cast.alice::<_, proto::AddMembersResponse>("ChatService/AddMembers", proto::AddMembersRequest {
        chat_id: cast.made(nth),
        user_ids: vec![cast.guest()],
    }).await;
    "SetMemberRole": |cast, nth| cast.alice::<_, proto::SetMemberRoleResponse>("ChatService/SetMemberRole", proto::SetMemberRoleRequest {
        chat_id: cast.made(nth),
        user_id: cast.guest(),
        role: MemberRole::Admin.into(),
    }).await;
    "RemoveMember": |cast, nth| cast.alice::<_, proto::RemoveMemberResponse>("ChatService/RemoveMember", proto::RemoveMemberRequest {
        chat_id: cast.made(nth),
        user_id: cast.guest(),
    }).await;
    "UpdateChat": |cast, nth| cast.alice::<_, proto::UpdateChatResponse>("ChatService/UpdateChat", proto::UpdateChatRequest {
        chat_id: cast.made(nth),
        title: Some(format!("title {nth}")),
        ..proto::UpdateChatRequest::default()
    }).await;
    "ListMembers": |cast, nth| cast.alice::<_, proto::ListMembersResponse>("ChatService/ListMembers", proto::ListMembersRequest {
        chat_id: cast.made(nth),
        ..proto::ListMembersRequest::default()
    }).await;
    "LeaveGroup": |cast, nth| cast.bob::<_, proto::LeaveGroupResponse>("ChatService/LeaveGroup", proto::LeaveGroupRequest {
        chat_id: cast.made(nth),
    }).await;
    "DeleteChat": |cast, nth| cast.alice::<_, proto::DeleteChatResponse>("ChatService/DeleteChat", proto::DeleteChatRequest {
        chat_id: cast.made(nth),
    }).await;
    "GetUsers": |cast, _nth| cast.alice::<_, proto::GetUsersResponse>("UserService/GetUsers", proto::GetUsersRequest {
        user_ids: vec![cast.user("bob")],
    }).await;
    "GetPresence": |cast, _nth| cast.alice::<_, proto::GetPresenceResponse>("UserService/GetPresence", proto::GetPresenceRequest {
        user_ids: vec![cast.user("bob")],
    }).await;
    "BlockUser": |cast, nth| cast.alice::<_, proto::BlockUserResponse>("UserService/BlockUser", proto::BlockUserRequest {
        user_id: cast.user(&format!("stranger{nth}")),
    }).await;
    "UnblockUser": |cast, nth| cast.alice::<_, proto::UnblockUserResponse>("UserService/UnblockUser", proto::UnblockUserRequest {
        user_id: cast.user(&format!("stranger{nth}")),
    }).await;
    "UpdatePrivacy": |cast, nth| cast.alice::<_, proto::UpdatePrivacyResponse>("UserService/UpdatePrivacy", proto::UpdatePrivacyRequest {
        hide_last_active: Some(nth.is_multiple_of(2)),
        ..proto::UpdatePrivacyRequest::default()
    }).await;
    "UploadAttachment, 64 KiB": |cast, nth| cast.upload(nth).await;
    "SendMessage, a file": |cast, nth| cast.send_file(nth).await;
    "GetAttachment": |cast, nth| cast.bob::<_, proto::GetAttachmentResponse>("AttachmentService/GetAttachment", proto::GetAttachmentRequest {
        attachment_id: cast.file(nth),
        chat_id: cast.direct.clone(),
    }).await;
    "SetChatNotifications": |cast, nth| cast.bob::<_, proto::SetChatNotificationsResponse>("NotificationService/SetChatNotifications", proto::SetChatNotificationsRequest {
        chat_id: cast.group.clone(),
        level: if nth.is_multiple_of(2) { NotificationLevel::Mentions } else { NotificationLevel::All }.into(),
        until: None,
    }).await;
    "GetPreferences": |cast, _nth| cast.bob::<_, proto::GetPreferencesResponse>("NotificationService/GetPreferences", proto::GetPreferencesRequest {}).await;
    "UpdatePreferences": |cast, nth| cast.bob::<_, proto::UpdatePreferencesResponse>("NotificationService/UpdatePreferences", proto::UpdatePreferencesRequest {
        preferences: Some(proto::NotificationPreferences { silent: nth.is_multiple_of(2), ..proto::NotificationPreferences::default() }),
    }).await;
    "ListNotifications, a page of 50": |cast, _nth| cast.bob::<_, proto::ListNotificationsResponse>("NotificationService/ListNotifications", proto::ListNotificationsRequest::default()).await;
    "MarkNotificationsRead": |cast, _nth| cast.bob::<_, proto::MarkNotificationsReadResponse>("NotificationService/MarkNotificationsRead", proto::MarkNotificationsReadRequest {
        all_until: Some(wire::timestamp(SystemClock.now())),
        ..proto::MarkNotificationsReadRequest::default()
    }).await;
    // Last: with a device, what is sent is pushed, too.
    "RegisterDevice": |cast, nth| cast.bob::<_, proto::RegisterDeviceResponse>("NotificationService/RegisterDevice", proto::RegisterDeviceRequest {
        device_id: "load".to_owned(),
        push_token: format!("{}-{nth}", cast.user("token")),
        platform: proto::Platform::Android.into(),
        ..proto::RegisterDeviceRequest::default()
    }).await;
    "ListDevices": |cast, _nth| cast.bob::<_, proto::ListDevicesResponse>("NotificationService/ListDevices", proto::ListDevicesRequest {}).await;
    "UnregisterDevice": |cast, _nth| cast.bob::<_, proto::UnregisterDeviceResponse>("NotificationService/UnregisterDevice", proto::UnregisterDeviceRequest {
        device_id: "load".to_owned(),
    }).await;
}

/// The place of the nth message.
fn one(nth: u32) -> Vec<proto::SeqRange> {
    vec![proto::SeqRange { first: nth + 1, last: nth + 1 }]
}

impl Cast {
    pub(super) async fn gather(run: &Run, plan: &CallsArgs) -> Result<Self, LoadError> {
        let name = &run.name;
        let mut alice = run.door.caller(&format!("{name}-alice")).await?;
        let bob = run.door.caller(&format!("{name}-bob")).await?;
        let direct = alice.direct(&format!("{name}-bob")).await?;
        let mut cast = Self {
            name: name.clone(),
            alice,
            bob,
            direct,
            group: String::new(),
            messages: Vec::new(),
            made: Vec::new(),
            files: Vec::new(),
            members: plan.members,
        };
        let failed = |status| LoadError::Call("CreateChat", Box::new(status));
        cast.create(0).await.map_err(failed)?;
        cast.group = cast.made.pop().unwrap_or_default();
        Ok(cast)
    }

    fn user(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    fn guest(&self) -> String {
        self.user("guest")
    }

    fn message(&self, nth: u32) -> String {
        of(&self.messages, nth)
    }

    fn made(&self, nth: u32) -> String {
        of(&self.made, nth)
    }

    fn file(&self, nth: u32) -> String {
        of(&self.files, nth)
    }

    fn deletion(&self, nth: u32, scope: DeleteScope) -> proto::DeleteMessageRequest {
        proto::DeleteMessageRequest {
            chat_id: self.group.clone(),
            message_id: self.message(nth),
            scope: scope.into(),
        }
    }

    async fn alice<Q, A>(&self, path: &'static str, body: Q) -> Result<A, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        ask(&self.alice, path, body).await
    }

    async fn bob<Q, A>(&self, path: &'static str, body: Q) -> Result<A, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        ask(&self.bob, path, body).await
    }

    async fn send(&mut self, direct: bool, nth: u32) -> Result<(), Status> {
        let (chat, text) = (if direct { &self.direct } else { &self.group }, format!("word{nth}"));
        let message = Some(message(chat, format!("m{nth}"), text));
        let path = "ChatService/SendMessage";
        let sent: proto::SendMessageResponse =
            self.alice(path, proto::SendMessageRequest { message }).await?;
        if !direct {
            self.messages.push(sent.outcome.unwrap_or_default().message_id);
        }
        Ok(())
    }

    async fn create(&mut self, nth: u32) -> Result<(), Status> {
        let others = (0..self.members.saturating_sub(2)).map(|at| self.user(&format!("m{at}")));
        let request = proto::CreateChatRequest {
            kind: proto::ChatKind::Group.into(),
            member_ids: others.chain([self.user("bob")]).collect(),
            title: format!("group {nth}"),
            ..proto::CreateChatRequest::default()
        };
        let made: proto::CreateChatResponse = self.alice("ChatService/CreateChat", request).await?;
        self.made.push(made.chat.unwrap_or_default().chat_id);
        Ok(())
    }

    async fn upload(&mut self, nth: u32) -> Result<(), Status> {
        use proto::upload_attachment_request::Piece;
        let mut bytes = b"%PDF-1.7\n".to_vec();
        bytes.resize(FILE_BYTES, b' ');
        let description = proto::UploadDescription {
            file_name: format!("file{nth}.pdf"),
            content_type: "application/pdf".to_owned(),
            size_bytes: u32::try_from(FILE_BYTES).unwrap_or(u32::MAX),
        };
        let parts = bytes.chunks(PART_BYTES).map(|part| Piece::Data(part.to_vec()));
        let parts: Vec<_> = std::iter::once(Piece::Description(description))
            .chain(parts)
            .map(|part| proto::UploadAttachmentRequest { piece: Some(part) })
            .collect();
        let request = self.alice.request(tokio_stream::iter(parts));
        let channel = self.alice.channel.clone();
        let mut client = proto::attachment_service_client::AttachmentServiceClient::new(channel);
        let answer = client.upload_attachment(request).await?.into_inner();
        self.files.push(answer.attachment.unwrap_or_default().attachment_id);
        Ok(())
    }

    async fn send_file(&self, nth: u32) -> Result<proto::SendMessageResponse, Status> {
        let message = message(&self.direct, format!("f{nth}"), String::new());
        let message = proto::MessageSend { attachment_ids: vec![self.file(nth)], ..message };
        let message = Some(message);
        self.alice("ChatService/SendMessage", proto::SendMessageRequest { message }).await
    }
}

/// The nth; none, where an earlier call has failed.
fn of(all: &[String], nth: u32) -> String {
    usize::try_from(nth).ok().and_then(|nth| all.get(nth)).cloned().unwrap_or_default()
}

/// One call of any service.
async fn ask<Q, A>(caller: &Caller, path: &'static str, body: Q) -> Result<A, Status>
where
    Q: Message + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    let mut client = Grpc::new(caller.channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::try_from(format!("/adda.v1.{path}"))
        .map_err(|error| Status::internal(error.to_string()))?;
    let codec: ProstCodec<Q, A> = ProstCodec::default();
    Ok(client.unary(caller.request(body), path, codec).await?.into_inner())
}
