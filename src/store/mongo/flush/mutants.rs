//! Bugs on purpose: see [`crate::mutants`].

use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Document, doc};
use tokio::sync::oneshot;

use super::{Appended, Lane, Part};
use crate::mutants::are;
use crate::store::mongo::docs::uuid;

/// `ack-before-write`: all are told that they are stored; the write comes a moment later.
pub(super) async fn answered_early(mut parts: Vec<Part>) -> Vec<Part> {
    if are("ack-before-write") {
        for draft in parts.iter_mut().flat_map(|part| &mut part.drafts) {
            let message = Arc::new(draft.pending.new.clone().at(draft.seq));
            let (nobody, _) = oneshot::channel();
            let reply = std::mem::replace(&mut draft.pending.reply, nobody);
            let _gone = reply.send(Ok(Appended { message, duplicate: false }));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    parts
}

impl Lane {
    /// `seq-by-counter`: the next numbers come from a counter, whatever becomes of them.
    pub(super) async fn take_numbers(&mut self, parts: Vec<Part>) -> Result<Vec<Part>, Vec<Part>> {
        let counters = self.db.database.collection::<Document>("counters");
        for part in &parts {
            let count = i64::try_from(part.drafts.len()).unwrap_or(i64::MAX);
            let one = doc! { "_id": uuid(part.chat.0) };
            let taken = doc! { "$inc": { "count": count } };
            let Ok(before) = counters.find_one_and_update(one, taken).upsert(true).await else {
                return Err(parts);
            };
            let before = before.and_then(|doc| doc.get_i64("count").ok()).unwrap_or(0);
            if let Some(queue) = self.chats.get_mut(&part.chat) {
                queue.head = u32::try_from(before).ok();
            }
        }
        Ok(parts)
    }
}
