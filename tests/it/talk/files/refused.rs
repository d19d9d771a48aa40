//! Uploads that are refused: nothing of them is kept, by either way in.

use adda::proto::upload_attachment_request::Piece;
use adda::proto::{self, UploadAttachmentRequest};
use image::ImageFormat;

use super::{Files, describe, kept, nothing_is_kept, pdf, picture, piece, reason};
use crate::on_both_backends;
use crate::world::{Refusal, World};

on_both_backends! {
    who_lies_about_what_a_file_is_is_refused,
    pictures_that_are_none_are_refused,
    what_has_another_size_than_was_said_is_refused,
    a_description_is_checked,
    an_upload_is_a_description_and_then_bytes,
    who_has_too_many_uploads_opens_no_more,
    what_breaks_leaves_nothing,
}

mod off {
    use super::without_attachments_there_are_none;
    crate::on_both_backends! {
        with &["--attachments", "off"]; without_attachments_there_are_none,
    }
}

mod small {
    use super::the_operator_says_how_large_a_file_may_be;
    crate::on_both_backends! {
        with &["--max-attachment-bytes", "100"]; the_operator_says_how_large_a_file_may_be,
    }
}

/// Refused by both ways for this reason, and nothing is kept.
async fn refused(world: &World, name: &str, bytes: &[u8], want: &str) {
    let mut files = Files::of(world, "mallory").await;
    let by_grpc = Refusal::from(files.upload(name, bytes).await);
    assert_eq!(by_grpc.reason, want, "{name}");
    let (id, answer) = files.put_whole(name, bytes).await;
    let (status, by_http) = reason(answer).await;
    assert!((400..500).contains(&status) && by_http == want, "{name}: {status} {by_http}");
    assert_eq!(files.refused(&id, "").await, "ATTACHMENT_NOT_FOUND");
    nothing_is_kept(world).await;
}

async fn who_lies_about_what_a_file_is_is_refused(world: World) {
    let elf = std::fs::read("/proc/self/exe").unwrap();
    let html = b"<!DOCTYPE html><script>alert(document.domain)</script>";
    let mut padded = vec![b' '; 10_000];
    padded.extend_from_slice(html);
    for (name, bytes) in [
        ("page.png", &html[..]),
        ("padded.txt", &padded),
        ("drawing.png", b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>"),
        ("drawing.xml", b"<?xml version=\"1.0\"?>\n<svg/>"),
        ("program.png", &elf[..2_000_000.min(elf.len())]),
        ("script.txt", b"#!/bin/sh\nrm -rf /\n"),
        ("text.txt", b"it begins as text \0 and ends as none"),
        ("noise", &[0x93; 500]),
    ] {
        refused(&world, name, bytes, "ATTACHMENT_TYPE_REFUSED").await;
    }
    let mut files = Files::of(&world, "mallory").await;
    let claims = proto::UploadDescription {
        content_type: "image/png".to_owned(),
        ..describe("a.png", html.len())
    };
    let lie = Refusal::from(files.upload_as(claims, html).await);
    assert_eq!((lie.code, lie.retry), (tonic::Code::InvalidArgument, false));
    // What it is called does not matter to what it is.
    let honest = files.upload("page.html", &picture(ImageFormat::Gif)).await.unwrap();
    assert_eq!(honest.content_type, "image/gif");
}

async fn pictures_that_are_none_are_refused(world: World) {
    let huge = {
        let mut bytes = picture(ImageFormat::Png);
        bytes[16..20].copy_from_slice(&50_000_u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&50_000_u32.to_be_bytes());
        bytes
    };
    refused(&world, "huge.png", &huge, "FIELD_INVALID").await;
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
        let whole = picture(format);
        let cut = &whole[..whole.len() * 2 / 3];
        refused(&world, "cut", cut, "ATTACHMENT_TYPE_REFUSED").await;
    }
    // One that only a decoder finds wanting is a file all the same, without a preview.
    let mut noise = picture(ImageFormat::Png);
    let middle = noise.len() / 2;
    noise[middle..middle + 16].fill(0x55);
    let mut files = Files::of(&world, "alice").await;
    let broken = files.upload("noise.png", &noise).await.unwrap();
    assert_eq!(
        (broken.width, broken.blurhash.as_str(), broken.thumbnail_url.as_str()),
        (600, "", "")
    );
}

