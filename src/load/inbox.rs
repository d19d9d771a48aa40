//! Users with many chats, some unread, who page through their inbox.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;

use super::LoadError;
use super::device::Caller;
use super::measure::Run;
use super::report::Report;
use super::stats::Series;
use super::talk::Due;
use crate::config::load::InboxArgs;
use crate::proto::ListChatsRequest;

/// Calls under way on one connection while the chats are made.
const AT_ONCE: usize = 16;
/// What an app shows at once.
const PAGE: u32 = 50;

pub(super) async fn run(mut run: Run, plan: &InboxArgs) -> Result<Report, LoadError> {
    fill(&run, *plan).await?;
    let (first, later) = (run.series("first page, total"), run.series("later page"));
    let mut tasks = JoinSet::new();
    for nth in 0..plan.users {
        let mut walker = Walker {
            nth,
            caller: run.door.caller(&format!("{}-r{nth}", run.name)).await?,
            first: Arc::clone(&first),
            later: Arc::clone(&later),
            counting: Arc::clone(&run.counting),
        };
        let (mut due, errors) = (Due::new(plan.rate, nth, plan.users), Arc::clone(&run.errors));
        let unread = u32::try_from(plan.unread).unwrap_or(u32::MAX);
        tasks.spawn(async move {
            loop {
                let at = walker.counting.at(due.next().await);
                match walker.walk(at).await {
                    Ok(total) if total == unread => {}
                    Ok(total) => errors.count(format!("a total of {total} unread")),
                    Err(status) => errors.count(status.message()),
                }
            }
        });
    }
    let InboxArgs { users, chats, unread, rate } = plan;
    let shape = format!("{users} users of {chats} chats, {unread} unread, {rate} walks a second");
    let report = run.count("inbox", shape).await;
    drop(tasks);
    Ok(report)
}

struct Walker {
    nth: usize,
    caller: Caller,
    first: Arc<Series>,
    later: Arc<Series>,
    counting: Arc<super::stats::Counting>,
}

impl Walker {
    /// From the first page to the last; answers the total.
    async fn walk(&mut self, mut due: u64) -> Result<u32, tonic::Status> {
        let (mut page_token, mut total) = (String::new(), 0);
        loop {
            let is_first = page_token.is_empty();
            let ask =
                ListChatsRequest { page_size: PAGE, page_token, ..ListChatsRequest::default() };
            let request = self.caller.request(ask);
            let page = self.caller.client.list_chats(request).await?.into_inner();
            let series = if is_first { &self.first } else { &self.later };
            series.since(self.nth, due);
            total = page.total_unread_count.unwrap_or(total);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(total);
            }
            due = self.counting.now();
        }
    }
}

/// Each user's chats, each with a message: the user's own, and in the newest ones a peer's.
async fn fill(run: &Run, plan: InboxArgs) -> Result<(), LoadError> {
    run.say(&format!("making {} chats for each of {} users", plan.chats, plan.users));
    let (door, name) = (&run.door, &run.name);
    let fill_one = async |nth: usize| {
        let user = format!("{name}-r{nth}");
        let peer = |chat: usize| format!("{name}-r{nth}-p{chat}");
        let owner = door.caller(&user).await?;
        let chats: Vec<String> = stream::iter(0..plan.chats)
            .map(|chat| {
                let (mut owner, peer) = (owner.clone(), peer(chat));
                async move {
                    let id = owner.direct(&peer).await?;
                    owner.send(&id, "own").await?;
                    Ok::<_, LoadError>(id)
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for (chat, id) in chats.iter().enumerate().rev().take(plan.unread) {
            door.caller(&peer(chat)).await?.send(id, "unread").await?;
        }
        Ok::<_, LoadError>(())
    };
    for nth in 0..plan.users {
        fill_one(nth).await?;
        run.say(&format!("  {} of {} users", nth + 1, plan.users));
    }
    Ok(())
}
