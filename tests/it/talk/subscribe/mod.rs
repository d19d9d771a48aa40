//! Browsers: frames down a Subscribe, commands by calls.

mod grpc_web;
mod other_node;
mod session;
mod twins;

use adda::proto;

use crate::world::{Live, World, hello};

async fn open(world: &World, user: &str) -> Live {
    let mut live = Live::subscribe(world.api(user).await, hello("web")).await.unwrap();
    live.caught_up().await;
    live
}

fn join(chat: &str, session: &str) -> proto::JoinChatRequest {
    proto::JoinChatRequest { chat_id: chat.to_owned(), session_id: session.to_owned() }
}

fn leave(chat: &str, session: &str) -> proto::LeaveChatRequest {
    proto::LeaveChatRequest { chat_id: chat.to_owned(), session_id: session.to_owned() }
}

fn typing(chat: &str, session: &str, typing: bool) -> proto::SetTypingRequest {
    let (chat_id, session_id) = (chat.to_owned(), session.to_owned());
    proto::SetTypingRequest { chat_id, typing, session_id }
}

fn beat(session: &str) -> proto::HeartbeatRequest {
    proto::HeartbeatRequest { session_id: session.to_owned(), background: None }
}
