//! Frames of a stream as ready bytes.

use bytes::{Buf, BufMut, Bytes};
use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, skip_field};

use crate::model::{ChatId, MessageId, NodeId, Seq, UserId};
use crate::{clock::Timestamp, proto};

/// One `ConnectResponse` or `SubscribeResponse` (the two are the same on the wire), encoded.
///
/// The generated server sends these instead of the messages themselves: an event is encoded
/// once, however many streams carry it. It is never decoded.
#[derive(Clone, Default, PartialEq)]
pub struct EncodedFrame(Bytes, About);

/// Which chat an event is of, and what it says of the receiver's place there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum About {
    /// No event, or one of no chat.
    #[default]
    NoChat,
    /// Something that happens in the chat.
    Chat(ChatId),
    /// The receiver is a member, at this revision of the chat.
    Member(ChatId, u32),
    /// The receiver is no member any more, since this revision.
    Gone(ChatId, u32),
}

impl EncodedFrame {
    /// Encodes a frame.
    pub fn of(frame: proto::server_frame::Frame) -> Self {
        let response =
            proto::ConnectResponse { frame: Some(proto::ServerFrame { frame: Some(frame) }) };
        Self(response.encode_to_vec().into(), About::NoChat)
    }

    /// Which chat it is of.
    pub fn about(&self) -> About {
        self.1
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Debug for EncodedFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EncodedFrame({} bytes)", self.0.len())
    }
}

impl prost::Message for EncodedFrame {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.0);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        skip_field(wire_type, tag, buf, context)
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// An event as a frame.
pub fn event_frame(event: proto::event::Event) -> EncodedFrame {
    let about = about(&event);
    let event = proto::Event { event: Some(event) };
    let EncodedFrame(bytes, _) = EncodedFrame::of(proto::server_frame::Frame::Event(event));
    EncodedFrame(bytes, about)
}

fn about(event: &proto::event::Event) -> About {
    use proto::event::Event;
    let chat_id = match event {
        Event::ChatUpdated(it) => {
            let Some(chat) = &it.chat else { return About::NoChat };
            let about = if it.removed { About::Gone } else { About::Member };
            return ChatId::parse(&chat.chat_id)
                .map_or(About::NoChat, |id| about(id, chat.revision));
        }
        Event::MessageSent(it) => it.message.as_ref().map(|message| &message.chat_id),
        Event::MessageEdited(it) => it.message.as_ref().map(|message| &message.chat_id),
        Event::MessageDelivered(it) => Some(&it.chat_id),
        Event::MessageRead(it) => Some(&it.chat_id),
        Event::MessageDeleted(it) => Some(&it.chat_id),
        Event::UserTyping(it) => Some(&it.chat_id),
        Event::ReactionsUpdated(it) => Some(&it.chat_id),
        Event::ChatSettingsUpdated(it) => Some(&it.chat_id),
        Event::MessageHidden(it) => Some(&it.chat_id),
        Event::UserOnline(_)
        | Event::UserOffline(_)
        | Event::NotificationCreated(_)
        | Event::UserUpdated(_)
        | Event::BlockUpdated(_) => None,
    };
    chat_id.and_then(|id| ChatId::parse(id)).map_or(About::NoChat, About::Chat)
}

/// Something to tell a session: the frame, ready, and what the session itself must know of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A new message; in order of `seq`, each once a stream.
    Message {
        /// Where.
        chat: ChatId,
        /// Its place.
        seq: Seq,
        /// Its id, and so its time.
        id: MessageId,
        /// `MessageSent`.
        frame: EncodedFrame,
    },
    /// A change that a resume would find again.
    Change(EncodedFrame),
    /// Someone writes; gives way first. Not for streams in the background.
    Typing(EncodedFrame),
    /// Someone came or went; gives way first. Not for streams in the background.
    Presence {
        /// Who.
        user: UserId,
        /// Came, and where; `None`: went.
        node: Option<NodeId>,
        /// Since when, or when last.
        at: Timestamp,
        /// `UserOnline` or `UserOffline`.
        frame: EncodedFrame,
    },
}

impl Told {
    /// What is told, ready.
    pub fn frame(&self) -> &EncodedFrame {
        match self {
            Self::Message { frame, .. }
            | Self::Presence { frame, .. }
            | Self::Change(frame)
            | Self::Typing(frame) => frame,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_frame_is_the_frame_on_the_wire() {
        let frame = proto::server_frame::Frame::CaughtUp(proto::CaughtUp {});
        let ready = EncodedFrame::of(frame.clone());
        let bytes = ready.encode_to_vec();
        assert_eq!(bytes.len(), ready.encoded_len());
        let subscribe = proto::SubscribeResponse::decode(bytes.as_slice()).unwrap();
        assert_eq!(subscribe.frame.unwrap().frame, Some(frame));
    }
}
