//! What a run came to: a table for people, JSON for machines.

use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::process::Used;

/// Latencies in milliseconds.
#[expect(clippy::struct_field_names, reason = "in JSON a number needs its unit")]
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Half are below.
    pub p50_ms: f64,
    /// 90 % are below.
    pub p90_ms: f64,
    /// 99 % are below.
    pub p99_ms: f64,
    /// 99.9 % are below.
    pub p999_ms: f64,
    /// The worst.
    pub max_ms: f64,
}

/// One thing that happened again and again.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What: `ack`, `delivery`, …
    pub name: String,
    /// How often.
    pub count: u64,
    /// How often a second.
    pub per_second: f64,
    /// How late.
    pub latency: Latency,
}

/// One number.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
}

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its name.
    pub scenario: &'static str,
    /// What was done, in words.
    pub shape: String,
    /// For how long it was counted, in seconds.
    pub seconds: f64,
    /// What happened again and again.
    pub rows: Vec<Row>,
    /// What else was measured.
    pub figures: Vec<Figure>,
    /// What went wrong, and how often, at any time of the run.
    pub errors: BTreeMap<String, u64>,
    /// What the server used; without its process id not known.
    pub server: Option<Used>,
    /// What its backends used together, where their process ids were given.
    pub backends: Option<Used>,
    /// What the generator used.
    pub generator: Option<Used>,
    /// How the server was called.
    pub server_flags: Vec<String>,
    /// How the generator was called.
    pub generator_flags: Vec<String>,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
impl Row {
    pub(super) fn of(name: &str, histogram: &Histogram<u64>, seconds: f64) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Self {
            name: name.to_owned(),
            count: histogram.len(),
            per_second: histogram.len() as f64 / seconds,
            latency: Latency {
                p50_ms: at(0.5),
                p90_ms: at(0.9),
                p99_ms: at(0.99),
                p999_ms: at(0.999),
                max_ms: histogram.max() as f64 / 1000.0,
            },
        }
    }
}

impl Report {
    /// With one number more.
    pub(super) fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.into(), value, unit });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}; {:.1} s", self.scenario, self.shape, self.seconds)?;
        if !self.rows.is_empty() {
            writeln!(
                f,
                "  {:<22}{:>10}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9} ms",
                "", "count", "a second", "p50", "p90", "p99", "p99.9", "max"
            )?;
        }
        for Row { name, count, per_second, latency: at } in &self.rows {
            writeln!(
                f,
                "  {name:<22}{count:>10}{per_second:>10.0}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>9.2}",
                at.p50_ms, at.p90_ms, at.p99_ms, at.p999_ms, at.max_ms
            )?;
        }
        for Figure { name, value, unit } in &self.figures {
            writeln!(f, "  {name:<32}{value:>12.2} {unit}")?;
        }
        for (what, count) in &self.errors {
            writeln!(f, "  ERROR {what}: {count}")?;
        }
        for (who, used, flags) in [
            ("server", self.server, &self.server_flags),
            ("backends", self.backends, &Vec::new()),
            ("generator", self.generator, &self.generator_flags),
        ] {
            match used {
                Some(Used { cores, rss_before_mib, rss_after_mib }) => writeln!(
                    f,
                    "  {who}: {cores:.2} cores, {rss_before_mib:.1} to {rss_after_mib:.1} MiB"
                )?,
                None => writeln!(f, "  {who}: not measured")?,
            }
            if !flags.is_empty() {
                writeln!(f, "    {}", flags.join(" "))?;
            }
        }
        Ok(())
    }
}
