//! The log, read on behind its end: what was not pushed at once, or could not be.
//!
//! One node at a time has the turn. It moves on when all that was due in a page is settled or noted
//! as a job; if it dies before, the next one reads the page again, and what was settled is not due
//! any more.

use std::sync::Arc;
use std::time::Duration;

use super::Look;
use crate::chat::Service;
use crate::chat::limits::{PUSH_PAGE, PUSH_TURN};
use crate::error::Result;
use crate::model::Message;
use crate::store::turn::{Page, Turn};

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
        let name = match look {
            Look::First | Look::AtOnce => "pushes-first",
            Look::Second | Look::Again => "pushes-second",
        };
        let turn = Turn { name, holder: self.bus.node(), lease: PUSH_TURN, page: PUSH_PAGE };
        let until = self.clock.now().minus(behind);
        while let Some(Page { messages, more, .. }) = turn.next(&*self.store, until).await? {
            let Some(last) = messages.last().map(|message| message.id) else { break };
            self.push_page(look, messages).await?;
            if !turn.move_on(&*self.store, last).await? || !more {
                break;
            }
        }
        Ok(())
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
