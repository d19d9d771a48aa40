//! Direct chats: one side sends, the other receives and, unless told not to, acknowledges.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;

use super::device::{Device, Door};
use super::measure::Run;
use super::report::Report;
use super::talk::{Receiver, Sender, due_of};
use super::{LoadError, OPENING};
use crate::config::load::{Offer, PairsArgs};

/// A chat, its sender, and its receiver unless that one is away.
type Pair = (String, Device, Option<Device>);

pub(super) async fn run(mut run: Run, plan: &PairsArgs) -> Result<Report, LoadError> {
    let talking = start(&mut run, *plan).await?;
    let offer = match plan.offer.rate {
        Some(rate) => format!("{rate} sends a second offered"),
        None => format!("{} in flight each", plan.offer.in_flight),
    };
    let receivers = match (plan.away, plan.no_receipts) {
        (true, _) => "receivers away",
        (false, true) => "without receipts",
        (false, false) => "with receipts",
    };
    let report = run.count("pairs", format!("{} chats, {offer}, {receivers}", plan.pairs)).await;
    drop(talking);
    Ok(report)
}

/// Opens the streams and begins to talk, until what it answers is dropped.
pub(super) async fn start(run: &mut Run, plan: PairsArgs) -> Result<JoinSet<()>, LoadError> {
    run.say(&format!("opening {} pairs", plan.pairs));
    let acks = run.series("ack");
    let deliveries = run.series("delivery");
    let receipts = !plan.no_receipts && !plan.away;
    let ticks = receipts.then(|| run.series("read tick"));
    let pairs = open(&run.door, &run.name, plan.pairs, !plan.away).await?;
    let mut tasks = JoinSet::new();
    for (nth, (chat, sender, receiver)) in pairs.into_iter().enumerate() {
        let sender = Sender {
            nth,
            of: plan.pairs,
            chats: vec![chat],
            device: sender,
            offer: Offer { ..plan.offer },
            counting: Arc::clone(&run.counting),
            errors: Arc::clone(&run.errors),
            acks: Arc::clone(&acks),
            ticks: ticks.clone(),
        };
        tasks.spawn(sender.run());
        if let Some(device) = receiver {
            let receiver = Receiver { nth, device, receipts, errors: Arc::clone(&run.errors) };
            let deliveries = Arc::clone(&deliveries);
            tasks.spawn(receiver.run(move |nth, message| {
                deliveries.since(nth, due_of(&message.client_message_id));
            }));
        }
    }
    Ok(tasks)
}

async fn open(
    door: &Arc<Door>,
    name: &str,
    pairs: usize,
    receivers: bool,
) -> Result<Vec<Pair>, LoadError> {
    stream::iter(0..pairs)
        .map(|nth| async move {
            let (a, b) = (format!("{name}-a{nth}"), format!("{name}-b{nth}"));
            let mut caller = door.caller(&a).await?;
            let chat = caller.direct(&b).await?;
            let mut sender = caller.connect(Vec::new()).await?;
            sender.down.caught_up().await?;
            let receiver = if receivers { Some(door.connect(&b).await?) } else { None };
            Ok((chat, sender, receiver))
        })
        .buffer_unordered(OPENING)
        .try_collect()
        .await
}
