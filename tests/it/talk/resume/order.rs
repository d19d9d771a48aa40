//! The order of frames, and where Checkpoints stand among them.

use std::time::Duration;

use adda::chat::seal::Sealer;
use adda::clock::{Clock as _, SystemClock, Timestamp};
use adda::model::{ChatId, MessageId, UserId};
use adda::proto;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::store::NewMessage;
use futures_util::future::join_all;

use super::{event, flood, replay, resume, sent, seqs, was_here};
use crate::on_both_backends;
use crate::world::{Backends, Came, World, send};

on_both_backends! {
    the_replay_comes_first_then_what_happens,
    a_long_replay_can_be_left_at_each_checkpoint,
    what_happens_during_a_replay_comes_after_it,
    a_replay_of_long_messages_comes_through,
    what_a_node_sees_only_the_end_of_is_told_whole,
    an_old_message_sent_again_is_no_news,
}

async fn the_replay_comes_first_then_what_happens(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut alice = world.api("alice").await;
    send(&mut alice, &chat, "m1", "before").await;
    let hello = was_here(&world, "bob").await;
    flood(&world, "alice", &chat, 2, 5).await;
    let mut bob = resume(&world, "bob", hello).await;
    let mut order = Vec::new();
    let mut next = 7;
    send(&mut alice, &chat, "m7", "live").await;
    while next > 0 {
        let Came::Frame(frame) = bob.came().await else { panic!() };
        match &frame {
            Frame::CaughtUp(_) => order.push("caught up"),
            Frame::Checkpoint(_) => order.push("checkpoint"),
            Frame::Event(_) => {
                let Some(event) = event(frame) else { panic!() };
                match sent(&event).map(|message| message.seq) {
                    Some(7) => {
                        order.push("live");
                        next = 0;
                    }
                    Some(_) => order.push("replayed"),
                    None => {}
                }
            }
            other => panic!("{other:?}"),
        }
    }
    order.dedup();
    assert_eq!(order, ["replayed", "caught up", "checkpoint", "live"]);
}

async fn a_long_replay_can_be_left_at_each_checkpoint(world: World) {
    let chats = [world.direct("alice", "bob").await, world.direct("carol", "bob").await];
    for (user, chat) in ["alice", "carol"].into_iter().zip(&chats) {
        send(&mut world.api(user).await, chat, "m1", "before").await;
    }
    let mut hello = was_here(&world, "bob").await;
    flood(&world, "alice", &chats[0], 2, 400).await;
    flood(&world, "carol", &chats[1], 2, 200).await;
    // Leave at the first Checkpoint, each time, and go on from there.
    let mut got: Vec<(String, u32)> = Vec::new();
    let mut rounds = 0;
    loop {
        let mut bob = resume(&world, "bob", hello.clone()).await;
        let mut since = 0;
        let done = loop {
            match bob.came().await {
                Came::Frame(Frame::CaughtUp(_)) => break true,
                Came::Frame(Frame::Checkpoint(_)) => break false,
                Came::Frame(frame) => {
                    let event = event(frame).unwrap();
                    got.extend(sent(&event).map(|m| (m.chat_id.clone(), m.seq)));
                    since += 1;
                    assert!(since <= 200, "a Checkpoint at least every 200 events");
                }
                other => panic!("{other:?}"),
            }
        };
        rounds += 1;
        if done {
            break;
        }
        hello = bob.hello("phone");
    }
    assert!(rounds >= 3, "{rounds}");
    for (chat, last) in [(&chats[0], 401), (&chats[1], 201)] {
        let of: Vec<u32> = got.iter().filter(|(c, _)| c == chat).map(|(_, seq)| *seq).collect();
        assert_eq!(of, (2..=last).collect::<Vec<_>>(), "each once, and none left out");
    }
}

async fn what_happens_during_a_replay_comes_after_it(world: World) {
    let chat = world.group("alice", &["bob"]).await;
    let hello = was_here(&world, "bob").await;
    flood(&world, "alice", &chat, 0, 500).await;
    let mut bob = resume(&world, "bob", hello).await;
    let more = async {
        let mut alice = world.api("alice").await;
        for at in 500..540 {
            send(&mut alice, &chat, &format!("m{at}"), "live").await;
        }
    };
    let read = async {
        let mut events: Vec<_> = replay(&mut bob).await.into_iter().filter_map(event).collect();
        let replayed = seqs(&events).len();
        while !seqs(&events).contains(&541) {
            let Came::Frame(frame) = bob.came().await else { panic!() };
            events.extend(event(frame));
        }
        assert!((500..541).contains(&replayed), "{replayed}");
        assert_eq!(seqs(&events), (2..=541).collect::<Vec<_>>());
    };
    tokio::join!(more, read);
}

