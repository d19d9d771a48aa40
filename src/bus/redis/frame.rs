//! What goes over a channel between two nodes: a small header, then the payload as it came.
//!
//! ```text
//! 0        1      2           10           11            11 + length
//! version  kind   number, BE  name length  name of the   payload
//!                             (1 to 64)    sending node  (envelopes alone)
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use crate::model::NodeId;

/// The one version there is. Another is not understood, and ignored.
const VERSION: u8 = 1;

/// Bytes before the sender's name.
const FIXED: usize = 11;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Number: its own, counted from 1 for each pair of nodes.
    Envelope,
    /// Number: that of the last envelope sent to you, 0 for none. To itself: the beat's own.
    Heartbeat,
    /// Number: as in a heartbeat. Nothing follows it.
    Goodbye,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) number: u64,
    pub(super) from: NodeId,
    pub(super) payload: Bytes,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("version {0} is not known here")]
    Version(u8),
    #[error("kind {0} is not known here")]
    Kind(u8),
    #[error("it ends too early")]
    Short,
    #[error("the sender has no proper name")]
    Name,
    #[error("it has a payload, and should have none")]
    Payload,
}

/// Writes a frame. A node's name has at most 64 bytes ([`NodeId::parse`]).
pub(super) fn encode(kind: Kind, number: u64, from: &NodeId, payload: &[u8]) -> Bytes {
    let name = from.as_str().as_bytes();
    let mut out = BytesMut::with_capacity(FIXED + name.len() + payload.len());
    out.put_u8(VERSION);
    out.put_u8(match kind {
        Kind::Envelope => 1,
        Kind::Heartbeat => 2,
        Kind::Goodbye => 3,
    });
    out.put_u64(number);
    out.put_u8(u8::try_from(name.len()).unwrap_or(0));
    out.put_slice(name);
    out.put_slice(payload);
    out.freeze()
}

/// Reads a frame; the payload shares the bytes.
pub(super) fn decode(bytes: &Bytes) -> Result<Frame, Malformed> {
    match bytes.first() {
        None => return Err(Malformed::Short),
        Some(&VERSION) => {}
        Some(&other) => return Err(Malformed::Version(other)),
    }
    let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Err(Malformed::Short) };
    let [_, kind, number @ .., length] = fixed;
    let kind = match kind {
        1 => Kind::Envelope,
        2 => Kind::Heartbeat,
        3 => Kind::Goodbye,
        other => return Err(Malformed::Kind(*other)),
    };
    let end = FIXED + usize::from(*length);
    let name = bytes.get(FIXED..end).ok_or(Malformed::Short)?;
    let name = std::str::from_utf8(name).map_err(|_| Malformed::Name)?;
    let from = NodeId::parse(name).ok_or(Malformed::Name)?;
    let payload = bytes.slice(end..);
    if kind != Kind::Envelope && !payload.is_empty() {
        return Err(Malformed::Payload);
    }
    Ok(Frame { kind, number: u64::from_be_bytes(*number), from, payload })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, name in "[a-z0-9]{1,64}", payload: Vec<u8>) {
            let from = NodeId::new(&name);
            let read = decode(&encode(Kind::Envelope, number, &from, &payload)).unwrap();
            let kind = Kind::Envelope;
            prop_assert_eq!(read, Frame { kind, number, from, payload: payload.into() });
        }

        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            let _ = decode(&bytes.into());
        }
    }

    #[test]
    fn only_what_is_whole_and_known_is_read() {
        let from = NodeId::new("abc");
        let good = encode(Kind::Heartbeat, 7, &from, b"");
        assert_eq!(decode(&good).map(|frame| frame.number), Ok(7));
        for end in 0..good.len() {
            assert_eq!(decode(&good.slice(..end)), Err(Malformed::Short), "{end}");
        }
        let changed = |at: usize, to: u8| {
            let mut bytes = good.to_vec();
            bytes[at] = to;
            decode(&bytes.into())
        };
        assert_eq!(changed(0, 2), Err(Malformed::Version(2)));
        assert_eq!(changed(1, 9), Err(Malformed::Kind(9)));
        assert_eq!(changed(10, 0), Err(Malformed::Name));
        assert_eq!(changed(11, b'/'), Err(Malformed::Name));
        assert_eq!(changed(10, 2), Err(Malformed::Payload));
    }
}
