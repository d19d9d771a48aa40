//! Two clocks at once.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Timestamp;

/// A time, to measure with and to tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) at: Instant,
    pub(super) wall: Timestamp,
}

impl Moment {
    pub(super) fn since(self, earlier: Instant) -> Duration {
        self.at.saturating_duration_since(earlier)
    }
}
