//! Uploads by HTTP, whole and in parts.

use reqwest::{Method, Response};

use super::refused::cut_put;
use super::{Files, PART, message, pdf, picture, reason, send};
use crate::on_both_backends;
use crate::world::{World, eventually, history};

on_both_backends! {
    a_file_goes_by_one_put,
    parts_go_in_order_and_a_cut_one_is_taken_up,
    a_part_that_is_none_is_refused,
    parts_that_make_no_file_are_refused_together,
    a_link_that_was_changed_is_none,
}

mod pages {
    use super::a_page_may_upload;
    crate::on_both_backends! {
        with &["--cors-origin", "https://app.example"]; a_page_may_upload,
    }
}

async fn put_part(files: &Files, url: &str, bytes: &[u8], part: usize) -> Response {
    let first = part * PART;
    let last = bytes.len().min(first + PART) - 1;
    files
        .http(Method::PUT, url)
        .header("content-range", format!("bytes {first}-{last}/{}", bytes.len()))
        .body(bytes[first..=last].to_vec())
        .send()
        .await
        .unwrap()
}

async fn offset(files: &Files, url: &str) -> usize {
    let answer = files.http(Method::HEAD, url).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    answer.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
}

async fn a_file_goes_by_one_put(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let text = "কেমন আছ?\n".repeat(1000);
    let opened = files.create("চিঠি.txt", text.len()).await;
    assert_eq!(opened.part_bytes as usize, PART);
    assert_eq!(offset(&files, &opened.upload_url).await, 0);
    let answer = files.put(&opened.upload_url, text.as_bytes()).await;
    assert_eq!(answer.status(), 201);
    assert_eq!(offset(&files, &opened.upload_url).await, text.len());
    send(&world, "alice", message(&chat, "m", "", &[&opened.attachment_id])).await.unwrap();
    let seen = history(&mut world.api("bob").await, &chat).await.remove(0).attachments.remove(0);
    assert_eq!((seen.file_name.as_str(), seen.content_type.as_str()), ("চিঠি.txt", "text/plain"));
    assert_eq!(files.bytes(&seen.url).await, text.as_bytes());
}

async fn parts_go_in_order_and_a_cut_one_is_taken_up(mut world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let bytes = pdf(2 * PART + 1_234_567);
    let opened = files.create("a.pdf", bytes.len()).await;
    let url = &opened.upload_url;
    assert_eq!(put_part(&files, url, &bytes, 0).await.status(), 204);
    assert_eq!(offset(&files, url).await, PART);
    let range = format!("bytes {PART}-{}/{}", 2 * PART - 1, bytes.len());
    cut_put(&world, url, &bytes[PART..PART + 3_000_000], PART, Some(&range)).await;
    assert_eq!(offset(&files, url).await, PART, "what was cut is not there");
    // What is there already may come again.
    assert_eq!(put_part(&files, url, &bytes, 0).await.status(), 204);
    // Another node goes on where this one was.
    let other = if world.has_several_nodes() { world.add_node(&[]).await } else { 0 };
    let elsewhere = Files::at(world.addr(other), "alice").await;
    assert_eq!(put_part(&elsewhere, url, &bytes, 1).await.status(), 204);
    assert_eq!(put_part(&files, url, &bytes, 2).await.status(), 201);
    assert_eq!(put_part(&files, url, &bytes, 2).await.status(), 201, "again is harmless");
    assert_eq!(offset(&files, url).await, bytes.len());
    send(&world, "alice", message(&chat, "m", "", &[&opened.attachment_id])).await.unwrap();
    let seen = history(&mut world.api("bob").await, &chat).await.remove(0).attachments.remove(0);
    assert_eq!(seen.size_bytes as usize, bytes.len());
    assert!(elsewhere.bytes(&seen.url).await == bytes, "byte by byte");
    // Parts do not stay beside the file.
    let file = world.attachments().join(&opened.attachment_id);
    eventually("the parts go", async || {
        (std::fs::read_dir(&file).unwrap().count() == 1).then_some(())
    })
    .await;
}

