//! A request of every call that a member could make.

use adda::proto::*;
use bytes::Bytes;
use prost::Message;

use super::scene::{Caller, Role, Scene};
use crate::world::{hello, run};

/// Calls that are about groups alone: the blocked one makes them as a member of the group, as who is
/// blocked stays in groups.
const OF_GROUPS: [&str; 7] = [
    "ChatService/UpdateChat",
    "ChatService/AddMembers",
    "ChatService/RemoveMember",
    "ChatService/SetMemberRole",
    "ChatService/LeaveGroup",
    "ChatService/DeleteChat",
    "AttachmentService/GetAttachment",
];

/// What the call is about: a chat, and a message in it.
fn place<'s>(scene: &'s Scene, call: &str, role: Role) -> (&'s str, &'s str) {
    if role == Role::Blocked && !OF_GROUPS.contains(&call) {
        (&scene.direct, &scene.own)
    } else {
        (&scene.group, &scene.message)
    }
}

/// The requests of a call: one, but where they stream.
pub(super) fn requests(scene: &Scene, call: &str, caller: &Caller) -> Vec<Bytes> {
    let (chat, message) = place(scene, call, caller.role);
    let (service, method) = call.split_once('/').unwrap();
    let request = match service {
        "ChatService" => {
            let chat = About { scene, chat_id: chat.to_owned(), message_id: message.to_owned() };
            chat.messages(method, caller).or_else(|| chat.groups(method))
        }
        "UserService" => people(scene, method, caller.role),
        "AttachmentService" => return files(scene, method),
        "NotificationService" => notifications(scene, method, chat, message),
        "AdminService" => services(scene, method),
        _ => None,
    };
    let request = request.unwrap_or_else(|| {
        panic!("{call} is new: say in tests/it/walls/requests.rs what a request of it is")
    });
    vec![request.into()]
}

/// One of each command that a stream goes on after, with the name of its field.
pub(super) fn commands(scene: &Scene) -> [(&'static str, connect_request::Command); 8] {
    use connect_request::Command;
    let (chat_id, seqs) = (scene.group.clone(), vec![run(1, 1)]);
    let send = crate::world::message(&chat_id, &scene.new_id("command"), "let me in");
    let delivered = DeliveredAck { chat_id: chat_id.clone(), seqs: seqs.clone() };
    let read = ReadAck { chat_id: chat_id.clone(), seqs };
    [
        ("message_send", Command::MessageSend(send)),
        ("delivered_ack", Command::DeliveredAck(delivered)),
        ("read_ack", Command::ReadAck(read)),
        ("typing_start", Command::TypingStart(TypingStart { chat_id: chat_id.clone() })),
        ("typing_stop", Command::TypingStop(TypingStop { chat_id: chat_id.clone() })),
        ("join_chat", Command::JoinChat(JoinChat { chat_id: chat_id.clone() })),
        ("leave_chat", Command::LeaveChat(LeaveChat { chat_id })),
        ("heartbeat", Command::Heartbeat(Heartbeat::default())),
    ]
}

/// What an answer must hold to be one, where who may not see it is answered with less.
pub(super) fn needle<'s>(scene: &'s Scene, call: &str, role: Role) -> Option<&'s str> {
    let (chat, message) = place(scene, call, role);
    match call {
        "ChatService/ListChats" => Some(chat),
        "ChatService/SearchMessages" => Some(message),
        "UserService/GetUsers" => Some("author"),
        "UserService/GetPresence" => Some(watched(role)),
        _ => None,
    }
}

/// Whose presence is asked for.
fn watched(role: Role) -> &'static str {
    if role == Role::Blocked { "owner" } else { "author" }
}

/// What a call about a chat is about.
struct About<'s> {
    scene: &'s Scene,
    chat_id: String,
    message_id: String,
}

