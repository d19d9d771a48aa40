//! No Status without a reason, whatever is called and with whatever.

use adda::proto;
use prost::Message as _;
use tonic::Code;

use crate::on_both_backends;
use crate::world::{Api, Refusal, Web, World, token, unique};

on_both_backends! {
    every_call_refuses_with_a_reason,
    what_is_not_a_request_is_refused_with_a_reason,
}

/// Every call of the contract; one that is added must be added here.
const CALLS: [&str; 28] = [
    "Connect",
    "Subscribe",
    "SendMessage",
    "AckDelivered",
    "AckRead",
    "MarkMessageRead",
    "MarkChatRead",
    "SetTyping",
    "JoinChat",
    "LeaveChat",
    "Heartbeat",
    "CreateChat",
    "GetChat",
    "ListChats",
    "ListMessages",
    "EditMessage",
    "DeleteMessage",
    "AddReaction",
    "RemoveReaction",
    "SearchMessages",
    "ListMembers",
    "UpdateChat",
    "AddMembers",
    "RemoveMember",
    "SetMemberRole",
    "LeaveGroup",
    "DeleteChat",
    "SetChatSettings",
];

#[test]
fn all_calls_are_driven() {
    let contract = include_str!("../../../../proto/adda/v1/chat_service.proto");
    let rpcs = contract.lines().filter_map(|line| line.trim().strip_prefix("rpc "));
    let mut names: Vec<_> = rpcs.map(|rpc| rpc.split('(').next().unwrap()).collect();
    let mut driven = CALLS.to_vec();
    names.sort_unstable();
    driven.sort_unstable();
    assert_eq!(names, driven);
}

/// Each call with something that must be refused.
async fn refusals(api: &mut Api) -> Vec<Refusal> {
    let (chat_id, session_id, message_id) = (unique(), unique(), unique());
    let message = Some(crate::world::message(&chat_id, "m", "hello"));
    let seqs = vec![crate::world::run(1, 1)];
    let delivered = proto::DeliveredAck { chat_id: chat_id.clone(), seqs: seqs.clone() };
    let delivered = proto::AckDeliveredRequest { ack: Some(delivered), device_id: String::new() };
    let read = proto::ReadAck { chat_id: chat_id.clone(), seqs };
    let mark = proto::MarkMessageReadRequest { chat_id: chat_id.clone(), message_id };
    let mark_chat = proto::MarkChatReadRequest { chat_id: chat_id.clone(), up_to_seq: 0 };
    let typing = proto::SetTypingRequest {
        chat_id: chat_id.clone(),
        typing: true,
        session_id: String::new(),
    };
    let join = proto::JoinChatRequest { chat_id: chat_id.clone(), session_id: session_id.clone() };
    let leave =
        proto::LeaveChatRequest { chat_id: chat_id.clone(), session_id: session_id.clone() };
    let list = proto::ListChatsRequest { page_token: "x".to_owned(), ..Default::default() };
    let messages = proto::ListMessagesRequest { chat_id: chat_id.clone(), ..Default::default() };
    let mut all = vec![
        Refusal::from(api.connect(tokio_stream::empty()).await.map(|_| ())),
        Refusal::from(api.subscribe(proto::SubscribeRequest::default()).await.map(|_| ())),
        Refusal::from(api.send_message(proto::SendMessageRequest { message }).await),
        Refusal::from(api.ack_delivered(delivered).await),
        Refusal::from(api.ack_read(proto::AckReadRequest { ack: Some(read) }).await),
        Refusal::from(api.mark_message_read(mark).await),
        Refusal::from(api.mark_chat_read(mark_chat).await),
        Refusal::from(api.set_typing(typing).await),
        Refusal::from(api.join_chat(join).await),
        Refusal::from(api.leave_chat(leave).await),
        Refusal::from(
            api.heartbeat(proto::HeartbeatRequest { session_id, background: None }).await,
        ),
        Refusal::from(api.create_chat(proto::CreateChatRequest::default()).await),
        Refusal::from(api.get_chat(proto::GetChatRequest { chat_id }).await),
        Refusal::from(api.list_chats(list).await),
        Refusal::from(api.list_messages(messages).await),
    ];
    all.extend(refusals_of_changes(api).await);
    all
}

