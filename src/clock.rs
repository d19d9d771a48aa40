//! Time and ids come in from outside, so that tests own them.
//!
//! Nothing else in the house reads the wall clock or draws an id. Timers (how long to wait)
//! are tokio's; the wall clock is only for what is stored or shown.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// Milliseconds since 1970-01-01T00:00:00Z. All times of the service have this grain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time of a UUIDv7; the epoch for any other UUID.
    pub fn of_id(id: Uuid) -> Self {
        let bytes = id.as_bytes();
        let mut wide = [0u8; 8];
        wide[2..].copy_from_slice(&bytes[..6]);
        if id.get_version_num() == 7 { Self(i64::from_be_bytes(wide)) } else { Self(0) }
    }

    /// The least UUIDv7 of this time: everything made from then on compares greater or equal.
    pub fn first_id(self) -> Uuid {
        let millis = u64::try_from(self.0).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
    }

    /// This much later; saturating.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// This much earlier; saturating.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// How long after `earlier`; zero if before it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Where time and ids come from.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// A UUIDv7 of now. Within one process each is greater than the one before.
    fn new_id(&self) -> Uuid;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(millis(since_epoch))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that draws ids")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_knows_its_time() {
        let before = SystemClock.now();
        let id = SystemClock.new_id();
        let after = SystemClock.now();
        assert!(before <= Timestamp::of_id(id) && Timestamp::of_id(id) <= after);
    }

    #[test]
    fn the_first_id_of_a_time_is_below_all_others_of_it() {
        let id = SystemClock.new_id();
        let first = Timestamp::of_id(id).first_id();
        assert!(first <= id);
        assert_eq!(Timestamp::of_id(first), Timestamp::of_id(id));
    }

    #[test]
    fn ids_only_rise() {
        let ids: Vec<_> = (0..10_000).map(|_| SystemClock.new_id()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
