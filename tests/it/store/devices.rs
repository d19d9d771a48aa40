//! Devices that ask for pushes, and how far each has come in each chat.

use std::time::Duration;

use adda::model::{ChatId, DeviceId, MessageId, NodeId, Platform, Seq};
use adda::store::{Claimed, Device, NewDevice, Spot, Trace};
use tokio::task::JoinSet;

use super::{Bench, on_every_store, sorted, user};
use crate::world::eventually;

on_every_store!(
    a_device_is_registered_and_changed,
    a_device_over_the_limit_is_not_registered,
    a_token_is_of_the_device_that_had_it_last,
    of_many_who_take_one_token_at_once_one_has_it,
    a_device_that_is_unregistered_is_gone_with_its_standings,
    all_devices_of_a_user_can_be_forgotten,
    a_token_that_failed_is_gone_and_why_is_kept,
    what_is_acknowledged_only_rises,
    standings_are_of_those_asked_for,
    a_push_is_claimed_once_until_it_is_settled_or_its_lease_is_over,
    of_many_who_claim_at_once_one_gets_it,
    what_was_pushed_or_acknowledged_is_not_claimed,
    pushes_of_a_spot_keep_apart,
    what_was_pushed_is_cleared_once,
    what_one_push_told_of_several_chats_is_kept_until_the_next,
    what_became_of_a_push_is_told_in_order,
);

const LONG: Duration = Duration::from_secs(600);
/// Near enough to it.
const NEARLY: Duration = Duration::from_secs(540);
const SHORT: Duration = Duration::from_millis(200);

fn new(name: &str, device: &str, token: &str) -> NewDevice {
    NewDevice {
        user: user(name),
        id: DeviceId::new(device),
        token: token.to_owned(),
        platform: Platform::Android,
        locale: "bn-BD".to_owned(),
        app_version: "1.0 $beta".to_owned(),
    }
}

async fn register(bench: &Bench, name: &str, device: &str, token: &str) -> Device {
    bench.node().register_device(new(name, device, token), 20).await.unwrap().unwrap()
}

/// The devices of a user and their tokens.
async fn devices(bench: &Bench, name: &str) -> Vec<(String, Option<String>)> {
    let found = bench.node().devices_of(&[user(name), user(name)]).await.unwrap();
    sorted(found.into_iter().map(|device| (device.id.to_string(), device.token)))
}

fn spot(chat: ChatId, name: &str, device: &str) -> Spot {
    let device = (!device.is_empty()).then(|| DeviceId::new(device));
    Spot { chat, user: user(name), device }
}

async fn claim(bench: &Bench, spot: &Spot, to: Seq, lease: Duration) -> Claimed {
    let claims = [(spot.clone(), to)];
    bench.node().claim_pushes(&claims, lease, Duration::ZERO).await.unwrap()[0]
}

async fn settle(bench: &Bench, spot: &Spot, to: Option<Seq>) {
    bench.node().settle_pushes(&[(spot.clone(), to)]).await.unwrap();
}

/// Acknowledged, pushed and cleared up to, of one spot.
async fn stands(bench: &Bench, spot: &Spot) -> (Seq, Seq, Seq) {
    let of = [(spot.chat, spot.user.clone())];
    let found = bench.node().standings(&of).await.unwrap();
    let found = found.into_iter().find(|standing| standing.spot == *spot);
    found.map_or((0, 0, 0), |of| (of.acked_to, of.pushed_to, of.cleared_to))
}

