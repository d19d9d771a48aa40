//! A browser's way: gRPC-Web over HTTP/1.1, its frames taken apart by hand.

use std::net::SocketAddr;

use prost::Message;
use reqwest::{Client, RequestBuilder, Response};
use tonic::{Code, Status};

use super::PATIENCE;

/// A page of one user.
pub(crate) struct Web {
    client: Client,
    addr: SocketAddr,
    /// Values of the header of this name, as they are.
    authorization: Vec<String>,
}

/// An answer that comes frame by frame.
#[derive(Debug)]
pub(crate) struct WebStream {
    response: Response,
    bytes: Vec<u8>,
}

/// What stands in the body of an answer.
#[derive(Debug)]
pub(crate) enum Part {
    Message(Vec<u8>),
    /// The last: headers, as they would have come behind the body.
    Trailers(Status),
}

impl Web {
    pub(crate) fn new(addr: SocketAddr, mut token: String) -> Self {
        token.insert_str(0, "Bearer ");
        Self::signed(addr, vec![token])
    }

    /// A page that says of itself what it likes.
    pub(crate) fn signed(addr: SocketAddr, authorization: Vec<String>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().http1_only().timeout(PATIENCE * 2);
        Self { client: client.build().unwrap(), addr, authorization }
    }

    fn post(&self, method: &str, message: &[u8]) -> RequestBuilder {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let (service, method) = method.split_once('/').unwrap_or(("ChatService", method));
        let request = self
            .client
            .post(format!("http://{}/adda.v1.{service}/{method}", self.addr))
            .header("content-type", "application/grpc-web+proto")
            .header("x-grpc-web", "1")
            .body([&[0], &length[..], message].concat());
        self.authorization
            .iter()
            .fold(request, |request, value| request.header("authorization", value))
    }

    /// A call that answers with frames.
    pub(crate) async fn stream(
        &self,
        method: &str,
        request: &impl Message,
    ) -> Result<WebStream, Status> {
        self.bytes(method, &request.encode_to_vec()).await
    }

    /// A call with any bytes for a request.
    pub(crate) async fn bytes(&self, method: &str, request: &[u8]) -> Result<WebStream, Status> {
        let response = self.post(method, request).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.version(), reqwest::Version::HTTP_11);
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("application/grpc-web"), "{kind}");
        match Status::from_header_map(response.headers()) {
            Some(status) if status.code() != Code::Ok => Err(status),
            _ => Ok(WebStream { response, bytes: Vec::new() }),
        }
    }

    /// A call that answers once.
    pub(crate) async fn call<M: Message + Default>(
        &self,
        method: &str,
        request: &impl Message,
    ) -> Result<M, Status> {
        let mut answer = self.stream(method, request).await?;
        let message = match answer.next().await.expect("an answer has a message or a Status") {
            Part::Trailers(status) => return Err(status),
            Part::Message(message) => M::decode(message.as_slice()).unwrap(),
        };
        match answer.next().await {
            Some(Part::Trailers(status)) if status.code() == Code::Ok => Ok(message),
            other => panic!("not the trailers, but {other:?}"),
        }
    }
}

impl WebStream {
    /// What comes next; `None` after the last.
    pub(crate) async fn next(&mut self) -> Option<Part> {
        loop {
            if let Some(part) = self.take() {
                return Some(part);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let Some(chunk) = chunk.expect("something comes").unwrap() else {
                assert!(self.bytes.is_empty(), "the last frame is cut short");
                return None;
            };
            self.bytes.extend_from_slice(&chunk);
        }
    }

    fn take(&mut self) -> Option<Part> {
        let (flags, rest) = self.bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        let (body, rest) = rest.split_at_checked(length)?;
        let part = match flags {
            0 => Part::Message(body.to_vec()),
            0x80 => Part::Trailers(trailers(body)),
            flags => panic!("a frame of flags {flags:#x}"),
        };
        self.bytes = rest.to_vec();
        Some(part)
    }
}

fn trailers(text: &[u8]) -> Status {
    let mut headers = http::HeaderMap::new();
    for line in std::str::from_utf8(text).unwrap().split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        headers.insert(name, value.trim().parse().unwrap());
    }
    Status::from_header_map(&headers).expect("trailers hold a Status")
}
