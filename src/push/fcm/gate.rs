//! The pause the push service asks for: nobody sends before it is over.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// What comes back is spread over this much more of the pause, so that not all comes at once.
const SPREAD: f64 = 0.25;

/// Open, or closed until then.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Option<Instant>>);

impl Gate {
    /// Closes for so long, if it is not closed for longer.
    pub(super) fn close(&self, pause: Duration) {
        self.close_at(Instant::now(), pause);
    }

    fn close_at(&self, now: Instant, pause: Duration) {
        let until = now + pause;
        let mut closed = self.0.lock();
        *closed = (*closed).max(Some(until));
    }

    /// When to come again, each at another time; `None`: it is open.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.wait_at(Instant::now())
    }

    fn wait_at(&self, now: Instant) -> Option<Duration> {
        let until = (*self.0.lock())?;
        let left = until.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some(spread(left, rand::random()))
    }
}

/// `chance` is from 0 to 1.
fn spread(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(1.0 + SPREAD * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_closed_as_long_as_the_longest_pause() {
        let (gate, now) = (Gate::default(), Instant::now());
        assert_eq!(gate.wait_at(now), None);
        gate.close_at(now, Duration::from_secs(60));
        gate.close_at(now, Duration::from_secs(1));
        let wait = gate.wait_at(now + Duration::from_secs(50)).unwrap();
        assert!(wait >= Duration::from_secs(10) && wait <= Duration::from_millis(12_500));
        assert_eq!(gate.wait_at(now + Duration::from_secs(60)), None);
    }
}
