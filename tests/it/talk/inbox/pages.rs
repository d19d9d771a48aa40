//! Pages of the inbox, and their tokens.

use std::collections::HashSet;

use adda::proto;
use tonic::Code;

use super::{all, ids, page};
use crate::on_both_backends;
use crate::world::{Refusal, World, send};

on_both_backends! {
    pages_neither_skip_nor_repeat_while_messages_arrive,
    a_page_token_is_of_one_user_and_one_list,
    page_sizes_are_clamped,
}

async fn pages_neither_skip_nor_repeat_while_messages_arrive(world: World) {
    let mut alice = world.api("alice").await;
    let mut chats = Vec::new();
    for at in 0..23 {
        let chat = world.direct("alice", &format!("u{at}")).await;
        send(&mut alice, &chat, "m", "hello").await;
        chats.push(chat);
    }
    for size in [1, 5, 100] {
        let mut got = Vec::new();
        let mut token = String::new();
        let mut round = 0;
        loop {
            let answer = page(&mut alice, size, &token, "").await;
            got.extend(ids(&answer.chats));
            token = answer.next_page_token;
            if token.is_empty() {
                break;
            }
            // Chats that were given, and others that were not yet, move to the top.
            for at in [round * 7 % 23, (round * 5 + 3) % 23] {
                let id = format!("{size}-{round}-{at}");
                send(&mut alice, &chats[at], &id, "hello").await;
            }
            round += 1;
        }
        assert_eq!(got.len(), 23);
        assert_eq!(got.iter().collect::<HashSet<_>>().len(), 23, "none twice");
    }
}

async fn a_page_token_is_of_one_user_and_one_list(world: World) {
    let mut chats = Vec::new();
    for peer in ["u1", "u2", "u3"] {
        chats.push(world.direct("alice", peer).await);
        world.direct("bob", peer).await;
    }
    let (mut alice, mut bob) = (world.api("alice").await, world.api("bob").await);
    let token = page(&mut alice, 1, "", "").await.next_page_token;
    let searched = page(&mut alice, 1, "", "u").await.next_page_token;
    for id in ["m1", "m2"] {
        send(&mut alice, &chats[0], id, "hello").await;
    }
    let history = proto::ListMessagesRequest {
        chat_id: chats[0].clone(),
        page_size: 1,
        ..proto::ListMessagesRequest::default()
    };
    let history = alice.list_messages(history).await.unwrap().into_inner().next_page_token;
    assert!(!token.is_empty() && !searched.is_empty() && !history.is_empty());
    let mut tampered = token.clone().into_bytes();
    tampered[9] = if tampered[9] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    let list = |token: &str, query: &str| proto::ListChatsRequest {
        page_size: 1,
        page_token: token.to_owned(),
        query: query.to_owned(),
        ..proto::ListChatsRequest::default()
    };
    let mut refused = vec![Refusal::from(bob.list_chats(list(&token, "")).await)];
    let mut tries = vec![(token.as_str(), "u"), (searched.as_str(), ""), (searched.as_str(), "v")];
    let long = "A".repeat(50_000);
    tries.extend([
        (&*tampered, ""),
        (&*history, ""),
        ("x", ""),
        ("{\"$gt\":\"\"}", ""),
        (&long, ""),
    ]);
    for (token, query) in tries {
        refused.push(Refusal::from(alice.list_chats(list(token, query)).await));
    }
    let messages = |chat: &str, token: &str| proto::ListMessagesRequest {
        chat_id: chat.to_owned(),
        page_token: token.to_owned(),
        ..proto::ListMessagesRequest::default()
    };
    for (chat, token) in [(&chats[0], &token), (&chats[1], &history), (&chats[0], &tampered)] {
        refused.push(Refusal::from(alice.list_messages(messages(chat, token)).await));
    }
    let mut other = world.api("u1").await;
    refused.push(Refusal::from(other.list_messages(messages(&chats[0], &history)).await));
    for refused in refused {
        assert_eq!(
            (refused.code, refused.what()),
            (Code::InvalidArgument, ("PAGE_TOKEN_INVALID", ""))
        );
        assert!(!refused.retry);
    }
    assert_eq!(page(&mut alice, 5, &searched, "U").await.chats.len(), 2, "case is no other query");
}

async fn page_sizes_are_clamped(world: World) {
    let mut alice = world.api("alice").await;
    let made = (0..104).map(async |at| world.direct("alice", &format!("u{at}")).await);
    let made = futures_util::future::join_all(made).await;
    assert_eq!(page(&mut alice, 0, "", "").await.chats.len(), 50);
    let answer = page(&mut alice, 1_000_000_000, "", "").await;
    assert_eq!(answer.chats.len(), 100);
    assert_eq!(page(&mut alice, u32::MAX, &answer.next_page_token, "").await.chats.len(), 4);
    let got: HashSet<_> = ids(&all(&mut alice, 33, "").await).into_iter().collect();
    assert_eq!(got, made.into_iter().collect());
}