async fn a_device_is_registered_and_changed(bench: &Bench) {
    let before = bench.later().await;
    let first = register(bench, "ana", "phone", "$token").await;
    assert!(first.registered_at >= before && first.registered_at < bench.later().await);
    assert_eq!((first.platform, first.locale.as_str()), (Platform::Android, "bn-BD"));
    assert_eq!((first.app_version.as_str(), &first.failed), ("1.0 $beta", &None));
    assert_eq!(
        bench.node().devices_of(&[user("ana")]).await.unwrap(),
        std::slice::from_ref(&first)
    );
    let changed = NewDevice {
        locale: "en".to_owned(),
        platform: Platform::Web,
        ..new("ana", "phone", "$token")
    };
    let changed = bench.node().register_device(changed, 20).await.unwrap().unwrap();
    assert_eq!((changed.locale.as_str(), changed.platform), ("en", Platform::Web));
    assert_eq!(changed.registered_at, first.registered_at, "with the token that it had");
    let anew = register(bench, "ana", "phone", "other").await;
    assert!(anew.registered_at > first.registered_at);
    assert_eq!(devices(bench, "ana").await, [("phone".to_owned(), Some("other".to_owned()))]);
    assert_eq!(bench.node().devices_of(&[]).await.unwrap(), []);
}

async fn a_device_over_the_limit_is_not_registered(bench: &Bench) {
    let at_most = |device, token, limit| {
        let (store, new) = (bench.node().clone(), new("ana", device, token));
        async move { store.register_device(new, limit).await.unwrap().is_some() }
    };
    assert!(at_most("a", "1", 2).await && at_most("b", "2", 2).await);
    assert!(!at_most("c", "3", 2).await);
    assert_eq!(devices(bench, "ana").await.len(), 2);
    assert!(at_most("b", "4", 2).await, "one that is there is no further one");
    assert!(at_most("c", "1", 2).await, "it takes the place of the other that had the token");
    assert_eq!(
        devices(bench, "ana").await,
        [("b".to_owned(), Some("4".to_owned())), ("c".to_owned(), Some("1".to_owned()))]
    );
}

async fn a_token_is_of_the_device_that_had_it_last(bench: &Bench) {
    register(bench, "ana", "phone", "t").await;
    register(bench, "ana", "laptop", "u").await;
    register(bench, "bob", "phone", "t").await;
    assert_eq!(devices(bench, "ana").await, [("laptop".to_owned(), Some("u".to_owned()))]);
    assert_eq!(devices(bench, "bob").await, [("phone".to_owned(), Some("t".to_owned()))]);
}

async fn of_many_who_take_one_token_at_once_one_has_it(bench: &Bench) {
    let mut tasks = JoinSet::new();
    for at in 0..4 {
        let (store, new) = (bench.node().clone(), new(&format!("user-{at}"), "phone", "t"));
        tasks.spawn(async move { store.register_device(new, 20).await.unwrap().unwrap() });
    }
    tasks.join_all().await;
    let users: Vec<_> = (0..4).map(|at| user(&format!("user-{at}"))).collect();
    assert_eq!(bench.node().devices_of(&users).await.unwrap().len(), 1);
}

async fn a_device_that_is_unregistered_is_gone_with_its_standings(bench: &Bench) {
    register(bench, "ana", "phone", "t").await;
    register(bench, "ana", "laptop", "u").await;
    let chat = bench.chat_id();
    let reached: Vec<_> = ["phone", "laptop"].map(|device| (spot(chat, "ana", device), 3)).to_vec();
    bench.node().raise_acked(&reached).await.unwrap();
    for _ in 0..2 {
        let id = DeviceId::new("phone");
        bench.node().unregister_device(&user("ana"), &id).await.unwrap();
    }
    assert_eq!(devices(bench, "ana").await.len(), 1);
    assert_eq!(stands(bench, &reached[0].0).await.0, 0);
    assert_eq!(stands(bench, &reached[1].0).await.0, 3);
}

async fn all_devices_of_a_user_can_be_forgotten(bench: &Bench) {
    let chat = bench.chat_id();
    for (name, device) in [("ana", "a"), ("ana", "b"), ("bob", "c")] {
        register(bench, name, device, device).await;
        bench.node().raise_acked(&[(spot(chat, name, device), 1)]).await.unwrap();
    }
    bench.node().forget_devices(&user("ana")).await.unwrap();
    assert_eq!(devices(bench, "ana").await, []);
    assert_eq!(devices(bench, "bob").await.len(), 1);
    assert_eq!(stands(bench, &spot(chat, "ana", "a")).await.0, 0);
    assert_eq!(stands(bench, &spot(chat, "bob", "c")).await.0, 1);
}

