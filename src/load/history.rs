//! Pages at random places of long chats, which `fill` has made.

use std::sync::Arc;

use rand::RngExt as _;
use tokio::task::JoinSet;

use super::LoadError;
use super::device::Caller;
use super::fill::names;
use super::measure::{Errors, Run};
use super::report::Report;
use super::stats::{Counting, Series};
use super::talk::Due;
use crate::config::load::HistoryArgs;
use crate::proto::list_messages_request::Anchor;
use crate::proto::{ListChatsRequest, ListMessagesRequest};

/// Who ask at once.
const READERS: usize = 8;

/// Depths that are told apart: the newest page, the oldest, and any between.
const DEPTHS: [&str; 3] = ["newest page", "a page at random", "oldest page"];

pub(super) async fn run(mut run: Run, plan: &HistoryArgs) -> Result<Report, LoadError> {
    let (reader, _) = names(&run.name);
    let mut caller = run.door.caller(reader.as_str()).await?;
    let chats = chats(&mut caller).await?;
    let messages: u64 = chats.iter().map(|(_, last)| u64::from(*last)).sum();
    if chats.is_empty() {
        return Err(LoadError::Asked("there are no messages: run adda load fill first".into()));
    }
    let series = DEPTHS.map(|name| run.series(name));
    let chats = Arc::new(chats);
    let shape = format!(
        "{messages} messages in {} chats, pages of {}, {} a second",
        chats.len(),
        plan.page,
        plan.rate
    );
    let mut tasks = JoinSet::new();
    for nth in 0..READERS {
        let reader = Reader {
            caller: run.door.caller(reader.as_str()).await?,
            chats: Arc::clone(&chats),
            series: series.clone(),
            counting: Arc::clone(&run.counting),
            errors: Arc::clone(&run.errors),
            page: plan.page,
        };
        tasks.spawn(reader.read(Due::new(plan.rate, nth, READERS)));
    }
    let report = run.count("history", shape).await;
    drop(tasks);
    Ok(report)
}

/// All chats of the reader, with their newest seq.
async fn chats(caller: &mut Caller) -> Result<Vec<(String, u32)>, LoadError> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let ask = ListChatsRequest { page_size: 50, page_token, ..ListChatsRequest::default() };
        let request = caller.request(ask);
        let page = caller.client.list_chats(request).await;
        let page = page.map_err(|status| LoadError::Call("ListChats", Box::new(status)))?;
        let page = page.into_inner();
        all.extend(page.chats.into_iter().map(|chat| (chat.chat_id, chat.last_seq)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

struct Reader {
    caller: Caller,
    chats: Arc<Vec<(String, u32)>>,
    series: [Arc<Series>; 3],
    counting: Arc<Counting>,
    errors: Arc<Errors>,
    page: u32,
}

impl Reader {
    async fn read(mut self, mut due: Due) {
        loop {
            let at = self.counting.at(due.next().await);
            let depth = rand::rng().random_range(0..DEPTHS.len());
            let (chat, last) = &self.chats[rand::rng().random_range(0..self.chats.len())];
            let before = match depth {
                0 => last + 1,
                1 => rand::rng().random_range(self.page.min(*last)..=*last) + 1,
                _ => self.page.min(*last) + 1,
            };
            let request = self.caller.request(ListMessagesRequest {
                chat_id: chat.clone(),
                page_size: self.page,
                page_token: String::new(),
                anchor: Some(Anchor::BeforeSeq(before)),
            });
            match self.caller.client.list_messages(request).await {
                Ok(page) if page.get_ref().messages.is_empty() => {
                    self.errors.count("an empty page");
                }
                Ok(_) => self.series[depth].since(0, at),
                Err(status) => self.errors.count(status.message()),
            }
        }
    }
}
