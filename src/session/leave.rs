//! How the streams of a node end that leaves: not all at once, and not to come back at once.
//!
//! Opening a stream costs the nodes that stay far more than keeping one. So a node with many
//! streams lets them go over some seconds, serving each until its turn; and each is told another
//! pause, short enough that nobody waits for long.

use std::sync::OnceLock;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Streams that a node lets go in a second, if it has the time.
const PACE: f64 = 1_000.0;
/// The pauses that clients are told, who take it give or take a half: from this, and how far.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const SPREAD: Duration = Duration::from_millis(1_000);

/// Whether the node leaves, and over how long its streams end.
#[derive(Debug, Default)]
pub(super) struct Leave {
    begun: CancellationToken,
    over: OnceLock<Duration>,
}

impl Leave {
    /// So many streams are to end, within this time.
    pub(super) fn begin(&self, streams: usize, most: Duration) {
        let streams = f64::from(u32::try_from(streams).unwrap_or(u32::MAX));
        let over = Duration::from_secs_f64(streams / PACE).min(most);
        self.over.get_or_init(|| over);
        self.begun.cancel();
    }

    /// Whether it has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Waits until it is the turn of a stream whose chance, from 0 to 1, is this.
    pub(super) async fn turn(&self, chance: f64) {
        self.begun.cancelled().await;
        tokio::time::sleep(self.stay(chance)).await;
    }

    /// How long such a stream stays once it has begun.
    fn stay(&self, chance: f64) -> Duration {
        self.over.get().map_or(Duration::ZERO, |over| over.mul_f64(chance))
    }
}

/// How long a client is told to wait before it comes back. `chance` is from 0 to 1.
pub(super) fn come_back_after(chance: f64) -> Duration {
    SHORTEST_PAUSE + SPREAD.mul_f64(chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stays(streams: usize, most: Duration) -> [Duration; 2] {
        let leave = Leave::default();
        assert!(!leave.has_begun());
        leave.begin(streams, most);
        assert!(leave.has_begun());
        [leave.stay(0.0), leave.stay(1.0)]
    }

    #[test]
    fn many_streams_end_one_after_the_other_but_in_time() {
        let secs = Duration::from_secs;
        assert_eq!(stays(10, secs(5)), [Duration::ZERO, Duration::from_millis(10)]);
        assert_eq!(stays(2_000, secs(5)), [Duration::ZERO, secs(2)]);
        assert_eq!(stays(1_000_000, secs(5)), [Duration::ZERO, secs(5)]);
    }

    #[test]
    fn nobody_waits_longer_than_two_seconds() {
        assert_eq!(come_back_after(0.0), SHORTEST_PAUSE);
        assert!(come_back_after(1.0).mul_f64(1.5) < Duration::from_secs(2));
    }
}
