//! One id by which a call or a stream is found: in the response, in errors, in the log.

use adda::proto::connect_request::Command;
use adda::proto::{self, ack};
use tonic_types::StatusExt as _;

use super::Watched;
use crate::world::{Api, Backends, Live, hello, message};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A request within a trace of its caller's, which is not recorded.
pub(super) fn in_trace<T>(request: T, trace: &str, sampled: bool) -> tonic::Request<T> {
    let mut request = tonic::Request::new(request);
    let parent = format!("00-{trace}-00f067aa0ba902b7-0{}", u8::from(sampled));
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    request
}

/// The id that an answer tells.
pub(super) fn told(metadata: &tonic::metadata::MetadataMap) -> String {
    metadata.get("adda-trace-id").expect("each answer tells it").to_str().unwrap().to_owned()
}

/// What the log says under an id, line by line.
fn lines(log: &str, id: &str) -> Vec<serde_json::Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines.filter(|line: &serde_json::Value| line["span"]["trace_id"] == id).collect()
}

async fn refused(api: &mut Api, trace: Option<&str>) -> (String, String) {
    let request = proto::GetChatRequest { chat_id: "nowhere".to_owned() };
    let request = match trace {
        Some(trace) => in_trace(request, trace, false),
        None => tonic::Request::new(request),
    };
    let status = api.get_chat(request).await.unwrap_err();
    let id = status.get_error_details().request_info().unwrap().request_id.clone();
    (id, told(status.metadata()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_is_told_is_found_in_the_log() {
    let flags = ["--log", "json", "--log-level", "debug"];
    let mut watched = Watched::start(Backends::Sqlite, &flags).await.unwrap();
    let mut api = watched.api("alice").await;

    let (id, header) = refused(&mut api, Some(TRACE)).await;
    assert_eq!((id.as_str(), header.as_str()), (TRACE, TRACE), "the caller's");
    let (drawn, header) = refused(&mut api, None).await;
    assert_eq!(drawn, header);
    assert!(drawn.len() == 32 && drawn.chars().all(|c| c.is_ascii_hexdigit()), "{drawn}");
    let (nonsense, _) = refused(&mut api, Some("nonsense")).await;
    assert!(nonsense.len() == 32 && nonsense != drawn && nonsense != TRACE);
    let good = api.list_chats(proto::ListChatsRequest::default()).await.unwrap();
    let good = told(good.metadata());

    let mut live = watched.connect("alice", "phone").await;
    let errors = ["m1", "m2"].map(|id| message("nowhere", id, "the-needle"));
    let mut of_stream = Vec::new();
    for send in errors {
        let ack::Result::Error(error) = live.ask(Command::MessageSend(send)).await else {
            panic!()
        };
        of_stream.push(error.request_id);
    }
    assert_eq!(of_stream[0], of_stream[1], "a stream has one");
    drop(live);
    watched.server.leave().await;

    let log = watched.server.log();
    for id in [TRACE, &drawn, &nonsense] {
        let lines = lines(&log, id);
        assert!(lines.iter().any(|line| line["reason"] == "CHAT_NOT_FOUND"), "{id}: {lines:?}");
        assert!(lines.iter().all(|line| line["span"]["method"] == "GetChat"), "{lines:?}");
    }
    assert!(lines(&log, &good).iter().any(|line| line["outcome"] == "OK"));
    let of_stream = lines(&log, &of_stream[0]);
    for message in ["a stream opens", "refused", "a stream ends"] {
        assert!(of_stream.iter().any(|line| line["message"] == message), "{message}");
    }
    assert!(!log.contains("needle"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_is_logged_under_the_id_whatever_the_level() {
    let flags = ["--log", "json", "--log-level", "error"];
    let mut watched = Watched::start(Backends::Sqlite, &flags).await.unwrap();
    let mut api = watched.api("alice").await;
    // The table is taken away under the node: a damaged store.
    let path = watched.server.store().strip_prefix("sqlite:").unwrap().to_owned();
    let damage = rusqlite::Connection::open(path).unwrap();
    damage.execute_batch("DROP TABLE members").unwrap();
    let status = api.list_chats(proto::ListChatsRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Internal);
    let id = status.get_error_details().request_info().unwrap().request_id.clone();
    assert_eq!(id, told(status.metadata()));
    let hello = Live::open(api, hello("phone")).await.err().expect("the store is needed");
    let of_stream = hello.get_error_details().request_info().unwrap().request_id.clone();
    watched.server.leave().await;
    let log = watched.server.log();
    for id in [id, of_stream] {
        let lines = lines(&log, &id);
        assert!(lines.iter().any(|line| line["reason"] == "INTERNAL"), "{id}: {log}");
    }
}
