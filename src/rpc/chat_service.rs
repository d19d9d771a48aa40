//! `ChatService`: reads the caller, takes the request apart, makes one call, puts the answer
//! together.

use futures_util::StreamExt as _;
use tonic::{Request, Streaming};

use super::chat_requests::{acknowledgement, anchor, edit, first_command, question};
use super::door::{Answer, Door, call, missing, within};
use super::generated::chat_service_server::ChatService;
use crate::chat::access::chat_id;
use crate::chat::calls::session_id;
use crate::chat::create::ChatDraft;
use crate::chat::history::Page;
use crate::chat::hub::SessionCommand;
use crate::chat::receipts::Acknowledgement;
use crate::error::Error;
use crate::model::{ChatKind, DeviceId};
use crate::proto;
use crate::session::{self, Commands, Frames};
use crate::wire;

mod groups;

#[tonic::async_trait]
impl ChatService for Door {
    type ConnectStream = Frames;
    type SubscribeStream = Frames;

    async fn connect(
        &self,
        request: Request<Streaming<proto::ConnectRequest>>,
    ) -> Answer<Self::ConnectStream> {
        call!(self, request, |caller, commands, trace| {
            let mut commands = commands;
            let hello = first_command(&mut commands).await?;
            let commands = Commands::Connect(commands.boxed());
            self.sessions.open(caller, hello, commands, trace).await?
        })
    }

    async fn subscribe(
        &self,
        request: Request<proto::SubscribeRequest>,
    ) -> Answer<Self::SubscribeStream> {
        call!(self, request, |caller, body, trace| {
            let hello = body.hello.ok_or_else(|| missing("hello"))?;
            self.sessions.open(caller, hello, Commands::Subscribe, trace).await?
        })
    }

    async fn send_message(
        &self,
        request: Request<proto::SendMessageRequest>,
    ) -> Answer<proto::SendMessageResponse> {
        call!(self, request, |caller, body| {
            let draft = session::draft(body.message.ok_or_else(|| missing("message"))?);
            let sent = self.service.send(&caller.user, draft).await;
            let outcome = Some(sent.map_err(|error| within("message", error))?);
            proto::SendMessageResponse { outcome }
        })
    }

    async fn ack_delivered(
        &self,
        request: Request<proto::AckDeliveredRequest>,
    ) -> Answer<proto::AckDeliveredResponse> {
        call!(self, request, |caller, body| {
            let ack = body.ack.ok_or_else(|| missing("ack"))?;
            let device = DeviceId::parse(&body.device_id);
            if !body.device_id.is_empty() && device.is_none() {
                let what = "must be 1 to 64 of A-Z a-z 0-9 _ . : @ -";
                return Err(Error::field("device_id", what));
            }
            let ack = acknowledgement(ack.chat_id, ack.seqs, false);
            // Whoever has a stream in the foreground acknowledges there.
            let ack = Acknowledgement { device: device.map(|device| (device, false)), ..ack };
            let acked = self.service.acknowledge(&caller.user, ack).await;
            acked.map_err(|error| within("ack", error))?;
            proto::AckDeliveredResponse {}
        })
    }

    async fn ack_read(
        &self,
        request: Request<proto::AckReadRequest>,
    ) -> Answer<proto::AckReadResponse> {
        call!(self, request, |caller, body| {
            let ack = body.ack.ok_or_else(|| missing("ack"))?;
            let ack = acknowledgement(ack.chat_id, ack.seqs, true);
            let acked = self.service.acknowledge(&caller.user, ack).await;
            let left = acked.map_err(|error| within("ack", error))?;
            proto::AckReadResponse {
                outcome: left.map(super::super::chat::receipts::Left::outcome),
            }
        })
    }

    async fn mark_message_read(
        &self,
        request: Request<proto::MarkMessageReadRequest>,
    ) -> Answer<proto::MarkMessageReadResponse> {
        call!(self, request, |caller, body| {
            let (chat, message) = (body.chat_id, body.message_id);
            let outcome = self.service.mark_message_read(&caller.user, &chat, &message).await?;
            proto::MarkMessageReadResponse { outcome: Some(outcome) }
        })
    }

    async fn mark_chat_read(
        &self,
        request: Request<proto::MarkChatReadRequest>,
    ) -> Answer<proto::MarkChatReadResponse> {
        call!(self, request, |caller, body| {
            let up_to = body.up_to_seq;
            let outcome = self.service.mark_chat_read(&caller.user, &body.chat_id, up_to).await?;
            proto::MarkChatReadResponse { outcome: Some(outcome) }
        })
    }

