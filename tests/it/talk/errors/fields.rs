//! Fields of commands and calls, each named by its path.

use adda::proto;
use tonic::Code;

use super::Twin;
use crate::on_both_backends;
use crate::world::{Refusal, World, message, run};

on_both_backends! {
    what_a_send_may_not_hold,
    what_calls_must_hold,
}

async fn what_a_send_may_not_hold(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    let long = "x".repeat(65);
    let good = || message(&chat, "m", "hello");
    let of_type = |r#type: i32| proto::MessageSend { r#type, ..good() };
    let mut tries = vec![
        (message(&chat, "", "hello"), "client_message_id", None),
        (message(&chat, &long, "hello"), "client_message_id", Some("64")),
        (message(&chat, "a\0b", "hello"), "client_message_id", None),
        (message(&chat, "a\nb", "hello"), "client_message_id", None),
        (
            proto::MessageSend { attachment_ids: vec!["x".to_owned(); 11], ..good() },
            "attachment_ids",
            Some("10"),
        ),
    ];
    // Not what the server derives.
    for kind in 2..=6 {
        tries.push((of_type(kind), "type", None));
    }
    for (bad, field, limit) in tries {
        let refused = Twin::Send(bad).refused(&mut live).await;
        assert_eq!(
            (refused.code, refused.what()),
            (Code::InvalidArgument, ("FIELD_INVALID", field))
        );
        assert_eq!((refused.limit(), refused.retry), (limit, false));
    }
    let text = live.ask(Twin::Send(of_type(1)).command()).await;
    assert!(matches!(text, proto::ack::Result::SendOutcome(sent) if sent.seq == 1));
}

async fn what_calls_must_hold(world: World) {
    let chat_id = world.direct("alice", "bob").await;
    let mut api = world.api("alice").await;
    let ack = proto::DeliveredAck { chat_id: chat_id.clone(), seqs: vec![run(1, 1)] };
    let ack = proto::AckDeliveredRequest { ack: Some(ack), device_id: "a b".to_owned() };
    let query = proto::ListChatsRequest { query: "আ".repeat(101), ..Default::default() };
    let mark = proto::MarkMessageReadRequest { chat_id, message_id: String::new() };
    for (refused, field, limit) in [
        (
            Refusal::from(api.send_message(proto::SendMessageRequest::default()).await),
            "message",
            None,
        ),
        (
            Refusal::from(api.ack_delivered(proto::AckDeliveredRequest::default()).await),
            "ack",
            None,
        ),
        (Refusal::from(api.ack_read(proto::AckReadRequest::default()).await), "ack", None),
        (Refusal::from(api.ack_delivered(ack).await), "device_id", None),
        (Refusal::from(api.list_chats(query).await), "query", Some("100")),
        (Refusal::from(api.mark_message_read(mark).await), "message_id", None),
    ] {
        assert_eq!(
            (refused.code, refused.what()),
            (Code::InvalidArgument, ("FIELD_INVALID", field))
        );
        assert_eq!((refused.limit(), refused.retry), (limit, false));
    }
}
