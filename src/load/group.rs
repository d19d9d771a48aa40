//! One group: some send, all members receive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;

use super::device::Device;
use super::measure::Run;
use super::report::Report;
use super::stats::Series;
use super::talk::{Receiver, Sender, due_of};
use super::{LoadError, OPENING};
use crate::config::load::GroupArgs;
use crate::proto::{ChatKind, CreateChatRequest, Message};

pub(super) async fn run(mut run: Run, plan: &GroupArgs) -> Result<Report, LoadError> {
    if plan.members < 2 || plan.senders == 0 || plan.senders > plan.members {
        let why = "--members: at least 2, and no fewer than --senders, of which there is one";
        return Err(LoadError::Asked(why.into()));
    }
    let (chat, mut devices) = open(&run, *plan).await?;
    let acks = run.series("ack");
    let readers = devices.len() - plan.senders;
    let arrivals = Arc::new(Arrivals {
        deliveries: run.series("delivery"),
        to_all: run.series("to the last reader"),
        readers,
        seen: (0..SEEN).map(|_| AtomicUsize::new(0)).collect(),
    });
    let mut tasks = JoinSet::new();
    for (nth, device) in devices.drain(..plan.senders).enumerate() {
        let sender = Sender {
            nth,
            of: plan.senders,
            chats: vec![chat.clone()],
            device,
            offer: plan.offer,
            counting: Arc::clone(&run.counting),
            errors: Arc::clone(&run.errors),
            acks: Arc::clone(&acks),
            ticks: None,
        };
        tasks.spawn(sender.run());
    }
    for (nth, device) in devices.into_iter().enumerate() {
        let errors = Arc::clone(&run.errors);
        let receiver = Receiver { nth, device, receipts: false, errors };
        let arrivals = Arc::clone(&arrivals);
        tasks.spawn(receiver.run(move |nth, message| arrivals.count(nth, message)));
    }
    let offer = match plan.offer.rate {
        Some(rate) => format!("{rate} sends a second offered"),
        None => format!("{} in flight each", plan.offer.in_flight),
    };
    let online = if plan.away { plan.senders } else { plan.members };
    let (members, senders) = (plan.members, plan.senders);
    let shape = format!("{members} members, {online} online, {senders} senders, {offer}");
    let report = run.count("group", shape).await;
    drop(tasks);
    Ok(report)
}

/// More messages than are ever on their way at once.
const SEEN: usize = 1 << 16;

/// Which message has reached how many.
struct Arrivals {
    deliveries: Arc<Series>,
    to_all: Arc<Series>,
    readers: usize,
    /// By seq; a place is used again when everyone has had its message.
    seen: Vec<AtomicUsize>,
}

impl Arrivals {
    fn count(&self, nth: usize, message: &Message) {
        let due = due_of(&message.client_message_id);
        self.deliveries.since(nth, due);
        let seen = &self.seen[message.seq as usize % SEEN];
        if seen.fetch_add(1, Ordering::Relaxed) + 1 == self.readers {
            seen.store(0, Ordering::Relaxed);
            self.to_all.since(nth, due);
        }
    }
}

/// The group, and the streams of its members: senders first.
async fn open(run: &Run, plan: GroupArgs) -> Result<(String, Vec<Device>), LoadError> {
    let name = &run.name;
    let user = |nth: usize| format!("{name}-g{nth}");
    run.say(&format!("making a group of {}", plan.members));
    let group = CreateChatRequest {
        kind: ChatKind::Group.into(),
        member_ids: (1..plan.members).map(user).collect(),
        title: "load".to_owned(),
        client_chat_id: String::new(),
        ..Default::default()
    };
    let chat = run.door.caller(&user(0)).await?.chat(group).await?;
    let online = if plan.away { plan.senders } else { plan.members };
    run.say(&format!("opening {online} streams"));
    let door = &run.door;
    let devices = stream::iter((0..online).map(user))
        .map(|user| async move { door.connect(&user).await })
        .buffered(OPENING)
        .try_collect()
        .await?;
    Ok((chat, devices))
}
