//! Files for messages: both ways in, the way out, what is refused, what goes.

mod buckets;
mod get;
mod gone;
mod memory;
mod parts;
mod refused;
mod send;
mod slow;
mod sweep;

use std::io::Cursor;
use std::net::SocketAddr;

use adda::proto::attachment_service_client::AttachmentServiceClient;
use adda::proto::upload_attachment_request::Piece;
use adda::proto::{self, UploadAttachmentRequest};
use image::{ImageFormat, Rgb, RgbImage};
use reqwest::{Method, RequestBuilder, Response};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use crate::world::{Bearer, PATIENCE, Refusal, World, eventually, token};

/// What no member is to learn from a picture.
const SECRET: &[u8] = b"52.2297N 21.0122E";

/// Bytes of a part.
const PART: usize = 8 << 20;

/// The files of a user at a node.
struct Files {
    api: AttachmentServiceClient<InterceptedService<Channel, Bearer>>,
    http: reqwest::Client,
    addr: SocketAddr,
}

impl Files {
    async fn at(addr: SocketAddr, user: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let channel = Endpoint::from_shared(format!("http://{addr}")).unwrap().connect().await;
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let bearer = Bearer(token(user));
        let api = AttachmentServiceClient::with_interceptor(channel.unwrap(), bearer);
        Self { api, http, addr }
    }

    async fn of(world: &World, user: &str) -> Self {
        Self::at(world.addr(0), user).await
    }

    /// Uploads by a stream of gRPC.
    async fn upload(
        &mut self,
        name: &str,
        bytes: &[u8],
    ) -> Result<proto::Attachment, tonic::Status> {
        let description = describe(name, bytes.len());
        self.upload_as(description, bytes).await
    }

    async fn upload_as(
        &mut self,
        description: proto::UploadDescription,
        bytes: &[u8],
    ) -> Result<proto::Attachment, tonic::Status> {
        let mut pieces = vec![piece(Piece::Description(description))];
        pieces.extend(bytes.chunks(60_000).map(|data| piece(Piece::Data(data.to_vec()))));
        let answer = self.api.upload_attachment(tokio_stream::iter(pieces)).await?;
        Ok(answer.into_inner().attachment.unwrap())
    }

    /// Opens an upload by HTTP.
    async fn create(&mut self, name: &str, size: usize) -> proto::CreateUploadResponse {
        let request = proto::CreateUploadRequest { description: Some(describe(name, size)) };
        self.api.create_upload(request).await.unwrap().into_inner()
    }

    fn http(&self, method: Method, path: &str) -> RequestBuilder {
        assert!(path.starts_with('/'), "from the root of the server: {path}");
        self.http.request(method, format!("http://{}{path}", self.addr))
    }

    async fn put(&self, url: &str, bytes: &[u8]) -> Response {
        self.http(Method::PUT, url).body(bytes.to_vec()).send().await.unwrap()
    }

    /// Uploads by HTTP, whole.
    async fn put_whole(&mut self, name: &str, bytes: &[u8]) -> (String, Response) {
        let opened = self.create(name, bytes.len()).await;
        let answer = self.put(&opened.upload_url, bytes).await;
        (opened.attachment_id, answer)
    }

    async fn get(&self, url: &str) -> Response {
        self.http(Method::GET, url).send().await.unwrap()
    }

    async fn bytes(&self, url: &str) -> Vec<u8> {
        let answer = self.get(url).await;
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap().to_vec()
    }

    /// Asks for a file.
    async fn ask(&mut self, id: &str, chat: &str) -> Result<proto::Attachment, tonic::Status> {
        let (attachment_id, chat_id) = (id.to_owned(), chat.to_owned());
        let request = proto::GetAttachmentRequest { attachment_id, chat_id };
        Ok(self.api.get_attachment(request).await?.into_inner().attachment.unwrap())
    }

    async fn refused(&mut self, id: &str, chat: &str) -> String {
        Refusal::from(self.ask(id, chat).await).reason
    }
}

/// The id of a file that a user has uploaded, which no message has yet.
pub(crate) async fn uploaded(world: &World, user: &str, bytes: &[u8]) -> String {
    Files::of(world, user).await.upload("file", bytes).await.unwrap().attachment_id
}

fn piece(piece: Piece) -> UploadAttachmentRequest {
    UploadAttachmentRequest { piece: Some(piece) }
}

fn describe(name: &str, size: usize) -> proto::UploadDescription {
    proto::UploadDescription {
        file_name: name.to_owned(),
        content_type: String::new(),
        size_bytes: u32::try_from(size).unwrap(),
    }
}

/// A picture, 600 by 400.
fn picture(format: ImageFormat) -> Vec<u8> {
    let part = |at: u32| u8::try_from(at / 3).unwrap();
    let color = |x: u32, y: u32| Rgb([part(x), part(y), 90]);
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_fn(600, 400, color).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The same as a JPEG that is to be shown turned, and tells where it was taken.
fn photograph() -> Vec<u8> {
    let plain = picture(ImageFormat::Jpeg);
    let tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let exif = [b"Exif\0\0", &tiff[..], SECRET].concat();
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], &[0xff, 0xe1], &length, &exif, &plain[2..]].concat()
}

/// A document of this size, which is no document.
fn pdf(size: usize) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    bytes.extend((bytes.len()..size).map(|at| u8::try_from(at % 251).unwrap()));
    bytes
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// What a refusal by HTTP says.
async fn reason(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let told: serde_json::Value = answer.json().await.unwrap();
    assert!(!told["message"].as_str().unwrap().is_empty());
    (status, told["reason"].as_str().unwrap().to_owned())
}

/// A send of files.
fn message(chat: &str, id: &str, text: &str, files: &[&str]) -> proto::MessageSend {
    let attachment_ids = files.iter().map(ToString::to_string).collect();
    proto::MessageSend { attachment_ids, ..crate::world::message(chat, id, text) }
}

async fn send(
    world: &World,
    user: &str,
    message: proto::MessageSend,
) -> Result<proto::SendOutcome, tonic::Status> {
    let request = proto::SendMessageRequest { message: Some(message) };
    let answer = world.api(user).await.send_message(request).await?;
    Ok(answer.into_inner().outcome.unwrap())
}

/// What is in the folder of attachments.
fn kept(world: &World) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(world.attachments()) else { return Vec::new() };
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

async fn nothing_is_kept(world: &World) {
    eventually("nothing is kept", async || kept(world).is_empty().then_some(())).await;
}
