//! What waits for the network: one bounded queue a stream, between the session's task, which
//! fills it, and the connection, which drains it in as few writes as it can.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::chat::limits::{OUTBOX_BYTES, OUTBOX_FRAMES};
use crate::metrics::{self, Dropped};
use crate::wire::EncodedFrame;

/// A replay waits while more frames than this wait for the network, or more bytes.
const ROOM: usize = 128;
/// Leaves three quarters to what happens meanwhile.
const ROOM_BYTES: usize = OUTBOX_BYTES / 4;

/// What a frame may do when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Gives way: typing, presence.
    Light,
    /// Must be told, or the stream ends.
    Must,
    /// Ends the stream: has room always.
    Last,
}

/// There was no room for what must be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

#[derive(Default)]
struct Queue {
    frames: VecDeque<(EncodedFrame, Weight)>,
    bytes: usize,
    /// Nothing comes after what is in the queue.
    finished: bool,
    /// Frames that the connection has taken since it last found none.
    taken: usize,
    waker: Option<Waker>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// The connection has taken frames.
    drained: Notify,
    /// The connection is gone.
    gone: tokio_util::sync::CancellationToken,
}

/// The end that the session's task holds.
pub(super) struct Outbox(Arc<Shared>);

/// The end that the connection holds: the frames of one stream.
pub struct Frames(Arc<Shared>);

/// A queue and its two ends.
pub(super) fn outbox() -> (Outbox, Frames) {
    let shared = Arc::new(Shared {
        queue: Mutex::default(),
        drained: Notify::new(),
        gone: tokio_util::sync::CancellationToken::new(),
    });
    (Outbox(Arc::clone(&shared)), Frames(shared))
}

impl Outbox {
    /// Puts a frame at the end. Where there is no room, light ones go: this one, or those that
    /// wait.
    pub(super) fn push(&self, frame: EncodedFrame, weight: Weight) -> Result<(), Overflow> {
        let mut queue = self.0.queue.lock();
        let size = frame.size();
        if weight != Weight::Last && !queue.has_room(size) {
            if weight == Weight::Light {
                metrics::events_dropped().of(Dropped::Outbox).inc();
                return Ok(());
            }
            queue.drop_light();
            if !queue.has_room(size) {
                return Err(Overflow);
            }
        }
        queue.bytes += size;
        queue.frames.push_back((frame, weight));
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Nothing comes after what waits.
    pub(super) fn finish(&self) {
        let mut queue = self.0.queue.lock();
        queue.finished = true;
        if let Some(waker) = queue.waker.take() {
            waker.wake();
        }
    }

    /// Lets go of what waits: a reader that has stopped will not take it.
    pub(super) fn abandon(&self) {
        let mut queue = self.0.queue.lock();
        queue.frames = VecDeque::new();
        queue.bytes = 0;
        queue.finished = true;
        if let Some(waker) = queue.waker.take() {
            waker.wake();
        }
    }

    /// Waits until a replay may go on.
    pub(super) async fn room(&self) {
        loop {
            let drained = self.0.drained.notified();
            if self.0.queue.lock().has_room_for_replay() {
                return;
            }
            drained.await;
        }
    }

    /// Waits until the connection has taken everything.
    pub(super) async fn empty(&self) {
        loop {
            let drained = self.0.drained.notified();
            if self.0.queue.lock().frames.is_empty() {
                return;
            }
            drained.await;
        }
    }

    /// Waits until the connection is gone.
    pub(super) fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.gone.clone().cancelled_owned()
    }
}

impl Queue {
    fn has_room(&self, size: usize) -> bool {
        self.frames.len() < OUTBOX_FRAMES && self.bytes + size <= OUTBOX_BYTES
    }

    fn has_room_for_replay(&self) -> bool {
        self.frames.len() < ROOM && self.bytes < ROOM_BYTES
    }

    fn drop_light(&mut self) {
        let before = self.frames.len();
        self.frames.retain(|(_, weight)| *weight != Weight::Light);
        let dropped = (before - self.frames.len()) as u64;
        metrics::events_dropped().of(Dropped::Outbox).add(dropped);
        self.bytes = self.frames.iter().map(|(frame, _)| frame.size()).sum();
    }
}

impl Stream for Frames {
    type Item = Result<EncodedFrame, tonic::Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut queue = self.0.queue.lock();
        if queue.taken == 0 && !queue.frames.is_empty() {
            metrics::outbox_frames().size(queue.frames.len());
        }
        if let Some((frame, _)) = queue.frames.pop_front() {
            queue.taken += 1;
            queue.bytes -= frame.size();
            let room = queue.has_room_for_replay();
            drop(queue);
            if room {
                self.0.drained.notify_waiters();
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        metrics::frames().add(std::mem::take(&mut queue.taken) as u64);
        if queue.finished {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.0.gone.cancel();
        self.0.drained.notify_waiters();
    }
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frames({} waiting)", self.0.queue.lock().frames.len())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;
    use crate::proto;

    fn frame() -> EncodedFrame {
        let close = proto::Close { message: "x".repeat(1000), ..proto::Close::default() };
        EncodedFrame::of(proto::server_frame::Frame::Close(close))
    }

    #[test]
    fn a_full_queue_drops_what_is_light_and_then_says_so() {
        let (outbox, frames) = outbox();
        let fits = OUTBOX_BYTES / frame().size();
        for _ in 0..fits - 1 {
            outbox.push(frame(), Weight::Must).unwrap();
        }
        outbox.push(frame(), Weight::Light).unwrap();
        outbox.push(frame(), Weight::Light).unwrap();
        outbox.push(frame(), Weight::Must).unwrap();
        assert_eq!(outbox.push(frame(), Weight::Must), Err(Overflow));
        outbox.push(frame(), Weight::Last).unwrap();
        assert_eq!(frames.0.queue.lock().frames.len(), fits + 1);
    }

    #[tokio::test]
    async fn what_waits_is_taken_before_the_end() {
        let (outbox, frames) = outbox();
        outbox.push(frame(), Weight::Must).unwrap();
        outbox.push(frame(), Weight::Last).unwrap();
        outbox.finish();
        assert_eq!(frames.count().await, 2);
        outbox.gone().await;
    }

    async fn waits_after(frame: EncodedFrame, count: usize) {
        let (outbox, mut frames) = outbox();
        for _ in 0..count {
            outbox.room().await;
            outbox.push(frame.clone(), Weight::Must).unwrap();
        }
        let mut room = std::pin::pin!(outbox.room());
        assert!(futures_util::poll!(&mut room).is_pending());
        assert!(frames.next().await.is_some());
        room.await;
    }

    #[tokio::test]
    async fn a_replay_waits_for_room_of_either_sort() {
        let small = EncodedFrame::of(proto::server_frame::Frame::CaughtUp(proto::CaughtUp {}));
        waits_after(small, ROOM).await;
        waits_after(frame(), ROOM_BYTES.div_ceil(frame().size())).await;
    }
}
