//! What this node has just stored, for users without any stream; and the second push of a burst.
//!
//! All this is from memory: what is lost with the node, or finds the queue full, a later look finds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::due::{Due, Found};
use super::ring::{Undone, Why};
use super::{Look, Pushes};
use crate::chat::Service;
use crate::chat::limits::{PUSH_APART, PUSH_BATCH, PUSH_BATCHES, PUSH_BURSTS};
use crate::error::Result;
use crate::metrics;
use crate::model::Message;
use crate::store::Spot;

/// How long they gather: nobody feels it beside what the push service takes.
const GATHER: Duration = Duration::from_millis(20);

/// Spots that were pushed just now, each with the newest message that came since.
#[derive(Debug, Default)]
pub(super) struct Bursts(Mutex<HashMap<Spot, Arc<Message>>>);

impl Bursts {
    /// Whether the spot waits only from now on, and so somebody must see to it.
    fn put(&self, spot: Spot, message: Arc<Message>) -> bool {
        let mut waiting = self.0.lock();
        if let Some(newest) = waiting.get_mut(&spot) {
            if newest.seq < message.seq {
                *newest = message;
            }
            return false;
        }
        // Of more a later look takes care.
        let room = waiting.len() < PUSH_BURSTS;
        if room {
            waiting.insert(spot, message);
        }
        room
    }

    fn take(&self, spot: &Spot) -> Option<Arc<Message>> {
        self.0.lock().remove(spot)
    }
}

impl Pushes {
    /// A message was stored by this node. Never waits.
    pub(in crate::chat) fn stored(&self, message: &Message) {
        if self.push.is_on()
            && message.counts()
            && self.fresh.try_send(Arc::new(message.clone())).is_err()
        {
            metrics::pushes_passed_over().inc();
        }
    }
}

/// What came within a moment, as each question to the store is for all of it; `None`: no more comes.
async fn gathered(stored: &mut mpsc::Receiver<Arc<Message>>) -> Option<Vec<Arc<Message>>> {
    let mut batch = vec![stored.recv().await?];
    let until = Instant::now() + GATHER;
    while batch.len() < PUSH_BATCH {
        let room = PUSH_BATCH - batch.len();
        let more = stored.recv_many(&mut batch, room);
        // Without more to come it is the last one.
        if !matches!(tokio::time::timeout_at(until, more).await, Ok(1..)) {
            break;
        }
    }
    Some(batch)
}

impl Service {
    /// Pushes what was stored here, as it comes; what came together goes together.
    pub(super) async fn push_at_once(self: Arc<Self>, mut stored: mpsc::Receiver<Arc<Message>>) {
        let batches = Arc::new(Semaphore::new(PUSH_BATCHES));
        loop {
            let Ok(permit) = Arc::clone(&batches).acquire_owned().await else { return };
            let Some(batch) = gathered(&mut stored).await else { return };
            let service = Arc::clone(&self);
            // To its end, also when the node leaves: what is half noted another would find late.
            self.tasks.spawn(async move {
                if let Err(error) = service.push_batch(&batch).await {
                    tracing::warn!(%error, "pushes are left to a later look");
                }
                drop(permit);
            });
        }
    }

    async fn push_batch(self: &Arc<Self>, batch: &[Arc<Message>]) -> Result<()> {
        let found = self.due(Look::AtOnce, batch).await?;
        // Of streams that have ended meanwhile. To ask others would be to ask of all that is pushed.
        self.note_what_is_written_here(&found.due);
        self.push_found(found).await
    }

    /// Sends what was found; what is held back or cannot go now is noted as jobs, but for what
    /// follows a push at once: that waits here.
    async fn push_found(self: &Arc<Self>, found: Found) -> Result<()> {
        for Undone { due, why } in self.ring(found).await? {
            match why {
                // A claim is mostly over long before its lease.
                Why::Claimed(after) => self.wait(&due, after.min(PUSH_APART)),
                Why::Later(_) => self.put_off(&due, why).await?,
            }
        }
        Ok(())
    }

    fn wait(self: &Arc<Self>, due: &Due, after: Duration) {
        let spot = due.spot();
        if !self.pushes.bursts.put(spot.clone(), Arc::clone(&due.message)) {
            return;
        }
        let (service, device) = (Arc::clone(self), due.device.id.clone());
        self.run(async move {
            tokio::time::sleep(after).await;
            let Some(message) = service.pushes.bursts.take(&spot) else { return };
            let pushed = async {
                let found = service.due_again(&message, &spot.user, &device).await?;
                service.push_found(found).await
            };
            // A boxed future: it may come here again.
            let pushed: std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send + '_>> =
                Box::pin(pushed);
            if let Err(error) = pushed.await {
                tracing::warn!(%error, "a push is left to a later look");
            }
        });
    }
}
