//! What is MongoDB's alone: its races, its failovers, its plans.

mod append;
mod failover;
pub(crate) mod groups;
mod making;
mod measure;
mod queries;

use std::collections::BTreeSet;
use std::sync::Arc;

use adda::clock::{Clock as _, SystemClock};
use adda::model::{Chat, ChatId, ChatKind, Message, MessageId, Role, UserId};
use adda::store::{Appended, Created, NewChat, NewMessage, Result, Span, Store};

fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock)
}

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a name")
}

/// A new group of these members.
async fn group(store: &dyn Store, members: &[&str]) -> ChatId {
    let id = ChatId(SystemClock.new_id());
    let members: Vec<_> = members.iter().map(|name| (user(name), Role::Member)).collect();
    let chat = Chat {
        id,
        kind: ChatKind::Group,
        title: "group".into(),
        avatar_url: String::new(),
        created_by: members[0].0.clone(),
        member_count: u32::try_from(members.len()).expect("few members"),
        revision: 1,
        deleted_at: None,
        untold: false,
    };
    let new = NewChat { key: None, id, content_hash: [0; 16], chat, members, note: None };
    match store.create_chat(new).await.expect("a chat is made") {
        Created::Chat(chat, true) => chat.id,
        other => panic!("{other:?}"),
    }
}

/// A message that nobody has been seen to be allowed to send.
fn message(chat: ChatId, sender: &str, client_message_id: &str) -> NewMessage {
    NewMessage {
        id: MessageId(SystemClock.new_id()),
        chat,
        sender: Some(user(sender)),
        client_message_id: client_message_id.to_owned(),
        content_hash: [7; 16],
        text: format!("text of {client_message_id}"),
        attachments: Vec::new(),
        reply_to: None,
        mentions: Vec::new(),
        words: Vec::new(),
        note: None,
        member_as_of: 0,
    }
}

/// Appends until it is answered, as a client does: with the same client id, a new id each time.
async fn append_surely(store: &dyn Store, new: NewMessage) -> Appended {
    loop {
        let id = MessageId(SystemClock.new_id());
        match store.append(NewMessage { id, ..new.clone() }).await {
            Ok(appended) => return appended,
            Err(adda::store::AppendError::Store(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The whole log of a chat, tried until the store answers.
async fn log_of(store: &dyn Store, chat: ChatId) -> Vec<Message> {
    let mut log: Vec<Message> = Vec::new();
    loop {
        let from = log.last().map_or(0, |message| message.seq);
        let page: Result<Vec<Message>> = store.history(chat, Span::After(from), 1, 1000).await;
        match page {
            Ok(page) if page.is_empty() => return log,
            Ok(page) => log.extend(page),
            Err(error) => eprintln!("reading again: {error}"),
        }
    }
}

/// `seq` runs 1, 2, 3, … and no client id is there twice.
fn assert_sound(log: &[Message]) {
    for (index, message) in log.iter().enumerate() {
        assert_eq!(message.seq as usize, index + 1, "a hole, or one twice");
    }
    let keys: BTreeSet<_> =
        log.iter().map(|message| (&message.sender, &message.client_message_id)).collect();
    assert_eq!(keys.len(), log.len(), "one client id twice");
}
