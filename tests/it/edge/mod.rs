//! The port, by real clients: what gets in, what does not, and what it is told. Here: the
//! server they call, with a service that has no rules, and how they call it.

mod calls;
mod page;
mod port;

use std::sync::Arc;
use std::time::Duration;

use adda::auth::{Caller, Verifier};
use adda::clock::SystemClock;
use adda::config::{Cli, Command, Config, DEV_SECRET};
use adda::proto;
use adda::rpc::generated::chat_service_server::ChatService;
use adda::server::{self, Edge, Readiness, Running};
use adda::trace::TraceId;
use adda::vital::Vital;
use adda::wire::EncodedFrame;
use clap::Parser;
use futures_util::stream::{self, BoxStream};
use prost::Message;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The first frame of the stub's streams, as it is on the wire.
const HEARTBEAT: [u8; 4] = [10, 2, 50, 0];

/// Answers with nothing; `GetChat` with who called, `ListChats` never.
struct Stub;

macro_rules! stub {
    ($($call:ident: $request:ident => $response:ident,)*) => {
        #[async_trait::async_trait]
        impl ChatService for Stub {
            type ConnectStream = BoxStream<'static, Result<EncodedFrame, Status>>;
            type SubscribeStream = BoxStream<'static, Result<EncodedFrame, Status>>;

            async fn connect(
                &self,
                _: tonic::Request<tonic::Streaming<proto::ConnectRequest>>,
            ) -> Result<tonic::Response<Self::ConnectStream>, Status> {
                Ok(tonic::Response::new(Box::pin(stream::pending())))
            }

            async fn subscribe(
                &self,
                _: tonic::Request<proto::SubscribeRequest>,
            ) -> Result<tonic::Response<Self::SubscribeStream>, Status> {
                let beat = proto::Heartbeat { background: None };
                let frame = EncodedFrame::of(proto::server_frame::Frame::Heartbeat(beat));
                let frames = stream::iter([Ok(frame)]);
                Ok(tonic::Response::new(Box::pin(stream::StreamExt::chain(frames, stream::pending()))))
            }

            async fn get_chat(
                &self,
                request: tonic::Request<proto::GetChatRequest>,
            ) -> Result<tonic::Response<proto::GetChatResponse>, Status> {
                let caller = request.extensions().get::<Caller>().unwrap();
                assert!(request.metadata().get("authorization").is_none());
                assert_ne!(TraceId::of(request.extensions()).to_string(), "0".repeat(32));
                let chat_id = caller.user.to_string();
                let chat = Some(proto::Chat { chat_id, ..Default::default() });
                Ok(tonic::Response::new(proto::GetChatResponse { chat }))
            }

            async fn list_chats(
                &self,
                _: tonic::Request<proto::ListChatsRequest>,
            ) -> Result<tonic::Response<proto::ListChatsResponse>, Status> {
                std::future::pending().await
            }

            $(async fn $call(
                &self,
                _: tonic::Request<proto::$request>,
            ) -> Result<tonic::Response<proto::$response>, Status> {
                Ok(tonic::Response::new(proto::$response::default()))
            })*
        }
    };
}

