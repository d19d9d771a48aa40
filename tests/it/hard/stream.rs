//! The task of a [`Phone`]: one stream after the other, each from the newest token.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use adda::model::{Run, SeqSet};
use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::list_messages_request::Anchor;
use adda::proto::server_frame::Frame;
use adda::proto::{self, ack};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

use super::client::{Kept, Phone, Story};
use crate::world::{Api, token, try_api};

/// The first pause before coming back, and the longest: short, as these are tests.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How long opening a stream may take.
const OPENING: Duration = Duration::from_secs(10);
/// What arrives gathers this long before it is acknowledged.
const GATHER: Duration = Duration::from_millis(100);

/// One device, for ever.
pub(super) async fn live(phone: Arc<Phone>) {
    let mut pause = PAUSE;
    loop {
        phone.kept.lock().streams.push(Story::default());
        let end = tokio::select! {
            end = one_stream(&phone) => end,
            () = phone.cut.notified() => "cut".to_owned(),
        };
        let (lived, was_cut) = (phone.kept.lock().story().caught_up, end == "cut");
        phone.kept.lock().story().end = end;
        if lived || was_cut {
            pause = PAUSE;
        }
        if !was_cut {
            phone.next_node();
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A stream from Hello to its end; why it ended.
async fn one_stream(phone: &Arc<Phone>) -> String {
    let opened = tokio::time::timeout(OPENING, open(phone)).await;
    let mut stream = match opened {
        Ok(Ok(stream)) => stream,
        Ok(Err(why)) => return why,
        Err(_) => return "did not open in time".to_owned(),
    };
    loop {
        if let Err(why) = stream.step().await {
            return why;
        }
    }
}

struct Stream {
    phone: Arc<Phone>,
    up: mpsc::Sender<proto::ConnectRequest>,
    down: tonic::Streaming<proto::ConnectResponse>,
    ready: proto::Ready,
    /// Reads pages where the server does not replay; no Checkpoint is kept meanwhile.
    paging: Option<tokio::task::JoinHandle<Result<(), tonic::Status>>>,
    /// The newest Checkpoint that came while pages were read.
    later: Option<proto::Checkpoint>,
    /// Sends that went up on this stream.
    given: HashSet<String>,
    /// Own messages that came before their Ack.
    early: BTreeSet<String>,
    /// Acknowledgements on their way: (ack_id, chat, what).
    acknowledging: Vec<(String, String, SeqSet)>,
    next_ack: u64,
    gather: Instant,
    beat: Instant,
    retry: Option<Instant>,
}

async fn open(phone: &Arc<Phone>) -> Result<Stream, String> {
    let why = |status: tonic::Status| format!("{:?} {}", status.code(), status.message());
    let mut api =
        try_api(phone.node(), token(&phone.user)).await.map_err(|error| format!("{error:?}"))?;
    let (up, requests) = mpsc::channel(4096);
    let hello = proto::Hello {
        device_id: phone.device.clone(),
        resume_token: phone.kept.lock().token.clone().into(),
        ..proto::Hello::default()
    };
    let first =
        proto::ConnectRequest { ack_id: String::new(), command: Some(Command::Hello(hello)) };
    up.send(first).await.map_err(|_| "no way up")?;
    let mut down = api.connect(ReceiverStream::new(requests)).await.map_err(why)?.into_inner();
    let ready = match frame(down.message().await.map_err(why)?)? {
        Frame::Ready(ready) => ready,
        other => return Err(format!("not Ready, but {other:?}")),
    };
    let mut kept = phone.kept.lock();
    kept.story().outcome = ready.resume_outcome();
    kept.online.clear();
    // A crash may have come between keeping and acknowledging: it is done again.
    for held in kept.chats.values_mut() {
        let kept = SeqSet::from_parts(0, held.messages.keys().filter_map(|s| Run::new(*s, *s)));
        held.unacknowledged = SeqSet::from_parts(0, kept.minus(&held.acknowledged));
    }
    let paging = (ready.resume_outcome() != proto::ResumeOutcome::Resumed)
        .then(|| tokio::spawn(read_pages(Arc::clone(phone), api, kept.as_of)));
    drop(kept);
    phone.wake.notify_one();
    let now = Instant::now();
    Ok(Stream {
        phone: Arc::clone(phone),
        up,
        down,
        ready,
        paging,
        later: None,
        given: HashSet::new(),
        early: BTreeSet::new(),
        acknowledging: Vec::new(),
        next_ack: 0,
        gather: now + GATHER,
        beat: now,
        retry: None,
    })
}

fn frame(answer: Option<proto::ConnectResponse>) -> Result<Frame, String> {
    let frame = answer.ok_or("ended without Close")?.frame.ok_or("no frame")?;
    frame.frame.ok_or_else(|| "an unknown frame".to_owned())
}

fn interval(duration: Option<&prost_types::Duration>) -> Duration {
    Duration::try_from(*duration.expect("Ready says how long")).expect("a proper duration")
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(paging) = &self.paging {
            paging.abort();
        }
    }
}

impl Stream {
    async fn step(&mut self) -> Result<(), String> {
        let silence = interval(self.ready.heartbeat_timeout.as_ref());
        let retry = self.retry;
        tokio::select! {
            came = tokio::time::timeout(silence, self.down.message()) => {
                let came = came.map_err(|_| "silence".to_owned())?;
                let came = came.map_err(|s| format!("{:?} {}", s.code(), s.message()))?;
                self.came(frame(came)?)
            }
            () = self.phone.wake.notified() => self.give().await,
            () = tokio::time::sleep_until(self.gather) => self.acknowledge().await,
            paged = async { self.paging.as_mut().expect("looked").await }, if self.paging.is_some() => {
                self.paging = None;
                match paged {
                    Ok(Ok(())) => {
                        if let Some(checkpoint) = self.later.take() {
                            self.phone.kept.lock().stored(&checkpoint);
                        }
                        Ok(())
                    }
                    Ok(Err(status)) => Err(format!("pages: {status:?}")),
                    Err(error) => Err(format!("pages: {error}")),
                }
            }
            () = tokio::time::sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => {
                self.retry = None;
                let waiting: HashSet<_> = self.phone.kept.lock().outbox.iter()
                    .map(|send| send.client_message_id.clone()).collect();
                self.given.retain(|id| !waiting.contains(id));
                self.give().await
            }
        }
    }

    /// Sends what the outbox has and this stream has not.
    async fn give(&mut self) -> Result<(), String> {
        let outbox = self.phone.kept.lock().outbox.clone();
        for send in outbox {
            let id = send.client_message_id.clone();
            if self.given.insert(id.clone()) {
                self.command(id, Command::MessageSend(send)).await?;
            }
        }
        Ok(())
    }

    async fn command(&mut self, ack_id: String, command: Command) -> Result<(), String> {
        self.beat = Instant::now();
        let request = proto::ConnectRequest { ack_id, command: Some(command) };
        self.up.send(request).await.map_err(|_| "no way up".to_owned())
    }

    async fn acknowledge(&mut self) -> Result<(), String> {
        self.gather = Instant::now() + GATHER;
        let mut due = Vec::new();
        for (chat, held) in &mut self.phone.kept.lock().chats {
            if !held.unacknowledged.is_empty() {
                due.push((chat.clone(), std::mem::take(&mut held.unacknowledged)));
            }
        }
        for (chat_id, set) in due {
            self.next_ack += 1;
            let ack_id = format!("ack {}", self.next_ack);
            let seqs =
                set.runs().iter().map(|run| crate::world::run(run.first, run.last)).collect();
            let command =
                Command::DeliveredAck(proto::DeliveredAck { chat_id: chat_id.clone(), seqs });
            self.acknowledging.push((ack_id.clone(), chat_id, set));
            self.command(ack_id, command).await?;
        }
        if self.beat.elapsed() > interval(self.ready.heartbeat_interval.as_ref()) / 2 {
            let beat = proto::Heartbeat { background: None };
            self.command(String::new(), Command::Heartbeat(beat)).await?;
        }
        Ok(())
    }

    fn came(&mut self, frame: Frame) -> Result<(), String> {
        let phone = Arc::clone(&self.phone);
        let mut kept = phone.kept.lock();
        match frame {
            Frame::Ready(_) => kept.wrong.push("a second Ready".to_owned()),
            Frame::Heartbeat(_) => {}
            Frame::CaughtUp(_) => kept.story().caught_up = true,
            Frame::Checkpoint(checkpoint) => {
                if self.paging.is_some() {
                    self.later = Some(checkpoint);
                } else {
                    kept.stored(&checkpoint);
                }
            }
            Frame::Close(close) => return Err(format!("{:?}", close.reason())),
            Frame::Ack(ack) => self.answered(&mut kept, ack),
            Frame::Event(event) => {
                if let Some(event) = event.event {
                    self.event(&mut kept, event);
                }
            }
        }
        Ok(())
    }

    fn answered(&mut self, kept: &mut Kept, ack: proto::Ack) {
        match ack.result {
            Some(ack::Result::SendOutcome(outcome)) => {
                if self.early.remove(&ack.ack_id) && !outcome.duplicate {
                    kept.wrong.push(format!("{} was told before its Ack", ack.ack_id));
                }
                kept.outbox.retain(|send| send.client_message_id != ack.ack_id);
                if let Some(before) = kept.sent.insert(ack.ack_id.clone(), outcome.clone())
                    && (before.message_id != outcome.message_id || before.seq != outcome.seq)
                {
                    kept.wrong.push(format!("{} has two outcomes", ack.ack_id));
                }
            }
            Some(ack::Result::Done(_)) => {
                let at = self.acknowledging.iter().position(|(id, ..)| *id == ack.ack_id);
                if let Some((_, chat, set)) = at.map(|at| self.acknowledging.swap_remove(at)) {
                    kept.chats.entry(chat).or_default().acknowledged.union(&set);
                }
            }
            Some(ack::Result::Error(error)) => {
                if let Some(after) = &error.retry_after {
                    let after = interval(Some(after)).min(LONGEST_PAUSE);
                    self.retry.get_or_insert(Instant::now() + after);
                    let again = self.acknowledging.iter().position(|(id, ..)| *id == ack.ack_id);
                    if let Some(at) = again {
                        let (_, chat, set) = self.acknowledging.swap_remove(at);
                        kept.chats.entry(chat).or_default().unacknowledged.union(&set);
                    }
                } else {
                    kept.outbox.retain(|send| send.client_message_id != ack.ack_id);
                    kept.failed.push(error);
                }
            }
            other => kept.wrong.push(format!("{} was answered by {other:?}", ack.ack_id)),
        }
    }

    fn event(&mut self, kept: &mut Kept, event: Event) {
        match event {
            Event::MessageSent(sent) => {
                let message = sent.message.expect("always there");
                if message.sender_id == self.phone.user
                    && self.given.contains(&message.client_message_id)
                    && kept.outbox.iter().any(|s| s.client_message_id == message.client_message_id)
                {
                    self.early.insert(message.client_message_id.clone());
                }
                kept.story().told.push((message.chat_id.clone(), message.seq));
                kept.keep(message, false);
            }
            Event::MessageDelivered(it) => {
                let held = kept.chats.entry(it.chat_id).or_default();
                held.delivered.entry(it.user_id).or_default().extend(runs(&it.seqs));
            }
            Event::MessageRead(it) => {
                let held = kept.chats.entry(it.chat_id).or_default();
                held.delivered.entry(it.user_id.clone()).or_default().extend(runs(&it.seqs));
                held.read.entry(it.user_id).or_default().extend(runs(&it.seqs));
            }
            Event::UserOnline(it) => {
                kept.online.insert(it.user_id, true);
            }
            Event::UserOffline(it) => {
                kept.online.insert(it.user_id, false);
            }
            Event::MessageEdited(it) => kept.keep(it.message.expect("always there"), false),
            _ => {}
        }
    }
}

fn runs(seqs: &[proto::SeqRange]) -> Vec<Run> {
    seqs.iter().filter_map(|run| Run::new(run.first, run.last)).collect()
}

/// What a client does that was not resumed: all chats, and of each what it lacks.
async fn read_pages(
    phone: Arc<Phone>,
    mut api: Api,
    stale: Option<prost_types::Timestamp>,
) -> Result<(), tonic::Status> {
    // Who was never there has missed nothing.
    let missed = phone.kept.lock().streams.len() > 1;
    let mut chats = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListChatsRequest { page_token, ..Default::default() };
        let page = api.list_chats(request).await?.into_inner();
        chats.extend(page.chats.into_iter().map(|chat| chat.chat_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    for chat in chats {
        let all: SeqSet = {
            let kept = phone.kept.lock();
            let seqs = kept.chats.get(&chat).map(|held| held.messages.keys());
            SeqSet::from_parts(0, seqs.into_iter().flatten().filter_map(|s| Run::new(*s, *s)))
        };
        let mut anchors = vec![Anchor::AfterSeq(all.to())];
        anchors.extend(stale.map(Anchor::ChangedSince));
        for anchor in anchors {
            let mut page_token = String::new();
            loop {
                let request = proto::ListMessagesRequest {
                    chat_id: chat.clone(),
                    page_size: 200,
                    page_token,
                    anchor: Some(anchor),
                };
                let page = api.list_messages(request).await?.into_inner();
                let mut kept = phone.kept.lock();
                page.messages.into_iter().for_each(|message| kept.keep(message, missed));
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
        }
    }
    Ok(())
}
