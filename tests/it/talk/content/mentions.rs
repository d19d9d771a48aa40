//! Whom a message speaks to.

use adda::proto;
use adda::proto::ack;
use adda::proto::connect_request::Command;
use tonic::Code;

use super::{edited, say};
use crate::on_both_backends;
use crate::world::{Refusal, World, history, message};

on_both_backends! {
    mentions_are_kept_and_told,
    mentions_that_are_none_are_refused,
    mentions_are_part_of_what_a_repeat_is_compared_by,
    an_edit_replaces_them,
}

fn speaks(chat: &str, id: &str, text: &str, to: &[&str]) -> proto::MessageSend {
    let mentions = to.iter().map(ToString::to_string).collect();
    proto::MessageSend { mentions, ..message(chat, id, text) }
}

async fn mentions_are_kept_and_told(world: World) {
    let group = world.group("alice", &["bob", "carol.d@x:1"]).await;
    let mut alice = world.connect("alice", "phone").await;
    let mut bob = world.connect("bob", "phone").await;
    let text = "@bob, see @carol.d@x:1. And @alice!";
    let to = ["carol.d@x:1", "bob", "alice"];
    let sent = alice.ask(Command::MessageSend(speaks(&group, "m1", text, &to))).await;
    assert!(matches!(sent, ack::Result::SendOutcome(_)), "{sent:?}");
    assert_eq!(bob.message().await.mentions, to, "in the order given");
    assert_eq!(history(&mut bob.api.clone(), &group).await[1].mentions, to);
}

async fn mentions_that_are_none_are_refused(world: World) {
    let group = world.group("alice", &["bob", "carol"]).await;
    let mut live = world.connect("alice", "phone").await;
    let many: Vec<String> = (0..51).map(|at| format!("u{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (text, to, field, limit) in [
        ("@dave", &["dave"][..], "mentions[0]", None),
        ("@bob bob", &["bob", "carol"], "mentions[1]", None),
        ("bob", &["bob"], "mentions[0]", None),
        ("@bob @bob", &["bob", "bob"], "mentions[1]", None),
        ("@bob", &[""], "mentions[0]", None),
        ("@{\"$gt\":\"\"}", &["{\"$gt\":\"\"}"], "mentions[0]", None),
        ("@bob", &["bob\0"], "mentions[0]", None),
        ("@u", &many, "mentions", Some("50")),
    ] {
        let send = speaks(&group, "m1", text, to);
        let refused = live.refused(Command::MessageSend(send.clone())).await;
        let on_stream = format!("message_send.{field}");
        assert_eq!(refused.what(), ("FIELD_INVALID", on_stream.as_str()), "{to:?}");
        assert_eq!((refused.code, refused.limit()), (Code::InvalidArgument, limit));
        let request = proto::SendMessageRequest { message: Some(send) };
        let refused = Refusal::from(live.api.clone().send_message(request).await);
        let in_call = format!("message.{field}");
        assert_eq!(refused.what(), ("FIELD_INVALID", in_call.as_str()));
    }
    assert_eq!(history(&mut live.api.clone(), &group).await.len(), 1, "nothing was stored");
}

async fn mentions_are_part_of_what_a_repeat_is_compared_by(world: World) {
    let chat = world.direct("alice", "bob").await;
    let mut live = world.connect("alice", "phone").await;
    let mut ask = async |to: &[&str], id: &str| {
        live.ask(Command::MessageSend(speaks(&chat, id, "@bob @alice", to))).await
    };
    for duplicate in [false, true] {
        let sent = ask(&["bob"], "m1").await;
        assert!(matches!(sent, ack::Result::SendOutcome(sent) if sent.duplicate == duplicate));
    }
    for others in [&[][..], &["alice"], &["bob", "alice"]] {
        let ack::Result::Error(error) = ask(others, "m1").await else { panic!("{others:?}") };
        assert_eq!(error.reason(), proto::ErrorReason::ClientIdReused);
    }
    for duplicate in [false, true] {
        let sent = ask(&[], "m2").await;
        assert!(matches!(sent, ack::Result::SendOutcome(sent) if sent.duplicate == duplicate));
    }
}

async fn an_edit_replaces_them(world: World) {
    let group = world.group("alice", &["bob", "carol"]).await;
    let mut api = world.api("alice").await;
    let of = say(&mut api, &group, "@bob").await;
    let mut bob = world.connect("bob", "phone").await;
    let mut edit = async |text: &str, to: &[&str]| {
        let request = proto::EditMessageRequest {
            chat_id: group.clone(),
            message_id: of.id.clone(),
            text: text.to_owned(),
            mentions: to.iter().map(ToString::to_string).collect(),
        };
        api.edit_message(request).await.map(|answer| answer.into_inner().message.unwrap())
    };
    let answer = edit("@bob @carol", &["carol"]).await.unwrap();
    assert_eq!((&answer.mentions[..], answer.revision), (&["carol".to_owned()][..], 1));
    assert_eq!(edited(&mut bob, 1).await.mentions, ["carol"]);
    assert_eq!(edit("@bob @carol", &["bob"]).await.unwrap().revision, 2);
    assert_eq!(edit("@bob @carol", &["bob"]).await.unwrap().revision, 2);
    let refused = Refusal::from(edit("@dave", &["dave"]).await);
    assert_eq!(refused.what(), ("FIELD_INVALID", "mentions[0]"));
    let gone = edit("plain", &[]).await.unwrap();
    assert_eq!((gone.mentions.len(), gone.revision), (0, 3));
}