    async fn set_typing(
        &self,
        request: Request<proto::SetTypingRequest>,
    ) -> Answer<proto::SetTypingResponse> {
        call!(self, request, |caller, body| {
            let (user, chat) = (&caller.user, &body.chat_id);
            match body.session_id.as_str() {
                "" => self.service.set_typing(user, chat, body.typing, None).await?,
                raw => {
                    let typing = SessionCommand::Typing(chat_id(chat)?, body.typing);
                    self.service.call_session(user, session_id(raw)?, typing).await?;
                }
            }
            proto::SetTypingResponse {}
        })
    }

    async fn join_chat(
        &self,
        request: Request<proto::JoinChatRequest>,
    ) -> Answer<proto::JoinChatResponse> {
        call!(self, request, |caller, body| {
            let session = session_id(&body.session_id)?;
            let join = SessionCommand::Join(chat_id(&body.chat_id)?);
            self.service.call_session(&caller.user, session, join).await?;
            proto::JoinChatResponse {}
        })
    }

    async fn leave_chat(
        &self,
        request: Request<proto::LeaveChatRequest>,
    ) -> Answer<proto::LeaveChatResponse> {
        call!(self, request, |caller, body| {
            let session = session_id(&body.session_id)?;
            let leave = SessionCommand::Leave(chat_id(&body.chat_id)?);
            self.service.call_session(&caller.user, session, leave).await?;
            proto::LeaveChatResponse {}
        })
    }

    async fn heartbeat(
        &self,
        request: Request<proto::HeartbeatRequest>,
    ) -> Answer<proto::HeartbeatResponse> {
        call!(self, request, |caller, body| {
            let session = session_id(&body.session_id)?;
            let beat = SessionCommand::Heartbeat {
                background: body.background,
                token_expires_at: caller.expires_at,
            };
            let expires = self.service.call_session(&caller.user, session, beat).await?;
            proto::HeartbeatResponse {
                server_time: Some(wire::timestamp(self.service.clock.now())),
                token_expires_at: Some(wire::timestamp(expires)),
            }
        })
    }

    async fn create_chat(
        &self,
        request: Request<proto::CreateChatRequest>,
    ) -> Answer<proto::CreateChatResponse> {
        call!(self, request, |caller, body| {
            let kind = match body.kind() {
                proto::ChatKind::Direct => ChatKind::Direct,
                proto::ChatKind::Group => ChatKind::Group,
                proto::ChatKind::Unspecified => {
                    return Err(Error::field("kind", "DIRECT or GROUP"));
                }
            };
            let draft = ChatDraft {
                kind,
                member_ids: body.member_ids,
                title: body.title,
                client_chat_id: body.client_chat_id,
                avatar_url: body.avatar_url,
            };
            let (chat, created) = self.service.create_chat(&caller.user, draft).await?;
            proto::CreateChatResponse { chat: Some(chat), created }
        })
    }

    async fn get_chat(
        &self,
        request: Request<proto::GetChatRequest>,
    ) -> Answer<proto::GetChatResponse> {
        call!(self, request, |caller, body| {
            let chat = self.service.get_chat(&caller.user, &body.chat_id).await?;
            proto::GetChatResponse { chat: Some(chat) }
        })
    }

    async fn list_chats(
        &self,
        request: Request<proto::ListChatsRequest>,
    ) -> Answer<proto::ListChatsResponse> {
        call!(self, request, |caller, body| {
            let filter = groups::filter(body.filter());
            let (size, token, query) = (body.page_size, &body.page_token, &body.query);
            let page = self.service.list_chats(&caller.user, size, token, query, filter).await?;
            proto::ListChatsResponse {
                chats: page.chats,
                next_page_token: page.next_page_token,
                total_unread_count: page.total_unread,
            }
        })
    }

    async fn list_messages(
        &self,
        request: Request<proto::ListMessagesRequest>,
    ) -> Answer<proto::ListMessagesResponse> {
        call!(self, request, |caller, body| {
            let page = Page {
                anchor: anchor(body.anchor.as_ref())?,
                chat_id: body.chat_id,
                size: body.page_size,
                token: body.page_token,
            };
            let (messages, next_page_token) =
                self.service.list_messages(&caller.user, page).await?;
            proto::ListMessagesResponse { messages, next_page_token }
        })
    }

