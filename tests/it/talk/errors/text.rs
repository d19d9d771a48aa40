//! What text is taken, and how it is kept.

use adda::proto::ack;
use tonic::Code;

use super::Twin;
use crate::on_both_backends;
use crate::world::{World, history, message};

on_both_backends! {
    text_that_shows_nothing_or_too_much_is_refused,
    text_is_kept_normalised_and_readable,
    a_repeat_is_compared_by_what_is_kept,
}

async fn text_that_shows_nothing_or_too_much_is_refused(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    let marks = format!("e{}", "\u{300}".repeat(5000));
    let over = format!("{}x", "é".repeat(4096));
    let far_over = "x".repeat(60_000);
    for (bad, limit) in [
        ("", None),
        (" \n\t ", None),
        ("\u{200b}\u{200d}\u{feff}", None),
        ("\0\u{1}\u{7f}", None),
        ("\u{3164}\u{202e}", None),
        (&*marks, None),
        (&*over, Some("8192")),
        (&*far_over, Some("8192")),
    ] {
        let refused = Twin::Send(message(&chat, "m", bad)).refused(&mut live).await;
        assert_eq!(
            (refused.code, refused.what()),
            (Code::InvalidArgument, ("FIELD_INVALID", "text"))
        );
        assert_eq!((refused.limit(), refused.retry), (limit, false));
        assert!(refused.message.len() < 100, "never message text");
    }
    assert!(history(&mut live.api.clone(), &chat).await.is_empty());
}

async fn text_is_kept_normalised_and_readable(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    let fits = "é".repeat(4096);
    let texts = [
        ("e\u{301}", "é"),
        ("a\r\nb\tc\0\u{1b}[31m", "a\nb\tc[31m"),
        ("ক্ষ র\u{200d}্যা কী খবর?", "ক্ষ র\u{200d}্যা কী খবর?"),
        ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧"),
        ("a\u{202e}b", "ab"),
        ("{\"$gt\":\"\"} <script> ../..", "{\"$gt\":\"\"} <script> ../.."),
        (&*fits, &*fits),
    ];
    for (at, (given, _)) in texts.iter().enumerate() {
        live.send(&chat, &format!("m{at}"), given).await;
    }
    let kept: Vec<_> =
        history(&mut live.api.clone(), &chat).await.into_iter().map(|m| m.text).collect();
    assert_eq!(kept, texts.map(|(_, kept)| kept));
    for kept in texts.map(|(_, kept)| kept) {
        assert_eq!(live.message().await.text, kept);
    }
}

async fn a_repeat_is_compared_by_what_is_kept(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    let first = live.send(&chat, "m", "caf\u{e9}").await;
    let again = live.send(&chat, "m", "cafe\u{301}\u{0}").await;
    assert_eq!((again.message_id, again.duplicate), (first.message_id, true));
    let refused = Twin::Send(message(&chat, "m", "cafe")).refused(&mut live).await;
    assert_eq!((refused.code, refused.what()), (Code::AlreadyExists, ("CLIENT_ID_REUSED", "")));
    // The same id in another chat, or of another user, is another message.
    let other = world.direct("alice", "carol").await;
    assert!(!live.send(&other, "m", "x").await.duplicate);
    let mut bob = world.connect("bob", "phone").await;
    assert!(!bob.send(&chat, "m", "x").await.duplicate);
    let odd = "{\"$gt\":\"\"} ../.. আ";
    for duplicate in [false, true] {
        let sent = live.ask(Twin::Send(message(&chat, odd, "x")).command()).await;
        assert!(matches!(sent, ack::Result::SendOutcome(sent) if sent.duplicate == duplicate));
    }
}
