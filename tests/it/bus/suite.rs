//! One function for each thing that the docs of [`Bus`] promise.

use std::collections::HashSet;
use std::time::Duration;

use adda::bus::{BusEvent, ROUTED_AFTER_EXPIRY, To};
use adda::clock::{Clock, SystemClock, Timestamp};
use adda::model::{DeviceId, NodeId, UserId};

use super::{LEASE, World, bytes, envelope, event, hearing, place, until, user};

pub(super) async fn a_node_is_another_at_each_start(world: &World) {
    let (one, other) = (world.node().await, world.node().await);
    assert_ne!(one.node(), other.node());
    assert!(NodeId::parse(one.node().as_str()).is_some());
    let mut events = other.events().unwrap();
    one.publish(To::All, bytes("x"));
    let BusEvent::Envelope { from, .. } = event(&mut events).await else { panic!("deaf") };
    assert_eq!(from, *one.node());
}

pub(super) async fn a_node_of_many_has_peers(world: &World) {
    assert!(world.node().await.has_peers());
}

pub(super) async fn an_envelope_reaches_those_named_each_once_and_never_the_publisher(
    world: &World,
) {
    let (a, b, c) = (world.node().await, world.node().await, world.node().await);
    let (mut of_a, mut of_b, mut of_c) =
        (a.events().unwrap(), b.events().unwrap(), c.events().unwrap());
    let nowhere = NodeId::new("nowhere");
    let named = [b.node(), a.node(), b.node(), &nowhere].map(Clone::clone).to_vec();
    a.publish(To::Nodes(named), bytes("for b"));
    a.publish(To::Nodes(Vec::new()), bytes("for nobody"));
    b.publish(To::Nodes(vec![a.node().clone(), c.node().clone()]), bytes("end"));
    a.publish(To::Nodes(vec![b.node().clone(), c.node().clone()]), bytes("end"));
    assert_eq!(envelope(&mut of_b).await, "for b");
    assert_eq!(envelope(&mut of_b).await, "end");
    assert_eq!(envelope(&mut of_a).await, "end");
    assert_eq!(envelope(&mut of_c).await, "end");
    assert_eq!(envelope(&mut of_c).await, "end");
}

pub(super) async fn an_envelope_to_all_reaches_all_others(world: &World) {
    let (a, b, c) = (world.node().await, world.node().await, world.node().await);
    let (mut of_a, mut of_b, mut of_c) =
        (a.events().unwrap(), b.events().unwrap(), c.events().unwrap());
    a.publish(To::All, bytes("of a"));
    assert_eq!(envelope(&mut of_b).await, "of a");
    assert_eq!(envelope(&mut of_c).await, "of a");
    b.publish(To::All, bytes("of b"));
    assert_eq!(envelope(&mut of_a).await, "of b", "and nothing of its own before");
    assert_eq!(envelope(&mut of_c).await, "of b");
}

pub(super) async fn envelopes_come_in_order_each_once(world: &World) {
    let (a, b) = (world.node().await, world.node().await);
    let mut events = b.events().unwrap();
    for number in 0..3_000 {
        let to = if number % 3 == 0 { To::All } else { To::Nodes(vec![b.node().clone()]) };
        a.publish(to, bytes(&number.to_string()));
    }
    for number in 0..3_000 {
        assert_eq!(envelope(&mut events).await, number.to_string());
    }
    assert!(!b.is_deaf());
}

pub(super) async fn a_payload_comes_as_it_was(world: &World) {
    let (a, b) = (world.node().await, world.node().await);
    let mut events = b.events().unwrap();
    let all: Vec<u8> = (0..=255).collect();
    for payload in [Vec::new(), b"\r\n".to_vec(), "আড্ডা".into(), all.repeat(1_000)] {
        a.publish(To::All, payload.clone().into());
        assert_eq!(envelope(&mut events).await, payload);
    }
}

pub(super) async fn what_finds_a_queue_full_is_told_as_lost(world: &World) {
    const MANY: usize = 100_000;
    let (a, b) = (world.node().await, world.node().await);
    let mut events = b.events().unwrap();
    let before = SystemClock.now();
    // It neither waits nor fails, whatever becomes of it.
    for _ in 0..MANY {
        a.publish(To::All, bytes("much"));
    }
    // Nobody takes them, so some are lost; once there is room, that is told.
    until("b knows", async || b.is_deaf()).await;
    let mut heard = 0;
    let since = loop {
        match event(&mut events).await {
            BusEvent::Envelope { .. } => heard += 1,
            BusEvent::Deaf { since } => break since,
            BusEvent::Hearing => panic!("all is not well"),
        }
    };
    assert!(since >= before.minus(Duration::from_secs(5)), "{since:?} {before:?}");
    assert!(heard < MANY);
    hearing(&mut events).await;
    a.publish(To::All, bytes("end"));
    while envelope(&mut events).await != "end" {}
}