async fn what_has_another_size_than_was_said_is_refused(world: World) {
    let mut files = Files::of(&world, "alice").await;
    let bytes = pdf(200_000);
    for said in [bytes.len() - 1, bytes.len() + 1, 1, 9_000_000] {
        let refused = Refusal::from(files.upload_as(describe("a", said), &bytes).await);
        assert_eq!(refused.what(), ("FIELD_INVALID", "description.size_bytes"), "{said}");
    }
    for said in [bytes.len() - 1, bytes.len() + 1] {
        let opened = files.create("a", said).await;
        let (status, why) = reason(files.put(&opened.upload_url, &bytes).await).await;
        assert_eq!((status, why.as_str()), (400, "FIELD_INVALID"));
    }
    nothing_is_kept(&world).await;
}

async fn a_description_is_checked(world: World) {
    let mut files = Files::of(&world, "alice").await;
    let long = "ক".repeat(86);
    for (description, field) in [
        (describe("a", 0), "description.size_bytes"),
        (describe("a", 25_000_001), "description.size_bytes"),
        (describe("", 1), "description.file_name"),
        (describe("a/", 1), "description.file_name"),
        (describe("a\\..", 1), "description.file_name"),
        (describe("\u{200b}\n", 1), "description.file_name"),
        (describe(&long, 1), "description.file_name"),
    ] {
        let request = proto::CreateUploadRequest { description: Some(description.clone()) };
        let by_http = Refusal::from(files.api.create_upload(request).await);
        assert_eq!(by_http.what(), ("FIELD_INVALID", field));
        let by_grpc = Refusal::from(files.upload_as(description, b"").await);
        assert_eq!(by_grpc.what(), ("FIELD_INVALID", field));
    }
    let none = Refusal::from(files.api.create_upload(proto::CreateUploadRequest::default()).await);
    assert_eq!(none.what(), ("FIELD_INVALID", "description"));
    let named = files.upload("C:\\fotos\\\u{202e}gpj.exe", &pdf(50)).await.unwrap();
    assert_eq!(named.file_name, "gpj.exe");
}

async fn an_upload_is_a_description_and_then_bytes(world: World) {
    let mut files = Files::of(&world, "alice").await;
    let description = || piece(Piece::Description(describe("a", 50)));
    let data = || piece(Piece::Data(pdf(50)));
    let nothing = UploadAttachmentRequest { piece: None };
    for (pieces, field) in [
        (vec![], "description"),
        (vec![data()], "description"),
        (vec![nothing.clone()], "description"),
        (vec![description(), description()], "description"),
        (vec![description(), nothing], "data"),
        (vec![description(), piece(Piece::Data(Vec::new()))], "data"),
        (vec![description(), data(), data()], "description.size_bytes"),
    ] {
        let refused = files.api.upload_attachment(tokio_stream::iter(pieces)).await;
        assert_eq!(Refusal::from(refused).what(), ("FIELD_INVALID", field));
    }
    nothing_is_kept(&world).await;
}

async fn who_has_too_many_uploads_opens_no_more(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let first = files.upload("a", &pdf(50)).await.unwrap().attachment_id;
    for _ in 1..50 {
        files.create("a", 50).await;
    }
    let request = proto::CreateUploadRequest { description: Some(describe("a", 50)) };
    let refused = Refusal::from(files.api.create_upload(request).await);
    assert_eq!((refused.reason.as_str(), refused.limit()), ("TOO_MANY_UPLOADS", Some("50")));
    assert_eq!(Refusal::from(files.upload("a", &pdf(50)).await).reason, "TOO_MANY_UPLOADS");
    Files::of(&world, "bob").await.create("a", 50).await;
    super::send(&world, "alice", super::message(&chat, "m", "", &[&first])).await.unwrap();
    files.create("a", 50).await;
}

