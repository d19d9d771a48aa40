//! Why it rang, or did not.

use adda::proto::{self, DeliveryStepKind as Kind};

use super::away::{held, silent};
use super::fake::{Does, Fcm};
use super::{mute, notifications, on_both, prefer, register, with, world};
use crate::service::service_token;
use crate::world::{Backends, Refusal, World, eventually, run, send, unique};

on_both! {
    the_way_of_a_message_is_told_to_its_sender_alone,
    services_are_told_the_rule_of_then,
    what_a_device_has_or_waits_for_is_told_without_notes,
    what_a_silent_device_was_given_is_told,
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

/// The same for a service.
pub(super) async fn trail(
    world: &World,
    chat: &str,
    message: &str,
    user: &str,
) -> Vec<proto::DeliveryStep> {
    let mut service = with(world.addr(0), service_token("adda.service")).await;
    let request = proto::ExplainDeliveryRequest {
        chat_id: chat.to_owned(),
        message_id: message.to_owned(),
        user_id: user.to_owned(),
    };
    service.explain_delivery(request).await.unwrap().into_inner().steps
}

/// What there is to tell of a device: what, in which words, and whether it is known when.
fn of_device<'s>(steps: &'s [proto::DeliveryStep], device: &str) -> Vec<(Kind, &'s str, bool)> {
    let own = steps.iter().filter(|step| step.device_id == device);
    own.map(|step| (step.kind(), step.detail.as_str(), step.at.is_some())).collect()
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
        let noted = steps.iter().all(|step| step.at.is_some());
        (noted && steps.len() == 4).then_some(steps)
    });
    let steps = steps.await;
    let on_phone = [Kind::PushDue, Kind::PushFailed, Kind::Pushed].map(|kind| (kind, "phone"));
    assert_eq!(kinds(&steps)[0], (Kind::Stored, ""));
    assert_eq!(kinds(&steps)[1..], on_phone);
    assert_eq!(steps[2].detail, "UNAVAILABLE");
    assert!(steps.iter().all(|step| step.node_id.is_empty()), "nodes are for services");
    assert!(steps.windows(2).all(|two| {
        let at = |step: &proto::DeliveryStep| step.at.map(|at| (at.seconds, at.nanos));
        at(&two[0]) <= at(&two[1])
    }));

    let mut bob = world.connect("bob", "phone").await;
    bob.caught_up().await;
    bob.mark(&chat, vec![run(sent.seq, sent.seq)], true).await;
    let steps = eventually("it is acknowledged and read", async || {
        let steps = explain(&world, "alice", &chat, id, "bob").await.unwrap();
        (steps.len() == 6).then_some(steps)
    });
    assert_eq!(kinds(&steps.await)[4..], [(Kind::Acknowledged, "phone"), (Kind::Read, "")]);

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

async fn services_are_told_the_rule_of_then(backends: Backends) {
    let fcm = Fcm::open().await;
    let soon = ["--push-after", "1s", "--push-hold", "600s"];
    let Some(world) = world(backends, &fcm, &soon).await else { return };
    let chat = world.group("alice", &["bob", "carol", "dora", "emil"]).await;
    register(&world, "bob", "phone").await;
    register(&world, "carol", "phone").await;
    let rings = register(&world, "dora", "phone").await;
    mute(&world, "bob", &chat).await;
    let off = proto::NotificationPreferences { off: true, ..Default::default() };
    prefer(&world, "carol", off).await;
    let mut alice = world.api("alice").await;
    let sent = send(&mut alice, &chat, "m1", "hello").await;
    fcm.next(&rings, 0).await;
    let later = send(&mut alice, &chat, "m2", "hello").await;
    let ways = [("bob", "muted"), ("carol", "off")];
    for (user, rule) in ways {
        for message in [&sent, &later] {
            let noted = eventually("the rule is noted", async || {
                let steps = trail(&world, &chat, &message.message_id, user).await;
                let noted = of_device(&steps, "phone") == [(Kind::Suppressed, rule, true)];
                noted.then_some(steps)
            });
            assert_eq!(noted.await.len(), 2, "that, and that it is stored");
        }
    }
    // What is set now is another thing.
    let unmuted = proto::SetChatSettingsRequest { chat_id: chat.clone(), ..Default::default() };
    world.api("bob").await.set_chat_settings(unmuted).await.unwrap();
    prefer(&world, "carol", proto::NotificationPreferences::default()).await;
    for (user, rule) in ways {
        let steps = trail(&world, &chat, &sent.message_id, user).await;
        assert_eq!(of_device(&steps, "phone"), [(Kind::Suppressed, rule, true)]);
        let to_sender = explain(&world, "alice", &chat, &sent.message_id, user).await.unwrap();
        assert_eq!(of_device(&to_sender, "phone"), [(Kind::Suppressed, "", true)]);
        assert!(to_sender.iter().all(|step| step.node_id.is_empty()));
    }
    let rang = [(Kind::PushDue, "at_once", true), (Kind::Pushed, "", true)];
    let pushed = eventually("the push is noted", async || {
        let steps = trail(&world, &chat, &sent.message_id, "dora").await;
        (of_device(&steps, "phone") == rang).then_some(steps)
    });
    let pushed = pushed.await;
    assert!(
        !pushed[0].node_id.is_empty() && pushed.iter().all(|of| of.node_id == pushed[0].node_id)
    );
    // The looks have passed; who has no device costs no note.
    let id = adda::model::MessageId::parse(&sent.message_id).unwrap();
    let emil = adda::model::UserId::new("emil");
    assert_eq!(world.store().trail(id, &emil).await.unwrap(), []);
    let steps = trail(&world, &chat, &sent.message_id, "emil").await;
    assert_eq!(of_device(&steps, "")[1..], [(Kind::Suppressed, "no device is registered", false)]);
}

