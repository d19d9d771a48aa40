//! The way to the server: a channel, the calls on it, and one stream.

use std::time::Duration;

use futures_util::stream::{ReadyChunks, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Streaming};

use super::backoff::{Backoff, about};
use super::sign_in::SignIn;
use super::trouble::Trouble;
use crate::proto::chat_service_client::ChatServiceClient;
use crate::proto::connect_request::Command;
use crate::proto::user_service_client::UserServiceClient;
use crate::proto::{ConnectRequest, ConnectResponse, Hello};

/// What a call or the opening of a stream may take.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Commands that may wait for the connection; more are held back until there is room.
const COMMANDS: usize = 1024;
/// Frames that are merged in one transaction at most.
const FRAMES: usize = 256;

/// The frames of a stream, as many at a time as are there.
pub(super) type Frames = ReadyChunks<Streaming<ConnectResponse>>;

/// Where the server is, and who calls it.
#[derive(Clone)]
pub(super) struct Link {
    endpoint: Endpoint,
    pub(super) sign_in: SignIn,
}

/// A stream that is open.
pub(super) struct Opened {
    pub(super) calls: Calls,
    pub(super) commands: mpsc::Sender<ConnectRequest>,
    pub(super) frames: Frames,
}

/// The unary calls, on the connection of a stream.
#[derive(Clone)]
pub(super) struct Calls {
    channel: Channel,
    sign_in: SignIn,
}

/// Checks the address; nothing is opened.
pub(super) fn endpoint(server: &str) -> Result<Endpoint, String> {
    let endpoint = Endpoint::from_shared(server.to_owned())
        .map_err(|_| "not an address; write http://HOST:PORT or https://HOST".to_owned())?;
    if endpoint.uri().scheme().is_none() || endpoint.uri().authority().is_none() {
        return Err("not an address; write http://HOST:PORT or https://HOST".to_owned());
    }
    let mut endpoint = endpoint.connect_timeout(Duration::from_secs(10));
    if endpoint.uri().scheme_str() == Some("https") {
        endpoint = endpoint
            .tls_config(ClientTlsConfig::new().with_native_roots())
            .map_err(|error| error.to_string())?;
    }
    Ok(endpoint)
}

impl Link {
    /// Checks the address; nothing is opened.
    pub(super) fn new(server: &str, sign_in: SignIn) -> Result<Self, String> {
        Ok(Self { endpoint: endpoint(server)?, sign_in })
    }

    /// Opens a stream.
    pub(super) async fn open(self, hello: Hello, fresh_token: bool) -> Result<Opened, Trouble> {
        let open = async {
            let token = self.sign_in.token(fresh_token).await?;
            let away = |_| Trouble::Cut("the server is away".into());
            let channel = self.endpoint.connect().await.map_err(away)?;
            let (commands, requests) = mpsc::channel(COMMANDS);
            let hello =
                ConnectRequest { ack_id: String::new(), command: Some(Command::Hello(hello)) };
            // The first of an empty queue has room.
            drop(commands.try_send(hello));
            let mut client = ChatServiceClient::new(channel.clone());
            let request = authorized(ReceiverStream::new(requests), &token)?;
            let frames =
                client.connect(request).await.map_err(|status| Trouble::of_status(&status))?;
            let calls = Calls { channel, sign_in: self.sign_in.clone() };
            let frames = frames.into_inner().ready_chunks(FRAMES);
            Ok(Opened { calls, commands, frames })
        };
        match tokio::time::timeout(CALL_TIMEOUT, open).await {
            Ok(opened) => opened,
            Err(_) => Err(Trouble::Cut("the server does not answer".into())),
        }
    }
}

fn authorized<T>(message: T, token: &str) -> Result<Request<T>, Trouble> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}")
        .parse()
        .map_err(|_| Trouble::Over("the token is not one: it has strange characters".into()))?;
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}

macro_rules! calls {
    ($($service:ident { $($call:ident: $request:ident => $response:ident,)* })*) => {
        impl Calls {
            $($(pub(super) async fn $call(
                &self,
                request: crate::proto::$request,
            ) -> Result<crate::proto::$response, Trouble> {
                let mut again = Again::default();
                loop {
                    let call = async {
                        let token = self.sign_in.token(again.fresh_token).await?;
                        let request = authorized(request.clone(), &token)?;
                        let mut client = $service::new(self.channel.clone());
                        let answer = client.$call(request).await;
                        answer.map_err(|status| Trouble::of_status(&status))
                    };
                    let came = match tokio::time::timeout(CALL_TIMEOUT, call).await {
                        Ok(came) => came,
                        Err(_) => Err(Trouble::Cut("the server does not answer".into())),
                    };
                    match came {
                        Ok(response) => return Ok(response.into_inner()),
                        Err(trouble) => again.after(trouble).await?,
                    }
                }
            })*)*
        }
    };
}

calls! {
    ChatServiceClient {
        create_chat: CreateChatRequest => CreateChatResponse,
        get_chat: GetChatRequest => GetChatResponse,
        list_chats: ListChatsRequest => ListChatsResponse,
        list_messages: ListMessagesRequest => ListMessagesResponse,
    }
    UserServiceClient {
        block_user: BlockUserRequest => BlockUserResponse,
        unblock_user: UnblockUserRequest => UnblockUserResponse,
    }
}

/// Repeats a call for as long as that may help. All calls here are safe to repeat.
#[derive(Default)]
struct Again {
    backoff: Backoff,
    fresh_token: bool,
}

impl Again {
    /// Waits before the next attempt; an error where there should be none.
    async fn after(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        self.fresh_token = matches!(trouble, Trouble::Token(_));
        let pause = match trouble {
            Trouble::Over(_) => return Err(trouble),
            Trouble::Wait(pause, _) => about(pause, rand::random()),
            Trouble::Token(_) | Trouble::Cut(_) => self.backoff.pause(rand::random()),
        };
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
