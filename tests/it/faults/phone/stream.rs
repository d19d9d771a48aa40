//! The task of a phone: one stream after the other, each from the newest token.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use adda::model::Run;
use adda::proto::chat_service_client::ChatServiceClient;
use adda::proto::connect_request::Command;
use adda::proto::server_frame::Frame;
use adda::proto::{self};
use rand::RngExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;

use super::super::record::{Entry, Kind, Way};
use super::{Asked, Phone, pages};
use crate::world::{Api, Bearer, token};

/// How long opening a stream may take.
const OPENING: Duration = Duration::from_secs(10);
/// What arrives gathers this long before it is acknowledged.
const GATHER: Duration = Duration::from_millis(250);
/// Who leaves waits so long for its last answers.
const LEAVING: Duration = Duration::from_secs(3);
/// What a phone has room for: little, so that one who does not read is felt.
const WINDOW: u32 = 32 * 1024;

/// Why a stream ended, and so when to come back.
pub(super) enum End {
    /// Without Close.
    Cut(String),
    /// With it.
    Close(proto::Close),
    /// The phone was asked to go.
    Asked,
}

/// A command that waits for its answer.
pub(super) enum Flying {
    Send(proto::MessageSend),
    Marks { chat: String, kind: Kind, runs: Vec<Run>, asked: Duration },
    Join(String),
}

/// A stream that is open.
pub(super) struct Line {
    pub(super) phone: Arc<Phone>,
    pub(super) number: usize,
    pub(super) api: Api,
    /// `None`: this side has ended.
    pub(super) up: Option<mpsc::Sender<proto::ConnectRequest>>,
    down: tonic::Streaming<proto::ConnectResponse>,
    interval: Duration,
    timeout: Duration,
    /// Pages under way: of all, or of one chat.
    pub(super) pages: JoinSet<Result<pages::Job, tonic::Status>>,
    /// All is being read; no Checkpoint is kept meanwhile.
    pub(super) lists: bool,
    pub(super) later: Option<Vec<u8>>,
    /// What is being asked for: chats whose hole is being filled, counts after a deletion.
    pub(super) filling: HashSet<String>,
    pub(super) caught_up: bool,
    pub(super) flying: HashMap<String, Flying>,
    /// Sends that went up on this stream.
    pub(super) given: HashSet<String>,
    pub(super) next_ack: u64,
    pub(super) said: Instant,
    heard: Instant,
    /// When to look what is due.
    tend_at: Instant,
    /// Nothing is sent again before.
    pub(super) not_before: Instant,
    /// Groups to be put on screen.
    pub(super) to_join: Vec<String>,
}

/// One device, for ever.
pub(super) async fn live(phone: Arc<Phone>) {
    let pauses = phone.owner.pauses;
    let (mut pause, mut at, mut number) = (pauses.first, 0, 0);
    let mut asked = phone.asked.subscribe();
    loop {
        let here = |asked: &Asked| matches!(asked, Asked::Here | Asked::NotRead);
        if asked.wait_for(here).await.is_err() {
            return;
        }
        let (way, addr) = phone.owner.ways[at % phone.owner.ways.len()];
        number += 1;
        phone.note(Entry::Opening { stream: number, way });
        let began = Instant::now();
        let mut lived = false;
        let end = one_stream(&phone, number, (way, addr), &mut lived).await;
        phone.note(Entry::Ended { stream: number, why: end.to_string() });
        if began.elapsed() >= pauses.anew {
            pause = pauses.first;
        }
        let wait = match &end {
            End::Asked => Duration::ZERO,
            End::Close(close) => match (close.reason.div_euclid(100), lived) {
                (1, true) => Duration::ZERO,
                (2, _) => about(close.reconnect_after.as_ref(), pause),
                (4, _) => {
                    phone.note(Entry::Wrong(format!("sent away: {end}")));
                    pause
                }
                _ => step(&mut pause, pauses.longest),
            },
            End::Cut(_) => step(&mut pause, pauses.longest),
        };
        if !matches!(end, End::Asked) {
            at += 1;
        }
        tokio::time::sleep(wait).await;
    }
}

/// The pause, at random from its upper half; the next is twice as long.
fn step(pause: &mut Duration, longest: Duration) -> Duration {
    let now = pause.mul_f64(rand::rng().random_range(0.5..=1.0));
    *pause = (*pause * 2).min(longest);
    now
}

/// What Close says, give or take a half.
fn about(after: Option<&prost_types::Duration>, otherwise: Duration) -> Duration {
    let after = after.and_then(|after| Duration::try_from(*after).ok()).unwrap_or(otherwise);
    after.mul_f64(rand::rng().random_range(0.5..=1.5))
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cut(why) => write!(f, "cut: {why}"),
            Self::Close(close) => write!(f, "{:?}: {}", close.reason(), close.message),
            Self::Asked => write!(f, "asked"),
        }
    }
}

/// A stream from Hello to its end.
async fn one_stream(
    phone: &Arc<Phone>,
    number: usize,
    to: (Way, std::net::SocketAddr),
    lived: &mut bool,
) -> End {
    let mut asked = phone.asked.subscribe();
    let opened = tokio::select! {
        opened = tokio::time::timeout(OPENING, open(phone, number, to)) => opened,
        _ = asked.wait_for(|asked| matches!(asked, Asked::Leave | Asked::Die)) => return End::Asked,
    };
    let mut line = match opened {
        Ok(Ok(line)) => line,
        Ok(Err(end)) => return end,
        Err(_) => return End::Cut("did not open in time".to_owned()),
    };
    let end = loop {
        let now = *asked.borrow_and_update();
        match now {
            Asked::Die => break End::Asked,
            Asked::Leave => {
                line.up = None;
                let rest = async { while line.step(true).await.is_ok() {} };
                let _in_time = tokio::time::timeout(LEAVING, rest).await;
                break End::Asked;
            }
            Asked::Here | Asked::NotRead => {}
        }
        let stepped = tokio::select! {
            stepped = line.step(now == Asked::Here) => stepped,
            _ = asked.changed() => continue,
        };
        if let Err(end) = stepped {
            break end;
        }
    };
    *lived = line.caught_up;
    end
}

