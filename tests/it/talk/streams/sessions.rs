//! How many streams a user has, and which of two stays.

use adda::proto;
use tonic::Code;

use crate::on_both_backends;
use crate::world::{Live, Refusal, World, eventually, hello};

on_both_backends! {
    the_higher_generation_stays,
    without_a_generation_the_later_stays,
    tabs_live_beside_each_other,
    a_user_has_twenty_sessions_and_no_more,
    the_bound_holds_also_for_those_who_come_at_once,
    of_two_nodes_one_keeps_the_stream,
}

fn of(generation: u32, instance: &str) -> proto::Hello {
    proto::Hello { generation, instance_id: instance.to_owned(), ..hello("phone") }
}

async fn open(world: &World, hello: proto::Hello) -> Result<Live, tonic::Status> {
    Live::open(world.api("alice").await, hello).await
}

async fn superseded(live: &mut Live) {
    assert_eq!(live.closed().await.reason(), proto::CloseReason::Superseded);
}

async fn the_higher_generation_stays(world: World) {
    let mut first = open(&world, of(3, "")).await.unwrap();
    let mut second = open(&world, of(4, "")).await.unwrap();
    superseded(&mut first).await;
    assert!(!first.token.is_empty(), "it may resume from where it was");
    // A Hello that was long under way: Close is the only frame.
    let late = open(&world, of(2, "")).await.err().unwrap();
    assert_eq!((late.code(), late.message()), (Code::Aborted, "Superseded"));
    second.settle().await;
    let mut same = open(&world, of(4, "")).await.unwrap();
    superseded(&mut second).await;
    same.settle().await;
}

async fn without_a_generation_the_later_stays(world: World) {
    let mut first = open(&world, of(9, "")).await.unwrap();
    let mut second = open(&world, of(0, "")).await.unwrap();
    superseded(&mut first).await;
    let mut third = open(&world, of(1, "")).await.unwrap();
    superseded(&mut second).await;
    third.settle().await;
}

async fn tabs_live_beside_each_other(world: World) {
    let mut one = open(&world, of(0, "tab-1")).await.unwrap();
    let mut two = open(&world, of(0, "tab-2")).await.unwrap();
    let mut none = open(&world, of(0, "")).await.unwrap();
    let mut bobs = Live::open(world.api("bob").await, of(0, "tab-1")).await.unwrap();
    let mut other = world.connect("alice", "laptop").await;
    for live in [&mut one, &mut two, &mut none, &mut bobs, &mut other] {
        live.settle().await;
    }
    let mut again = open(&world, of(0, "tab-1")).await.unwrap();
    superseded(&mut one).await;
    for live in [&mut two, &mut again, &mut bobs] {
        live.settle().await;
    }
}

fn too_many(status: &tonic::Status) {
    let refused = Refusal::of_status(status);
    assert_eq!(
        (refused.code, refused.what()),
        (Code::ResourceExhausted, ("TOO_MANY_SESSIONS", ""))
    );
    assert_eq!((refused.retry, refused.limit()), (true, Some("20")));
}

async fn a_user_has_twenty_sessions_and_no_more(world: World) {
    let mut all = Vec::new();
    for at in 0..20 {
        // Half of them tabs of one device.
        let hello =
            if at % 2 == 0 { hello(&format!("d{at}")) } else { of(0, &format!("tab-{at}")) };
        all.push(open(&world, hello).await.unwrap());
    }
    too_many(&open(&world, of(0, "tab-21")).await.err().unwrap());
    let web = Live::subscribe(world.api("alice").await, hello("web")).await;
    too_many(&web.err().unwrap());
    world.connect("bob", "phone").await.settle().await;
    // Who takes the place of another does not count twice.
    all.push(open(&world, of(0, "tab-1")).await.unwrap());
    superseded(&mut all[1]).await;
    for live in all.iter_mut().filter(|live| live.ready.session_id.is_empty()) {
        live.settle().await;
    }
    drop(all.pop());
    eventually("there is room again", async || open(&world, of(0, "tab-21")).await.ok()).await;
}

async fn the_bound_holds_also_for_those_who_come_at_once(world: World) {
    let opened = (0..40).map(async |at| open(&world, hello(&format!("d{at}"))).await);
    let opened = futures_util::future::join_all(opened).await;
    let good = opened.iter().filter(|opened| opened.is_ok()).count();
    assert_eq!(good, 20);
    for refused in opened.iter().filter_map(|opened| opened.as_ref().err()) {
        too_many(refused);
    }
}

async fn of_two_nodes_one_keeps_the_stream(mut world: World) {
    if !world.has_several_nodes() {
        return;
    }
    let other = world.add_node(&[]).await;
    let at = async |node, hello| Live::open(world.api_at(node, "alice").await, hello).await;
    let mut here = at(0, of(3, "")).await.unwrap();
    let mut tab = at(0, of(0, "tab")).await.unwrap();
    let mut there = at(other, of(4, "")).await.unwrap();
    superseded(&mut here).await;
    // The node of the late one does not know the generation, and is told.
    match at(0, of(2, "")).await {
        Ok(mut late) => superseded(&mut late).await,
        Err(late) => assert_eq!(late.message(), "Superseded"),
    }
    there.settle().await;
    tab.settle().await;
    let mut all = Vec::new();
    for number in 0..18 {
        // Streams that were superseded may still take up room.
        let opened = async || at(number % 2, hello(&format!("d{number}"))).await.ok();
        all.push(eventually("a room", opened).await);
    }
    too_many(&at(other, hello("one-too-many")).await.err().unwrap());
    there.settle().await;
}
