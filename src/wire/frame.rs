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
pub struct EncodedFrame(Bytes);

impl EncodedFrame {
    /// Encodes a frame.
    pub fn of(frame: proto::server_frame::Frame) -> Self {
        let response =
            proto::ConnectResponse { frame: Some(proto::ServerFrame { frame: Some(frame) }) };
        Self(response.encode_to_vec().into())
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
    let event = proto::Event { event: Some(event) };
    EncodedFrame::of(proto::server_frame::Frame::Event(event))
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
