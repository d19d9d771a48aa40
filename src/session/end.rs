//! The end of a stream, and how it is counted.

use crate::metrics::{self, Ending, Queue};
use crate::proto::CloseReason;

/// Why a stream ends.
#[derive(Debug)]
pub(super) enum End {
    /// With a last frame.
    Close(CloseReason, &'static str),
    /// The client has ended its side: what is under way is answered.
    Finished,
    /// The connection is gone.
    Gone,
    /// With a last frame: serving it panicked.
    Panicked,
}

impl End {
    /// Which reason it counts for.
    pub(super) fn counted(&self) -> Ending {
        match self {
            Self::Close(reason, _) => Ending::closed(*reason),
            Self::Finished => Ending::FINISHED,
            Self::Gone => Ending::GONE,
            Self::Panicked => Ending::closed(CloseReason::Internal),
        }
    }
}

/// The client reads too slowly.
pub(super) fn slow(full: Queue) -> End {
    metrics::overflows().of(full).inc();
    End::Close(CloseReason::SlowConsumer, "the client reads too slowly")
}
