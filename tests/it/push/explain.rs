//! Why it rang, or did not.

use adda::proto::{self, DeliveryStepKind as Kind};

use super::fake::{Does, Fcm};
use super::{notifications, on_both, register, world};
use crate::world::{Backends, Refusal, World, eventually, run, send, unique};

on_both! {
    the_way_of_a_message_is_told_to_its_sender_alone,
    an_operator_is_told_by_a_command,
}

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

/// What `adda explain` prints, and how it ends.
async fn command(world: &World, line: &[&str]) -> (Option<i32>, String, String) {
    let server = format!("http://{}", world.addr(0));
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_adda"));
    command.env_clear().arg("explain").args(line).args(["--server", &server]);
    let output = command.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn an_operator_is_told_by_a_command(backends: Backends) {
    let fcm = Fcm::open().await;
    let Some(world) = world(backends, &fcm, &[]).await else { return };
    let chat = world.group("alice", &["bob", "carol"]).await;
    let phone = register(&world, "bob", "phone").await;
    let sent = send(&mut world.api("alice").await, &chat, "m1", "a secret").await;
    fcm.next(&phone, 0).await;
    let id = sent.message_id.as_str();
    let said = eventually("the push is told", async || {
        let (code, said, _) = command(&world, &[&chat, id, "--as", "alice"]).await;
        assert_eq!(code, Some(0));
        said.contains("PUSHED").then_some(said)
    });
    let said = said.await;
    let mut told = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    let mut user = "";
    for line in said.lines() {
        match line.strip_prefix("  ") {
            None => user = line,
            Some(step) => {
                let (at, what) = step.split_once(' ').unwrap();
                assert!(at == "-" || at.starts_with("20"), "{step}");
                told.entry(user).or_default().push(what.trim());
            }
        }
    }
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), ["bob", "carol"], "not the sender");
    assert_eq!(told["bob"][0], "STORED");
    assert!(told["bob"][1].starts_with("PUSHED") && told["bob"][1].contains("phone"), "{said}");
    assert!(told["carol"][1].contains("no device is registered"), "{said}");
    assert!(!said.contains("secret"));

    let (code, only, _) = command(&world, &[&chat, id, "--to", "carol"]).await;
    assert_eq!((code, only.lines().next()), (Some(0), Some("carol")));
    let (code, none, why) = command(&world, &[&chat, &unique(), "--as", "alice"]).await;
    assert_eq!((code, none.as_str()), (Some(1), ""));
    assert!(why.contains("MESSAGE_NOT_FOUND"), "{why}");
    let token = crate::world::token("alice");
    let line = [&*chat, id, "--as", "alice", "--token", &token];
    let (code, _, why) = command(&world, &line).await;
    assert!(code == Some(1) && why.contains("SCOPE_MISSING"), "{why}");
    let (code, _, why) = command(&world, &[&chat, id, "--to", "a b"]).await;
    assert!(code == Some(64) && why.contains("--to"), "{why}");
}