async fn a_token_that_failed_is_gone_and_why_is_kept(bench: &Bench) {
    register(bench, "ana", "phone", "t").await;
    let (ana, phone) = (user("ana"), DeviceId::new("phone"));
    bench.node().fail_device(&ana, &phone, "other", "X").await.unwrap();
    assert_eq!(devices(bench, "ana").await[0].1.as_deref(), Some("t"), "it is another one's");
    let before = bench.later().await;
    bench.node().fail_device(&ana, &phone, "t", "$UNREGISTERED").await.unwrap();
    let found = bench.node().devices_of(std::slice::from_ref(&ana)).await.unwrap().remove(0);
    let (at, why) = found.failed.unwrap();
    assert!(found.token.is_none() && at >= before);
    assert_eq!(why, "$UNREGISTERED");
    let anew = register(bench, "ana", "phone", "t").await;
    assert_eq!((anew.token.as_deref(), anew.failed), (Some("t"), None));
    assert!(anew.registered_at >= before);
    bench.node().fail_device(&ana, &phone, "t", "X").await.unwrap();
    register(bench, "ana", "laptop", "v").await;
    bench.node().fail_device(&ana, &DeviceId::new("laptop"), "v", "X").await.unwrap();
    assert_eq!(devices(bench, "ana").await.len(), 2, "several may be without a token");
}

