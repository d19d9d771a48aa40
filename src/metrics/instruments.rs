//! What counts and measures: atomics that anything may write to at any time without waiting.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::labels::Labels;

/// How a duration is counted in a histogram.
const NANOSECOND: f64 = 1e-9;

/// Something that can be declared and read.
pub trait Instrument {
    /// How its values are to be taken.
    const KIND: MetricType;
    /// What tells its series apart; none: it is one series.
    const KEYS: &'static [&'static str] = &[];

    /// Whether nothing was recorded yet.
    fn is_idle(&self) -> bool;

    /// Writes what is recorded.
    fn encode(&self, encoder: MetricEncoder) -> fmt::Result;
}

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }
}

impl Instrument for Counter {
    const KIND: MetricType = MetricType::Counter;

    fn is_idle(&self) -> bool {
        self.0.load(Relaxed) == 0
    }

    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_counter::<NoLabelSet, _, f64>(&self.0.load(Relaxed), None)
    }
}

/// A number that only rises, counted by somebody else and read now and then.
#[derive(Debug, Default)]
pub struct Meter(AtomicU64);

impl Meter {
    /// What it stands at.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }
}

impl Instrument for Meter {
    const KIND: MetricType = MetricType::Counter;

    fn is_idle(&self) -> bool {
        self.0.load(Relaxed) == 0
    }

    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let value = f64::from_bits(self.0.load(Relaxed));
        encoder.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// One that stands at this.
    pub fn at(value: i64) -> Self {
        Self(AtomicI64::new(value))
    }

    /// What it stands at.
    pub fn set(&self, value: u64) {
        self.0.store(i64::try_from(value).unwrap_or(i64::MAX), Relaxed);
    }

    /// Counts one more until the answer is dropped.
    pub fn enter(&'static self) -> Entered {
        self.0.fetch_add(1, Relaxed);
        Entered(self)
    }
}

impl Instrument for Gauge {
    const KIND: MetricType = MetricType::Gauge;

    fn is_idle(&self) -> bool {
        self.0.load(Relaxed) == 0
    }

    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_gauge(&self.0.load(Relaxed))
    }
}

/// Counts in a [`Gauge`] for as long as it lives, also through a panic.
#[derive(Debug)]
pub struct Entered(&'static Gauge);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// How often what was recorded was up to which bound.
#[derive(Debug)]
pub struct Histogram {
    /// Upper bounds, rising; what is above the last is counted by the last of `counts`.
    bounds: &'static [u64],
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// What one is, in the unit it is told in.
    scale: f64,
}

impl Histogram {
    /// Of durations, told in seconds.
    pub fn times() -> Self {
        const MICROS: u64 = 1_000;
        const MILLIS: u64 = 1_000_000;
        // From what memory takes to what a client waits for.
        const BOUNDS: [u64; 16] = [
            100 * MICROS,
            250 * MICROS,
            500 * MICROS,
            MILLIS,
            2_500 * MICROS,
            5 * MILLIS,
            10 * MILLIS,
            25 * MILLIS,
            50 * MILLIS,
            100 * MILLIS,
            250 * MILLIS,
            500 * MILLIS,
            1_000 * MILLIS,
            2_500 * MILLIS,
            5_000 * MILLIS,
            10_000 * MILLIS,
        ];
        Self::new(&BOUNDS, NANOSECOND)
    }

    /// Of long durations, told in seconds.
    pub fn long_times() -> Self {
        const SECOND: u64 = 1_000_000_000;
        const BOUNDS: [u64; 8] = [
            SECOND,
            3 * SECOND,
            5 * SECOND,
            10 * SECOND,
            30 * SECOND,
            60 * SECOND,
            300 * SECOND,
            1_800 * SECOND,
        ];
        Self::new(&BOUNDS, NANOSECOND)
    }

    /// Of numbers of things.
    pub fn sizes() -> Self {
        const BOUNDS: [u64; 12] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048];
        Self::new(&BOUNDS, 1.0)
    }

    fn new(bounds: &'static [u64], scale: f64) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0), scale }
    }

    /// Something took so long.
    pub fn took(&self, time: Duration) {
        self.record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// There were so many.
    pub fn size(&self, count: usize) {
        self.record(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn record(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.counts[at].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }
}

impl Instrument for Histogram {
    const KIND: MetricType = MetricType::Histogram;

    fn is_idle(&self) -> bool {
        self.counts.iter().all(|count| count.load(Relaxed) == 0)
    }

    #[expect(clippy::cast_precision_loss, reason = "figures are told as floating point")]
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let bounds = self.bounds.iter().map(|bound| *bound as f64 * self.scale);
        let counts = self.counts.iter().map(|count| count.load(Relaxed));
        let buckets: Vec<(f64, u64)> =
            bounds.chain(std::iter::once(f64::INFINITY)).zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.sum.load(Relaxed) as f64 * self.scale;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

/// One instrument for each value of a label, all made at the start.
#[derive(Debug)]
pub struct By<L, I> {
    cells: Box<[I]>,
    labels: PhantomData<fn(L)>,
}

impl<L: Labels, I> By<L, I> {
    /// One of these for each.
    pub fn new(make: impl Fn() -> I) -> Self {
        Self { cells: (0..L::COUNT).map(|_| make()).collect(), labels: PhantomData }
    }

    /// That of this value.
    pub fn of(&self, labels: L) -> &I {
        &self.cells[labels.index()]
    }
}

impl<L: Labels, I: Instrument> Instrument for By<L, I> {
    const KIND: MetricType = I::KIND;
    const KEYS: &'static [&'static str] = L::KEYS;

    fn is_idle(&self) -> bool {
        self.cells.iter().all(Instrument::is_idle)
    }

    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        for (index, cell) in self.cells.iter().enumerate() {
            // Most pairs of labels never happen.
            if L::KEYS.len() > 1 && cell.is_idle() {
                continue;
            }
            let values = L::values(index);
            let labels: Vec<(&str, &str)> = L::KEYS.iter().copied().zip(values).collect();
            cell.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
