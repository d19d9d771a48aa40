//! A real HAProxy with `deploy/haproxy.cfg` before two real nodes.

use std::net::SocketAddr;
use std::time::Duration;

use adda::proto;
use adda::proto::server_frame::Frame;
use tokio::time::Instant;

use crate::drain::{Crew, PAUSE, ROUNDS, quiet, report};
use crate::infra::{self, adda::Adda, haproxy::HaProxy};
use crate::world::{Api, Came, Live, Part, Web, api, chat, eventually, hello, send, token};

/// Two nodes, and a proxy before them.
async fn deployment(flags: &[&str], silence: &str) -> Option<([Adda; 2], HaProxy)> {
    let store = infra::mongo::fresh_uri().await?;
    let bus = infra::redis::fresh_url().await?;
    let nodes = [Adda::start(&store, &bus, flags).await, Adda::start(&store, &bus, flags).await];
    let proxy = HaProxy::before([nodes[0].addr(), nodes[1].addr()], silence).await?;
    Some((nodes, proxy))
}

async fn direct(at: SocketAddr, user: &str, other: &str) -> String {
    let request = proto::CreateChatRequest {
        kind: proto::ChatKind::Direct.into(),
        member_ids: vec![other.to_owned()],
        ..proto::CreateChatRequest::default()
    };
    let answer = api(at, token(user)).await.create_chat(request).await.unwrap().into_inner();
    answer.chat.unwrap().chat_id
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_calls_and_pages_go_through_the_proxy() {
    let flags = ["--presence-grace", "1s", "--subscribe-heartbeat", "1s"];
    let Some((_nodes, proxy)) = deployment(&flags, "180s").await else { return };
    let at = proxy.addr();
    let chat_id = direct(at, "alice", "bob").await;
    let mut of_alice = api(at, token("alice")).await;
    let mut alice = Live::open(of_alice.clone(), hello("phone")).await.unwrap();

    // A page: HTTP/1.1 up to the proxy, HTTP/2 behind it.
    let page = Web::new(at, token("bob"));
    let request = proto::SubscribeRequest { hello: Some(hello("browser")) };
    let mut subscribed = page.stream("Subscribe", &request).await.unwrap();
    let ready = async |stream: &mut crate::world::WebStream| loop {
        let Some(Part::Message(bytes)) = stream.next().await else { panic!("no Ready") };
        let answer = <proto::SubscribeResponse as prost::Message>::decode(&bytes[..]).unwrap();
        if let Some(Frame::CaughtUp(_)) = answer.frame.and_then(|frame| frame.frame) {
            return;
        }
    };
    ready(&mut subscribed).await;
    let message = Some(crate::world::message(&chat_id, "b1", "from a page"));
    let request = proto::SendMessageRequest { message };
    let sent: proto::SendMessageResponse = page.call("SendMessage", &request).await.unwrap();
    assert_eq!(sent.outcome.unwrap().seq, 1);
    assert_eq!(alice.message().await.text, "from a page");
    assert_eq!(alice.send(&chat_id, "a1", "from a stream").await.seq, 2);
    assert_eq!(send(&mut of_alice, &chat_id, "a2", "by a call").await.seq, 3);

    // An error is told as without a proxy.
    let nothing = proto::GetChatRequest { chat_id: crate::world::unique() };
    let refused = of_alice.get_chat(nothing.clone()).await.unwrap_err();
    assert_eq!(crate::hard::reason(&refused), "CHAT_NOT_FOUND");
    let refused = page.call::<proto::GetChatResponse>("GetChat", &nothing).await.unwrap_err();
    assert_eq!(crate::hard::reason(&refused), "CHAT_NOT_FOUND");

    // Who goes is seen to go: a page with the next heartbeat, a phone at once.
    is_seen_to_go(&mut of_alice, &chat_id, (subscribed, page)).await;
    let mut of_bob = api(at, token("bob")).await;
    is_seen_to_go(&mut of_bob, &chat_id, alice).await;
    assert_eq!(proxy.nodes().await, 2);
}

/// Whoever is shown to the caller goes, and is soon shown to have.
async fn is_seen_to_go<T>(api: &mut Api, chat_id: &str, who: T) {
    let online = async |api: &mut Api| chat(api, chat_id).await.presence.unwrap().is_online;
    assert!(online(api).await);
    let start = Instant::now();
    drop(who);
    eventually("who went is offline", async || (!online(api).await).then_some(())).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_bounded_and_age_is_not() {
    // On a Connect the node says nothing for longer than the proxy bears.
    let flags = ["--heartbeat", "20s", "--subscribe-heartbeat", "1s"];
    let Some((_nodes, proxy)) = deployment(&flags, "3s").await else { return };
    let open = async |user: &str| {
        Live::open(api(proxy.addr(), token(user)).await, hello("phone")).await.unwrap()
    };
    let (mut talks, mut silent) = (open("talks").await, open("silent").await);
    let of_hears = api(proxy.addr(), token("hears")).await;
    let mut hears = Live::subscribe(of_hears, hello("browser")).await.unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        talks.settle().await;
        hears.wait(|frame| matches!(frame, Frame::Heartbeat(_)).then_some(())).await;
    }
    // On a Connect where the client is silent as well.
    let mut end = silent.came().await;
    while let Came::Frame(_) = end {
        end = silent.came().await;
    }
    assert!(matches!(end, Came::Status(_)), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_behind_the_proxy_loses_and_doubles_nothing() {
    let Some((mut nodes, proxy)) = deployment(&[], "180s").await else { return };
    let first = nodes[0].addr();
    let crew = Crew::talk(proxy.addr(), first, 8, 4).await;
    let mut in_time = false;
    for _ in 0..ROUNDS {
        for node in &mut nodes {
            node.leave().await;
            crew.up().await;
            node.restart().await;
            let known = async || (proxy.nodes().await == 2).then_some(());
            eventually("the proxy knows the node", known).await;
        }
        let pauses = crew.pauses();
        assert!(pauses.len() >= 32, "each client was moved: {}", pauses.len());
        report("a rolling restart of two nodes behind haproxy", &pauses);
        in_time = quiet(&pauses, 99) < PAUSE;
        if in_time {
            break;
        }
    }
    crew.check(first).await;
    assert!(in_time, "p99 of the pause is not under {PAUSE:?} in any of {ROUNDS} rounds");
}
