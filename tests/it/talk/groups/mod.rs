//! Groups that change, and what a member sets for a chat: through real streams and calls.

mod leaving;
mod list;
mod members;
mod nodes;
mod refused;
mod resumed;
mod roles;
mod settings;
mod titles;

use adda::proto::event::Event;
use adda::proto::server_frame::Frame;
use adda::proto::{self, MemberRole, SystemNoteKind};

use crate::world::{Api, Live, World, send, unique};

async fn add(api: &mut Api, chat: &str, users: &[&str]) -> proto::AddMembersResponse {
    let user_ids = users.iter().map(ToString::to_string).collect();
    let request = proto::AddMembersRequest { chat_id: chat.to_owned(), user_ids };
    api.add_members(request).await.unwrap().into_inner()
}

fn removal(chat: &str, user: &str) -> proto::RemoveMemberRequest {
    proto::RemoveMemberRequest { chat_id: chat.to_owned(), user_id: user.to_owned() }
}

async fn remove(api: &mut Api, chat: &str, user: &str) -> proto::Chat {
    api.remove_member(removal(chat, user)).await.unwrap().into_inner().chat.unwrap()
}

fn role_of(chat: &str, user: &str, role: MemberRole) -> proto::SetMemberRoleRequest {
    let (chat_id, user_id) = (chat.to_owned(), user.to_owned());
    proto::SetMemberRoleRequest { chat_id, user_id, role: role.into() }
}

async fn set_role(api: &mut Api, chat: &str, user: &str, role: MemberRole) -> proto::Chat {
    let answer = api.set_member_role(role_of(chat, user, role)).await;
    answer.unwrap().into_inner().chat.unwrap()
}

async fn leave(api: &mut Api, chat: &str) {
    api.leave_group(proto::LeaveGroupRequest { chat_id: chat.to_owned() }).await.unwrap();
}

/// Who is in a chat, in the order listed, with their roles.
fn roles(chat: &proto::Chat) -> Vec<(&str, MemberRole)> {
    chat.members.iter().map(|member| (member.user_id.as_str(), member.role())).collect()
}

/// What an event says of a chat's shared fields.
fn updated(event: &Event) -> Option<&proto::ChatUpdated> {
    match event {
        Event::ChatUpdated(updated) => Some(updated),
        _ => None,
    }
}

/// Waits for the word that the user is no member of this chat any more; what came before it is
/// forgotten.
async fn gone(live: &mut Live, chat: &str) -> proto::Chat {
    let told = live
        .event(|event| {
            let updated = updated(event).filter(|updated| updated.removed)?;
            updated.chat.clone().filter(|it| it.chat_id == chat)
        })
        .await;
    let only = proto::Chat {
        chat_id: told.chat_id.clone(),
        revision: told.revision,
        ..Default::default()
    };
    assert_eq!(told, only, "only the id and the revision");
    live.take_seen();
    told
}

/// Waits for the shared fields of a chat at this revision.
async fn told_of(live: &mut Live, chat: &str, revision: u32) -> proto::Chat {
    live.event(|event| {
        let chat_now = updated(event).filter(|updated| !updated.removed)?.chat.clone()?;
        (chat_now.chat_id == chat && chat_now.revision == revision).then_some(chat_now)
    })
    .await
}

/// Waits for the next note of a chat.
async fn note(live: &mut Live, chat: &str) -> (u32, SystemNoteKind, proto::SystemNote) {
    live.event(|event| {
        let Event::MessageSent(sent) = event else { return None };
        let message = sent.message.as_ref().filter(|message| message.chat_id == chat)?;
        let note = message.system_note.clone()?;
        assert!(!message.text.is_empty(), "it says so in English, too");
        Some((message.seq, note.kind(), note))
    })
    .await
}

/// All notes of a chat, oldest first, as one of its members sees them.
async fn notes(api: &mut Api, chat: &str) -> Vec<SystemNoteKind> {
    let all = crate::world::history(api, chat).await;
    all.iter()
        .filter_map(|message| message.system_note.as_ref())
        .map(adda::proto::SystemNote::kind)
        .collect()
}

/// Waits for a message of this text.
async fn hears(live: &mut Live, text: &str) -> proto::Message {
    live.event(|event| {
        let Event::MessageSent(sent) = event else { return None };
        sent.message.clone().filter(|message| message.text == text)
    })
    .await
}

/// All that was told to a stream by now, of this chat: what is sent elsewhere comes after it.
async fn told_by_now(world: &World, live: &mut Live, chat: &str) -> Vec<Frame> {
    let user = live.ready.user_id.clone();
    let elsewhere = world.direct("zoe", &user).await;
    let text = unique();
    send(&mut world.api("zoe").await, &elsewhere, &unique(), &text).await;
    hears(live, &text).await;
    let mut seen = live.take_seen();
    seen.retain(|frame| format!("{frame:?}").contains(chat));
    seen
}