async fn a_replay_of_long_messages_comes_through(world: World) {
    let chat = world.group("alice", &["bob"]).await;
    let hello = was_here(&world, "bob").await;
    let mut alice = world.api("alice").await;
    for at in 0..150 {
        send(&mut alice, &chat, &format!("m{at}"), &"x".repeat(8192)).await;
    }
    let mut bob = resume(&world, "bob", hello).await;
    let events: Vec<_> = replay(&mut bob).await.into_iter().filter_map(event).collect();
    assert_eq!(seqs(&events), (2..=151).collect::<Vec<_>>());
}

/// While anything happens a Checkpoint comes at least every 10 s, and otherwise none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_follows_what_happens() {
    let world = World::with(Backends::Sqlite, &[]).await.unwrap();
    let chat = world.direct("alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let (token, as_of) = (bob.token.clone(), bob.as_of);
    let mut alice = world.api("alice").await;
    send(&mut alice, &chat, "m1", "hello").await;
    bob.message().await;
    bob.wait(|frame| matches!(frame, Frame::Checkpoint(_)).then_some(())).await;
    assert_ne!(bob.token, token);
    assert!(bob.as_of.unwrap().seconds > as_of.unwrap().seconds);
    assert!(bob.token.len() < 1024);
    let hello = bob.hello("phone");
    drop(bob);
    let mut bob = resume(&world, "bob", hello).await;
    let events = super::replayed(&mut bob).await;
    assert_eq!(seqs(&events), [0; 0], "the Checkpoint covers it");
    assert!(!events.iter().any(|e| matches!(e, proto::event::Event::MessageSent(_))));
}

/// The first that a node sees of a chat may be its nine-hundredth message: tasks that tell of stored
/// messages run in any order, and the bus may have lost all before it.
async fn what_a_node_sees_only_the_end_of_is_told_whole(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let unseen = (1..900).map(|at| {
        let new = written(&chat, &format!("m{at}"), [0; 16]);
        world.store().append(new)
    });
    for appended in join_all(unseen.collect::<Vec<_>>()).await {
        appended.unwrap();
    }
    send(&mut world.api("alice").await, &chat, "last", "seen").await;
    for seq in 1..=900 {
        assert_eq!(bob.message().await.seq, seq);
    }
    let came = bob.take_seen().into_iter().filter_map(event);
    let introduced = came.filter(|event| matches!(event, Event::ChatUpdated(_)));
    assert_eq!(introduced.count(), 1, "the chat itself is told");
}

/// An outbox may bring a message again days later. To tell it would set the node's feed back to
/// it, and all since would be told before what is new.
async fn an_old_message_sent_again_is_no_news(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    let keys = world.store().keys().await.unwrap();
    let hash = Sealer::new(keys).content_hash(&[b"old", b""]);
    let long_ago = SystemClock.now().minus(Duration::from_secs(3_600));
    for at in 1..=50_i64 {
        let id = MessageId(Timestamp(long_ago.0 + at).first_id());
        let old = NewMessage { id, ..written(&chat, &format!("m{at}"), hash) };
        world.store().append(old).await.unwrap();
    }
    let mut alice = world.api("alice").await;
    let again = send(&mut alice, &chat, "m1", "old").await;
    assert!(again.duplicate);
    send(&mut alice, &chat, "new", "new").await;
    assert_eq!(bob.message().await.seq, 51);
}

/// A message of alice that this node does not hear of.
fn written(chat: &str, client_message_id: &str, content_hash: [u8; 16]) -> NewMessage {
    NewMessage {
        id: MessageId(SystemClock.new_id()),
        chat: ChatId::parse(chat).unwrap(),
        sender: Some(UserId::new("alice")),
        client_message_id: client_message_id.to_owned(),
        content_hash,
        text: "old".to_owned(),
        attachments: Vec::new(),
        reply_to: None,
        mentions: Vec::new(),
        words: Vec::new(),
        note: None,
        member_as_of: 0,
    }
}
