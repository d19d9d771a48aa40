//! The bounded way from a call to a thread, and back.
//!
//! Full is [`StoreError::Busy`] and nothing was done; closed is [`StoreError::Unavailable`].

use std::sync::mpsc::{SyncSender, TrySendError};

use parking_lot::RwLock;
use tokio::sync::oneshot;

use super::PATIENCE;
use crate::store::{Result, StoreError};

/// The near end of a queue: never waits.
pub(super) struct Queue<J>(RwLock<Option<SyncSender<J>>>);

impl<J> Queue<J> {
    pub(super) fn new(sender: SyncSender<J>) -> Self {
        Self(RwLock::new(Some(sender)))
    }

    /// Puts a job behind those that were put there before.
    pub(super) fn push(&self, job: J) -> Result<()> {
        match &*self.0.read() {
            None => Err(closed()),
            Some(sender) => sender.try_send(job).map_err(|error| match error {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => closed(),
            }),
        }
    }

    /// Takes no more jobs. The far end does what is waiting and then sees the end.
    pub(super) fn close(&self) {
        self.0.write().take();
    }
}

/// Where the outcome of a job comes in; the error if the job could not be put into the queue.
pub(super) type Outcome<T, E> = Result<oneshot::Receiver<Result<T, E>>, StoreError>;

/// Waits for the outcome of a job, but not for ever.
pub(super) async fn outcome<T, E: From<StoreError>>(outcome: Outcome<T, E>) -> Result<T, E> {
    match tokio::time::timeout(PATIENCE, outcome?).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_gone)) => Err(closed().into()),
        Err(_late) => Err(StoreError::Unavailable("no answer in time".into()).into()),
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}