async fn what_a_device_has_or_waits_for_is_told_without_notes(backends: Backends) {
    let fcm = Fcm::open().await;
    let soon = ["--push-after", "2s", "--push-hold", "600s"];
    let Some(world) = world(backends, &fcm, &soon).await else { return };
    let chat = world.group("alice", &["bob", "carol", "dora", "emil"]).await;
    let (laptop, _) = held(&world, "bob").await;
    register(&world, "carol", "phone").await;
    let mut reader = world.connect("carol", "laptop").await;
    reader.caught_up().await;
    let phone = register(&world, "dora", "phone").await;
    let mut dora = world.connect("dora", "phone").await;
    dora.caught_up().await;
    let (mut emil, marker) = {
        let marker = register(&world, "emil", "phone").await;
        let mut live = world.connect("emil", "phone").await;
        live.caught_up().await;
        (live, marker)
    };
    let sent = send(&mut world.api("alice").await, &chat, "m1", "hello").await;
    laptop.hears(&chat, sent.seq).await;
    reader.message().await;
    reader.mark(&chat, vec![run(sent.seq, sent.seq)], true).await;
    dora.message().await;
    dora.mark(&chat, vec![run(sent.seq, sent.seq)], false).await;
    emil.message().await;
    // emil is silent: once that is seen all were looked at.
    fcm.next(&marker, 0).await;
    let of_phone = async |user: &str| {
        let steps = trail(&world, &chat, &sent.message_id, user).await;
        of_device(&steps, "phone")
            .into_iter()
            .map(|(kind, why, at)| (kind, why.to_owned(), at))
            .collect::<Vec<_>>()
    };
    let told = |kind, why: &str| vec![(kind, why.to_owned(), false)];
    assert_eq!(of_phone("bob").await, told(Kind::Suppressed, "foreground"));
    assert_eq!(of_phone("carol").await, told(Kind::Suppressed, "read"));
    assert_eq!(of_phone("dora").await, told(Kind::Acknowledged, ""));
    assert_eq!(fcm.asked(&phone), 0);
    let id = adda::model::MessageId::parse(&sent.message_id).unwrap();
    for user in ["bob", "carol", "dora"] {
        let noted = world.store().trail(id, &adda::model::UserId::new(user)).await.unwrap();
        assert_eq!(noted, [], "{user}");
    }
}

async fn what_a_silent_device_was_given_is_told(backends: Backends) {
    let fcm = Fcm::open().await;
    let soon = ["--push-after", "1s", "--push-hold", "600s"];
    let Some(world) = world(backends, &fcm, &soon).await else { return };
    let (mut live, phone) = silent(&world).await;
    let mut ways = Vec::new();
    for (at, sender) in ["alice", "carol"].into_iter().enumerate() {
        let chat = world.direct(sender, "bob").await;
        let sent = send(&mut world.api(sender).await, &chat, "m1", "hello").await;
        assert_eq!(live.message().await.message_id, sent.message_id);
        if sender == "carol" {
            // What an ended stream was given is not forgotten at once.
            live.end();
        }
        fcm.next(&phone, at).await;
        let way = [Kind::Written, Kind::PushDue, Kind::Pushed].map(|kind| (kind, "phone"));
        let steps = eventually("what was given is told", async || {
            let steps = trail(&world, &chat, &sent.message_id, "bob").await;
            (kinds(&steps)[1..] == way).then_some(steps)
        });
        let steps = steps.await;
        assert!(!steps[1].node_id.is_empty(), "by which node");
        // Who has left may be found without a stream.
        assert!(steps[2].detail == "first" || sender == "carol", "{steps:?}");
        let to_sender = explain(&world, sender, &chat, &sent.message_id, "bob").await.unwrap();
        let given = to_sender.iter().find(|step| step.kind() == Kind::Written).unwrap();
        assert_eq!((given.device_id.as_str(), given.node_id.as_str()), ("phone", ""));
        ways.push((sender, chat, sent.message_id));
    }
    // Who hides when they were here last hides that they were.
    let hides = proto::UpdatePrivacyRequest { hide_last_active: Some(true), ..Default::default() };
    world.people("bob").await.update_privacy(hides).await.unwrap();
    for (sender, chat, message) in ways {
        let told = explain(&world, sender, &chat, &message, "bob").await.unwrap();
        assert!(told.iter().all(|step| step.kind() != Kind::Written), "{told:?}");
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
        (said.contains("PUSH_DUE") && said.contains("PUSHED")).then_some(said)
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
    for (line, what) in ["STORED", "PUSH_DUE", "PUSHED"].into_iter().enumerate() {
        let line = told["bob"][line];
        assert!(line.starts_with(what) && line.contains("by node "), "{said}");
        assert!(line.contains("phone") || what == "STORED", "{said}");
    }
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
