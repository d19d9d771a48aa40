//! The pause the push service asks for: nobody sends before it is over.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What comes back is spread over this much more of the pause, so that not all comes at once.
const SPREAD: f64 = 0.25;
/// A pause that ends no later than this after the one that is known is no news: all that was under
/// way is told the same.
const SAME: Duration = Duration::from_secs(1);
/// No pause is longer, whoever asks: messages are given up after an hour.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

/// Open, or closed until then.
#[derive(Debug, Default)]
pub(super) struct Gate {
    until: Mutex<Option<Instant>>,
    /// The push service has asked for a pause that is news.
    asked: Notify,
}

impl Gate {
    /// The push service asks for a pause. It closes for so long, if it is not closed for longer.
    pub(super) fn asked_to_close(&self, pause: Duration) {
        let now = Instant::now();
        let before = self.left_at(now);
        self.close_at(now, pause);
        if self.left_at(now) > before + SAME {
            self.asked.notify_one();
        }
    }

    /// Another was asked. It closes likewise.
    pub(super) fn close(&self, pause: Duration) {
        self.close_at(Instant::now(), pause);
    }

    fn close_at(&self, now: Instant, pause: Duration) {
        let until = now + pause.min(LONGEST);
        let mut closed = self.until.lock();
        *closed = (*closed).max(Some(until));
    }

    /// Waits for a pause that the push service asks for, and that is news.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// How long it is still closed.
    pub(super) fn left(&self) -> Duration {
        self.left_at(Instant::now())
    }

    fn left_at(&self, now: Instant) -> Duration {
        let until = *self.until.lock();
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// When to come again, each at another time; `None`: it is open.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.wait_at(Instant::now())
    }

    fn wait_at(&self, now: Instant) -> Option<Duration> {
        let left = self.left_at(now);
        (!left.is_zero()).then(|| spread(left, rand::random()))
    }
}

/// `chance` is from 0 to 1.
fn spread(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(1.0 + SPREAD * chance)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

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
        gate.close_at(now, Duration::from_secs(1 << 40));
        assert_eq!(gate.left_at(now), LONGEST);
    }

    #[test]
    fn what_is_asked_for_again_is_no_news_and_neither_is_what_another_was_asked() {
        let gate = Gate::default();
        let news = || gate.asked().now_or_never().is_some();
        gate.close(Duration::from_secs(60));
        gate.asked_to_close(Duration::from_secs(60));
        assert!(!news());
        gate.asked_to_close(Duration::from_secs(90));
        assert!(news() && !news());
    }
}
