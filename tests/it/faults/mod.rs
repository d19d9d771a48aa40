//! Faults, made: real nodes, a replica set, Redis and links are harmed by a seed while phones
//! talk; each phone keeps a diary, and a checker that knows the promises reads them all.
//!
//! - `plan`: what is done and when, by the seed alone;
//! - `field`: what it is done to; `phone`, `talk`: who is there, and what they do meanwhile;
//! - `record`, `check`: what was written down, and what in it breaks a promise;
//! - `run`: one run of all that; `mutants`: bugs on purpose, each of which it must find.
//!
//! `ADDA_FAULTS_SEED`, `ADDA_FAULTS_SECONDS` and `ADDA_FAULTS_FLAGS` (short, default, both) say
//! which runs; `make faults` sets them, and `make test` a seed.

use std::collections::BTreeMap;
use std::time::Duration;

mod check;
mod field;
#[cfg(mutants)]
mod mutants;
mod phone;
mod plan;
mod record;
mod run;
mod talk;

use field::Ground;
use phone::Pauses;
use plan::Shape;
use record::Limits;
use run::{Orders, Report};

/// How long harm is done in `make test`.
const SHORT_RUN: u64 = 90;
/// What a run takes beside that, at most.
const GRACE: Duration = Duration::from_secs(300);

/// What may be asked of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flags {
    /// Times made short, so that much happens in three minutes.
    Short,
    /// As the program comes.
    Default,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str) -> Option<u64> {
    variable(name).map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A run on MongoDB and Redis, or on SQLite.
fn orders(seed: u64, servers: bool, flags: Flags, harm: Duration) -> Orders {
    let nodes = if servers { 2 + usize::try_from(seed % 2).unwrap_or(0) } else { 1 };
    let short = flags == Flags::Short;
    #[rustfmt::skip]
    let short_flags = vec![
        "--heartbeat", "2s", "--heartbeat-timeout", "6s", "--presence-lease", "6s",
        "--presence-grace", "1s", "--drain-timeout", "5s",
    ];
    let (silent, node_died) = if short { (6, 15) } else { (90, 60) };
    let limits = Limits {
        healed: seconds(30),
        half_open: seconds(silent + 30),
        answer: seconds(silent + 45),
        node_died: seconds(node_died),
        silent_link: seconds(silent + 10),
        moved: seconds(if short { 10 } else { 15 }),
    };
    let shape = Shape {
        nodes,
        nets: 2,
        phones: 9,
        servers,
        long: Some(limits.silent_link.max(limits.node_died) + seconds(3)),
        short: seconds(if short { 4 } else { 20 }),
        only: &[],
    };
    let pauses = if short {
        Pauses { first: Duration::from_millis(300), longest: seconds(4), anew: seconds(4) }
    } else {
        Pauses { first: seconds(1), longest: seconds(60), anew: seconds(60) }
    };
    let flags = if short { short_flags } else { Vec::new() };
    let ground = Ground { nodes, nets: 2, servers, flags, variables: Vec::new() };
    Orders { seed, ground, shape, limits, pauses, harm }
}

/// Runs within its time; `None`: skipped.
async fn within_its_time(orders: Orders) -> Option<Report> {
    let bound = orders.harm + GRACE;
    tokio::time::timeout(bound, run::run(orders)).await.expect("a run ends in its time")
}

/// Runs one after the other, each with the next seed, until the time asked for is over.
async fn asked_for(servers: bool) {
    let seed = number("ADDA_FAULTS_SEED").unwrap_or_else(rand::random::<u64>) % 1_000_000;
    let harm = number("ADDA_FAULTS_SECONDS").unwrap_or(SHORT_RUN);
    let flags = variable("ADDA_FAULTS_FLAGS").unwrap_or_else(|| "short".to_owned());
    let flags = match flags.as_str() {
        "short" => vec![Flags::Short],
        "default" => vec![Flags::Default],
        "both" => vec![Flags::Short, Flags::Default],
        other => panic!("ADDA_FAULTS_FLAGS is short, default or both, not {other}"),
    };
    for flags in flags {
        let (mut left, mut at, mut sum) = (harm, seed, Sum::default());
        while left > 0 {
            let harm = left.min(if flags == Flags::Short { 300 } else { 900 });
            let orders = orders(at, servers, flags, seconds(harm));
            let Some(report) = within_its_time(orders).await else { return };
            eprintln!("{}", report.text);
            assert!(
                report.violations.is_empty(),
                "promises were broken; to do it again: ADDA_FAULTS_SEED={at}\n{}",
                report.text
            );
            sum.add(report);
            (left, at) = (left - harm, at + 1);
        }
        eprintln!("{sum}");
    }
}

/// What runs come to.
#[derive(Default)]
struct Sum {
    runs: usize,
    messages: usize,
    faults: BTreeMap<&'static str, usize>,
}

impl Sum {
    fn add(&mut self, report: Report) {
        self.runs += 1;
        self.messages += report.messages;
        for (fault, count) in report.faults {
            *self.faults.entry(fault).or_default() += count;
        }
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (runs, messages) = (self.runs, self.messages);
        let faults: usize = self.faults.values().sum();
        writeln!(f, "{runs} runs, {messages} messages, {faults} faults, 0 violations")?;
        self.faults.iter().try_for_each(|(fault, count)| writeln!(f, "  {count:>4} × {fault}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promises_hold_while_servers_fail() {
    asked_for(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promises_hold_while_one_node_on_sqlite_fails() {
    asked_for(false).await;
}
