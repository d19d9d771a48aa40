//! All streams are cut at once and come back with their resume tokens, each to one message that
//! it has missed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;

use super::device::Device;
use super::measure::Run;
use super::report::Report;
use super::stats::Series;
use super::{LoadError, OPENING};
use crate::config::load::StormArgs;
use crate::proto::event::Event;
use crate::proto::server_frame::Frame;
use crate::proto::{Event as EventFrame, ResumeOutcome};

/// Who finds no place tries again as a client does: after this, and twice as long each time, at
/// random from the upper half.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);

/// A user who was there: the name, the chat, the way back.
struct Away {
    user: String,
    chat: String,
    peer: String,
    resume_token: Vec<u8>,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) async fn run(mut run: Run, plan: &StormArgs) -> Result<Report, LoadError> {
    let resumed = run.series("cut to caught up");
    run.say(&format!("opening {} streams", plan.streams));
    let away = open(&run, plan.streams).await?;
    run.say("sending to each while it is away");
    send_to_each(&run, &away).await?;
    run.say("all come back at once");
    let before = run.look();
    run.counting.set(true);
    let due = run.counting.now();
    let mut tasks = JoinSet::new();
    for (nth, away) in away.into_iter().enumerate() {
        let (door, errors) = (Arc::clone(&run.door), Arc::clone(&run.errors));
        let resumed = Arc::clone(&resumed);
        tasks.spawn(async move {
            let mut pause = AGAIN;
            loop {
                match come_back(&door, &away, nth, &resumed, due).await {
                    Ok(device) => return device,
                    Err(error) => errors.count(format!("tried again: {}", kind(&error))),
                }
                tokio::time::sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
                pause = (pause * 2).min(AGAIN_AT_MOST);
            }
        });
    }
    let devices = tasks.join_all().await;
    let shape = format!("{} streams cut and resumed, each with a missed message", plan.streams);
    let mut report = run.report("storm", shape, &before);
    report.figure("until all were caught up", report.seconds, "s");
    report.figure("came back", devices.len() as f64, "streams");
    drop(devices);
    Ok(report)
}

fn kind(error: &LoadError) -> &'static str {
    match error {
        LoadError::Connect(..) => "no connection",
        LoadError::Call(_, status) if status.code() == tonic::Code::Unavailable => "unavailable",
        LoadError::Call(..) => "the call was refused",
        _ => "not resumed, or without the message",
    }
}

/// Opens all, waits for their tokens, and cuts all.
async fn open(run: &Run, streams: usize) -> Result<Vec<Away>, LoadError> {
    let (door, name) = (&run.door, &run.name);
    stream::iter(0..streams)
        .map(|nth| async move {
            let user = format!("{name}-s{nth}");
            let peer = format!("{name}-s{}", nth ^ 1);
            let mut caller = door.caller(&user).await?;
            let chat = caller.direct(&peer).await?;
            let mut device = caller.connect(Vec::new()).await?;
            let resume_token = checkpoint(&mut device).await?;
            Ok(Away { user, chat, peer, resume_token })
        })
        .buffer_unordered(OPENING)
        .try_collect()
        .await
}

async fn checkpoint(device: &mut Device) -> Result<Vec<u8>, LoadError> {
    loop {
        match device.down.next().await {
            Some(Frame::Checkpoint(point)) => return Ok(point.resume_token.to_vec()),
            Some(Frame::Close(_)) | None => return Err(LoadError::NotReady),
            Some(_) => {}
        }
    }
}

async fn send_to_each(run: &Run, away: &[Away]) -> Result<(), LoadError> {
    let door = &run.door;
    stream::iter(away)
        .map(|away| async move {
            let mut peer = door.caller(&away.peer).await?;
            peer.send(&away.chat, "missed").await.map(drop)
        })
        .buffer_unordered(OPENING)
        .try_collect()
        .await
}

async fn come_back(
    door: &super::device::Door,
    away: &Away,
    nth: usize,
    resumed: &Series,
    due: u64,
) -> Result<Device, LoadError> {
    let mut device = door.caller(&away.user).await?.connect(away.resume_token.clone()).await?;
    let (mut outcome, mut missed) = (ResumeOutcome::Unspecified, 0);
    loop {
        match device.down.next().await {
            Some(Frame::Ready(ready)) => outcome = ready.resume_outcome(),
            Some(Frame::Event(EventFrame { event: Some(Event::MessageSent(sent)) })) => {
                let message = sent.message.unwrap_or_default();
                missed += usize::from(message.sender_id != away.user);
            }
            Some(Frame::CaughtUp(_)) => break,
            Some(Frame::Close(_)) | None => return Err(LoadError::NotReady),
            Some(_) => {}
        }
    }
    if outcome != ResumeOutcome::Resumed || missed != 1 {
        return Err(LoadError::NotReady);
    }
    resumed.since(nth, due);
    Ok(device)
}