fn cut(status: &tonic::Status) -> End {
    End::Cut(format!("{:?} {}", status.code(), status.message()))
}

async fn open(
    phone: &Arc<Phone>,
    number: usize,
    (way, addr): (Way, std::net::SocketAddr),
) -> Result<Line, End> {
    let channel = Endpoint::from_shared(format!("http://{addr}"))
        .expect("an address")
        .initial_stream_window_size(WINDOW)
        .connect()
        .await
        .map_err(|error| End::Cut(format!("{error:?}")))?;
    let bearer = Bearer(token(&phone.owner.user));
    let mut api = ChatServiceClient::with_interceptor(channel, bearer);
    let (up, requests) = mpsc::channel(1024);
    let hello = {
        let mut disk = phone.disk.lock();
        disk.generation += 1;
        proto::Hello {
            device_id: phone.owner.device.clone(),
            resume_token: disk.token.clone().into(),
            generation: disk.generation,
            ..proto::Hello::default()
        }
    };
    let hello = Some(Command::Hello(hello));
    let first = proto::ConnectRequest { ack_id: String::new(), command: hello };
    up.send(first).await.map_err(|_| End::Cut("no way up".to_owned()))?;
    let answer = api.connect(ReceiverStream::new(requests)).await.map_err(|s| cut(&s))?;
    let mut down = answer.into_inner();
    let ready = match frame(down.message().await.map_err(|s| cut(&s))?)? {
        Frame::Ready(ready) => ready,
        Frame::Close(close) => return Err(End::Close(close)),
        other => return Err(End::Cut(format!("not Ready first, but {other:?}"))),
    };
    phone.disk.lock().online.clear();
    phone.note(Entry::Ready { stream: number, way });
    let mut line = Line::new(phone, number, api, up, down, &ready);
    if ready.resume_outcome() != proto::ResumeOutcome::Resumed {
        line.lists = true;
        line.pages.spawn(pages::all(Arc::clone(phone), line.api.clone()));
    }
    Ok(line)
}

fn frame(answer: Option<proto::ConnectResponse>) -> Result<Frame, End> {
    let ended = || End::Cut("ended without Close".to_owned());
    let frame = answer.ok_or_else(ended)?.frame.and_then(|frame| frame.frame);
    frame.ok_or_else(|| End::Cut("a frame of no kind".to_owned()))
}

fn span(duration: Option<&prost_types::Duration>) -> Duration {
    Duration::try_from(*duration.expect("Ready says how long")).expect("a proper duration")
}

impl Line {
    fn new(
        phone: &Arc<Phone>,
        number: usize,
        api: Api,
        up: mpsc::Sender<proto::ConnectRequest>,
        down: tonic::Streaming<proto::ConnectResponse>,
        ready: &proto::Ready,
    ) -> Self {
        let now = Instant::now();
        Self {
            phone: Arc::clone(phone),
            number,
            api,
            up: Some(up),
            down,
            interval: span(ready.heartbeat_interval.as_ref()),
            timeout: span(ready.heartbeat_timeout.as_ref()),
            pages: JoinSet::new(),
            lists: false,
            later: None,
            filling: HashSet::new(),
            caught_up: false,
            flying: HashMap::new(),
            given: HashSet::new(),
            next_ack: 0,
            said: now,
            heard: now,
            tend_at: now,
            not_before: now,
            to_join: phone.owner.screen.clone(),
        }
    }

    /// One thing that happens. `reads`: what comes is looked at.
    async fn step(&mut self, reads: bool) -> Result<(), End> {
        if !reads {
            // Who does not look cannot find it silent.
            self.heard = Instant::now();
        }
        let dead = self.heard + self.timeout;
        let wake = Arc::clone(&self.phone);
        tokio::select! {
            came = self.down.message(), if reads => {
                self.heard = Instant::now();
                match frame(came.map_err(|status| cut(&status))?)? {
                    Frame::Close(close) => Err(End::Close(close)),
                    frame => self.came(frame),
                }
            }
            Some(read) = self.pages.join_next() => match read {
                Ok(Ok(job)) => {
                    self.pages_read(job);
                    Ok(())
                }
                Ok(Err(status)) => Err(End::Cut(format!("pages: {status:?}"))),
                Err(error) => Err(End::Cut(format!("pages: {error}"))),
            },
            () = wake.wake.notified() => self.give(),
            () = tokio::time::sleep_until(self.tend_at) => self.tend(),
            () = tokio::time::sleep_until(dead), if reads => {
                Err(End::Cut("silent for heartbeat_timeout".to_owned()))
            }
        }
    }

    /// What is due every now and then.
    fn tend(&mut self) -> Result<(), End> {
        self.tend_at = Instant::now() + GATHER;
        self.give()?;
        self.acknowledge()?;
        self.join()?;
        if self.said.elapsed() > self.interval.mul_f64(0.8) {
            let beat = proto::Heartbeat { background: None };
            self.command(String::new(), Command::Heartbeat(beat), None)?;
        }
        Ok(())
    }
}