async fn what_is_acknowledged_only_rises(bench: &Bench) {
    let chat = bench.chat_id();
    let (phone, front) = (spot(chat, "ana", "phone"), spot(chat, "ana", ""));
    let raise = async |spot: &Spot, to| {
        bench.node().raise_acked(&[(spot.clone(), to), (spot.clone(), to)]).await.unwrap();
    };
    for (to, stands_at) in [(3, 3), (2, 3), (7, 7)] {
        raise(&phone, to).await;
        assert_eq!(stands(bench, &phone).await.0, stands_at);
    }
    assert_eq!(stands(bench, &front).await.0, 0, "each is apart");
    raise(&front, 4).await;
    assert_eq!((stands(bench, &phone).await.0, stands(bench, &front).await.0), (7, 4));
    bench.node().raise_acked(&[]).await.unwrap();
    let mut tasks = JoinSet::new();
    for to in 1..=20 {
        let (store, spot) = (bench.node().clone(), spot(chat, "bob", "phone"));
        tasks.spawn(async move { store.raise_acked(&[(spot, to)]).await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!(stands(bench, &spot(chat, "bob", "phone")).await.0, 20);
}

async fn standings_are_of_those_asked_for(bench: &Bench) {
    let (one, other) = (bench.chat_id(), bench.chat_id());
    let all = [
        spot(one, "ana", "phone"),
        spot(one, "ana", ""),
        spot(one, "bob", "phone"),
        spot(other, "ana", "phone"),
    ];
    let reached: Vec<_> = all.iter().cloned().zip(1..).collect();
    bench.node().raise_acked(&reached).await.unwrap();
    let of = async |of: &[(ChatId, &str)]| {
        let of: Vec<_> = of.iter().map(|(chat, name)| (*chat, user(name))).collect();
        let found = bench.node().standings(&of).await.unwrap();
        sorted(found.into_iter().map(|standing| standing.acked_to))
    };
    assert_eq!(of(&[(one, "ana"), (one, "ana")]).await, [1, 2]);
    assert_eq!(of(&[(one, "bob"), (other, "ana"), (other, "bob")]).await, [3, 4]);
    assert_eq!(of(&[]).await, [0; 0]);
}

async fn a_push_is_claimed_once_until_it_is_settled_or_its_lease_is_over(bench: &Bench) {
    let phone = spot(bench.chat_id(), "ana", "phone");
    assert_eq!(claim(bench, &phone, 5, LONG).await, Claimed::Yes);
    match claim(bench, &phone, 6, LONG).await {
        Claimed::Later(after) => assert!(after > NEARLY && after <= LONG),
        other => panic!("{other:?}"),
    }
    settle(bench, &phone, None).await;
    assert_eq!(stands(bench, &phone).await.1, 0, "not pushed");
    assert_eq!(claim(bench, &phone, 5, SHORT).await, Claimed::Yes);
    let again = async || (claim(bench, &phone, 5, LONG).await == Claimed::Yes).then_some(());
    eventually("the lease is over", again).await;
    settle(bench, &phone, Some(5)).await;
    settle(bench, &phone, Some(3)).await;
    assert_eq!(stands(bench, &phone).await.1, 5, "it only rises");
    assert_eq!(claim(bench, &phone, 6, LONG).await, Claimed::Yes);
    let other = spot(phone.chat, "ana", "laptop");
    let both = [(phone, 7), (other.clone(), 7), (other, 7)];
    let claimed = bench.node().claim_pushes(&both, LONG, Duration::ZERO).await.unwrap();
    assert!(matches!(
        claimed[..],
        [Claimed::Later(_), Claimed::Yes, Claimed::Later(_)]
            | [Claimed::Later(_), Claimed::Later(_), Claimed::Yes]
    ));
    assert_eq!(bench.node().claim_pushes(&[], LONG, LONG).await.unwrap(), []);
}

async fn of_many_who_claim_at_once_one_gets_it(bench: &Bench) {
    let phone = spot(bench.chat_id(), "$ana".trim_start_matches('$'), "phone");
    let mut tasks = JoinSet::new();
    for to in 1..=12 {
        let (store, claims) = (bench.node().clone(), [(phone.clone(), to)]);
        tasks.spawn(async move { store.claim_pushes(&claims, LONG, LONG).await.unwrap()[0] });
    }
    let got = tasks.join_all().await;
    assert_eq!(got.iter().filter(|claimed| **claimed == Claimed::Yes).count(), 1);
}

async fn what_was_pushed_or_acknowledged_is_not_claimed(bench: &Bench) {
    let phone = spot(bench.chat_id(), "ana", "phone");
    bench.node().raise_acked(&[(phone.clone(), 5)]).await.unwrap();
    assert_eq!(claim(bench, &phone, 5, LONG).await, Claimed::Done);
    assert_eq!(claim(bench, &phone, 6, LONG).await, Claimed::Yes);
    settle(bench, &phone, Some(8)).await;
    assert_eq!(claim(bench, &phone, 8, LONG).await, Claimed::Done);
    assert_eq!(claim(bench, &phone, 9, LONG).await, Claimed::Yes);
}

async fn pushes_of_a_spot_keep_apart(bench: &Bench) {
    let phone = spot(bench.chat_id(), "ana", "phone");
    let apart = async |to, apart| {
        bench.node().claim_pushes(&[(phone.clone(), to)], LONG, apart).await.unwrap()[0]
    };
    assert_eq!(apart(1, LONG).await, Claimed::Yes);
    settle(bench, &phone, Some(1)).await;
    match apart(2, LONG).await {
        Claimed::Later(after) => assert!(after > NEARLY && after <= LONG),
        other => panic!("{other:?}"),
    }
    eventually("enough apart", async || (apart(2, SHORT).await == Claimed::Yes).then_some(()))
        .await;
    settle(bench, &phone, None).await;
    assert_eq!(apart(2, SHORT).await, Claimed::Yes, "what was not pushed keeps nothing apart");
}

async fn what_was_pushed_is_cleared_once(bench: &Bench) {
    let phone = spot(bench.chat_id(), "ana", "phone");
    let clear = async |to| bench.node().clear_pushes(&[(phone.clone(), to)]).await.unwrap();
    assert_eq!(clear(9).await, [], "nothing was pushed");
    assert_eq!(claim(bench, &phone, 5, LONG).await, Claimed::Yes);
    settle(bench, &phone, Some(5)).await;
    assert_eq!(clear(4).await, [], "some of it is not read");
    assert_eq!(clear(6).await, std::slice::from_ref(&phone));
    assert_eq!(clear(6).await, []);
    assert_eq!(stands(bench, &phone).await, (0, 5, 5));
    assert_eq!(claim(bench, &phone, 7, LONG).await, Claimed::Yes);
    settle(bench, &phone, Some(7)).await;
    assert_eq!(clear(7).await, std::slice::from_ref(&phone), "what came since is cleared anew");
    assert_eq!(bench.node().clear_pushes(&[]).await.unwrap(), []);
}

async fn what_one_push_told_of_several_chats_is_kept_until_the_next(bench: &Bench) {
    let (store, ana, phone) = (bench.node(), user("ana"), DeviceId::new("$phone"));
    let digest = async |of: &[(ChatId, Seq)]| store.note_digest(&ana, &phone, of).await.unwrap();
    let held = async || {
        let mut devices = store.devices_of(std::slice::from_ref(&ana)).await.unwrap();
        devices.sort_by(|a, b| a.id.cmp(&b.id));
        devices.into_iter().map(|device| device.digest).collect::<Vec<_>>()
    };
    let [a, b] = [bench.chat_id(), bench.chat_id()];
    digest(&[(a, 1)]).await;
    assert!(held().await.is_empty(), "a device that is not there");
    for device in ["$phone", "tablet"] {
        let known = store.register_device(new("ana", device, device), 9).await.unwrap().unwrap();
        assert_eq!(known.digest, []);
    }
    digest(&[(a, 1), (b, Seq::MAX)]).await;
    assert_eq!(held().await, [vec![(a, 1), (b, Seq::MAX)], vec![]]);
    digest(&[(b, 2)]).await;
    assert_eq!(held().await, [vec![(b, 2)], vec![]]);
    digest(&[]).await;
    assert_eq!(held().await, [vec![], vec![]]);
    digest(&[(b, 3)]).await;
    store.register_device(new("ana", "$phone", "$phone"), 9).await.unwrap();
    assert_eq!(held().await, [vec![], vec![]], "its app is there");
}

async fn what_became_of_a_push_is_told_in_order(bench: &Bench) {
    let message = MessageId(bench.clock.new_id());
    let trace = |name: &str, device: &str, step, detail: &str| Trace {
        message,
        user: user(name),
        device: (!device.is_empty()).then(|| DeviceId::new(device)),
        step,
        detail: detail.to_owned(),
        node: NodeId::new("n1"),
        at: None,
        found: None,
    };
    let before = bench.later().await;
    let all = [
        trace("ana", "phone", 6, "$UNAVAILABLE"),
        trace("ana", "phone", 5, ""),
        trace("ana", "", 7, "muted"),
    ];
    for trace in &all {
        bench.node().note_trail(std::slice::from_ref(trace)).await.unwrap();
        bench.later().await;
    }
    bench.node().note_trail(&[trace("bob", "phone", 5, "")]).await.unwrap();
    bench.node().note_trail(&[]).await.unwrap();
    let told = bench.node().trail(message, &user("ana")).await.unwrap();
    assert!(told[0].at >= Some(before) && told.windows(2).all(|two| two[0].at <= two[1].at));
    let undated = |trace: Trace| Trace { at: None, ..trace };
    assert_eq!(told.into_iter().map(undated).collect::<Vec<_>>(), all);
    // One that says when, and that comes late.
    let early = Trace {
        at: Some(before.minus(SHORT)),
        found: Some((before.minus(LONG), "$first".to_owned())),
        ..trace("ana", "phone", 8, "")
    };
    bench.node().note_trail(std::slice::from_ref(&early)).await.unwrap();
    assert_eq!(bench.node().trail(message, &user("ana")).await.unwrap()[0], early);
    let none = bench.node().trail(MessageId(bench.clock.new_id()), &user("ana")).await.unwrap();
    assert_eq!(none, []);
}
