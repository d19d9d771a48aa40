//! A stream that is cut again and again while much is sent.

use adda::proto::server_frame::Frame;

use super::{event, sent};
use crate::on_both_backends;
use crate::world::{Came, Live, World, send};

on_both_backends! {
    cut_at_any_point_nothing_is_missing_and_nothing_twice,
}

const SENDERS: usize = 3;
const EACH: usize = 120;
/// With the note that begins the group.
const ALL: usize = SENDERS * EACH + 1;

async fn cut_at_any_point_nothing_is_missing_and_nothing_twice(mut world: World) {
    let nodes =
        if world.has_several_nodes() { vec![0, world.add_node(&[]).await] } else { vec![0] };
    let chat = world.group("bob", &["a0", "a1", "a2"]).await;
    let mut hello = super::was_here(&world, "bob").await;
    let senders = (0..SENDERS).map(async |number| {
        let mut api = world.api_at(nodes[number % nodes.len()], &format!("a{number}")).await;
        for at in 0..EACH {
            send(&mut api, &chat, &format!("m{number}-{at}"), "hello").await;
        }
    });
    let reader = async {
        // What is on disk: taken in with a Checkpoint, as the contract says.
        let mut kept: Vec<u32> = vec![1];
        let mut chance: u64 = 7;
        for round in 0..200 {
            if kept.len() == ALL {
                break;
            }
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let api = world.api_at(nodes[round % nodes.len()], "bob").await;
            let mut live = Live::open(api, hello.clone()).await.unwrap();
            read_some(&mut live, (chance >> 33) % 300, &mut kept).await;
            if !live.token.is_empty() {
                hello = live.hello("phone");
            }
        }
        assert_eq!(kept, (1..).take(ALL).collect::<Vec<u32>>());
    };
    tokio::join!(futures_util::future::join_all(senders), reader);
}

/// Reads this many frames, or until there will be no more.
async fn read_some(live: &mut Live, frames: u64, kept: &mut Vec<u32>) {
    let (mut pending, mut kept_here) = (Vec::new(), false);
    for _ in 0..frames {
        match live.came().await {
            Came::Frame(Frame::Checkpoint(_)) => {
                kept.append(&mut pending);
                kept_here = true;
            }
            Came::Frame(frame) => {
                pending.extend(event(frame).iter().filter_map(sent).map(|message| message.seq));
            }
            other => panic!("{other:?}"),
        }
        if kept_here && kept.len() + pending.len() == ALL {
            return;
        }
    }
}
