//! What is asked beside the stream: the inbox and histories, after a GAP and where a seq is left
//! out.

use std::sync::Arc;
use std::time::Duration;

use adda::model::SeqSet;
use adda::proto;
use adda::proto::list_messages_request::Anchor;

use super::super::record::Entry;
use super::Phone;
use super::disk::{plain, runs};
use crate::world::Api;

/// What was read.
pub(super) enum Job {
    All,
    /// What lacked, by its name.
    Part(String),
}

/// The way back from a GAP: the inbox to its end, then each chat. From its first message on,
/// since in groups pages alone tell of ticks that were missed.
pub(super) async fn all(phone: Arc<Phone>, api: Api) -> Result<Job, tonic::Status> {
    let mut page_token = String::new();
    let mut chats = Vec::new();
    loop {
        let asked = phone.now();
        let request = proto::ListChatsRequest { page_token, ..Default::default() };
        let page = patiently(|| {
            let (mut api, request) = (api.clone(), request.clone());
            async move { api.list_chats(request).await }
        })
        .await?;
        for chat in page.chats {
            take_chat(&phone, asked, &chat);
            chats.push(chat);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    for chat in chats {
        // An inbox lists groups without their members.
        look_up(&phone, &api, &chat.chat_id).await?;
        after(&phone, &api, &chat.chat_id, 0).await?;
    }
    Ok(Job::All)
}

/// A seq was left out: all above what is whole.
pub(super) async fn hole(
    phone: Arc<Phone>,
    api: Api,
    chat: String,
    solid: u32,
) -> Result<Job, tonic::Status> {
    after(&phone, &api, &chat, solid).await?;
    Ok(Job::Part(chat))
}

/// The chat itself, and with it how much is unread.
pub(super) async fn count(
    phone: Arc<Phone>,
    api: Api,
    chat: String,
    job: String,
) -> Result<Job, tonic::Status> {
    look_up(&phone, &api, &chat).await?;
    Ok(Job::Part(job))
}

async fn look_up(phone: &Phone, api: &Api, chat: &str) -> Result<(), tonic::Status> {
    let asked = phone.now();
    let request = proto::GetChatRequest { chat_id: chat.to_owned() };
    let answer = patiently(|| {
        let (mut api, request) = (api.clone(), request.clone());
        async move { api.get_chat(request).await }
    })
    .await?;
    if let Some(chat) = answer.chat {
        take_chat(phone, asked, &chat);
    }
    Ok(())
}

async fn after(phone: &Phone, api: &Api, chat: &str, seq: u32) -> Result<(), tonic::Status> {
    let mut page_token = String::new();
    loop {
        let request = proto::ListMessagesRequest {
            chat_id: chat.to_owned(),
            page_size: 200,
            page_token,
            anchor: Some(Anchor::AfterSeq(seq)),
        };
        let page = patiently(|| {
            let (mut api, request) = (api.clone(), request.clone());
            async move { api.list_messages(request).await }
        })
        .await?;
        for message in page.messages {
            let (stream, of) = (None, chat.to_owned());
            phone.note(Entry::Saw { stream, chat: of, message: plain(&message) });
            phone.disk.lock().chat(chat).merge(&message);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(());
        }
    }
}

/// Asks again what may be asked again, for as long as the stream lives.
async fn patiently<T, A>(ask: impl Fn() -> A) -> Result<T, tonic::Status>
where
    A: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
{
    use tonic_types::StatusExt as _;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => {
                let details = status.get_error_details();
                let info = details.retry_info().and_then(|info| info.retry_delay);
                let Some(after) = info else { return Err(status) };
                tokio::time::sleep(after.max(Duration::from_millis(200))).await;
            }
        }
    }
}

fn take_chat(phone: &Phone, asked: Duration, chat: &proto::Chat) {
    let id = chat.chat_id.clone();
    let mut disk = phone.disk.lock();
    let held = disk.chat(&id);
    held.members(&chat.members);
    if let Some(own) = &chat.membership {
        held.members(std::slice::from_ref(own));
        let set = |seqs| SeqSet::from_parts(0, runs(seqs));
        let (delivered, read) = (set(&own.delivered), set(&own.read));
        phone.note(Entry::Sets { chat: id.clone(), asked, delivered, read });
    }
    if let Some(count) = chat.unread_count {
        held.counted(count, chat.last_seq);
        phone.note(Entry::Unread { chat: id, asked, count, last_seq: chat.last_seq });
    }
}