impl About<'_> {
    fn messages(&self, method: &str, caller: &Caller) -> Option<Vec<u8>> {
        let (chat_id, message_id) = (self.chat_id.clone(), self.message_id.clone());
        let session_id = caller.live.ready.session_id.clone();
        let seqs = vec![run(1, 1)];
        Some(match method {
            "Connect" => {
                let command = Some(connect_request::Command::Hello(hello("knocks")));
                ConnectRequest { command, ..Default::default() }.encode_to_vec()
            }
            "Subscribe" => SubscribeRequest { hello: Some(hello("knocks")) }.encode_to_vec(),
            "SendMessage" => {
                let id = self.scene.new_id("send");
                let message = Some(crate::world::message(&chat_id, &id, "let me in"));
                SendMessageRequest { message }.encode_to_vec()
            }
            "AckDelivered" => {
                let ack = Some(DeliveredAck { chat_id, seqs });
                AckDeliveredRequest { ack, device_id: String::new() }.encode_to_vec()
            }
            "AckRead" => AckReadRequest { ack: Some(ReadAck { chat_id, seqs }) }.encode_to_vec(),
            "MarkMessageRead" => MarkMessageReadRequest { chat_id, message_id }.encode_to_vec(),
            "MarkChatRead" => MarkChatReadRequest { chat_id, up_to_seq: 1 }.encode_to_vec(),
            "SetTyping" => SetTypingRequest { chat_id, typing: true, session_id }.encode_to_vec(),
            "JoinChat" => JoinChatRequest { chat_id, session_id }.encode_to_vec(),
            "LeaveChat" => LeaveChatRequest { chat_id, session_id }.encode_to_vec(),
            "Heartbeat" => HeartbeatRequest { session_id, background: None }.encode_to_vec(),
            "ListMessages" => ListMessagesRequest { chat_id, ..Default::default() }.encode_to_vec(),
            "EditMessage" => {
                let text = self.scene.new_id("edited");
                let mentions = Vec::new();
                EditMessageRequest { chat_id, message_id, text, mentions }.encode_to_vec()
            }
            "DeleteMessage" => {
                let scope = DeleteScope::Everyone.into();
                DeleteMessageRequest { chat_id, message_id, scope }.encode_to_vec()
            }
            "AddReaction" => {
                AddReactionRequest { chat_id, message_id, emoji: "👍".into() }.encode_to_vec()
            }
            "RemoveReaction" => {
                RemoveReactionRequest { chat_id, message_id, emoji: "👍".into() }.encode_to_vec()
            }
            "SearchMessages" => {
                let query = self.scene.word.clone();
                SearchMessagesRequest { query, ..Default::default() }.encode_to_vec()
            }
            _ => return None,
        })
    }

    fn groups(&self, method: &str) -> Option<Vec<u8>> {
        let chat_id = self.chat_id.clone();
        let user_id = "target".to_owned();
        Some(match method {
            "CreateChat" => {
                let kind = ChatKind::Direct.into();
                let member_ids = vec!["hermit".to_owned()];
                CreateChatRequest { kind, member_ids, ..Default::default() }.encode_to_vec()
            }
            "GetChat" => GetChatRequest { chat_id }.encode_to_vec(),
            "ListChats" => {
                ListChatsRequest { page_size: 100, ..Default::default() }.encode_to_vec()
            }
            "ListMembers" => ListMembersRequest { chat_id, ..Default::default() }.encode_to_vec(),
            "UpdateChat" => {
                let title = Some(self.scene.new_id("title"));
                UpdateChatRequest { chat_id, title, avatar_url: None }.encode_to_vec()
            }
            "AddMembers" => {
                let user_ids = vec![self.scene.new_id("newcomer")];
                AddMembersRequest { chat_id, user_ids }.encode_to_vec()
            }
            "RemoveMember" => RemoveMemberRequest { chat_id, user_id }.encode_to_vec(),
            "SetMemberRole" => {
                let role = MemberRole::Admin.into();
                SetMemberRoleRequest { chat_id, user_id, role }.encode_to_vec()
            }
            "LeaveGroup" => LeaveGroupRequest { chat_id }.encode_to_vec(),
            "DeleteChat" => DeleteChatRequest { chat_id }.encode_to_vec(),
            "SetChatSettings" => {
                let archived = Some(true);
                SetChatSettingsRequest { chat_id, archived, ..Default::default() }.encode_to_vec()
            }
            _ => return None,
        })
    }
}

fn people(scene: &Scene, method: &str, role: Role) -> Option<Vec<u8>> {
    let user_id = "nobody".to_owned();
    Some(match method {
        "GetUsers" => GetUsersRequest { user_ids: vec!["author".to_owned()] }.encode_to_vec(),
        "GetPresence" => {
            GetPresenceRequest { user_ids: vec![watched(role).to_owned()] }.encode_to_vec()
        }
        "BlockUser" => BlockUserRequest { user_id: scene.new_id("blocked") }.encode_to_vec(),
        "UnblockUser" => UnblockUserRequest { user_id }.encode_to_vec(),
        "ListBlockedUsers" => ListBlockedUsersRequest::default().encode_to_vec(),
        "GetPrivacy" => GetPrivacyRequest {}.encode_to_vec(),
        "UpdatePrivacy" => {
            let hide_last_active = Some(false);
            UpdatePrivacyRequest { hide_last_active, hide_read_receipts: None }.encode_to_vec()
        }
        _ => return None,
    })
}