async fn what_breaks_leaves_nothing(world: World) {
    let mut files = Files::of(&world, "alice").await;
    let (to, pieces) = tokio::sync::mpsc::channel(64);
    to.send(piece(Piece::Description(describe("a", 5_000_000)))).await.unwrap();
    for data in pdf(3_000_000).chunks(60_000) {
        to.send(piece(Piece::Data(data.to_vec()))).await.unwrap();
        if to.capacity() < 32 {
            break;
        }
    }
    let mut api = files.api.clone();
    let call = tokio::spawn(async move {
        let pieces = tokio_stream::wrappers::ReceiverStream::new(pieces);
        api.upload_attachment(pieces).await
    });
    for data in pdf(3_000_000).chunks(60_000) {
        to.send(piece(Piece::Data(data.to_vec()))).await.unwrap();
    }
    crate::world::eventually("it has begun", async || (!kept(&world).is_empty()).then_some(()))
        .await;
    call.abort();
    drop(to);
    nothing_is_kept(&world).await;
    // By HTTP it can be begun again.
    let bytes = pdf(2_500_000);
    let opened = files.create("a", bytes.len()).await;
    cut_put(&world, &opened.upload_url, &bytes[..1_500_000], bytes.len(), None).await;
    nothing_is_kept(&world).await;
    assert_eq!(files.put(&opened.upload_url, &bytes).await.status(), 201);
    assert_eq!(files.put(&opened.upload_url, &bytes).await.status(), 201, "again is harmless");
}

/// A PUT that breaks after these bytes.
pub(super) async fn cut_put(
    world: &World,
    url: &str,
    bytes: &[u8],
    length: usize,
    range: Option<&str>,
) {
    use tokio::io::AsyncWriteExt as _;
    let mut socket = tokio::net::TcpStream::connect(world.addr(0)).await.unwrap();
    let range = range.map(|range| format!("content-range: {range}\r\n")).unwrap_or_default();
    let head = format!("PUT {url} HTTP/1.1\r\nhost: a\r\n{range}content-length: {length}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    socket.flush().await.unwrap();
    crate::world::eventually("it has begun", async || (!kept(world).is_empty()).then_some(()))
        .await;
}

async fn without_attachments_there_are_none(world: World) {
    let chat = world.direct("alice", "bob").await;
    let live = world.connect("alice", "phone").await;
    assert_eq!(live.ready.limits.unwrap().max_attachment_bytes, 0);
    let mut files = Files::of(&world, "alice").await;
    let request = proto::CreateUploadRequest { description: Some(describe("a", 50)) };
    let created = Refusal::from(files.api.create_upload(request).await);
    let uploaded = Refusal::from(files.upload("a", &pdf(50)).await);
    let got = Refusal::from(files.ask(&crate::world::unique(), "").await);
    let draft = super::message(&chat, "m", "", &[&crate::world::unique()]);
    let sent = Refusal::from(super::send(&world, "alice", draft).await);
    for refused in [created, uploaded, got, sent] {
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (tonic::Code::Unimplemented, "NOT_CONFIGURED")
        );
    }
    assert_eq!(reason(files.get("/files/AAAA").await).await, (501, "NOT_CONFIGURED".to_owned()));
    super::send(&world, "alice", super::message(&chat, "m", "hello", &[])).await.unwrap();
}

async fn the_operator_says_how_large_a_file_may_be(world: World) {
    let live = world.connect("alice", "phone").await;
    assert_eq!(live.ready.limits.unwrap().max_attachment_bytes, 100);
    let mut files = Files::of(&world, "alice").await;
    files.upload("a", &pdf(100)).await.unwrap();
    let refused = Refusal::from(files.upload("a", &pdf(101)).await);
    assert_eq!(
        (refused.what(), refused.limit()),
        (("FIELD_INVALID", "description.size_bytes"), Some("100"))
    );
}
