//! A frame of a stream as ready bytes.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, encode_key, encode_varint, skip_field};

use crate::proto::ServerFrame;

/// The field of `ConnectResponse` and of `SubscribeResponse` that holds the frame.
const FRAME: u32 = 1;

/// A `ConnectResponse` or `SubscribeResponse`, encoded: the two are alike on the wire. A clone
/// shares the bytes, so that an event for a thousand streams is encoded once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EncodedFrame(Bytes);

impl EncodedFrame {
    /// Encodes a frame.
    pub fn of(frame: &ServerFrame) -> Self {
        let len = frame.encoded_len();
        // The key takes one byte, the length at most ten.
        let mut bytes = BytesMut::with_capacity(len + 11);
        encode_key(FRAME, WireType::LengthDelimited, &mut bytes);
        encode_varint(len as u64, &mut bytes);
        frame.encode_raw(&mut bytes);
        Self(bytes.freeze())
    }

    /// How many bytes it takes on the wire, but for gRPC's own five.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

/// Frames hold message text: only their size is shown.
impl fmt::Debug for EncodedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedFrame({} bytes)", self.0.len())
    }
}

impl Message for EncodedFrame {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.0);
    }

    /// Frames only go out: what would come in is passed over.
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        skip_field(wire_type, tag, buf, ctx)
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{ConnectResponse, Heartbeat, SubscribeResponse, server_frame};

    #[test]
    fn a_client_reads_it_as_either_answer() {
        for frame in [
            ServerFrame { frame: Some(server_frame::Frame::Heartbeat(Heartbeat::default())) },
            ServerFrame::default(),
        ] {
            let wire = EncodedFrame::of(&frame).encode_to_vec();
            assert_eq!(wire.len(), EncodedFrame::of(&frame).encoded_len());
            let connect = ConnectResponse::decode(&wire[..]).unwrap();
            assert_eq!(connect.encode_to_vec(), wire, "byte for byte");
            assert_eq!(connect.frame.as_ref(), Some(&frame));
            assert_eq!(SubscribeResponse::decode(&wire[..]).unwrap().frame, Some(frame));
        }
    }

    #[test]
    fn shows_nothing_but_its_size() {
        let frame = EncodedFrame::of(&ServerFrame::default());
        assert_eq!(format!("{frame:?}"), "EncodedFrame(2 bytes)");
    }
}
