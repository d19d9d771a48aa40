//! One device's stream.

use std::collections::VecDeque;

use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, ack};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Api, PATIENCE, Refusal};

/// A stream that is open, and what came on it.
pub(crate) struct Live {
    pub(crate) api: Api,
    pub(crate) ready: proto::Ready,
    up: Option<mpsc::Sender<proto::ConnectRequest>>,
    down: Down,
    /// Frames that came while another was waited for.
    seen: VecDeque<Frame>,
    /// The newest resume token.
    pub(crate) token: Vec<u8>,
    /// When it was.
    pub(crate) as_of: Option<prost_types::Timestamp>,
    next_ack: u64,
}

enum Down {
    Connect(tonic::Streaming<proto::ConnectResponse>),
    Subscribe(tonic::Streaming<proto::SubscribeResponse>),
}

/// How a stream went on.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and easy to match on")]
pub(crate) enum Came {
    Frame(Frame),
    End,
    Status(tonic::Status),
}

impl Live {
    /// Opens a Connect and waits for Ready.
    pub(crate) async fn open(api: Api, hello: proto::Hello) -> Result<Self, tonic::Status> {
        let command = Command::Hello(hello);
        Self::open_with(api, vec![request("", Some(command))]).await
    }

    /// Opens a Connect with these first requests and waits for Ready.
    pub(crate) async fn open_with(
        mut api: Api,
        first: Vec<proto::ConnectRequest>,
    ) -> Result<Self, tonic::Status> {
        let (up, requests) = mpsc::channel(4096);
        for request in first {
            up.send(request).await.unwrap();
        }
        let answer = api.connect(ReceiverStream::new(requests)).await?;
        Self::ready(api, Some(up), Down::Connect(answer.into_inner())).await
    }

    /// Opens a Subscribe and waits for Ready.
    pub(crate) async fn subscribe(
        mut api: Api,
        hello: proto::Hello,
    ) -> Result<Self, tonic::Status> {
        let request = proto::SubscribeRequest { hello: Some(hello) };
        let answer = api.subscribe(request).await?;
        Self::ready(api, None, Down::Subscribe(answer.into_inner())).await
    }

    async fn ready(
        api: Api,
        up: Option<mpsc::Sender<proto::ConnectRequest>>,
        down: Down,
    ) -> Result<Self, tonic::Status> {
        let mut live = Self {
            api,
            ready: proto::Ready::default(),
            up,
            down,
            seen: VecDeque::new(),
            token: Vec::new(),
            as_of: None,
            next_ack: 0,
        };
        match live.came().await {
            Came::Frame(frame) => match frame {
                Frame::Ready(ready) => live.ready = ready,
                Frame::Close(close) => {
                    return Err(tonic::Status::aborted(format!("{:?}", close.reason())));
                }
                other => panic!("not Ready first, but {other:?}"),
            },
            Came::Status(status) => return Err(status),
            Came::End => panic!("not Ready first, but the end"),
        }
        Ok(live)
    }

    /// What comes next.
    pub(crate) async fn came(&mut self) -> Came {
        let next = async {
            Ok(match &mut self.down {
                Down::Connect(down) => down.message().await?.map(|answer| answer.frame),
                Down::Subscribe(down) => down.message().await?.map(|answer| answer.frame),
            })
        };
        let next: Result<_, tonic::Status> = tokio::time::timeout(PATIENCE, next)
            .await
            .unwrap_or_else(|_| panic!("nothing came on the stream of {}", self.ready.user_id));
        match next {
            Err(status) => Came::Status(status),
            Ok(None) => Came::End,
            Ok(Some(frame)) => {
                let frame = frame.unwrap().frame.unwrap();
                if let Frame::Checkpoint(checkpoint) = &frame {
                    self.token = checkpoint.resume_token.to_vec();
                    self.as_of = checkpoint.as_of;
                }
                Came::Frame(frame)
            }
        }
    }

    /// Reads until a frame of this kind comes; others are kept for later.
    pub(crate) async fn wait<T>(&mut self, mut wanted: impl FnMut(&Frame) -> Option<T>) -> T {
        for at in 0..self.seen.len() {
            if let Some(found) = wanted(&self.seen[at]) {
                self.seen.remove(at);
                return found;
            }
        }
        loop {
            match self.came().await {
                Came::Frame(frame) => match wanted(&frame) {
                    Some(found) => return found,
                    None => self.seen.push_back(frame),
                },
                other => {
                    let seen: Vec<String> = self.seen.iter().map(short).collect();
                    panic!(
                        "the stream of {} ended with {other:?} after {seen:?}",
                        self.ready.user_id
                    )
                }
            }
        }
    }

