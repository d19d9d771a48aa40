//! What happens is counted, once and where it belongs; and nothing that is told says of whom.

use adda::proto;
use adda::proto::chat_service_client::ChatServiceClient;
use adda::proto::connect_request::Command;

use super::{Watched, on_both_backends};
use crate::world::{Bearer, Live, hello, message, run, send, token};

on_both_backends! {
    sends_are_counted_by_what_came_of_them,
    streams_are_counted_while_they_are_open,
    a_slow_reader_is_seen,
    no_label_says_who_or_where,
}

async fn sends_are_counted_by_what_came_of_them(watched: Watched) {
    let chat = watched.direct("alice", "bob").await;
    let mut alice = watched.connect("alice", "phone").await;
    for at in 0..3 {
        alice.send(&chat, &format!("m{at}"), "hello").await;
    }
    assert!(alice.send(&chat, "m0", "hello").await.duplicate);
    alice.refused(Command::MessageSend(message(&chat, "m4", ""))).await;
    let mut api = watched.api("alice").await;
    send(&mut api, &chat, "m5", "hello").await;
    let nowhere = message("00000000-0000-7000-8000-000000000000", "m6", "hello");
    let nowhere = proto::SendMessageRequest { message: Some(nowhere) };
    api.send_message(nowhere).await.unwrap_err();
    while alice.message().await.seq < 4 {}

    for (series, count) in [
        (r#"adda_commands_total{command="message_send",outcome="OK"}"#, 4.0),
        (r#"adda_commands_total{command="message_send",outcome="FIELD_INVALID"}"#, 1.0),
        (r#"adda_calls_total{method="SendMessage",outcome="OK"}"#, 1.0),
        (r#"adda_calls_total{method="SendMessage",outcome="CHAT_NOT_FOUND"}"#, 1.0),
        (r#"adda_calls_total{method="Connect",outcome="OK"}"#, 1.0),
        (r#"adda_call_seconds_count{method="SendMessage"}"#, 2.0),
        (r#"adda_send_seconds_count{via="stream"}"#, 4.0),
        (r#"adda_send_seconds_count{via="call"}"#, 1.0),
        (r#"adda_store_seconds_count{operation="append",outcome="ok"}"#, 5.0),
        ("adda_sends_repeated_total", 1.0),
        ("adda_delivery_seconds_count", 4.0),
    ] {
        // Some count a moment after the answer.
        watched.reaches(series, count).await;
    }
    let seen = watched.scrape().await;
    let store = if watched.server.store().starts_with("sqlite") { "sqlite" } else { "mongodb" };
    assert!(seen.count(&format!("adda_flush_writes_sum{{store=\"{store}\"}}")) >= 4);
    assert!(seen.value(&format!("adda_flush_seconds_sum{{store=\"{store}\"}}")) > 0.0);
    assert!(seen.value(r#"adda_send_seconds_sum{via="stream"}"#) > 0.0);
    for series in ["adda_process_resident_memory_bytes", "adda_process_cpu_seconds_total"] {
        assert!(seen.value(series) > 0.0, "{series}");
    }
    assert!(seen.count("adda_process_open_fds") < seen.count("adda_process_max_fds"));
}

async fn streams_are_counted_while_they_are_open(watched: Watched) {
    let mut phone = watched.connect("alice", "phone").await;
    let tablet = watched.connect("alice", "tablet").await;
    let web = Live::subscribe(watched.api("bob").await, hello("web")).await.unwrap();
    watched.reaches(r#"adda_sessions{kind="connect"}"#, 2.0).await;
    watched.reaches(r#"adda_sessions{kind="subscribe"}"#, 1.0).await;
    // Of the three streams and of whoever asks just now.
    assert!(watched.scrape().await.count("adda_connections") == 3);

    phone.end();
    drop(tablet);
    drop(web);
    watched.reaches(r#"adda_sessions{kind="connect"}"#, 0.0).await;
    watched.reaches(r#"adda_sessions{kind="subscribe"}"#, 0.0).await;
    let seen = watched.scrape().await;
    for (series, count) in [
        (r#"adda_streams_opened_total{kind="connect"}"#, 2),
        (r#"adda_streams_opened_total{kind="subscribe"}"#, 1),
        (r#"adda_resumes_total{outcome="FRESH"}"#, 3),
    ] {
        assert_eq!(seen.count(series), count, "{series}");
    }
    // A client that is dropped may have time to end its side, or not.
    let closed = |reason| seen.count(&format!("adda_streams_closed_total{{reason=\"{reason}\"}}"));
    assert!(closed("FINISHED") >= 1 && closed("FINISHED") + closed("GONE") == 3);
    assert!(seen.count("adda_frames_total") >= 9, "Ready, CaughtUp and a Checkpoint each");
}

async fn a_slow_reader_is_seen(watched: Watched) {
    let chat = watched.direct("alice", "bob").await;
    let url = format!("http://{}", watched.server.addr());
    let endpoint = tonic::transport::Endpoint::from_shared(url).unwrap();
    let channel = endpoint.initial_stream_window_size(65_535).connect().await.unwrap();
    let api = ChatServiceClient::with_interceptor(channel, Bearer(token("bob")));
    let mut slow = Live::open(api, hello("phone")).await.unwrap();
    slow.caught_up().await;
    let mut alice = watched.api("alice").await;
    // Far more than the stream's window and the outbox hold together.
    for at in 0..120 {
        send(&mut alice, &chat, &format!("m{at}"), &"x".repeat(8192)).await;
    }
    watched.reaches(r#"adda_overflows_total{queue="outbox"}"#, 1.0).await;
    watched.reaches(r#"adda_streams_closed_total{reason="SLOW_CONSUMER"}"#, 1.0).await;
}

async fn no_label_says_who_or_where(watched: Watched) {
    let chat = watched.direct("alice", "bob").await;
    let mut alice = watched.connect("alice", "her-phone").await;
    let mut bob = Live::subscribe(watched.api("bob").await, hello("his-page")).await.unwrap();
    alice.done(Command::JoinChat(proto::JoinChat { chat_id: chat.clone() })).await;
    let sent = alice.send(&chat, "her-message", "the-needle").await;
    bob.message().await;
    alice.mark(&chat, vec![run(1, 1)], true).await;
    let mut api = watched.api("bob").await;
    api.get_chat(proto::GetChatRequest { chat_id: "her-chat".to_owned() }).await.unwrap_err();
    drop((alice, bob));
    watched.reaches(r#"adda_sessions{kind="connect"}"#, 0.0).await;

    let (_, text) = watched.get("/metrics").await;
    for secret in ["alice", "bob", "her-", "his-", "needle", &chat, &sent.message_id, "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} is told");
    }
    let seen = watched.scrape().await;
    for series in seen.series.keys() {
        let labels = series.split('"').skip(1).step_by(2);
        for value in labels.filter(|value| value.parse::<f64>().is_err()) {
            let word = value.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
            assert!(word || value == env!("CARGO_PKG_VERSION"), "{series}");
        }
    }
    assert!(seen.series.len() < 2_000, "{} series", seen.series.len());
}
