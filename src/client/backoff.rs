//! How long to wait before coming back after a cut: 1 s, doubled each time up to 60 s, drawn at
//! random from the upper half, begun anew once a stream has lived for 60 s.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// A stream that lived so long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(60);

/// What the next pause is drawn from.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The next pause. `chance` is drawn from 0 to 1.
    pub(super) fn pause(&mut self, chance: f64) -> Duration {
        let most = self.next;
        self.next = (most * 2).min(LONGEST);
        most.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// A stream has ended that lived this long.
    pub(super) fn lived(&mut self, how_long: Duration) {
        if how_long >= GOOD_AFTER {
            *self = Self::default();
        }
    }
}

/// A pause that the server named, give or take a half.
pub(super) fn about(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(0.5 + chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_a_minute_within_the_upper_half() {
        let (mut low, mut high) = (Backoff::default(), Backoff::default());
        for most in [1, 2, 4, 8, 16, 32, 60, 60, 60].map(Duration::from_secs) {
            assert_eq!(high.pause(1.0), most);
            assert_eq!(low.pause(0.0), most / 2);
        }
    }

    #[test]
    fn begins_anew_after_a_stream_that_lived_for_a_minute() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.pause(1.0);
        }
        backoff.lived(Duration::from_secs(59));
        assert_eq!(backoff.pause(1.0), Duration::from_secs(32));
        backoff.lived(Duration::from_secs(60));
        assert_eq!(backoff.pause(1.0), Duration::from_secs(1));
    }

    #[test]
    fn a_named_pause_is_taken_give_or_take_a_half() {
        let pause = Duration::from_secs(4);
        assert_eq!(about(pause, 0.0), Duration::from_secs(2));
        assert_eq!(about(pause, 1.0), Duration::from_secs(6));
    }
}
