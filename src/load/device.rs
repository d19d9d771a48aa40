//! One device's connection and stream, lean: the generator shares the machine with the server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint, Uri};

use super::{DAY, LoadError};
use crate::auth::Signer;
use crate::clock::SystemClock;
use crate::config::load::LoadArgs;
use crate::config::{DEV_SECRET, Secret};
use crate::model::UserId;
use crate::proto;
use crate::proto::chat_service_client::ChatServiceClient;
use crate::proto::connect_request::Command;
use crate::proto::server_frame::Frame;

/// Commands that wait for the connection to take them.
const UP: usize = 64;
/// Addresses the streams come from, where the server is on this machine: an address has some
/// 28,000 ports, and a server bounds its connections by address.
const ADDRESSES: usize = 200;

/// Signs in and opens connections.
pub(super) struct Door {
    servers: Vec<Uri>,
    signer: Signer,
    opened: AtomicUsize,
}

/// The calls of one user, on a connection of its own.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) client: ChatServiceClient<Channel>,
    /// The same connection, for calls of other services.
    pub(super) channel: Channel,
    bearer: MetadataValue<Ascii>,
}

/// A stream that is open.
pub(super) struct Device {
    pub(super) up: Up,
    pub(super) down: Down,
}

/// Its way to the server.
#[derive(Clone)]
pub(super) struct Up(mpsc::Sender<proto::ConnectRequest>);

/// Its way from the server.
pub(super) struct Down(tonic::Streaming<proto::ConnectResponse>);

impl Door {
    pub(super) fn open(args: &LoadArgs) -> Result<Self, LoadError> {
        let uri = |server: &String| {
            server.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("http")).ok_or_else(
                || LoadError::Asked(format!("--server: {server} is no http://HOST:PORT")),
            )
        };
        let servers = args.server.iter().map(uri).collect::<Result<_, _>>()?;
        let secret = args.jwt_secret.clone().unwrap_or_else(|| Secret::new(DEV_SECRET));
        let signer = Signer::new(secret, None, None);
        Ok(Self { servers, signer, opened: AtomicUsize::new(0) })
    }

    /// The same, at another server.
    pub(super) fn at(&self, server: &str) -> Result<Self, LoadError> {
        let uri = server.parse().map_err(|_| LoadError::Asked(format!("no URL: {server}")))?;
        Ok(Self { servers: vec![uri], signer: self.signer.clone(), opened: AtomicUsize::new(0) })
    }

    /// A new connection for this user; connections go round the servers and the addresses.
    pub(super) async fn caller(&self, user: &str) -> Result<Caller, LoadError> {
        let nth = self.opened.fetch_add(1, Ordering::Relaxed);
        let server = self.servers[nth % self.servers.len()].clone();
        let connector = tower::service_fn(move |uri: Uri| async move {
            dial(&uri, nth % ADDRESSES).await.map(TokioIo::new)
        });
        let channel = Endpoint::from(server.clone())
            .connect_with_connector(connector)
            .await
            .map_err(|error| LoadError::Connect(server.to_string(), error.into()))?;
        Ok(self.caller_on(channel, user))
    }

    /// The calls of this user on a connection that is there.
    pub(super) fn caller_on(&self, channel: Channel, user: &str) -> Caller {
        let (token, _) = self.signer.sign(&UserId::new(user), Some(user), DAY, &SystemClock);
        let bearer = format!("Bearer {token}").parse().expect("a token is ASCII");
        Caller { client: ChatServiceClient::new(channel.clone()), channel, bearer }
    }

    /// A new connection, and on it the stream of this user's only device.
    pub(super) async fn connect(&self, user: &str) -> Result<Device, LoadError> {
        let mut device = self.caller(user).await?.connect(Vec::new()).await?;
        device.down.caught_up().await?;
        Ok(device)
    }
}

/// Connects from one of many addresses if the server is on this machine.
async fn dial(uri: &Uri, nth: usize) -> std::io::Result<TcpStream> {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(80);
    let place = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await?.next();
    let place = place.ok_or_else(|| std::io::Error::other(format!("{host} has no address")))?;
    let stream = match place {
        SocketAddr::V4(v4) if v4.ip().is_loopback() => {
            let last = u8::try_from(2 + nth).unwrap_or(1);
            let socket = TcpSocket::new_v4()?;
            socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0).into())?;
            socket.connect(place).await?
        }
        place => TcpStream::connect(place).await?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Caller {
    /// A request that bears this user's token.
    pub(super) fn request<T>(&self, body: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(body);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }

    /// The id of a chat, made if need be.
    pub(super) async fn chat(
        &mut self,
        request: proto::CreateChatRequest,
    ) -> Result<String, LoadError> {
        let request = self.request(request);
        let answer = self.client.create_chat(request).await;
        let answer = answer.map_err(|status| LoadError::Call("CreateChat", Box::new(status)))?;
        Ok(answer.into_inner().chat.unwrap_or_default().chat_id)
    }

    /// The direct chat with another user.
    pub(super) async fn direct(&mut self, other: &str) -> Result<String, LoadError> {
        self.chat(proto::CreateChatRequest {
            kind: proto::ChatKind::Direct.into(),
            member_ids: vec![other.to_owned()],
            ..proto::CreateChatRequest::default()
        })
        .await
    }

    /// Sends by a call of its own.
    pub(super) async fn send(&mut self, chat: &str, id: &str) -> Result<u32, LoadError> {
        let message = Some(message(chat, id.to_owned(), "hello".to_owned()));
        let request = self.request(proto::SendMessageRequest { message });
        let answer = self.client.send_message(request).await;
        let answer = answer.map_err(|status| LoadError::Call("SendMessage", Box::new(status)))?;
        Ok(answer.into_inner().outcome.unwrap_or_default().seq)
    }

    /// Opens the user's stream; its first frame is still to come.
    pub(super) async fn connect(&mut self, resume_token: Vec<u8>) -> Result<Device, LoadError> {
        let (sender, requests) = mpsc::channel(UP);
        let up = Up(sender);
        let hello = proto::Hello {
            device_id: "load".to_owned(),
            resume_token: resume_token.into(),
            ..proto::Hello::default()
        };
        up.give("", Command::Hello(hello)).await;
        let request = self.request(ReceiverStream::new(requests));
        let answer = self.client.connect(request).await;
        let answer = answer.map_err(|status| LoadError::Call("Connect", Box::new(status)))?;
        Ok(Device { up, down: Down(answer.into_inner()) })
    }
}

impl Up {
    /// Gives the server a command. A stream that has ended is seen where it is read.
    pub(super) async fn give(&self, ack_id: &str, command: Command) {
        let request = proto::ConnectRequest { ack_id: ack_id.to_owned(), command: Some(command) };
        drop(self.0.send(request).await);
    }
}

impl Down {
    /// The next frame; `None`: the stream has ended.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            let answer = self.0.message().await.ok()??;
            if let Some(frame) = answer.frame.and_then(|frame| frame.frame) {
                return Some(frame);
            }
        }
    }

    /// Reads up to CaughtUp.
    pub(super) async fn caught_up(&mut self) -> Result<(), LoadError> {
        loop {
            match self.next().await {
                Some(Frame::CaughtUp(_)) => return Ok(()),
                Some(Frame::Close(_)) | None => return Err(LoadError::NotReady),
                Some(_) => {}
            }
        }
    }
}

/// A message on its way.
pub(super) fn message(chat: &str, id: String, text: String) -> proto::MessageSend {
    proto::MessageSend {
        chat_id: chat.to_owned(),
        client_message_id: id,
        text,
        ..proto::MessageSend::default()
    }
}
