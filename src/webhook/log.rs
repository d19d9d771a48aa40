//! Messages from the log, once they are a minute old: what the node that stored them noted is
//! there already, and noting it again does nothing. One node at a time has the turn.

use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::{Shared, note};
use crate::model::MessageId;
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
    let until = MessageId(shared.clock.now().minus(AGE).first_id());
    loop {
        let turn = shared.store.take_turn(TURN, &shared.node, LEASE, until).await?;
        let Some(after) = turn else { return Ok(()) };
        let mut page = shared.store.log(after, PAGE).await?;
        let full = page.len() >= PAGE as usize;
        let read = page.len();
        page.retain(|message| message.id < until);
        let Some(last) = page.last().map(|message| message.id) else { return Ok(()) };
        let sent = page.iter().filter(|message| message.deleted_at.is_none());
        let jobs: Vec<NewJob> = sent.map(|message| Event::message_sent(message).job()).collect();
        if !note::put(shared, &jobs).await
            || !shared.store.move_turn(TURN, &shared.node, last).await?
            || !full
            || page.len() < read
        {
            return Ok(());
        }
    }
}
