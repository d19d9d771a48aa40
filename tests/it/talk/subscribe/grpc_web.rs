//! What a browser does, over HTTP/1.1.

use adda::proto;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use prost::Message as _;
use tonic::Code;

use crate::on_both_backends;
use crate::world::{Part, Refusal, Web, WebStream, World, hello, message, token};

on_both_backends! {
    a_browser_talks,
    a_browser_is_told_why_not,
    a_browser_that_goes_leaves_no_session,
    a_stream_to_a_browser_ends_with_close_and_trailers,
}

fn web(world: &World, user: &str) -> Web {
    Web::new(world.addr(0), token(user))
}

async fn subscribe(web: &Web) -> WebStream {
    let request = proto::SubscribeRequest { hello: Some(hello("web")) };
    web.stream("Subscribe", &request).await.unwrap()
}

async fn frame(stream: &mut WebStream) -> Frame {
    match stream.next().await {
        Some(Part::Message(bytes)) => {
            let answer = proto::SubscribeResponse::decode(bytes.as_slice()).unwrap();
            answer.frame.unwrap().frame.unwrap()
        }
        other => panic!("not a frame, but {other:?}"),
    }
}

async fn a_browser_talks(world: World) {
    let chat = world.direct("alice", "bob").await;
    let page = web(&world, "alice");
    let mut stream = subscribe(&page).await;
    let Frame::Ready(ready) = frame(&mut stream).await else { panic!("not Ready") };
    assert_eq!(ready.user_id, "alice");
    assert!(matches!(frame(&mut stream).await, Frame::CaughtUp(_)));
    assert!(matches!(frame(&mut stream).await, Frame::Checkpoint(_)));
    let request =
        proto::SendMessageRequest { message: Some(message(&chat, "m1", "হ্যালো")) };
    let sent: proto::SendMessageResponse = page.call("SendMessage", &request).await.unwrap();
    assert_eq!(sent.outcome.unwrap().seq, 1);
    let Frame::Event(event) = frame(&mut stream).await else { panic!("no event") };
    let Some(Event::MessageSent(event)) = event.event else { panic!("{event:?}") };
    assert_eq!(event.message.unwrap().text, "হ্যালো");
    let beat = proto::HeartbeatRequest { session_id: ready.session_id, background: Some(true) };
    let answer: proto::HeartbeatResponse = page.call("Heartbeat", &beat).await.unwrap();
    assert!(answer.server_time.is_some());
}

async fn a_browser_is_told_why_not(world: World) {
    let chat = world.direct("alice", "bob").await;
    let page = web(&world, "alice");
    let empty = proto::SendMessageRequest { message: Some(message(&chat, "m1", " ")) };
    let refused = page.call::<proto::SendMessageResponse>("SendMessage", &empty).await;
    let refused = Refusal::from(refused);
    assert_eq!(
        (refused.code, refused.what()),
        (Code::InvalidArgument, ("FIELD_INVALID", "message.text"))
    );
    let native = world.api("alice").await.send_message(empty).await;
    assert_eq!(Refusal::from(native), refused, "as over HTTP/2");
    let request = proto::SubscribeRequest { hello: Some(hello("a b")) };
    let refused = Refusal::from(page.stream("Subscribe", &request).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "hello.device_id"));
    let stranger = web(&world, "mallory");
    let get = proto::GetChatRequest { chat_id: chat };
    let refused = Refusal::from(stranger.call::<proto::GetChatResponse>("GetChat", &get).await);
    assert_eq!((refused.code, refused.what()), (Code::NotFound, ("CHAT_NOT_FOUND", "")));
    let nobody = Web::new(world.addr(0), "a.b.c".to_owned());
    let refused = Refusal::from(nobody.call::<proto::GetChatResponse>("GetChat", &get).await);
    assert_eq!((refused.code, refused.what()), (Code::Unauthenticated, ("TOKEN_INVALID", "")));
    // There is no Connect for browsers, but trying it does no harm.
    let connect = page.stream("Connect", &proto::ConnectRequest::default()).await;
    assert_eq!(Refusal::from(connect).reason, "HELLO_EXPECTED");
}

async fn a_browser_that_goes_leaves_no_session(world: World) {
    let page = web(&world, "alice");
    let mut stream = subscribe(&page).await;
    let Frame::Ready(ready) = frame(&mut stream).await else { panic!("not Ready") };
    drop(stream);
    let mut api = world.api("alice").await;
    let beat = proto::HeartbeatRequest { session_id: ready.session_id, background: None };
    let gone = crate::world::eventually("the session is gone", async || {
        api.heartbeat(beat.clone()).await.err()
    });
    assert_eq!(Refusal::of_status(&gone.await).reason, "SESSION_NOT_FOUND");
}

async fn a_stream_to_a_browser_ends_with_close_and_trailers(world: World) {
    let page = web(&world, "alice");
    let mut stream = subscribe(&page).await;
    let _newer = subscribe(&page).await;
    loop {
        if let Frame::Close(close) = frame(&mut stream).await {
            assert_eq!(close.reason(), proto::CloseReason::Superseded);
            break;
        }
    }
    match stream.next().await {
        Some(Part::Trailers(status)) => assert_eq!(status.code(), Code::Ok),
        other => panic!("not the trailers, but {other:?}"),
    }
    assert!(stream.next().await.is_none());
}