pub(super) async fn events_can_be_taken_once(world: &World) {
    let node = world.node().await;
    assert!(node.events().is_some());
    assert!(node.events().is_none());
}

pub(super) async fn a_node_hears_itself_and_those_that_are_there(world: &World) {
    let (a, b) = (world.node().await, world.node().await);
    assert!(a.hears(a.node()));
    until("they hear each other", async || a.hears(b.node()) && b.hears(a.node())).await;
    assert!(!a.hears(&NodeId::new("nobody")));
    // It crashes.
    let name = b.node().clone();
    drop(b);
    until("it is heard no more", async || !a.hears(&name)).await;
}

pub(super) async fn peers_are_the_others_that_are_there(world: &World) {
    let (a, b, c) = (world.node().await, world.node().await, world.node().await);
    let mut others = vec![b.node().clone(), c.node().clone()];
    others.sort_unstable();
    let peers = || {
        let mut peers = a.peers();
        peers.sort_unstable();
        peers
    };
    until("it knows them", async || peers() == others).await;
    c.close().await;
    until("one has left", async || peers() == [b.node().clone()]).await;
    drop(b);
    until("one has crashed", async || peers().is_empty()).await;
}

pub(super) async fn a_node_that_is_well_is_not_deaf(world: &World) {
    let (a, b) = (world.node().await, world.node().await);
    assert!(!a.is_deaf() && !b.is_deaf());
    let mut events = a.events().unwrap();
    assert!(events.try_recv().is_err(), "and nothing is said of it");
}

pub(super) async fn renewing_answers_how_many_were_added(world: &World) {
    let node = world.node().await;
    let places: Vec<_> = ["u", "u", "v"].map(|name| (user(name), place(&*node))).into();
    assert_eq!(node.renew(&places[..1]).await.unwrap(), 1);
    assert_eq!(node.renew(&places).await.unwrap(), 2);
    assert_eq!(node.renew(&places).await.unwrap(), 0);
    assert_eq!(node.renew(&[]).await.unwrap(), 0);
    let twice = (user("w"), place(&*node));
    assert_eq!(node.renew(&[twice.clone(), twice]).await.unwrap(), 1);
}

pub(super) async fn a_session_has_one_place(world: &World) {
    let (a, b) = (world.node().await, world.node().await);
    let front = place(&*a);
    let mut back = front.clone();
    back.foreground = false;
    back.since = Timestamp(front.since.0 + 1);
    let other = place(&*b);
    let of_user = |place| (user("u"), place);
    a.renew(&[of_user(front.clone())]).await.unwrap();
    b.renew(&[of_user(other.clone())]).await.unwrap();
    assert_eq!(a.renew(&[of_user(back.clone())]).await.unwrap(), 0, "it was there");
    let found: HashSet<_> = found(&*a, "u").await.into_iter().map(|found| found.place).collect();
    assert_eq!(found, HashSet::from([back, other.clone()]));
    // And is removed, however it stands.
    a.remove(&[of_user(front)]).await.unwrap();
    assert_eq!(places(&*a, "u").await, [other]);
}

async fn found(node: &dyn adda::bus::Bus, name: &str) -> Vec<adda::bus::Found> {
    node.find(&[user(name)]).await.unwrap().remove(0)
}

async fn places(node: &dyn adda::bus::Bus, name: &str) -> Vec<adda::bus::Place> {
    found(node, name).await.into_iter().map(|found| found.place).collect()
}

pub(super) async fn renewing_keeps_a_place_live(world: &World) {
    let node = world.node().await;
    let here = [(user("u"), place(&*node))];
    for _ in 0..4 {
        node.renew(&here).await.unwrap();
        world.let_pass(LEASE * 2 / 3);
        let found = found(&*node, "u").await;
        assert!(found[0].live);
    }
}

