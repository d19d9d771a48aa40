//! The frame of every scenario: warm up, count, tell, report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::device::Door;
use super::process::{Usage, called, masked};
use super::report::{Report, Row};
use super::stats::{Counting, Series};
use crate::config::load::LoadArgs;

/// One run.
pub(super) struct Run {
    pub(super) door: Arc<Door>,
    pub(super) counting: Arc<Counting>,
    /// What went wrong, and how often.
    pub(super) errors: Arc<Errors>,
    /// Begins the names of all users.
    pub(super) name: String,
    pub(super) pid: Option<u32>,
    backends: Vec<u32>,
    warmup: Duration,
    pub(super) time: Duration,
    progress: fn(&str),
    series: Vec<(String, Arc<Series>)>,
}

/// What went wrong, by its reason.
#[derive(Default)]
pub(super) struct Errors(Mutex<BTreeMap<String, u64>>);

impl Errors {
    pub(super) fn count(&self, what: impl Into<String>) {
        *self.0.lock().entry(what.into()).or_default() += 1;
    }
}

/// What was used between two looks.
pub(super) struct Look {
    at: Instant,
    server: Option<Usage>,
    backends: Option<Usage>,
    generator: Option<Usage>,
}

impl Run {
    pub(super) fn new(args: &LoadArgs, door: Door, progress: fn(&str)) -> Self {
        Self {
            door: Arc::new(door),
            counting: Counting::new(),
            errors: Arc::default(),
            name: args.name.clone(),
            pid: args.pid,
            backends: args.backends.clone(),
            warmup: args.warmup,
            time: args.time,
            progress,
            series: Vec::new(),
        }
    }

    /// Something to be counted, told by this name.
    pub(super) fn series(&mut self, name: &str) -> Arc<Series> {
        let series = Series::new(&self.counting);
        self.series.push((name.to_owned(), Arc::clone(&series)));
        series
    }

    /// A line for whoever watches.
    pub(super) fn say(&self, line: &str) {
        (self.progress)(line);
    }

    pub(super) fn look(&self) -> Look {
        Look {
            at: Instant::now(),
            server: self.pid.and_then(Usage::of),
            backends: self.backends.iter().filter_map(|pid| Usage::of(*pid)).reduce(Usage::and),
            generator: Usage::of(std::process::id()),
        }
    }

    /// Warms up, counts, and reports all series so far.
    pub(super) async fn count(&self, scenario: &'static str, shape: String) -> Report {
        self.say("warming up");
        tokio::time::sleep(self.warmup).await;
        let before = self.look();
        self.counting.set(true);
        while before.at.elapsed() < self.time {
            tokio::time::sleep(Duration::from_secs(1).min(self.time)).await;
            let counts: Vec<_> = self
                .series
                .iter()
                .map(|(name, series)| format!("{} {name}", series.count()))
                .collect();
            self.say(&format!(
                "{:>4.0} s  {}",
                before.at.elapsed().as_secs_f64(),
                counts.join("  ")
            ));
        }
        self.counting.set(false);
        self.report(scenario, shape, &before)
    }

    /// What the series came to since that look; they begin again.
    pub(super) fn report(&self, scenario: &'static str, shape: String, before: &Look) -> Report {
        let after = self.look();
        let seconds = (after.at - before.at).as_secs_f64();
        let rows = self
            .series
            .iter()
            .map(|(name, series)| Row::of(name, &series.take(), seconds))
            .filter(|row| row.count > 0)
            .collect();
        let used = |before: Option<Usage>, after: Option<Usage>| {
            before.zip(after).map(|(before, after)| before.until(after, seconds))
        };
        Report {
            scenario,
            shape,
            seconds,
            rows,
            figures: Vec::new(),
            errors: self.errors.0.lock().clone(),
            server: used(before.server, after.server),
            backends: used(before.backends, after.backends),
            generator: used(before.generator, after.generator),
            server_flags: self.pid.map(called).unwrap_or_default(),
            generator_flags: masked(&std::env::args().skip(1).collect::<Vec<_>>()),
        }
    }
}
