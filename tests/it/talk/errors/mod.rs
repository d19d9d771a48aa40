//! What is refused, and how it is said: the same on a stream and in the call.

mod every_call;
mod fields;
mod rate;
mod runs;
mod strangers;
mod text;

use adda::proto;
use adda::proto::connect_request::Command;

use crate::world::{Api, Live, Refusal, run};

/// A command that has a twin among the calls.
#[derive(Clone, Debug)]
enum Twin {
    Send(proto::MessageSend),
    Delivered(proto::DeliveredAck),
    Read(proto::ReadAck),
    Start(String),
    Stop(String),
    Join(String),
    Leave(String),
}

impl Twin {
    /// All seven, for one chat.
    fn all(chat: &str) -> [Self; 7] {
        let (chat_id, seqs) = (chat.to_owned(), vec![run(1, 1)]);
        [
            Self::Send(crate::world::message(chat, "twin", "hello")),
            Self::Delivered(proto::DeliveredAck { chat_id: chat_id.clone(), seqs: seqs.clone() }),
            Self::Read(proto::ReadAck { chat_id: chat_id.clone(), seqs }),
            Self::Start(chat_id.clone()),
            Self::Stop(chat_id.clone()),
            Self::Join(chat_id.clone()),
            Self::Leave(chat_id),
        ]
    }

    fn command(self) -> Command {
        match self {
            Self::Send(send) => Command::MessageSend(send),
            Self::Delivered(ack) => Command::DeliveredAck(ack),
            Self::Read(ack) => Command::ReadAck(ack),
            Self::Start(chat_id) => Command::TypingStart(proto::TypingStart { chat_id }),
            Self::Stop(chat_id) => Command::TypingStop(proto::TypingStop { chat_id }),
            Self::Join(chat_id) => Command::JoinChat(proto::JoinChat { chat_id }),
            Self::Leave(chat_id) => Command::LeaveChat(proto::LeaveChat { chat_id }),
        }
    }

    async fn call(self, api: &mut Api, session: &str) -> Refusal {
        let session_id = session.to_owned();
        match self {
            Self::Send(message) => {
                let request = proto::SendMessageRequest { message: Some(message) };
                Refusal::from(api.send_message(request).await)
            }
            Self::Delivered(ack) => {
                let device_id = String::new();
                let request = proto::AckDeliveredRequest { ack: Some(ack), device_id };
                Refusal::from(api.ack_delivered(request).await)
            }
            Self::Read(ack) => {
                Refusal::from(api.ack_read(proto::AckReadRequest { ack: Some(ack) }).await)
            }
            Self::Start(chat_id) => {
                let request = proto::SetTypingRequest { chat_id, typing: true, session_id };
                Refusal::from(api.set_typing(request).await)
            }
            Self::Stop(chat_id) => {
                let request = proto::SetTypingRequest { chat_id, typing: false, session_id };
                Refusal::from(api.set_typing(request).await)
            }
            Self::Join(chat_id) => {
                Refusal::from(api.join_chat(proto::JoinChatRequest { chat_id, session_id }).await)
            }
            Self::Leave(chat_id) => {
                Refusal::from(api.leave_chat(proto::LeaveChatRequest { chat_id, session_id }).await)
            }
        }
    }

    /// Where its fields are, on a stream and in the call.
    fn paths(&self) -> (&'static str, &'static str) {
        match self {
            Self::Send(_) => ("message_send.", "message."),
            Self::Delivered(_) => ("delivered_ack.", "ack."),
            Self::Read(_) => ("read_ack.", "ack."),
            Self::Start(_) => ("typing_start.", ""),
            Self::Stop(_) => ("typing_stop.", ""),
            Self::Join(_) => ("join_chat.", ""),
            Self::Leave(_) => ("leave_chat.", ""),
        }
    }

    /// How both ways refuse it, which must be the same but for the path; without the path.
    async fn refused(self, live: &mut Live) -> Refusal {
        let (on_stream, in_call) = self.paths();
        let mut told = live.refused(self.clone().command()).await;
        let (mut api, session) = (live.api.clone(), live.ready.session_id.clone());
        let mut answered = self.call(&mut api, &session).await;
        for (refused, path) in [(&mut told, on_stream), (&mut answered, in_call)] {
            if !refused.field.is_empty() {
                refused.field = refused.field.strip_prefix(path).unwrap().to_owned();
            }
        }
        assert_eq!(told, answered, "twins say the same");
        told
    }
}
