//! When there is too much to replay, or no way to know what; and the way back from there.

use adda::model::{ChatId, MessageId};
use adda::proto;
use adda::proto::list_messages_request::Anchor;
use adda::proto::server_frame::Frame;

use super::{flood, replay, was_here};
use crate::on_both_backends;
use crate::world::{Api, Backends, Live, World, hello, history, send};

on_both_backends! {
    a_token_of_no_use_is_a_gap,
    a_thousand_messages_are_replayed_and_one_more_is_a_gap,
    the_way_back_from_a_gap,
}

async fn gap(world: &World, user: &str, hello: proto::Hello) -> Live {
    let mut live = Live::open(world.api(user).await, hello).await.unwrap();
    assert_eq!(live.ready.resume_outcome(), proto::ResumeOutcome::Gap);
    assert_eq!(replay(&mut live).await, [], "nothing is replayed");
    live.wait(|frame| matches!(frame, Frame::Checkpoint(_)).then_some(())).await;
    live
}

async fn a_token_of_no_use_is_a_gap(world: World) {
    let secret = world.direct("alice", "carol").await;
    let chat = world.direct("alice", "bob").await;
    let hers = was_here(&world, "alice").await.resume_token;
    flood(&world, "alice", &secret, 0, 3).await;
    flood(&world, "alice", &chat, 0, 3).await;
    let own = was_here(&world, "bob").await.resume_token;
    let mut tampered = own.to_vec();
    *tampered.last_mut().unwrap() ^= 1;
    let page = proto::ListMessagesRequest {
        chat_id: chat.clone(),
        page_size: 1,
        ..proto::ListMessagesRequest::default()
    };
    let page = world.api("bob").await.list_messages(page).await.unwrap().into_inner();
    let tokens: [Vec<u8>; 7] = [
        hers.to_vec(),
        tampered,
        own[..own.len() - 1].to_vec(),
        [&own[..], &[0]].concat(),
        vec![0],
        vec![7; 60_000],
        page.next_page_token.into_bytes(),
    ];
    for token in tokens {
        let mut bob =
            gap(&world, "bob", proto::Hello { resume_token: token.into(), ..hello("phone") }).await;
        // It is as good as a new one from here on.
        send(&mut world.api("alice").await, &secret, &crate::world::unique(), "secret").await;
        let sent = send(&mut world.api("alice").await, &chat, &crate::world::unique(), "hi").await;
        assert_eq!(bob.message().await.seq, sent.seq);
        assert!(bob.take_seen().iter().all(|frame| !format!("{frame:?}").contains(&secret)));
    }
}

async fn a_thousand_messages_are_replayed_and_one_more_is_a_gap(world: World) {
    let chat = world.group("alice", &["bob"]).await;
    let hello = was_here(&world, "bob").await;
    flood(&world, "alice", &chat, 0, 1000).await;
    let mut bob = super::resume(&world, "bob", hello.clone()).await;
    assert_eq!(super::seqs(&super::replayed(&mut bob).await).len(), 1000);
    flood(&world, "alice", &chat, 1000, 1).await;
    gap(&world, "bob", hello).await;
}

/// All pages of changes in a chat.
async fn changed(api: &mut Api, chat: &str, since: prost_types::Timestamp) -> Vec<proto::Message> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListMessagesRequest {
            chat_id: chat.to_owned(),
            page_size: 2,
            page_token,
            anchor: Some(Anchor::ChangedSince(since)),
        };
        let page = api.list_messages(request).await.unwrap().into_inner();
        all.extend(page.messages);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

async fn the_way_back_from_a_gap(world: World) {
    let busy = world.group("alice", &["bob"]).await;
    let quiet = world.direct("alice", "bob").await;
    flood(&world, "alice", &quiet, 1, 7).await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let (hello, as_of) = (bob.hello("phone"), bob.as_of.unwrap());
    drop(bob);
    flood(&world, "alice", &busy, 0, 1001).await;
    let made = world.group("carol", &["bob"]).await;
    let messages = history(&mut world.api("alice").await, &quiet).await;
    for at in [1, 2, 4, 6, 0] {
        let id = MessageId::parse(&messages[at].message_id).unwrap();
        world.store().delete_message(ChatId::parse(&quiet).unwrap(), id).await.unwrap();
    }

    let mut bob = gap(&world, "bob", hello).await;
    let mut api = bob.api.clone();
    // Step 2: the inbox, to its end.
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListChatsRequest { page_size: 1, page_token, ..Default::default() };
        let page = api.list_chats(request).await.unwrap().into_inner();
        listed.extend(page.chats.into_iter().map(|chat| (chat.chat_id, chat.last_seq)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, [(made, 1), (busy.clone(), 1002), (quiet.clone(), 7)]);
    // Step 3: what is new, and what has changed.
    let all = history(&mut api, &busy).await;
    assert_eq!(all.len(), 1002);
    assert!(changed(&mut api, &busy, as_of).await.is_empty(), "not those that are merely new");
    let mut gone = changed(&mut api, &quiet, as_of).await;
    gone.sort_by_key(|message| message.seq);
    let seqs: Vec<_> = gone.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 5, 7]);
    assert!(gone.iter().all(|m| m.text.is_empty() && m.deleted_at.is_some() && m.revision == 1));
    // The new token goes on from there.
    flood(&world, "alice", &quiet, 100, 1).await;
    assert_eq!(bob.message().await.seq, 8);
    let mut bob = super::resume(&world, "bob", bob.hello("phone")).await;
    assert_eq!(super::seqs(&super::replayed(&mut bob).await), [8]);
}

/// A token of long ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_beyond_the_window_is_a_gap() {
    let world = World::with(Backends::Sqlite, &["--resume-window", "200ms"]).await.unwrap();
    let hello = was_here(&world, "bob").await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    gap(&world, "bob", hello).await;
}
