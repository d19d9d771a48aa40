//! Streams on which nothing happens: what does one cost in memory and processor time?

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;

use super::device::Device;
use super::measure::Run;
use super::report::Report;
use super::talk::Receiver;
use super::{LoadError, OPENING};
use crate::config::load::IdleArgs;

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) async fn run(mut run: Run, plan: &IdleArgs) -> Result<Report, LoadError> {
    let opened = run.series("stream opened");
    // The first streams bring what is there once: threads, pools, caches.
    let first = open(&run, 0, plan.streams / 50 + 1).await?;
    let before = run.look();
    run.counting.set(true);
    run.say(&format!("opening {} streams", plan.streams));
    let (door, name, counting) = (&run.door, &run.name, &run.counting);
    let opened = &opened;
    let devices: Vec<_> = stream::iter(0..plan.streams)
        .map(|nth| async move {
            let due = counting.now();
            let device = door.connect(&format!("{name}-i{nth}")).await?;
            opened.since(nth, due);
            Ok::<_, LoadError>(device)
        })
        .buffer_unordered(OPENING)
        .try_collect()
        .await?;
    let opening = run.report("idle", String::new(), &before);
    let readers = read(&run, devices);
    let mut report = run.count("idle", format!("{} streams", plan.streams)).await;
    report.rows = opening.rows;
    let streams = plan.streams as f64;
    if let (Some(opening), Some(idle)) = (opening.server, report.server) {
        let kib = (idle.rss_after_mib - opening.rss_before_mib) * 1024.0;
        report.figure("memory a stream", kib / streams, "KiB");
        report.figure("processor time a stream", idle.cores * 1e6 / streams, "µs a second");
    }
    drop((first, readers));
    Ok(report)
}

/// They read what comes and say that they are there, as any client.
fn read(run: &Run, devices: Vec<Device>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for (nth, device) in devices.into_iter().enumerate() {
        let errors = Arc::clone(&run.errors);
        tasks.spawn(Receiver { nth, device, receipts: false, errors }.run(|_, _| {}));
    }
    tasks
}

async fn open(run: &Run, from: usize, count: usize) -> Result<Vec<Device>, LoadError> {
    let (door, name) = (&run.door, &run.name);
    stream::iter(from..from + count)
        .map(|nth| async move { door.connect(&format!("{name}-f{nth}")).await })
        .buffer_unordered(OPENING)
        .try_collect()
        .await
}
