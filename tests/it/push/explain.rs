//! Why it rang, or did not.

use adda::proto::{self, DeliveryStepKind as Kind};

use super::fake::{Does, Fcm};
use super::{notifications, on_both, register, world};
use crate::world::{Backends, Refusal, World, eventually, run, send, unique};

on_both! { the_way_of_a_message_is_told_to_its_sender_alone }

async fn explain(
    world: &World,
    by: &str,
    chat: &str,
    message: &str,
    user: &str,
) -> Result<Vec<proto::DeliveryStep>, tonic::Status> {
    let request = proto::ExplainDeliveryRequest {
        chat_id: chat.to_owned(),
        message_id: message.to_owned(),
        user_id: user.to_owned(),
    };
    let answer = notifications(world, by).await.explain_delivery(request).await;
    answer.map(|answer| answer.into_inner().steps)
}

fn kinds(steps: &[proto::DeliveryStep]) -> Vec<(Kind, &str)> {
    steps.iter().map(|step| (step.kind(), step.device_id.as_str())).collect()
}

async fn the_way_of_a_message_is_told_to_its_sender_alone(backends: Backends) {
    let fcm = Fcm::open().await;
    let late = ["--push-after", "500s", "--push-hold", "600s"];
    let Some(world) = world(backends, &fcm, &late).await else { return };
    let chat = world.group("alice", &["bob", "carol"]).await;
    let phone = register(&world, "bob", "phone").await;
    fcm.script(&phone, &[Does::Unavailable]);
    let sent = send(&mut world.api("alice").await, &chat, "m1", "hello").await;
    let id = &sent.message_id;
    fcm.next(&phone, 0).await;
    let steps = eventually("both attempts are told", async || {
        let steps = explain(&world, "alice", &chat, id, "bob").await.unwrap();
        (steps.len() == 3).then_some(steps)
    });
    let steps = steps.await;
    assert_eq!(
        kinds(&steps),
        [(Kind::Stored, ""), (Kind::PushFailed, "phone"), (Kind::Pushed, "phone")]
    );
    assert_eq!(steps[1].detail, "UNAVAILABLE");
    assert!(steps.windows(2).all(|two| {
        let at = |step: &proto::DeliveryStep| step.at.map(|at| (at.seconds, at.nanos));
        at(&two[0]) <= at(&two[1])
    }));

    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    bob.mark(&chat, vec![run(sent.seq, sent.seq)], true).await;
    let steps = eventually("it is acknowledged and read", async || {
        let steps = explain(&world, "alice", &chat, id, "bob").await.unwrap();
        (steps.len() == 5).then_some(steps)
    });
    assert_eq!(kinds(&steps.await)[3..], [(Kind::Acknowledged, "phone"), (Kind::Read, "")]);

    let carol = explain(&world, "alice", &chat, id, "carol").await.unwrap();
    assert_eq!(kinds(&carol), [(Kind::Stored, ""), (Kind::Suppressed, "")], "she has no device");

    for (by, message, user) in [
        ("bob", id.as_str(), "carol"),
        ("mallory", id, "bob"),
        ("alice", &unique(), "bob"),
        ("alice", id, "mallory"),
        ("alice", id, "alice"),
    ] {
        let refused = Refusal::from(
            explain(&world, by, &chat, message, user).await.map(tonic::Response::new),
        );
        assert_eq!(refused.reason, "MESSAGE_NOT_FOUND", "{by} {user}");
    }
}
