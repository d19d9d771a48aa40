//! A chat's history, either way.

use adda::model::{ChatId, MessageId};
use adda::proto;
use adda::proto::list_messages_request::Anchor;
use tonic::Code;

use crate::on_both_backends;
use crate::world::{Api, Refusal, World, history, send};

on_both_backends! {
    history_goes_either_way_by_pages,
    the_edges_of_a_history,
    changes_of_any_time,
}

async fn list(
    api: &mut Api,
    chat: &str,
    size: u32,
    token: &str,
    anchor: Option<Anchor>,
) -> Result<(Vec<u32>, String), tonic::Status> {
    let request = proto::ListMessagesRequest {
        chat_id: chat.to_owned(),
        page_size: size,
        page_token: token.to_owned(),
        anchor,
    };
    let answer = api.list_messages(request).await?.into_inner();
    Ok((answer.messages.iter().map(|m| m.seq).collect(), answer.next_page_token))
}

async fn filled(world: &World, count: usize) -> (String, Api) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    for at in 1..=count {
        send(&mut alice, &chat, &format!("m{at}"), &format!("message {at}")).await;
    }
    (chat, alice)
}

async fn history_goes_either_way_by_pages(world: World) {
    let (chat, mut api) = filled(&world, 11).await;
    for (anchor, want) in [
        (None, (1..=11).rev().collect::<Vec<u32>>()),
        (Some(Anchor::BeforeSeq(7)), (1..7).rev().collect()),
        (Some(Anchor::BeforeSeq(u32::MAX)), (1..=11).rev().collect()),
        (Some(Anchor::AfterSeq(0)), (1..=11).collect()),
        (Some(Anchor::AfterSeq(4)), (5..=11).collect()),
    ] {
        for size in [1, 3, 200] {
            let (mut got, mut token) = list(&mut api, &chat, size, "", anchor).await.unwrap();
            while !token.is_empty() {
                assert_eq!(got.len() % size as usize, 0, "full pages");
                // The token holds the anchor; what is given besides is not looked at.
                let other = Some(Anchor::BeforeSeq(0));
                let (more, next) = list(&mut api, &chat, size, &token, other).await.unwrap();
                got.extend(more);
                token = next;
            }
            assert_eq!(got, want, "{anchor:?} by {size}");
        }
    }
    // What comes meanwhile comes at the end of a walk forwards.
    let (_, token) = list(&mut api, &chat, 10, "", Some(Anchor::AfterSeq(0))).await.unwrap();
    send(&mut api, &chat, "m12", "new").await;
    let (got, token) = list(&mut api, &chat, 10, &token, None).await.unwrap();
    assert_eq!((got, token.as_str()), (vec![11, 12], ""));
}

async fn the_edges_of_a_history(world: World) {
    let (chat, mut api) = filled(&world, 3).await;
    for after in [3, 4, 2_147_483_647, u32::MAX] {
        let empty = list(&mut api, &chat, 5, "", Some(Anchor::AfterSeq(after))).await.unwrap();
        assert_eq!(empty, (vec![], String::new()), "after {after}");
    }
    let (first, token) = list(&mut api, &chat, 5, "", Some(Anchor::BeforeSeq(1))).await.unwrap();
    assert_eq!((first, token.as_str()), (vec![], ""));
    let zero = list(&mut api, &chat, 5, "", Some(Anchor::BeforeSeq(0))).await;
    let refused = Refusal::from(zero);
    assert_eq!(
        (refused.code, refused.what()),
        (Code::InvalidArgument, ("FIELD_INVALID", "before_seq"))
    );
    let (all, _) = list(&mut api, &chat, u32::MAX, "", None).await.unwrap();
    assert_eq!(all.len(), 3);
    let empty = world.direct("alice", "carol").await;
    assert_eq!(list(&mut api, &empty, 0, "", None).await.unwrap(), (vec![], String::new()));

    let (long, mut api) = (world.group("alice", &["bob"]).await, world.api("alice").await);
    for at in 0..205 {
        send(&mut api, &long, &format!("m{at}"), "hello").await;
    }
    assert_eq!(list(&mut api, &long, 0, "", None).await.unwrap().0.len(), 50);
    assert_eq!(list(&mut api, &long, 1_000_000_000, "", None).await.unwrap().0.len(), 200);
    let mut bob = world.api("bob").await;
    for at in 0..150 {
        send(&mut bob, &long, &format!("long{at}"), &"x".repeat(8192)).await;
    }
    let (page, token) = list(&mut api, &long, 200, "", None).await.unwrap();
    assert!((100..150).contains(&page.len()), "at most 1 MiB: {}", page.len());
    let (rest, _) = list(&mut api, &long, 200, &token, None).await.unwrap();
    assert_eq!(rest[0] + 1, *page.last().unwrap(), "and goes on there");
}

async fn changes_of_any_time(world: World) {
    let (chat, mut api) = filled(&world, 9).await;
    let messages = history(&mut api, &chat).await;
    let since = |seconds| Some(Anchor::ChangedSince(prost_types::Timestamp { seconds, nanos: 0 }));
    let year_1 = -62_135_596_800;
    for seconds in [year_1, 0, 253_402_300_799] {
        let none = list(&mut api, &chat, 5, "", since(seconds)).await.unwrap();
        assert_eq!(none, (vec![], String::new()), "nothing has changed");
    }
    for message in &messages[2..7] {
        let ids = (ChatId::parse(&chat).unwrap(), MessageId::parse(&message.message_id).unwrap());
        world.store().delete_message(ids.0, ids.1).await.unwrap();
    }
    for seconds in [year_1, i64::MIN / 1000, 0] {
        let mut got = Vec::new();
        let (mut page, mut token) = list(&mut api, &chat, 2, "", since(seconds)).await.unwrap();
        loop {
            got.append(&mut page);
            if token.is_empty() {
                break;
            }
            (page, token) = list(&mut api, &chat, 2, &token, None).await.unwrap();
        }
        got.sort_unstable();
        assert_eq!(got, [3, 4, 5, 6, 7], "since {seconds}");
    }
    for seconds in [253_402_300_799, i64::MAX / 1000] {
        let (none, _) = list(&mut api, &chat, 5, "", since(seconds)).await.unwrap();
        assert_eq!(none, [0; 0], "of the future");
    }
    for bad in [
        prost_types::Timestamp { seconds: i64::MAX, nanos: 0 },
        prost_types::Timestamp { seconds: i64::MIN, nanos: 0 },
        prost_types::Timestamp { seconds: 0, nanos: -1 },
        prost_types::Timestamp { seconds: 0, nanos: 1_000_000_000 },
    ] {
        let refused =
            Refusal::from(list(&mut api, &chat, 5, "", Some(Anchor::ChangedSince(bad))).await);
        assert_eq!(refused.what(), ("FIELD_INVALID", "changed_since"));
    }
}
