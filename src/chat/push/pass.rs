//! The log, read on behind its end: what was not pushed at once, or could not be.
//!
//! One node at a time has the turn. It moves on when all that was due in a page is settled or noted
//! as a job; if it dies before, the next one reads the page again, and what was settled is not due
//! any more.

use std::sync::Arc;
use std::time::Duration;

use super::Look;
use crate::chat::Service;
use crate::chat::limits::{PUSH_AGE, PUSH_PAGE, PUSH_TURN};
use crate::error::Result;
use crate::model::{Message, MessageId};

/// How often it is looked, at most and at least.
const EVERY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

impl Service {
    /// Reads the log behind its end, as far as this look wants.
    pub(super) async fn look_again(self: Arc<Self>, look: Look) {
        let behind = match look {
            Look::Second | Look::Again => self.pushes.push.hold(),
            Look::First | Look::AtOnce => self.pushes.push.after(),
        };
        let every = (behind / 5).clamp(EVERY.0, EVERY.1);
        loop {
            tokio::time::sleep(every).await;
            if let Err(error) = self.look_on(look, behind).await {
                tracing::warn!(%error, "cannot look for whom to push; trying again");
            }
        }
    }

    async fn look_on(self: &Arc<Self>, look: Look, behind: Duration) -> Result<()> {
        let turn = match look {
            Look::First | Look::AtOnce => "pushes-first",
            Look::Second | Look::Again => "pushes-second",
        };
        let now = self.clock.now();
        let until = MessageId(now.minus(behind).first_id());
        // What was stored before there was a turn, by a node that did not live to take it, is due
        // as well.
        let start = MessageId(now.minus(behind + PUSH_AGE).first_id());
        loop {
            let node = self.bus.node();
            let taken = self.store.take_turn(turn, node, PUSH_TURN, start).await?;
            let Some(after) = taken else { return Ok(()) };
            let mut page = self.store.log(after, PUSH_PAGE).await?;
            let full = page.len() >= PUSH_PAGE as usize;
            let read = page.len();
            page.retain(|message| message.id < until);
            let Some(last) = page.last().map(|message| message.id) else { return Ok(()) };
            let all = page.len() == read;
            self.push_page(look, page).await?;
            if !self.store.move_turn(turn, node, last).await? || !full || !all {
                return Ok(());
            }
        }
    }

    async fn push_page(self: &Arc<Self>, look: Look, page: Vec<Message>) -> Result<()> {
        for message in page.iter().filter(|message| message.changes_members()) {
            self.rosters.note(message.chat, message.seq);
        }
        let page: Vec<Arc<Message>> = page.into_iter().map(Arc::new).collect();
        let found = self.due(look, &page).await?;
        self.ask_who_wrote(&found.due);
        for undone in self.ring(found).await? {
            self.put_off(&undone.due, undone.why).await?;
        }
        Ok(())
    }
}
