//! A load generator: real streams, an open loop, and figures that do not flatter.
//!
//! A send has its due time, and its latency counts from then: a server that stalls cannot make
//! the generator wait with it and so hide the stall (coordinated omission, as Gil Tene named
//! it). The generator knows the contract and nothing of the server's inside, but for [`fill`]
//! and [`limits`], which ask a store and a bus directly.

use std::time::Duration;

mod bare;
mod calls;
mod device;
mod fill;
mod group;
mod history;
mod idle;
mod inbox;
mod limits;
mod measure;
mod pairs;
mod process;
mod push;
mod report;
mod slow;
mod stats;
mod storm;
mod talk;

pub use report::Report;

use crate::config::load::{LoadArgs, Scenario};
use device::Door;
use measure::Run;

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Something that cannot be done as asked.
    #[error("{0}")]
    Asked(String),
    /// A server cannot be reached.
    #[error("cannot reach {0}: {1}")]
    Connect(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// A call failed that the run cannot do without.
    #[error("{0}: {1}")]
    Call(&'static str, Box<tonic::Status>),
    /// A stream did not begin as it must, or ended too early.
    #[error("a stream did not begin with Ready and CaughtUp")]
    NotReady,
    /// The store or the bus failed.
    #[error("{0}: {1}")]
    Backend(&'static str, String),
}

/// So many connections are opened at once.
const OPENING: usize = 64;
/// So long a token is good.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Runs what was asked for, tells its progress in lines, and what it came to.
pub async fn run(args: &LoadArgs, progress: fn(&str)) -> Result<Report, LoadError> {
    let door = Door::open(args)?;
    let run = Run::new(args, door, progress);
    match &args.scenario {
        Scenario::Pairs(plan) => pairs::run(run, plan).await,
        Scenario::Group(plan) => group::run(run, plan).await,
        Scenario::Idle(plan) => idle::run(run, plan).await,
        Scenario::Inbox(plan) => inbox::run(run, plan).await,
        Scenario::History(plan) => history::run(run, plan).await,
        Scenario::Storm(plan) => storm::run(run, plan).await,
        Scenario::Slow(plan) => slow::run(run, plan).await,
        Scenario::Push(plan) => push::run(run, plan).await,
        Scenario::Calls(plan) => calls::run(run, plan).await,
        Scenario::Fill(plan) => fill::run(run, plan).await,
        Scenario::Limits(plan) => limits::run(run, plan).await,
    }
}
