//! The least that a server of streams must do: ready frames to all, and nothing else. What adda
//! reaches of it is told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, ServerStreamingService};
use tonic::{Request, Response, Status};
use tower::Service;

use super::LoadError;
use crate::proto;
use crate::rpc::Codec;
use crate::wire::{EncodedFrame, event_frame};

/// Frames that are given to a stream at once, and so leave in one write: as many as sends are in
/// flight in a group.
const TOGETHER: usize = 16;
/// Frames that may wait for one stream.
const WAITING: usize = 4 * TOGETHER;

type Outboxes = Arc<Mutex<Vec<mpsc::Sender<Result<EncodedFrame, Status>>>>>;

/// Whatever is called, it is answered with a stream of frames.
#[derive(Clone)]
struct Bare(Outboxes);

impl ServerStreamingService<proto::SubscribeRequest> for Bare {
    type Response = EncodedFrame;
    type ResponseStream = ReceiverStream<Result<EncodedFrame, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _: Request<proto::SubscribeRequest>) -> Self::Future {
        let (outbox, frames) = mpsc::channel(WAITING);
        self.0.lock().push(outbox);
        Box::pin(async { Ok(Response::new(ReceiverStream::new(frames))) })
    }
}

impl Service<http::Request<Body>> for Bare {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let bare = self.clone();
        Box::pin(async move {
            let codec = Codec::<EncodedFrame, proto::SubscribeRequest>::default();
            Ok(Grpc::new(codec).server_streaming(bare, request).await)
        })
    }
}

/// Serves until the process is ended.
pub(super) async fn serve(addr: SocketAddr) -> Result<(), LoadError> {
    let failed = |error: std::io::Error| LoadError::Connect(addr.to_string(), error.into());
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let outboxes = Outboxes::default();
    tokio::spawn(pump(Arc::clone(&outboxes)));
    loop {
        let (stream, _) = listener.accept().await.map_err(failed)?;
        // Both sides of a comparison have it.
        drop(stream.set_nodelay(true));
        let bare = Bare(Arc::clone(&outboxes));
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request: http::Request<_>| {
                Service::call(&mut bare.clone(), request.map(Body::new))
            });
            let executor = hyper_util::rt::TokioExecutor::new();
            let stream = hyper_util::rt::TokioIo::new(stream);
            // A connection that breaks is the other side's end.
            drop(
                hyper::server::conn::http2::Builder::new(executor)
                    .serve_connection(stream, service)
                    .await,
            );
        });
    }
}

/// Some frames after the other, each to every stream.
async fn pump(outboxes: Outboxes) {
    let message = proto::Message {
        message_id: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
        chat_id: "01890a5d-ac96-774b-bcce-b302099a8058".to_owned(),
        seq: 1,
        sender_id: "load-g0".to_owned(),
        text: "x".repeat(64),
        client_message_id: "12345678901-12345678901".to_owned(),
        state: proto::MessageState::Sent.into(),
        created_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 1_000_000 }),
        ..proto::Message::default()
    };
    let sent = proto::MessageSent { message: Some(message) };
    loop {
        // Encoded anew for each round, as each message is.
        let frames: Vec<EncodedFrame> = (0..TOGETHER)
            .map(|_| event_frame(proto::event::Event::MessageSent(sent.clone())))
            .collect();
        let now = outboxes.lock().clone();
        if now.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        for outbox in now {
            match outbox.reserve_many(TOGETHER).await {
                Ok(room) => {
                    room.zip(&frames).for_each(|(room, frame)| room.send(Ok(frame.clone())));
                }
                Err(_) => outboxes.lock().retain(|outbox| !outbox.is_closed()),
            }
        }
    }
}