    async fn edit_message(
        &self,
        request: Request<proto::EditMessageRequest>,
    ) -> Answer<proto::EditMessageResponse> {
        call!(self, request, |caller, body| {
            let message = self.service.edit_message(&caller.user, edit(body)).await?;
            proto::EditMessageResponse { message: Some(message) }
        })
    }

    async fn delete_message(
        &self,
        request: Request<proto::DeleteMessageRequest>,
    ) -> Answer<proto::DeleteMessageResponse> {
        call!(self, request, |caller, body| {
            let (user, chat, id) = (&caller.user, &body.chat_id, &body.message_id);
            let message = match body.scope() {
                proto::DeleteScope::Everyone => {
                    self.service.delete_for_everyone(user, chat, id).await?
                }
                proto::DeleteScope::Me => self.service.delete_for_oneself(user, chat, id).await?,
                proto::DeleteScope::Unspecified => {
                    return Err(Error::field("scope", "EVERYONE or ME"));
                }
            };
            proto::DeleteMessageResponse { message: Some(message) }
        })
    }

    async fn add_reaction(
        &self,
        request: Request<proto::AddReactionRequest>,
    ) -> Answer<proto::AddReactionResponse> {
        call!(self, request, |caller, body| {
            let (chat, id) = (&body.chat_id, &body.message_id);
            let message = self.service.add_reaction(&caller.user, chat, id, &body.emoji).await?;
            proto::AddReactionResponse { message: Some(message) }
        })
    }

    async fn remove_reaction(
        &self,
        request: Request<proto::RemoveReactionRequest>,
    ) -> Answer<proto::RemoveReactionResponse> {
        call!(self, request, |caller, body| {
            let (chat, id) = (&body.chat_id, &body.message_id);
            let message = self.service.remove_reaction(&caller.user, chat, id, &body.emoji).await?;
            proto::RemoveReactionResponse { message: Some(message) }
        })
    }

    async fn search_messages(
        &self,
        request: Request<proto::SearchMessagesRequest>,
    ) -> Answer<proto::SearchMessagesResponse> {
        call!(self, request, |caller, body| {
            let question = question(body)?;
            let (messages, next_page_token) =
                self.service.search_messages(&caller.user, question).await?;
            proto::SearchMessagesResponse { messages, next_page_token }
        })
    }

    async fn list_members(
        &self,
        request: Request<proto::ListMembersRequest>,
    ) -> Answer<proto::ListMembersResponse> {
        call!(self, request, |caller, body| groups::list_members(self, &caller.user, body).await?)
    }

    async fn update_chat(
        &self,
        request: Request<proto::UpdateChatRequest>,
    ) -> Answer<proto::UpdateChatResponse> {
        call!(self, request, |caller, body| groups::update_chat(self, &caller.user, body).await?)
    }

    async fn add_members(
        &self,
        request: Request<proto::AddMembersRequest>,
    ) -> Answer<proto::AddMembersResponse> {
        call!(self, request, |caller, body| groups::add_members(self, &caller.user, body).await?)
    }

    async fn remove_member(
        &self,
        request: Request<proto::RemoveMemberRequest>,
    ) -> Answer<proto::RemoveMemberResponse> {
        call!(self, request, |caller, body| groups::remove_member(self, &caller.user, body).await?)
    }

    async fn set_member_role(
        &self,
        request: Request<proto::SetMemberRoleRequest>,
    ) -> Answer<proto::SetMemberRoleResponse> {
        call!(self, request, |caller, body| groups::set_member_role(self, &caller.user, body)
            .await?)
    }

    async fn leave_group(
        &self,
        request: Request<proto::LeaveGroupRequest>,
    ) -> Answer<proto::LeaveGroupResponse> {
        call!(self, request, |caller, body| groups::leave_group(self, &caller.user, body).await?)
    }

    async fn delete_chat(
        &self,
        request: Request<proto::DeleteChatRequest>,
    ) -> Answer<proto::DeleteChatResponse> {
        call!(self, request, |caller, body| groups::delete_chat(self, &caller.user, body).await?)
    }

    async fn set_chat_settings(
        &self,
        request: Request<proto::SetChatSettingsRequest>,
    ) -> Answer<proto::SetChatSettingsResponse> {
        call!(self, request, |caller, body| groups::set_chat_settings(self, &caller.user, body)
            .await?)
    }
}
