//! A real HAProxy with `deploy/haproxy.cfg` before two real nodes.

use std::net::SocketAddr;
use std::time::Duration;

use adda::proto;
use adda::proto::server_frame::Frame;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::drain::{Crew, PAUSE, ROUNDS, quiet, report};
use crate::infra::{self, adda::Adda, haproxy::HaProxy};
use crate::world::{Api, Came, Live, Part, Web, api, eventually, hello, token};

/// Two nodes, and a proxy before them.
async fn deployment(flags: &[&str], silence: &str) -> Option<([Adda; 2], HaProxy)> {
    let store = infra::mongo::fresh_uri().await?;
    let bus = infra::redis::fresh_url().await?;
    let nodes = [Adda::start(&store, &bus, flags).await, Adda::start(&store, &bus, flags).await];
    let proxy = HaProxy::before([nodes[0].addr(), nodes[1].addr()], silence).await?;
    both(&proxy).await;
    Some((nodes, proxy))
}

/// Waits until the proxy sends streams to both nodes.
async fn both(proxy: &HaProxy) {
    eventually("the proxy knows both", async || (proxy.nodes().await == 2).then_some(())).await;
}

/// Calls through the proxy, again where it answers by itself: a node that is slow to say that it is
/// ready gets nothing for a while.
async fn through<T>(mut call: impl AsyncFnMut() -> Result<T, Status>) -> Result<T, Status> {
    eventually("the proxy has a node", async || match call().await {
        Err(status) if is_of_proxy(&status) => None,
        came => Some(came),
    })
    .await
}

fn is_of_proxy(status: &Status) -> bool {
    status.code() == Code::Unavailable && status.get_error_details().error_info().is_none()
}

async fn direct(at: SocketAddr, user: &str, other: &str) -> String {
    let request = proto::CreateChatRequest {
        kind: proto::ChatKind::Direct.into(),
        member_ids: vec![other.to_owned()],
        ..proto::CreateChatRequest::default()
    };
    let api = api(at, token(user)).await;
    let answer = through(async || api.clone().create_chat(request.clone()).await).await.unwrap();
    answer.into_inner().chat.unwrap().chat_id
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_calls_and_pages_go_through_the_proxy() {
    let flags = ["--presence-grace", "1s", "--subscribe-heartbeat", "1s"];
    let Some((_nodes, proxy)) = deployment(&flags, "180s").await else { return };
    let at = proxy.addr();
    let chat_id = direct(at, "alice", "bob").await;
    let of_alice = api(at, token("alice")).await;
    let opened = through(async || Live::open(of_alice.clone(), hello("phone")).await).await;
    let mut alice = opened.unwrap();

    // A page: HTTP/1.1 up to the proxy, HTTP/2 behind it.
    let page = Web::new(at, token("bob"));
    let request = proto::SubscribeRequest { hello: Some(hello("browser")) };
    let opened = through(async || page.stream("Subscribe", &request).await).await;
    let mut subscribed = opened.unwrap();
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
    let sent = through(async || page.call("SendMessage", &request).await).await;
    let sent: proto::SendMessageResponse = sent.unwrap();
    assert_eq!(sent.outcome.unwrap().seq, 1);
    assert_eq!(alice.message().await.text, "from a page");
    assert_eq!(alice.send(&chat_id, "a1", "from a stream").await.seq, 2);
    let request = proto::SendMessageRequest {
        message: Some(crate::world::message(&chat_id, "a2", "by a call")),
    };
    let sent = through(async || of_alice.clone().send_message(request.clone()).await).await;
    assert_eq!(sent.unwrap().into_inner().outcome.unwrap().seq, 3);

    // An error is told as without a proxy.
    let nothing = proto::GetChatRequest { chat_id: crate::world::unique() };
    let refused = through(async || of_alice.clone().get_chat(nothing.clone()).await).await;
    let refused = refused.unwrap_err();
    assert_eq!(crate::hard::reason(&refused), "CHAT_NOT_FOUND");
    let refused =
        through(async || page.call::<proto::GetChatResponse>("GetChat", &nothing).await).await;
    let refused = refused.unwrap_err();
    assert_eq!(crate::hard::reason(&refused), "CHAT_NOT_FOUND");

    // Who goes is seen to go: a page with the next heartbeat, a phone at once.
    is_seen_to_go(&of_alice, &chat_id, (subscribed, page)).await;
    let of_bob = api(at, token("bob")).await;
    is_seen_to_go(&of_bob, &chat_id, alice).await;
    both(&proxy).await;
}

/// Whoever is shown to the caller goes, and is soon shown to have.
async fn is_seen_to_go<T>(api: &Api, chat_id: &str, who: T) {
    let request = proto::GetChatRequest { chat_id: chat_id.to_owned() };
    let shown = async |online: bool| {
        let came = through(async || api.clone().get_chat(request.clone()).await).await;
        let presence = came.unwrap().into_inner().chat.unwrap().presence.unwrap();
        (presence.is_online == online).then_some(())
    };
    eventually("who is there is online", async || shown(true).await).await;
    let start = Instant::now();
    drop(who);
    eventually("who went is offline", async || shown(false).await).await;
    // Sooner than by the lease.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_bounded_and_age_is_not() {
    // On a Connect the node says nothing for longer than the proxy bears.
    let flags = ["--heartbeat", "40s", "--subscribe-heartbeat", "1s"];
    let Some((_nodes, proxy)) = deployment(&flags, "12s").await else { return };
    let open = async |user: &str| {
        let api = api(proxy.addr(), token(user)).await;
        through(async || Live::open(api.clone(), hello("phone")).await).await.unwrap()
    };
    let (mut talks, mut silent) = (open("talks").await, open("silent").await);
    let of_hears = api(proxy.addr(), token("hears")).await;
    let opened = through(async || Live::subscribe(of_hears.clone(), hello("browser")).await).await;
    let mut hears = opened.unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
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
            both(&proxy).await;
        }
        let pauses = crew.pauses();
        assert!(pauses.len() >= 32, "each client was moved: {}", pauses.len());
        report("a rolling restart of two nodes behind haproxy", &pauses);
        // The longest of a hundred say more of what else runs than of the nodes.
        in_time = quiet(&pauses, 90) < PAUSE;
        if in_time {
            break;
        }
    }
    crew.check(first).await;
    assert!(in_time, "p90 of the pause is not under {PAUSE:?} in any of {ROUNDS} rounds");
}
