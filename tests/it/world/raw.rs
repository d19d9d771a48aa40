//! A Connect whose requests are any bytes.

use std::net::SocketAddr;

use adda::proto;
use bytes::{Buf as _, BufMut as _, Bytes};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Endpoint;
use tonic::{Request, Status};

/// Sends bytes as they are, and takes answers as they are meant.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = proto::ConnectResponse;
    type Encoder = AsTheyAre;
    type Decoder = Self;

    fn encoder(&mut self) -> AsTheyAre {
        AsTheyAre
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Decoder for Raw {
    type Item = proto::ConnectResponse;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        proto::ConnectResponse::decode(bytes).map(Some).map_err(|e| Status::internal(e.to_string()))
    }
}

/// Requests and answers as bytes.
pub(crate) struct AsTheyAre;

impl Codec for AsTheyAre {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsTheyAre {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for AsTheyAre {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// The stream.
pub(crate) struct RawConnect {
    pub(crate) up: mpsc::Sender<Bytes>,
    pub(crate) down: tonic::Streaming<proto::ConnectResponse>,
}

impl RawConnect {
    /// Opens one with this as the first request; `None`: with nothing.
    pub(crate) async fn open(
        addr: SocketAddr,
        token: &str,
        first: Option<Bytes>,
    ) -> Result<Self, Status> {
        let channel =
            Endpoint::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap();
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.unwrap();
        let (up, requests) = mpsc::channel(16);
        if let Some(first) = first {
            up.send(first).await.unwrap();
        }
        let mut request = Request::new(ReceiverStream::new(requests));
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        let path = http::uri::PathAndQuery::from_static("/adda.v1.ChatService/Connect");
        let down = client.streaming(request, path, Raw).await?.into_inner();
        Ok(Self { up, down })
    }

    /// The last frame, which must be Close, of a stream that then ends well.
    pub(crate) async fn closed(&mut self) -> proto::Close {
        let mut last = None;
        while let Some(answer) = self.down.message().await.unwrap() {
            last = answer.frame.unwrap().frame;
        }
        match last {
            Some(proto::server_frame::Frame::Close(close)) => close,
            other => panic!("not Close last, but {other:?}"),
        }
    }
}