stub! {
    send_message: SendMessageRequest => SendMessageResponse,
    ack_delivered: AckDeliveredRequest => AckDeliveredResponse,
    ack_read: AckReadRequest => AckReadResponse,
    mark_message_read: MarkMessageReadRequest => MarkMessageReadResponse,
    mark_chat_read: MarkChatReadRequest => MarkChatReadResponse,
    set_typing: SetTypingRequest => SetTypingResponse,
    join_chat: JoinChatRequest => JoinChatResponse,
    leave_chat: LeaveChatRequest => LeaveChatResponse,
    heartbeat: HeartbeatRequest => HeartbeatResponse,
    create_chat: CreateChatRequest => CreateChatResponse,
    list_messages: ListMessagesRequest => ListMessagesResponse,
    edit_message: EditMessageRequest => EditMessageResponse,
    delete_message: DeleteMessageRequest => DeleteMessageResponse,
    add_reaction: AddReactionRequest => AddReactionResponse,
    remove_reaction: RemoveReactionRequest => RemoveReactionResponse,
    search_messages: SearchMessagesRequest => SearchMessagesResponse,
    list_members: ListMembersRequest => ListMembersResponse,
    update_chat: UpdateChatRequest => UpdateChatResponse,
    add_members: AddMembersRequest => AddMembersResponse,
    remove_member: RemoveMemberRequest => RemoveMemberResponse,
    set_member_role: SetMemberRoleRequest => SetMemberRoleResponse,
    leave_group: LeaveGroupRequest => LeaveGroupResponse,
    delete_chat: DeleteChatRequest => DeleteChatResponse,
    set_chat_settings: SetChatSettingsRequest => SetChatSettingsResponse,
}

/// A server of the edge alone.
struct Server {
    running: Running,
    readiness: watch::Sender<Readiness>,
    stop: CancellationToken,
    scheme: &'static str,
}

impl Server {
    async fn start(line: &[&str]) -> Self {
        let line = ["adda", "serve", "--listen", "127.0.0.1:0"].iter().chain(line);
        let Command::Serve(args) = Cli::try_parse_from(line).unwrap().command else { panic!() };
        let config = Config::check(&args, |_| None).unwrap();
        let clock = Arc::new(SystemClock);
        let verifier = Arc::new(Verifier::open(&config.tokens, clock.clone()).await.unwrap());
        let (sender, readiness) = watch::channel(Readiness::READY);
        let edge = Edge { verifier, clock, readiness, vital: Vital::default(), files: None };
        let stop = CancellationToken::new();
        let bound = server::bind(config.listen).unwrap();
        let running = bound.serve(&config, edge, server::routes(Arc::new(Stub)), stop.clone());
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        Self { running, readiness: sender, stop, scheme }
    }

    async fn dev() -> Self {
        Self::start(&["--dev"]).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.running.addr)
    }

    async fn token(&self) -> String {
        let who = json!({"user": "alice", "name": "Alice"});
        let answer = client(false).post(self.url("/dev/token")).json(&who).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["expires_at"].as_str().unwrap().ends_with('Z'));
        answer["token"].as_str().unwrap().to_owned()
    }

    /// A call of `ChatService`, native or over gRPC-Web on HTTP/1.1.
    fn call(&self, web: bool, method: &str, body: Vec<u8>) -> RequestBuilder {
        let path = format!("/adda.v1.ChatService/{method}");
        self.raw(web, &path, body)
    }

    fn raw(&self, web: bool, path: &str, body: Vec<u8>) -> RequestBuilder {
        let kind = if web { "application/grpc-web+proto" } else { "application/grpc+proto" };
        client(!web)
            .post(self.url(path))
            .header("content-type", kind)
            .header("te", "trailers")
            .body(body)
    }
}

fn client(h2: bool) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().no_proxy().timeout(Duration::from_secs(20));
    if h2 { builder.http2_prior_knowledge() } else { builder }.build().unwrap()
}

fn framed(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).unwrap();
    [&[0], &len.to_be_bytes()[..], message].concat()
}

/// The Status of an answer without a message, and its reason.
async fn refusal(request: RequestBuilder) -> (Code, String) {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let status = Status::from_header_map(response.headers()).expect("a Status in the headers");
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no reason: {status:?}"));
    assert_eq!(info.domain, "adda");
    assert_eq!(details.request_info().unwrap().request_id.len(), 32);
    (status.code(), info.reason.clone())
}

/// The first message of an answer.
async fn message<M: Message + Default>(response: Response) -> M {
    assert!(Status::from_header_map(response.headers()).is_none_or(|s| s.code() == Code::Ok));
    let body = response.bytes().await.unwrap();
    let len = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
    M::decode(&body[5..5 + len]).unwrap()
}