pub(super) async fn a_lapsed_place_is_routed_to_for_five_minutes_and_then_gone(world: &World) {
    let node = world.node().await;
    let here = [(user("u"), place(&*node))];
    let second = Duration::from_secs(1);
    node.renew(&here).await.unwrap();
    world.let_pass(LEASE + second);
    let lapsed = found(&*node, "u").await;
    assert_eq!(lapsed.len(), 1);
    assert!(!lapsed[0].live);
    assert_eq!(node.renew(&here).await.unwrap(), 0, "it was known");
    assert!(found(&*node, "u").await[0].live);
    world.let_pass(LEASE + ROUTED_AFTER_EXPIRY.saturating_sub(10 * second));
    assert_eq!(places(&*node, "u").await, [here[0].1.clone()]);
    world.let_pass(11 * second);
    assert!(found(&*node, "u").await.is_empty());
    assert_eq!(node.renew(&here).await.unwrap(), 1, "it was gone");
}

pub(super) async fn places_are_removed_and_one_not_there_is_no_error(world: &World) {
    let node = world.node().await;
    let [one, other] = [(); 2].map(|()| (user("u"), place(&*node)));
    node.renew(&[one.clone(), other.clone()]).await.unwrap();
    node.remove(std::slice::from_ref(&one)).await.unwrap();
    node.remove(&[one.clone(), (user("nobody"), place(&*node))]).await.unwrap();
    node.remove(&[]).await.unwrap();
    assert_eq!(places(&*node, "u").await, [other.1]);
    assert_eq!(node.renew(&[one]).await.unwrap(), 1);
}

pub(super) async fn places_are_found_in_the_order_asked(world: &World) {
    let (a, b) = (world.node().await, world.node().await);
    let [u, v] = ["u", "v"].map(|name| (user(name), place(&*a)));
    a.renew(&[u.clone(), v.clone()]).await.unwrap();
    let asked = ["v", "nobody", "u", "v"].map(user);
    let found = b.find(&asked).await.unwrap();
    let found: Vec<Vec<_>> =
        found.into_iter().map(|of| of.into_iter().map(|found| found.place).collect()).collect();
    assert_eq!(found, [vec![v.1.clone()], vec![], vec![u.1], vec![v.1.clone()]]);
    assert!(b.find(&[]).await.unwrap().is_empty());
    // Each answer is read anew.
    a.remove(&[v]).await.unwrap();
    assert!(b.find(&[user("v")]).await.unwrap()[0].is_empty());
}

pub(super) async fn many_places_go_in_one_batch(world: &World) {
    let node = world.node().await;
    let all: Vec<_> =
        (0..2_000).map(|number| (user(&format!("u{number}")), place(&*node))).collect();
    assert_eq!(node.renew(&all).await.unwrap(), 2_000);
    assert_eq!(node.renew(&all).await.unwrap(), 0);
    let users: Vec<UserId> = all.iter().map(|(user, _)| user.clone()).collect();
    let found = node.find(&users).await.unwrap();
    assert!(found.iter().zip(&all).all(|(found, (_, place))| found[0].place == *place));
    node.remove(&all).await.unwrap();
    assert!(node.find(&users).await.unwrap().iter().all(Vec::is_empty));
}

pub(super) async fn a_place_is_found_as_it_was_written(world: &World) {
    let node = world.node().await;
    let mut here = place(&*node);
    here.device = DeviceId::new("A.b:c@d-e_9");
    here.foreground = false;
    let who = user("A.b:c@d-e_9");
    let before = SystemClock.now();
    node.renew(&[(who.clone(), here.clone())]).await.unwrap();
    let found = node.find(&[who]).await.unwrap().remove(0).remove(0);
    assert_eq!(found.place, here);
    assert!(found.live);
    let renewed = found.renewed_at;
    let after = SystemClock.now();
    assert!(before <= renewed && renewed <= after, "{before:?} {renewed:?} {after:?}");
}

pub(super) async fn closing_sends_what_is_queued_and_says_goodbye(world: &World) {
    let (a, b) = (world.node().await, world.node().await);
    let mut events = b.events().unwrap();
    for number in 0..2_000 {
        a.publish(To::All, bytes(&number.to_string()));
    }
    a.close().await;
    a.publish(To::All, bytes("too late"));
    for number in 0..2_000 {
        assert_eq!(envelope(&mut events).await, number.to_string());
    }
    until("a is forgotten", async || !b.hears(a.node())).await;
    assert!(!b.is_deaf());
    assert!(events.try_recv().is_err(), "nobody is missed who said goodbye");
    a.close().await;
}
