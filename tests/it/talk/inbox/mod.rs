//! Chats and their messages, as answers show them.

mod create;
mod list;
mod messages;
mod pages;

use adda::proto;

use crate::world::Api;

/// One page of the inbox.
async fn page(api: &mut Api, size: u32, token: &str, query: &str) -> proto::ListChatsResponse {
    let request = proto::ListChatsRequest {
        page_size: size,
        page_token: token.to_owned(),
        query: query.to_owned(),
        ..proto::ListChatsRequest::default()
    };
    api.list_chats(request).await.unwrap().into_inner()
}

/// All chats of the inbox, by pages of this size.
async fn all(api: &mut Api, size: u32, query: &str) -> Vec<proto::Chat> {
    let mut chats = Vec::new();
    let mut token = String::new();
    loop {
        let answer = page(api, size, &token, query).await;
        assert_eq!(answer.total_unread_count.is_some(), token.is_empty(), "on the first page");
        assert!(answer.chats.len() <= size as usize);
        chats.extend(answer.chats);
        token = answer.next_page_token;
        if token.is_empty() {
            return chats;
        }
    }
}

fn ids(chats: &[proto::Chat]) -> Vec<String> {
    chats.iter().map(|chat| chat.chat_id.clone()).collect()
}

fn group(title: &str, members: &[&str], client_chat_id: &str) -> proto::CreateChatRequest {
    proto::CreateChatRequest {
        kind: proto::ChatKind::Group.into(),
        member_ids: members.iter().map(ToString::to_string).collect(),
        title: title.to_owned(),
        client_chat_id: client_chat_id.to_owned(),
        ..Default::default()
    }
}

fn direct(members: &[&str]) -> proto::CreateChatRequest {
    proto::CreateChatRequest {
        kind: proto::ChatKind::Direct.into(),
        member_ids: members.iter().map(ToString::to_string).collect(),
        ..proto::CreateChatRequest::default()
    }
}
