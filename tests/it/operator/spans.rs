//! Spans that reach a collector: whose they are, what they are within, and what they never hold.

use std::sync::Arc;

use adda::proto;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};

use super::Watched;
use super::traced::{in_trace, told};
use crate::world::{Backends, hello, message, request, send};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const OF_STREAM: &str = "0af7651916cd43dd8448eb211c80319c";

/// A collector that keeps everything.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.lock().push(request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// One that listens, and where.
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = TraceServiceServer::new(collector.clone());
        let serving = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        (collector, url)
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.0.lock();
        let scopes = requests.iter().flat_map(|request| &request.resource_spans);
        scopes.flat_map(|spans| &spans.scope_spans).flat_map(|s| s.spans.clone()).collect()
    }

    /// The spans of a trace.
    fn of(&self, trace: &str) -> Vec<Span> {
        let mut spans = self.spans();
        spans.retain(|span| hex(&span.trace_id) == trace);
        spans
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits =
        |byte: &u8| [byte >> 4, byte & 15].map(|d| char::from_digit(d.into(), 16).unwrap());
    bytes.iter().flat_map(digits).collect()
}

/// The only one of this name.
fn one<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let (Some(span), None) = (found.next(), found.next()) else {
        let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
        panic!("not one {name} among {names:?}");
    };
    span
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_is_followed_to_its_commit_in_sqlite() {
    a_send_is_followed_to_its_commit(Backends::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_is_followed_to_its_commit_in_mongodb() {
    a_send_is_followed_to_its_commit(Backends::MongoRedis).await;
}

async fn a_send_is_followed_to_its_commit(backends: Backends) {
    let (collector, url) = Collector::start().await;
    let flags = ["--otlp", &url, "--otlp-sample", "0"];
    let Some(mut watched) = Watched::start(backends, &flags).await else { return };
    let chat = watched.direct("alice", "bob").await;
    let mut api = watched.api("alice").await;
    send(&mut api, &chat, "m0", "nobody follows this").await;
    let body = proto::SendMessageRequest { message: Some(message(&chat, "m1", "the-needle")) };
    let answer = api.send_message(in_trace(body, TRACE, true)).await.unwrap();
    assert_eq!(told(answer.metadata()), TRACE);

    // The same on a stream, and a command that is refused.
    let (up, requests) = tokio::sync::mpsc::channel(8);
    let hello = proto::connect_request::Command::Hello(hello("her-phone"));
    let command = |id, text| {
        let send = message(&chat, id, text);
        request(id, Some(proto::connect_request::Command::MessageSend(send)))
    };
    let nowhere = proto::JoinChat { chat_id: "nowhere".to_owned() };
    let join = proto::connect_request::Command::JoinChat(nowhere);
    for first in [request("", Some(hello)), command("m2", "needle"), request("j", Some(join))] {
        up.send(first).await.unwrap();
    }
    let stream = in_trace(ReceiverStream::new(requests), OF_STREAM, true);
    let answer = api.connect(stream).await.unwrap();
    assert_eq!(told(answer.metadata()), OF_STREAM);
    let mut down = answer.into_inner();
    drop(up);
    while down.message().await.unwrap().is_some() {}
    watched.server.leave().await;

    let spans = collector.of(TRACE);
    let call = one(&spans, "SendMessage");
    assert_eq!(hex(&call.parent_span_id), "00f067aa0ba902b7");
    let append = one(&spans, "store.append");
    assert_eq!(append.parent_span_id, call.span_id);
    assert_eq!(one(&spans, "store.flush").parent_span_id, append.span_id);
    assert!(append.end_time_unix_nano <= call.end_time_unix_nano);

    let spans = collector.of(OF_STREAM);
    let command = one(&spans, "message_send");
    assert_eq!(command.parent_span_id, one(&spans, "Connect").span_id);
    assert_eq!(one(&spans, "store.append").parent_span_id, command.span_id);
    let refused = one(&spans, "join_chat");
    assert!(format!("{refused:?}").contains("CHAT_NOT_FOUND"));

    let traces = collector.spans().into_iter().map(|span| hex(&span.trace_id));
    assert!(traces.into_iter().all(|trace| trace == TRACE || trace == OF_STREAM), "no others");
    let all = format!("{:?}", collector.0.lock());
    for secret in ["needle", "alice", "bob", "her-phone", &chat, "m1", "eyJ"] {
        assert!(!all.contains(secret), "{secret} is in a span");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_is_recorded_of_those_who_do_not_ask() {
    let (collector, url) = Collector::start().await;
    let flags = ["--otlp", &url, "--otlp-sample", "1"];
    let mut watched = Watched::start(Backends::Sqlite, &flags).await.unwrap();
    let mut api = watched.api("alice").await;
    let answer = api.list_chats(proto::ListChatsRequest::default()).await.unwrap();
    let id = told(answer.metadata());
    let declined = in_trace(proto::ListChatsRequest::default(), TRACE, false);
    api.list_chats(declined).await.unwrap();
    watched.server.leave().await;
    assert!(one(&collector.of(&id), "ListChats").parent_span_id.is_empty());
    assert!(collector.of(TRACE).is_empty(), "the caller decides");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_nothing_but_spans() {
    let url = format!("http://127.0.0.1:{}", crate::infra::process::free_port());
    let flags = ["--otlp", &url, "--otlp-sample", "1"];
    let mut watched = Watched::start(Backends::Sqlite, &flags).await.unwrap();
    let chat = watched.direct("alice", "bob").await;
    let mut api = watched.api("alice").await;
    for at in 0..20 {
        send(&mut api, &chat, &format!("m{at}"), "hello").await;
    }
    watched.server.leave().await;
}
