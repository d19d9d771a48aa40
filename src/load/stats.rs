//! What is counted while a run lasts: latencies by name, in histograms of microseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

/// Two minutes; what is later counts as that.
const LONGEST: u64 = 120_000_000;
/// So that the threads seldom meet at a lock.
const SHARDS: usize = 16;

/// When counting is on, and the beginning of time in this run.
pub(super) struct Counting {
    epoch: Instant,
    on: AtomicBool,
}

/// How often something happened while counting was on, and how late it was.
pub(super) struct Series {
    counting: Arc<Counting>,
    shards: Vec<Mutex<Histogram<u64>>>,
}

impl Counting {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { epoch: Instant::now(), on: AtomicBool::new(false) })
    }

    /// Counts from now on, or no more.
    pub(super) fn set(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// Nanoseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// The same, of a moment.
    pub(super) fn at(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.epoch);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds that fit")
}

impl Series {
    pub(super) fn new(counting: &Arc<Counting>) -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::new(histogram())).collect();
        Arc::new(Self { counting: Arc::clone(counting), shards })
    }

    /// What was due then happened now, at one of many places.
    pub(super) fn since(&self, place: usize, due: u64) {
        self.took(place, Duration::from_nanos(self.counting.now().saturating_sub(due)));
    }

    /// Something took so long.
    pub(super) fn took(&self, place: usize, latency: Duration) {
        if self.counting.on.load(Ordering::Relaxed) {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST);
            self.shards[place % SHARDS].lock().saturating_record(micros.max(1));
        }
    }

    /// How often so far.
    pub(super) fn count(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// All of it, and the series begins again.
    pub(super) fn take(&self) -> Histogram<u64> {
        let mut all = histogram();
        for shard in &self.shards {
            let mut shard = shard.lock();
            all.add(&*shard).expect("the same bounds");
            shard.reset();
        }
        all
    }
}