fn files(scene: &Scene, method: &str) -> Vec<Bytes> {
    use upload_attachment_request::Piece;
    let bytes = b"a text";
    let description = UploadDescription {
        file_name: "a.txt".to_owned(),
        content_type: String::new(),
        size_bytes: u32::try_from(bytes.len()).unwrap(),
    };
    match method {
        "UploadAttachment" => [Piece::Description(description), Piece::Data(bytes.to_vec())]
            .map(|piece| UploadAttachmentRequest { piece: Some(piece) }.encode_to_vec().into())
            .into(),
        "CreateUpload" => {
            vec![CreateUploadRequest { description: Some(description) }.encode_to_vec().into()]
        }
        "GetAttachment" => {
            let (attachment_id, chat_id) = (scene.attachment.clone(), scene.group.clone());
            vec![GetAttachmentRequest { attachment_id, chat_id }.encode_to_vec().into()]
        }
        _ => panic!("AttachmentService/{method} is new: say here what a request of it is"),
    }
}

/// The owner is in both chats, and has written neither message.
fn notifications(scene: &Scene, method: &str, chat: &str, message: &str) -> Option<Vec<u8>> {
    let device_id = "knocks".to_owned();
    let chat_id = chat.to_owned();
    Some(match method {
        "RegisterDevice" => {
            let platform = Platform::Android.into();
            let push_token = scene.new_id("token");
            let device =
                RegisterDeviceRequest { device_id, push_token, platform, ..Default::default() };
            device.encode_to_vec()
        }
        "UnregisterDevice" => UnregisterDeviceRequest { device_id }.encode_to_vec(),
        "ListDevices" => ListDevicesRequest {}.encode_to_vec(),
        "GetPreferences" => GetPreferencesRequest {}.encode_to_vec(),
        "UpdatePreferences" => {
            let preferences = Some(NotificationPreferences {
                silent: true,
                time_zone: "Asia/Dhaka".to_owned(),
                quiet_hours: vec![QuietHours { start_minute: 60, ..Default::default() }],
                ..Default::default()
            });
            UpdatePreferencesRequest { preferences }.encode_to_vec()
        }
        "SetChatNotifications" => {
            let level = NotificationLevel::Mentions.into();
            SetChatNotificationsRequest { chat_id, level, until: None }.encode_to_vec()
        }
        "ListNotifications" => ListNotificationsRequest::default().encode_to_vec(),
        "MarkNotificationsRead" => {
            let notification_ids = vec![crate::world::unique()];
            MarkNotificationsReadRequest { notification_ids, all_until: None }.encode_to_vec()
        }
        "ExplainDelivery" => {
            let (message_id, user_id) = (message.to_owned(), "owner".to_owned());
            ExplainDeliveryRequest { chat_id, message_id, user_id }.encode_to_vec()
        }
        _ => return None,
    })
}

fn services(scene: &Scene, method: &str) -> Option<Vec<u8>> {
    Some(match method {
        "UpsertUsers" => {
            let user_id = scene.new_id("user");
            let users = vec![User { user_id, display_name: "New".into(), ..Default::default() }];
            UpsertUsersRequest { users }.encode_to_vec()
        }
        "DeleteUser" => {
            let (user_id, messages) = (scene.newest.clone(), MessageFate::Keep.into());
            DeleteUserRequest { user_id, messages }.encode_to_vec()
        }
        "ExportUser" => ExportUserRequest { user_id: scene.newest.clone() }.encode_to_vec(),
        "SendSystemMessage" => {
            let (chat_id, client_message_id) = (scene.group.clone(), scene.new_id("note"));
            let text = "a word of the product".to_owned();
            SendSystemMessageRequest { chat_id, client_message_id, text }.encode_to_vec()
        }
        "RevokeSessions" => {
            let (user_id, device_id) = ("nobody".to_owned(), String::new());
            RevokeSessionsRequest { user_id, device_id }.encode_to_vec()
        }
        "GetStats" => GetStatsRequest {}.encode_to_vec(),
        _ => return None,
    })
}
