//! Files that are uploaded, sent, and seen.

use adda::model::{AttachmentId, ChatId, MessageId};
use adda::proto;
use image::ImageFormat;

use super::{Files, SECRET, holds, message, pdf, photograph, picture, send};
use crate::on_both_backends;
use crate::world::{Live, Refusal, World, history};

on_both_backends! {
    a_picture_goes_to_all_members,
    what_a_message_carries_says_of_what_type_it_is,
    a_file_goes_to_one_message,
    only_own_and_whole_uploads_are_sent,
    a_send_again_finds_its_files,
    files_stay_when_a_text_is_edited,
}

async fn a_picture_goes_to_all_members(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.connect("alice", "phone").await;
    let mut bob = world.connect("bob", "phone").await;
    let mut away = world.connect("bob", "tablet").await;
    away.caught_up().await;
    let hello = away.hello("tablet");
    drop(away);
    let mut files = Files::of(&world, "alice").await;

    let bytes = photograph();
    assert!(holds(&bytes, SECRET));
    let uploaded = files.upload("/home/alice/ছবি.jpg", &bytes).await.unwrap();
    assert_eq!(uploaded.file_name, "ছবি.jpg");
    assert_eq!(uploaded.content_type, "image/jpeg");
    assert_eq!((uploaded.width, uploaded.height), (400, 600), "as it is to be shown");
    assert_eq!(uploaded.url, "");

    let id = uploaded.attachment_id.as_str();
    send(&world, "alice", message(&chat, "m1", "", &[id])).await.unwrap();
    let (to_alice, to_bob) = (alice.message().await, bob.message().await);
    assert_eq!((to_alice.r#type(), to_alice.text.as_str()), (proto::MessageType::Image, ""));
    assert_eq!(to_alice.attachments, to_bob.attachments, "the same for all");
    let seen = to_bob.attachments[0].clone();
    let expires = seen.url_expires_at.unwrap().seconds - to_bob.created_at.unwrap().seconds;
    assert!((3600..=4500).contains(&expires), "{expires}");

    let got = files.bytes(&seen.url).await;
    assert_eq!(got.len(), seen.size_bytes as usize);
    assert!(!holds(&got, SECRET));
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().to_rgb8();
    assert_eq!(pixels(&got), pixels(&bytes));

    // In answers it has its preview, also where that was made after the send.
    let mut api = world.api("bob").await;
    let seen = crate::world::eventually("a preview", async || {
        let seen = history(&mut api, &chat).await[0].attachments[0].clone();
        (!seen.thumbnail_url.is_empty()).then_some(seen)
    })
    .await;
    assert!((20..=40).contains(&seen.blurhash.len()), "{}", seen.blurhash);
    let small = files.get(&seen.thumbnail_url).await;
    assert_eq!(small.headers()["content-type"], "image/jpeg");
    let small = image::load_from_memory(&small.bytes().await.unwrap()).unwrap();
    assert_eq!((small.width(), small.height()), (320, 480), "right way up");
    let last = crate::world::chat(&mut api, &chat).await.last_message.unwrap();
    assert_eq!(last.attachments[0].attachment_id, id);

    // Who was away gets it in a replay.
    let mut back = Live::open(world.api("bob").await, hello).await.unwrap();
    let replayed = back.message().await.attachments.remove(0);
    assert_eq!(files.bytes(&replayed.url).await, got);
}

async fn what_a_message_carries_says_of_what_type_it_is(world: World) {
    use proto::MessageType::{Doc, Image, Media, Mixed, Text};
    let chat = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let audio = [&b"RIFF\x24\0\0\0WAVEfmt "[..], &[0; 28]].concat();
    let mut new = async |kind: &str| {
        let bytes = match kind {
            "image" => picture(ImageFormat::Png),
            "audio" => audio.clone(),
            _ => pdf(50),
        };
        files.upload(kind, &bytes).await.unwrap().attachment_id
    };
    let cases = [
        ("", vec!["image", "image"], Image),
        ("", vec!["audio"], Media),
        ("", vec!["doc"], Doc),
        ("look", vec!["image"], Mixed),
        ("", vec!["image", "doc"], Mixed),
        ("hello", vec![], Text),
    ];
    for (at, (text, kinds, want)) in cases.into_iter().enumerate() {
        let mut ids = Vec::new();
        for kind in kinds {
            ids.push(new(kind).await);
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let draft = message(&chat, &format!("m{at}"), text, &ids);
        let wrong = if want == Media { Doc } else { Media };
        let refused = proto::MessageSend { r#type: wrong.into(), ..draft.clone() };
        let refused = Refusal::from(send(&world, "alice", refused).await);
        assert_eq!(refused.what(), ("FIELD_INVALID", "message.type"));
        let draft = proto::MessageSend { r#type: want.into(), ..draft };
        let sent = send(&world, "alice", draft).await.unwrap();
        let all = history(&mut world.api("bob").await, &chat).await;
        let message = all.iter().find(|message| message.message_id == sent.message_id).unwrap();
        assert_eq!(message.r#type(), want);
        let carried: Vec<&str> =
            message.attachments.iter().map(|of| of.attachment_id.as_str()).collect();
        assert_eq!(carried, ids, "in the order of sending");
    }
    let refused = Refusal::from(send(&world, "alice", message(&chat, "none", "", &[])).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "message.text"));
}

async fn a_file_goes_to_one_message(world: World) {
    let chat = world.direct("alice", "bob").await;
    let other = world.direct("alice", "carol").await;
    let mut files = Files::of(&world, "alice").await;
    let id = files.upload("a", &pdf(50)).await.unwrap().attachment_id;
    let sends = (0..6).map(|at| {
        let chat = if at % 2 == 0 { &chat } else { &other };
        send(&world, "alice", message(chat, &format!("m{at}"), "", &[&id]))
    });
    let came = futures_util::future::join_all(sends).await;
    let (sent, refused): (Vec<_>, Vec<_>) = came.into_iter().partition(Result::is_ok);
    assert_eq!(sent.len(), 1);
    for refused in refused {
        let what = Refusal::from(refused);
        assert_eq!(what.what(), ("ATTACHMENT_NOT_FOUND", "message.attachment_ids"));
    }
}

async fn only_own_and_whole_uploads_are_sent(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let mut others = Files::of(&world, "bob").await;
    let own = files.upload("a", &pdf(50)).await.unwrap().attachment_id;
    let open = files.create("b", 50).await.attachment_id;
    let bobs = others.upload("c", &pdf(50)).await.unwrap().attachment_id;
    let unknown = crate::world::unique();
    let refuse = async |ids: &[&str]| {
        Refusal::from(send(&world, "alice", message(&chat, "m", "", ids)).await)
    };
    for id in [&open, &bobs, &unknown, "../../etc/passwd"] {
        let refused = refuse(&[&own, id]).await;
        assert_eq!(refused.what(), ("ATTACHMENT_NOT_FOUND", "message.attachment_ids"), "{id}");
    }
    assert_eq!(refuse(&[&own, &own]).await.reason, "FIELD_INVALID");
    let many: Vec<String> = (0..11).map(|_| crate::world::unique()).collect();
    let refused = refuse(&many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!((refused.reason.as_str(), refused.limit()), ("FIELD_INVALID", Some("10")));
    assert!(history(&mut world.api("alice").await, &chat).await.is_empty());
    // On a stream it is the same.
    let mut live = world.connect("alice", "phone").await;
    let command = message(&chat, "m", "", &[&bobs]);
    let command = proto::connect_request::Command::MessageSend(command);
    assert_eq!(live.refused(command).await.reason, "ATTACHMENT_NOT_FOUND");
    // And nobody's file was lost by it.
    send(&world, "bob", message(&chat, "m", "", &[&bobs])).await.unwrap();
}

async fn a_send_again_finds_its_files(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut files = Files::of(&world, "alice").await;
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        ids.push(files.upload(name, &pdf(50)).await.unwrap().attachment_id);
    }
    let draft = message(&chat, "m1", "", &[&ids[0], &ids[1]]);
    let first = send(&world, "alice", draft.clone()).await.unwrap();
    let again = send(&world, "alice", draft.clone()).await.unwrap();
    assert_eq!((first.message_id.as_str(), again.duplicate), (again.message_id.as_str(), true));
    let other = message(&chat, "m1", "", &[&ids[0]]);
    let refused = Refusal::from(send(&world, "alice", other).await);
    assert_eq!(refused.reason, "CLIENT_ID_REUSED");
    // Also once the message is deleted, and its files with it.
    let id = MessageId::parse(&first.message_id).unwrap();
    let store = world.store();
    store.delete_message(ChatId::parse(&chat).unwrap(), id).await.unwrap();
    for id in &ids {
        store.forget_file(AttachmentId::parse(id).unwrap()).await.unwrap();
    }
    assert!(send(&world, "alice", draft).await.unwrap().duplicate);
}

async fn files_stay_when_a_text_is_edited(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    let mut files = Files::of(&world, "alice").await;
    let id = files.upload("a", &pdf(50)).await.unwrap().attachment_id;
    let sent = send(&world, "alice", message(&chat, "m", "look", &[&id])).await.unwrap();
    let first = bob.message().await;
    assert_eq!(first.r#type(), proto::MessageType::Mixed);
    let edit = |text: &str| proto::EditMessageRequest {
        chat_id: chat.clone(),
        message_id: sent.message_id.clone(),
        text: text.to_owned(),
        mentions: Vec::new(),
    };
    let mut api = world.api("alice").await;
    let edited = api.edit_message(edit("")).await.unwrap().into_inner().message.unwrap();
    assert_eq!((edited.r#type(), edited.text.as_str()), (proto::MessageType::Doc, ""));
    let told = bob.event(|event| match event {
        proto::event::Event::MessageEdited(edited) => edited.message.clone(),
        _ => None,
    });
    let told = told.await;
    assert_eq!((told.revision, told.text.as_str()), (1, ""));
    assert_eq!(files.bytes(&told.attachments[0].url).await, pdf(50));
    // Of a message without files the text cannot go.
    let bare = send(&world, "alice", message(&chat, "n", "hello", &[])).await.unwrap();
    let none = proto::EditMessageRequest { message_id: bare.message_id, ..edit("") };
    assert_eq!(Refusal::from(api.edit_message(none).await).what(), ("FIELD_INVALID", "text"));
}
