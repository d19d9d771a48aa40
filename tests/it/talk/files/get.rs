//! Getting a file: who may, and what goes out.

use adda::clock::{Clock as _, SystemClock};
use adda::proto;
use image::ImageFormat;
use reqwest::Method;

use super::{Files, message, pdf, picture, reason, send};
use crate::on_both_backends;
use crate::world::{World, history};

on_both_backends! {
    who_may_see_the_message_may_have_its_file,
    ranges_are_answered,
    nothing_in_a_file_can_run,
}

async fn who_may_see_the_message_may_have_its_file(world: World) {
    let chat = world.direct("alice", "bob").await;
    let other = world.direct("alice", "carol").await;
    let mut alice = Files::of(&world, "alice").await;
    let mut bob = Files::of(&world, "bob").await;
    let mut carol = Files::of(&world, "carol").await;
    let bytes = pdf(1000);
    let id = alice.upload("a.pdf", &bytes).await.unwrap().attachment_id;
    // Not sent yet: its owner's alone.
    let own = alice.ask(&id, "").await.unwrap();
    assert_eq!(alice.bytes(&own.url).await, bytes);
    let left = own.url_expires_at.unwrap().seconds - SystemClock.now().0 / 1000;
    assert!((290..=301).contains(&left), "{left}");
    assert_eq!(bob.refused(&id, "").await, "ATTACHMENT_NOT_FOUND");
    assert_eq!(bob.refused(&id, &chat).await, "ATTACHMENT_NOT_FOUND");
    send(&world, "alice", message(&chat, "m", "", &[&id])).await.unwrap();
    // Sent: the members'.
    for files in [&mut alice, &mut bob] {
        let got = files.ask(&id, &chat).await.unwrap();
        assert_eq!((got.file_name.as_str(), got.size_bytes), ("a.pdf", 1000));
        assert_eq!(files.bytes(&got.url).await, bytes);
    }
    assert_eq!(alice.refused(&id, "").await, "ATTACHMENT_NOT_FOUND", "an upload no more");
    assert_eq!(alice.refused(&id, &other).await, "ATTACHMENT_NOT_FOUND", "of another chat");
    assert_eq!(carol.refused(&id, &other).await, "ATTACHMENT_NOT_FOUND");
    assert_eq!(carol.refused(&id, &chat).await, "CHAT_NOT_FOUND");
    assert_eq!(carol.refused("", &chat).await, "CHAT_NOT_FOUND");
    assert_eq!(bob.refused("", &chat).await, "FIELD_INVALID");
    assert_eq!(bob.refused("x", &chat).await, "ATTACHMENT_NOT_FOUND");
    // Deleted: nobody's, also by a link from before.
    let link = bob.ask(&id, &chat).await.unwrap().url;
    let seen = history(&mut world.api("bob").await, &chat).await.remove(0);
    let delete = |scope: proto::DeleteScope| proto::DeleteMessageRequest {
        chat_id: chat.clone(),
        message_id: seen.message_id.clone(),
        scope: scope.into(),
    };
    // For bob alone: alice has it still.
    world.api("bob").await.delete_message(delete(proto::DeleteScope::Me)).await.unwrap();
    assert_eq!(bob.refused(&id, &chat).await, "ATTACHMENT_NOT_FOUND", "hidden");
    let hidden = history(&mut world.api("bob").await, &chat).await.remove(0);
    assert!(hidden.hidden && hidden.attachments.is_empty());
    alice.ask(&id, &chat).await.unwrap();
    world.api("alice").await.delete_message(delete(proto::DeleteScope::Everyone)).await.unwrap();
    assert_eq!(alice.refused(&id, &chat).await, "ATTACHMENT_NOT_FOUND");
    assert_eq!(bob.refused(&id, &chat).await, "ATTACHMENT_NOT_FOUND");
    let seen = history(&mut world.api("bob").await, &chat).await.remove(0);
    assert!(seen.attachments.is_empty());
    assert_eq!(seen.r#type(), proto::MessageType::Text);
    crate::world::eventually("the link ends", async || {
        (bob.get(&link).await.status() == 404).then_some(())
    })
    .await;
    super::nothing_is_kept(&world).await;
}

async fn ranges_are_answered(world: World) {
    let mut files = Files::of(&world, "alice").await;
    // Over two pieces of what it is kept in.
    let bytes = pdf(2_500_000);
    let id = files.upload("a.pdf", &bytes).await.unwrap().attachment_id;
    let url = files.ask(&id, "").await.unwrap().url;
    let get = async |headers: &[(&str, &str)]| {
        let mut request = files.http(Method::GET, &url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    };
    let whole = get(&[]).await;
    assert_eq!((whole.status().as_u16(), whole.content_length()), (200, Some(2_500_000)));
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert!(whole.bytes().await.unwrap() == bytes);
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=1048570-1048585", 1_048_570, 1_048_585),
        ("bytes=1000000-2200000", 1_000_000, 2_200_000),
        ("bytes=2499990-", 2_499_990, 2_499_999),
        ("bytes=-10", 2_499_990, 2_499_999),
        ("bytes=2499990-9999999", 2_499_990, 2_499_999),
    ] {
        let answer = get(&[("range", range), ("if-range", &tag)]).await;
        assert_eq!(answer.status(), 206, "{range}");
        let told = format!("bytes {first}-{last}/2500000");
        assert_eq!(answer.headers()["content-range"], told.as_str());
        assert!(answer.bytes().await.unwrap() == bytes[first..=last], "{range}");
    }
    let beyond = get(&[("range", "bytes=2500000-")]).await;
    assert_eq!(
        (beyond.status().as_u16(), &beyond.headers()["content-range"]),
        (416, &"bytes */2500000".parse().unwrap())
    );
    for headers in
        [[("range", "bytes=0-1"), ("if-range", "\"another\"")], [("range", "pages=1-2"), ("x", "")]]
    {
        assert_eq!(get(&headers).await.status(), 200);
    }
    assert_eq!(get(&[("if-none-match", &tag)]).await.status(), 304);
    let head = files.http(Method::HEAD, &url).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &"2500000".parse().unwrap())
    );
}

async fn nothing_in_a_file_can_run(world: World) {
    let mut files = Files::of(&world, "alice").await;
    for (name, bytes, shown, kind) in [
        ("a \"ছবি\".png", picture(ImageFormat::Png), "inline", "image/png"),
        ("a.pdf", pdf(100), "attachment", "application/pdf"),
        ("a.txt", b"javascript:alert(1)".to_vec(), "attachment", "text/plain; charset=utf-8"),
    ] {
        let id = files.upload(name, &bytes).await.unwrap().attachment_id;
        let url = files.ask(&id, "").await.unwrap().url;
        let answer = files.get(&url).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), kind);
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'");
        assert!(header("cache-control").starts_with("private, max-age="));
        let disposition = header("content-disposition");
        assert!(disposition.starts_with(&format!("{shown}; filename=\"a")), "{disposition}");
        if shown == "inline" {
            let encoded = "filename=\"a _____.png\"; filename*=UTF-8''a%20%22%E0%A6%9B%E0%A6%AC%E0%A6%BF%22.png";
            assert!(disposition.ends_with(encoded), "{disposition}");
        }
    }
    for bad in ["/files/x", "/files/", "/files/AAAA%00", &format!("/files/{}", "A".repeat(5000))] {
        let answer = files.get(bad).await;
        assert_eq!(answer.status(), 404, "{bad}");
    }
    let refused = files.get("/files/AAAA").await;
    assert_eq!(reason(refused).await, (404, "ATTACHMENT_NOT_FOUND".to_owned()));
}
