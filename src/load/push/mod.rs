//! Pushes: a few send to many users who are away, each with a phone, and what is pushed to those
//! phones arrives here.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;

use super::device::Caller;
use super::measure::Run;
use super::report::Report;
use super::talk::Sender;
use super::{LoadError, OPENING};
use crate::config::load::PushArgs;
use crate::proto;
use crate::proto::notification_service_client::NotificationServiceClient;

mod fake;

/// Chats of one sender: half of what a user may have.
const CHATS: usize = 1_000;

pub(super) async fn run(mut run: Run, plan: &PushArgs) -> Result<Report, LoadError> {
    let acks = run.series("ack");
    let pushes = run.series("push");
    let _fcm = fake::open(*plan, Arc::clone(&pushes)).await?;
    run.say(&format!("registering {} phones, each with a chat", plan.users));
    let senders = senders(&run, plan.users).await?;
    let of = senders.len();
    let mut tasks = JoinSet::new();
    for (nth, (mut caller, chats)) in senders.into_iter().enumerate() {
        let mut device = caller.connect(Vec::new()).await?;
        device.down.caught_up().await?;
        let (counting, errors) = (Arc::clone(&run.counting), Arc::clone(&run.errors));
        let (acks, offer) = (Arc::clone(&acks), plan.offer);
        let sender = Sender { nth, of, chats, device, offer, counting, errors, acks, ticks: None };
        tasks.spawn(sender.run());
    }
    let offer = match plan.offer.rate {
        Some(rate) => format!("{rate} sends a second offered"),
        None => format!("{} in flight of each sender", plan.offer.in_flight),
    };
    let slow = match plan.fcm_latency {
        Duration::ZERO => "answered at once".to_owned(),
        latency => format!("answered after {latency:?}"),
    };
    let shape = format!("{} users away, {offer}, {slow}", plan.users);
    let mut report = run.count("push", shape).await;
    drop(tasks);
    costs(&mut report);
    Ok(report)
}

/// What a push has cost, with the message it was of.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn costs(report: &mut Report) {
    let count = report.rows.iter().find(|row| row.name == "push").map_or(0, |row| row.count);
    let used = [("server", report.server), ("backends", report.backends)];
    for (who, used) in used.into_iter().filter_map(|(who, used)| Some((who, used?))) {
        let micros = used.cores * report.seconds * 1e6 / count.max(1) as f64;
        report.figure(format!("{who}'s processor time a push"), micros, "µs, the message's too");
    }
}

/// Those who send, and the chats of each; the other member of each chat has a phone.
async fn senders(run: &Run, users: usize) -> Result<Vec<(Caller, Vec<String>)>, LoadError> {
    let (door, name) = (&run.door, &run.name);
    let mut senders = Vec::new();
    for nth in 0..users.div_ceil(CHATS) {
        senders.push((door.caller(&format!("{name}-s{nth}")).await?, Vec::new()));
    }
    let callers: Vec<Caller> = senders.iter().map(|(caller, _)| caller.clone()).collect();
    let (callers, of) = (&callers, senders.len());
    let made: Vec<(usize, String)> = stream::iter(0..users)
        .map(|nth| async move {
            let (of, user) = (nth % of, format!("{name}-u{nth}"));
            let mut sender = callers[of].clone();
            register(&door.caller_on(sender.channel.clone(), &user), &user).await?;
            Ok::<_, LoadError>((of, sender.direct(&user).await?))
        })
        .buffer_unordered(OPENING)
        .try_collect()
        .await?;
    for (of, chat) in made {
        senders[of].1.push(chat);
    }
    Ok(senders)
}

/// Registers a user's phone.
async fn register(caller: &Caller, user: &str) -> Result<(), LoadError> {
    let request = caller.request(proto::RegisterDeviceRequest {
        device_id: "phone".to_owned(),
        push_token: user.to_owned(),
        platform: proto::Platform::Android.into(),
        locale: "en".to_owned(),
        ..proto::RegisterDeviceRequest::default()
    });
    let mut client = NotificationServiceClient::new(caller.channel.clone());
    let answer = client.register_device(request).await;
    answer.map_err(|status| LoadError::Call("RegisterDevice", Box::new(status)))?;
    Ok(())
}
