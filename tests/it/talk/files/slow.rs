//! Uploads by bad links: what gets on is let get on, what does not is ended. These tests take as
//! long as the limits are.

use std::time::Duration;

use adda::proto::upload_attachment_request::Piece;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::{Files, describe, nothing_is_kept, pdf, piece};
use crate::world::{Backends, Refusal, World};

/// Uploads as the pieces come.
async fn begin(
    world: &World,
    size: usize,
) -> (
    mpsc::Sender<adda::proto::UploadAttachmentRequest>,
    tokio::task::JoinHandle<Result<adda::proto::Attachment, tonic::Status>>,
) {
    let mut files = Files::of(world, "alice").await;
    let (to, pieces) = mpsc::channel(4);
    to.send(piece(Piece::Description(describe("a.pdf", size)))).await.unwrap();
    let call = tokio::spawn(async move {
        let answer = files.api.upload_attachment(ReceiverStream::new(pieces)).await?;
        Ok(answer.into_inner().attachment.unwrap())
    });
    (to, call)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_gets_on_takes_longer_than_any_call() {
    let world = World::with(Backends::Sqlite, &[]).await.unwrap();
    let bytes = pdf(80_000);
    let (to, call) = begin(&world, bytes.len()).await;
    let began = Instant::now();
    for data in bytes.chunks(10_000) {
        to.send(piece(Piece::Data(data.to_vec()))).await.unwrap();
        sleep(Duration::from_secs(5)).await;
    }
    assert!(began.elapsed() > Duration::from_secs(35));
    drop(to);
    assert_eq!(call.await.unwrap().unwrap().size_bytes, 80_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_stalls_is_ended() {
    let world = World::with(Backends::Sqlite, &[]).await.unwrap();
    let bytes = pdf(3_000_000);
    let (to, call) = begin(&world, bytes.len()).await;
    for data in bytes[..2_000_000].chunks(50_000) {
        to.send(piece(Piece::Data(data.to_vec()))).await.unwrap();
    }
    let ended = timeout(Duration::from_secs(50), call).await.expect("it is ended").unwrap();
    let refused = Refusal::from(ended);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (tonic::Code::DeadlineExceeded, "TIMED_OUT")
    );
    nothing_is_kept(&world).await;
}
