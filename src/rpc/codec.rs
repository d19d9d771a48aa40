//! The codec of the server: protobuf, with small buffers and a limit for each kind of request.

use std::any::TypeId;
use std::marker::PhantomData;

use bytes::Buf;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, DecodeBuf};
use tonic_prost::{ProstDecoder, ProstEncoder};

use crate::proto::{CreateChatRequest, UpsertUsersRequest};

/// What a stream holds at once for each way. tonic would take 8 KiB, which is what an idle
/// stream mostly costs; buffers grow by this much where more is needed.
const BUFFER: usize = 512;

/// As much as this of what waits is written together.
const YIELD_AT: usize = 32 * 1024;

/// The largest request of all, whatever its kind: tonic refuses more by its declared length,
/// before anything is allocated for it. What [`of_request`] allows may be less.
pub const MAX_REQUEST: usize = 1024 * 1024;

/// The largest request that names no list of members: a text, its ids, a token.
const MAX_ORDINARY: usize = 64 * 1024;

/// The largest request of this kind.
fn of_request<D: 'static>() -> usize {
    // 10,000 members of 64 characters are 660 kB, 1,000 users with pictures more.
    let large = [TypeId::of::<CreateChatRequest>(), TypeId::of::<UpsertUsersRequest>()];
    if large.contains(&TypeId::of::<D>()) { MAX_REQUEST } else { MAX_ORDINARY }
}

/// Encodes `E` and decodes `D`. The generated server makes one for each call.
#[derive(Debug)]
pub struct Codec<E, D>(PhantomData<fn(E) -> D>);

impl<E, D> Default for Codec<E, D> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E, D> tonic::codec::Codec for Codec<E, D>
where
    E: Message + Send + 'static,
    D: Message + Default + Send + 'static,
{
    type Encode = E;
    type Decode = D;
    type Encoder = ProstEncoder<E>;
    type Decoder = Decoder<D>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(buffers())
    }

    fn decoder(&mut self) -> Self::Decoder {
        Decoder(ProstDecoder::new(buffers()))
    }
}

fn buffers() -> BufferSettings {
    BufferSettings::new(BUFFER, YIELD_AT)
}

/// Decodes a `D`, if it is no larger than its kind may be.
#[derive(Debug)]
pub struct Decoder<D>(ProstDecoder<D>);

impl<D: Message + Default + 'static> tonic::codec::Decoder for Decoder<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        let limit = of_request::<D>();
        if buf.remaining() > limit {
            // The same code as tonic's own; `edge` makes both what the contract says.
            return Err(Status::out_of_range(format!("a request may have {limit} bytes")));
        }
        self.0.decode(buf)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}