/// The same, of calls that change messages and groups.
async fn refusals_of_changes(api: &mut Api) -> Vec<Refusal> {
    use proto::*;
    let chat_id = unique;
    vec![
        Refusal::from(api.edit_message(EditMessageRequest::default()).await),
        Refusal::from(api.delete_message(DeleteMessageRequest::default()).await),
        Refusal::from(api.add_reaction(AddReactionRequest::default()).await),
        Refusal::from(api.remove_reaction(RemoveReactionRequest::default()).await),
        Refusal::from(api.search_messages(SearchMessagesRequest::default()).await),
        Refusal::from(
            api.list_members(ListMembersRequest { chat_id: chat_id(), ..Default::default() }).await,
        ),
        Refusal::from(
            api.update_chat(UpdateChatRequest { chat_id: chat_id(), ..Default::default() }).await,
        ),
        Refusal::from(api.add_members(AddMembersRequest::default()).await),
        Refusal::from(api.remove_member(RemoveMemberRequest::default()).await),
        Refusal::from(api.set_member_role(SetMemberRoleRequest::default()).await),
        Refusal::from(api.leave_group(LeaveGroupRequest { chat_id: chat_id() }).await),
        Refusal::from(api.delete_chat(DeleteChatRequest { chat_id: chat_id() }).await),
        Refusal::from(
            api.set_chat_settings(SetChatSettingsRequest {
                chat_id: chat_id(),
                ..Default::default()
            })
            .await,
        ),
    ]
}

async fn every_call_refuses_with_a_reason(world: World) {
    let mut api = world.api("alice").await;
    let all = refusals(&mut api).await;
    assert_eq!(all.len(), CALLS.len());
    for (call, refused) in CALLS.iter().zip(&all) {
        assert!(!refused.retry, "{call}: repeating changes nothing: {refused:?}");
        assert!(!refused.message.is_empty() && refused.message.is_ascii(), "{call}: {refused:?}");
        assert_eq!(refused.field.is_empty(), refused.reason != "FIELD_INVALID", "{call}");
    }
    let mut nobody = crate::world::api(world.addr(0), "a.b.c".to_owned()).await;
    for refused in refusals(&mut nobody).await {
        assert_eq!((refused.code, refused.what()), (Code::Unauthenticated, ("TOKEN_INVALID", "")));
    }
}

async fn what_is_not_a_request_is_refused_with_a_reason(world: World) {
    let web = Web::new(world.addr(0), token("alice"));
    let not_text = proto::GetChatRequest { chat_id: "\u{1}\u{1}".to_owned() }.encode_to_vec();
    let not_text: Vec<u8> = not_text.into_iter().map(|b| if b == 1 { 0xff } else { b }).collect();
    for call in CALLS {
        let too_large = if call == "CreateChat" { (1 << 20) + 1 } else { (64 << 10) + 1 };
        for (bytes, reason) in [
            (vec![0xff; 9], "FIELD_INVALID"),
            (not_text.clone(), "FIELD_INVALID"),
            (vec![0; too_large], "TOO_LARGE"),
        ] {
            // Field 1 of these is no text of theirs, or a number.
            let refused = match web.bytes(call, &bytes).await {
                Err(status) => Refusal::of_status(&status),
                Ok(_) => panic!("{call} takes {} bytes that are no request", bytes.len()),
            };
            let number = call == "ListChats" || call == "CreateChat" || call == "Connect";
            assert!(refused.reason == reason || number, "{call}: {refused:?}");
        }
    }
    // Each time, however the writing of it and the refusal cross on their way.
    for _ in 0..20 {
        let refused =
            Refusal::of_status(&web.bytes("GetChat", &vec![0; 1 << 20]).await.unwrap_err());
        assert_eq!(refused.reason, "TOO_LARGE");
    }
    let unknown = web.bytes("NoSuchCall", &[]).await.unwrap_err();
    let refused = Refusal::of_status(&unknown);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unimplemented, "UNKNOWN_COMMAND"));
}
