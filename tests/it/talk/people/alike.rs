//! Nobody can tell who blocked whom: all that the blocker is answered and told is what the blocked
//! one would be.

use std::collections::HashMap;
use std::time::Duration;

use adda::proto;
use adda::proto::connect_request::Command;
use adda::proto::event::Event;
use adda::proto::server_frame::Frame;

use super::{block, friends};
use crate::on_both_backends;
use crate::world::{Came, Live, Refusal, World, message, run, send};

on_both_backends! {
    with super::super::FLAGS;
    both_directions_look_alike,
}

/// What differs between two scenes for other reasons: names, ids and times.
struct Blur(HashMap<String, &'static str>);

impl Blur {
    fn over(&self, what: &impl std::fmt::Debug) -> String {
        let mut text = format!("{what:?}");
        for (name, label) in &self.0 {
            text = text.replace(name.as_str(), label);
            let capital = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
            text = text.replace(&capital, label);
        }
        let mut blurred = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find("Timestamp {") {
            blurred.push_str(&rest[..at]);
            let end = rest[at..].find('}').unwrap();
            rest = &rest[at + end + 1..];
        }
        blurred + rest
    }
}

/// All that `me` is answered and told while the other one does what they can; `blocker` is one of
/// the two.
async fn seen(world: &World, me: &str, other: &str, blocker: &str) -> Vec<String> {
    let direct = friends(world, me, other).await;
    let group = world.group(me, &[other]).await;
    let mut all = Vec::new();
    let mut live = world.connect(me, "phone").await;
    live.caught_up().await;
    for chat in [&direct, &group] {
        live.done(Command::JoinChat(proto::JoinChat { chat_id: chat.clone() })).await;
    }
    let mut theirs = world.connect(other, "phone").await;
    let came =
        |event: &Event| matches!(event, Event::UserOnline(of) if of.user_id == other).then_some(());
    live.event(came).await;
    live.mark(&direct, vec![run(1, 2)], true).await;
    theirs.mark(&direct, vec![run(1, 2)], true).await;
    let read = |event: &Event| {
        matches!(event, Event::MessageRead(of) if of.user_id == other).then_some(())
    };
    live.event(read).await;
    live.settle().await;
    live.take_seen();

    let whom = if blocker == me { other } else { me };
    block(world, blocker, whom).await;
    let writes = Command::TypingStart(proto::TypingStart { chat_id: direct.clone() });
    theirs.done(writes).await;
    theirs.refused(Command::MessageSend(message(&direct, "theirs", "hello"))).await;
    end(theirs).await;
    let ids = answers(world, &mut live, &direct, other, &mut all).await;
    send(&mut world.api(other).await, &group, "last", "last").await;
    super::told(&mut live, "last").await;
    live.settle().await;
    let told = live.take_seen().into_iter().filter(|frame| match frame {
        // To who has blocked, on all their devices; never to the other.
        Frame::Event(event) => !matches!(event.event, Some(Event::BlockUpdated(_))),
        _ => false,
    });
    let told: Vec<_> = told.collect();
    let mut blur: HashMap<String, &'static str> = ids.into_iter().map(|id| (id, "ID")).collect();
    blur.extend([(me.to_owned(), "ME"), (other.to_owned(), "OTHER"), (direct, "DIRECT")]);
    blur.insert(group, "GROUP");
    all.push(format!("{told:?}"));
    let blur = Blur(blur);
    all.iter().map(|text| blur.over(&Plain(text))).collect()
}

/// Prints as it is.
struct Plain<'a>(&'a str);

impl std::fmt::Debug for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

async fn end(mut live: Live) {
    live.end();
    while !matches!(live.came().await, Came::End) {}
    tokio::time::sleep(Duration::from_millis(800)).await;
}

/// Asks all that can be asked; answers ids that are in the answers.
async fn answers(
    world: &World,
    live: &mut Live,
    direct: &str,
    other: &str,
    all: &mut Vec<String>,
) -> Vec<String> {
    let me = live.ready.user_id.clone();
    let mut api = live.api.clone();
    let mut people = world.people(&me).await;
    let shown = crate::world::chat(&mut api, direct).await;
    let messages = crate::world::history(&mut api, direct).await;
    let ids = messages.iter().map(|message| message.message_id.clone()).collect();
    all.push(format!("{shown:?} {messages:?}"));
    let inbox = api.list_chats(proto::ListChatsRequest::default()).await.unwrap().into_inner();
    let row = inbox.chats.into_iter().find(|row| row.chat_id == direct);
    all.push(format!("{row:?} {:?}", inbox.total_unread_count));
    let users = proto::GetUsersRequest { user_ids: vec![other.to_owned()] };
    all.push(format!("{:?}", people.get_users(users).await.unwrap().into_inner()));
    let presence = proto::GetPresenceRequest { user_ids: vec![other.to_owned()] };
    all.push(format!("{:?}", people.get_presence(presence).await.unwrap().into_inner()));
    let refused = live.refused(Command::MessageSend(message(direct, "mine", "hello"))).await;
    all.push(format!("{refused:?}"));
    for kind in [proto::ChatKind::Direct, proto::ChatKind::Group] {
        let title = if kind == proto::ChatKind::Group { "Group" } else { "" }.to_owned();
        let request = proto::CreateChatRequest {
            kind: kind.into(),
            member_ids: vec![other.to_owned()],
            title,
            ..Default::default()
        };
        let made = api.create_chat(request).await.map(tonic::Response::into_inner);
        all.push(format!("{:?}", made.map_err(|status| Refusal::of_status(&status))));
    }
    let writes = Command::TypingStart(proto::TypingStart { chat_id: direct.to_owned() });
    all.push(format!("{:?}", live.ask(writes).await));
    all.push(format!("{:?}", live.mark(direct, vec![run(1, 2)], true).await));
    let joins = Command::JoinChat(proto::JoinChat { chat_id: direct.to_owned() });
    all.push(format!("{:?}", live.ask(joins).await));
    ids
}

async fn both_directions_look_alike(world: World) {
    let by_me = seen(&world, "alice", "bob", "alice").await;
    let by_other = seen(&world, "carol", "dave", "dave").await;
    assert_eq!(by_me.len(), by_other.len());
    for (one, other) in by_me.iter().zip(&by_other) {
        assert_eq!(one, other);
    }
    assert!(by_me.iter().any(|text| text.contains("BLOCKED")), "{by_me:?}");
}
