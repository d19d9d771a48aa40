//! Messages from the log, once they are a minute old: what the node that stored them noted is
//! there already, and noting it again does nothing. One node at a time has the turn.

use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::{Shared, note};
use crate::store::turn::{Page, Turn};
use crate::store::{NewJob, StoreError};

/// Who reads on.
const TURN: &str = "webhooks";
/// For how long a node has the turn.
const LEASE: Duration = Duration::from_secs(30);
/// How often it is looked for more.
const EVERY: Duration = Duration::from_secs(5);
/// Older than this, all that will be there is there: an append is given up after some seconds.
const AGE: Duration = Duration::from_secs(60);
/// Messages at once.
const PAGE: u32 = 500;

/// Reads on, until all is to stop.
pub(super) async fn run(shared: Arc<Shared>) {
    while shared.pause(EVERY).await {
        if let Err(error) = read_on(&shared).await {
            tracing::warn!(%error, "cannot read the log for webhooks; trying again");
        }
    }
}

async fn read_on(shared: &Shared) -> Result<(), StoreError> {
    let turn = Turn { name: TURN, holder: &shared.node, lease: LEASE, page: PAGE };
    let until = shared.clock.now().minus(AGE);
    while let Some(Page { messages, more, .. }) = turn.next(&*shared.store, until).await? {
        let Some(last) = messages.last().map(|message| message.id) else { break };
        let sent = messages.iter().filter(|message| message.deleted_at.is_none());
        let jobs: Vec<NewJob> = sent.map(|message| Event::message_sent(message).job()).collect();
        if !note::put(shared, &jobs).await || !turn.move_on(&*shared.store, last).await? || !more {
            break;
        }
    }
    Ok(())
}
