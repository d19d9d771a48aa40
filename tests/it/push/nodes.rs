//! Several nodes look for whom to push, and one of them does.

use super::away::held;
use super::fake::Fcm;
use super::{at, device, world};
use crate::world::{Backends, send};

/// Users who are away.
const AWAY: usize = 20;

/// Both nodes look at all messages twice more; once one that came last was pushed by the second
/// look, all were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_push_nothing_twice() {
    let fcm = Fcm::open().await;
    let soon = ["--push-after", "1s", "--push-hold", "3s"];
    let Some(mut world) = world(Backends::MongoRedis, &fcm, &soon).await else { return };
    let flags = fcm.flags(&soon);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    world.add_node(&flags).await;
    let user = |number: usize| format!("user-{number}");
    for number in 0..AWAY {
        let (user, node) = (user(number), world.addr(number % 2));
        at(node, &user).await.register_device(device("phone", &user)).await.unwrap();
        let chat = world.direct("alice", &user).await;
        let mut alice = world.api_at(number % 2, "alice").await;
        send(&mut alice, &chat, "m1", "hello").await;
    }
    let last = world.direct("alice", "emil").await;
    let (emil, phone) = held(&world, "emil").await;
    send(&mut world.api_at(1, "alice").await, &last, "m1", "hello").await;
    emil.hears(&last, 1).await;
    fcm.next(&phone, 0).await;
    let asked: Vec<u32> = (0..AWAY).map(|number| fcm.asked(&user(number))).collect();
    assert_eq!(asked, vec![1; AWAY]);
}
