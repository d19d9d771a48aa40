//! What messages become: edited, deleted, reacted to, hidden, found; and who hears of it.

mod delete;
mod edit;
mod hide;
mod mentions;
mod nodes;
mod react;
mod refused;
mod resume;
mod search;
mod web;

use std::collections::BTreeMap;

use adda::proto::event::Event;
use adda::proto::{self, DeleteScope};
use tonic::Status;

use crate::world::{Api, Live};

async fn edit(api: &mut Api, of: &Place, text: &str) -> Result<proto::Message, Status> {
    let request = proto::EditMessageRequest {
        chat_id: of.chat.clone(),
        message_id: of.id.clone(),
        text: text.to_owned(),
        mentions: Vec::new(),
    };
    Ok(api.edit_message(request).await?.into_inner().message.unwrap())
}

async fn delete(api: &mut Api, of: &Place, scope: DeleteScope) -> Result<proto::Message, Status> {
    let request = proto::DeleteMessageRequest {
        chat_id: of.chat.clone(),
        message_id: of.id.clone(),
        scope: scope.into(),
    };
    Ok(api.delete_message(request).await?.into_inner().message.unwrap())
}

async fn react(api: &mut Api, of: &Place, emoji: &str) -> Result<proto::Message, Status> {
    let request = proto::AddReactionRequest {
        chat_id: of.chat.clone(),
        message_id: of.id.clone(),
        emoji: emoji.to_owned(),
    };
    Ok(api.add_reaction(request).await?.into_inner().message.unwrap())
}

async fn unreact(api: &mut Api, of: &Place, emoji: &str) -> Result<proto::Message, Status> {
    let request = proto::RemoveReactionRequest {
        chat_id: of.chat.clone(),
        message_id: of.id.clone(),
        emoji: emoji.to_owned(),
    };
    Ok(api.remove_reaction(request).await?.into_inner().message.unwrap())
}

async fn search(
    api: &mut Api,
    request: proto::SearchMessagesRequest,
) -> Result<(Vec<proto::Message>, String), Status> {
    let page = api.search_messages(request).await?.into_inner();
    Ok((page.messages, page.next_page_token))
}

/// A search of these words in all chats.
fn words(query: &str) -> proto::SearchMessagesRequest {
    proto::SearchMessagesRequest { query: query.to_owned(), ..Default::default() }
}

/// What one device holds of one chat, merged as the contract says: the higher revision wins.
#[derive(Default)]
struct Held(BTreeMap<u32, proto::Message>);

impl Held {
    fn message(&mut self, new: &proto::Message) {
        let hidden = self.0.get(&new.seq).is_some_and(|held| held.hidden);
        let newer = self.0.get(&new.seq).is_none_or(|held| new.revision > held.revision);
        if newer {
            self.0.insert(new.seq, new.clone());
        }
        if let Some(held) = self.0.get_mut(&new.seq) {
            held.hidden |= hidden || new.hidden;
        }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::MessageSent(sent) => self.message(sent.message.as_ref().unwrap()),
            Event::MessageEdited(edited) => self.message(edited.message.as_ref().unwrap()),
            Event::MessageDeleted(gone) => {
                if let Some(mut held) = self.0.get(&gone.seq).cloned() {
                    (held.revision, held.deleted_at) = (gone.revision, gone.deleted_at);
                    held.text.clear();
                    held.mentions.clear();
                    held.reactions.clear();
                    self.message(&held);
                }
            }
            Event::ReactionsUpdated(new) => {
                if let Some(mut held) = self.0.get(&new.seq).cloned() {
                    held.revision = new.revision;
                    held.reactions.clone_from(&new.reactions);
                    self.message(&held);
                }
            }
            Event::MessageHidden(hidden) => {
                if let Some(held) = self.0.get_mut(&hidden.seq) {
                    held.hidden = true;
                }
            }
            _ => {}
        }
    }
}

/// Where a message is.
#[derive(Clone, Debug)]
struct Place {
    chat: String,
    id: String,
    seq: u32,
}

/// Sends and says where.
async fn say(api: &mut Api, chat: &str, text: &str) -> Place {
    let sent = crate::world::send(api, chat, &crate::world::unique(), text).await;
    Place { chat: chat.to_owned(), id: sent.message_id, seq: sent.seq }
}

/// What is told of an edit, as of this revision. Changes are told after they are answered, so
/// those of several calls come in any order.
async fn edited(live: &mut Live, revision: u32) -> proto::Message {
    live.event(|event| match event {
        Event::MessageEdited(edited) => edited.message.clone().filter(|m| m.revision == revision),
        _ => None,
    })
    .await
}

/// What is told of a change of reactions, as of this revision.
async fn reacted(live: &mut Live, revision: u32) -> proto::ReactionsUpdated {
    live.event(|event| match event {
        Event::ReactionsUpdated(of) if of.revision == revision => Some(of.clone()),
        _ => None,
    })
    .await
}

/// What is told of a deletion.
async fn deleted(live: &mut Live) -> proto::MessageDeleted {
    live.event(|event| match event {
        Event::MessageDeleted(of) => Some(of.clone()),
        _ => None,
    })
    .await
}

/// What is told of a message that was hidden.
async fn hidden(live: &mut Live) -> proto::MessageHidden {
    live.event(|event| match event {
        Event::MessageHidden(of) => Some(of.clone()),
        _ => None,
    })
    .await
}