async fn a_part_that_is_none_is_refused(world: World) {
    let mut files = Files::of(&world, "alice").await;
    let bytes = pdf(PART + 10);
    let url = files.create("a", bytes.len()).await.upload_url;
    let size = bytes.len();
    for range in [
        format!("bytes 1-{PART}/{size}"),
        format!("bytes 0-{}/{size}", PART - 2),
        format!("bytes 0-{}/{}", PART - 1, size + 1),
        format!("bytes {PART}-{}/{size}", size - 1),
        format!("bytes {}-{}/{size}", 2 * PART, 2 * PART),
        "bytes 0-99999999999999999999/5".to_owned(),
        "bytes */5".to_owned(),
        "lines 1-2/5".to_owned(),
    ] {
        let put = files.http(Method::PUT, &url).header("content-range", &range);
        let answer = put.body(bytes[..10].to_vec()).send().await.unwrap();
        assert_eq!(reason(answer).await, (400, "FIELD_INVALID".to_owned()), "{range}");
    }
    let whole = files.put(&url, &bytes).await;
    assert_eq!(reason(whole).await, (400, "FIELD_INVALID".to_owned()), "too large for one PUT");
    assert_eq!(offset(&files, &url).await, 0, "it is as it was");
    assert_eq!(put_part(&files, &url, &bytes, 0).await.status(), 204);
    assert_eq!(put_part(&files, &url, &bytes, 1).await.status(), 201);
}

async fn parts_that_make_no_file_are_refused_together(world: World) {
    let mut files = Files::of(&world, "alice").await;
    let mut bytes = picture(image::ImageFormat::Png);
    bytes.truncate(bytes.len() - 20);
    bytes.resize(PART + 100, 0x41);
    let opened = files.create("a.png", bytes.len()).await;
    assert_eq!(put_part(&files, &opened.upload_url, &bytes, 0).await.status(), 204);
    let last = put_part(&files, &opened.upload_url, &bytes, 1).await;
    assert_eq!(reason(last).await, (415, "ATTACHMENT_TYPE_REFUSED".to_owned()));
    super::nothing_is_kept(&world).await;
    let gone = put_part(&files, &opened.upload_url, &bytes, 0).await;
    assert_eq!(reason(gone).await, (404, "ATTACHMENT_NOT_FOUND".to_owned()));
}

async fn a_link_that_was_changed_is_none(world: World) {
    let mut files = Files::of(&world, "alice").await;
    let url = files.create("a", 50).await.upload_url;
    let mut changed = url.clone();
    let last = if changed.pop() == Some('A') { 'Q' } else { 'A' };
    changed.push(last);
    for bad in [changed.as_str(), "/uploads/x", &url.replace("/uploads/", "/uploads/A")] {
        let answer = files.put(bad, &pdf(50)).await;
        assert_eq!(reason(answer).await, (404, "ATTACHMENT_NOT_FOUND".to_owned()));
    }
    // A link to upload is none to get.
    let get = files.get(&url.replace("/uploads/", "/files/")).await;
    assert_eq!(reason(get).await.0, 404);
    assert_eq!(files.get(&url).await.status(), 405);
    assert_eq!(files.put(&url, &pdf(50)).await.status(), 201);
}

async fn a_page_may_upload(world: World) {
    let mut files = Files::of(&world, "alice").await;
    let url = files.create("a", 50).await.upload_url;
    let ask = files
        .http(Method::OPTIONS, &url)
        .header("origin", "http://localhost:5173")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "content-range")
        .send()
        .await
        .unwrap();
    let methods = ask.headers()["access-control-allow-methods"].to_str().unwrap();
    assert!(methods.contains("PUT") && methods.contains("HEAD"), "{methods}");
    assert_eq!(ask.headers()["access-control-allow-headers"], "content-range");
    let put = async |origin: &str| {
        let put = files.http(Method::PUT, &url).header("origin", origin);
        put.body(pdf(50)).send().await.unwrap()
    };
    assert_eq!(put("https://evil.example").await.status(), 403);
    let done = put("https://app.example").await;
    assert_eq!(done.status(), 201);
    assert_eq!(done.headers()["access-control-allow-origin"], "https://app.example");
    let exposed = done.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("upload-offset"), "{exposed}");
}
