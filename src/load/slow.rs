//! Pairs go on as ever, while some other readers stop reading: what does a stopped one cost,
//! and do the others feel it?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::device::Device;
use super::measure::Run;
use super::process::Usage;
use super::report::{Report, Row};
use super::stats::Series;
use super::talk::Sender;
use super::{LoadError, OPENING, pairs};
use crate::config::load::{Offer, PairsArgs, SlowArgs};

/// How often the server's memory is looked at while readers are stopped.
const LOOK: Duration = Duration::from_millis(100);

pub(super) async fn run(mut run: Run, plan: &SlowArgs) -> Result<Report, LoadError> {
    let offer = Offer { rate: Some(plan.rate), in_flight: 0, text: 64 };
    let others = PairsArgs { pairs: plan.pairs, offer, no_receipts: false, away: false };
    let talking = pairs::start(&mut run, others).await?;
    run.say(&format!("opening {} readers that will stop", plan.stopped));
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for (nth, (chat, sender, reader)) in open(&run, plan.stopped).await?.into_iter().enumerate() {
        tasks.spawn(sender_of(&run, *plan, nth, chat, sender).run());
        tasks.spawn(read(reader, stopped.clone()));
    }
    let shape = format!(
        "{} pairs at {} sends a second, and {} others at {} each",
        plan.pairs, plan.rate, plan.stopped, plan.stopped_rate
    );
    let reading = run.count("slow", String::new()).await;
    stop.send_replace(true);
    run.say("the others stop reading");
    let most = Arc::new(AtomicU64::new(0));
    tasks.spawn(watch_memory(run.pid, Arc::clone(&most)));
    let mut report = run.count("slow", format!("{shape}, who stop reading")).await;
    compare(&mut report, &reading, plan.stopped, most.load(Ordering::Relaxed));
    drop((talking, tasks));
    Ok(report)
}

/// The rows of both halves, and what the second cost more.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn compare(report: &mut Report, reading: &Report, stopped: usize, peak_kib: u64) {
    let p99 =
        |rows: &[Row]| rows.iter().find(|row| row.name == "delivery").map(|row| row.latency.p99_ms);
    if let (Some(before), Some(after)) = (p99(&reading.rows), p99(&report.rows)) {
        report.figure("the others' delivery p99, by", (after / before - 1.0) * 100.0, "%");
    }
    if let Some(before) = reading.server.filter(|_| peak_kib > 0) {
        let more = peak_kib as f64 - before.rss_after_mib * 1024.0;
        report.figure("memory a stopped reader, at most", more / stopped as f64, "KiB");
    }
    let mut rows: Vec<Row> = reading.rows.clone();
    for row in &mut rows {
        row.name = format!("{}, all read", row.name);
    }
    for row in &mut report.rows {
        row.name = format!("{}, some stopped", row.name);
    }
    rows.append(&mut report.rows);
    report.rows = rows;
}

/// Keeps the most memory that the server had.
async fn watch_memory(pid: Option<u32>, most: Arc<AtomicU64>) {
    loop {
        let now = pid.and_then(Usage::of).map_or(0, |usage| usage.rss_kib);
        most.fetch_max(now, Ordering::Relaxed);
        tokio::time::sleep(LOOK).await;
    }
}

fn sender_of(run: &Run, plan: SlowArgs, nth: usize, chat: String, device: Device) -> Sender {
    let rate = Some(plan.stopped_rate * f64::from(u32::try_from(plan.stopped).unwrap_or(u32::MAX)));
    Sender {
        nth,
        of: plan.stopped,
        chats: vec![chat],
        device,
        offer: Offer { rate, in_flight: 0, text: plan.stopped_text },
        counting: Arc::clone(&run.counting),
        errors: Arc::default(),
        // Not told: the figures are those of the others.
        acks: Series::new(&run.counting),
        ticks: None,
    }
}

/// Reads until told to stop, and then holds the stream without reading.
async fn read(mut device: Device, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            frame = device.down.next() => if frame.is_none() { return },
        }
    }
    std::future::pending::<()>().await;
}

async fn open(run: &Run, chats: usize) -> Result<Vec<(String, Device, Device)>, LoadError> {
    let (door, name) = (&run.door, &run.name);
    stream::iter(0..chats)
        .map(|nth| async move {
            let (sender, reader) = (format!("{name}-t{nth}"), format!("{name}-u{nth}"));
            let mut caller = door.caller(&sender).await?;
            let chat = caller.direct(&reader).await?;
            let mut device = caller.connect(Vec::new()).await?;
            device.down.caught_up().await?;
            Ok((chat, device, door.connect(&reader).await?))
        })
        .buffer_unordered(OPENING)
        .try_collect()
        .await
}
