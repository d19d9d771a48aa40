//! Messages past any server, straight into a store: ten million would take an hour otherwise.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use super::LoadError;
use super::measure::Run;
use super::report::Report;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::config::load::FillArgs;
use crate::model::{Chat, ChatId, ChatKind, MessageId, Role, UserId};
use crate::store::{self, Created, NewChat, NewMessage, Store};
use crate::vital::Vital;

/// Appends under way.
const AT_ONCE: usize = 4096;
/// Those of one chat, which wait in one line of the store.
const OF_ONE_CHAT: usize = 1024;
const DAY: Duration = Duration::from_secs(86_400);
/// How often its progress is told, in messages.
const TELL: u32 = 500_000;

/// Who reads them, and who has sent them: names that `history` knows.
pub(super) fn names(name: &str) -> (UserId, UserId) {
    (UserId::new(&format!("{name}-h0")), UserId::new(&format!("{name}-h1")))
}

pub(super) async fn run(mut run: Run, plan: &FillArgs) -> Result<Report, LoadError> {
    let failed = |error: &dyn std::fmt::Display| LoadError::Backend("the store", error.to_string());
    let vital = Vital::default();
    let store = store::open(plan.store.expose(), Arc::new(SystemClock), &vital)
        .await
        .map_err(|error| failed(&error))?;
    let (reader, sender) = names(&run.name);
    let mut chats = Vec::new();
    for _ in 0..plan.chats.max(1) {
        let chat = group(&*store, &sender, &reader).await.map_err(|error| failed(&error))?;
        chats.push(chat);
    }
    let appended = run.series("append");
    let before = run.look();
    run.counting.set(true);
    let (chats, run_ref, store_ref, appended_ref) = (&chats, &run, &store, &appended);
    stream::iter(0..plan.messages)
        .map(|nth| {
            let new = message(chats[nth as usize % chats.len()], &sender, nth);
            async move {
                let due = run_ref.counting.now();
                store_ref.append(new).await.map_err(|error| failed(&error))?;
                appended_ref.since(nth as usize, due);
                if (nth + 1) % TELL == 0 {
                    run_ref.say(&format!("  {} messages", nth + 1));
                }
                Ok::<_, LoadError>(())
            }
        })
        .buffer_unordered(AT_ONCE.min(OF_ONE_CHAT * chats.len()))
        .try_collect::<()>()
        .await?;
    let shape = format!("{} messages into {} chats", plan.messages, chats.len());
    let report = run.report("fill", shape, &before);
    store.close().await;
    Ok(report)
}

fn message(chat: ChatId, sender: &UserId, nth: u32) -> NewMessage {
    NewMessage {
        id: MessageId(aged(SystemClock.new_id())),
        chat,
        sender: Some(sender.clone()),
        client_message_id: format!("fill-{nth}"),
        content_hash: [0; 16],
        text: format!("message {nth} of many, as long as people write: some sixty bytes"),
        attachments: Vec::new(),
        reply_to: None,
        mentions: Vec::new(),
        words: Vec::new(),
        note: None,
        member_as_of: 0,
    }
}

/// The same id, of a day ago. Of what is new nobody has been notified: a server would read all of it
/// for that when it starts, while it is measured.
fn aged(id: Uuid) -> Uuid {
    let then = Timestamp::of_id(id).minus(DAY).0.to_be_bytes();
    let mut bytes = *id.as_bytes();
    bytes[..6].copy_from_slice(&then[2..]);
    Uuid::from_bytes(bytes)
}

async fn group(
    store: &dyn Store,
    sender: &UserId,
    reader: &UserId,
) -> Result<ChatId, store::StoreError> {
    let id = ChatId(SystemClock.new_id());
    let chat = Chat {
        id,
        kind: ChatKind::Group,
        title: "filled".to_owned(),
        avatar_url: String::new(),
        created_by: sender.clone(),
        member_count: 2,
        revision: 1,
        deleted_at: None,
        untold: false,
    };
    let members = vec![(sender.clone(), Role::Owner), (reader.clone(), Role::Member)];
    let new = NewChat { key: None, id, content_hash: [0; 16], chat, members, note: None };
    match store.create_chat(new).await? {
        Created::Chat(chat, _) => Ok(chat.id),
        other => Err(store::StoreError::Broken(format!("{other:?}").into())),
    }
}