    /// Frames that came and were not waited for; the list is then empty.
    pub(crate) fn take_seen(&mut self) -> Vec<Frame> {
        self.seen.drain(..).collect()
    }

    /// Waits for an event.
    pub(crate) async fn event<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        self.wait(|frame| match frame {
            Frame::Event(event) => event.event.as_ref().and_then(&mut wanted),
            _ => None,
        })
        .await
    }

    /// Waits for the next new message.
    pub(crate) async fn message(&mut self) -> proto::Message {
        self.event(|event| match event {
            Event::MessageSent(sent) => sent.message.clone(),
            _ => None,
        })
        .await
    }

    /// Waits for CaughtUp and the Checkpoint after it.
    pub(crate) async fn caught_up(&mut self) {
        self.wait(|frame| matches!(frame, Frame::CaughtUp(_)).then_some(())).await;
        self.wait(|frame| matches!(frame, Frame::Checkpoint(_)).then_some(())).await;
    }

    /// Gives a command; answers its ack_id.
    pub(crate) async fn command(&mut self, command: Command) -> String {
        self.next_ack += 1;
        let id = format!("c{}", self.next_ack);
        self.request(request(&id, Some(command))).await;
        id
    }

    /// Sends a request as it is.
    pub(crate) async fn request(&mut self, request: proto::ConnectRequest) {
        // A stream that has ended says so when it is read.
        let _ended = self.up.as_ref().unwrap().send(request).await;
    }

    /// Waits for the Ack of a command.
    pub(crate) async fn ack(&mut self, id: &str) -> ack::Result {
        self.wait(|frame| match frame {
            Frame::Ack(ack) if ack.ack_id == id => ack.result.clone(),
            _ => None,
        })
        .await
    }

    /// Gives a command that must fail.
    pub(crate) async fn refused(&mut self, command: Command) -> Refusal {
        match self.ask(command).await {
            ack::Result::Error(error) => Refusal::of_error(&error),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Gives a command and waits for Done.
    pub(crate) async fn done(&mut self, command: Command) {
        let came = self.ask(command).await;
        assert!(matches!(came, ack::Result::Done(_)), "{came:?}");
    }

    /// A command is answered: all that was told before it is then in [`Self::take_seen`].
    pub(crate) async fn settle(&mut self) {
        self.done(Command::Heartbeat(proto::Heartbeat::default())).await;
    }

    /// Gives a command and waits for its Ack.
    pub(crate) async fn ask(&mut self, command: Command) -> ack::Result {
        let id = self.command(command).await;
        self.ack(&id).await
    }

    /// Sends a message and waits for its Ack.
    pub(crate) async fn send(&mut self, chat: &str, id: &str, text: &str) -> proto::SendOutcome {
        match self.ask(Command::MessageSend(super::message(chat, id, text))).await {
            ack::Result::SendOutcome(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// Acknowledges messages as kept, or as read.
    pub(crate) async fn mark(
        &mut self,
        chat: &str,
        seqs: Vec<proto::SeqRange>,
        read: bool,
    ) -> ack::Result {
        let chat_id = chat.to_owned();
        let command = if read {
            Command::ReadAck(proto::ReadAck { chat_id, seqs })
        } else {
            Command::DeliveredAck(proto::DeliveredAck { chat_id, seqs })
        };
        self.ask(command).await
    }

    /// Waits for Close, then for the end.
    pub(crate) async fn closed(&mut self) -> proto::Close {
        let close = self
            .wait(|frame| match frame {
                Frame::Close(close) => Some(close.clone()),
                _ => None,
            })
            .await;
        assert!(matches!(self.came().await, Came::End), "a stream ends OK after Close");
        close
    }

    /// Ends this side, as a client that leaves for good.
    pub(crate) fn end(&mut self) {
        self.up = None;
    }

    /// What the next Hello says to go on from here.
    pub(crate) fn hello(&self, device: &str) -> proto::Hello {
        proto::Hello {
            device_id: device.to_owned(),
            resume_token: self.token.clone().into(),
            ..proto::Hello::default()
        }
    }
}

/// A Hello of a device, from now on.
pub(crate) fn hello(device: &str) -> proto::Hello {
    proto::Hello { device_id: device.to_owned(), ..proto::Hello::default() }
}

/// A request with an id.
pub(crate) fn request(ack_id: &str, command: Option<Command>) -> proto::ConnectRequest {
    proto::ConnectRequest { ack_id: ack_id.to_owned(), command }
}

/// A frame, in a few words.
fn short(frame: &Frame) -> String {
    format!("{frame:?}").chars().take(100).collect()
}
